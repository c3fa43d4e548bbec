"""The commands of files alone: info and convert."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..data.arrays import watched
from ..data.grid import parse_roi
from ..errors import ConfigError
from . import info as cli_info
from . import options
from .jobs import read
from .output import Output, guarded

if TYPE_CHECKING:
    from ..volume import Volume

commands = typer.Typer()


@commands.command()
@guarded
def info(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording or a model.")],
    channel: options.Channel = None,
    axes: options.Axes = None,
    spacing: options.Spacing = None,
    units: options.Units = None,
    level: options.Level = 0,
    source: options.Source = None,
    mend: Annotated[
        bool, typer.Option("--mend", help="Write into the model that its recording is at --source.")
    ] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Tell what a recording or a model is, and where its calibration comes from."""
    output = Output(as_json, quiet)
    if mend and source is None:
        raise ConfigError("--mend writes where the recording is; say so with --source PATH.")
    how = options.reading(axes, spacing, units, channel, level)
    facts = cli_info.describe(file, how, source)
    if mend and source is not None:
        from ..checkpoint import mend as mended

        mended(file, source)
    if not as_json:
        output.say(cli_info.text(facts))
    output.result(facts)


@commands.command()
@guarded
def convert(
    source: Annotated[
        Path,
        typer.Argument(metavar="IN", help=options.READABLE),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help=f"The ending decides: NIfTI, TIFF, OME-Zarr; {options.NAMED}.",
        ),
    ],
    channel: options.Channel = None,
    axes: options.Axes = None,
    spacing: options.Spacing = None,
    units: options.Units = None,
    level: options.Level = 0,
    roi: options.Roi = None,
    dtype: options.Dtype = "source",
    zarr_version: options.ZarrVersion = "0.4",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write a recording in another format, with its calibration."""
    output = Output(as_json, quiet)
    how = options.reading(axes, spacing, units, channel, level)
    options.dtype(dtype)
    part = None if roi is None else parse_roi(roi)
    options.writable(target, source)
    from .. import io

    volume = read(source, how, output, uncalibrated="")
    if part is not None:
        volume = volume.crop(part)
    with output.progress() as progress:
        volume.data = watched(volume.data, partial(progress.show, "converting"))
        io.write(volume, target, dtype=dtype, zarr_version=zarr_version)
    output.say(f"{target}: {size(volume)}")
    output.result(
        {
            "output": str(target),
            "shape": volume.shape,
            "spacing": volume.spacing,
            "units": volume.units,
        }
    )


def size(volume: Volume) -> str:
    """What a recording measures, in words."""
    t, z, y, x = volume.shape
    dt, dz, dy, dx = volume.spacing
    return (
        f"{t} x {z} x {y} x {x}, frame {dt:g} {volume.units[0]}, voxel {dz:g} x {dy:g} x {dx:g}"
        f" {volume.units[1]}"
    )
