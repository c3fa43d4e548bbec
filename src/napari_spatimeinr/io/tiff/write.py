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

from ...errors import SaveError
from ...volume import Volume
from ..atomic import ending, replacing
from ..calibration import SPACE, TIME, parse_unit
from ..cast import resolve_dtype
from ..locks import MOMENT
from ..nifti.write import frame_of, source_dtype, storable
from ..provenance import as_text, lasting, provenance, words

CLASSIC_BYTES = 2**32 - 2**25
"""More than this does not fit into a TIFF that is no BigTIFF."""
TILE = 256
DEFLATE_LEVEL = 4
"""Higher levels take many times longer for noisy intensities, which hardly shrink further."""
IMAGEJ_SPACE = {"um": 1.0, "nm": 1e-3, "mm": 1e3, "m": 1e6}
IMAGEJ_TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0}
MICRO = {"um": "µm", "us": "µs"}


def write(volume: Volume, path: Path, dtype: Any = None) -> Path:
    """Write ``.ome.tif(f)`` as OME-TIFF, compressed and tiled, and other ``.tif(f)`` as an ImageJ
    hyperstack.

    Frames are taken from ``volume.data`` one at a time. How the volume was made goes into the file
    (the description of the image, or ImageJ's Info) and into ``<name>.json`` beside it.

    Parameters
    ----------
    volume : the recording, ``(T, Z, Y, X)``.
    path : the file; its ending decides.
    dtype : see :func:`napari_spatimeinr.io.write`. ImageJ knows uint8, uint16 and float32 only.

    Raises
    ------
    SaveError
        If the format cannot hold the number type or irregular times, or the file cannot be written.
    """
    if volume.grid.times is not None:
        raise SaveError(
            "A TIFF cannot hold frames at irregular times; save as NIfTI (.nii or .nii.gz), which"
            " keeps them beside the file."
        )
    stored = storable(resolve_dtype(dtype, volume.dtype if dtype is None else source_dtype(volume)))
    is_ome = ending(path) in (".ome.tif", ".ome.tiff")
    nbytes = volume.grid.voxels * stored.itemsize
    how: dict[str, Any]
    shape: tuple[int, ...] = volume.shape
    if is_ome:
        if stored.kind in "iu" and stored.itemsize == 8:
            raise SaveError(
                f"OME-TIFF cannot hold {stored}; choose another type (--dtype float32) or save as"
                " NIfTI."
            )
        how = {"ome": True, "bigtiff": nbytes > CLASSIC_BYTES, **_ome(volume)}
        if made := lasting(volume):  # otherwise it is drawn from the clock
            said = f"{path.name} {shape} {stored} {as_text(made)}"
            how["metadata"]["UUID"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, said)}"
    else:
        if stored not in (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32)):
            raise SaveError(
                f"An ImageJ TIFF cannot hold {stored}; choose uint8, uint16 or float32 (--dtype) or"
                " save as .ome.tif or NIfTI."
            )
        # ImageJ reads no BigTIFF: beyond 4 GB it wants one page header before all planes.
        shape = (
            *volume.shape[:2],
            1,
            *volume.shape[2:],
            1,
        )  # TZCYXS in full, or a Y or X of 1 is taken for another axis
        how = {"imagej": True, "truncate": nbytes > CLASSIC_BYTES, **_imagej(volume)}
    with replacing(path, words(path, provenance(volume)), wait=MOMENT) as temporary:
        options = {key: how.pop(key) for key in ("ome", "imagej", "bigtiff") if key in how}
        planes = _planes(volume, stored)
        if is_ome:
            how |= _packed(volume, stored)
            planes = _tiles(planes, how["tile"]) if "tile" in how else planes
        with tifffile.TiffWriter(temporary, **options) as file:
            file.write(
                planes, shape=shape, dtype=stored, photometric="minisblack", software=False, **how
            )
    return path


