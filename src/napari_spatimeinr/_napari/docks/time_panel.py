"""The scrubber of an embryo, and who is there at the time that is shown."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from ..background.cells import Opened
from ..layers.scales import PREVIEW_STEPS
from .fields import Words
from .rows import beside
from .scale_rows import Scrubber
from .words import plain


class TimePanel(QWidget):
    """``scrubbed`` with a fractional frame when the user moved through time."""

    scrubbed = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._opened: Opened | None = None
        self._quiet = False
        self.scrubber = Scrubber(Qt.Orientation.Horizontal)
        self.scrubber.setPageStep(PREVIEW_STEPS)
        self.scrubber.setToolTip("Continuous time; the marks are the acquired time points")
        self.earlier, self.later = QPushButton("|<"), QPushButton(">|")
        self.earlier.setToolTip("The acquired time point before")
        self.later.setToolTip("The acquired time point after")
        self.shown = Words()
        self.shown.setToolTip("The time that is shown, the cells there are, and who divides")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        row = beside(self.earlier, self.scrubber, self.later)
        layout.addWidget(row)
        layout.addWidget(self.shown)
        self.scrubber.valueChanged.connect(self._on_scrub)
        self.earlier.clicked.connect(lambda: self._jump(-1))
        self.later.clicked.connect(lambda: self._jump(+1))
        self.setEnabled(False)

    def frame(self) -> float:
        """The (fractional) frame that is shown."""
        return float(self.scrubber.value()) / PREVIEW_STEPS

    def set_embryo(self, opened: Opened | None) -> None:
        """Another embryo, or none."""
        self._opened = opened
        self.setEnabled(opened is not None)
        frames = 1 if opened is None else opened.volume.shape[0]
        self._quiet = True
        self.scrubber.setRange(0, (frames - 1) * PREVIEW_STEPS)
        self._quiet = False
        self._say()

    def set_frame(self, frame: float) -> None:
        """Show a (fractional) frame without telling anybody."""
        self._quiet = True
        self.scrubber.setValue(round(frame * PREVIEW_STEPS))
        self._quiet = False
        self._say()

    def _on_scrub(self) -> None:
        self._say()
        if not self._quiet:
            self.scrubbed.emit(self.frame())

    def _jump(self, direction: int) -> None:
        steps = self.scrubber.value()
        frame = (steps // PREVIEW_STEPS + 1) if direction > 0 else -(-steps // PREVIEW_STEPS) - 1
        self.scrubber.setValue(frame * PREVIEW_STEPS)

    def _say(self) -> None:
        self.shown.setText("" if self._opened is None else time_words(self._opened, self.frame()))


def time_words(opened: Opened, frame: float) -> str:
    """When a (fractional) frame is, how many cells there are, and who divides around it."""
    number, lineage = opened.number_of(frame), opened.embryo.lineage
    if opened.is_acquired(number):
        kind = f"time point {number:g}, acquired"
    else:
        first, second = opened.number_of(int(frame)), opened.number_of(int(frame) + 1)
        kind = f"time point {number:g}, between {first:g} and {second:g}"
    divisions = [one.sentence() for one in lineage.dividing_at(number)]
    if len(divisions) > 2:
        names = ", ".join(one.mother for one in lineage.dividing_at(number))
        divisions = [f"Dividing: {names}."]
    seconds = plain(number * opened.embryo.dt)
    count = len(lineage.names_at(number))
    cells = "1 cell" if count == 1 else f"{count} cells"
    return " ".join([f"t = {seconds} s, {kind}: {cells}.", *divisions])
