"""How to read and how to write: what the user says about a file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..data.units import SPACE, SPACE_UNITS, TIME, TIME_UNITS, word_of
from ..errors import GridError, InputError


@dataclass(frozen=True)
class ReadOptions:
    """How to read: what the user said about the file; see :func:`napari_spatimeinr.io.read`.

    ``any_channel`` takes the first of several, ``load=False`` promises that no voxel is looked at,
    ``glance`` that few are, and ``part`` says that the file is one time point of a recording.
    """

    axes: str | None = None
    spacing: tuple[float | None, ...] | None = None
    units: tuple[str | None, str | None] | None = None
    channel: int | None = None
    level: int = 0
    any_channel: bool = False
    load: bool = True
    part: bool = False
    glance: bool = False

    def __post_init__(self) -> None:
        if self.spacing is not None:
            object.__setattr__(self, "spacing", _given_spacing(self.spacing))
        if self.units is not None:
            object.__setattr__(self, "units", _given_units(self.units))

    @property
    def said(self) -> dict[str, Any]:
        """What the user said, as JSON values; nothing of what they did not say."""
        values = {
            "axes": self.axes,
            "spacing": None if self.spacing is None else list(self.spacing),
            "units": None if self.units is None else list(self.units),
            "channel": self.channel,
            "level": self.level or None,
        }
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def of(cls, said: dict[str, Any]) -> ReadOptions:
        """The options that :attr:`said` tells of."""
        spacing, units = said.get("spacing"), said.get("units")
        return cls(
            said.get("axes"),
            None if spacing is None else tuple(spacing),
            None if units is None else tuple(units),
            said.get("channel"),
            said.get("level", 0),
        )

    @property
    def given_spacing(self) -> tuple[float | None, ...]:
        """(dt, dz, dy, dx), None where the user said nothing."""
        return self.spacing or (None,) * 4

    @property
    def given_units(self) -> tuple[str | None, str | None]:
        """Of time and of space, None where the user said nothing."""
        return self.units or (None, None)


@dataclass(frozen=True)
class WriteOptions:
    """How to write; see :func:`napari_spatimeinr.io.write`."""

    dtype: Any = None
    zarr_version: str = "0.4"


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
    time, space = parts
    return (
        None if time is None else _unit(time, TIME, TIME_UNITS, "time"),
        None if space is None else _unit(space, SPACE, SPACE_UNITS, "space"),
    )


def _unit(given: Any, table: Any, known: tuple[str, ...], what: str) -> str:
    """A unit as this package calls it; one with a factor to it, such as cm, converts and is none
    to give.
    """
    unit, factor = table.get(word_of(given), ("", 0.0))
    if factor != 1.0:
        raise InputError(f"The unit of {what} is one of {', '.join(known)}, got {given!r}.")
    return str(unit)
