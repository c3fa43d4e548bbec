"""When frames were taken, by the times of their planes in OME-XML."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..data.units import SECONDS, TIME, parse_unit
from .calibration import Stated

REGULAR = 0.05
"""A stated interval that differs from the planes' by more than this fraction is asked about."""
JITTER = 0.01
"""Steps that differ from the median by less than this fraction are even."""
SOURCE = "OME-XML"


def state_times(pixels: Any, frames: int, out: Stated) -> None:
    """Put the interval of a ``Pixels`` element's planes, or the times of its frames where these are
    uneven, into what is stated.

    The first plane that was taken of a frame stands for it: the first one of the first channel.
    Nothing is stated where a frame has none.
    """
    found = _first_planes(pixels)
    if found is None or sorted(found) != list(range(frames)) or frames < 2:
        return
    if len({z for z, _, _ in found.values()}) != 1:
        return
    unit = out.units[0] if out.spacing[0] and out.units[0] in SECONDS else found[0][2]
    times = [t * (SECONDS[own] / SECONDS[unit]) for _, t, own in (found[k] for k in range(frames))]
    steps = np.diff(times)
    if not steps.any():
        return
    if steps.min() <= 0:
        out.warnings.append(
            "The times of the planes do not increase from frame to frame and were ignored: how far"
            " apart are the frames (--spacing DT,DZ,DY,DX)?"
        )
        return
    median = float(np.median(steps))
    if np.abs(steps - median).max() > JITTER * median:
        out.times = tuple(times)
    _settle_interval(out, unit, median, float(steps.mean()))


def _first_planes(pixels: Any) -> dict[int, tuple[int, float, str]] | None:
    """Of each frame the first plane that has a time: its number, the time and the unit; None where
    one is no time.
    """
    first: dict[int, tuple[int, float, str]] = {}
    for plane in pixels:
        if not plane.tag.endswith("Plane") or "DeltaT" not in plane.attrib:
            continue
        time = _number(plane.attrib["DeltaT"])
        unit = parse_unit(plane.attrib.get("DeltaTUnit", "s"), TIME)
        if time is None or not math.isfinite(time) or unit is None:
            return None
        t, z = int(plane.attrib.get("TheT", 0)), int(plane.attrib.get("TheZ", 0))
        z += int(plane.attrib.get("TheC", 0)) << 32
        if t not in first or z < first[t][0]:
            first[t] = (z, time * unit[1], unit[0])
    return first


def _settle_interval(out: Stated, unit: str, median: float, mean: float) -> None:
    """The interval of the planes where none is stated; a question where it is another one."""
    if not out.spacing[0]:
        interval = mean if out.times is None else median
        out.spacing[0], out.units[0], out.sources["dt"] = float(f"{interval:.9g}"), unit, SOURCE
        return
    if out.units[0] not in SECONDS:
        out.times = None
        return
    if abs(out.spacing[0] - median) > REGULAR * median:
        out.warnings.append(
            f"The file states a frame interval of {out.spacing[0]:g} {unit}, and its planes are"
            f" {median:g} {unit} apart: which is right?"
        )


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
