"""What the dock ``SpatimeINR Embryo`` shows: its panels, in their order."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from ..settings import settings
from .cells_panel import CellsPanel
from .fields import Upright
from .flip_panel import FlipPanel
from .method_panel import MethodPanel
from .progress_panel import ProgressPanel
from .rows import beside
from .run_panel import RunPanel
from .section import Section
from .theme import Colours, colours
from .time_panel import TimePanel


class EmbryoView(Upright):
    """Panels and buttons, without what they do.

    Parameters
    ----------
    viewer : napari's viewer.
    """

    def __init__(self, viewer: Any) -> None:
        content = QWidget()
        super().__init__(content)
        chosen, paint = settings(), colours(viewer)
        self.run, self.flip = RunPanel(), FlipPanel(paint)
        self.method = MethodPanel(chosen.preset, chosen.device, chosen.time_budget)
        self.progress = ProgressPanel(paint)
        self.time, self.cells = TimePanel(), CellsPanel(paint)
        self.fit_button, self.stop_button = QPushButton("Fit SpatimeINR"), QPushButton("Stop")
        self.stop_button.setToolTip("End what is running; a fit keeps what it has learned so far")
        layout = QVBoxLayout(content)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(6)
        self.flip_section = Section(
            "Which end slices are counted from", self.flip, tip="Nuclei over membranes, both ways"
        )
        tip = "How thoroughly the membranes are fitted, and every option"
        self.quality = Section("Quality", self.method, tip=tip)
        parts: list[QWidget] = [
            Section("Embryo", self.run, tip="Slices, tracing and run file"),
            self.flip_section,
            self.quality,
            beside(self.fit_button, self.stop_button),
            self.progress,
            Section("Time", self.time, tip="Which moment is shown"),
            Section("Cells", self.cells, tip="Segment, correct, measure, save"),
        ]
        for part in parts:
            layout.addWidget(part)
        layout.addStretch(1)

    def set_colours(self, colours: Colours) -> None:
        """Paint with these from now on."""
        self.progress.errors.set_colours(colours)
        self.flip.picture.set_colours(colours)
        self.cells.curves.set_colours(colours)

    def show_message(self) -> None:
        """Scroll to what was said, if it is out of sight."""
        self.ensureWidgetVisible(self.progress.message, 0, 0)
