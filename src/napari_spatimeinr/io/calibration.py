"""What a file states about time and space, what the user adds, and what is left unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..data.grid import AXES, Floats
from ..errors import GridError, InputError
from ..volume import SPACE_UNITS, TIME_UNITS

Four = tuple[float, float, float, float]
Spellings = dict[str, tuple[str, float]]


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


def parse_unit(text: Any, table: Spellings) -> tuple[str, float] | None:
    """A unit's name and the factor to it, ``("mm", 10.0)`` for ``"cm"``; None when unknown."""
    word = (
        str(text).strip().replace("\\u00B5", "µ").replace("\\u00b5", "µ").replace("μ", "µ").lower()
    )
    found = table.get(word)
    return None if found is None or found[0] in ("frame", "voxel") else found


METRES = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "nm": 1e-9}


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


@dataclass(frozen=True)
class ReadOptions:
    """How to read: what the user said about the file; see :func:`napari_spatimeinr.io.read`.

    ``any_channel`` takes the first of several, ``load=False`` promises that no voxel is looked at,
    and ``part`` says that the file is one time point of a recording.
    """

    axes: str | None = None
    spacing: tuple[float | None, ...] | None = None
    units: tuple[str | None, str | None] | None = None
    channel: int | None = None
    level: int = 0
    any_channel: bool = False
    load: bool = True
    part: bool = False

    def __post_init__(self) -> None:
        if self.spacing is not None:
            object.__setattr__(self, "spacing", _given_spacing(self.spacing))
        if self.units is not None:
            object.__setattr__(self, "units", _given_units(self.units))


def _given_spacing(spacing: Any) -> tuple[float | None, ...]:
    try:
        values = tuple(None if v is None else float(v) for v in spacing)
    except (TypeError, ValueError) as error:
        raise GridError(
            f"Spacing needs 4 numbers DT,DZ,DY,DX (None keeps the file's), got {spacing!r}."
        ) from error
    if len(values) != 4 or any(v is not None and not (math.isfinite(v) and v > 0) for v in values):
        raise GridError(
            "Spacing needs 4 positive numbers DT,DZ,DY,DX (None keeps the file's), got"
            f" {spacing!r}."
        )
    return values


def _given_units(units: Any) -> tuple[str | None, str | None]:
    parts = (units,) if isinstance(units, str) else tuple(units)
    if len(parts) != 2:
        raise InputError(f"Units are two, of time and of space, for example s,um, got {units!r}.")
    out: list[str | None] = []
    for part, table, known, what in zip(
        parts, (TIME, SPACE), (TIME_UNITS, SPACE_UNITS), ("time", "space"), strict=True
    ):
        word = None if part is None else str(part).strip().replace("μ", "µ").lower()
        if word is not None and (word not in table or table[word][1] != 1.0):
            raise InputError(f"The unit of {what} is one of {', '.join(known)}, got {part!r}.")
        out.append(None if word is None else table[word][0])
    return out[0], out[1]


@dataclass
class Stated:
    """What a file says; None where it says nothing.

    Parameters
    ----------
    spacing : [dt, dz, dy, dx], as stated, in ``units``.
    units : [time, space], names of this package.
    sources : where dt and the voxel size come from, for example "NIfTI header".
    origin : [t, z, y, x] of the first voxel's centre.
    orientation : 3 x 3 in (x, y, z), or None.
    warnings : one-line questions.
    made : what this package wrote about how the values were made.
    """

    spacing: list[float | None] = field(default_factory=lambda: [None] * 4)
    units: list[str | None] = field(default_factory=lambda: [None, None])
    sources: dict[str, str | None] = field(default_factory=lambda: {"dt": None, "voxel": None})
    origin: list[float] = field(default_factory=lambda: [0.0] * 4)
    orientation: Floats | None = None
    warnings: list[str] = field(default_factory=list)
    made: dict[str, Any] | None = None

    def forget_time(self) -> None:
        """A file that is one time point of several says nothing about time."""
        self.spacing[0], self.units[0], self.sources["dt"], self.origin[0] = None, None, None, 0.0


@dataclass(frozen=True)
class Settled:
    """What a volume gets, and the part of its metadata that says why."""

    spacing: Four
    origin: Four
    units: tuple[str, str]
    orientation: Floats | None
    metadata: dict[str, Any]


