"""Writing OME-Zarr frame by frame."""

from __future__ import annotations

import json
import warnings as python_warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...data.record import Record
from ...errors import SaveError, SpatimeINRError
from ..frames import frame_of, stored_dtype
from ..provenance import lasting
from ..pyramid import coarser
from ..staging import Building, building
from . import is_zarr
from .image import EVERY_CHUNK, VERSIONS, Image, attributes
from .read import missing


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
    stored = stored_dtype(record, dtype)
    how = Image.of(record, stored, version)
    import zarr

    with building(path, _identity(record, stored, version), is_zarr) as build:
        if build.done and not _same(zarr, build, record, stored):
            raise SaveError(
                f"{build.folder} holds other values than are written now; move it away, or choose"
                " another name."
            )
        arrays = _arrays(zarr, build, how, record)
        for k in range(build.done, record.shape[0]):
            frame = frame_of(record, k, stored)
            try:
                _put(arrays, k, frame, how.levels)
            except (OSError, MemoryError, SpatimeINRError):
                raise
            except Exception as error:
                raise SaveError(
                    f"{path} could not be written (frame {k}: {error}); choose another place or"
                    " type."
                ) from error
            build.frame_done(lambda t: _files(build.folder, len(arrays), t, version))
        if not _is_whole(zarr, build.folder, arrays, attributes(record, version, how.levels)):
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


def _is_whole(zarr: Any, folder: Path, arrays: list[Any], expected: dict[str, Any]) -> bool:
    """Whether a folder, opened anew, has the metadata and every chunk of what was written."""
    try:
        group = zarr.open_group(store=str(folder), mode="r", use_consolidated=False)
        whole = group.attrs.asdict() == json.loads(json.dumps(expected))
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


def _arrays(zarr: Any, build: Building, how: Image, record: Record) -> list[Any]:
    """The arrays to fill; those that are there where writing goes on."""
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")
        if not build.done:
            return how.create(build.folder, record)
        zarr.open_group(store=str(build.folder), mode="r+")
        return [
            zarr.open_array(store=str(build.folder / str(i)), mode="r+", config=EVERY_CHUNK)
            for i in range(len(how.levels))
        ]
