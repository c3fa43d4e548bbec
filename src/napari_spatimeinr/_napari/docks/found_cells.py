"""Cells that were found at some times: their layers, corrections, numbers and files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from ...embryo import dictionary, table
from ...embryo.journey import Outcome
from ...embryo.sentences import listed
from ...field import Field
from ..background.cells import Cells, Opened, carry_work, cells_work, folder_work
from ..background.results import Results
from ..layers.embryo import add_cells
from .cells_panel import CellsPanel
from .embryo_layers import EmbryoLayers
from .words import in_the_dock

MOST = 5
"""Sentences that are said of all times."""
BUSY = "Something is being computed or saved; wait for it or press Stop."


class FoundCells(QObject):
    """Segments, carries and saves in the background; ``told`` with a sentence where it does not.

    Parameters
    ----------
    viewer : napari's viewer.
    results : what runs the jobs.
    panel : shows numbers, asks for names of files.
    shown : the embryo whose cells they are.
    parent : the dock.
    """

    told = Signal(str)

    def __init__(
        self,
        viewer: Any,
        results: Results,
        panel: CellsPanel,
        shown: EmbryoLayers,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._results, self._panel, self._shown = viewer, results, panel, shown
        self._found: dict[float, tuple[Cells, Any]] = {}
        self._number: float | None = None
        panel.chosen.connect(self._pick)

    @property
    def numbers(self) -> list[float]:
        """Of the time points whose cells are there."""
        return sorted(self._there())

    def forget(self) -> None:
        """It is another embryo now, or another lineage: what was found stays as layers."""
        self._found = {}
        self.show(self._number)

    def turn(self) -> None:
        """Slices are counted from the other end now: cells that were found with the old count have
        wrong names, and go; what somebody corrected stays as layers.
        """
        there = self._there()
        kept = [layer.name for cells, layer in there.values() if cells.differs(layer.data[0])]
        self.forget()
        for _, layer in there.values():
            if layer.name not in kept:
                self._viewer.layers.remove(layer)
        gone = len(there) - len(kept)
        words = []
        if gone:
            words.append(
                f"Cells of {gone} time point{'s' if gone > 1 else ''}, found with slices counted"
                " from the other end, were removed."
            )
        if kept:
            words.append(f"What was corrected stays, with names by the old count: {listed(kept)}.")
        if words:
            self.told.emit(" ".join(words))

    def show(self, number: float | None) -> None:
        """Show the numbers of the cells of a time point, and all volumes."""
        self._number = number
        self._panel.show_rows(self._rows(), number)

    def segment(self, fitted: Field, number: float) -> None:
        """Find the cells of a time point, into a Labels layer."""
        opened = self._shown.opened
        if opened is None:
            return
        known = self._there().get(number)
        if known is not None and known[0].differs(known[1].data[0]):
            self.told.emit(
                f"'{known[1].name}' has corrections; remove that layer to segment this time anew."
            )
            return
        self._run(
            cells_work(opened, fitted, number),
            f"Segmenting time point {number:g}",
            lambda cells: self._put(opened, cells),
        )

    def carry(self, fitted: Field, active: Any) -> None:
        """Carry what was corrected in the active layer to the segmented times before and after."""
        opened, there = self._shown.opened, self._there()
        number = next((n for n, (_, layer) in there.items() if layer == active), None)
        if opened is None or number is None:
            self.told.emit("Select the corrected layer of cells in the layer list first.")
            return
        cells, layer = there[number]
        if not _is_corrected(cells, layer):
            self.told.emit(f"Nothing was corrected in '{layer.name}' yet; paint in it first.")
            return
        before, after = (n for n in (_next(there, number, -1), _next(there, number, +1)))
        around = [n for n in (before, after) if n is not None]
        if not around:
            self.told.emit("Segment another time first: a correction is carried to its cells.")
            return
        others = [(there[n][0], np.array(there[n][1].data[0])) for n in around]
        work = carry_work(opened, fitted, cells, np.array(layer.data[0]), others)
        self._run(work, f"Carrying the correction of '{layer.name}'", self._take)

    def all_times(self, fitted: Field) -> None:
        """Ask for a folder and write the cells of all times."""
        if self._shown.opened is None:
            return
        folder = self._panel.ask_folder()
        if folder is None:
            return
        # What was only found is found again, so that all times are by the same fit.
        known = {
            number: np.array(layer.data[0])
            for number, (cells, layer) in self._there().items()
            if cells.differs(layer.data[0])
        }
        scale = float(self._panel.time_scale.value())
        work = folder_work(self._shown.opened, fitted, folder, scale, known)
        self._run(work, "Segmenting all times", _all_words)

    def save_table(self) -> None:
        """Ask for a file and write the numbers of all cells that were found, as they are now."""
        opened, there = self._shown.opened, self._there()
        if opened is None or not there:
            return
        path = self._panel.ask_table(f"{opened.embryo.name}_cells.csv")
        if path is None:
            return
        now = [(cells, np.array(layer.data[0])) for cells, layer in there.values()]

        def work(tick: Callable[[Any], None]) -> list[Cells]:
            measured = [
                cells if np.array_equal(cells.labels, labels) else cells.corrected(labels)
                for cells, labels in now
            ]
            table.write_table(path, _rows(opened, measured))
            return measured

        self._run(work, f"Saving {path.name}", lambda measured: f"Saved {path}.")

    def _put(self, opened: Opened, cells: Cells) -> str:
        """Show cells that were found; what to say of them."""
        if opened is not self._shown.opened or self._shown.source is None:
            return "The embryo was opened anew meanwhile; segment again."
        known = self._there().get(cells.number)
        if known is None:
            layer = add_cells(
                self._viewer,
                self._shown.source,
                cells.grid,
                cells.labels,
                opened.labels,
                f"{opened.embryo.name} cells {cells.number:g}",
            )
            self._shown.put_below(layer)
        else:
            layer = known[1]
            layer.data = np.array(cells.labels)[None]
        self._found[cells.number] = cells, layer
        self.show(self._number)
        count = len(cells.measures.cells)
        return " ".join([f"{count} cells at time point {cells.number:g}.", *cells.said])

    def _take(self, result: tuple[Cells, list[Cells]]) -> str:
        """Show a carried correction."""
        corrected, others = result
        there = self._there()
        done = []
        for cells in (corrected, *others):
            if cells.number not in there:
                continue
            layer = there[cells.number][1]
            if cells is not corrected:
                layer.data = np.array(cells.labels)[None]
                done.append(f"{cells.number:g}")
            self._found[cells.number] = cells, layer
        self.show(self._number)
        return f"The correction was carried to time point {' and '.join(done)}."

    def _there(self) -> dict[float, tuple[Cells, Any]]:
        """What was found and still has its layer."""
        layers = self._viewer.layers
        return {n: pair for n, pair in self._found.items() if pair[1] in layers}

    def _rows(self) -> list[dict[str, Any]]:
        there = self._there()
        if self._shown.opened is None or not there:
            return []
        return _rows(self._shown.opened, [cells for cells, _ in there.values()])

    def _pick(self, name: str) -> None:
        """Make a cell's label the one that is painted with."""
        label = None if self._shown.opened is None else self._shown.opened.labels.get(name)
        for _, layer in self._there().values():
            if label is not None:
                layer.selected_label = label

    def _run(self, work: Callable[[Any], Any], words: str, then: Callable[[Any], str]) -> None:
        if not self._results.run(work, words, then):
            self.told.emit(BUSY)


def _rows(opened: Opened, found: list[Cells]) -> list[dict[str, Any]]:
    """Rows of the tidy table."""
    measured: dict[Any, Any] = {cells.number: cells.measures for cells in found}
    times: dict[Any, float] = {n: n * opened.embryo.dt for n in measured}
    return table.rows(opened.embryo.name, measured, dictionary.by_label(opened.labels), times)


def _is_corrected(cells: Cells, layer: Any) -> bool:
    return not np.array_equal(cells.labels, layer.data[0])


def _next(there: dict[float, Any], number: float, way: int) -> float | None:
    """The nearest other time point on one side."""
    beyond = [n for n in there if (n - number) * way > 0]
    return min(beyond, key=lambda n: abs(n - number), default=None)


def _all_words(outcome: Outcome) -> str:
    said = [in_the_dock(one) for one in outcome.said]
    more = [f"{len(said) - MOST} more."] if len(said) > MOST else []
    wrote = f"Wrote {len(outcome.points)} time points to {outcome.places.folder}."
    return " ".join([wrote, *said[:MOST], *more])
