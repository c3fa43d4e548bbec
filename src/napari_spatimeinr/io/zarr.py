"""Reading OME-Zarr 0.4 (Zarr v2) and 0.5 (Zarr v3), chunk by chunk when indexed."""

from __future__ import annotations

import itertools
import json
import math
import os
import warnings as python_warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.grid import MAX_VOXELS
from ..data.indexing import as_slice
from ..errors import FormatError, InputError, SpatimeINRError
from ..volume import Volume
from . import provenance
from .calibration import ReadOptions, settle
from .layout import choose_channel, match_axes, to_tzyx
from .lazy import LazyArray
from .zarr_calibration import axes_of, stated_by

METADATA = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
"""Files of which a Zarr folder holds at least one."""
MAX_LISTED = 10_000
"""So many chunks are looked for when a recording is opened."""


def is_zarr(path: Path) -> bool:
    """Whether a folder holds Zarr metadata."""
    return any((path / name).is_file() for name in METADATA)


def read(path: Path, how: ReadOptions) -> Volume:
    """Read one level of an OME-Zarr image, the finest unless another is asked for; chunks are read
    when they are indexed.

    Parameters
    ----------
    path : the folder of the image, or one that bioformats2raw made with one image in it.
    how : what the user says about it; ``axes`` name the stored axes in order.

    Returns
    -------
    A volume ``(T, Z, Y, X)``.

    Raises
    ------
    FormatError
        If the metadata are damaged or no OME-Zarr.
    InputError
        If it holds a plate, labels, several images, or several channels and none is chosen.
    GridError
        If it states an impossible spacing and none is given.
    """
    if not path.is_dir():
        raise FormatError(
            f"{path} is a file, and an OME-Zarr is a folder; unpack or export it again."
        )
    if not is_zarr(path):
        raise FormatError(
            f"{path} holds no Zarr metadata, so it is empty or no OME-Zarr; copy or export it"
            " again."
        )
    import zarr

    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter(
                "ignore"
            )  # what the library says on the way becomes our one sentence
            return _read(path, zarr, how)
    except SpatimeINRError:
        raise
    except Exception as error:  # damaged metadata make the library raise whatever it likes
        text = " ".join(str(error).split())[:100] or type(error).__name__
        raise FormatError(
            f"{path} cannot be read as an OME-Zarr ({text}); copy or export it again."
        ) from error


def _read(path: Path, zarr: Any, how: ReadOptions) -> Volume:
    where, image, attributes, version = _image(path, zarr)
    multiscale = _first(path, attributes.get("multiscales"))
    dataset = _level(path, multiscale, how.level)
    name = dataset.get("path")
    if not isinstance(name, str) or not name:
        raise FormatError(
            f"The OME-Zarr metadata of {path} describe no image; export the recording again."
        )
    array = _array(path, zarr, image, name)
    dtype = np.dtype(array.dtype)
    if dtype.kind not in "biuf":
        raise InputError(
            f"{path} holds {dtype} values, and intensities must be real numbers; convert the"
            " recording first."
        )
    shape = tuple(int(n) for n in array.shape)
    sizes = " x ".join(map(str, shape))
    if 0 in shape:
        raise InputError(f"{path} is empty: it has {sizes} voxels; export the recording again.")
    if math.prod(shape) > MAX_VOXELS:
        raise FormatError(
            f"{path} declares an impossible size of {sizes} voxels; export the recording again."
        )
    axes = match_axes(how.axes, shape)[0] if how.axes else axes_of(path, multiscale, shape)
    channel, channels = choose_channel(axes, shape, how.channel, how.any_channel)
    data = ZarrArray(array, axes, channel, where / name)

    own = attributes.get(provenance.KEY)
    stated = stated_by(path, axes, multiscale, dataset, own if isinstance(own, dict) else {})
    stated.warnings += missing(where / name, array)
    settled = settle(stated, how, data.shape)
    header: dict[str, Any] = {
        "version": version,
        "name": multiscale.get("name"),
        "path": name,
        provenance.KEY: own,
    }
    header |= {"levels": _shapes(image, multiscale, axes), "level": how.level}
    metadata = {
        "source": str(path),
        "format": "ome-zarr",
        "header": {
            key: value for key, value in header.items() if value is not None and _is_json(value)
        },
        "affine": None,
        "channel": _channel_name(attributes, channel, own),
        "channel_index": channel if channels > 1 else None,
        "channels": channels,
        "source_dtype": str(data.dtype),
        **settled.metadata,
    }
    made = {
        key: value
        for key, value in (provenance.plain(own) or {}).items()
        if key not in ("orientation", "channel")
    }
    if made:
        metadata[provenance.KEY] = made
    return Volume(
        data, settled.spacing, settled.origin, settled.units, settled.orientation, metadata
    )


