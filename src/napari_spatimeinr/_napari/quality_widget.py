"""The dock ``SpatimeINR Quality``: hold-out scores against what users have now, and comparisons to look at."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QPushButton, QSlider, QSpinBox, QVBoxLayout, QWidget

from ..config import PRESETS
from ..errors import SpatimeINRError
from ..evaluate import Report, evaluate
from ..fit import FitProgress
from .closing import Dock
from .compare import Swipe, arrows
from .fields import Choice, Upright, Words, roomy
from .jobs import Share
from .keys import RENDERED
from .layers import look
from .placement import Placement
from .preview import PreviewArray
from .results import Results
from .rows import beside
from .scores_view import TIP, ScoresView
from .section import Section
from .sentences import gain_words
from .session import SUFFIX
from .settings import settings
from .source import understand, why_not
from .theme import Colours, colours

METHODS = {
    "linear": "linear interpolation",
    "cubic": "cubic interpolation",
    "flow": "classical flow",
    "scoring": "the scores",
    "best blur": "the scores under a blur",
}
"""What is computed after the fit, in words."""


class QualityWidget(Dock):
    """Measure on a recording; compare on its preview.

    Parameters
    ----------
    napari_viewer : napari's viewer.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.results = Results(self.engine, self)
        self._swipes: list[tuple[PreviewArray, Swipe]] = []
        self._measured_of, self._measured_about, self._measured_words = None, None, ""
        self._about: tuple[Any, ...] = ()
        self._doing = ""
        self.recording, self.preview = Choice("The recording to measure on"), Choice("The preview layer to compare")
        self.hold_out, self.gap, self.preset, self.baseline = QComboBox(), QSpinBox(), QComboBox(), QComboBox()
        self.hold_out.addItems(["time", "z"])
        self.gap.setRange(2, 16)
        self.gap.setPrefix("one of ")
        roomy(self.gap)
        self.preset.addItems(PRESETS)
        self.preset.setCurrentText(settings().preset)
        self.measure, self.stop_button = QPushButton("Measure on hold-out"), QPushButton("Stop")
        self.message, self.scores = Words(), ScoresView(colours(napari_viewer))
        self.table = self.scores.table
        self.baseline.addItems(["linear", "cubic"])
        self.compare, self.side, self.motion = QPushButton("Swipe"), QPushButton("Side by side"), QPushButton("Motion arrows")
        self.swipe = QSlider(Qt.Orientation.Horizontal)
        self._tips()
        self._lay_out()
        self.measure.clicked.connect(self.start)
        self.stop_button.clicked.connect(self.results.stop)
        self.compare.clicked.connect(self.add_swipe)
        self.side.clicked.connect(self.add_side_by_side)
        self.motion.clicked.connect(self.add_motion)
        self.swipe.valueChanged.connect(self._on_swipe)
        self.results.began.connect(self._on_words)
        self.results.ended.connect(self._on_words)
        self.results.progressed.connect(self._on_progress)
        layers = napari_viewer.layers.events
        self._heard: Any = None
        self.destroyed.connect(partial(self._hear, None))
        self.listen([(event, self._on_layers) for event in (layers.inserted, layers.removed, layers.renamed)])
        # What is measured is of no use without the dock, and would keep fits waiting.
        self.destroyed.connect(self.results.stop)
        for box in (self.recording, self.preview):
            box.currentIndexChanged.connect(self._on_choice)
        self._on_layers()

    def _tips(self) -> None:
        self.hold_out.setToolTip("Leave out frames (time) or planes (z)")
        self.gap.setToolTip("2: every second frame or plane is given, the others are scored")
        self.preset.setToolTip("Quality of the fits that are measured")
        self.measure.setToolTip(TIP)
        self.stop_button.setToolTip("End the measurement")
        self.baseline.setToolTip("Interpolation to compare with")
        self.compare.setToolTip("A layer with the fit left of a line and interpolation right of it, at any time")
        self.swipe.setToolTip("Where that line is")
        self.side.setToolTip("Interpolation as a layer of its own, in napari's grid beside the fit")
        self.motion.setToolTip("Where structure goes from each frame to the next, as a Vectors layer")

    def _lay_out(self) -> None:
        self.swipe.setRange(0, 100)
        self.swipe.setValue(50)
        measure, compare = QWidget(), QWidget()
        _form(
            measure, ("Recording", self.recording), ("Hold out in", self.hold_out), ("Given", self.gap), ("Quality", self.preset)
        )
        actions = beside(self.compare, self.side, self.motion)
        _form(compare, ("Preview", self.preview), ("Against", self.baseline), ("Line at", self.swipe))
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(6)
        layout.addWidget(Section("Measure", measure, tip="How well frames or planes that were held out are predicted"))
        layout.addWidget(beside(self.measure, self.stop_button))
        layout.addWidget(self.message)
        layout.addWidget(self.scores)
        layout.addWidget(Section("Compare", compare, actions, tip="Look at the fit and at interpolation"))
        layout.addStretch(1)
        self._scroll = Upright(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._scroll)

    def set_colours(self, colours: Colours) -> None:
        """Follow napari's theme."""
        self.scores.errors.set_colours(colours)

    # -- hold-out -----------------------------------------------------------------------

    def start(self) -> None:
        """Measure on the chosen recording, in the background."""
        layer = self.recording.currentData()
        if layer is None:
            self.message.setText("Open a recording first.")
            return
        try:
            volume = understand(layer).volume
        except SpatimeINRError as error:
            self.message.setText(str(error))
            return
        hold_out, gap, preset, device = (
            self.hold_out.currentText(),
            self.gap.value(),
            self.preset.currentText(),
            settings().device,
        )

        def work(tick: Any) -> Report:
            def progress(state: FitProgress) -> None:
                self._doing = METHODS.get(state.stage, "the fit")
                tick(Share(state.step, state.of))

            return evaluate(volume, hold_out, gap, preset, device=device, progress=progress)  # type: ignore[arg-type]

        if self.results.run(work, f'Measuring on "{layer.name}"', partial(self._measured, layer)):
            self.scores.clear()
            self._measured_of, self._measured_about, self._measured_words = layer, _same(layer), ""

    def _measured(self, layer: Any, report: Report) -> str:
        self.scores.show_report(report)
        gain = report.methods["spatimeinr"]["psnr"] - report.methods["linear"]["psnr"] if "linear" in report.methods else math.nan
        off = [part for part in ("motion", "latents") if not report.chosen.get(part)]
        what = "frames" if report.hold_out == "time" else "planes"
        words = f'"{layer.name}": {gain_words(gain, f"on {what} it had not seen")}, measured in {report.seconds:.0f} s.'
        if off and report.hold_out == "time":
            words += f" Switched off because it did not help on data the fit had not seen: {' and '.join(off)}."
        self._measured_words = words
        return words

    # -- comparisons --------------------------------------------------------------------

    def _chosen(self) -> Any:
        layer = self.preview.currentData()
        if layer is None or layer not in self._viewer.layers or layer.data.field is None:
            self.message.setText("Fit the recording in the dock SpatimeINR first; its preview layer is what is compared.")
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
        array = PreviewArray(old.volume, old.grid, old.axes, self.engine.want, make)
        assert old.field is not None
        array.update(old.field, True)
        place = Placement.of(layer).moved(old.axes, old.grid, old.grid)
        name = f"{layer.name.split(f' {SUFFIX}')[0]} [{word}]"
        self._viewer.add_image(
            array, name=name, metadata={RENDERED: {"preview": True}}, multiscale=False, rgb=False, **look(layer), **place
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
        if field.network.velocity is None:
            why = field.provenance.get("reasons", {}).get("motion", "it was switched off")
            self.message.setText(f"There is no motion to show: {why}.")
            return
        place = Placement.of(layer).moved(array.axes, array.grid, array.volume.grid)

        def added(vectors: Any) -> str:
            name = f"{layer.name.split(f' {SUFFIX}')[0]} [motion]"
            width = 0.15
            self._viewer.add_vectors(vectors, name=name, edge_width=width, vector_style="arrow", edge_color="orange", **place)
            return f"{len(vectors)} arrows from each frame to the next."

        self.results.run(arrows(field, array.axes), "Following the motion", added)

    # -- slots --------------------------------------------------------------------------

    def _on_swipe(self) -> None:
        self._swipes = [
            (a, s) for a, s in self._swipes if any(getattr(layer, "data", None) is a for layer in self._viewer.layers)
        ]
        for array, swipe in self._swipes:
            swipe.share = self.swipe.value() / 100
            if array.field is not None:
                array.update(array.field, True)

    def _on_progress(self, done: int, of: int) -> None:
        percent = 100 * done // max(of, 1)
        self.message.setText(f'Measuring on "{self._measured_of.name}": {percent} % of {self._doing}')

    def _on_words(self, words: str) -> None:
        self.message.setText(words)
        self.measure.setEnabled(not self.results.running)
        self.stop_button.setEnabled(self.results.running)

    def _on_layers(self) -> None:
        for box, wanted in ((self.recording, _is_recording), (self.preview, _is_preview)):
            chosen = box.currentData()
            box.blockSignals(True)
            box.clear()
            for layer in self._viewer.layers:
                if wanted(layer):
                    box.addItem(layer.name, layer)
                    if layer == chosen:
                        box.setCurrentIndex(box.count() - 1)
            box.blockSignals(False)
        self._on_choice()

    def _on_choice(self) -> None:
        """What is said and scored is about what is chosen: when that is another, it goes."""
        self.stop_button.setEnabled(self.results.running)
        recording, preview = self.recording.currentData(), self.preview.currentData()
        self._hear(recording)
        about = (_same(recording), _same(preview))
        changed, self._about = about != self._about, about
        if not changed or self.results.running:
            return
        if recording is None or about[0] != self._measured_about:
            self.scores.clear()
            self._measured_of, self._measured_about, self._measured_words = None, None, ""
        self.message.setText(self._measured_words)

    def _hear(self, layer: Any = None, *_: object) -> None:
        """Notice when a layer's voxels change; of none, listen to nothing."""
        if self._heard is not None and self._heard != layer:
            self._heard.events.data.disconnect(self._on_choice)
        if layer is not None and self._heard != layer:
            layer.events.data.connect(self._on_choice)
        self._heard = layer


def _same(layer: Any) -> tuple[int, int] | None:
    """Equal as long as a layer holds the same voxels."""
    return None if layer is None else (id(layer), id(layer.data))


def _form(box: QWidget, *rows: tuple[str, QWidget]) -> None:
    form = QFormLayout(box)
    form.setContentsMargins(0, 0, 0, 0)
    form.setVerticalSpacing(4)
    for words, widget in rows:
        form.addRow(words, widget)


def _is_recording(layer: Any) -> bool:
    return RENDERED not in layer.metadata and why_not(layer) is None


def _is_preview(layer: Any) -> bool:
    return isinstance(getattr(layer, "data", None), PreviewArray) and SUFFIX in layer.name
