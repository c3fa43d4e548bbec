"""Top of the dock: which layer, what was understood of it, which region."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ...data.grid import ROI
from ...data.units import SPACE_UNITS, TIME_UNITS
from ...errors import InputError, SpatimeINRError
from ...io.calibration import questions
from ...volume import Volume
from ..layers.keys import RENDERED, SOURCE
from ..layers.placement import napari_unit
from ..layers.source import (
    Source,
    candidate_axes,
    is_calibrated,
    rectangle,
    understand,
    visible,
    why_not,
)
from .fields import TOGETHER, Choice, NumberField, Words
from .rows import beside
from .sentences import in_the_dock
from .theme import Colours

AXES_WORDS = {
    "tzyx": "time, z, y, x",
    "zyx": "z, y, x (one time point)",
    "tyx": "time, y, x (one plane)",
}
REGIONS = ("whole recording", "rectangle in a Shapes layer", "what the canvas shows")


WATCHED = (
    "name",
    "data",
    "scale",
    "translate",
    "rotate",
    "shear",
    "affine",
    "units",
    "axis_labels",
)
"""What is listened to of the chosen layer."""


class SourcePanel(QWidget):
    """Choice of the layer, its calibration, and the region to fit; ``changed`` when any of them
    did.
    """

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._filling = False
        self._asked: set[int] = set()
        self._axes: dict[int, str] = {}
        self._heard: Any = None
        self.source: Source | None = None

        self.layer_choice = Choice(
            "The recording to fit: an Image layer with axes (t, z, y, x), (z, y, x) or (t, y, x)"
        )
        self.edit = QPushButton("edit")
        self.edit.setCheckable(True)
        self.edit.setToolTip(
            "Change axes, frame interval and voxel size of this layer, or fit a part of it"
        )
        self.summary = Words()
        self.summary.setToolTip(
            "What was understood of the layer: size (t, z, y, x), frame interval, voxel size (z,"
            " y, x)"
        )

        self.questions = Words()
        self.questions.setToolTip("What the file leaves open or states oddly; 'edit' answers it")

        top = QHBoxLayout()
        top.addWidget(QLabel("Layer"))
        top.addWidget(self.layer_choice, 1)
        top.addWidget(self.edit)
        self.editor = self._make_editor()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.summary)
        layout.addWidget(self.questions)
        layout.addWidget(self.editor)

        self.layer_choice.currentIndexChanged.connect(self._on_choice)
        self.edit.toggled.connect(self.editor.setVisible)

    def _make_editor(self) -> QWidget:
        box = QWidget()
        form = QFormLayout(box)
        form.setContentsMargins(12, 0, 0, 0)
        form.setVerticalSpacing(4)
        self.axes = Choice("What the axes of the layer are")
        self.axes.currentIndexChanged.connect(self._on_axes)
        self.interval, self.time_unit = NumberField("Time between two frames"), _units(TIME_UNITS)
        self.voxel = NumberField(
            "Voxel size z, y, x, separated by commas", room="0.5, 0.25, 0.25", most=40
        )
        self.space_unit = _units(SPACE_UNITS)
        self.apply = QPushButton("Apply to layer")
        self.apply.setToolTip("Set the layer's scale and units to these values")
        self.apply.clicked.connect(self._on_apply)
        self.region = Choice(
            "Fit all of it, or only the part inside a rectangle or inside the canvas"
        )
        self.region.addItems(REGIONS)
        self.region.currentIndexChanged.connect(lambda _: self.changed.emit())
        form.addRow("Axes", self.axes)
        form.addRow("Frame every", beside(self.interval, self.time_unit))
        form.addRow("Voxel z, y, x", beside(self.voxel, self.space_unit))
        form.addRow("", self.apply)
        form.addRow("Fit", self.region)
        box.setVisible(False)
        return box

    def set_colours(self, colours: Colours) -> None:
        """Write what is open in the theme's colour for warnings."""
        self.questions.setStyleSheet(f"color: {colours.warning.name()}")

    # -- the layers of the viewer -------------------------------------------------------

    def refresh(self) -> None:
        """Fill the choice anew after layers came, went or were renamed; the chosen one stays
        chosen.
        """
        chosen = self.layer()
        self._filling = True
        self.layer_choice.clear()
        for layer in self._viewer.layers:
            if layer.__class__.__name__ in ("Image", "Labels") and RENDERED not in layer.metadata:
                self.layer_choice.addItem(layer.name, layer)
        for i in range(self.layer_choice.count()):
            if self.layer_choice.itemData(i) == chosen:
                self.layer_choice.setCurrentIndex(i)
        self._filling = False
        if self.layer() != chosen or chosen is None:
            self._on_choice()
        else:
            self.changed.emit()

    def layer(self) -> Any:
        """The chosen layer, None if there is none."""
        return self.layer_choice.currentData()

    def select(self, layer: Any) -> None:
        """Choose a layer of the list."""
        for i in range(self.layer_choice.count()):
            if self.layer_choice.itemData(i) == layer:
                self.layer_choice.setCurrentIndex(i)

    def close_ears(self) -> None:
        """Hear no more of the layer."""
        for event in WATCHED:
            if self._heard is not None and hasattr(self._heard.events, event):
                getattr(self._heard.events, event).disconnect(self._on_layer_changed)
        self._heard = None

    def _listen(self, layer: Any) -> None:
        self.close_ears()
        self._heard = layer
        for event in WATCHED:
            if layer is not None and hasattr(layer.events, event):
                getattr(layer.events, event).connect(self._on_layer_changed)

    def _on_layer_changed(self, event: Any = None) -> None:
        if event is not None and event.type == "name":
            self.refresh()
        self._understand()

    def must_ask(self) -> bool:
        """Whether the layer says neither units nor scale, and nobody was asked yet; asks."""
        layer = self.layer()
        if layer is None or is_calibrated(layer) or id(layer) in self._asked:
            return False
        self._asked.add(id(layer))
        self.edit.setChecked(True)
        return True

    def roi(self) -> ROI | None:
        """The region to fit, in indices of the recording; None for all of it.

        Raises
        ------
        InputError
            If a rectangle was asked for and there is none.
        """
        if self.source is None or self.region.currentIndex() == 0:
            return None
        if self.region.currentIndex() == 2:
            return visible(self.source)
        shapes = [layer for layer in self._viewer.layers if layer.__class__.__name__ == "Shapes"]
        if not shapes:
            raise InputError(
                "There is no Shapes layer with a rectangle; add one and draw the region to fit."
            )
        active = self._viewer.layers.selection.active
        return rectangle(self.source, active if active in shapes else shapes[-1])

    # -- slots --------------------------------------------------------------------------

    def _on_choice(self) -> None:
        if self._filling:
            return
        layer = self.layer()
        self._filling = True
        self.axes.clear()
        if layer is not None:
            for axes in candidate_axes(layer):
                self.axes.addItem(AXES_WORDS[axes], axes)
            if id(layer) in self._axes:
                self.axes.setCurrentText(AXES_WORDS[self._axes[id(layer)]])
        self._filling = False
        if layer != self._heard:
            self._listen(layer)
        self._understand()

    def _on_axes(self) -> None:
        if not self._filling and self.axes.currentData() is not None:
            self._axes[id(self.layer())] = self.axes.currentData()
            self._understand()

    def _understand(self) -> None:
        layer = self.layer()
        self.source = None
        if layer is None:
            self.summary.setText(
                "Open a recording: drop a TIFF or NIfTI file on the window, or File > Open Sample >"
                " SpatimeINR."
            )
        else:
            reason = why_not(layer)
            try:
                self.source = None if reason else understand(layer, self.axes.currentData())
            except SpatimeINRError as error:
                reason = str(error)
            self.summary.setText(reason or describe(self._source_volume()))
        open_questions = [] if self.source is None else asked(self.source)
        self.questions.setText("\n".join(open_questions))
        if self.source is not None:
            volume = self.source.volume
            self.interval.setText(f"{volume.spacing[0]:g}")
            self.voxel.setText(", ".join(f"{s:g}" for s in volume.spacing[1:]))
            self.time_unit.setCurrentText(volume.units[0])
            self.space_unit.setCurrentText(volume.units[1])
        self.editor.setEnabled(self.source is not None)
        self.changed.emit()

    def _source_volume(self) -> Volume:
        assert self.source is not None
        return self.source.volume

    def _on_apply(self) -> None:
        source = self.source
        if source is None:
            return
        try:
            interval = float(self.interval.text())
            voxel = [float(v) for v in self.voxel.text().split(",")]
            if (
                len(voxel) != 3
                or min(interval, *voxel) <= 0
                or not np.isfinite([interval, *voxel]).all()
            ):
                raise ValueError
        except ValueError:
            self.summary.setText(
                "Enter the frame interval as one positive number and the voxel size as three (z, y,"
                " x), for example 0.5, 0.1, 0.1."
            )
            return
        layer = source.layer
        self.close_ears()
        wanted = dict(zip("tzyx", (interval, *voxel), strict=True))
        signs = np.where(np.asarray(layer.scale) < 0, -1.0, 1.0)
        units = {
            a: self.time_unit.currentText() if a == "t" else self.space_unit.currentText()
            for a in "tzyx"
        }
        layer.units = tuple(napari_unit(units[a]) for a in source.axes)
        layer.axis_labels = tuple(source.axes)
        layer.scale = signs * np.array([wanted[a] for a in source.axes])
        if SOURCE in layer.metadata:  # what was open is answered
            layer.metadata[SOURCE] = {**layer.metadata[SOURCE], "warnings": []}
        self._listen(layer)
        self._understand()