def _image(path: Path, zarr: Any) -> tuple[Path, Any, dict[str, Any], str | None]:
    """The folder and the group of the image, its attributes whatever the version, and
    the version.
    """
    try:
        group = zarr.open_group(store=str(path.absolute()), mode="r", use_consolidated=False)
    except (FileNotFoundError, zarr.errors.ContainsArrayError) as error:
        if (path / ".zattrs").is_file() and not any(
            (path / name).is_file() for name in METADATA[:3]
        ):
            raise FormatError(f"{path} lacks its .zgroup file; copy it again.") from error
        raise FormatError(
            f"{path} is a plain Zarr array without OME metadata; give the folder of the OME-Zarr"
            " image it belongs to."
        ) from error
    attributes = dict(group.attrs.asdict())
    ome = attributes.pop("ome", None)
    if isinstance(ome, dict):
        attributes = {**attributes, **ome}
    if "plate" in attributes or "well" in attributes:
        what = "plate" if "plate" in attributes else "well"
        raise InputError(
            f"{path} is a {what} of several images; give the folder of one of them, for example"
            " A/1/0 in the plate."
        )
    if "image-label" in attributes or ("labels" in attributes and "multiscales" not in attributes):
        raise InputError(
            f"{path} holds labels, not intensities; give the folder of the image they belong to."
        )
    if "multiscales" in attributes:
        version = attributes.get("version") or _first(path, attributes["multiscales"]).get(
            "version"
        )
        return path, group, attributes, version if isinstance(version, str) else None
    series = sorted(name for name in os.listdir(path) if name.isdecimal() and is_zarr(path / name))
    if "bioformats2raw.layout" in attributes and len(series) == 1:
        return _image(path / series[0], zarr)
    if "bioformats2raw.layout" in attributes and series:
        raise InputError(
            f"{path} holds {len(series)} images; give the folder of one of them, for example"
            f" {path / series[0]}."
        )
    raise FormatError(
        f"{path} is a Zarr group without an OME-Zarr image; give the folder of the image, or export"
        " it again."
    )


def _first(path: Path, items: Any) -> dict[str, Any]:
    """The first entry of a list of JSON objects."""
    if not isinstance(items, list) or not items or not isinstance(items[0], dict):
        raise FormatError(
            f"The OME-Zarr metadata of {path} describe no image; export the recording again."
        )
    return items[0]


def _level(path: Path, multiscale: dict[str, Any], level: int) -> dict[str, Any]:
    """The metadata of a level, 0 the finest."""
    datasets = multiscale.get("datasets")
    first = _first(path, datasets)
    assert isinstance(datasets, list)
    count = len(datasets)
    if not 0 <= level < count:
        raise InputError(
            f"There is no level {level}: {path} has {count}, choose with level=N (--level N), N"
            f" from 0 to {count - 1}."
        )
    return datasets[level] if isinstance(datasets[level], dict) else first


def _shapes(image: Any, multiscale: dict[str, Any], axes: str) -> list[list[int]]:
    """(T, Z, Y, X) of every level that can be told."""
    out = []
    for dataset in multiscale["datasets"]:
        try:
            sizes = dict(zip(axes, image[dataset["path"]].shape, strict=True))
        except Exception:  # a level that nobody asked for may be damaged
            continue
        out.append([int(sizes.get(letter, 1)) for letter in "TZYX"])
    return out


def _array(path: Path, zarr: Any, group: Any, name: str) -> Any:
    try:
        array = group[name]
    except KeyError as error:
        raise FormatError(
            f"{path} is incomplete: its image {name!r} is missing; copy or export it again."
        ) from error
    if not isinstance(array, zarr.Array):
        raise FormatError(f"The image {name!r} of {path} is no array; copy or export it again.")
    return array


