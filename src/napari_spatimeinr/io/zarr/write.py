"""Writing OME-Zarr frame by frame."""

from __future__ import annotations

import json
import warnings as python_warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...data.record import Record
from ...data.units import SPACE, TIME, parse_unit
from ...errors import SaveError, SpatimeINRError
from ..frames import frame_of, stored_dtype
from ..provenance import KEY, lasting
from ..pyramid import coarser, factors
from ..staging import Building, building
from . import is_zarr
from .read import missing

VERSIONS = {"0.4": 2, "0.5": 3}
"""Versions of OME-Zarr that can be written, with the Zarr format of each."""
CHUNK = (1, 32, 256, 256)
EVERY_CHUNK = {"write_empty_chunks": True}
"""So that a chunk that is not there is one that was lost."""
TIME_NAMES = {"s": "second", "ms": "millisecond", "us": "microsecond", "min": "minute", "h": "hour"}
SPACE_NAMES = {"um": "micrometer", "nm": "nanometer", "mm": "millimeter", "m": "meter"}


def write(record: Record, path: Path, dtype: Any = None, version: str = "0.4") -> Path:
    """Write an OME-Zarr image with axes t, z, y, x, and with coarser levels while planes are large.

    Frames are taken from ``record.data`` one at a time, into ``<name>.partial``. Where it is known
    what they are (rendered by a model, or read from a file), writing them again after an
    interruption goes on from there. Times of frames that are not evenly spaced, the orientation,
    the name of the channel and the provenance in ``record.metadata["spatimeinr"]``, for which
    OME-Zarr has no place, go into the attribute "spatimeinr".

    Parameters
    ----------
    record : the recording, ``(T, Z, Y, X)``.
    path : the folder; an OME-Zarr of that name is replaced once the new one is complete.
    dtype : see :func:`napari_spatimeinr.io.write`.
    version : of OME-Zarr, "0.4" (Zarr v2) or "0.5" (Zarr v3).

    Raises
    ------
    SaveError
        If it cannot be written; an earlier image stays as it was.
    """
    if version not in VERSIONS:
        raise SaveError(
            f"OME-Zarr is written as version {' or '.join(VERSIONS)}, got {version!r}; choose one"
            " of these."
        )
    stored = stored_dtype(record, dtype)
    import zarr

    levels = factors(record.shape, record.spacing)
    with building(path, _identity(record, stored, version), is_zarr) as build:
        if build.done and not _same(zarr, build, record, stored):
            raise SaveError(
                f"{build.folder} holds other values than are written now; move it away, or choose"
                " another name."
            )
        arrays = _create(zarr, build, record, stored, version, levels)
        for k in range(build.done, record.shape[0]):
            frame = frame_of(record, k, stored)
            try:
                _put(arrays, k, frame, levels)
            except (OSError, MemoryError, SpatimeINRError):
                raise
            except Exception as error:
                raise SaveError(
                    f"{path} could not be written (frame {k}: {error}); choose another place or"
                    " type."
                ) from error
            build.frame_done(lambda t: _files(build.folder, len(arrays), t, version))
        if not _is_whole(zarr, build.folder, arrays, _attributes(record, version, levels)):
            build.discard()
            raise SaveError(
                f"{path} could not be written because something removed or changed files in"
                f" {build.folder.name} meanwhile; save again."
            )
    return path


