"""Axes, voxel size, frame interval and origin from OME-Zarr metadata."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ...data.grid import AXES
from ...data.units import SPACE, TIME, one_space_unit, parse_unit
from ...errors import FormatError, InputError
from ..calibration import Stated
from ..layout import LETTERS, check_axes

SOURCE = "OME-Zarr"


def axes_of(path: Path, multiscale: dict[str, Any], shape: tuple[int, ...]) -> str:
    """The letters of the stored axes.

    Parameters
    ----------
    path : for messages.
    multiscale : the image's metadata.
    shape : of the array.

    Raises
    ------
    FormatError
        If the metadata do not fit the array.
    InputError
        If an axis is none of t, c, z, y and x.
    """
    entries = multiscale.get("axes")
    if entries is None and len(shape) == len(LETTERS):
        return "TCZYX"  # the only order before version 0.3
    sizes = " x ".join(map(str, shape))
    if not isinstance(entries, list) or len(entries) != len(shape):
        raise FormatError(
            f"The OME-Zarr metadata of {path} do not fit its image ({sizes}); name the axes"
            " yourself with axes='...' (--axes)."
        )
    letters = ""
    for entry in entries:
        named = entry if isinstance(entry, dict) else {"name": entry}
        letter = {"time": "T", "channel": "C"}.get(
            str(named.get("type")), str(named.get("name")).upper()
        )
        if letter not in LETTERS or len(letter) != 1:
            raise InputError(
                f"{path} has an axis {named.get('name')!r} ({sizes}), and a recording has t, c, z,"
                " y and x; say which axis is which with axes='...' (--axes), for example TCZYX."
            )
        letters += letter
    return check_axes(letters)


def stated_by(
    path: Path, axes: str, multiscale: dict[str, Any], dataset: dict[str, Any], own: dict[str, Any]
) -> Stated:
    """What the metadata state about time and space.

    A scale of 1 without a unit says nothing, because the format wants a number for every axis.

    Parameters
    ----------
    path : for messages.
    axes : letters of the stored axes.
    multiscale, dataset : metadata of the image and of the level read.
    own : what this package wrote beside them.

    Raises
    ------
    FormatError
        If the coordinate transformations are damaged.
    """
    out = Stated()
    scale, offset = _transformation(path, len(axes), dataset, multiscale)
    entries = multiscale.get("axes")
    entries = (
        entries if isinstance(entries, list) and len(entries) == len(axes) else [{}] * len(axes)
    )
    units = {
        letter: entry.get("unit") if isinstance(entry, dict) else None
        for letter, entry in zip(axes, entries, strict=True)
    }
    factors = dict.fromkeys(axes, 1.0)
    if "T" in axes and (units["T"] is not None or scale[axes.index("T")] != 1.0):
        time = _parsed(units["T"], TIME, "time", out)
        out.units[0], factors["T"] = time or (None, 1.0)
        out.spacing[0], out.sources["dt"] = scale[axes.index("T")] * factors["T"], SOURCE
    space = [letter for letter in "ZYX" if letter in axes]
    if any(units[letter] is not None or scale[axes.index(letter)] != 1.0 for letter in space):
        out.units[1], found = one_space_unit(
            [_parsed(units[letter], SPACE, "space", out) for letter in space]
        )
        factors |= dict(zip(space, found, strict=True))
        out.sources["voxel"] = SOURCE
        for letter in space:
            out.spacing["TZYX".index(letter)] = scale[axes.index(letter)] * factors[letter]
    for axis, letter in enumerate("TZYX"):
        place = offset[axes.index(letter)] * factors[letter] if letter in axes else 0.0
        if not math.isfinite(place):
            out.warnings.append(
                f"The file states an impossible origin of {place:g} along {AXES[axis]}: is it 0, as"
                " was assumed?"
            )
            place = 0.0
        out.origin[axis] = place
    try:
        direction = np.asarray(own["orientation"], dtype=np.float64).reshape(3, 3)
        out.orientation = direction if np.isfinite(direction).all() else None
    except (KeyError, TypeError, ValueError):
        out.orientation = None
    out.warnings = list(dict.fromkeys(out.warnings))
    return out


def _parsed(unit: Any, table: Any, what: str, out: Stated) -> tuple[str, float] | None:
    found = None if unit is None else parse_unit(unit, table)
    if unit is not None and found is None:
        out.warnings.append(
            f"The file states an unknown unit of {what}, {unit!r}: what is it (--units)?"
        )
    return found


def _transformation(
    path: Path, count: int, *places: dict[str, Any]
) -> tuple[list[float], list[float]]:
    """Scale and offset of every axis: the transformations of the level, then those of the whole
    image.
    """
    scale, offset = [1.0] * count, [0.0] * count
    for place in places:
        for step in place.get("coordinateTransformations") or []:
            kind = step.get("type") if isinstance(step, dict) else None
            if kind == "identity":
                continue
            values = step.get(kind) if kind in ("scale", "translation") else None
            if (
                not isinstance(values, list)
                or len(values) != count
                or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
            ):
                raise FormatError(
                    f"The OME-Zarr metadata of {path} hold a coordinate transformation that is none"
                    f" of identity, scale and translation with {count} numbers; export the"
                    " recording again."
                )
            if kind == "scale":
                scale = [s * v for s, v in zip(scale, values, strict=True)]
                offset = [o * v for o, v in zip(offset, values, strict=True)]
            else:
                offset = [o + v for o, v in zip(offset, values, strict=True)]
    return scale, offset
