"""Writing the folder of an embryo, time point by time point; it is there when it is whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...io.staging import Building, building
from ..dictionary import by_label, checked_name
from ..measure import Measures, measure
from ..sentences import listed
from ..volumes import Triple, read_volume, write_volume
from . import tables
from .layout import CONTACT, FOLDERS, LIFE, RAW, SEG, SURFACE, VOLUME, Layout, is_embryo


class GuiWriter:
    """A folder being written.

    Parameters
    ----------
    build : where, and how much of it an earlier try has left.
    embryo : its name.
    numbers : of the time points, increasing.
    names : name -> label.
    spacing, origin : of all volumes, (z, y, x), um.
    """

    def __init__(
        self,
        build: Building,
        embryo: str,
        numbers: Sequence[int],
        names: Mapping[str, int],
        spacing: Triple,
        origin: Triple,
    ) -> None:
        self._build, self._numbers = build, tuple(numbers)
        self._layout = Layout(build.folder, embryo, max(numbers))
        self._names, self._spacing, self._origin = dict(names), spacing, origin
        self.measured: dict[int, Measures] = {}
        for kind in FOLDERS:
            (build.folder / kind).mkdir(exist_ok=True)
        for number in self._numbers[: build.done]:
            labels = read_volume(self._layout.at(SEG, number)).data
            self.measured[number] = measure(labels, spacing, origin)

    @property
    def following(self) -> int | None:
        """The number of the time point to put next: those before are there; None after the last."""
        done = self._build.done
        return self._numbers[done] if done < len(self._numbers) else None

    def put(
        self,
        labels: NDArray[Any],
        membranes: NDArray[Any],
        traced: Iterable[str] = (),
        dividing: Iterable[str] = (),
    ) -> Measures:
        """Add the next time point.

        Parameters
        ----------
        labels : ``(Z, Y, X)``, those of the dictionary.
        membranes : of the same shape.
        traced : names of the cells that should be there; those without a voxel are lost.
        dividing : names of those that are about to divide: whose daughters are there next.

        Returns
        -------
        What was measured.

        Raises
        ------
        InputError
            If the shapes differ, a label or name is none of the dictionary, or all time points are
            there.
        SaveError
            If it cannot be written.
        """
        number = self.following
        labels, membranes = np.asarray(labels), np.asarray(membranes)
        if number is None:
            raise InputError(f"All {len(self._numbers)} time points have been written already.")
        if labels.shape != membranes.shape:
            raise InputError(
                f"Labels have shape {labels.shape} and membranes {membranes.shape} (z, y, x); both"
                " are of one grid."
            )
        measures = measure(labels, self._spacing, self._origin)
        unknown = measures.cells.keys() - set(self._names.values())
        if unknown:
            raise InputError(
                f"The labels {listed(sorted(unknown))} have no names; extend the name"
                " dictionary first."
            )
        lost = self._labels(traced) - measures.cells.keys()
        divided = self._labels(dividing) & measures.cells.keys()
        at = self._layout.at
        tables.put_lines(at("TPCell", number), [list(measures.cells)])
        tables.put_lines(at("GuiNeighbor", number), tables.neighbours(measures))
        tables.put_lines(at("DivisionCell", number), [sorted(divided)])
        tables.put_lines(at("LostCell", number), [sorted(lost)])
        write_volume(at(RAW, number), membranes, self._spacing, self._origin)
        write_volume(at(SEG, number), labels.astype(np.uint16), self._spacing, self._origin)
        self.measured[number] = measures
        self._build.frame_done(lambda k: self._layout.all_of(self._numbers[k]))
        return measures

    def _labels(self, names: Iterable[str]) -> set[int]:
        names = set(names)
        if missing := sorted(names - self._names.keys()):
            raise InputError(
                f"The cells {listed(missing)} have no labels; extend the name dictionary first."
            )
        return {self._names[name] for name in names}

    def _finish(self) -> None:
        """Write the tables."""
        if self.following is not None:
            raise InputError(
                f"Time points {self.following} to {self._numbers[-1]} have not been written; a"
                " folder with gaps cannot be shown."
            )
        names, table = by_label(self._names), self._layout.table
        tables.put_lines(table(LIFE), tables.lives(self.measured))
        tables.put_lines(table(VOLUME), tables.over_time(self.measured, names, "volume"))
        tables.put_lines(table(SURFACE), tables.over_time(self.measured, names, "surface"))
        tables.put_lines(table(CONTACT), tables.contacts(self.measured, names))


@contextlib.contextmanager
def writing(
    folder: Path,
    embryo: str,
    last: int,
    names: Mapping[str, int],
    spacing: Triple,
    origin: Triple = (0.0, 0.0, 0.0),
    identity: dict[str, Any] | None = None,
    numbers: Sequence[int] | None = None,
) -> Iterator[GuiWriter]:
    """Write ``folder/embryo``, which takes its place when all time points and tables are there.

    Until then it is called ``<embryo>.partial``; an earlier one stays as it was.

    Parameters
    ----------
    folder : that of all embryos, with the name dictionary (:func:`..dictionary.extend`); it exists.
    embryo : name of the embryo.
    last : how many time points there will be.
    names : name -> label.
    spacing, origin : of all volumes, (z, y, x), um.
    identity : JSON values that are the same for the same export: what a killed one left is then
        gone on with, from :attr:`GuiWriter.following` on. None to start anew.
    numbers : of the time points, increasing; from 1 on if None.

    Raises
    ------
    InputError
        If the embryo's name cannot be one of a folder, or time points are missing at the end.
    SaveError
        If something else is in the way, another process writes it, or it cannot be written.
    """
    with building(folder / checked_name(embryo), identity, is_embryo) as build:
        writer = GuiWriter(build, embryo, numbers or range(1, last + 1), names, spacing, origin)
        yield writer
        writer._finish()
