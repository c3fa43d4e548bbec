"""Quality, every option, other channels; what the fit will take."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QRadioButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ...config.options import PRESETS, Config
from ..layers.keys import RENDERED
from ..layers.source import Source
from .fields import Words, roomy
from .options_form import OptionsForm
from .section import Section

PRESET_TIPS = {
    "fast": "A first look: less than half the steps",
    "balanced": "For most recordings",
    "best": "Several times longer; for the final result",
    "published": (
        "SpatimeINR as it was published, repaired: to compare with; hours without a GPU, set a time"
        " budget under 'more'"
    ),
}


class MethodPanel(QWidget):
    """Choice of the preset and, folded, of every option; ``changed`` when any of it changed."""

    changed = Signal()

    def __init__(self, preset: str, device: str, time_budget: float) -> None:
        super().__init__()
        row = self._make_presets(preset)
        self.estimate = Words()
        self.estimate.setToolTip(
            "Estimated from the size of the recording, the options and the speed of this machine"
        )

        self.form = OptionsForm()
        self.more = self._make_more(device, time_budget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.estimate)
        layout.addWidget(self.more)
        self.form.set_preset(self.preset())
        self.presets.idClicked.connect(self._on_preset)
        self.device.currentTextChanged.connect(lambda _: self.changed.emit())
        self.budget.valueChanged.connect(lambda _: self.changed.emit())
        for editor in self.form.editors.values():
            # magicgui's editors have one signal, plain fields of Qt another.
            signal = editor.changed if hasattr(editor, "changed") else editor.editingFinished
            signal.connect(lambda *_: self.changed.emit())

    def _make_presets(self, preset: str) -> QHBoxLayout:
        row = QHBoxLayout()
        self.presets = QButtonGroup(self)
        self._names: dict[int, str] = {}
        for number, name in enumerate(PRESETS):
            button = QRadioButton(name)
            button.setToolTip(PRESET_TIPS.get(name, f"The settings '{name}'"))
            button.setChecked(name == preset)
            self.presets.addButton(button, number)
            self._names[number] = name
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _make_more(self, device: str, time_budget: float) -> Section:
        self.device = QComboBox()
        self.device.setEditable(True)
        self.device.addItems(["auto", "cpu", "cuda", "mps"])
        self.device.setCurrentText(device)
        self.device.setToolTip("Where to compute: auto takes a CUDA GPU where there is one")
        self.seed = QSpinBox()
        self.seed.setMaximum(2**31 - 1)
        self.seed.setToolTip(
            "The same seed gives the same result on the CPU with a fixed number of threads"
        )
        self.budget = QDoubleSpinBox()
        self.budget.setRange(0, 1e6)
        self.budget.setSpecialValueText("no limit")
        self.budget.setSuffix(" s")
        self.budget.setValue(time_budget)
        self.budget.setToolTip("Seconds the fit may take; it ends with what it has by then")
        self.channels = QListWidget()
        self.channels.setMaximumHeight(80)
        self.channels.setToolTip(
            "Layers of the same size that move the same way: each is fitted after this one, with"
            " its motion"
        )
        more = QWidget()
        form = QFormLayout(more)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("device", self.device)
        form.addRow("seed", self.seed)
        form.addRow("time budget", self.budget)
        form.addRow("other channels", self.channels)
        for box in (self.seed, self.budget):
            roomy(box)
        tip = "Device, seed, time budget, other channels, and every option of the fit"
        return Section("more", more, self.form, tip=tip, folded=True)

    def preset(self) -> str:
        """The chosen preset."""
        return self._names.get(self.presets.checkedId(), "balanced")

    def config(self) -> Config:
        """The preset with what was changed on top; raises ConfigError."""
        return self.form.config()

    def set_channels(self, source: Source | None, layers: list[Any]) -> None:
        """Offer the layers whose motion may be shared with ``source``."""
        chosen = self.chosen_channels()
        self.channels.clear()
        for layer in layers:
            if source is None or not _may_share_motion(layer, source.layer):
                continue
            item = QListWidgetItem(layer.name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(
                Qt.CheckState.Checked if layer in chosen else Qt.CheckState.Unchecked
            )
            item.setData(Qt.ItemDataRole.UserRole, layer)
            self.channels.addItem(item)

    def chosen_channels(self) -> list[Any]:
        """The layers to fit with the same motion."""
        items = [self.channels.item(i) for i in range(self.channels.count())]
        return [
            item.data(Qt.ItemDataRole.UserRole)
            for item in items
            if item is not None and item.checkState() == Qt.CheckState.Checked
        ]

    def _on_preset(self) -> None:
        self.form.set_preset(self.preset())
        self.changed.emit()


def _may_share_motion(layer: Any, fitted: Any) -> bool:
    """Whether a layer can be another channel of a fitted one: an image of the same size."""
    if layer == fitted or layer.__class__.__name__ != "Image" or RENDERED in layer.metadata:
        return False
    if layer.ndim != fitted.ndim or getattr(layer, "multiscale", False):
        return False
    return tuple(layer.data.shape) == tuple(fitted.data.shape)
