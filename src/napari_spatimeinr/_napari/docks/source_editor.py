"""Axes, calibration and region of the chosen recording, as a user may change them."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QPushButton, QWidget

from ...data.units import SPACE_UNITS, TIME_UNITS
from ...errors import InputError
from ...volume import Volume
from ..layers.clock import CLOCK
from ..layers.keys import SOURCE
from ..layers.placement import napari_unit
from ..layers.source import Source
from .fields import Choice, NumberField
from .rows import beside

REGIONS = ("whole recording", "rectangle in a Shapes layer", "what the canvas shows")
ALL, RECTANGLE, CANVAS = range(3)
"""Which of them is chosen."""


SAME = 1e-4
"""Relative difference of an interval and what is shown of it, six digits."""


class SourceEditor(QWidget):
    """``axes_chosen`` and ``region_chosen`` when a choice changed, ``applied`` when the button was
    pressed.
    """

    axes_chosen = Signal()
    region_chosen = Signal()
    applied = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.axes = Choice("What the axes of the layer are")
        self.interval, self.time_unit = NumberField("Time between two frames"), _units(TIME_UNITS)
        self.voxel = NumberField(
            "Voxel size z, y, x, separated by commas", room="0.5, 0.25, 0.25", most=40
        )
        self.space_unit = _units(SPACE_UNITS)
        self.apply = QPushButton("Apply to layer")
        self.apply.setToolTip("Set the layer's scale and units to these values")
        self.region = Choice(
            "Fit all of it, or only the part inside a rectangle or inside the canvas"
        )
        self.region.addItems(REGIONS)
        form = QFormLayout(self)
        form.setContentsMargins(12, 0, 0, 0)
        form.setVerticalSpacing(4)
        form.addRow("Axes", self.axes)
        form.addRow("Frame every", beside(self.interval, self.time_unit))
        form.addRow("Voxel z, y, x", beside(self.voxel, self.space_unit))
        form.addRow("", self.apply)
        form.addRow("Fit", self.region)
        self.axes.currentIndexChanged.connect(lambda _: self.axes_chosen.emit())
        self.apply.clicked.connect(lambda _: self.applied.emit())
        self.region.currentIndexChanged.connect(lambda _: self.region_chosen.emit())

    def show_calibration(self, volume: Volume) -> None:
        """Show what a recording says."""
        self.interval.setText(f"{volume.spacing[0]:g}")
        self.voxel.setText(", ".join(f"{s:g}" for s in volume.spacing[1:]))
        self.time_unit.setCurrentText(volume.units[0])
        self.space_unit.setCurrentText(volume.units[1])

    def calibration(self) -> tuple[dict[str, float], dict[str, str]]:
        """What was entered: spacing and unit of each of t, z, y and x.

        Raises
        ------
        InputError
            If it is not one positive number and three.
        """
        try:
            interval = float(self.interval.text())
            voxel = [float(v) for v in self.voxel.text().split(",")]
        except ValueError:
            interval, voxel = 0.0, []
        spacing = np.array([interval, *voxel])
        if len(spacing) != 4 or not np.isfinite(spacing).all() or spacing.min() <= 0:
            raise InputError(
                "Enter the frame interval as one positive number and the voxel size as three (z, y,"
                " x), for example 0.5, 0.1, 0.1."
            )
        space = self.space_unit.currentText()
        units = {"t": self.time_unit.currentText(), "z": space, "y": space, "x": space}
        return dict(zip("tzyx", spacing.tolist(), strict=True)), units


def calibrate(source: Source, spacing: dict[str, float], units: dict[str, str]) -> None:
    """Give a recording's layer this spacing and these units; mirrored axes stay mirrored."""
    layer = source.layer
    # An interval that is given goes before the times of a file.
    even = "t" in source.axes and not np.isclose(spacing["t"], source.volume.spacing[0], rtol=SAME)
    signs = np.where(np.asarray(layer.scale) < 0, -1.0, 1.0)
    layer.units = tuple(napari_unit(units[axis]) for axis in source.axes)
    layer.axis_labels = tuple(source.axes)
    layer.scale = signs * np.array([spacing[axis] for axis in source.axes])
    if SOURCE in layer.metadata:  # what was open is answered
        known = {**layer.metadata[SOURCE], "warnings": []}
        if even:
            known.pop(CLOCK, None)
        layer.metadata[SOURCE] = known


def _units(names: tuple[str, ...]) -> QComboBox:
    box = QComboBox()
    box.addItems(names)
    box.setToolTip("Unit")
    return box
