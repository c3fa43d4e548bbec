"""Errors as bars beside each other: the shorter the better, interpolation is 100 %."""

from __future__ import annotations

import math
from typing import NamedTuple

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QPainter

from .painted import EDGE, LEFT, Painted
from .theme import Colours

GAP = 6
"""Pixels between a name, its bar and its number."""
LEAST_BAR = 60
"""Pixels of the longest bar in the narrowest dock."""


class Bar(NamedTuple):
    """One method: its name, its error as a share of interpolation's, and whether it is the fit."""

    name: str
    error: float
    is_fit: bool = False


class ErrorBars(Painted):
    """Horizontal bars from zero, each with its name and its percentage; hidden while there are
    none.
    """

    def __init__(self, title: str, colours: Colours) -> None:
        super().__init__(title, colours)
        self.rows: list[Bar] = []

    def show_bars(self, rows: list[Bar]) -> None:
        """Show these; none hides the widget."""
        self.rows = [row for row in rows if math.isfinite(row.error)]
        self._shows(bool(self.rows))

    def minimumSizeHint(self) -> QSize:
        name, number = self._columns()
        return QSize(
            max(self._advance(self._title), name + number + LEAST_BAR + 2 * GAP) + 2 * EDGE,
            (len(self.rows) + 1) * self._line(),
        )

    def paintEvent(self, event: object) -> None:
        with self._painting() as (painter, width):
            self._paint(painter, width)

    def _paint(self, painter: QPainter, width: float) -> None:
        """A line for each method."""
        name, number = self._columns()
        line = self._line()
        most = max([1.0, *(row.error for row in self.rows)])
        room = width - name - number - 2 * GAP
        centred = Qt.AlignmentFlag.AlignVCenter
        for k, row in enumerate(self.rows):
            top = (k + 1) * line
            long = max(2.0, room * row.error / most)
            painter.setPen(self._colours.text)
            painter.drawText(QRectF(0, top, name, line), LEFT, row.name)
            painter.drawText(
                QRectF(name + 2 * GAP + long, top, number, line), centred, _percent(row)
            )
            bar = QRectF(name + GAP, top + 0.2 * line, long, 0.6 * line)
            painter.fillRect(bar, self._colour(row.is_fit))

    def _columns(self) -> tuple[int, int]:
        """Widths of the names and of the numbers."""
        names = [0, *(self._advance(row.name) for row in self.rows)]
        numbers = [0, *(self._advance(_percent(row)) for row in self.rows)]
        return max(names), max(numbers) + 2


def _percent(row: Bar) -> str:
    return f"{100 * row.error:.0f} %"
