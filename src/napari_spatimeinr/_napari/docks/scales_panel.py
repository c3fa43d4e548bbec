"""Sliders for any scale in time and space, and the scrubber through continuous time."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ...data.grid import Grid
from ...volume import Volume
from ..layers.scales import PREVIEW_STEPS, Scales
from .fields import Words
from .scale_rows import Scale, Scrubber
from .words import plain

SETTLE_MS = 30
"""A slider that is being dragged is followed at this distance."""


FINER = ("x finer", "x, as recorded", "x as fine")


class ScalesPanel(QWidget):
    """``changed`` with the Scales when a slider moved, ``scrubbed`` with a fractional
    frame number.
    """

    changed = Signal(object)
    scrubbed = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._grid: Grid | None = None
        self._units = ("frame", "voxel")
        self._quiet = False
        more = ("x more frames", "x, as recorded", "x as many")
        self.rows = (
            Scale(
                "time:",
                more,
                1,
                16,
                2,
                "How many times as many frames 'Render to layer' makes",
                "Time between two frames",
            ),
            Scale(
                "z:",
                FINER,
                0.5,
                10,
                1,
                "How many times finer the preview and renderings are along z",
                "Voxel size along z",
            ),
            Scale(
                "y, x:",
                FINER,
                0.5,
                4,
                1,
                "How many times finer the preview and renderings are in the plane",
                "Voxel size",
            ),
        )
        self.time, self.z, self.yx = (row.slider for row in self.rows)
        self.dt, self.dz, self.dyx = (row.spacing for row in self.rows)
        self.isotropic = QCheckBox("isotropic: z as fine as y and x")
        self.isotropic.setToolTip("Make voxels as fine along z as in the plane")
        self._lay_out()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE_MS)
        self._timer.timeout.connect(lambda: self.changed.emit(self.scales()))
        for row, axis in zip(self.rows, (0, 1, 3), strict=True):
            row.slider.valueChanged.connect(self._on_factor)
            row.spacing.editingFinished.connect(
                lambda row=row, axis=axis: self._on_physical(row, axis)
            )
        self.isotropic.toggled.connect(self._on_factor)
        self.scrubber.valueChanged.connect(self._on_scrub)
        self.earlier.clicked.connect(lambda: self._jump(-1))
        self.later.clicked.connect(lambda: self._jump(+1))

    def _lay_out(self) -> None:
        rows = QGridLayout()
        rows.setHorizontalSpacing(5)
        rows.setVerticalSpacing(2)
        rows.setColumnStretch(3, 1)
        for number, row in enumerate(self.rows):
            row.add_to(rows, number)
        self.scrubber = Scrubber(Qt.Orientation.Horizontal)
        self.scrubber.setPageStep(PREVIEW_STEPS)
        self.scrubber.setToolTip("Continuous time; the marks are the acquired frames")
        self.earlier, self.later = QPushButton("|<"), QPushButton(">|")
        self.earlier.setToolTip("The acquired frame before")
        self.later.setToolTip("The acquired frame after")
        self.shown = Words("t")
        self.shown.setToolTip(
            "The time that is shown, and whether it was acquired or is interpolated"
        )
        scrub = QHBoxLayout()
        for widget in (self.earlier, self.scrubber, self.later):
            scrub.addWidget(widget, 1 if widget is self.scrubber else 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(rows)
        layout.addWidget(self.isotropic)
        layout.addWidget(self.shown)
        layout.addLayout(scrub)

    def scales(self) -> Scales:
        """What the sliders say."""
        return Scales(
            self.time.value(), self.z.value(), self.yx.value(), self.isotropic.isChecked()
        )

    def set_recording(self, volume: Volume | None) -> None:
        """Show the physical values of a recording; None switches everything off."""
        self.setEnabled(volume is not None)
        if volume is None:
            self._grid = None
            return
        grid = volume.grid
        self._grid, self._units = grid, volume.units
        moving = grid.shape[0] > 1
        self.rows[0].set_enabled(moving)
        for widget in (self.scrubber, self.earlier, self.later):
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

    def _on_physical(self, row: Scale, axis: int) -> None:
        if self._grid is not None:
            row.typed_spacing(self._grid.spacing[axis])
            self._show_physical()

    def _show_physical(self) -> None:
        along_z = self.rows[1]
        along_z.set_enabled(not self.isotropic.isChecked())
        if self._grid is None:
            return
        spacing, scales = self._grid.spacing, self.scales()
        dyx = min(spacing[2:]) / scales.yx
        values = (spacing[0] / scales.time, dyx if scales.isotropic else spacing[1] / scales.z, dyx)
        for row, value, unit in zip(
            self.rows, values, (self._units[0], *[self._units[1]] * 2), strict=True
        ):
            row.say()
            row.show_spacing(value, unit)
        if scales.isotropic:
            along_z.say_factor(spacing[1] / dyx)

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
            self.shown.setText("")
            return
        steps = self.scrubber.value()
        t = float(self._grid.to_physical(np.array(steps / PREVIEW_STEPS), 0))
        frame, rest = divmod(steps, PREVIEW_STEPS)
        kind = (
            f"acquired, frame {frame}"
            if rest == 0
            else f"interpolated between frames {frame} and {frame + 1}"
        )
        self.shown.setText(f"t = {plain(t)} {self._units[0]}   {kind}")