def missing(folder: Path, array: Any, most: int = MAX_LISTED) -> list[str]:
    """A question when chunks, of ``most`` that are looked for, are not stored, which is legal and
    means that they hold one value.
    """
    chunks = array.shards or array.chunks
    number = math.prod(-(-n // c) for n, c in zip(array.shape, chunks, strict=True))
    stored = 0
    for _, _, files in os.walk(folder):
        stored += sum(not file.startswith(".") and file != "zarr.json" for file in files)
        if stored >= min(number, most):
            return []
    return [
        f"{number - stored} of {number} chunks are not stored and read as {array.fill_value}: is"
        " the copy complete?"
    ]


def _channel_name(attributes: dict[str, Any], channel: int, own: Any) -> str | None:
    try:
        label = attributes["omero"]["channels"][channel]["label"]
    except (KeyError, IndexError, TypeError):
        label = own.get("channel") if isinstance(own, dict) else None
    return label if isinstance(label, str) else None


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


class ZarrArray(LazyArray):
    """One channel of a Zarr array as ``(T, Z, Y, X)``; only the chunks touched are read.

    Parameters
    ----------
    array : the Zarr array.
    axes : its axes, out of ``TCZYX``.
    channel : which one to read.
    path : its folder.
    """

    def __init__(self, array: Any, axes: str, channel: int, path: Path) -> None:
        sizes = dict(zip(axes, array.shape, strict=True))
        super().__init__(
            tuple(sizes.get(letter, 1) for letter in "TZYX"),
            np.dtype(array.dtype).newbyteorder("="),
        )
        self._array, self._axes, self._channel, self._path = array, axes, channel, path.absolute()
        self._made = self._stamp()

    def _block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        if (
            self._stamp() != self._made
        ):  # missing chunks are legal, so the library would read nothing but zeros
            raise FormatError(
                f"{self._path} is gone or was replaced since it was opened; open it again."
            )
        rising = [r if r.step > 0 else r[::-1] for r in ranges]
        where = {letter: as_slice(r) for letter, r in zip("TZYX", rising, strict=True)}
        try:
            self._check_lengths(dict(zip("TZYX", rising, strict=True)))
            got = self._array[
                tuple(self._channel if letter == "C" else where[letter] for letter in self._axes)
            ]
        except SpatimeINRError:
            raise
        except MemoryError as error:
            if self._array.shards is None:
                raise
            raise FormatError(  # the index of a shard states lengths, which the library trusts
                f"{self._path} is damaged, or memory is short: a shard of frames {rising[0][0]} to"
                f" {rising[0][-1]} states more bytes than there is memory for; copy or export it"
                " again."
            ) from error
        except Exception as error:  # decoders of damaged chunks raise whatever they like
            raise FormatError(
                f"{self._path} is damaged: a chunk of frames {rising[0][0]} to {rising[0][-1]}"
                " cannot be decoded; copy or export it again."
            ) from error
        out = to_tzyx(np.asarray(got, dtype=self.dtype), self._axes.replace("C", ""))
        turned: NDArray[Any] = out[
            tuple(slice(None, None, 1 if r.step > 0 else -1) for r in ranges)
        ]
        return turned

    def _check_lengths(self, ranges: dict[str, range]) -> None:
        """Blosc chunks state their length, and the library trusts it: a truncated one would decode
        to whatever lies behind it.
        """
        array = self._array
        if array.shards is not None or "Blosc" not in {
            type(codec).__name__.removesuffix("Codec") for codec in array.compressors
        }:
            return
        touched = [
            sorted({i // size for i in ranges.get(letter, (self._channel,))})
            for letter, size in zip(self._axes, array.chunks, strict=True)
        ]
        for place in itertools.product(*touched):
            file = self._path / array.metadata.encode_chunk_key(place)
            if file.is_file():
                with open(file, "rb") as opened:
                    head = opened.read(16)
                if len(head) < 16 or file.stat().st_size < int.from_bytes(head[12:], "little"):
                    raise FormatError(
                        f"{self._path} is damaged: its chunk {file.relative_to(self._path)} is"
                        " truncated; copy or export it again."
                    )

    def _stamp(self) -> list[tuple[int, int]]:
        """What tells the array's metadata from those of another one in its place."""
        files = [self._path / name for name in METADATA if (self._path / name).is_file()]
        return [(file.stat().st_ino, file.stat().st_mtime_ns) for file in files]
