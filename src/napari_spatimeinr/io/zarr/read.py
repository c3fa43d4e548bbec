"""Reading OME-Zarr 0.4 (Zarr v2) and 0.5 (Zarr v3), chunk by chunk when indexed."""

from __future__ import annotations

import json
import math
import os
import warnings as python_warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ...data.grid import MAX_VOXELS
from ...data.record import Record
from ...errors import FormatError, InputError, SpatimeINRError
from ..calibration import Stated, settle
from ..layout import choose_channel, match_axes
from ..options import ReadOptions
from ..plane_times import state_times
from ..provenance import KEY, plain
from ..sidecar import are_times
from . import METADATA, is_zarr
from .array import ZarrArray
from .calibration import axes_of, stated_by

OWN = ("orientation", "channel", "times")
"""What this package writes beside provenance."""
MAX_LISTED = 10_000
"""So many chunks are looked for when a recording is opened."""


def read(path: Path, how: ReadOptions) -> Record:
    """Read one level of an OME-Zarr image, the finest unless another is asked for; chunks are read
    when they are indexed.

    Parameters
    ----------
    path : the folder of the image, or one that bioformats2raw made with one image in it.
    how : what the user says about it; ``axes`` name the stored axes in order.

    Returns
    -------
    A record ``(T, Z, Y, X)``.

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


def _read(path: Path, zarr: Any, how: ReadOptions) -> Record:
    where, image, attributes, version = _image(path, zarr)
    multiscale = _first(path, attributes.get("multiscales"))
    dataset = _level(path, multiscale, how.level)
    name = dataset.get("path")
    if not isinstance(name, str) or not name:
        raise FormatError(
            f"The OME-Zarr metadata of {path} describe no image; export the recording again."
        )
    array = _array(path, zarr, image, name)
    shape = _shape(path, array)
    axes = match_axes(how.axes, shape)[0] if how.axes else axes_of(path, multiscale, shape)
    channel, channels = choose_channel(axes, shape, how.channel, how.any_channel)
    data = ZarrArray(array, axes, channel, where / name)

    own = attributes.get(KEY)
    stated = stated_by(path, axes, multiscale, dataset, own if isinstance(own, dict) else {})
    stated.warnings += missing(where / name, array)
    header: dict[str, Any] = {
        "version": version,
        "name": multiscale.get("name"),
        "path": name,
        KEY: own,
        "levels": _shapes(image, multiscale, axes),
        "level": how.level,
    }
    facts = {
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
    }
    if how.given_spacing[0] is None:
        _add_times(where, data.shape[0], own, stated)
    return settle(stated, how, data.shape).record(data, facts, _made(own))


def _add_times(where: Path, frames: int, own: Any, stated: Stated) -> None:
    """Times of the frames: those that this package wrote, or of the OME-XML beside the images of
    bioformats2raw.
    """
    said = own.get("times") if isinstance(own, dict) else None
    if isinstance(said, list) and all(isinstance(t, int | float) for t in said):
        times = tuple(float(t) for t in said)
        stated.times = times if are_times(times, frames) else None
        return
    beside = where.parent / "OME" / "METADATA.ome.xml"
    if not (where.name.isdecimal() and beside.is_file()):
        return
    try:
        images = [e for e in ElementTree.parse(beside).getroot() if e.tag.endswith("Image")]
        pixels = next(e for e in images[int(where.name)] if e.tag.endswith("Pixels"))
        state_times(pixels, frames, stated)
    except (OSError, ValueError, LookupError, StopIteration, ElementTree.ParseError):
        return  # the image is whole without it


def _made(own: Any) -> dict[str, Any] | None:
    """How it was made, by the attribute that this package wrote."""
    said = (plain(own) or {}).items()
    return {key: value for key, value in said if key not in OWN} or None


def _shape(path: Path, array: Any) -> tuple[int, ...]:
    """Of an array, once it can be one of intensities."""
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
    return shape


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
