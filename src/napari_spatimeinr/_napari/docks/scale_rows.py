"""A row of the scale sliders, and the scrubber with its marks."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QGridLayout, QLabel, QSlider
from superqt import QDoubleSlider

from ..layers.scales import PREVIEW_STEPS
from .fields import NumberField, OneOf
from .words import plain

HANDLE = 16
"""Width of a slider's handle in napari's style, pixels."""


class Scrubber(QSlider):
    """A slider with a mark at each acquired frame; napari's style draws no ticks."""

    def paintEvent(self, event: Any) -> None:
        super().paintEvent(event)
        frames = (self.maximum() - self.minimum()) // PREVIEW_STEPS
        if not 0 < frames <= self.width() // 4:
            return
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        # The handle's middle travels this far from each end.
        margin = HANDLE // 2
        for k in range(frames + 1):
            x = round(margin + (self.width() - 2 * margin) * k / frames)
            painter.drawLine(x, self.height() - 4, x, self.height() - 1)
        painter.end()


class Scale:
    """One row: a factor, what it does in words, its slider, and the spacing that comes of it.

    Parameters
    ----------
    name : of the axis.
    words : what factors above one, of one and below one do.
    low, high, value : range of the slider, and where it starts.
    tip, spacing_tip : tooltips of the factor and of the spacing.
    """

    def __init__(
        self,
        name: str,
        words: tuple[str, str, str],
        low: float,
        high: float,
        value: float,
        tip: str,
        spacing_tip: str,
    ) -> None:
        self._words = words
        self.name, self.words, self.unit = QLabel(name), OneOf(*words), QLabel()
        self.factor = NumberField(f"{tip}; type any number the slider reaches")
        self.spacing = NumberField(spacing_tip, room="0.0000")
        self.slider = QDoubleSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(low, high)
        self.slider.setSingleStep(0.1)
        self.slider.setPageStep(1)
        self.slider.setMinimumWidth(60)
        self.slider.setToolTip(tip)
        self.slider.setValue(value)
        self.slider.valueChanged.connect(self.say)
        self.factor.editingFinished.connect(self._on_factor)
        self.say()

    def add_to(self, rows: QGridLayout, row: int) -> None:
        """Place the widgets in a row."""
        for column, widget in enumerate(
            (self.name, self.factor, self.words, self.slider, self.spacing, self.unit)
        ):
            rows.addWidget(widget, row, column)

    def set_enabled(self, on: bool) -> None:
        """Switch on or off."""
        for widget in (self.factor, self.slider, self.spacing):
            widget.setEnabled(on)

    def say(self) -> None:
        """Show the slider's factor as a number and in words."""
        self.say_factor(self.slider.value())

    def say_factor(self, factor: float) -> None:
        """Show a factor as a number and in words."""
        text = plain(factor)
        self.factor.setText(text)
        more, same, less = self._words
        self.words.setText(same if float(text) == 1 else more if factor > 1 else less)

    def show_spacing(self, spacing: float, unit: str) -> None:
        """Show what comes of the factor."""
        self.spacing.setText(plain(spacing))
        self.unit.setText(unit)

    def typed_spacing(self, of_recording: float) -> None:
        """Take a spacing that was typed."""
        try:
            factor = of_recording / float(self.spacing.text())
        except (ValueError, ZeroDivisionError):
            return
        if abs(factor - self.slider.value()) > 5e-3 * factor:
            self.slider.setValue(factor)

    def _on_factor(self) -> None:
        with suppress(ValueError):
            self.slider.setValue(float(self.factor.text()))
        self.say()