def settle(stated: Stated, how: ReadOptions, shape: tuple[int, ...]) -> Settled:
    """What the file states, under what the user gave, with 1.0 frame and voxel for the rest.

    ``units`` given by the user name the unit of the numbers; they convert nothing. An origin keeps
    its place in voxels when the spacing is given.

    Parameters
    ----------
    stated : what the file says.
    how : what the user says.
    shape : (T, Z, Y, X).

    Raises
    ------
    GridError
        If the file states an impossible spacing and none was given instead.
    """
    given = how.spacing or (None,) * 4
    given_units = how.units or (None, None)
    warnings = list(stated.warnings)
    file = [_usable(v, axis, given[axis], warnings) for axis, v in enumerate(stated.spacing)]
    known = [g if g is not None else f for g, f in zip(given, file, strict=True)]
    spacing = [1.0 if k is None else k for k in known]
    for axis, other in ((2, 3), (3, 2)):
        if known[axis] is None and known[other] is not None:
            spacing[axis] = spacing[other]
    sources = dict(stated.sources)
    units: list[str] = []
    for part, axes, default, unknown in (
        ("dt", [0], "s", "frame"),
        ("voxel", [1, 2, 3], "um", "voxel"),
    ):
        k = 0 if part == "dt" else 1
        told = any(given[a] is not None for a in axes)
        unit, own = (
            given_units[k],
            stated.units[k] if any(file[a] is not None for a in axes) else None,
        )
        units.append(unit or own or (stated.units[k] or default if told else unknown))
        if told or unit is not None:
            sources[part] = "given"
        elif all(known[a] is None for a in axes):
            sources[part] = None
    if known[1] is None and shape[1] > 1 and known[3] is not None:
        warnings.append(
            f"The file does not state the z step; 1 {units[1]} was assumed: what is it (--spacing"
            " DT,DZ,DY,DX)?"
        )
    warnings += questions(known, units, shape)
    origin = [
        o * s / (f or 1.0) if g is not None else o
        for o, s, f, g in zip(stated.origin, spacing, file, given, strict=True)
    ]
    metadata = {
        "calibrated_by": sources,
        "stated": {
            "spacing": [
                s if k is not None or given_units[min(a, 1)] is not None else None
                for a, (k, s) in enumerate(zip(known, spacing, strict=True))
            ],
            "units": [None if u in ("frame", "voxel") else u for u in units],
        },
        "warnings": warnings,
    }
    whole = _four(spacing), _four(origin)
    return Settled(*whole, (units[0], units[1]), stated.orientation, metadata)


def _four(values: Sequence[float]) -> Four:
    t, z, y, x = values
    return t, z, y, x


def _usable(
    value: float | None, axis: int, given: float | None, warnings: list[str]
) -> float | None:
    if value is None or given is not None:
        return None if value is None or not (math.isfinite(value) and value > 0) else float(value)
    if value == 0:
        what = "frame interval" if axis == 0 else f"spacing along {AXES[axis]}"
        warnings.append(
            f"The file states a {what} of 0, which was taken as unknown: what is it (--spacing"
            " DT,DZ,DY,DX)?"
        )
        return None
    if not (math.isfinite(value) and value > 0):
        raise GridError(
            f"The file states an impossible spacing of {value:g} along {AXES[axis]}; give it with"
            " --spacing DT,DZ,DY,DX."
        )
    return float(value)


def questions(
    known: Sequence[float | None], units: Sequence[str], shape: Sequence[int]
) -> list[str]:
    """What is suspicious about a calibration, a line each.

    Parameters
    ----------
    known : (dt, dz, dy, dx), None where nobody says.
    units : of time and space.
    shape : (T, Z, Y, X).
    """
    out = []
    dz, dy, dx = known[1:]
    if (
        dz is not None
        and dx is not None
        and dy is not None
        and shape[1] > 1
        and dz < 0.999 * min(dy, dx)
    ):
        out.append(
            f"The z step ({dz:g} {units[1]}) is smaller than the pixel ({min(dy, dx):g}"
            f" {units[1]}): is that right?"
        )
    if all(v == 1.0 for v in known[1:]) and units[1] != "voxel":
        out.append(
            f"The voxel size is 1 {units[1]} on every axis: is that right, or was it never set?"
        )
    return out
