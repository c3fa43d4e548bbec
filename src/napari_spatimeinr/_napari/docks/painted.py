"""What bars and curves of the docks have in common: they paint themselves, below a title."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from .theme import Colours

EDGE = 4
"""Pixels left and right, as words have them in napari's style."""
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class Painted(QWidget):
    """A picture below its title, as wide as there is room and never narrower than its
    ``minimumSizeHint``; hidden while there is nothing to show.

    Parameters
    ----------
    title : above the picture.
    colours : to paint with.
    """

    def __init__(self, title: str, colours: Colours) -> None:
        super().__init__()
        self._title, self._colours = title, colours
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setVisible(False)

    def set_colours(self, colours: Colours) -> None:
        """Paint with these from now on."""
        self._colours = colours
        self.update()

    def sizeHint(self) -> QSize:
        return self.minimumSizeHint()

    @contextmanager
    def _painting(self) -> Iterator[tuple[QPainter, float]]:
        """What to paint with below the title, from the second line on, and how many pixels wide."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(EDGE, 0)
        painter.setPen(self._colours.text)
        width = self.width() - 2 * EDGE
        painter.drawText(QRectF(0, 0, width, self._line()), LEFT, self._title)
        try:
            yield painter, width
        finally:
            painter.end()

    def _shows(self, something: bool) -> None:
        """There is something else to show, or nothing."""
        self.setVisible(something)
        self.updateGeometry()
        self.update()

    def _colour(self, is_fit: bool) -> QColor:
        """Of the fit, or of what it is compared with."""
        return self._colours.fit if is_fit else self._colours.other

    def _advance(self, text: str) -> int:
        """Pixels of a text."""
        return int(self.fontMetrics().horizontalAdvance(text))

    def _line(self) -> int:
        """Pixels of a line of text."""
        return int(self.fontMetrics().height() + 4)
