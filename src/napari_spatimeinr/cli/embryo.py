"""The command embryo: from slices and a cell tracing to named, measured cells at any time."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from . import options
from .jobs import Interrupt
from .output import Output, guarded
from .presets import configured

if TYPE_CHECKING:
    from ..embryo.journey import Outcome, Progress

commands = typer.Typer()
NONE = "no time point is done"
KEPT = "what the fit has learned is kept, and it goes on from there"
EARLY = "the fit had not come far enough to go on from, and begins anew"


RunFile = Annotated[
    Path,
    typer.Option(
        *("--config_file", "--config-file"),
        metavar="running_Emb1.txt",
        help="The run file: key=value lines that name slices, tracing and sizes.",
    ),
]
Volumes = Annotated[
    Path,
    typer.Option(
        *("--nii_path", "--nii-path"),
        metavar="NII",
        help="Folder of the super-resolved membranes, a NIfTI a time point.",
    ),
]
Folder = Annotated[Path, typer.Option("--opdir", metavar="OUT", help="Folder of the results.")]
TimeScale = Annotated[
    float | None,
    typer.Option(
        "--time-scale", metavar="F", help="Time points per acquired one, numbered anew from 1."
    ),
]
Pixel = Annotated[
    float | None, typer.Option("--xy", metavar="UM", help="Pixel of the raw slices, um.")
]
Distance = Annotated[
    float | None, typer.Option("--z", metavar="UM", help="Distance of the raw slices, um.")
]
Interval = Annotated[
    float | None, typer.Option("--dt", metavar="S", help="Interval of acquired time points, s.")
]
Flip = Annotated[
    bool, typer.Option("--z-flip", help="The tracing counts slices from the other end.")
]
First = Annotated[
    int, typer.Option("--z-first", metavar="0|1", help="What it calls the first slice.")
]
Slices = Annotated[
    Path | None,
    typer.Option(
        "--slices",
        metavar="FOLDER",
        help="Write the membranes as slices too, with a tracing and a run file of their own.",
    ),
]
Unseen = Annotated[
    bool,
    typer.Option("--unseen", help="Measure how much of each cell's border nobody saw."),
]
Model = Annotated[
    Path | None,
    typer.Option("--model", metavar="MODEL", help="A model of the recording, not to fit one."),
]


@commands.command()
@guarded
def embryo(
    run_file: RunFile,
    volumes: Volumes,
    folder: Folder,
    time_scale: TimeScale = None,
    xy: Pixel = None,
    z: Distance = None,
    dt: Interval = None,
    z_flip: Flip = False,
    z_first: First = 1,
    model: Model = None,
    slices: Slices = None,
    unseen: Unseen = False,
    preset: options.Preset = "balanced",
    settings: options.Settings = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    time_budget: options.Budget = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Name, segment and measure the cells of an embryo at any time.

    Fits the membranes, renders each time point, finds the traced cells in it, and writes masks,
    labels, the folder of ITK-SNAP-CVE, tables and a figure. What is done stays: the same command
    goes on where it was stopped (Ctrl-C is exit code 130).
    """
    output = Output(as_json, quiet)
    config = configured(preset, None, settings)
    options.device(device)
    wanted = (time_scale, "--time-scale"), (xy, "--xy"), (z, "--z"), (dt, "--dt")
    for value, option in (*wanted, (time_budget, "--time-budget")):
        options.positive(value, option)
    if z_first not in (0, 1):
        raise ConfigError(f"--z-first is 0 or 1, got {z_first}.")
    from ..embryo.journey import Plan, journey
    from ..embryo.recording import open_embryo

    opened = open_embryo(run_file, xy, z, dt, z_flip, z_first)
    for sentence in (*opened.calibration.sentences, *opened.warnings):
        output.note(sentence)
    fit = config.preset, config, device, seed, time_budget
    plan = Plan(folder, volumes, time_scale, *fit, model, slices=slices, unseen=unseen)
    outcome = _followed(journey(opened, plan), folder, output)
    _tell(output, outcome, folder, volumes)


def _followed(steps: Generator[Progress, None, Outcome], folder: Path, output: Output) -> Outcome:
    """Go the whole way, or as far as Ctrl-C lets it."""
    from ..embryo.journey import SLICES

    done = NONE
    try:
        # A generator that is closed by Ctrl-C lets go of what it was writing.
        with (
            Interrupt(at_once=True) as interrupt,
            contextlib.closing(steps),
            output.progress() as progress,
        ):
            while True:
                try:
                    state = next(steps)
                except StopIteration as end:
                    return end.value
                interrupt.check()
                for sentence in state.said:
                    output.note(sentence)
                if state.fit is not None:
                    done = KEPT if state.goes_on else EARLY
                    progress.fit(state.fit)
                elif state.point is not None:
                    done = f"{state.done} of {state.of} time points are done"
                    took = state.seconds
                    remark = "done before" if took is None else f"{took:.1f} s per time point"
                    progress.show(state.stage, state.done, state.of, remark)
                elif state.stage == SLICES:
                    done = "all time points are done, the slices begin anew"
                    progress.show(state.stage, state.done, state.of, "")
                else:
                    done = NONE
    except KeyboardInterrupt:
        output.note(f"Interrupted: {done}. The same command goes on in {folder}.")
        raise typer.Exit(130) from None


def _tell(output: Output, outcome: Outcome, folder: Path, volumes: Path) -> None:
    """One line, and the JSON object."""
    points, seconds = outcome.points, outcome.seconds_per_time_point
    fit = "" if outcome.fit_seconds is None else f", after a fit of {outcome.fit_seconds:.0f} s"
    before = len(points) - outcome.made
    done = f" ({before} of them done before)" if before else ""
    output.say(f"{folder}: {len(points)} time points{done}, {seconds:.1f} s each{fit}")
    output.result(
        {
            "output": str(folder),
            "volumes": str(volumes),
            "model": str(outcome.places.model),
            "time_points": [point.number for point in points],
            "made": outcome.made,
            "slices": None if outcome.slices is None else str(outcome.slices),
            "seconds_per_time_point": seconds,
            "fit_seconds": outcome.fit_seconds,
            "cells": sorted({name for point in points for name in point.cells}),
            "said": list(outcome.said),
        }
    )
