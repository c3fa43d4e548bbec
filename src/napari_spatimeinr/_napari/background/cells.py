"""What the engine does with an embryo: open it, find and measure its cells, carry corrections,
write all files; functions that call ``tick`` and know nothing of windows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.grid import Grid
from ...embryo import dictionary
from ...embryo.carried import along
from ...embryo.correct import carried
from ...embryo.fitted import Corrected, Plan, carry_of
from ...embryo.flip import FlipView
from ...embryo.journey import Outcome, journey
from ...embryo.lineage import Carry
from ...embryo.measure import Measures, measure
from ...embryo.placing import lineage_of
from ...embryo.recording import Embryo, open_embryo
from ...embryo.segment import segment
from ...errors import InputError
from ...field import Field
from ...volume import Volume
from .jobs import Share, Tick

Labels = NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class Opened:
    """An embryo in napari.

    Parameters
    ----------
    embryo : as it was opened, or with its slices counted from the other end.
    flip : both ways round; None where no nucleus is traced in the last frame.
    """

    embryo: Embryo
    flip: FlipView | None

    @cached_property
    def volume(self) -> Volume:
        """The recording."""
        return Volume.of(self.embryo.record)

    @cached_property
    def labels(self) -> dict[str, int]:
        """Cells' labels by name."""
        return dictionary.extended({}, self.embryo.lineage.names)

    def number_of(self, frame: float) -> float:
        """The number of the time point, as the tracing counts, of a (fractional) frame."""
        numbers = self.embryo.raw.frames
        return float(np.interp(frame, np.arange(len(numbers)), numbers))

    def frame_of(self, number: Any) -> NDArray[np.float64]:
        """The inverse of :meth:`number_of`, of one or many."""
        numbers = self.embryo.raw.frames
        return np.asarray(np.interp(number, numbers, np.arange(len(numbers))), np.float64)

    def is_acquired(self, number: float) -> bool:
        """Whether a time was recorded."""
        return number in self.embryo.raw.frames

    def grid_at(self, number: float) -> Grid:
        """The voxels of the cells at a time, ``(1, Z, Y, X)``."""
        grid = self.embryo.data_grid
        place = (number * self.embryo.dt, *grid.origin[1:])
        return Grid((1, *grid.shape[1:]), grid.spacing, place)

    def turned(self, z_flip: bool) -> Opened:
        """The same with slices counted from the other end, or not."""
        embryo = self.embryo
        raw = replace(embryo.raw, z_flip=z_flip)
        lineage, _ = lineage_of(embryo.tracing, raw, embryo.run.rootname)
        return Opened(replace(embryo, raw=raw, lineage=lineage), self.flip)


@dataclass
class Cells:
    """Cells at one time.

    Parameters
    ----------
    number : of the time point, fractional between two.
    grid : ``(1, Z, Y, X)``.
    labels : ``(Z, Y, X)`` as they were found, or as they were when a correction was last carried.
    measures : of them.
    said : sentences about cells that could not be found.
    touched : whether somebody corrected them, here or at another time.
    """

    number: float
    grid: Grid
    labels: Labels
    measures: Measures
    said: list[str] = field(default_factory=list)
    touched: bool = False

    @property
    def spacing(self) -> tuple[float, float, float]:
        """(z, y, x), um."""
        return self.grid.spacing[1:]

    @property
    def origin(self) -> tuple[float, float, float]:
        """(z, y, x), um."""
        return self.grid.origin[1:]

    def corrected(self, labels: NDArray[Any]) -> Cells:
        """The same time with other labels, measured anew."""
        kept = np.array(labels, np.uint16)
        measures = measure(kept, self.spacing, self.origin)
        touched = self.differs(kept)
        return replace(self, labels=kept, measures=measures, touched=touched)

    def differs(self, labels: NDArray[Any]) -> bool:
        """Whether labels are other than what the program found: corrected now, or before."""
        return self.touched or not np.array_equal(self.labels, labels)


def open_work(path: str, **how: Any) -> Callable[[Tick], Opened]:
    """Open what a run file names; ``how`` as of :func:`.open_embryo`."""

    def work(tick: Tick) -> Opened:
        embryo = open_embryo(path, **how)
        try:
            return Opened(embryo, embryo.flip())
        except InputError:
            return Opened(embryo, None)

    return work


def motion_of(opened: Opened, fitted: Field | None) -> Carry | None:
    """What carries nuclei between traced time points; None before there is a fit."""
    return None if fitted is None else carry_of(fitted, opened.embryo.dt)


def cells_at(opened: Opened, fitted: Field, number: float) -> Cells:
    """Segment the membranes at any time.

    Parameters
    ----------
    opened : the embryo.
    fitted : to its recording.
    number : of the time point, as the tracing counts; fractional between two.
    """
    grid = opened.grid_at(number)
    frame = np.asarray(fitted.on_grid(grid)[0])
    nuclei = opened.embryo.lineage.positions_at(number, motion_of(opened, fitted))
    spacing, origin = grid.spacing[1:], grid.origin[1:]
    found = segment(frame, spacing, nuclei, opened.labels, origin)
    measures = measure(found.labels, spacing, origin)
    return Cells(number, grid, found.labels, measures, found.said)


def cells_work(opened: Opened, fitted: Field, number: float) -> Callable[[Tick], Cells]:
    """Find and measure the cells at one time."""
    return lambda tick: cells_at(opened, fitted, number)


def carry_work(
    opened: Opened,
    fitted: Field,
    cells: Cells,
    labels: NDArray[Any],
    others: list[tuple[Cells, NDArray[Any]]],
) -> Callable[[Tick], tuple[Cells, list[Cells]]]:
    """Carry what was corrected in the cells of one time to those of others.

    Parameters
    ----------
    opened, fitted : the embryo and its fit.
    cells : before the correction.
    labels : with it, ``(Z, Y, X)``.
    others : cells of other times, and their labels as they are now.

    Returns
    -------
    A job that returns the corrected cells and those of the other times with the correction.
    """

    def work(tick: Tick) -> tuple[Cells, list[Cells]]:
        carry = along(fitted, opened.embryo.dt)
        out = []
        for n, (other, now) in enumerate(others):
            tick(Share(n, len(others)))
            changed = carried(
                now,
                cells.labels,
                labels,
                cells.spacing,
                carry,
                cells.number,
                other.number,
                cells.origin,
            )
            out.append(other.corrected(changed))
        return cells.corrected(labels), out

    return work


def folder_work(
    opened: Opened,
    fitted: Field,
    folder: Path,
    time_scale: float,
    known: Mapping[float, NDArray[Any]],
) -> Callable[[Tick], Outcome]:
    """Find the cells at all times and write all files, as the command ``embryo`` does; stopped, it
    goes on from there the next time.

    Parameters
    ----------
    opened, fitted : the embryo and its fit.
    folder : of all results; made where it is not there.
    time_scale : how many times as many time points.
    known : cells that somebody corrected, by number of the time point.
    """
    corrected = {number: Corrected(labels, opened.labels) for number, labels in known.items()}
    volumes = folder / "membranes"
    plan = Plan(folder, volumes, time_scale, model=fitted, corrected=corrected)

    def work(tick: Tick) -> Outcome:
        steps = journey(opened.embryo, plan)
        with contextlib.closing(steps):
            while True:
                try:
                    state = next(steps)
                except StopIteration as end:
                    outcome: Outcome = end.value
                    return outcome
                tick(Share(state.done, state.of))

    return work
