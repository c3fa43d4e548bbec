"""The time points that are made of an embryo: their numbers, times, and the cells alive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..data.grid import Grid
from .guidata.tables import put_lines
from .lineage import Division, Lineage
from .recording import Embryo
from .volumes import digits

COLUMNS = ("number", "time_s", "acquired", "cells", "dividing")
APART = ";"
"""Between several names in one column."""
SAME = 1e-6
"""Times are the same to so many frames."""


@dataclass(frozen=True)
class TimePoint:
    """One of the time points that are written.

    Parameters
    ----------
    number : in names of files.
    time : s; the acquired time point n is at n dt.
    when : the same in acquired time points, as a lineage counts them.
    acquired : number of the acquired time point that this one is; None in between.
    cells : names of the cells alive. Around a division, which nobody saw, that is the mother until
        its middle and her daughters from there on.
    dividing : names of mothers whose division lies somewhere around this time.
    parting : names of the cells whose daughters are there at the next time point.
    """

    number: int
    time: float
    when: float
    acquired: int | None
    cells: tuple[str, ...]
    dividing: tuple[str, ...]
    parting: tuple[str, ...] = ()


def time_points(embryo: Embryo, grid: Grid, anew: bool) -> tuple[TimePoint, ...]:
    """The time points of a rendering, in order.

    Parameters
    ----------
    embryo : what is rendered.
    grid : of the rendering.
    anew : whether they are numbered from 1 on; else they have the numbers of acquired ones.
    """
    numbers = dict(zip(embryo.record.grid.coordinates(0), embryo.raw.frames, strict=True))
    lineage = embryo.lineage
    times = [float(t) for t in grid.coordinates(0)]
    alive = [lineage.names_at(t / embryo.dt) for t in times]
    after = [*alive[1:], ()]
    out = []
    for k, t in enumerate(times):
        near, number = min((abs(t - clock), number) for clock, number in numbers.items())
        acquired = number if near <= SAME * embryo.dt else None
        when = t / embryo.dt if acquired is None else float(acquired)
        out.append(
            TimePoint(
                k + 1 if anew or acquired is None else acquired,
                t,
                when,
                acquired,
                alive[k],
                tuple(division.mother for division in lineage.dividing_at(when)),
                _parting(lineage, alive[k], after[k]),
            )
        )
    return tuple(out)


def _parting(lineage: Lineage, now: Sequence[str], then: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        d.mother for d in lineage.divisions if d.mother in now and set(d.daughters) & set(then)
    )


def width(points: Sequence[TimePoint]) -> int:
    """How many digits numbers have in names of files."""
    return digits(points[-1].number)


def write_times(path: Path, points: Sequence[TimePoint]) -> None:
    """Write ``times.csv``: number, time in s, acquired number or nothing, names of the cells alive,
    of those around whose division it lies; whole or not at all.
    """
    rows = [
        [
            point.number,
            f"{point.time:.10g}",
            "" if point.acquired is None else point.acquired,
            APART.join(point.cells),
            APART.join(point.dividing),
        ]
        for point in points
    ]
    put_lines(path, [list(COLUMNS), *rows])


def write_divisions(
    path: Path, divisions: Sequence[Division], points: Sequence[TimePoint], dt: float
) -> None:
    """Write a row for each division: between which acquired time points it lies, where it is
    placed (s), and the numbers of the last file with the mother and the first with a daughter.
    """
    rows = [["mother", "daughters", "after", "before", "placed_s", "last_file", "first_file"]]
    for division in divisions:
        last, first = "", ""
        for one, other in pairwise(points):
            if division.mother in one.parting:
                last, first = str(one.number), str(other.number)
        rows.append(
            [
                division.mother,
                APART.join(division.daughters),
                str(division.after),
                str(division.before),
                f"{division.middle * dt:.10g}",
                last,
                first,
            ]
        )
    put_lines(path, rows)
