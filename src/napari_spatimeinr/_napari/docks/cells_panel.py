"""Cells of an embryo: find them, correct them, their volumes, their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from .fields import roomy
from .rows import beside
from .section import Section
from .theme import Colours
from .volume_curves import VolumeCurves
from .words import plain

COLUMNS = {
    "volume_um3": ("volume\num\u00b3", "Volume of the cell"),
    "surface_um2": ("surface\num\u00b2", "Area of its surface"),
    "sphericity": ("sphericity", "1 for a ball, less for others"),
    "neighbours": ("touches", "How many cells it touches over more than 1 um\u00b2"),
}
FIRST_FIT = "Fit first: membranes are segmented as they are rendered"
ROWS = 8
"""Rows of the table that show without scrolling."""


class CellsPanel(QWidget):
    """Buttons, curves and the table; ``chosen`` with a cell's name when its row was."""

    chosen = Signal(str)

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self.this_time = QPushButton("Segment this time")
        self.carry = QPushButton("Carry correction")
        self.all_times = QPushButton("Segment all...")
        self.save_table = QPushButton("Save table...")
        self.time_scale = QDoubleSpinBox()
        self.time_scale.setRange(1, 16)
        self.time_scale.setValue(2)
        self.time_scale.setSuffix(" x")
        self.time_scale.setToolTip(
            "How many times as many time points 'Segment all' makes as were acquired"
        )
        roomy(self.time_scale)
        self.curves = VolumeCurves(colours)
        self.curves.setToolTip(
            "Volumes at the times that were segmented; a row of the table lets its cell stand out"
        )
        self.table = QTableWidget()
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setToolTip("The cells of the time that is shown; click one to pick its label")
        self.all_cells = Section("Cells of this time", self.table, tip="Numbers of each cell")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(beside(self.this_time, self.carry))
        scale = QLabel("time points:")
        layout.addWidget(beside(self.all_times, scale, self.time_scale))
        for widget in (self.curves, self.all_cells, self.save_table):
            layout.addWidget(widget)
        self.table.itemSelectionChanged.connect(self._on_row)
        self.show_rows([], None)
        self.set_ready(False, False, False)

    def set_ready(self, fitted: bool, running: bool, found: bool) -> None:
        """Enable what applies: after a fit, while nothing is computed, once cells were found."""
        busy = "Something is being computed; wait for it or press Stop"
        words = {
            self.this_time: "Find the cells at the time that is shown, as a Labels layer",
            self.all_times: (
                "Find the cells at all times and write all files: labels, masks, membranes, the"
                " folder that ITK-SNAP-CVE shows (GUIData), tables; corrections made here are in"
                " them"
            ),
            self.carry: (
                "Paint a correction into a layer of cells, select it, then carry it to the"
                " segmented times before and after, along the motion"
            ),
        }
        for button, tip in words.items():
            needs = fitted and (found or button is not self.carry)
            button.setEnabled(needs and not running)
            why = busy if running else FIRST_FIT if not fitted else "Segment a time first"
            button.setToolTip(tip if button.isEnabled() else f"{tip}\n{why}")
        self.save_table.setEnabled(found)
        self.save_table.setToolTip(
            "Write a row for each cell and segmented time as csv"
            if found
            else "Segment a time first"
        )

    def show_rows(self, rows: Sequence[Mapping[str, Any]], number: float | None) -> None:
        """Show rows of :func:`.table.rows`: all as curves, those of a time point in the table."""
        self.curves.show_rows(rows)
        here = [row for row in rows if row["time_point"] == number]
        self.table.blockSignals(True)
        self.table.clear()
        self.table.setRowCount(len(here))
        self.table.setColumnCount(len(COLUMNS))
        self.table.setVerticalHeaderLabels([row["cell"] for row in here])
        for j, (key, (title, tip)) in enumerate(COLUMNS.items()):
            head = QTableWidgetItem(title)
            head.setToolTip(tip)
            self.table.setHorizontalHeaderItem(j, head)
            for i, row in enumerate(here):
                value = row[key]
                text = str(value) if isinstance(value, int) else plain(float(f"{value:.3g}"))
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(i, j, item)
        self.table.blockSignals(False)
        self._fit_table(len(here))
        self.all_cells.setVisible(bool(here))

    def ask_folder(self) -> Path | None:
        """The folder a user chooses for all files, None if none."""
        name = QFileDialog.getExistingDirectory(self, "Folder for the files of all times")
        return Path(name) if name else None

    def ask_table(self, name: str) -> Path | None:
        """The csv a user chooses, None if none."""
        path, _ = QFileDialog.getSaveFileName(self, "Save the table", name, "Table (*.csv)")
        if not path:
            return None
        return Path(path if path.lower().endswith(".csv") else f"{path}.csv")

    def _fit_table(self, rows: int) -> None:
        across, down = self.table.horizontalHeader(), self.table.verticalHeader()
        assert across is not None
        assert down is not None
        for header in (across, down):
            header.setMinimumSectionSize(10)
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        across.setStretchLastSection(False)
        row = down.sectionSize(0) if rows else self.fontMetrics().height() + 8
        tall = across.sizeHint().height() + min(rows, ROWS) * row + 4
        self.table.setFixedHeight(tall)

    def _on_row(self) -> None:
        row = self.table.currentRow()
        item = self.table.verticalHeaderItem(row) if row >= 0 else None
        name = "" if item is None else item.text()
        self.curves.choose(name)
        self.chosen.emit(name)
