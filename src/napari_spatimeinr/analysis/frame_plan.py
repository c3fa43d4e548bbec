"""What is said of the frame intervals that were tried on a recording."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from ..model.confidence import LEVEL
from .expected import Spot
from .sentences import ordinal

LOSS_DB = 1.0
"""What may be lost where no quality is asked for, of that of the shortest interval tried."""
LEAST_COVERAGE = 0.8
"""Below this share of voxels inside, the interval of confidence is said not to hold."""


@dataclass(frozen=True)
class Tried:
    """One frame interval that was tried, on the frames left out.

    Parameters
    ----------
    gap : every how-manieth frame was given.
    interval : between given frames, in the recording's unit of time.
    given, scored : numbers of frames.
    psnr, psnr_smoothed, linear : of the fit, smoothed, and of linear interpolation, dB.
    coverage : share of the recorded voxels within the interval of confidence; NaN where the fit
        has none (fewer than four given frames).
    """

    gap: int
    interval: float
    given: int
    scored: int
    psnr: float
    psnr_smoothed: float
    linear: float
    coverage: float


@dataclass(frozen=True)
class Plan:
    """What :func:`.plan` found; ``wanted`` in dB, ``asked`` if it was the user's, times in
    ``units[0]``.
    """

    input: str
    interval: float
    units: tuple[str, str]
    tried: tuple[Tried, ...]
    wanted: float
    asked: bool
    spot: Spot | None
    seconds: float
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=(), repr=False)

    @property
    def enough(self) -> Tried | None:
        """The longest interval up to which all that were tried have the wanted quality."""
        return _longest(self.tried, self.wanted, "psnr")

    def sentence(self) -> str:
        """What it comes to, for people."""
        return " ".join(self.sentences())

    def sentences(self) -> list[str]:
        """The same, one after the other."""
        enough = f"{self._enough()} {self._linear()}".strip()
        spot = "" if self.spot is None else self.spot.sentence(self.units)
        return [words for words in (enough, self._coverage(), spot, *self.left_out) if words]

    def _enough(self) -> str:
        first, enough = self.tried[0], self.enough
        wanted = f"{self.wanted:.1f} dB"
        if not self.asked:
            wanted += f" ({LOSS_DB:g} dB less than every {ordinal(first.gap)} gives)"
        if enough is None:
            return (
                f"No frame could have been left out for {wanted}: every {ordinal(first.gap)} frame"
                f" gives {first.psnr:.1f} dB."
            )
        unit = self.units[0]
        apart = f"one each {enough.interval:g} {unit} instead of {self.interval:g} {unit}"
        longer = "; longer intervals were not tried" if enough is self.tried[-1] else ""
        return (
            f"Every {ordinal(enough.gap)} frame would have been enough for {wanted}: {apart},"
            f" {100 / enough.gap:.0f} % of the light{longer}."
        )

    def _linear(self) -> str:
        if self.enough is None:
            return ""
        linear = _longest(self.tried, self.wanted, "linear")
        if linear is None:
            return "Linear interpolation reaches that with none of these."
        return f"Linear interpolation needs every {ordinal(linear.gap)}."

    def _coverage(self) -> str:
        at = self.enough or self.tried[0]
        if not at.coverage < LEAST_COVERAGE:
            return ""
        return (
            f"There the interval of confidence, which should hold {100 * LEVEL:.0f} % of the"
            f" voxels, holds {100 * at.coverage:.0f} %."
        )

    def table(self) -> str:
        """A table for people."""
        table = Table(title=f"{self.input}: quality against the frame interval")
        unit = self.units[0]
        heads = ("given", f"interval ({unit})", "frames given", "frames scored", "PSNR", "smoothed")
        for head in (*heads, "linear", "within confidence"):
            table.add_column(head, justify="right")
        for row in self.tried:
            inside = f"{100 * row.coverage:.0f} %" if math.isfinite(row.coverage) else ""
            numbers = (f"{v:.2f}" for v in (row.psnr, row.psnr_smoothed, row.linear))
            counts = (f"{row.interval:g}", str(row.given), str(row.scored))
            table.add_row(f"1 of {row.gap}", *counts, *numbers, inside)
        target = io.StringIO()
        Console(file=target, width=110).print(table)
        return target.getvalue()

    def to_json(self) -> dict[str, Any]:
        """Plain values; what could not be computed is null."""
        enough = self.enough
        return {
            "input": self.input,
            "hold_out": "time",
            "interval": self.interval,
            "units": list(self.units),
            "gaps": [
                {key: _plain(getattr(row, key)) for key in Tried.__dataclass_fields__}
                for row in self.tried
            ],
            "wanted_db": _plain(self.wanted),
            "asked": self.asked,
            "enough": None
            if enough is None
            else {"gap": enough.gap, "interval": enough.interval, "light": 1 / enough.gap},
            "one_more_frame": None if self.spot is None else self.spot.to_json(),
            "sentence": self.sentence(),
            "left_out": list(self.left_out),
            "seconds": round(self.seconds, 2),
            "warnings": list(self.warnings),
        }


def _longest(tried: Sequence[Tried], wanted: float, what: str) -> Tried | None:
    longest = None
    for row in tried:
        if not getattr(row, what) >= wanted:
            break
        longest = row
    return longest


def _plain(value: float) -> float | int | None:
    if isinstance(value, int):
        return value
    return round(value, 4) if math.isfinite(value) else None
