"""Writing OME-Zarr frame by frame."""

from __future__ import annotations

import json
import warnings as python_warnings
from pathlib import Path
from typing import Any

from ..errors import SaveError, SpatimeINRError
from ..volume import Volume
from .atomic import replacing_folder
from .calibration import SPACE, TIME, parse_unit
from .cast import resolve_dtype
from .nifti_write import frame_of, source_dtype, storable
from .zarr import INSTALL, is_zarr

VERSIONS = {"0.4": 2, "0.5": 3}
"""Versions of OME-Zarr that can be written, with the Zarr format of each."""
CHUNK = (1, 32, 256, 256)
LEVEL = "0"
TIME_NAMES = {"s": "second", "ms": "millisecond", "us": "microsecond", "min": "minute", "h": "hour"}
SPACE_NAMES = {"um": "micrometer", "nm": "nanometer", "mm": "millimeter", "m": "meter"}


def write(volume: Volume, path: Path, dtype: Any = None, version: str = "0.4") -> Path:
    """Write an OME-Zarr image with axes t, z, y, x and one level.

    Frames are taken from ``volume.data`` one at a time. The orientation, the name of the channel and
    the provenance in ``volume.metadata["spatimeinr"]``, for which OME-Zarr has no place, go into the
    attribute "spatimeinr".

    Parameters
    ----------
    volume : the recording, ``(T, Z, Y, X)``.
    path : the folder; an OME-Zarr of that name is replaced once the new one is complete.
    dtype : see :func:`napari_spatimeinr.io.write`.
    version : of OME-Zarr, "0.4" (Zarr v2) or "0.5" (Zarr v3).

    Raises
    ------
    SaveError
        If the frames lie at irregular times, the library is not installed, or it cannot be written;
        an earlier image stays as it was.
    """
    if volume.grid.times is not None:
        raise SaveError(
            "An OME-Zarr cannot hold frames at irregular times; save as NIfTI (.nii or .nii.gz), which keeps them beside the file."
        )
    if version not in VERSIONS:
        raise SaveError(f"OME-Zarr is written as version {' or '.join(VERSIONS)}, got {version!r}; choose one of these.")
    stored = storable(resolve_dtype(dtype, volume.dtype if dtype is None else source_dtype(volume)))
    try:
        import zarr
    except ImportError as error:
        raise SaveError(f"{path} cannot be written because the library for OME-Zarr is missing; {INSTALL}.") from error
    with replacing_folder(path, is_zarr) as folder:
        array = _create(zarr, folder, volume, stored, version)
        for k in range(volume.shape[0]):
            frame = frame_of(volume, k, stored)
            try:
                array[k] = frame
            except (OSError, MemoryError, SpatimeINRError):
                raise
            except Exception as error:
                raise SaveError(f"{path} could not be written (frame {k}: {error}); choose another place or type.") from error
    return path


def _create(zarr: Any, folder: Path, volume: Volume, dtype: Any, version: str) -> Any:
    """The metadata of the image, and the array to fill."""
    number = VERSIONS[version]
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")
        group = zarr.open_group(store=str(folder), mode="w", zarr_format=number, attributes=_attributes(volume, version))
        return group.create_array(
            LEVEL,
            shape=volume.shape,
            dtype=dtype,
            chunks=tuple(min(n, most) for n, most in zip(volume.shape, CHUNK, strict=True)),
            compressors=_compressor(number),
            chunk_key_encoding={"name": "v2" if number == 2 else "default", "separator": "/"},
            dimension_names=None if number == 2 else list("tzyx"),
            fill_value=0,
            config={"write_empty_chunks": True},  # so that a chunk that is not there is one that was lost
        )


def _compressor(number: int) -> Any:
    if number == 2:
        from numcodecs import Blosc

        return Blosc(cname="zstd", clevel=5, shuffle=Blosc.SHUFFLE)
    from zarr.codecs import BloscCodec

    return BloscCodec(cname="zstd", clevel=5, shuffle="shuffle")


def _attributes(volume: Volume, version: str) -> dict[str, Any]:
    time, space = parse_unit(volume.units[0], TIME), parse_unit(volume.units[1], SPACE)
    axes = []
    factors = []
    for letter, kind, unit in zip("tzyx", ("time", *["space"] * 3), (time, *[space] * 3), strict=True):
        axes.append({"name": letter, "type": kind} | ({"unit": (TIME_NAMES | SPACE_NAMES)[unit[0]]} if unit else {}))
        factors.append(unit[1] if unit else 1.0)
    steps = [{"type": "scale", "scale": [s * f for s, f in zip(volume.spacing, factors, strict=True)]}]
    if any(volume.origin):
        steps.append({"type": "translation", "translation": [o * f for o, f in zip(volume.origin, factors, strict=True)]})
    multiscale = {"axes": axes, "datasets": [{"path": LEVEL, "coordinateTransformations": steps}]}
    attributes: dict[str, Any] = (
        {"multiscales": [{"version": version, **multiscale}]}
        if version == "0.4"
        else {"ome": {"version": version, "multiscales": [multiscale]}}
    )
    provenance = volume.metadata.get("spatimeinr")
    own: dict[str, Any] = dict(provenance) if isinstance(provenance, dict) else {}
    if volume.orientation is not None:
        own["orientation"] = volume.orientation.tolist()
    if volume.metadata.get("channel"):
        own["channel"] = str(volume.metadata["channel"])
    if own:
        attributes["spatimeinr"] = json.loads(json.dumps(own, default=str))
    return attributes
