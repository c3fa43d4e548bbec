"""Top of the dock: which layer, what was understood of it, which region."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ...data.grid import ROI
from ...errors import InputError, SpatimeINRError
from ..layers.keys import RENDERED
from ..layers.source import (
    Source,
    candidate_axes,
    is_calibrated,
    rectangle,
    understand,
    visible,
    why_not,
)
from .fields import Choice, Words
from .recording_words import asked, describe
from .source_editor import ALL, CANVAS, SourceEditor, calibrate
from .theme import Colours

AXES_WORDS = {
    "tzyx": "time, z, y, x",
    "zyx": "z, y, x (one time point)",
    "tyx": "time, y, x (one plane)",
}
ASK = (
    "This layer does not say how far apart its frames and voxels are: enter it above and press"
    " 'Apply to layer', or press 'Fit SpatimeINR' again to go on in frames and voxels."
)
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
        self.editor = SourceEditor()
        self.editor.setVisible(False)
        self.axes, self.region, self.apply = (
            self.editor.axes,
            self.editor.region,
            self.editor.apply,
        )
        self.interval, self.time_unit = self.editor.interval, self.editor.time_unit
        self.voxel, self.space_unit = self.editor.voxel, self.editor.space_unit
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.summary)
        layout.addWidget(self.questions)
        layout.addWidget(self.editor)

        self.layer_choice.currentIndexChanged.connect(self._on_choice)
        self.edit.toggled.connect(self.editor.setVisible)
        self.editor.axes_chosen.connect(self._on_axes)
        self.editor.applied.connect(self._on_apply)
        self.editor.region_chosen.connect(self.changed)

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
        if self.source is None or self.region.currentIndex() == ALL:
            return None
        if self.region.currentIndex() == CANVAS:
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
            self.summary.setText(reason or "")
        if self.source is None:
            self.questions.setText("")
        else:
            self.summary.setText(describe(self.source.volume))
            self.questions.setText("\n".join(asked(self.source)))
            self.editor.show_calibration(self.source.volume)
        self.editor.setEnabled(self.source is not None)
        self.changed.emit()

    def _on_apply(self) -> None:
        source = self.source
        if source is None:
            return
        try:
            spacing, units = self.editor.calibration()
        except InputError as error:
            self.summary.setText(str(error))
            return
        self.close_ears()
        calibrate(source, spacing, units)
        self._listen(source.layer)
        self._understand()