def _packed(volume: Volume, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Lossless compression, in tiles where planes are larger than one."""
    how: dict[str, Any] = {
        "compression": "adobe_deflate",
        "compressionargs": {"level": DEFLATE_LEVEL},
    }
    # Differences of neighbours shrink further than they do; for floats they need byte planes, which
    # not every reader knows.
    how |= {"predictor": True} if dtype.kind in "iu" else {}
    return how | ({"tile": (TILE, TILE)} if max(volume.shape[2:]) > TILE else {})


def _tiles(planes: Iterator[NDArray[Any]], size: tuple[int, int]) -> Iterator[NDArray[Any]]:
    for plane in planes:
        for y in range(0, plane.shape[0], size[0]):
            for x in range(0, plane.shape[1], size[1]):
                tile = plane[y : y + size[0], x : x + size[1]]
                missing = [(0, full - n) for full, n in zip(size, tile.shape, strict=True)]
                yield np.ascontiguousarray(np.pad(tile, missing, mode="edge"))


def _planes(volume: Volume, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    for k in range(volume.shape[0]):
        yield from frame_of(volume, k, dtype)


def _imagej(volume: Volume) -> dict[str, Any]:
    dt, dz, dy, dx = volume.spacing
    time, space = parse_unit(volume.units[0], TIME), parse_unit(volume.units[1], SPACE)
    factor = IMAGEJ_SPACE[space[0]] * space[1] if space else 1.0
    metadata: dict[str, Any] = {"axes": "TZCYXS"}
    how: dict[str, Any] = {"metadata": metadata}
    if space is not None or (dz, dy, dx) != (1.0, 1.0, 1.0):
        metadata |= {"spacing": dz * factor, "unit": "um" if space else "pixel"}
        densities = [1 / (d * factor) for d in (dx, dy)]
        if not all(1e-9 < d < 2**32 - 1 for d in densities):
            raise SaveError(
                f"A TIFF cannot hold a pixel of {dx:g} x {dy:g} {volume.units[1]}; save as NIfTI."
            )
        how |= {"resolution": tuple(_ratio(d) for d in densities), "resolutionunit": "NONE"}
    if time is not None:
        metadata["finterval"] = dt * time[1] * IMAGEJ_TIME[time[0]]
    elif dt != 1.0:
        metadata |= {"finterval": dt, "tunit": "frame"}
    if made := lasting(volume):
        metadata["Info"] = as_text(made)
    for key, origin, step in zip(
        ("zorigin", "yorigin", "xorigin"), volume.origin[1:], volume.spacing[1:], strict=True
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


def _ome(volume: Volume) -> dict[str, Any]:
    time, space = parse_unit(volume.units[0], TIME), parse_unit(volume.units[1], SPACE)
    metadata: dict[str, Any] = {"axes": "TZYX"}
    own: dict[str, Any] = {}
    if space is not None or volume.spacing[1:] != (1.0, 1.0, 1.0):
        for letter, size in zip("ZYX", volume.spacing[1:], strict=True):
            metadata[f"PhysicalSize{letter}"] = size * (space[1] if space else 1.0)
            metadata[f"PhysicalSize{letter}Unit"] = (
                MICRO.get(space[0], space[0]) if space else "pixel"
            )
    if time is not None:
        metadata["TimeIncrement"] = volume.spacing[0] * time[1]
        metadata["TimeIncrementUnit"] = MICRO.get(time[0], time[0])
    elif volume.spacing[0] != 1.0:
        own["dt"] = volume.spacing[0]
    if any(volume.origin):
        own["origin"] = list(volume.origin)
    if volume.orientation is not None:
        own["orientation"] = volume.orientation.tolist()
    if made := lasting(volume):
        own["made"] = made
    if own:
        metadata["Description"] = as_text(own)
    name = volume.metadata.get("channel")
    if name:
        metadata["Channel"] = {"Name": str(name)}
    how: dict[str, Any] = {"metadata": metadata}
    micrometres = (
        [s * IMAGEJ_SPACE[space[0]] * space[1] for s in volume.spacing[:1:-1]] if space else []
    )
    if micrometres and all(math.isfinite(m) and 1e-4 < m < 1e4 for m in micrometres):
        how |= {
            "resolution": tuple(_ratio(1e4 / m) for m in micrometres),
            "resolutionunit": "CENTIMETER",
        }
    return how
