"""The command render: a model at other times and voxel sizes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.arrays import watched
from ..errors import InputError
from . import options, parts
from .files import size
from .output import Output, guarded

if TYPE_CHECKING:
    from ..field import Field
    from ..render.array import RenderedArray
    from ..volume import Volume

commands = typer.Typer()

LEVEL = 0.9
WRITTEN = {
    "--confidence": "half the width of the {:g} % interval",
    "--trust": "trust, 1 where values are to be trusted",
}
"""What is written beside a rendering."""

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="What fit wrote.")]
Target = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="OUTPUT",
        help=f"What to write; the ending decides: NIfTI, TIFF, OME-Zarr; {options.NAMED}.",
    ),
]
TimeScale = Annotated[
    float | None, typer.Option("--time-scale", metavar="F", help="Frames per acquired frame.")
]
Scale = Annotated[
    float | None,
    typer.Option("--scale", metavar="F", help="Voxels per acquired voxel along z, y and x."),
]
ScaleZ = Annotated[float | None, typer.Option("--scale-z", metavar="F", help="The same along z.")]
ScaleYX = Annotated[
    float | None, typer.Option("--scale-yx", metavar="F", help="The same along y and x.")
]
VoxelSize = Annotated[
    str | None, typer.Option("--voxel", metavar="V|DZ,DY,DX", help="Exact voxel size.")
]
Isotropic = Annotated[
    bool, typer.Option("--isotropic", help="Voxels as large along z as along y and x.")
]
Interval = Annotated[float | None, typer.Option("--dt", metavar="DT", help="Exact frame interval.")]
Times = Annotated[
    str | None, typer.Option("--times", metavar="T1,T2,...", help="Exact times, increasing.")
]
KeepAcquired = Annotated[
    bool, typer.Option("--keep-acquired", help="Copy acquired frames bit for bit.")
]
Confidence = Annotated[
    Path | None,
    typer.Option(
        "--confidence",
        metavar="OUTPUT",
        help="Also write half the width of the interval of each voxel, of --level.",
    ),
]
Level = Annotated[
    float,
    typer.Option(
        "--level", metavar="0.5|0.8|0.9|0.95", help="Share of what would be recorded it holds."
    ),
]
Trust = Annotated[
    Path | None,
    typer.Option(
        "--trust", metavar="OUTPUT", help="Also write 1 where values are to be trusted, else 0."
    ),
]
Gap = Annotated[
    bool,
    typer.Option("--gap-where-untrusted", help="Write NaN where values are not to be trusted."),
]
Quantity = Annotated[
    str,
    typer.Option(
        "--quantity",
        help="intensity, confidence (half the width of the interval of --level), error (to be"
        " expected), trust (1 or 0), trusted (intensities, else NaN), disagreement of the frames"
        " around, or hypothesis (labels: which motion counts most).",
    ),
]


@commands.command()
@guarded
def render(
    context: typer.Context,
    model: Model,
    target: Target,
    time_scale: TimeScale = None,
    scale: Scale = None,
    scale_z: ScaleZ = None,
    scale_yx: ScaleYX = None,
    voxel: VoxelSize = None,
    isotropic: Isotropic = False,
    dt: Interval = None,
    times: Times = None,
    roi: options.Roi = None,
    keep_acquired: KeepAcquired = False,
    quantity: Quantity = "intensity",
    confidence: Confidence = None,
    level: Level = LEVEL,
    trust: Trust = None,
    gap_where_untrusted: Gap = False,
    dtype: options.Dtype = "float32",
    zarr_version: options.ZarrVersion = "0.4",
    source: options.Source = None,
    part: parts.Part = None,
    plan: parts.Plan = False,
    chunk: parts.Chunk = None,
    shard: parts.Shard = None,
    device: options.Device = "auto",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Render a model at other times and voxel sizes."""
    output = Output(as_json, quiet)
    grid = options.scales(time_scale, scale, scale_z, scale_yx, voxel, isotropic, dt, times, roi)
    options.dtype(dtype)
    options.quantity(quantity)
    options.device(device)
    beside = {"--confidence": confidence, "--trust": trust}
    in_parts = parts.asked(part, plan, chunk, shard, target, beside)
    if gap_where_untrusted and quantity != "intensity":
        raise InputError("--gap-where-untrusted is for intensities; leave out --quantity.")
    check = parts.writable if in_parts else options.writable
    field = _opened(model, device, source, target, beside, check)
    begun = time.monotonic()
    what = "trusted" if gap_where_untrusted else quantity
    lazy = field.lazy(**grid, keep_acquired=keep_acquired, dtype=dtype, what=what, level=level)
    if in_parts:
        parts.run(output, context, in_parts, field, lazy, target, zarr_version)
        return
    others = _others(field, beside, grid, level)
    volume = _written(output, field, lazy, target, "rendering", zarr_version)
    seconds = time.monotonic() - begun
    for path, array, words in others:
        _written(output, field, array, path, words.split(",")[0])
        output.say(f"{path}: {words}")
    output.say(f"{target}: {size(volume)} in {seconds:.1f} s")
    said = _told(output, field, quantity)
    speed = volume.grid.voxels / max(seconds, 1e-9)
    said |= {"output": str(target), "shape": volume.shape, "spacing": volume.spacing}
    output.result(said | {"seconds": seconds, "voxels_per_second": speed})


def _opened(
    model: Path,
    device: str,
    source: Path | None,
    target: Path,
    beside: dict[str, Path | None],
    check: Callable[..., Any],
) -> Field:
    """The model, once nothing is to be written to it, to its recording, or twice to one file."""
    from ..fitting import load

    check(target, model)
    _check_beside(beside, target, model)
    field = load(model, device, source)
    for path in (target, *beside.values()):
        if path is not None and field.recording is not None:
            check(path, field.recording)
    return field


def _others(
    field: Field, beside: dict[str, Path | None], grid: dict[str, Any], level: float
) -> list[tuple[Path, RenderedArray, str]]:
    """What is written beside a rendering: where, what, and what it is in words."""
    return [
        (
            path,
            field.lazy(**grid, what=option[2:], level=level),
            WRITTEN[option].format(100 * level),
        )
        for option, path in beside.items()
        if path is not None
    ]


def _told(output: Output, field: Field, quantity: str) -> dict[str, Any]:
    """What was rendered, and what its labels mean."""
    if quantity != "hypothesis":
        return {"quantity": quantity}
    from ..analysis.sentences import labels_sentence, motion_names

    output.say(f"Labels: {labels_sentence(field.provenance)}")
    return {"quantity": quantity, "labels": motion_names(field.provenance)}


def _check_beside(beside: dict[str, Path | None], target: Path, model: Path) -> None:
    """Refuse files that may not be written, or are one."""
    from .. import io

    taken = {"--output": target}
    for option, path in beside.items():
        if path is None:
            continue
        options.writable(path, model)
        for other, known in taken.items():
            if why := io.clash(path, known):
                raise InputError(f"{option} needs a file of its own, {path.name} {why} {other}.")
        taken[option] = path


def _written(
    output: Output,
    field: Field,
    array: RenderedArray,
    target: Path,
    stage: str,
    zarr_version: str = "0.4",
) -> Volume:
    """A rendering, as it lies in its file now."""
    from .. import io

    with output.progress() as progress:
        volume = field.wrap(watched(array, partial(progress.show, stage)), array)
        io.write(volume, target, zarr_version=zarr_version)
    return volume
