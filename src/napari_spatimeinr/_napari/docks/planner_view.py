"""What a plan found: quality and coverage against the frame interval, as curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...analysis.frame_plan import Plan
from ...model.confidence import LEVEL
from .painted import EDGE, LEFT, Painted
from .theme import Colours

DOT = 3.0
"""Radius of a point, pixels."""
LINES = 5
"""Height of the curves themselves, in lines of text."""
SPARE = 0.18
"""Room above and below the curves, as a share of what they span."""


class Curve(NamedTuple):
    """One value for each frame interval; NaN where there is none."""

    name: str
    values: Sequence[float]
    is_fit: bool = False


class Curves(Painted):
    """Curves over a few frame intervals, each point of the fit with its number, and a dashed line
    to reach; hidden while there are none.
    """

    def __init__(self, title: str, unit: str, aim: str, colours: Colours) -> None:
        super().__init__(title, colours)
        self._unit, self._aim = unit, aim
        self.marks: list[str] = []
        self.curves: list[Curve] = []
        self.level = math.nan
        self._places: list[float] = []

    def show_curves(
        self,
        places: Sequence[float] = (),
        marks: Sequence[str] = (),
        curves: Sequence[Curve] = (),
        level: float = math.nan,
    ) -> None:
        """Show curves over ``places``, which are named by ``marks``; none hides the widget."""
        self._places, self.marks, self.level = list(places), list(marks), level
        self.curves = [c for c in curves if any(map(math.isfinite, c.values))]
        self._shows(bool(self.curves))

    def minimumSizeHint(self) -> QSize:
        advance = self._advance
        marks = sum(advance(mark) + 2 * EDGE for mark in self.marks)
        return QSize(
            max(advance(self._title), advance(self._legend()), marks) + 2 * EDGE,
            (LINES + 4) * self._line(),
        )

    def paintEvent(self, event: object) -> None:
        with self._painting() as (painter, width):
            self._paint(painter, width)

    def _paint(self, painter: QPainter, width: float) -> None:
        """The legend, the curves, and the intervals below."""
        line = self._line()
        self._paint_legend(painter, line)
        area = QRectF(0, 2 * line, width, LINES * line)
        self._paint_level(painter, area)
        for curve in sorted(self.curves, key=lambda c: c.is_fit):
            self._paint_curve(painter, area, curve)
        self._paint_marks(painter, area)

    def _paint_legend(self, painter: QPainter, line: int) -> None:
        at, advance = 0.0, self._advance
        for name, colour in self._names():
            painter.fillRect(QRectF(at, 1.4 * line, 0.6 * line, 0.2 * line), colour)
            painter.setPen(self._colours.text)
            painter.drawText(QRectF(at + 0.8 * line, line, advance(name) + 2, line), LEFT, name)
            at += 0.8 * line + advance(name) + 3 * EDGE

    def _paint_level(self, painter: QPainter, area: QRectF) -> None:
        if not math.isfinite(self.level):
            return
        painter.setPen(QPen(self._colours.text, 1, Qt.PenStyle.DashLine))
        y = self._y(area, self.level)
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))

    def _paint_curve(self, painter: QPainter, area: QRectF, curve: Curve) -> None:
        colour = self._colour(curve.is_fit)
        points = [
            (QPointF(self._x(area, place), self._y(area, value)), value)
            for place, value in zip(self._places, curve.values, strict=True)
            if math.isfinite(value)
        ]
        painter.setPen(QPen(colour, 2))
        for (a, _), (b, _) in zip(points, points[1:], strict=False):
            painter.drawLine(a, b)
        painter.setBrush(colour)
        for at, _ in points:
            painter.drawEllipse(at, DOT, DOT)
        if curve.is_fit:
            self._paint_numbers(painter, area, points)

    def _paint_numbers(
        self, painter: QPainter, area: QRectF, points: list[tuple[QPointF, float]]
    ) -> None:
        painter.setPen(self._colours.text)
        line = self._line()
        for at, value in points:
            text = f"{value:.1f}" if self._unit == "dB" else f"{value:.0f} {self._unit}"
            wide = self._advance(text) + 2
            x = min(max(at.x() - wide / 2, area.left()), area.right() - wide)
            box = QRectF(x, at.y() - line - DOT, wide, line)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_marks(self, painter: QPainter, area: QRectF) -> None:
        painter.setPen(self._colours.text)
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        for place, mark in zip(self._places, self.marks, strict=True):
            x = self._x(area, place)
            wide = self._advance(mark) + 2
            at = min(max(x - wide / 2, area.left()), area.right() - wide)
            painter.drawLine(QPointF(x, area.bottom()), QPointF(x, area.bottom() + DOT))
            box = QRectF(at, area.bottom() + DOT, wide, self._line())
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, mark)

    def _x(self, area: QRectF, place: float) -> float:
        """Evenly apart, so that no two names meet."""
        count = len(self._places)
        share = (self._places.index(place) + 0.5) / count
        return area.left() + share * area.width()

    def _y(self, area: QRectF, value: float) -> float:
        shown = [v for c in self.curves for v in c.values if math.isfinite(v)]
        shown += [self.level] if math.isfinite(self.level) else []
        low, high = min(shown), max(shown)
        spare = max(SPARE * (high - low), 0.5)
        # The numbers above the points of the fit take a line.
        room = area.height() - self._line()
        return area.bottom() - room * (value - low + spare) / (high - low + 2 * spare)

    def _names(self) -> list[tuple[str, QColor]]:
        names = [(curve.name, self._colour(curve.is_fit)) for curve in self.curves]
        if math.isfinite(self.level):
            names.append((f"{self._aim} {self.level:.3g} {self._unit}", self._colours.text))
        return names

    def _legend(self) -> str:
        return "    ".join(name for name, _ in self._names()) + " " * 4 * (len(self.curves) + 1)


class PlanView(QWidget):
    """Both curves of a plan; empty before there is one."""

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self.quality = Curves(
            "PSNR of frames left out, by frame interval", "dB", "wanted:", colours
        )
        self.quality.setToolTip(
            "How close predicted frames are to the recorded ones that were left out: 6 dB more is"
            " half the error; the dashed line is what was wanted"
        )
        self.coverage = Curves("Voxels within the interval of confidence", "%", "stated:", colours)
        self.coverage.setToolTip(
            f"How many recorded voxels lie in the interval that should hold {100 * LEVEL:.0f} % of"
            " them (dashed); it takes four given frames to state one"
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.quality)
        layout.addWidget(self.coverage)

    def set_colours(self, colours: Colours) -> None:
        """Paint with these from now on."""
        for curves in (self.quality, self.coverage):
            curves.set_colours(colours)

    def clear(self) -> None:
        """Show nothing."""
        for curves in (self.quality, self.coverage):
            curves.show_curves()

    def show_plan(self, plan: Plan) -> None:
        """Show what was found."""
        places = [row.interval for row in plan.tried]
        marks = [f"{row.interval:g} {plan.units[0]}" for row in plan.tried]
        ours = Curve("SpatimeINR", [row.psnr for row in plan.tried], True)
        linear = Curve("linear", [row.linear for row in plan.tried])
        self.quality.show_curves(places, marks, [ours, linear], plan.wanted)
        inside = Curve("SpatimeINR", [100 * row.coverage for row in plan.tried], True)
        self.coverage.show_curves(places, marks, [inside], 100 * LEVEL)
