"""Units of time and space: which there are here, and how files and people spell them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

TIME_UNITS = ("s", "ms", "us", "min", "h", "frame")
SPACE_UNITS = ("um", "nm", "mm", "m", "voxel")
UNKNOWN = ("frame", "voxel")
"""What time and space are measured in where nobody says."""

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0}
METRES = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "nm": 1e-9}

Spellings = dict[str, tuple[str, float]]
"""From a word, in lower case, to a unit and the factor to it."""


def _spellings(*rows: tuple[str, float, str]) -> Spellings:
    return {word: (unit, factor) for unit, factor, words in rows for word in words.split()}


TIME: Spellings = _spellings(
    ("s", 1.0, "s sec secs second seconds"),
    ("ms", 1.0, "ms msec millisecond milliseconds"),
    ("us", 1.0, "us µs usec microsecond microseconds"),
    ("us", 1e-3, "ns nanosecond nanoseconds"),
    ("min", 1.0, "min mins minute minutes"),
    ("h", 1.0, "h hr hrs hour hours"),
    ("h", 24.0, "d day days"),
    ("frame", 1.0, "frame frames"),
)
SPACE: Spellings = _spellings(
    ("um", 1.0, "um µm micron microns micrometer micrometers micrometre micrometres"),
    ("nm", 1.0, "nm nanometer nanometers nanometre nanometres"),
    ("nm", 1e-3, "pm"),
    ("nm", 0.1, "å angstrom"),
    ("mm", 1.0, "mm millimeter millimeters millimetre millimetres"),
    ("mm", 10.0, "cm centimeter centimeters centimetre centimetres"),
    ("mm", 25.4, "in inch inches"),
    ("m", 1.0, "m meter meters metre metres"),
    ("voxel", 1.0, "voxel voxels pixel pixels px"),
)


def word_of(text: Any) -> str:
    """A unit as it is looked up: in lower case, with one of the two letters mu."""
    return str(text).strip().replace("μ", "µ").lower()


def parse_unit(text: Any, table: Spellings) -> tuple[str, float] | None:
    """A unit's name and the factor to it, ``("mm", 10.0)`` for ``"cm"``; None when unknown."""
    plain = str(text).strip().replace("\\u00B5", "µ").replace("\\u00b5", "µ")
    found = table.get(word_of(plain))
    return None if found is None or found[0] in UNKNOWN else found


def one_space_unit(units: Sequence[tuple[str, float] | None]) -> tuple[str | None, list[float]]:
    """A common unit for axes that state their own, and the factor to it for each of them.

    Parameters
    ----------
    units : of the axes, from :func:`parse_unit`.

    Returns
    -------
    The last axis' unit; None, with factors of 1, when one is unknown: the numbers then stay as they
    are.
    """
    known = [unit for unit in units if unit is not None]
    if not known or len(known) < len(units):
        return None, [1.0] * len(units)
    name = known[-1][0]
    return name, [factor * METRES[own] / METRES[name] for own, factor in known]
