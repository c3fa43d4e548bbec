"""Comparisons to look at: the fit beside interpolation, and where structure goes."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QPushButton, QSlider, QVBoxLayout, QWidget

from ..background.results import Results
from ..background.session import SUFFIX
from ..layers.appearance import appearance
from ..layers.compare import Swipe, arrows
from ..layers.keys import RENDERED
from ..layers.placement import Placement
from ..layers.preview import PreviewArray, Want
from .fields import Choice
from .rows import below, beside


class ComparePanel(QWidget):
    """Choice of a preview and what to compare it with; ``told`` with a sentence where that cannot
    be.

    Parameters
    ----------
    viewer : napari's viewer.
    want : asks the engine for pictures.
    results : what follows the motion, in the background.
    """

    told = Signal(str)

    def __init__(self, viewer: Any, want: Want, results: Results) -> None:
        super().__init__()
        self._viewer, self._want, self._results = viewer, want, results
        self._swipes: list[tuple[PreviewArray, Swipe]] = []
        self.preview, self.baseline = Choice("The preview layer to compare"), QComboBox()
        self.baseline.addItems(["linear", "cubic"])
        self.baseline.setToolTip("Interpolation to compare with")
        self.swipe = QSlider(Qt.Orientation.Horizontal)
        self.swipe.setRange(0, 100)
        self.swipe.setValue(50)
        self.swipe.setToolTip("Where the line of a swipe is")
        self.compare, self.side, self.motion = (
            QPushButton("Swipe"),
            QPushButton("Side by side"),
            QPushButton("Motion arrows"),
        )
        self.compare.setToolTip(
            "A layer with the fit left of a line and interpolation right of it, at any time"
        )
        self.side.setToolTip("Interpolation as a layer of its own, in napari's grid beside the fit")
        self.motion.setToolTip(
            "Where structure goes from each frame to the next, as a Vectors layer"
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(
            below(("Preview", self.preview), ("Against", self.baseline), ("Line at", self.swipe))
        )
        layout.addWidget(beside(self.compare, self.side, self.motion))
        self.compare.clicked.connect(self.add_swipe)
        self.side.clicked.connect(self.add_side_by_side)
        self.motion.clicked.connect(self.add_motion)
        self.swipe.valueChanged.connect(self._on_swipe)

    def _chosen(self) -> Any:
        layer = self.preview.currentData()
        if layer is None or layer not in self._viewer.layers or layer.data.field is None:
            self.told.emit(
                "Fit the recording in the dock SpatimeINR first; its preview layer is what is"
                " compared."
            )
            return None
        return layer

    def add_swipe(self) -> None:
        """Add a layer that shows the fit left of a line and the baseline right of it."""
        layer = self._chosen()
        if layer is None:
            return
        swipe = Swipe(self.baseline.currentText(), self.swipe.value() / 100)
        array = self._add(layer, f"SpatimeINR | {swipe.baseline}", swipe)
        self._swipes.append((array, swipe))
        layer.visible = False

    def add_side_by_side(self) -> None:
        """Add the baseline as a layer and show both in napari's grid."""
        layer = self._chosen()
        if layer is None:
            return
        name = self.baseline.currentText()
        self._add(layer, name, lambda field, grid: field.interpolated(name).on_grid(grid))
        for other in self._viewer.layers:
            other.visible = other == layer or other == self._viewer.layers[-1]
        self._viewer.canvas.grid.enabled = True

    def _add(self, layer: Any, word: str, make: Any) -> PreviewArray:
        old: PreviewArray = layer.data
        array = PreviewArray(old.volume, old.grid, old.axes, self._want, make)
        assert old.field is not None
        array.update(old.field, True)
        place = Placement.of(layer).moved(old.axes, old.grid, old.grid)
        name = f"{layer.name.split(f' {SUFFIX}')[0]} [{word}]"
        self._viewer.add_image(
            array,
            name=name,
            metadata={RENDERED: {"preview": True}},
            multiscale=False,
            rgb=False,
            **appearance(layer),
            **place,
        )
        return array

    def add_motion(self) -> None:
        """Add a Vectors layer with the motion of the chosen preview."""
        layer = self._chosen()
        if layer is None:
            return
        array: PreviewArray = layer.data
        field = array.field
        assert field is not None
        if field.network.motion is None:
            why = field.provenance.get("reasons", {}).get("motion", "it was switched off")
            self.told.emit(f"There is no motion to show: {why}.")
            return
        place = Placement.of(layer).moved(array.axes, array.grid, array.volume.grid)

        def added(vectors: Any) -> str:
            name = f"{layer.name.split(f' {SUFFIX}')[0]} [motion]"
            width = 0.15
            self._viewer.add_vectors(
                vectors,
                name=name,
                edge_width=width,
                vector_style="arrow",
                edge_color="orange",
                **place,
            )
            return f"{len(vectors)} arrows from each frame to the next."

        self._results.run(arrows(field, array.axes), "Following the motion", added)

    def _on_swipe(self) -> None:
        self._swipes = [
            (a, s)
            for a, s in self._swipes
            if any(getattr(layer, "data", None) is a for layer in self._viewer.layers)
        ]
        for array, swipe in self._swipes:
            swipe.share = self.swipe.value() / 100
            if array.field is not None:
                array.update(array.field, True)


def is_preview(layer: Any) -> bool:
    """Whether a layer is a preview of a fit."""
    return isinstance(getattr(layer, "data", None), PreviewArray) and SUFFIX in layer.name
