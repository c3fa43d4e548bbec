"""What the dock ``SpatimeINR`` shows: its panels, in their order."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ..settings import settings
from .fields import Upright
from .method_panel import MethodPanel
from .output_panel import OutputPanel
from .progress_panel import ProgressPanel
from .scales_panel import ScalesPanel
from .section import Section
from .source_panel import SourcePanel
from .theme import colours


class FitView(Upright):
    """Panels and buttons, without what they do.

    Parameters
    ----------
    viewer : napari's viewer.
    """

    def __init__(self, viewer: Any) -> None:
        content = QWidget()
        super().__init__(content)
        chosen = settings()
        self.source_panel = SourcePanel(viewer)
        self.method_panel = MethodPanel(chosen.preset, chosen.device, chosen.time_budget)
        self.progress_panel = ProgressPanel(colours(viewer))
        self.scales_panel = ScalesPanel()
        self.output_panel = OutputPanel()
        self.fit_button, self.stop_button = QPushButton("Fit SpatimeINR"), QPushButton("Stop")
        self.stop_button.setToolTip("End what is running; a fit keeps what it has learned so far")
        layout = QVBoxLayout(content)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(6)
        buttons = QHBoxLayout()
        buttons.addWidget(self.fit_button, 2)
        buttons.addWidget(self.stop_button, 1)
        layout.addWidget(Section("Recording", self.source_panel, tip="What is fitted"))
        tip = "How thoroughly it is fitted, and every option"
        layout.addWidget(Section("Quality", self.method_panel, tip=tip))
        layout.addLayout(buttons)
        layout.addWidget(self.progress_panel)
        tip = "How fine, and which moment is shown"
        layout.addWidget(Section("Scale and time", self.scales_panel, tip=tip))
        tip = "What is made of the fit"
        layout.addWidget(Section("Render and save", self.output_panel, tip=tip))
        layout.addStretch(1)

    def show_message(self) -> None:
        """Scroll to what was said, if it is out of sight."""
        self.ensureWidgetVisible(self.progress_panel.message, 0, 0)
