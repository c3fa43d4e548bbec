"""The command fit: a recording to a model file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.grid import parse_roi
from ..errors import ConfigError, InputError
from . import options
from .jobs import read, run_fit, timed
from .output import Output, guarded
from .presets import configured

if TYPE_CHECKING:
    from ..field import Field

commands = typer.Typer()

Model = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="MODEL", help="The model to write, NAME.spatimeinr."),
]
Resume = Annotated[
    Path | None, typer.Option("--resume", metavar="MODEL", help="Go on from this model.")
]

Link = Annotated[
    bool | None,
    typer.Option(
        "--link/--embed",
        help="Whether the model refers to the recording or holds its frames; it refers to it above"
        " 2 GB if neither is given.",
    ),
]


@commands.command()
@guarded
def fit(
    recording: options.Recording,
    model: Model,
    preset: options.Preset = "balanced",
    config_file: options.ConfigFile = None,
    settings: options.Settings = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    time_budget: options.Budget = None,
    resume: Resume = None,
    roi: options.Roi = None,
    channel: options.Channel = None,
    axes: options.Axes = None,
    spacing: options.Spacing = None,
    units: options.Units = None,
    times: options.Times = None,
    level: options.Level = 0,
    psf: options.Psf = None,
    link: Link = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Fit a recording and write a model file, which holds everything that a rendering needs, but
    with --link, and above 2 GB, the frames: it says where they are.

    The preset published fits the method as it was published, for comparison. Ctrl-C stops early
    and writes the model as it is then (exit code 130).
    """
    output = Output(as_json, quiet)
    how = options.reading(axes, spacing, units, channel, level)
    at = options.frame_times(times)
    config = configured(preset, config_file, settings, psf)
    options.device(device)
    options.positive(time_budget, "--time-budget")
    part = None if roi is None else parse_roi(roi)
    if options.is_recording(model):
        raise ConfigError(
            f"fit writes a model, not a recording; name it {model.name.split('.')[0]}.spatimeinr"
            f" instead of {model.name}."
        )
    options.writable(model, recording)
    volume = read(recording, how, output)
    if at is not None:
        volume = timed(volume, at)
    if link:
        from ..io.linked import link_of

        link_of(volume)  # what cannot be is said before the fit
    from ..fitting import fit_run

    run = fit_run(volume, config.preset, config, device, seed, time_budget, resume, roi=part)
    interrupted = run_fit(run, output)
    field = run.result()
    _save(field, model, link, output)
    _tell(output, model, field, interrupted)
    if interrupted:
        raise typer.Exit(130)


def _save(field: Field, model: Path, link: bool | None, output: Output) -> None:
    """Write the model; a fit is not lost because its recording changed meanwhile."""
    try:
        field.save(model, link=link)
    except InputError as error:
        output.note(f"warning: {error}")
        field.save(model, link=False)
    if field.frames_said:
        output.note(field.frames_said)


def _tell(output: Output, model: Path, field: Field, interrupted: bool) -> None:
    """Say what the fit came to: remarks, one line, and the JSON object."""
    from ..analysis.sentences import outcome

    facts = field.provenance.to_dict()
    for warning in facts.get("warnings", ()):
        output.note(f"warning: {warning}")
    if said := outcome(facts, interrupted, f"To go on from here: --resume {model}."):
        output.note(said)
    keys = ("seconds", "steps", "device", "seed", "chosen", "hold_out", "peak_memory_bytes")
    linked = None if field.recording is None else str(field.recording)
    result: dict[str, Any] = {"model": str(model), "recording": linked}
    result |= {key: facts.get(key) for key in keys}
    gain = (result["hold_out"] or {}).get("gain_over_linear_db")
    remark = (
        "" if gain is None else f", {gain:+.2f} dB over linear interpolation on held-out frames"
    )
    output.say(
        f"{model}: {result['seconds']:.1f} s on {result['device']}, {result['steps']} steps{remark}"
    )
    output.result({**result, "interrupted": True} if interrupted else result)
