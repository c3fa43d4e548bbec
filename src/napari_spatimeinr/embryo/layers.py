"""A lineage as napari's layers take it: Tracks with a graph, Points with names; plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .lineage import Carry, Lineage

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TracksData:
    """What napari's Tracks layer takes, as plain arrays.

    data : ``(n, 5)``: number of the track, then (t, z, y, x); t counts time points from the
        recording's first, so that a layer is scaled by (dt, 1, 1, 1).
    graph : the number of a daughter to that of her mother.
    properties : ``(n,)`` each: name, time point, and whether a row is the last before a division.
    """

    data: Array
    graph: dict[int, list[int]]
    properties: dict[str, NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class PointsData:
    """What napari's Points layer takes, as plain arrays.

    data : ``(n, 4)`` (t, z, y, x); t as in the tracks.
    names : ``(n,)`` of the cells, for the text.
    dividing : ``(n,)`` whether a cell is in between her last time point and the division, or one
        just after it and not seen yet.
    """

    data: Array
    names: NDArray[np.str_]
    dividing: NDArray[np.bool_]


def tracks(lineage: Lineage, first: int = 1) -> TracksData:
    """All traced places as tracks, of which daughters' hang on their mother's.

    Parameters
    ----------
    lineage : who is where.
    first : number of the time point that is the recording's first frame.
    """
    number = {name: k for k, name in enumerate(lineage.lives, 1)}
    rows = [
        np.column_stack([np.full(len(life.frames), number[name]), life.frames - first])
        for name, life in lineage.lives.items()
    ]
    places = [life.positions for life in lineage.lives.values()]
    data = np.column_stack([np.concatenate(rows), np.concatenate(places)]).astype(np.float64)
    frames = np.concatenate([life.frames for life in lineage.lives.values()])
    lengths = [len(life.frames) for life in lineage.lives.values()]
    graph = {
        number[one]: [number[division.mother]]
        for division in lineage.divisions
        for one in division.daughters
    }
    ends = {division.mother: division.after for division in lineage.divisions}
    named = np.repeat(np.array(list(lineage.lives)), lengths)
    divides = np.array([ends.get(n) == f for n, f in zip(named, frames, strict=True)])
    properties = {"name": named, "time_point": frames, "divides": divides}
    return TracksData(data, graph, properties)


def points(
    lineage: Lineage,
    times: Sequence[float] | None = None,
    first: int = 1,
    carry: Carry | None = None,
) -> PointsData:
    """Where cells are at some times, as points with names.

    Parameters
    ----------
    lineage : who is where.
    times : numbers of time points, fractional ones too; all acquired ones if None.
    first : number of the time point that is the recording's first frame.
    carry : see :meth:`.Lineage.positions_at`.
    """
    wanted = range(lineage.first, lineage.last + 1) if times is None else times
    rows: list[Array] = []
    named: list[str] = []
    dividing: list[bool] = []
    for when in wanted:
        around = lineage.dividing_at(when)
        between = {one for d in around for one in (d.mother, *d.daughters)}
        for name, place in lineage.positions_at(when, carry).items():
            rows.append(np.array([when - first, *place]))
            named.append(name)
            dividing.append(name in between)
    data = np.stack(rows) if rows else np.empty((0, 4))
    return PointsData(data, np.array(named, dtype=np.str_), np.array(dividing, dtype=bool))
