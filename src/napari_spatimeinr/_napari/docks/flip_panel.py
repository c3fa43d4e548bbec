"""Which end slices are counted from: nuclei over membranes both ways round, and the choice."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from ...embryo.flip import THICK, FlipView
from .fields import Words
from .painted import EDGE, Painted
from .theme import Colours
from .words import in_the_dock

SECTIONS = 2
GAP = 8
"""Pixels between two sections."""
DOT = 3.0
"""Radius of a nucleus, pixels."""
NUCLEUS = QColor(255, 165, 0)
TITLES = {False: "as counted", True: "flipped"}


class FlipPicture(Painted):
    """Sections along z with the nuclei on them: as counted on the left, flipped on the right; the
    chosen way has a frame. Hidden while there are none.
    """

    def __init__(self, colours: Colours) -> None:
        super().__init__("Nuclei lie inside of cells where it is right (z is down)", colours)
        self.view: FlipView | None = None
        self.chosen = False
        self._sections: list[tuple[float, QImage]] = []

    def show_view(self, view: FlipView | None) -> None:
        """Show these; None hides the widget."""
        self.view = view
        self._sections = [] if view is None else _sections(view)
        self._shows(view is not None)

    def choose(self, flipped: bool) -> None:
        """Frame one way."""
        self.chosen = flipped
        self.update()

    def minimumSizeHint(self) -> QSize:
        wide = max(self._advance(self._title), 240)
        return QSize(wide + 2 * EDGE, self._tall(wide))

    def hasHeightForWidth(self) -> bool:
        """Sections keep their proportions."""
        return True

    def heightForWidth(self, width: int) -> int:
        """What is needed at a width, pixels."""
        return self._tall(width - 2 * EDGE)

    def resizeEvent(self, event: object) -> None:
        """Be as tall as the sections are at this width."""
        self.setFixedHeight(self._tall(self.width() - 2 * EDGE))

    def paintEvent(self, event: object) -> None:
        with self._painting() as (painter, width):
            self._paint(painter, width)

    def _paint(self, painter: QPainter, width: float) -> None:
        """The sections, and a frame around the chosen ones."""
        if self.view is None:
            return
        line, wide = self._line(), self._wide(width)
        tall = self._section(wide)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for flipped, title in TITLES.items():
            left = (wide + GAP) * flipped
            painter.setPen(self._colours.text)
            box = QRectF(left, line, wide, line)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, title)
            for row, (y, image) in enumerate(self._sections):
                area = QRectF(left, 2 * line + row * (tall + GAP), wide, tall)
                painter.drawImage(area, image)
                self._paint_nuclei(painter, area, y, flipped)
            if flipped == self.chosen:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(self._colours.fit, 2))
                rows = len(self._sections) * (tall + GAP) - GAP
                painter.drawRect(QRectF(left, 2 * line, wide, rows).adjusted(-2, -2, 2, 2))

    def _paint_nuclei(self, painter: QPainter, area: QRectF, y: float, flipped: bool) -> None:
        assert self.view is not None
        dz, _, dx = self.view.spacing
        depth, _, width = self.view.frame.shape
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(NUCLEUS)
        for place in self.view.ways[flipped]:
            if abs(place[1] - y) <= THICK:
                across = (place[2] / dx + 0.5) / width * area.width()
                down = (place[0] / dz + 0.5) / depth * area.height()
                painter.drawEllipse(QPointF(area.left() + across, area.top() + down), DOT, DOT)

    def _wide(self, width: float) -> float:
        return (width - GAP - 4) / 2

    def _section(self, wide: float) -> float:
        """Height of a section of this width."""
        if self.view is None:
            return 0.0
        dz, _, dx = self.view.spacing
        depth, _, width = self.view.frame.shape
        return min(wide, wide * depth * dz / (width * dx))

    def _tall(self, width: float) -> int:
        sections = len(self._sections) * (self._section(self._wide(width)) + GAP)
        return int(2 * self._line() + sections)


class FlipPanel(QWidget):
    """The picture, the check box ``z flip`` and what the brightness says."""

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self.picture = FlipPicture(colours)
        self.box = QCheckBox("z flip: slices are counted from the other end")
        self.box.setToolTip("Whether the tracing counts slices from the other end of the recording")
        self.words = Words()
        self.words.setToolTip("What the brightness at the nuclei says; the choice is yours")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.picture, self.box, self.words):
            layout.addWidget(widget)
        self.box.toggled.connect(self._on_choice)

    def show_view(self, view: FlipView | None) -> None:
        """Show both ways round of an embryo; None where nothing can be shown."""
        self.picture.show_view(view)
        self._on_choice()

    def _on_choice(self) -> None:
        chosen, view = self.box.isChecked(), self.picture.view
        self.picture.choose(chosen)
        self.words.setText("" if view is None else in_the_dock(view.sentence(chosen)))


def _sections(view: FlipView) -> list[tuple[float, QImage]]:
    """Planes along z and x at different y, um, and their pictures."""
    dy = view.spacing[1]
    top = max(float(np.percentile(view.frame, 99.8)), 1e-9)
    low = float(np.percentile(view.frame, 1))
    out = []
    for y in np.percentile(view.ways[False][:, 1], np.linspace(0, 100, SECTIONS + 2)[1:-1]):
        row = int(np.clip(round(y / dy), 0, view.frame.shape[1] - 1))
        plane = np.clip((view.frame[:, row] - low) / max(top - low, 1e-9), 0, 1)
        grey = np.ascontiguousarray(255 * plane, np.uint8)
        depth, width = grey.shape
        image = QImage(grey.tobytes(), width, depth, width, QImage.Format.Format_Grayscale8)
        out.append((float(y), image.copy()))
    return out