def _put(arrays: Sequence[Any], k: int, frame: Any, levels: Sequence[tuple[int, int, int]]) -> None:
    """Write a frame ``(Z, Y, X)`` to all levels, each made of the one before."""
    arrays[0][k] = frame
    for i, array in enumerate(arrays[1:], start=1):
        steps = [a // b for a, b in zip(levels[i], levels[i - 1], strict=True)]
        frame = coarser(frame, steps)
        array[k] = frame


def _is_whole(zarr: Any, folder: Path, arrays: list[Any], attributes: dict[str, Any]) -> bool:
    """Whether a folder, opened anew, has the metadata and every chunk of what was written."""
    try:
        group = zarr.open_group(store=str(folder), mode="r", use_consolidated=False)
        whole = group.attrs.asdict() == json.loads(json.dumps(attributes))
        for i, array in enumerate(arrays):
            there = group[str(i)]
            whole &= there.shape == array.shape and there.dtype == array.dtype
            whole &= not missing(folder / str(i), there, there.nchunks)
    except Exception:  # the library raises whatever it likes
        return False
    return bool(whole)


def _identity(record: Record, dtype: Any, version: str) -> dict[str, Any] | None:
    """What is written, in JSON values; None where the values may come from anywhere."""
    made = lasting(record)
    source = record.metadata.get("source")
    origin: Any = made
    if not made and source and Path(source).exists():
        facts = Path(source).stat()
        origin = [
            str(source),
            facts.st_size,
            facts.st_mtime_ns,
            record.metadata.get("channel_index"),
        ]
    if not origin:
        return None
    grid = [list(record.shape), list(record.spacing), list(record.origin), list(record.units)]
    grid += [list(record.grid.times)] if record.grid.times is not None else []
    identity: dict[str, Any] = json.loads(
        json.dumps(
            {"origin": origin, "grid": grid, "dtype": str(dtype), "version": version}, default=str
        )
    )
    return identity


def _same(zarr: Any, build: Building, record: Record, dtype: Any) -> bool:
    """Whether the last frame that is there is what would be written: names and dates do not prove
    it.
    """
    k = build.done - 1
    try:
        there = zarr.open_group(store=str(build.folder), mode="r")["0"][k]
    except Exception:
        return False
    return bool(
        np.array_equal(there, frame_of(record, k, dtype), equal_nan=np.dtype(dtype).kind == "f")
    )


def _files(folder: Path, levels: int, k: int, version: str) -> list[Path]:
    """The files of the chunks of a frame."""
    inside = (str(k),) if VERSIONS[version] == 2 else ("c", str(k))
    return [
        file
        for level in range(levels)
        for file in folder.joinpath(str(level), *inside).rglob("*")
        if file.is_file()
    ]


def _create(
    zarr: Any,
    build: Building,
    record: Record,
    dtype: Any,
    version: str,
    levels: Sequence[tuple[int, int, int]],
) -> list[Any]:
    """The metadata of the image, and the arrays to fill; those that are there where writing goes
    on.
    """
    number = VERSIONS[version]
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")
        if build.done:
            group = zarr.open_group(store=str(build.folder), mode="r+")
            return [
                zarr.open_array(store=str(build.folder / str(i)), mode="r+", config=EVERY_CHUNK)
                for i in range(len(levels))
            ]
        group = zarr.open_group(
            store=str(build.folder),
            mode="a",
            zarr_format=number,
            attributes=_attributes(record, version, levels),
        )
        arrays = []
        for i, factor in enumerate(levels):
            shape = (
                record.shape[0],
                *(n // f for n, f in zip(record.shape[1:], factor, strict=True)),
            )
            arrays.append(
                group.create_array(
                    str(i),
                    shape=shape,
                    dtype=dtype,
                    chunks=tuple(min(n, most) for n, most in zip(shape, CHUNK, strict=True)),
                    compressors=_compressor(number),
                    chunk_key_encoding={
                        "name": "v2" if number == 2 else "default",
                        "separator": "/",
                    },
                    dimension_names=None if number == 2 else list("tzyx"),
                    fill_value=0,
                    config=EVERY_CHUNK,
                )
            )
        return arrays


def _compressor(number: int) -> Any:
    if number == 2:
        from numcodecs import Blosc

        return Blosc(cname="zstd", clevel=5, shuffle=Blosc.SHUFFLE)
    from zarr.codecs import BloscCodec

    return BloscCodec(cname="zstd", clevel=5, shuffle="shuffle")


def _attributes(
    record: Record, version: str, levels: Sequence[tuple[int, int, int]]
) -> dict[str, Any]:
    time, space = parse_unit(record.units[0], TIME), parse_unit(record.units[1], SPACE)
    axes = []
    unit_factors = []
    for letter, kind, unit in zip(
        "tzyx", ("time", *["space"] * 3), (time, *[space] * 3), strict=True
    ):
        axes.append(
            {"name": letter, "type": kind}
            | ({"unit": (TIME_NAMES | SPACE_NAMES)[unit[0]]} if unit else {})
        )
        unit_factors.append(unit[1] if unit else 1.0)
    datasets = []
    for i, factor in enumerate(levels):
        voxel = (1, *factor)
        scale = [s * f * v for s, f, v in zip(record.spacing, unit_factors, voxel, strict=True)]
        # A block's mean lies at its centre.
        place = [
            (o + s * (v - 1) / 2) * f
            for o, s, f, v in zip(record.origin, record.spacing, unit_factors, voxel, strict=True)
        ]
        steps: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
        if any(place):
            steps.append({"type": "translation", "translation": place})
        datasets.append({"path": str(i), "coordinateTransformations": steps})
    multiscale = {"axes": axes, "datasets": datasets}
    attributes: dict[str, Any] = (
        {"multiscales": [{"version": version, **multiscale}]}
        if version == "0.4"
        else {"ome": {"version": version, "multiscales": [multiscale]}}
    )
    own: dict[str, Any] = lasting(record) or {}
    if record.grid.times is not None:
        own["times"] = (record.grid.coordinates(0) * unit_factors[0]).tolist()
    if record.orientation is not None:
        own["orientation"] = record.orientation.tolist()
    if record.metadata.get("channel"):
        own["channel"] = str(record.metadata["channel"])
    if own:
        attributes[KEY] = own
    return attributes
