"""How a fit is doing: bar, seconds left, curves of loss and hold-out gain, and the result in words."""

from __future__ import annotations

import math
import time
from typing import Any

import pyqtgraph
from qtpy.QtWidgets import QLabel, QProgressBar, QVBoxLayout, QWidget

from ..fit import FitProgress
from .plots import make_plot

MOST_POINTS = 2000
PLOT_EVERY = 0.4
"""Seconds between two drawings of the curve: they are made in the main thread."""


class ProgressPanel(QWidget):
    """Bar, message and curves."""

    def __init__(self) -> None:
        super().__init__()
        self.bar = QProgressBar()
        self.bar.setToolTip("Share of the steps that are done")
        self.bar.setRange(0, 1000)
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setToolTip("What is being done, and what came of it")
        self.plot = make_plot(
            150, "Loss of the running stage (its logarithm, left) and gain over linear interpolation on held-out frames (right)"
        )
        item = self.plot.getPlotItem()
        item.setLabel("left", "log10 loss")
        item.showAxis("right")
        right = item.getAxis("right")
        right.setLabel("gain, dB")
        right.enableAutoSIPrefix(False)
        self.loss = self.plot.plot(pen=pyqtgraph.mkPen("#4fc3f7", width=1.5), connect="finite")
        self._right = pyqtgraph.ViewBox(enableMenu=False)
        item.scene().addItem(self._right)
        right.linkToView(self._right)
        self._right.setXLink(item)
        self.gain = pyqtgraph.PlotCurveItem(pen=pyqtgraph.mkPen("#aed581", width=2))
        self._right.addItem(self.gain)
        item.vb.sigResized.connect(self._follow)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.bar, self.message, self.plot):
            layout.addWidget(widget)
        self.plot.setVisible(False)
        self._losses: list[tuple[float, float]] = []
        self._gains: list[tuple[float, float]] = []
        self._stage, self._smooth, self._plotted = "", math.nan, -math.inf
        self.bar.setVisible(False)

    def start(self, words: str) -> None:
        """A new job begins."""
        self.bar.setVisible(True)
        self.bar.setRange(0, 0)
        self.message.setText(words)

    def clear(self) -> None:
        """Forget the curves: a new fit begins."""
        self.plot.setVisible(True)
        self._losses, self._gains = [], []
        self.loss.setData([], [])
        self.gain.setData([], [])

    def show_fit(self, state: FitProgress) -> None:
        """The state of a fit."""
        self.show_share(state.step, state.of)
        parts = [state.stage]
        if state.seconds_left is not None:
            parts.append(f"{_duration(state.seconds_left)} left")
        if state.gain_db is not None and math.isfinite(state.gain_db):
            parts.append(f"hold-out {state.gain_db:+.1f} dB")
            if not self._gains or self._gains[-1][1] != state.gain_db:
                self._right.setYRange(min(0.0, state.gain_db - 1), max(1.0, state.gain_db + 1))
            self._gains = [*self._gains[:1], (state.step, state.gain_db)] if self._gains else [(state.step, state.gain_db)]
            self.gain.setData(*_columns(self._gains))
        self.message.setText("   ".join(parts))
        if math.isfinite(state.loss) and state.loss > 0 and (not self._losses or self._losses[-1][0] < state.step):
            new = state.stage != self._stage
            # Single steps jump, because each sees other points.
            self._smooth = state.loss if new else 0.8 * self._smooth + 0.2 * state.loss
            gap = [(state.step - 0.5, math.nan)] if new and self._losses else []
            self._losses = [*self._losses, *gap, (state.step, math.log10(self._smooth))][-MOST_POINTS:]
            if new or time.monotonic() - self._plotted > PLOT_EVERY:
                self._plotted = time.monotonic()
                self.loss.setData(*_columns(self._losses))
        self._stage = state.stage

    def show_share(self, done: int, of: int) -> None:
        """Move the bar."""
        self.bar.setVisible(True)
        # Qt would paint the bar, and with it napari's canvas, before it returns from setValue.
        self.bar.setUpdatesEnabled(False)
        self.bar.setRange(0, 1000)
        self.bar.setValue(round(1000 * done / max(of, 1)))
        self.bar.setUpdatesEnabled(True)

    def end(self, words: str) -> None:
        """The job is over; say what came of it."""
        self.bar.setVisible(False)
        self.message.setText(words)

    def _follow(self) -> None:
        self._right.setGeometry(self.plot.getPlotItem().vb.sceneBoundingRect())


def _columns(pairs: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [a for a, _ in pairs], [b for _, b in pairs]


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


PART_WORDS = {"axial": "finer planes", "in_plane": "finer voxels"}


def result_sentence(provenance: dict[str, Any], stopped: bool) -> str:
    """What a fit came to, for a user."""
    if provenance.get("constant"):
        return " ".join(provenance["warnings"])
    chosen = provenance.get("chosen", {})
    kept = " and ".join(name for name in ("motion", "latents") if chosen.get(name))
    gain = provenance.get("hold_out", {}).get("gain_over_linear_db")
    reasons = "; ".join(f"{PART_WORDS.get(name, name)}: {why}" for name, why in provenance.get("reasons", {}).items())
    if stopped:
        text = "Stopped; what was learned is kept. Fit SpatimeINR goes on from here."
    elif not kept:
        text = f"Interpolation was better: using it ({chosen.get('interpolation', 'linear')} in time)."
    elif gain is not None:
        text = f"{gain:+.1f} dB over linear on frames it had not seen (kept: {kept})."
    else:
        text = f"Done (kept: {kept}); too few frames to hold some out, checked on blocks it had not seen."
    if chosen.get("axial"):
        sharpened = provenance.get("axial", {}).get("sharpened")
        text += f" Finer planes are learned from the lateral ones{', the blur along z is undone' if sharpened else ''}."
    if chosen.get("in_plane"):
        text += " Finer voxels are learned from the planes."
    if reasons and not stopped:
        text += f" Switched off: {reasons}."
    for warning in provenance.get("warnings", []):
        text += f" {warning}"
    return text
