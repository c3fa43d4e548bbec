"""The command evaluate: how well what was held out is predicted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import ConfigError
from . import halved, options, planned
from .annotated import Annotations
from .jobs import Interrupt, read
from .output import Output, guarded
from .presets import configured

if TYPE_CHECKING:
    from ..volume import Volume

commands = typer.Typer()

BASELINES = ("linear", "cubic", "flow", "tvl1", "idir", "uvi")
HoldOut = Annotated[
    Literal["time", "z"],
    typer.Option("--hold-out", help="What is held out: frames (time) or planes (z)."),
]
Gap = Annotated[
    int, typer.Option("--gap", min=2, help="Every how-manieth frame or plane is given.")
]
Baselines = Annotated[
    str,
    typer.Option(
        "--baselines",
        help="Of linear, cubic, flow (Lucas-Kanade), tvl1, and two that learn: idir, uvi.",
    ),
]
Gaps = Annotated[
    str | None,
    typer.Option(
        "--gaps",
        metavar="2,3,4,6",
        help="Instead: quality against the frame interval, and where one more frame helps most.",
    ),
]
Quality = Annotated[
    float | None,
    typer.Option(
        "--quality",
        metavar="DB",
        help="With --gaps: the wanted PSNR; 1 dB below that of the shortest interval if not given.",
    ),
]
Picture = Annotated[
    Path | None,
    typer.Option("--picture", metavar="PNG", help="With --gaps: draw that (matplotlib)."),
]
TwoFits = Annotated[
    Path | None,
    typer.Option(
        "--two-fits",
        metavar="OUTPUT",
        help="Instead: fit two halves of what the recording knows, and write where both show the"
        " same (1) and where not (0).",
    ),
]
HalvesOf = Annotated[
    Literal["noise", "frames"] | None,
    typer.Option(
        "--halves",
        help="With --two-fits: two copies of every frame of independent noise, or even and odd"
        " frames; noise where it can be estimated, if not given.",
    ),
]
Downstream = Annotated[
    bool,
    typer.Option(
        "--downstream",
        help="Also nuclei found in predicted frames, against --points or the recorded frames.",
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="FILE",
        help="Labels of the recording's voxels: how well they are carried to frames left out, or"
        " (along z) cells of a watershed agree with them.",
    ),
]
Points = Annotated[
    Path | None,
    typer.Option("--points", metavar="CSV", help="Nuclei, with the columns t,z,y,x."),
]
PointsIn = Annotated[
    Literal["units", "voxels"] | None,
    typer.Option(
        "--points-in",
        help="Whether --points are in the recording's units or in frames and voxels; if not given,"
        " units, and voxels for files of napari.",
    ),
]
Ablate = Annotated[bool, typer.Option("--ablate", help="Also with each component switched off.")]


@commands.command()
@guarded
def evaluate(
    recording: options.Recording,
    hold_out: HoldOut = "time",
    gap: Gap = 2,
    preset: options.Preset = "balanced",
    config_file: options.ConfigFile = None,
    settings: options.Settings = None,
    baselines: Baselines = "linear,cubic,flow",
    ablate: Ablate = False,
    gaps: Gaps = None,
    quality: Quality = None,
    picture: Picture = None,
    two_fits: TwoFits = None,
    halves: HalvesOf = None,
    downstream: Downstream = False,
    labels: Labels = None,
    points: Points = None,
    points_in: PointsIn = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    channel: options.Channel = None,
    axes: options.Axes = None,
    spacing: options.Spacing = None,
    units: options.Units = None,
    level: options.Level = 0,
    psf: options.Psf = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Hold frames or planes out, predict them, and score the prediction against interpolation."""
    output = Output(as_json, quiet)
    how = options.reading(axes, spacing, units, channel, level)
    config = configured(preset, config_file, settings, psf)
    chosen = tuple(name.strip() for name in baselines.split(",") if name.strip())
    for name in chosen:
        options.one_of(name, BASELINES, "--baselines")
    options.device(device)
    tried = planned.wanted(gaps, quality, picture)
    halved.check(two_fits, halves, recording)
    notes = Annotations(downstream, labels, points, points_in, hold_out)
    _check_alone(bool(tried), two_fits is not None, hold_out == "z" or notes.wanted)
    volume = read(recording, how, output)
    rest = config, device, seed, output
    if tried:
        planned.planned(volume, recording, tried, quality, picture, *rest)
        return
    if two_fits is not None:
        halved.halved(volume, recording, two_fits, halves, *rest)
        return
    asked = {"hold_out": hold_out, "gap": gap, "baselines": chosen, "ablate": ablate}
    fits = {"preset": config.preset, "config": config, "device": device, "seed": seed}
    _score(volume, recording, {**asked, **fits}, notes, axes, output)


def _check_alone(gaps: bool, two_fits: bool, others: bool) -> None:
    """Refuse what is measured instead of a hold-out together with what belongs to one."""
    apart = "leave out --hold-out z, --downstream, --labels and --points."
    if gaps and two_fits:
        raise ConfigError("--gaps and --two-fits are measured one at a time; leave out one.")
    if gaps and others:
        raise ConfigError(f"--gaps tries frame intervals alone; {apart}")
    if two_fits and others:
        raise ConfigError(f"--two-fits compares two fits alone; {apart}")


def _score(
    volume: Volume,
    recording: Path,
    asked: dict[str, Any],
    notes: Annotations,
    axes: str | None,
    output: Output,
) -> None:
    """Measure and print."""
    from ..analysis.evaluate import evaluate as score

    with Interrupt(at_once=True) as interrupt, output.progress() as progress:
        shown = interrupt.before(progress.fit)
        found = None
        if notes.wanted:
            report, found = notes.measured(volume, axes, output, **asked, progress=shown)
        else:
            report = score(volume, **asked, progress=shown)
    for warning in report.said:
        output.note(f"warning: {warning}")
    output.say(report.table())
    values = {**report.to_json(), "input": str(recording)}
    if found is not None:
        output.say("\n".join([found.table(), *found.said]))
        values["downstream"] = found.to_json()
    output.result(values)
