"""How a fit is doing: how much of it is done, what it does, and how well it predicts frames it has
not seen.
"""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from ...analysis.sentences import duration, error_of, stage_words
from ...fitting import FitProgress
from .bars import Bar, ErrorBars
from .fields import Words
from .theme import Colours
from .words import in_the_dock


class ProgressPanel(QWidget):
    """Bar, message and the error on frames held out; ``said`` when there is something to read."""

    said = Signal()

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self.bar = QProgressBar()
        self.bar.setToolTip("Share of the steps that are done")
        self.bar.setRange(0, 1000)
        self.bar.setVisible(False)
        self.message = Words()
        self.message.setToolTip("What is being done, and what came of it")
        self.errors = ErrorBars("RMS error on frames it had not seen", colours)
        self.errors.setToolTip(
            "Some frames were held out, predicted from the others and compared with what was"
            " recorded there (root mean square of the difference); linear interpolation is 100 %"
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.bar, self.message, self.errors):
            layout.addWidget(widget)

    def say(self, words: str) -> None:
        """Show a sentence; none clears it."""
        self.message.setText(in_the_dock(words))
        if words:
            self.said.emit()

    def start(self, words: str) -> None:
        """A new job begins."""
        self.bar.setVisible(True)
        self.bar.setRange(0, 0)
        self.say(words)

    def end(self, words: str) -> None:
        """The job is over; say what came of it."""
        self.bar.setVisible(False)
        self.say(words)

    def show_fit(self, name: str, state: FitProgress) -> None:
        """The state of the fit of a layer."""
        self.show_share(state.step, state.of)
        left = "" if state.seconds_left is None else f", {duration(state.seconds_left)} left"
        self.message.setText(f'Fitting "{name}": {stage_words(state.stage)}{left}')

    def show_gain(self, gain_db: float | None) -> None:
        """The gain over linear interpolation on frames held out; None where nothing is known."""
        rows = (
            []
            if gain_db is None
            else [Bar("linear interpolation", 1.0), Bar("SpatimeINR", error_of(gain_db), True)]
        )
        if rows != self.errors.rows:
            self.errors.show_bars(rows)

    def show_share(self, done: int, of: int) -> None:
        """Move the bar."""
        self.bar.setVisible(True)
        # Qt would paint the bar, and with it napari's canvas, before it returns from setValue.
        self.bar.setUpdatesEnabled(False)
        self.bar.setRange(0, 1000)
        self.bar.setValue(round(1000 * done / max(of, 1)))
        self.bar.setUpdatesEnabled(True)
