"""Errors as bars beside each other: the shorter the better, interpolation is 100 %."""

from __future__ import annotations

import math
from typing import NamedTuple

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from .theme import Colours

GAP = 6
"""Pixels between a name, its bar and its number."""
EDGE = 4
"""Pixels left and right, as words have them in napari's style."""
LEAST_BAR = 60
"""Pixels of the longest bar in the narrowest dock."""


class Bar(NamedTuple):
    """One method: its name, its error as a share of interpolation's, and whether it is the fit."""

    name: str
    error: float
    is_fit: bool = False


class ErrorBars(QWidget):
    """Horizontal bars from zero, each with its name and its percentage; hidden while there are
    none.
    """

    def __init__(self, title: str, colours: Colours) -> None:
        super().__init__()
        self._title, self._colours = title, colours
        self.rows: list[Bar] = []
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setVisible(False)

    def show_bars(self, rows: list[Bar]) -> None:
        """Show these; none hides the widget."""
        self.rows = [row for row in rows if math.isfinite(row.error)]
        self.setVisible(bool(self.rows))
        self.updateGeometry()
        self.update()

    def set_colours(self, colours: Colours) -> None:
        """Paint with these from now on."""
        self._colours = colours
        self.update()

    def minimumSizeHint(self) -> QSize:
        name, number = self._columns()
        title = self.fontMetrics().horizontalAdvance(self._title)
        return QSize(
            max(title, name + number + LEAST_BAR + 2 * GAP) + 2 * EDGE,
            (len(self.rows) + 1) * self._line(),
        )

    def sizeHint(self) -> QSize:
        return self.minimumSizeHint()

    def paintEvent(self, event: object) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        name, number = self._columns()
        line = self._line()
        most = max([1.0, *(row.error for row in self.rows)])
        room = self.width() - name - number - 2 * GAP - 2 * EDGE
        centred = Qt.AlignmentFlag.AlignVCenter
        painter.translate(EDGE, 0)
        painter.setPen(self._colours.text)
        painter.drawText(
            QRectF(0, 0, self.width(), line), centred | Qt.AlignmentFlag.AlignLeft, self._title
        )
        for k, row in enumerate(self.rows):
            top = (k + 1) * line
            width = max(2.0, room * row.error / most)
            painter.setPen(self._colours.text)
            painter.drawText(
                QRectF(0, top, name, line), centred | Qt.AlignmentFlag.AlignLeft, row.name
            )
            painter.drawText(
                QRectF(name + 2 * GAP + width, top, number, line), centred, _percent(row)
            )
            painter.fillRect(
                QRectF(name + GAP, top + 0.2 * line, width, 0.6 * line),
                self._colours.fit if row.is_fit else self._colours.other,
            )
        painter.end()

    def _columns(self) -> tuple[int, int]:
        """Widths of the names and of the numbers."""
        advance = self.fontMetrics().horizontalAdvance
        return max([0, *(advance(r.name) for r in self.rows)]), max(
            [0, *(advance(_percent(r)) for r in self.rows)]
        ) + 2

    def _line(self) -> int:
        return int(self.fontMetrics().height() + 4)


def _percent(row: Bar) -> str:
    return f"{100 * row.error:.0f} %"
