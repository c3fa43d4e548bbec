"""Scores of a measurement: errors as bars, all numbers as a table."""

from __future__ import annotations

import math

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import (
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ...analysis.report import Report
from ...analysis.sentences import error_of
from .bars import Bar, ErrorBars
from .section import Section
from .theme import Colours

COLUMNS = {
    "psnr": ("PSNR\ndB", "Peak signal to noise ratio: 6 dB more is half the error"),
    "psnr_smoothed": (
        "smooth\ndB",
        "PSNR after both were smoothed with sigma 1: noise counts less",
    ),
    "psnr_foreground": (
        "moving\ndB",
        "PSNR where something changes between the two given neighbours",
    ),
    "ssim": ("SSIM", "Structural similarity: 1 is equal"),
    "nrmse": ("NRMSE", "Root mean square error as a share of the recording's range"),
    "rse": (
        "RSE",
        "Resolution-scaled error: RMS difference of what was recorded and of the prediction at"
        " the recording's voxels, scaled to fit best, as a share of the range (SQUIRREL)",
    ),
    "rsp": ("RSP", "Their correlation: 1 is equal"),
}
NAMES = {
    "spatimeinr": "SpatimeINR",
    "linear + best blur": "linear, blurred",
    "flow + best blur": "flow, blurred",
}
TIP = (
    "Frames (or planes) are given to every method except those scored; 'blurred' is with the"
    " Gaussian blur that scores best"
)


class Table(QTableWidget):
    """A table that shows all of itself: it scrolls with the dock, not in it."""

    def __init__(self) -> None:
        super().__init__()
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        across, down = self._headers()
        for header in (across, down):
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setMinimumSectionSize(10)
        across.setStretchLastSection(False)

    def fill(self, rows: dict[str, list[str]], columns: list[tuple[str, str]]) -> None:
        """Show rows by their names; columns are headers and their tooltips."""
        self.setRowCount(len(rows))
        self.setColumnCount(len(columns) if rows else 0)
        self.setVerticalHeaderLabels(list(rows))
        for j, (words, tip) in enumerate(columns if rows else []):
            item = QTableWidgetItem(words)
            item.setToolTip(tip)
            self.setHorizontalHeaderItem(j, item)
        for i, values in enumerate(rows.values()):
            for j, value in enumerate(values):
                item = QTableWidgetItem(value)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(i, j, item)
        self.updateGeometry()

    def event(self, event: QEvent | None) -> bool:
        """Take another room with another font."""
        if event is not None and event.type() in (
            QEvent.Type.FontChange,
            QEvent.Type.StyleChange,
            QEvent.Type.LayoutRequest,
        ):
            self.updateGeometry()
        return bool(super().event(event))

    def minimumSizeHint(self) -> QSize:
        across, down = self._headers()
        width = down.sizeHint().width() + across.length()
        height = across.sizeHint().height() + down.length()
        frame = 2 * self.frameWidth() + 4
        return QSize(width + frame, height + frame)

    def sizeHint(self) -> QSize:
        return self.minimumSizeHint()

    def _headers(self) -> tuple[QHeaderView, QHeaderView]:
        across, down = self.horizontalHeader(), self.verticalHeader()
        assert across is not None
        assert down is not None
        return across, down


class ScoresView(QWidget):
    """What :func:`.evaluate` found; empty before there is anything."""

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self.errors = ErrorBars("RMS error on what was held out", colours)
        self.errors.setToolTip(f"The shorter the better; linear interpolation is 100 %. {TIP}")
        self.table = Table()
        self.table.setToolTip(TIP)
        self.all = Section(
            "All scores", self.table, tip="Every number of the measurement", folded=True
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.errors)
        layout.addWidget(self.all)
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self.errors.show_bars([])
        self.table.fill({}, [])
        self.all.setVisible(False)

    def show_report(self, report: Report) -> None:
        """Show a measurement."""
        linear = report.methods.get("linear", {}).get("psnr", math.nan)
        bars = [
            Bar(
                NAMES.get(name, name),
                error_of(scores.get("psnr", math.nan) - linear),
                name == "spatimeinr",
            )
            for name, scores in report.methods.items()
        ]
        self.errors.show_bars(bars)
        values = {
            NAMES.get(name, name): [_number(scores.get(key, math.nan)) for key in COLUMNS]
            for name, scores in report.methods.items()
        }
        self.table.fill(values, list(COLUMNS.values()))
        self.all.setVisible(True)


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else ""
