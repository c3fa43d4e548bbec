"""The dock ``SpatimeINR Quality``: hold-out scores against what users have now, and comparisons to look at."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyqtgraph
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
)

from ..config import PRESETS
from ..errors import SpatimeINRError
from ..evaluate import Report, evaluate
from ..fit import FitProgress
from .closing import Dock
from .compare import Swipe, arrows
from .jobs import Share
from .keys import RENDERED
from .layers import look
from .placement import Placement
from .plots import make_plot
from .preview import PreviewArray
from .results import Results
from .rows import beside
from .session import SUFFIX
from .settings import settings
from .source import understand, why_not

COLUMNS = {
    "psnr": "PSNR dB",
    "psnr_smoothed": "smooth dB",
    "psnr_foreground": "foregr. dB",
    "ssim": "SSIM",
    "nrmse": "NRMSE",
}
TIP = "Frames (or planes) are given to every method except those scored; PSNR of those, raw and after smoothing both with sigma 1"


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
        self.recording, self.hold_out, self.gap, self.preset = QComboBox(), QComboBox(), QSpinBox(), QComboBox()
        self.hold_out.addItems(["time", "z"])
        self.gap.setRange(2, 16)
        self.preset.addItems(PRESETS)
        self.preset.setCurrentText(settings().preset)
        self.measure, self.stop_button = QPushButton("Measure on hold-out"), QPushButton("Stop")
        self.table, self.message = QTableWidget(), QLabel()
        self.chart = make_plot(150, "PSNR of each method, raw; * under its best Gaussian blur")
        self.preview, self.baseline = QComboBox(), QComboBox()
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
        self.listen([(layers.inserted, self._on_layers), (layers.removed, self._on_layers)])
        self._on_layers()

    def _tips(self) -> None:
        self.recording.setToolTip("The recording to measure on")
        self.hold_out.setToolTip("Leave out frames (time) or planes (z)")
        self.gap.setToolTip("2: every second frame or plane is given, the others are scored")
        self.preset.setToolTip("Quality of the fits that are measured")
        self.measure.setToolTip(TIP)
        self.stop_button.setToolTip("End the measurement")
        self.table.setToolTip(TIP)
        self.preview.setToolTip("The preview layer to compare")
        self.baseline.setToolTip("Interpolation to compare with")
        self.compare.setToolTip("A layer with the fit left of a line and interpolation right of it, at any time")
        self.swipe.setToolTip("Where that line is")
        self.side.setToolTip("Interpolation as a layer of its own, in napari's grid beside the fit")
        self.motion.setToolTip("Where structure goes from each frame to the next, as a Vectors layer")

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Recording", self.recording)
        form.addRow("Hold out in", self.hold_out)
        form.addRow("Given is one of", self.gap)
        form.addRow("Quality", self.preset)
        self.chart.setLabel("left", "PSNR, dB")
        self.table.setMinimumHeight(170)
        self.message.setWordWrap(True)
        self.swipe.setRange(0, 100)
        self.swipe.setValue(50)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(beside(self.measure, self.stop_button))
        for widget in (self.message, self.table, self.chart):
            layout.addWidget(widget)
        compare = QFormLayout()
        compare.addRow("Preview", self.preview)
        compare.addRow("against", beside(self.baseline, self.compare, self.side))
        compare.addRow("line at", self.swipe)
        compare.addRow("", self.motion)
        layout.addLayout(compare)
        layout.addStretch(1)
        self.setMinimumWidth(400)

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
                tick(Share(state.step, state.of))

            return evaluate(volume, hold_out, gap, preset, device=device, progress=progress)  # type: ignore[arg-type]

        self.results.run(work, f"Measuring on {layer.name}: fit, then linear, cubic, flow", self._measured)

    def _measured(self, report: Report) -> str:
        names = list(report.methods)
        self.table.setRowCount(len(names))
        self.table.setColumnCount(len(COLUMNS))
        self.table.setHorizontalHeaderLabels(list(COLUMNS.values()))
        self.table.setVerticalHeaderLabels(names)
        for i, name in enumerate(names):
            for j, key in enumerate(COLUMNS):
                value = report.methods[name].get(key, math.nan)
                self.table.setItem(i, j, QTableWidgetItem(f"{value:.2f}" if math.isfinite(value) else ""))
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        heights = [report.methods[n].get("psnr", math.nan) for n in names]
        self.chart.clear()
        brushes = ["#4fc3f7" if n == "spatimeinr" else "#78909c" for n in names]
        self.chart.addItem(
            pyqtgraph.BarGraphItem(x=np.arange(len(names)), height=np.nan_to_num(heights), width=0.7, brushes=brushes)
        )
        self.chart.getAxis("bottom").setTicks([[(i, n.replace(" + best blur", "*")) for i, n in enumerate(names)]])
        finite = [h for h in heights if math.isfinite(h)]
        if finite:
            self.chart.setYRange(min(finite) - 2, max(finite) + 0.5)
        gain = report.methods["spatimeinr"]["psnr"] - report.methods["linear"]["psnr"] if "linear" in report.methods else math.nan
        off = [part for part in ("motion", "latents") if not report.chosen.get(part)]
        words = f"{gain:+.2f} dB over linear on what was held out ({report.seconds:.0f} s)."
        if off:
            words += f" Switched off because it did not help on data the fit had not seen: {' and '.join(off)}."
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
        self.message.setText(f"Measuring: {100 * done // max(of, 1)} % of the fit")

    def _on_words(self, words: str) -> None:
        self.message.setText(words)
        self.measure.setEnabled(not self.results.running)
        self.stop_button.setEnabled(self.results.running)

    def _on_layers(self) -> None:
        for box, wanted in ((self.recording, _is_recording), (self.preview, _is_preview)):
            chosen = box.currentData()
            box.clear()
            for layer in self._viewer.layers:
                if wanted(layer):
                    box.addItem(layer.name, layer)
                    if layer == chosen:
                        box.setCurrentIndex(box.count() - 1)
        self.stop_button.setEnabled(self.results.running)


def _is_recording(layer: Any) -> bool:
    return RENDERED not in layer.metadata and why_not(layer) is None


def _is_preview(layer: Any) -> bool:
    return isinstance(getattr(layer, "data", None), PreviewArray) and SUFFIX in layer.name
