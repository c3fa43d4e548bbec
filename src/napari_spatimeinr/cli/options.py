"""The options several commands share, and how their texts are read.

Everything here is cheap (no torch, no files) so that a mistyped option is reported at once.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from ..data.grid import parse_roi
from ..errors import ConfigError, InputError, SaveError

NAMED = "a name like a_{t:03}.nii makes one file for each time point"
READABLE = "NIfTI, TIFF, OME-Zarr, or a folder or pattern of a series."
Recording = Annotated[
    Path,
    typer.Argument(metavar="INPUT", help=READABLE),
]
RECORDING_ENDINGS = (".nii", ".nii.gz", ".tif", ".tiff", ".zarr")

Debug = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error, and every warning.")
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="End with one JSON object on standard output; the rest goes to standard error.",
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no remarks, only results and errors.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]
Budget = Annotated[
    float | None, typer.Option("--time-budget", metavar="SECONDS", help="Stop after this time.")
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", min=0, help="The same seed gives the same result with a fixed number of threads."
    ),
]
Preset = Annotated[str, typer.Option("--preset", help="fast, balanced, best or published.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file of options, as `spatimeinr config` prints it."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="One option, for example motion.steps=100; may be repeated.",
    ),
]
Psf = Annotated[
    str | None,
    typer.Option(
        "--psf",
        metavar="SZ,SY,SX",
        help="Standard deviations of the PSF, spatial units; the blur along z is undone.",
    ),
]
Source = Annotated[
    Path | None,
    typer.Option(
        "--source", metavar="PATH", help="Where the recording is now that the model refers to."
    ),
]
Times = Annotated[
    str | None,
    typer.Option(
        "--times",
        metavar="T0,T1,...|FILE",
        help="When each frame was taken, where they are not evenly spaced; numbers, or a text file"
        " of them.",
    ),
]
Axes = Annotated[
    str | None, typer.Option("--axes", metavar="TZYX", help="What the axes of the file are.")
]
Spacing = Annotated[
    str | None,
    typer.Option(
        "--spacing",
        metavar="DT,DZ,DY,DX",
        help="Frame interval and voxel size, instead of the file's.",
    ),
]
Units = Annotated[
    str | None,
    typer.Option("--units", metavar="s,um", help="Units of time and space, instead of the file's."),
]
Channel = Annotated[
    int | None, typer.Option("--channel", min=0, help="Which channel, counted from 0.")
]
Level = Annotated[
    int, typer.Option("--level", min=0, help="Level of resolution of an OME-Zarr, 0 the finest.")
]
ZarrVersion = Annotated[
    str, typer.Option("--zarr-version", metavar="0.4|0.5", help="Version of OME-Zarr to write.")
]
Roi = Annotated[
    str | None,
    typer.Option(
        "--roi",
        metavar="t0:t1,z0:z1,y0:y1,x0:x1",
        help="A part, in half-open source indices; 0:5,:,:,: is legal.",
    ),
]
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype", help="source, float32, uint16 or uint8; whole numbers are rounded and clipped."
    ),
]


def numbers(
    text: str, n: int | tuple[int, ...] | None, option: str, example: str
) -> tuple[float, ...]:
    """``"60,0.5,0.25,0.25"`` to numbers; ``n`` is how many there may be, any number when None."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    allowed = (n,) if isinstance(n, int) else n
    if not values or (allowed is not None and len(values) not in allowed):
        raise ConfigError(
            f"{option} takes numbers separated by commas, like {example}, got {text!r}."
        )
    if not all(map(math.isfinite, values)):
        raise ConfigError(f"{option} takes finite numbers, got {text!r}.")
    return values


def frame_times(text: str | None) -> tuple[float, ...] | None:
    """What --times says: numbers, or the text file that they are in, apart by commas or spaces."""
    if text is None:
        return None
    if Path(text).is_file():
        try:
            text = ",".join(Path(text).read_text(encoding="utf-8").replace(",", " ").split())
        except (OSError, ValueError) as error:
            raise ConfigError(f"--times: {text} is no text file of numbers.") from error
    return numbers(text, None, "--times", "0,60,180")


