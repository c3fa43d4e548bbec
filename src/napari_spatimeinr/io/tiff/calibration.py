"""Voxel size and frame interval from ImageJ metadata, OME-XML and TIFF tags."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ...data.units import SPACE, TIME, one_space_unit, parse_unit
from ..calibration import Stated
from ..options import ReadOptions
from ..plane_times import state_times
from ..provenance import from_text
from ..sidecar import are_times

PRINT_PIXEL_UM = 10.0
"""A resolution tag in inches or centimetres with a larger pixel than this is about printing."""


def imagej(metadata: dict[str, Any], page: Any, source: str) -> Stated:
    """What ImageJ's description states.

    Parameters
    ----------
    metadata : of tifffile's ``imagej_metadata``: ``unit``, ``spacing``, ``finterval``, ``tunit``,
        origins.
    page : the first page, whose resolution tags hold pixels per unit.
    source : named in ``calibrated_by``.
    """
    out = Stated()
    unit = parse_unit(metadata.get("unit", ""), SPACE)
    factor = unit[1] if unit else 1.0
    dy, dx = _pixel(page, 283), _pixel(page, 282)
    if unit is None and "unit" not in metadata and _tag(page, 296) in (2, 3):
        out = tags(page)
    else:
        dz = _number(metadata.get("spacing"))
        space = [
            None if v is None else _tidy(v * factor)
            for v in (None if dz is None else abs(dz), dy, dx)
        ]
        if unit is not None or any(v not in (None, 1.0) for v in space):
            out.spacing[1:], out.units[1], out.sources["voxel"] = (
                space,
                unit[0] if unit else None,
                source,
            )
    interval = _number(metadata.get("finterval"))
    if interval is not None:
        named = "tunit" in metadata
        time = parse_unit(metadata["tunit"], TIME) if named else ("s", 1.0)
        out.spacing[0], out.units[0] = (
            interval * (time[1] if time else 1.0),
            time[0] if time else None,
        )
        out.sources["dt"] = source
    out.made = from_text(metadata.get("Info"))
    for axis, key in ((1, "zorigin"), (2, "yorigin"), (3, "xorigin")):
        pixels, step = _number(metadata.get(key)), out.spacing[axis]
        if pixels is not None and math.isfinite(pixels):
            out.origin[axis] = -pixels * (step or 1.0)
    return out


def tags(page: Any) -> Stated:
    """The pixel size of the resolution tags, where it is fine enough to be no print resolution."""
    out = Stated()
    inch = {2: 25400.0, 3: 10000.0}.get(_tag(page, 296) or 0)
    dy, dx = _pixel(page, 283), _pixel(page, 282)
    if inch is not None and dx and dy and max(dx, dy) * inch < PRINT_PIXEL_UM:
        out.spacing[2:], out.units[1] = [_tidy(dy * inch), _tidy(dx * inch)], "um"
        out.sources["voxel"] = "TIFF resolution"
    return out


def ome(xml: str, frames: int, how: ReadOptions) -> tuple[Stated, list[str | None]]:
    """What OME-XML states about the first image, and the names of its channels.

    Parameters
    ----------
    xml : the document.
    frames : T.
    how : with a frame interval given, times of planes are not looked at.
    """
    out = Stated()
    root = ElementTree.fromstring(xml)
    image = next(element for element in root if element.tag.endswith("Image"))
    pixels = next(element for element in image if element.tag.endswith("Pixels"))
    attributes = pixels.attrib
    units: dict[int, tuple[str, float] | None] = {}
    for axis, letter in ((1, "Z"), (2, "Y"), (3, "X")):
        out.spacing[axis] = _number(attributes.get(f"PhysicalSize{letter}"))
        if out.spacing[axis] is not None:
            units[axis] = parse_unit(attributes.get(f"PhysicalSize{letter}Unit", "um"), SPACE)
    if units:
        out.sources["voxel"] = "OME-XML"
        out.units[1], factors = one_space_unit(list(units.values()))
        if out.units[1] is not None:  # else the numbers stay as they are, in an unknown unit
            for axis, factor in zip(units, factors, strict=True):
                out.spacing[axis] = _tidy((out.spacing[axis] or 0.0) * factor)
    increment = _number(attributes.get("TimeIncrement"))
    unit = parse_unit(attributes.get("TimeIncrementUnit", "s"), TIME)
    if increment is not None:
        out.spacing[0], out.units[0] = (
            increment * (unit[1] if unit else 1.0),
            unit[0] if unit else None,
        )
        out.sources["dt"] = "OME-XML"
    if frames > 1 and (how.spacing is None or how.spacing[0] is None):
        state_times(pixels, frames, out)
    _own(image, frames, out)
    channels = [element for element in pixels if element.tag.endswith("Channel")]
    return out, [element.attrib.get("Name") for element in channels]


def _own(image: Any, frames: int, out: Stated) -> None:
    """Origin and orientation, which OME-XML has no place for, and provenance, from a description
    this package wrote.
    """
    for element in image:
        own = from_text(element.text) if element.tag.endswith("Description") else None
        if own is None:
            continue
        made = own.get("made")
        out.made = made if isinstance(made, dict) else None
        try:
            origin = [float(v) for v in own.get("origin", [0, 0, 0, 0])]
            orientation = (
                np.asarray(own["orientation"], dtype=np.float64).reshape(3, 3)
                if "orientation" in own
                else None
            )
            dt = float(own["dt"]) if "dt" in own else None
            times = tuple(float(t) for t in own["times"]) if "times" in own else None
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return
        if len(origin) == 4 and all(map(math.isfinite, origin)):
            out.origin = origin
        if orientation is not None and np.isfinite(orientation).all():
            out.orientation = orientation
        if times is not None and out.times is None and are_times(times, frames):
            out.times = times
        if dt is not None and out.spacing[0] is None:
            out.spacing[0], out.sources["dt"] = dt, "OME-XML"


def _tag(page: Any, code: int) -> Any:
    tag = page.tags.get(code)
    return None if tag is None else tag.value


def _pixel(page: Any, code: int) -> float | None:
    """The inverse of a resolution tag; None when it is missing or 0."""
    value = _tag(page, code)
    try:
        above, below = value
        return float(below) / float(above) if above and below else None
    except (TypeError, ValueError):
        return None


def _number(value: Any) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def _tidy(value: float) -> float:
    """Nine digits: a fraction of two 32-bit integers is no better than that."""
    return float(f"{value:.9g}") if math.isfinite(value) else value
