"""Bottom of the dock: render, save, models."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QGridLayout, QMenu, QMessageBox, QPushButton, QToolButton, QWidget

from ..device import free_memory
from .settings import settings

FORMATS = {"NIfTI": ".nii.gz", "OME-TIFF": ".ome.tif", "OME-Zarr": ".ome.zarr"}
ENDINGS = {".nii.gz": (".nii", ".nii.gz"), ".ome.tif": (".tif", ".tiff"), ".ome.zarr": (".zarr",)}
MODELS = "SpatimeINR models (*.spatimeinr)"


class OutputPanel(QWidget):
    """Buttons; ``save`` with the path to save a rendering to."""

    save = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.preview = QCheckBox("Preview layer")
        self.preview.setToolTip("Show what was fitted as a layer beside the recording, computed while it is looked at")
        self.render = QPushButton("Render to layer")
        self.render.setToolTip("Compute the recording at the chosen scales into a new layer")
        self.save_as = QToolButton()
        self.save_as.setText("Save as...")
        self.save_as.setToolTip("Compute the recording at the chosen scales into a file")
        self.save_as.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.save_as)
        for name, ending in FORMATS.items():
            menu.addAction(name, lambda name=name, ending=ending: self._ask(name, ending))
        self.save_as.setMenu(menu)
        self.save_model, self.load_model = QPushButton("Save model"), QPushButton("Load model")
        self.save_model.setToolTip("Write all that was fitted, frames included, to one file")
        self.load_model.setToolTip("Open such a file: the recording and its preview")
        self.confidence = QPushButton("Confidence layer")
        self.confidence.setToolTip(
            "Half the width of the interval that holds 90 % of what would have been recorded, by errors on held-out frames; "
            "with fewer than four frames: how far the two frames around a time differ after their motion is undone"
        )
        self.carry = QPushButton("Carry annotations")
        self.carry.setToolTip(
            "Select a Labels, Points or Tracks layer drawn on acquired frames: it is carried along the motion to the rendered times"
        )
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for number, widget in enumerate(
            (self.render, self.save_as, self.save_model, self.load_model, self.confidence, self.carry, self.preview)
        ):
            grid.addWidget(widget, number // 2, number % 2)
        self._folder = str(Path.home())

    def set_ready(self, fitted: bool, rendering: bool, shown: bool) -> None:
        """Enable what applies."""
        for widget in (self.render, self.save_as, self.confidence, self.carry):
            widget.setEnabled(fitted and not rendering)
        self.save_model.setEnabled(fitted and not rendering)
        self.preview.setEnabled(fitted or shown)
        self.preview.blockSignals(True)
        self.preview.setChecked(shown)
        self.preview.blockSignals(False)

    def model_path(self, save: bool) -> Path | None:
        """Ask for a model file; None if the user changed their mind."""
        if save:
            return self._ask_where("Save model", "model", ".spatimeinr", MODELS)
        text, _ = QFileDialog.getOpenFileName(self, "Load model", self._folder, MODELS)
        return Path(text) if text else None

    def where_to(self, nbytes: int, name: str) -> Path | str | None:
        """Where a rendering goes: None for memory, a path to an OME-Zarr for a large one, "" for nowhere."""
        if nbytes < settings().memory_gb * 1e9 and nbytes < 0.5 * free_memory():
            return None
        question = (
            f"{name} takes {nbytes / 1e9:.1f} GB, {free_memory() / 1e9:.1f} GB of memory are free.\n"
            "Write it to an OME-Zarr on disk and open that as a layer?"
        )
        if not self._agreed("Large rendering", question):
            return ""
        return self._ask_where("Render to", "rendering", ".ome.zarr", "OME-Zarr (*.zarr)") or ""

    def _ask(self, name: str, ending: str) -> None:
        path = self._ask_where(f"Save as {name}", "rendering", ending, f"{name} (*{ending})")
        if path is not None:
            self.save.emit(path)

    def _ask_where(self, title: str, stem: str, ending: str, kinds: str) -> Path | None:
        """A path with an ending of this kind; None if the user changed their mind."""
        proposed = next(p for n in range(10_000) if not (p := Path(self._folder) / f"{stem}{n or ''}{ending}").exists())
        text, _ = QFileDialog.getSaveFileName(self, title, str(proposed), kinds)
        if not text:
            return None
        path = Path(text)
        if not path.name.lower().endswith(ENDINGS.get(ending, (ending,))):
            # The dialog has asked about the name without its ending only.
            path = path.with_name(path.name + ending)
            if path.exists() and not self._agreed(title, f"{path} is there already. Replace it?"):
                return None
        self._folder = str(path.parent)
        return path

    def _agreed(self, title: str, question: str) -> bool:
        yes = QMessageBox.StandardButton.Yes
        return bool(QMessageBox.question(self, title, question, yes | QMessageBox.StandardButton.Cancel) == yes)
