"""Writing OME-Zarr frame by frame."""

from __future__ import annotations

import json
import warnings as python_warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SaveError, SpatimeINRError
from ...volume import Volume
from ..calibration import SPACE, TIME, parse_unit
from ..cast import resolve_dtype
from ..nifti.write import frame_of, source_dtype, storable
from ..provenance import KEY, lasting
from ..pyramid import coarser, factors
from ..staging import Building, building
from .read import is_zarr, missing

VERSIONS = {"0.4": 2, "0.5": 3}
"""Versions of OME-Zarr that can be written, with the Zarr format of each."""
CHUNK = (1, 32, 256, 256)
EVERY_CHUNK = {"write_empty_chunks": True}
"""So that a chunk that is not there is one that was lost."""
TIME_NAMES = {"s": "second", "ms": "millisecond", "us": "microsecond", "min": "minute", "h": "hour"}
SPACE_NAMES = {"um": "micrometer", "nm": "nanometer", "mm": "millimeter", "m": "meter"}


def write(volume: Volume, path: Path, dtype: Any = None, version: str = "0.4") -> Path:
    """Write an OME-Zarr image with axes t, z, y, x, and with coarser levels while planes are large.

    Frames are taken from ``volume.data`` one at a time, into ``<name>.partial``. Where it is known
    what they are (rendered by a model, or read from a file), writing them again after an
    interruption goes on from there. The orientation, the name of the channel and the provenance in
    ``volume.metadata["spatimeinr"]``, for which OME-Zarr has no place, go into the attribute
    "spatimeinr".

    Parameters
    ----------
    volume : the recording, ``(T, Z, Y, X)``.
    path : the folder; an OME-Zarr of that name is replaced once the new one is complete.
    dtype : see :func:`napari_spatimeinr.io.write`.
    version : of OME-Zarr, "0.4" (Zarr v2) or "0.5" (Zarr v3).

    Raises
    ------
    SaveError
        If the frames lie at irregular times, or it cannot be written;
        an earlier image stays as it was.
    """
    if volume.grid.times is not None:
        raise SaveError(
            "An OME-Zarr cannot hold frames at irregular times; save as NIfTI (.nii or .nii.gz),"
            " which keeps them beside the file."
        )
    if version not in VERSIONS:
        raise SaveError(
            f"OME-Zarr is written as version {' or '.join(VERSIONS)}, got {version!r}; choose one"
            " of these."
        )
    stored = storable(resolve_dtype(dtype, volume.dtype if dtype is None else source_dtype(volume)))
    import zarr

    levels = factors(volume.shape, volume.spacing)
    with building(path, _identity(volume, stored, version), is_zarr) as build:
        if build.done and not _same(zarr, build, volume, stored):
            raise SaveError(
                f"{build.folder} holds other values than are written now; move it away, or choose"
                " another name."
            )
        arrays = _create(zarr, build, volume, stored, version, levels)
        for k in range(build.done, volume.shape[0]):
            frame = frame_of(volume, k, stored)
            try:
                for i, array in enumerate(arrays):
                    if i:
                        frame = coarser(
                            frame, [a // b for a, b in zip(levels[i], levels[i - 1], strict=True)]
                        )
                    array[k] = frame
            except (OSError, MemoryError, SpatimeINRError):
                raise
            except Exception as error:
                raise SaveError(
                    f"{path} could not be written (frame {k}: {error}); choose another place or"
                    " type."
                ) from error
            build.frame_done(lambda t: _files(build.folder, len(arrays), t, version))
        if not _is_whole(zarr, build.folder, arrays, _attributes(volume, version, levels)):
            build.discard()
            raise SaveError(
                f"{path} could not be written because something removed or changed files in"
                f" {build.folder.name} meanwhile; save again."
            )
    return path


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


def _identity(volume: Volume, dtype: Any, version: str) -> dict[str, Any] | None:
    """What is written, in JSON values; None where the values may come from anywhere."""
    made = lasting(volume)
    source = volume.metadata.get("source")
    origin: Any = made
    if not made and source and Path(source).exists():
        facts = Path(source).stat()
        origin = [
            str(source),
            facts.st_size,
            facts.st_mtime_ns,
            volume.metadata.get("channel_index"),
        ]
    if not origin:
        return None
    grid = [list(volume.shape), list(volume.spacing), list(volume.origin), list(volume.units)]
    identity: dict[str, Any] = json.loads(
        json.dumps(
            {"origin": origin, "grid": grid, "dtype": str(dtype), "version": version}, default=str
        )
    )
    return identity


def _same(zarr: Any, build: Building, volume: Volume, dtype: Any) -> bool:
    """Whether the last frame that is there is what would be written: names and dates do not prove
    it.
    """
    k = build.done - 1
    try:
        there = zarr.open_group(store=str(build.folder), mode="r")["0"][k]
    except Exception:
        return False
    return bool(
        np.array_equal(there, frame_of(volume, k, dtype), equal_nan=np.dtype(dtype).kind == "f")
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
    volume: Volume,
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
            attributes=_attributes(volume, version, levels),
        )
        arrays = []
        for i, factor in enumerate(levels):
            shape = (
                volume.shape[0],
                *(n // f for n, f in zip(volume.shape[1:], factor, strict=True)),
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
    volume: Volume, version: str, levels: Sequence[tuple[int, int, int]]
) -> dict[str, Any]:
    time, space = parse_unit(volume.units[0], TIME), parse_unit(volume.units[1], SPACE)
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
        scale = [s * f * v for s, f, v in zip(volume.spacing, unit_factors, voxel, strict=True)]
        # A block's mean lies at its centre.
        place = [
            (o + s * (v - 1) / 2) * f
            for o, s, f, v in zip(volume.origin, volume.spacing, unit_factors, voxel, strict=True)
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
    own: dict[str, Any] = lasting(volume) or {}
    if volume.orientation is not None:
        own["orientation"] = volume.orientation.tolist()
    if volume.metadata.get("channel"):
        own["channel"] = str(volume.metadata["channel"])
    if own:
        attributes[KEY] = own
    return attributes