def asked(source: Source) -> list[str]:
    """What a recording's file leaves open, and what is suspicious about the layer's calibration
    now.
    """
    volume = source.volume
    known = [
        None if unit in ("frame", "voxel") else s
        for s, unit in zip(volume.spacing, (volume.units[0], *[volume.units[1]] * 3), strict=True)
    ]
    of_file = source.layer.metadata.get(SOURCE, {}).get("warnings", [])
    lines = [
        in_the_dock(line) for line in (*of_file, *questions(known, volume.units, volume.shape))
    ]
    return list(dict.fromkeys(lines))


def describe(volume: Volume) -> str:
    """A recording in one line."""
    t, z, y, x = volume.shape
    dt, dz, dy, dx = volume.spacing
    time = (
        "frame interval unknown"
        if volume.units[0] == "frame"
        else f"frame every {dt:g} {volume.units[0]}"
    )
    voxel = (
        "voxel size unknown"
        if volume.units[1] == "voxel"
        else f"voxel {dz:.3g} x {dy:.3g} x {dx:.3g} {volume.units[1]}"
    )
    parts = (
        f"{t} x {z} x {y} x {x} {volume.dtype.name}",
        time if t > 1 else "one time point",
        voxel,
    )
    return ", ".join(part.replace(" ", TOGETHER) for part in parts)


def _units(names: tuple[str, ...]) -> QComboBox:
    box = QComboBox()
    box.addItems(names)
    box.setToolTip("Unit")
    return box