def positive(value: float | None, option: str) -> float | None:
    """The value itself, once it is known to be None or a positive finite number."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{option} must be a positive finite number, got {value:g}.")
    return value


def reading(
    axes: str | None, spacing: str | None, units: str | None, channel: int | None, level: int = 0
) -> dict[str, Any]:
    """The arguments of :func:`napari_spatimeinr.io.read` that --axes, --spacing, --units, --channel
    and --level stand for.
    """
    how: dict[str, Any] = {
        "axes": None,
        "spacing": None,
        "units": None,
        "channel": channel,
        "level": level,
    }
    if axes is not None:
        letters = axes.upper()
        if (
            not re.fullmatch("[TZCYX]{2,5}", letters)
            or len(set(letters)) != len(letters)
            or not {"Y", "X"} <= set(letters)
        ):
            raise ConfigError(
                "--axes names each axis once with the letters T, Z, C, Y and X, like TZYX, got"
                f" {axes!r}."
            )
        how["axes"] = letters
    if spacing is not None:
        how["spacing"] = numbers(spacing, 4, "--spacing", "60,0.5,0.25,0.25 (DT,DZ,DY,DX)")
        if min(how["spacing"]) <= 0:
            raise ConfigError(
                f"--spacing must be positive on every axis (DT,DZ,DY,DX), got {spacing!r}."
            )
    if units is not None:
        from ..io.options import ReadOptions

        how["units"] = tuple(name.strip() for name in units.split(","))
        try:
            ReadOptions(units=how["units"])
        except InputError as error:
            raise ConfigError(f"--units: {error}") from error
    return how


def scales(
    time_scale: float | None,
    scale: float | None,
    scale_z: float | None,
    scale_yx: float | None,
    voxel: str | None,
    isotropic: bool,
    dt: float | None,
    times: str | None,
    roi: str | None,
) -> dict[str, Any]:
    """The arguments of :meth:`Field.render` that choose its grid; what contradicts itself is
    refused by the grid.
    """
    sizes: float | tuple[float, ...] | None = None
    if voxel is not None:
        values = numbers(voxel, (1, 3), "--voxel", "0.25 or 0.5,0.25,0.25 (DZ,DY,DX)")
        for value in values:
            positive(value, "--voxel")
        sizes = values[0] if len(values) == 1 else values
    factor = positive(time_scale, "--time-scale")
    return {
        "time_scale": 1.0 if factor is None else factor,
        "scale": positive(scale, "--scale"),
        "scale_z": positive(scale_z, "--scale-z"),
        "scale_yx": positive(scale_yx, "--scale-yx"),
        "voxel": sizes,
        "isotropic": isotropic,
        "dt": positive(dt, "--dt"),
        "times": None if times is None else numbers(times, None, "--times", "0,30,45"),
        "roi": None if roi is None else parse_roi(roi),
    }


def device(name: str) -> str:
    """A device's name, once it looks like one."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", name):
        raise ConfigError(f"--device is auto, cpu, cuda, cuda:N or mps, got {name!r}.")
    return name


def dtype(name: str) -> str:
    """A number type's name, once it is one that files are written with."""
    from ..io.cast import NAMES

    return one_of(name, NAMES, "--dtype")


def quantity(name: str) -> str:
    """The name of what is rendered, once it is one."""
    from ..render.quantities import SHOWN

    return one_of(name, SHOWN, "--quantity")


def one_of(value: str, choices: tuple[str, ...], option: str) -> str:
    """The value, once it is one of the choices."""
    if value not in choices:
        raise ConfigError(f"{option} is one of {', '.join(choices)}, got {value!r}.")
    return value


def writable(path: Path, *sources: Path) -> Path:
    """A path to write to, once it can be written, by nobody else at the moment, and is none of the
    files read from.

    Raises
    ------
    ConfigError
        If it is one of the sources.
    SaveError
        If its folder is missing or read-only, it is a folder itself, or being written by another
        process.
    """
    from ..io import check_free, destination

    target = destination(path)
    for source in sources:
        if target.exists() and source.exists() and target.samefile(source):
            raise ConfigError(
                f"{path} is read from and cannot be written to as well; choose another name."
            )
    if not path.parent.is_dir():
        raise SaveError(f"There is no folder {path.parent}; create it first.")
    if path.is_dir() and not path.name.lower().endswith(".zarr"):
        raise SaveError(f"{path} is a folder; give the name of a file.")
    check_free(path)
    return path


def is_recording(path: Path) -> bool:
    """Whether a name ends like a recording's."""
    return path.name.lower().endswith(RECORDING_ENDINGS)
