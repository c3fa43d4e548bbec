"""A tracing in the recording it belongs to: places in um, rows that cannot be right told and left
out, lives and divisions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from . import names as _names
from .lineage import Carry, Life, Lineage, gaps
from .sentences import listed
from .tracing import LONG, Tracing

Array = NDArray[np.float64]

OUTSIDE = 0.5
"""A tracing with more than this share of its rows outside is not of this recording."""


@dataclass(frozen=True)
class Raw:
    """A recording as a tracing sees it.

    Parameters
    ----------
    shape : (Z, Y, X).
    spacing : (dz, dy, dx), um.
    frames : numbers of its time points, increasing.
    z_first : what the csv calls the first slice: 1 as ``_p01`` does, or 0.
    z_flip : whether the csv counts slices from the other end.
    origin : the first voxel's centre, (z, y, x) in um.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    frames: tuple[int, ...]
    z_first: int = 1
    z_flip: bool = False
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def to_um(self, places: Array) -> Array:
        """Slice, row and column ``(n, 3)`` to ``(z, y, x)`` in um."""
        out = np.array(places, dtype=np.float64)
        out[:, 0] = self._turned(out[:, 0] - self.z_first)
        return out * self.spacing + self.origin

    def to_places(self, positions: Array) -> Array:
        """The inverse of :meth:`to_um`."""
        out = (np.asarray(positions, dtype=np.float64) - self.origin) / self.spacing
        out[:, 0] = self._turned(out[:, 0]) + self.z_first
        return out

    def _turned(self, z: Array) -> Array:
        return self.shape[0] - 1 - z if self.z_flip else z


def lineage_of(
    tracing: Tracing, raw: Raw, rootname: str | None = None
) -> tuple[Lineage, list[str]]:
    """The lineage of a tracing in its recording, and a sentence for each thing left out.

    Rows beyond the recording's time points, outside of its volume, and of a mother beside her
    daughters are left out.

    Parameters
    ----------
    tracing : as it was read.
    raw : the recording.
    rootname : of its files, for example ``Emb1_``; a csv with another embryo's name is told.

    Raises
    ------
    InputError
        If no row lies within the recording's time, or most lie outside of its volume, so that the
        tracing is not of this recording.
    """
    told = _root(tracing, rootname)
    tracing = _in_time(tracing, raw, told)
    tracing = _in_volume(tracing, raw, told)
    lives = _lives(tracing, raw)
    lineage = Lineage.of(_parted(lives, tracing.source, told))
    missing = [f"{name} at {a + 1}" for name in lineage.names for a, _ in gaps(lineage.lives[name])]
    if missing:
        told.append(
            f"{tracing.source} lacks {listed(missing)}, between time points where the cell is"
            " there; a spline goes across."
        )
    empty = [t for t in raw.frames if not lineage.names_at(t)]
    if empty:
        told.append(f"{tracing.source} has no cell at the time points {listed(empty)}.")
    return lineage, told


def tracing_of(
    lineage: Lineage,
    raw: Raw,
    times: dict[int, float] | None = None,
    columns: tuple[str, ...] = LONG,
    carry: Carry | None = None,
) -> Tracing:
    """A lineage as the rows of a csv, in the order of time.

    Parameters
    ----------
    lineage : who is where.
    raw : the recording whose slices, rows and columns places are given in.
    times : for each number in the csv the time it stands for, in acquired time points; those of the
        recording if None.
    columns : the layout; what is not known is left empty.
    carry : see :meth:`.Lineage.positions_at`.
    """
    wanted = {t: float(t) for t in raw.frames} if times is None else times
    cells: list[str] = []
    frames: list[int] = []
    positions: list[Array] = []
    for number, when in wanted.items():
        for name, place in lineage.positions_at(when, carry).items():
            cells.append(name)
            frames.append(number)
            positions.append(place)
    places = raw.to_places(np.reshape(positions, (-1, 3)))
    return Tracing(tuple(cells), np.array(frames, dtype=np.int64), places, columns)


def _root(tracing: Tracing, rootname: str | None) -> list[str]:
    """Whether the name of the csv is that of another embryo."""
    found = re.match(r"(.+?)_?cell_?tracing", Path(tracing.source).name, re.IGNORECASE)
    if not found or not rootname or found[1].casefold() == rootname.rstrip("_").casefold():
        return []
    return [
        f"{tracing.source} has the name of {found[1]} while the slices are of"
        f" {rootname.rstrip('_')}: does it belong to them?"
    ]


def _in_time(tracing: Tracing, raw: Raw, told: list[str]) -> Tracing:
    first, last = raw.frames[0], raw.frames[-1]
    inside = (tracing.frames >= first) & (tracing.frames <= last)
    if not inside.any():
        raise InputError(
            f"{tracing.source} traces the time points {tracing.frames.min()} to"
            f" {tracing.frames.max()} and the recording has {first} to {last}; give the tracing of"
            " this recording."
        )
    if inside.all():
        return tracing
    beyond = int(np.count_nonzero(~inside))
    told.append(
        f"{tracing.source} has {beyond} row{'s' if beyond > 1 else ''} at time points beyond the"
        f" recording ({first} to {last}); they are left out."
    )
    return tracing.only(inside)


def _in_volume(tracing: Tracing, raw: Raw, told: list[str]) -> Tracing:
    at = (raw.to_um(tracing.places) - raw.origin) / raw.spacing
    inside = np.all((at >= -0.5) & (at <= np.array(raw.shape) - 0.5), axis=1)
    if inside.all():
        return tracing
    outside = np.flatnonzero(~inside)
    size = " x ".join(map(str, raw.shape))
    if len(outside) > OUTSIDE * len(inside):
        raise InputError(
            f"{len(outside)} of {len(inside)} places of {tracing.source} lie outside of the slices"
            f" ({size}; z, y, x); give the tracing of this embryo."
        )
    some = [f"{tracing.cells[k]} at {tracing.frames[k]}" for k in outside]
    told.append(
        f"{tracing.source} puts {listed(some)} outside of the slices ({size}; z, y, x); left out."
    )
    return tracing.only(inside)


def _lives(tracing: Tracing, raw: Raw) -> dict[str, Life]:
    rows: dict[str, list[int]] = {}
    for k in np.argsort(tracing.frames, kind="stable"):
        rows.setdefault(tracing.cells[k], []).append(int(k))
    positions = raw.to_um(tracing.places)
    return {name: Life(name, tracing.frames[of], positions[of]) for name, of in rows.items()}


def _parted(lives: dict[str, Life], source: str, told: list[str]) -> list[Life]:
    """Lives of mothers until their daughters begin; from the last generation backwards."""
    known = dict(lives)
    cut = []
    for name in reversed(_names.in_order(known)):
        pair = _names.daughters(name, known)
        if not pair:
            continue
        begun = min(known[one].first for one in pair)
        life = known[name]
        if life.last < begun:
            continue
        cut.append(f"{name} at {life.last}")
        before = life.frames < begun
        if before.any():
            known[name] = Life(name, life.frames[before], life.positions[before])
        else:
            del known[name]
    if cut:
        told.append(f"{source} still has {listed(cut[::-1])} where a daughter is there; left out.")
    return list(known.values())
