"""Writing ImageJ hyperstacks and OME-TIFF frame by frame."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ...data.record import Record
from ...data.units import SECONDS, SPACE, TIME, parse_unit
from ...errors import SaveError
from ..atomic import replacing
from ..frames import frame_of, stored_dtype
from ..locks import MOMENT
from ..names import ending
from ..provenance import as_text, lasting, provenance
from ..sidecar import words

CLASSIC_BYTES = 2**32 - 2**25
"""More than this does not fit into a TIFF that is no BigTIFF."""
TILE = 256
DEFLATE_LEVEL = 4
"""Higher levels take many times longer for noisy intensities, which hardly shrink further."""
IMAGEJ_SPACE = {"um": 1.0, "nm": 1e-3, "mm": 1e3, "m": 1e6}
MICRO = {"um": "µm", "us": "µs"}


def write(record: Record, path: Path, dtype: Any = None) -> Path:
    """Write ``.ome.tif(f)`` as OME-TIFF, compressed and tiled, and other ``.tif(f)`` as an ImageJ
    hyperstack.

    Frames are taken from ``record.data`` one at a time. How the recording was made goes into the
    file (the description of the image, or ImageJ's Info) and into ``<name>.json`` beside it.

    Parameters
    ----------
    record : the recording, ``(T, Z, Y, X)``; in a hyperstack its frames are evenly spaced.
    path : the file; its ending decides.
    dtype : see :func:`napari_spatimeinr.io.write`, one that the format can hold.

    Raises
    ------
    SaveError
        If the file cannot be written.
    """
    stored = stored_dtype(record, dtype)
    is_ome = ending(path) in (".ome.tif", ".ome.tiff")
    shape: tuple[int, ...] = record.shape
    if is_ome:
        how = _ome(record, path.name, stored)
    else:
        # TZCYXS in full, or a Y or X of 1 is taken for another axis.
        shape = (*shape[:2], 1, *shape[2:], 1)
        how = _imagej(record, stored)
    of_file = {key: how.pop(key) for key in ("ome", "imagej", "bigtiff") if key in how}
    with replacing(path, words(path, provenance(record)), wait=MOMENT) as temporary:
        planes = _planes(record, stored)
        if "tile" in how:
            planes = _tiles(planes, how["tile"])
        with tifffile.TiffWriter(temporary, **of_file) as file:
            file.write(
                planes, shape=shape, dtype=stored, photometric="minisblack", software=False, **how
            )
    return path


def _too_large(record: Record, dtype: np.dtype[Any]) -> bool:
    """Whether it does not fit into a TIFF that is no BigTIFF."""
    return record.grid.voxels * dtype.itemsize > CLASSIC_BYTES


def _packed(record: Record, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Lossless compression, in tiles where planes are larger than one."""
    how: dict[str, Any] = {
        "compression": "adobe_deflate",
        "compressionargs": {"level": DEFLATE_LEVEL},
    }
    # Differences of neighbours shrink further than they do; for floats they need byte planes, which
    # not every reader knows.
    how |= {"predictor": True} if dtype.kind in "iu" else {}
    return how | ({"tile": (TILE, TILE)} if max(record.shape[2:]) > TILE else {})


def _tiles(planes: Iterator[NDArray[Any]], size: tuple[int, int]) -> Iterator[NDArray[Any]]:
    for plane in planes:
        for y in range(0, plane.shape[0], size[0]):
            for x in range(0, plane.shape[1], size[1]):
                tile = plane[y : y + size[0], x : x + size[1]]
                missing = [(0, full - n) for full, n in zip(size, tile.shape, strict=True)]
                yield np.ascontiguousarray(np.pad(tile, missing, mode="edge"))


def _planes(record: Record, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    for k in range(record.shape[0]):
        yield from frame_of(record, k, dtype)


def _imagej(record: Record, dtype: np.dtype[Any]) -> dict[str, Any]:
    """What tifffile is told of an ImageJ hyperstack."""
    dt, dz, dy, dx = record.spacing
    time, space = parse_unit(record.units[0], TIME), parse_unit(record.units[1], SPACE)
    factor = IMAGEJ_SPACE[space[0]] * space[1] if space else 1.0
    metadata: dict[str, Any] = {"axes": "TZCYXS"}
    # ImageJ reads no BigTIFF: beyond 4 GB it wants one page header before all planes.
    how = {"imagej": True, "truncate": _too_large(record, dtype), "metadata": metadata}
    if space is not None or (dz, dy, dx) != (1.0, 1.0, 1.0):
        metadata |= {"spacing": dz * factor, "unit": "um" if space else "pixel"}
        densities = [1 / (d * factor) for d in (dx, dy)]
        if not all(1e-9 < d < 2**32 - 1 for d in densities):
            raise SaveError(
                f"A TIFF cannot hold a pixel of {dx:g} x {dy:g} {record.units[1]}; save as NIfTI."
            )
        how |= {"resolution": tuple(_ratio(d) for d in densities), "resolutionunit": "NONE"}
    if time is not None:
        metadata["finterval"] = dt * time[1] * SECONDS[time[0]]
    elif dt != 1.0:
        metadata |= {"finterval": dt, "tunit": "frame"}
    if made := lasting(record):
        metadata["Info"] = as_text(made)
    for key, origin, step in zip(
        ("zorigin", "yorigin", "xorigin"), record.origin[1:], record.spacing[1:], strict=True
    ):
        if origin != 0:
            metadata[key] = -origin / step
    return how


def _ratio(density: float) -> tuple[int, int]:
    """A fraction of two 32-bit integers: a short one where it is good to nine digits, else the
    best.
    """
    if density < 1:
        above, below = _ratio(1 / density)
        return below, above
    largest = int((2**32 - 1) / density)
    short = Fraction(density).limit_denominator(min(largest, 10**6))
    best = (
        short
        if abs(float(short) - density) <= 1e-9 * density
        else Fraction(round(density * largest), largest)
    )
    return best.numerator, best.denominator


def _ome(record: Record, name: str, dtype: np.dtype[Any]) -> dict[str, Any]:
    """What tifffile is told of an OME-TIFF of that name."""
    metadata = _ome_metadata(record)
    if made := lasting(record):  # otherwise it is drawn from the clock
        said = f"{name} {record.shape} {dtype} {as_text(made)}"
        metadata["UUID"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, said)}"
    how: dict[str, Any] = {"ome": True, "bigtiff": _too_large(record, dtype), "metadata": metadata}
    space = parse_unit(record.units[1], SPACE)
    micrometres = (
        [s * IMAGEJ_SPACE[space[0]] * space[1] for s in record.spacing[:1:-1]] if space else []
    )
    if micrometres and all(math.isfinite(m) and 1e-4 < m < 1e4 for m in micrometres):
        how["resolution"] = tuple(_ratio(1e4 / m) for m in micrometres)
        how["resolutionunit"] = "CENTIMETER"
    return how | _packed(record, dtype)


def _uneven(
    record: Record, unit: tuple[str, float] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Frame times as those of planes, or, in an unknown unit, in our own words."""
    times = record.grid.coordinates(0)
    if unit is None:
        return {}, {"times": times.tolist(), "dt": record.spacing[0]}
    each = np.repeat(times * unit[1], record.shape[1]).tolist()
    units = [MICRO.get(unit[0], unit[0])] * len(each)
    return {"Plane": {"DeltaT": each, "DeltaTUnit": units}}, {}


def _ome_metadata(record: Record) -> dict[str, Any]:
    """Calibration and provenance as tifffile writes them into OME-XML."""
    time, space = parse_unit(record.units[0], TIME), parse_unit(record.units[1], SPACE)
    metadata: dict[str, Any] = {"axes": "TZYX"}
    own: dict[str, Any] = {}
    if space is not None or record.spacing[1:] != (1.0, 1.0, 1.0):
        for letter, size in zip("ZYX", record.spacing[1:], strict=True):
            metadata[f"PhysicalSize{letter}"] = size * (space[1] if space else 1.0)
            metadata[f"PhysicalSize{letter}Unit"] = (
                MICRO.get(space[0], space[0]) if space else "pixel"
            )
    if record.grid.times is not None:
        said, own_times = _uneven(record, time)
        metadata |= said
        own |= own_times
    elif time is not None:
        metadata["TimeIncrement"] = record.spacing[0] * time[1]
        metadata["TimeIncrementUnit"] = MICRO.get(time[0], time[0])
    elif record.spacing[0] != 1.0:
        own["dt"] = record.spacing[0]
    if any(record.origin):
        own["origin"] = list(record.origin)
    if record.orientation is not None:
        own["orientation"] = record.orientation.tolist()
    if made := lasting(record):
        own["made"] = made
    if own:
        metadata["Description"] = as_text(own)
    if channel := record.metadata.get("channel"):
        metadata["Channel"] = {"Name": str(channel)}
    return metadata
