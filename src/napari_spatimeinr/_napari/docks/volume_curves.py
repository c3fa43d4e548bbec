"""Volumes of cells over time, as curves from birth to division."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen

from ...embryo.names import FOUNDERS, IRREGULAR, in_order, mother
from ...embryo.table import founder
from .painted import EDGE, LEFT, Painted
from .theme import SHAPES, Colours, readable
from .words import plain

DOT = 2.0
"""Radius of a point, pixels."""
LINES = 8
"""Height of the curves themselves, in lines of text."""
KINDS = (*IRREGULAR, *FOUNDERS, "others")


class VolumeCurves(Painted):
    """A curve for each cell, in the colour of its lineage, dashed from a mother to her daughters;
    one cell may stand out. Hidden while nothing was measured.
    """

    def __init__(self, colours: Colours) -> None:
        super().__init__("Volume of cells (um\u00b3) over time (min)", colours)
        self.lives: dict[str, list[tuple[float, float]]] = {}
        self.chosen = ""

    def show_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show rows of :func:`.table.rows`; none hides the widget."""
        self.lives = {}
        for row in rows:
            point = (row["time_s"] / 60, row["volume_um3"])
            self.lives.setdefault(row["cell"], []).append(point)
        self._shows(bool(self.lives))

    def choose(self, name: str) -> None:
        """Let a cell stand out; none where the name is empty."""
        self.chosen = name
        self.update()

    def minimumSizeHint(self) -> QSize:
        wide = max(self._advance(self._title), 240)
        return QSize(wide + 2 * EDGE, (LINES + 4) * self._line())

    def paintEvent(self, event: object) -> None:
        with self._painting() as (painter, width):
            self._paint(painter, width)

    def _paint(self, painter: QPainter, width: float) -> None:
        """The legend, the curves, and both axes' ends."""
        line = self._line()
        left = self._advance(plain(self._most())) + EDGE
        area = QRectF(left, 2.5 * line, width - left - 2 * EDGE, LINES * line)
        self._paint_legend(painter, line)
        self._paint_axes(painter, area, line)
        for name in in_order(self.lives):
            self._paint_life(painter, area, name)

    def _most(self) -> float:
        return max((v for life in self.lives.values() for _, v in life), default=1.0)

    def _kinds(self) -> list[str]:
        """The lineages there are, in their order."""
        return sorted({founder(name) for name in self.lives}, key=KINDS.index)

    def _hue(self, kind: str) -> QColor:
        """One for each lineage, the same in all pictures, that stands out."""
        hue = (KINDS.index(kind) * 137 + 210) % 360
        return readable(QColor.fromHsv(hue, 170, 220), self._colours.background, SHAPES)

    def _paint_legend(self, painter: QPainter, line: int) -> None:
        at = 0.0
        for kind in self._kinds():
            painter.fillRect(QRectF(at, 1.4 * line, 0.6 * line, 0.2 * line), self._hue(kind))
            painter.setPen(self._colours.text)
            wide = self._advance(kind) + 2
            painter.drawText(QRectF(at + 0.8 * line, line, wide, line), LEFT, kind)
            at += 0.8 * line + wide + 2 * EDGE

    def _paint_axes(self, painter: QPainter, area: QRectF, line: int) -> None:
        painter.setPen(self._colours.text)
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.drawLine(area.topLeft(), area.bottomLeft())
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for value, y in ((self._most(), area.top()), (0.0, area.bottom())):
            box = QRectF(0, y - line / 2, area.left() - EDGE, line)
            painter.drawText(box, right, plain(value))
        first, last = self._ends()
        below = area.bottom() + DOT
        wide = area.width() / 2
        painter.drawText(QRectF(area.left(), below, wide, line), LEFT, f"{first:.3g}")
        if last > first:
            box = QRectF(area.right() - wide, below, wide, line)
            painter.drawText(box, right, f"{last:.3g}")

    def _paint_life(self, painter: QPainter, area: QRectF, name: str) -> None:
        colour, life = self._hue(founder(name)), self.lives[name]
        points = [self._at(area, *point) for point in life]
        above = self.lives.get(mother(name) or "")
        if above is not None and above[-1][0] < life[0][0]:
            painter.setPen(QPen(colour, 1, Qt.PenStyle.DashLine))
            painter.drawLine(self._at(area, *above[-1]), points[0])
        painter.setPen(QPen(colour, 3 if name == self.chosen else 1.2))
        for one, other in zip(points, points[1:], strict=False):
            painter.drawLine(one, other)
        painter.setBrush(colour)
        for point in points:
            painter.drawEllipse(point, DOT, DOT)
        if name == self.chosen:
            painter.setPen(self._colours.text)
            wide = self._advance(name) + 2
            x = min(points[-1].x(), area.right() - wide)
            painter.drawText(QRectF(x, points[-1].y() - self._line(), wide, self._line()), name)

    def _ends(self) -> tuple[float, float]:
        """The first time and the last, min."""
        times = [t for life in self.lives.values() for t, _ in life]
        return min(times, default=0.0), max(times, default=0.0)

    def _at(self, area: QRectF, time: float, volume: float) -> QPointF:
        first, last = self._ends()
        share = (time - first) / (last - first) if last > first else 0.5
        x = area.left() + share * area.width()
        return QPointF(x, area.bottom() - volume / self._most() * area.height())
