"""What to try for a plan: frame intervals and the wanted quality."""

from __future__ import annotations

import math

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from ...analysis.frame_plan import LOSS_DB
from ...analysis.planner import GAPS
from ...errors import ConfigError
from .fields import NumberField
from .planner_view import PlanView
from .rows import below
from .theme import Colours


class PlannerPanel(QWidget):
    """Fields, a button and what was found."""

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        usual = ", ".join(map(str, GAPS))
        self.gaps = NumberField("Every how-manieth frame is given, for each try", usual)
        self.gaps.setText(usual)
        self.quality = NumberField(
            "PSNR that frames left out should have at least, dB; if empty,"
            f" {LOSS_DB:g} dB less than the shortest of these intervals gives"
        )
        self.button = QPushButton("Plan the frame interval")
        self.button.setToolTip(
            "Which frames would have been enough, and where one more would help most; one fit for"
            " each interval and one of all frames"
        )
        self.view = PlanView(colours)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(below(("Given one of", self.gaps), ("Wanted (dB)", self.quality)))
        layout.addWidget(self.button)
        layout.addWidget(self.view)

    def asked(self) -> tuple[tuple[int, ...], float | None]:
        """The gaps and the wanted quality.

        Raises
        ------
        ConfigError
            If what was entered are no such numbers.
        """
        try:
            gaps = tuple(int(part) for part in self.gaps.text().replace(",", " ").split())
        except ValueError:
            gaps = ()
        if not gaps or min(gaps) < 2:
            raise ConfigError(
                f"Enter whole numbers from 2 on after 'Given one of', like 2, 3, 4, 6; got"
                f" {self.gaps.text()!r}."
            )
        text = self.quality.text().strip()
        try:
            quality = float(text) if text else None
        except ValueError:
            quality = math.nan
        if quality is not None and not (math.isfinite(quality) and quality > 0):
            raise ConfigError(f"Enter a positive number of dB as wanted, or nothing; got {text!r}.")
        return gaps, quality
