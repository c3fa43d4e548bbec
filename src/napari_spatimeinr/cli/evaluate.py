"""The command evaluate: how well what was held out is predicted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from . import options
from .jobs import Interrupt, read
from .output import Output, guarded
from .presets import configured

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
    volume = read(recording, how, output)
    from ..analysis.evaluate import evaluate as score

    with Interrupt(at_once=True) as interrupt, output.progress() as progress:

        def shown(state: Any) -> None:
            interrupt.check()
            progress.fit(state)

        report = score(
            volume,
            hold_out,
            gap,
            config.preset,
            config,
            device,
            seed,
            baselines=chosen,
            ablate=ablate,
            progress=shown,
        )
    for warning in report.said:
        output.note(f"warning: {warning}")
    output.say(report.table())
    output.result({**report.to_json(), "input": str(recording)})
