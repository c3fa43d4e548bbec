"""The command render: a model at other times and voxel sizes."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.arrays import watched
from ..errors import InputError
from . import options
from .files import size
from .output import Output, guarded

if TYPE_CHECKING:
    from ..field import Field
    from ..render.array import RenderedArray

commands = typer.Typer()

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
        help="Also write half the width of the 90 % interval of each voxel.",
    ),
]
Quantity = Annotated[
    str,
    typer.Option(
        "--quantity",
        help="intensity, confidence (half the width of the 90 % interval), disagreement of the"
        " frames around, or hypothesis (labels: which motion counts most).",
    ),
]


@commands.command()
@guarded
def render(
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
    dtype: options.Dtype = "float32",
    zarr_version: options.ZarrVersion = "0.4",
    device: options.Device = "auto",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Render a model at other times and voxel sizes."""
    from .. import io

    output = Output(as_json, quiet)
    grid = options.scales(time_scale, scale, scale_z, scale_yx, voxel, isotropic, dt, times, roi)
    options.dtype(dtype)
    options.quantity(quantity)
    options.device(device)
    options.writable(target, model)
    if confidence is not None:
        options.writable(confidence, model)
        if why := io.clash(confidence, target):
            raise InputError(
                f"--confidence needs a file of its own, {confidence.name} {why} --output."
            )
    from ..analysis.sentences import labels_sentence, motion_names
    from ..fitting import load

    field = load(model, device=device)
    begun = time.monotonic()
    lazy = field.lazy(**grid, keep_acquired=keep_acquired, dtype=dtype, what=quantity)
    sure = None if confidence is None else field.lazy(**grid, what="confidence")
    with output.progress() as progress:
        volume = field.wrap(watched(lazy, partial(progress.show, "rendering")), lazy)
        io.write(volume, target, zarr_version=zarr_version)
    seconds = time.monotonic() - begun
    if confidence is not None and sure is not None:
        _write_confidence(output, field, sure, confidence)
    output.say(f"{target}: {size(volume)} in {seconds:.1f} s")
    said: dict[str, Any] = {"quantity": quantity}
    if quantity == "hypothesis":
        said["labels"] = motion_names(field.provenance)
        output.say(f"Labels: {labels_sentence(field.provenance)}")
    speed = volume.grid.voxels / max(seconds, 1e-9)
    output.result(
        {
            "output": str(target),
            **said,
            "shape": volume.shape,
            "spacing": volume.spacing,
            "seconds": seconds,
            "voxels_per_second": speed,
        }
    )


def _write_confidence(output: Output, field: Field, sure: RenderedArray, target: Path) -> None:
    from .. import io

    with output.progress() as progress:
        array = watched(sure, partial(progress.show, "confidence"))
        io.write(field.wrap(array, sure), target)
    output.say(f"{target}: half the width of the 90 % interval")
