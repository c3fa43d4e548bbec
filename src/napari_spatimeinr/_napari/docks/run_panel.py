"""The run file of an embryo, and what it may not say: calibration, number of the first slice."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ...errors import InputError
from ..background.cells import Opened
from .fields import NumberField, Words
from .rows import beside
from .section import Section
from .words import in_the_dock, plain

NUMBERS = {"xy": "pixel (um)", "z": "distance of slices (um)", "dt": "frame interval (s)"}


class RunPanel(QWidget):
    """``asked`` when the user wants the run file opened."""

    asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.path, self.browse = QLineEdit(), QPushButton("...")
        self.path.setPlaceholderText("running_Emb1.txt")
        self.path.setToolTip("The run file, which names slices, tracing and sizes")
        self.browse.setToolTip("Choose a run file and open it")
        self.open = QPushButton("Open")
        self.open.setToolTip("Open the run file with the calibration below")
        self.numbers = {
            key: NumberField(f"The {words} of the raw recording; empty to take the run file's")
            for key, words in NUMBERS.items()
        }
        self.first = QComboBox()
        self.first.addItems(["1", "0"])
        self.first.setToolTip("What the tracing calls the first slice")
        calibration = QWidget()
        form = QFormLayout(calibration)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(4)
        pixel, slices, frame = self.numbers.values()
        form.addRow("xy, z (um)", beside(pixel, QLabel("z"), slices))
        form.addRow("dt (s)", beside(frame, QLabel("first slice"), self.first))
        self.summary, self.said = Words(), Words()
        self.summary.setToolTip("What was opened")
        self.said.setToolTip("Where the calibration comes from, and what was odd")
        self.details = Section(
            "Calibration and what was taken for granted",
            calibration,
            self.said,
            tip="Voxel size, frame interval, and a sentence for each thing that was odd",
            folded=True,
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (beside(self.path, self.browse, self.open), self.summary, self.details):
            layout.addWidget(widget)
        self.browse.setMaximumWidth(32)
        self.browse.clicked.connect(self._on_browse)
        self.open.clicked.connect(self.asked)
        self.path.returnPressed.connect(self.asked)

    def how(self) -> dict[str, Any]:
        """The options of :func:`.open_embryo` but the flip.

        Raises
        ------
        InputError
            If a field holds no number.
        """
        out: dict[str, Any] = {"z_first": int(self.first.currentText())}
        for key, field in self.numbers.items():
            text = field.text().strip()
            if not text:
                continue
            value = None
            with suppress(ValueError):
                value = float(text)
            if value is None:
                raise InputError(f"The {NUMBERS[key]} is a number, got {text!r}; correct it.")
            out[key] = value
        return out

    def show_embryo(self, opened: Opened | None) -> None:
        """Say what was opened, and what was taken for granted."""
        if opened is None:
            self.summary.setText("")
            self.said.setText("")
            return
        embryo = opened.embryo
        size = " x ".join(map(str, embryo.record.shape))
        dt, z, _, xy = embryo.calibration.spacing
        lineage = embryo.lineage
        self.summary.setText(
            f"{embryo.name}: {size} (t, z, y, x), every {plain(dt)} s, voxel {plain(z)} x"
            f" {plain(xy)} um; {len(lineage.names)} cells, {len(lineage.divisions)} divisions."
            + (f" {len(embryo.warnings)} warnings below." if embryo.warnings else "")
        )
        for field, value in zip(self.numbers.values(), (xy, z, dt), strict=True):
            field.setPlaceholderText(plain(value))
        told = [in_the_dock(one) for one in (*embryo.warnings, *embryo.calibration.sentences)]
        self.said.setText("\n".join(told))
        if embryo.warnings:
            self.details.set_open(True)

    def _on_browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open the run file of an embryo", self.path.text(), "Run file (*.txt);;All (*)"
        )
        if path:
            self.path.setText(path)
            self.asked.emit()
