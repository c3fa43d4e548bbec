"""The command phantom: a recording made up of moving cells, and the truth behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .output import Output, guarded

if TYPE_CHECKING:
    from ..phantoms import Truth
    from ..volume import Volume

commands = typer.Typer()

KINDS = "membranes, nuclei, rotating, sliding, tumbling, drifting, jumping, appearing, uneven"


@commands.command()
@guarded
def phantom(
    target: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUTPUT", help="The noisy recording.")
    ],
    kind: Annotated[str, typer.Option("--kind", help=f"{KINDS} or filaments.")] = "membranes",
    shape: Annotated[
        str, typer.Option("--shape", metavar="T,Z,Y,X", help="Size of the recording.")
    ] = "7,32,64,64",
    motion: Annotated[
        float,
        typer.Option("--motion", min=0, help="95th percentile of motion, voxels per frame."),
    ] = 4.5,
    photons: Annotated[
        float, typer.Option("--photons", min=0, help="Photons at brightness 1; 0 is noise-free.")
    ] = 150,
    truth_target: Annotated[
        Path | None,
        typer.Option("--truth", metavar="OUTPUT", help="The noise-free truth, as finely in time."),
    ] = None,
    labels_target: Annotated[
        Path | None,
        typer.Option("--labels", metavar="OUTPUT", help="Numbers of its cells or threads."),
    ] = None,
    time_scale: Annotated[
        float, typer.Option("--time-scale", metavar="F", help="Frames of truth and labels per one.")
    ] = 1.0,
    seed: options.Seed = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Make up a recording of moving cells whose truth is known at any time."""
    output = Output(as_json, quiet)
    sizes = tuple(int(n) for n in options.numbers(shape, 4, "--shape", "7,32,64,64 (T,Z,Y,X)"))
    options.positive(time_scale, "--time-scale")
    targets = [path for path in (target, truth_target, labels_target) if path is not None]
    for path in targets:
        options.writable(path)
    from ..phantoms import phantom as make

    recording, truth = make(sizes, motion, kind, seed=seed, photons=photons)  # type: ignore[arg-type]
    recording.save(target)
    if truth_target is not None:
        _sampled(truth, recording, time_scale, labels=False).save(truth_target)
    if labels_target is not None:
        _sampled(truth, recording, time_scale, labels=True).save(labels_target)
    output.say("\n".join(str(path) for path in targets))
    output.result(
        {
            "output": str(target),
            "files": [str(path) for path in targets],
            "kind": kind,
            "shape": list(recording.shape),
            "spacing": list(recording.spacing),
            "seed": seed,
        }
    )


def _sampled(truth: Truth, recording: Volume, time_scale: float, labels: bool) -> Volume:
    """The truth, or labels, on the grid of the recording, as a rendering with that time scale."""
    import numpy as np

    from ..volume import Volume

    grid = recording.grid.refine(time_scale)
    z, y, x = np.meshgrid(*(grid.coordinates(axis) for axis in (1, 2, 3)), indexing="ij")
    sampled = [
        truth.labels(float(t), z, y, x) if labels else truth.frame(float(t), grid)
        for t in grid.coordinates(0)
    ]
    return Volume(np.stack(sampled), grid.spacing, grid.origin, recording.units, times=grid.times)
