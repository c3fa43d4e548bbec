"""A lineage as an object: who lives when and where, and who divides.

Times are numbers of acquired time points as a tracing counts them, and may be fractional: 3.5 lies
halfway between the time points 3 and 4. Positions are ``(z, y, x)`` in um.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline, make_interp_spline

from ..errors import InputError
from . import names as _names

Array = NDArray[np.float64]
Carry = Callable[[Array, float, float], Array]
"""Carries points ``(n, 3)`` in um from one time to another, say along a fitted velocity field."""
DIGITS = 6
"""Times count as the same to so many digits, since they come of seconds."""


@dataclass(frozen=True, eq=False)
class Life:
    """A cell from its first traced time point to its last.

    Parameters
    ----------
    name : of the cell.
    frames : ``(n,)`` numbers of time points, increasing; some between may be missing.
    positions : ``(n, 3)`` of its nucleus, ``(z, y, x)`` in um.

    Raises
    ------
    InputError
        If there is no time point, or they do not increase, or positions are not finite.
    """

    name: str
    frames: NDArray[np.int64]
    positions: Array

    def __post_init__(self) -> None:
        frames = np.asarray(self.frames, dtype=np.int64)
        positions = np.asarray(self.positions, dtype=np.float64)
        if frames.ndim != 1 or not len(frames) or np.any(np.diff(frames) <= 0):
            raise InputError(f"The cell {self.name} needs increasing time points, at least one.")
        if positions.shape != (len(frames), 3) or not np.isfinite(positions).all():
            raise InputError(
                f"The cell {self.name} needs a finite place (z, y, x) for each of its"
                f" {len(frames)} time points."
            )
        object.__setattr__(self, "frames", frames)
        object.__setattr__(self, "positions", positions)

    @property
    def first(self) -> int:
        """The first time point."""
        return int(self.frames[0])

    @property
    def last(self) -> int:
        """The last time point."""
        return int(self.frames[-1])

    @cached_property
    def _spline(self) -> BSpline:
        degree = min(3, len(self.frames) - 1)
        return make_interp_spline(self.frames.astype(np.float64), self.positions, k=degree)

    def at(self, when: float) -> Array:
        """Where the nucleus is, ``(3,)``: on a spline through its traced places; before the first
        and after the last it stays.
        """
        return np.asarray(self._spline(np.clip(when, self.first, self.last)), np.float64)

    def around(self, when: float) -> tuple[tuple[int, float], ...]:
        """The rows traced just before and after a time, and how much each counts there: the nearer
        more; one alone before the first and after the last.
        """
        after = int(np.searchsorted(self.frames, when))
        if after in (0, len(self.frames)):
            return ((min(after, len(self.frames) - 1), 1.0),)
        one, other = (float(self.frames[k]) for k in (after - 1, after))
        share = (when - one) / (other - one)
        return (after - 1, 1 - share), (after, share)


@dataclass(frozen=True)
class Division:
    """A cell that becomes two between two acquired time points.

    Parameters
    ----------
    mother : her name.
    daughters : their names; one where the other was not traced.
    after : the mother's last time point.
    before : the daughters' first one.
    """

    mother: str
    daughters: tuple[str, ...]
    after: int
    before: int

    @property
    def middle(self) -> float:
        """Where it is placed, since nobody saw it: the mother is shown until then."""
        return (self.after + self.before) / 2

    def sentence(self) -> str:
        """What is known of it, and what is not."""
        return (
            f"{self.mother} divides into {' and '.join(self.daughters)} between the time points"
            f" {self.after} and {self.before}; it is shown as one cell until {self.middle:g}."
        )


@dataclass(frozen=True, eq=False)
class Lineage:
    """Lives of cells and the divisions between them; make one with :meth:`of`.

    Parameters
    ----------
    lives : by name, in the order of lineage.
    divisions : in the order of time.
    """

    lives: Mapping[str, Life]
    divisions: tuple[Division, ...]
    _of_mother: dict[str, Division] = field(init=False, repr=False)
    _of_daughter: dict[str, Division] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_of_mother", {d.mother: d for d in self.divisions})
        born = {name: d for d in self.divisions for name in d.daughters}
        object.__setattr__(self, "_of_daughter", born)

    @classmethod
    def of(cls, lives: Iterable[Life]) -> Lineage:
        """A lineage of lives, with the divisions that follow from their names.

        Raises
        ------
        InputError
            If a cell has two lives, or a mother lives on beside a daughter.
        """
        known: dict[str, Life] = {}
        for life in lives:
            if life.name in known:
                raise InputError(f"The cell {life.name} is there twice; give each cell one life.")
            known[life.name] = life
        known = {name: known[name] for name in _names.in_order(known)}
        divisions = []
        for name, life in known.items():
            pair = _names.daughters(name, known)
            if not pair:
                continue
            begun = min(known[one].first for one in pair)
            if begun <= life.last:
                raise InputError(
                    f"{name} is still traced at time point {life.last} where its daughter begins"
                    f" at {begun}; correct the tracing."
                )
            divisions.append(Division(name, pair, life.last, begun))
        return cls(known, tuple(sorted(divisions, key=lambda d: (d.middle, d.mother))))

    @property
    def first(self) -> int:
        """The first time point of any cell."""
        return min(life.first for life in self.lives.values())

    @property
    def last(self) -> int:
        """The last time point of any cell."""
        return max(life.last for life in self.lives.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Of all cells, in the order of lineage."""
        return tuple(self.lives)

    def span(self, name: str) -> tuple[float, float]:
        """From when until when a cell is shown: until the middle of its division; from there on."""
        life = self.lives[name]
        born, ends = self._of_daughter.get(name), self._of_mother.get(name)
        begin = float(life.first) if born is None else born.middle
        return begin, float(life.last) if ends is None else ends.middle

    def names_at(self, when: float) -> tuple[str, ...]:
        """The cells that are there; at the very middle of a division the daughters are."""
        when = round(float(when), DIGITS)
        return tuple(name for name in self.lives if self._is_alive(name, when))

    def _is_alive(self, name: str, when: float) -> bool:
        begin, end = self.span(name)
        return begin <= when and (when < end if name in self._of_mother else when <= end)

    def positions_at(self, when: float, carry: Carry | None = None) -> dict[str, Array]:
        """Where each cell that is there has its nucleus, ``(3,)`` in um, ``(z, y, x)``.

        Within a life by a spline, never from a mother to her daughters: between her last time point
        and the middle of the division she stays where she was, then the daughters are where they
        will be seen first. With ``carry`` the traced places before and after are carried to
        ``when`` along that motion, the mother's last and the daughters' first ones too.
        """
        names = self.names_at(when)
        if carry is None:
            return {name: self.lives[name].at(when) for name in names}
        rows = [(name, k, share) for name in names for k, share in self.lives[name].around(when)]
        out = {name: np.zeros(3) for name in names}
        for frame in sorted({int(self.lives[name].frames[k]) for name, k, _ in rows}):
            here = [row for row in rows if self.lives[row[0]].frames[row[1]] == frame]
            places = np.stack([self.lives[name].positions[k] for name, k, _ in here])
            carried = carry(places, float(frame), when)
            for (name, _, share), place in zip(here, carried, strict=True):
                out[name] += share * place
        return out

    def dividing_at(self, when: float) -> tuple[Division, ...]:
        """The divisions that lie somewhere around ``when``, between two acquired time points."""
        when = round(float(when), DIGITS)
        return tuple(d for d in self.divisions if d.after < when < d.before)


def gaps(life: Life) -> tuple[tuple[int, int], ...]:
    """Pairs of traced time points of a life between which some are missing."""
    return tuple((int(a), int(b)) for a, b in pairwise(life.frames) if b - a > 1)
