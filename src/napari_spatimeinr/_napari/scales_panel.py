"""Sliders for any scale in time and space, and the scrubber through continuous time."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QSlider, QToolButton, QVBoxLayout, QWidget
from superqt import QLabeledDoubleSlider

from ..axes import Grid
from .scales import PREVIEW_STEPS, Scales

HANDLE = 16
"""Width of a slider's handle in napari's style, pixels."""
SETTLE_MS = 30
"""A slider that is being dragged is followed at this distance."""


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


class ScalesPanel(QWidget):
    """``changed`` with the Scales when a slider moved, ``scrubbed`` with a fractional frame number."""

    changed = Signal(object)
    scrubbed = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._grid: Grid | None = None
        self._units = ("frame", "voxel")
        self._quiet = False
        self.time, self.dt = _slider(1, 16, 2), _number("Time between two frames of the rendering")
        self.z, self.dz = _slider(0.5, 10, 1), _number("Voxel size along z of the rendering")
        self.yx, self.dyx = _slider(0.5, 4, 1), _number("Voxel size in the plane of the rendering")
        self.time.setToolTip("How many times as many frames 'Render to layer' makes")
        self.z.setToolTip("How many times as many voxels along z the preview and renderings have")
        self.yx.setToolTip("How many times as many voxels along y and x the preview and renderings have")
        self.isotropic = QCheckBox("isotropic")
        self.isotropic.setToolTip("Make voxels as fine along z as in the plane")
        self.dt_unit, self.dz_unit, self.dyx_unit = QLabel(), QLabel(), QLabel()

        rows = QGridLayout()
        lines = (
            ("time x", self.time, self.dt, self.dt_unit),
            ("z x", self.z, self.dz, self.dz_unit),
            ("yx x", self.yx, self.dyx, self.dyx_unit),
        )
        for row, (words, slider, number, unit) in enumerate(lines):
            for column, widget in enumerate((QLabel(words), slider, number, unit)):
                rows.addWidget(widget, row, column)
        rows.addWidget(self.isotropic, 1, 4)
        rows.setColumnStretch(1, 1)

        self.scrubber = Scrubber(Qt.Orientation.Horizontal)
        self.scrubber.setPageStep(PREVIEW_STEPS)
        self.scrubber.setToolTip("Continuous time; the marks are the acquired frames")
        self.earlier, self.later = QToolButton(), QToolButton()
        self.earlier.setText("|<")
        self.earlier.setToolTip("The acquired frame before")
        self.later.setText(">|")
        self.later.setToolTip("The acquired frame after")
        self.shown = QLabel("t")
        self.shown.setToolTip("The time that is shown, and whether it was acquired or is interpolated")
        scrub = QHBoxLayout()
        for widget in (self.earlier, self.scrubber, self.later):
            scrub.addWidget(widget, 1 if widget is self.scrubber else 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(rows)
        layout.addWidget(self.shown)
        layout.addLayout(scrub)

        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE_MS)
        self._timer.timeout.connect(lambda: self.changed.emit(self.scales()))
        for slider in (self.time, self.z, self.yx):
            slider.valueChanged.connect(self._on_factor)
        self.isotropic.toggled.connect(self._on_factor)
        for number, axis in ((self.dt, 0), (self.dz, 1), (self.dyx, 3)):
            number.editingFinished.connect(lambda number=number, axis=axis: self._on_physical(number, axis))
        self.scrubber.valueChanged.connect(self._on_scrub)
        self.earlier.clicked.connect(lambda: self._jump(-1))
        self.later.clicked.connect(lambda: self._jump(+1))

    def scales(self) -> Scales:
        """What the sliders say."""
        return Scales(self.time.value(), self.z.value(), self.yx.value(), self.isotropic.isChecked())

    def set_recording(self, grid: Grid | None, units: tuple[str, str]) -> None:
        """Show the physical values of a recording; None switches everything off."""
        self._grid, self._units = grid, units
        self.setEnabled(grid is not None)
        if grid is None:
            return
        moving = grid.shape[0] > 1
        for widget in (self.time, self.dt, self.scrubber, self.earlier, self.later):
            widget.setEnabled(moving)
        self._quiet = True
        self.scrubber.setRange(0, (grid.shape[0] - 1) * PREVIEW_STEPS)
        self._quiet = False
        self._show_physical()
        self._show_time()

    def set_scales(self, scales: Scales) -> None:
        """Move the sliders without telling anybody."""
        self._quiet = True
        self.time.setValue(scales.time)
        self.z.setValue(scales.z)
        self.yx.setValue(scales.yx)
        self.isotropic.setChecked(scales.isotropic)
        self._quiet = False
        self._show_physical()

    def set_index(self, index: float) -> None:
        """Move the scrubber to a (fractional) frame without telling anybody."""
        self._quiet = True
        self.scrubber.setValue(round(index * PREVIEW_STEPS))
        self._quiet = False
        self._show_time()

    # -- slots --------------------------------------------------------------------------

    def _on_factor(self) -> None:
        self._show_physical()
        if not self._quiet:
            self._timer.start()

    def _on_physical(self, number: QLineEdit, axis: int) -> None:
        if self._grid is None:
            return
        slider = {0: self.time, 1: self.z, 3: self.yx}[axis]
        try:
            factor = self._grid.spacing[axis] / float(number.text())
        except (ValueError, ZeroDivisionError):
            factor = slider.value()
        if abs(factor - slider.value()) > 5e-3 * factor:
            slider.setValue(factor)
        self._show_physical()

    def _show_physical(self) -> None:
        self.z.setEnabled(not self.isotropic.isChecked())
        self.dz.setEnabled(not self.isotropic.isChecked())
        if self._grid is None:
            return
        grid, scales = self._grid, self.scales()
        dyx = min(grid.spacing[2:]) / scales.yx
        values = (grid.spacing[0] / scales.time, dyx if scales.isotropic else grid.spacing[1] / scales.z, dyx)
        for number, value in zip((self.dt, self.dz, self.dyx), values, strict=True):
            number.setText(f"{value:.4g}")
        for label, unit in zip(
            (self.dt_unit, self.dz_unit, self.dyx_unit), (self._units[0], self._units[1], self._units[1]), strict=True
        ):
            label.setText(unit)

    def _on_scrub(self) -> None:
        self._show_time()
        if not self._quiet:
            self.scrubbed.emit(self.scrubber.value() / PREVIEW_STEPS)

    def _jump(self, direction: int) -> None:
        steps = self.scrubber.value()
        frame = (steps // PREVIEW_STEPS + 1) if direction > 0 else -(-steps // PREVIEW_STEPS) - 1
        self.scrubber.setValue(frame * PREVIEW_STEPS)

    def _show_time(self) -> None:
        if self._grid is None:
            return
        steps = self.scrubber.value()
        t = self._grid.origin[0] + self._grid.spacing[0] * steps / PREVIEW_STEPS
        frame, rest = divmod(steps, PREVIEW_STEPS)
        kind = f"acquired, frame {frame}" if rest == 0 else f"interpolated between frames {frame} and {frame + 1}"
        self.shown.setText(f"t = {t:.4g} {self._units[0]}   {kind}")


def _slider(low: float, high: float, value: float) -> QLabeledDoubleSlider:
    slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setSingleStep(0.1)
    slider.setDecimals(2)
    slider.setMinimumWidth(150)
    slider.setValue(value)
    return slider


def _number(words: str) -> QLineEdit:
    edit = QLineEdit()
    edit.setMaximumWidth(64)
    edit.setToolTip(words)
    return edit
