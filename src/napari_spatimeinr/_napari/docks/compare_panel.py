"""Comparisons to look at: any two pictures with a line between them, and where structure goes."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QPushButton, QSlider, QVBoxLayout, QWidget

from ...errors import SpatimeINRError
from ..background.results import Results
from ..layers.appearance import appearance
from ..layers.arrows import arrows
from ..layers.keys import INTERPOLATION, RENDERED
from ..layers.placement import Placement
from ..layers.preview import PreviewArray, Want
from ..layers.sides import Side, is_preview, overlap, sides, swipe
from ..layers.swipe import SwipeArray
from .fields import Choice
from .rows import below, beside

FIT_FIRST = "Fit the recording in the dock SpatimeINR first"


class ComparePanel(QWidget):
    """Choice of two pictures to compare; ``told`` with a sentence where that cannot be.

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
        self._picked: set[Choice] = set()
        self.left = Choice("What is shown left of the line")
        self.right = Choice("What is shown right of the line: all that overlaps with the other")
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
            "A layer with one left of a line and the other right of it, as they are now"
        )
        self.side.setToolTip("Both beside each other in napari's grid, without the other layers")
        self.motion.setToolTip(
            "Where structure goes from each frame to the next, as a Vectors layer"
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(below(("Left", self.left), ("Right", self.right), ("Line at", self.swipe)))
        layout.addWidget(beside(self.compare, self.side, self.motion))
        self.compare.clicked.connect(self.add_swipe)
        self.side.clicked.connect(self.add_side_by_side)
        self.motion.clicked.connect(self.add_motion)
        self.swipe.valueChanged.connect(self._on_swipe)
        self.left.currentIndexChanged.connect(self._on_left)
        self.right.currentIndexChanged.connect(lambda _: self._picked.add(self.right))

    # -- what there is ------------------------------------------------------------------

    def offer(self) -> None:
        """Offer what can be compared now; what was chosen stays as long as it is there."""
        every = sides(self._viewer.layers)
        self._fill(self.left, every, next((s for s in every if is_preview(s.layer)), None))
        self._offer_right(every)

    def _offer_right(self, every: list[Side]) -> None:
        left: Side | None = self.left.currentData()
        others = [] if left is None else [s for s in every if s != left]
        others = [s for s in others if left is not None and overlap(left.layer, s.layer)]
        same = [s for s in others if left is not None and s.layer == left.layer]
        self._fill(self.right, others, same[0] if same else None)

    def _fill(self, box: Choice, offered: list[Side], likely: Side | None) -> None:
        """Offer these, and choose what the user has chosen before, or else the likely one."""
        chosen = box.currentData() if box in self._picked else None
        if chosen not in offered:
            self._picked.discard(box)
            chosen = likely
        box.blockSignals(True)
        box.clear()
        for side in offered:
            box.addItem(side.name, side)
        if chosen in offered:
            box.setCurrentIndex(offered.index(chosen))
        box.blockSignals(False)
        box.currentTextChanged.emit(box.currentText())

    def _on_left(self) -> None:
        self._picked.add(self.left)
        self._offer_right(sides(self._viewer.layers))

    def _chosen(self) -> tuple[Side, Side] | None:
        left, right = self.left.currentData(), self.right.currentData()
        if left is None or right is None:
            self.told.emit(
                f"{FIT_FIRST}, or open another layer that overlaps: two are compared with each"
                " other."
            )
            return None
        return left, right

    # -- what is made of it -------------------------------------------------------------

    def add_swipe(self) -> None:
        """Add a layer that shows the one left of a line and the other right of it."""
        chosen = self._chosen()
        if chosen is None:
            return
        left, right = chosen
        try:
            array, place = swipe(left, right, self.swipe.value() / 100, self._want)
        except SpatimeINRError as error:
            self.told.emit(str(error))
            return
        self._viewer.add_image(
            array,
            name=_named(left, right),
            metadata={RENDERED: {"preview": True}},
            multiscale=False,
            rgb=False,
            **_looks(left, right),
            **place,
        )
        for side in chosen:
            side.layer.visible = False

    def add_side_by_side(self) -> None:
        """Show both in napari's grid, interpolation as a layer of its own."""
        chosen = self._chosen()
        if chosen is None:
            return
        if any(s.interpolation and s.field is None for s in chosen):
            self.told.emit(f"{FIT_FIRST}; what it interpolates is not there yet.")
            return
        shown = [self._layer_of(side) for side in chosen]
        for layer in self._viewer.layers:
            layer.visible = layer in shown
        self._viewer.canvas.grid.enabled = True

    def _layer_of(self, side: Side) -> Any:
        """The layer that shows a side, added where there is none."""
        layer, field = side.layer, side.field
        if not side.interpolation or field is None:
            return layer
        old: PreviewArray = layer.data
        array = PreviewArray(old.volume, old.grid, old.axes, self._want)
        array.update(field, True)
        return self._viewer.add_image(
            array,
            name=f"{side.recording} [{side.interpolation}]",
            metadata={RENDERED: {"preview": True, INTERPOLATION: side.interpolation}},
            multiscale=False,
            rgb=False,
            **appearance(layer),
            **Placement.of(layer).moved(old.axes, old.grid, old.grid),
        )

    def add_motion(self) -> None:
        """Add a Vectors layer with the motion of the preview on a side, the left one first."""
        fitted = (
            Side(side.layer)
            for side in (self.left.currentData(), self.right.currentData())
            if side is not None and is_preview(side.layer)
        )
        side = next((one for one in fitted if one.field is not None), None)
        field = None if side is None else side.field
        if side is None or field is None:
            self.told.emit(f"{FIT_FIRST} and choose its preview; its motion is what is shown.")
            return
        layer, array = side.layer, side.layer.data
        if field.network.motion is None:
            why = field.provenance.get("reasons", {}).get("motion", "it was switched off")
            self.told.emit(f"There is no motion to show: {why}.")
            return
        place = Placement.of(layer).moved(array.axes, array.grid, array.volume.grid)

        def added(vectors: Any) -> str:
            self._viewer.add_vectors(
                vectors,
                name=f"{side.recording} [motion]",
                edge_width=0.15,
                vector_style="arrow",
                edge_color="orange",
                **place,
            )
            return f"{len(vectors)} arrows from each frame to the next."

        self._results.run(arrows(field, array.axes), "Following the motion", added)

    def _on_swipe(self) -> None:
        for layer in self._viewer.layers:
            if isinstance(layer.data, SwipeArray):
                layer.data.move(self.swipe.value() / 100)


def _named(left: Side, right: Side) -> str:
    """The name of a swipe."""
    if left.recording == right.recording:
        return f"{left.recording} [{left.word} | {right.word}]"
    return f"{left.name} | {right.name}"


def _looks(left: Side, right: Side) -> dict[str, Any]:
    """How a swipe looks: as the left one, in a contrast that suits both, since both are shown in
    their own numbers.
    """
    style = appearance(left.layer)
    low, high = zip(style["contrast_limits"], right.layer.contrast_limits, strict=True)
    return {**style, "contrast_limits": (float(min(low)), float(max(high)))}
