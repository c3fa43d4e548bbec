"""Bottom of the dock: render, save, models."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QMenu,
    QMessageBox,
    QPushButton,
    QWidget,
)

from ...compute.device import free_memory
from ...io import WRITABLE, ending, is_template, present
from ...model.confidence import TRUSTED
from ..settings import settings


class Kind(NamedTuple):
    """A kind of file: what it is called, the proposed name, its endings, the proposed one first,
    and the place for a number.
    """

    name: str
    stem: str
    endings: tuple[str, ...]
    number: str = ""


OME_ZARR = Kind("OME-Zarr", "rendering", (".ome.zarr", ".zarr"))
KINDS = (
    Kind("NIfTI", "rendering", (".nii.gz", ".nii")),
    Kind("NIfTI for each time point", "rendering", (".nii.gz", ".nii"), "_{t:03}"),
    Kind("OME-TIFF", "rendering", (".ome.tif", ".ome.tiff")),
    Kind("ImageJ TIFF", "rendering", (".tif", ".tiff")),
    OME_ZARR,
)
MODEL = Kind("SpatimeINR model", "model", (".spatimeinr",))


class OutputPanel(QWidget):
    """Buttons; ``asked`` for a layer of a quantity, ``save`` with the path to save a rendering
    to.
    """

    asked = Signal(str)
    save = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.preview = QCheckBox("Preview layer")
        self.preview.setToolTip(
            "Show what was fitted as a layer beside the recording, computed while it is looked at"
        )
        self.to_layer = _button(
            "Render to layer", "Compute the recording at the chosen scales into a new layer"
        )
        self.save_as = _button(
            "Save as...",
            "Compute the recording at the chosen scales into a file: NIfTI, TIFF or OME-Zarr",
        )
        menu = QMenu(self.save_as)
        for kind in KINDS:
            menu.addAction(kind.name, lambda kind=kind: self._ask(kind))
        self.save_as.setMenu(menu)
        self.save_model = _button(
            "Save model",
            "Write all that was fitted to one file, frames included; above 2 GB it refers to the"
            " file of the layer instead, if there is one",
        )
        self.load_model = _button("Load model", "Open such a file: the recording and its preview")
        self.confidence = _button(
            "Confidence layer",
            "Half the width of the interval that holds 90 % of what would have been recorded, by"
            " errors on held-out frames; with fewer than three frames: how far the two frames"
            " around a time differ after their motion is undone",
        )
        self.trust = _button(
            "Trust layer",
            "1 where values are to be trusted: where the error to be expected, noise apart, is at"
            f" most {100 * TRUSTED:g} % of the recording's range, by errors on held-out frames",
        )
        self.labels = _button(
            "Which motion",
            "A Labels layer: which of the motions that are blended counts most at each voxel. Where"
            " there is no label it is no motion, or a frame as it was acquired",
        )
        self.carry = _button(
            "Carry annotations",
            "Select a Labels, Points or Tracks layer drawn on acquired frames: it is carried along"
            " the motion to the rendered times",
        )
        self._arrange()
        self._folder = str(Path.home())

    def _arrange(self) -> None:
        """Connect the buttons, and put all in two columns."""
        for what, button in (
            ("intensity", self.to_layer),
            ("confidence", self.confidence),
            ("trust", self.trust),
            ("hypothesis", self.labels),
        ):
            button.clicked.connect(lambda _, what=what: self.asked.emit(what))
        shown = (
            (self.to_layer, self.save_as),
            (self.save_model, self.load_model),
            (self.confidence, self.trust),
            (self.carry, self.labels),
            (self.preview,),
        )
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for row, widgets in enumerate(shown):
            for column, widget in enumerate(widgets):
                grid.addWidget(widget, row, column)

    def set_ready(self, fitted: bool, rendering: bool, shown: bool) -> None:
        """Enable what applies."""
        made = self.to_layer, self.save_as, self.confidence, self.trust, self.labels, self.carry
        for widget in made:
            widget.setEnabled(fitted and not rendering)
        self.save_model.setEnabled(fitted and not rendering)
        self.preview.setEnabled(fitted or shown)
        self.preview.blockSignals(True)
        self.preview.setChecked(shown)
        self.preview.blockSignals(False)

    def model_path(self, save: bool) -> Path | None:
        """Ask for a model file; None if the user changed their mind."""
        if save:
            return self._ask_where("Save model", MODEL)
        text, _ = QFileDialog.getOpenFileName(self, "Load model", self._folder, _filter(MODEL))
        return Path(text) if text else None

    def recording_path(self, why: str, before: Path) -> Path | None:
        """Ask where the recording is that lay at ``before``, a file or a folder; None if the user
        does not know.
        """
        if not self._agreed("Load model", f"{why}\n\nChoose where the recording is now?"):
            return None
        is_folder = ending(before) in ("", ".zarr", ".ome.zarr")
        if is_folder:
            text = QFileDialog.getExistingDirectory(self, f"Where is {before.name}?", self._folder)
        else:
            text, _ = QFileDialog.getOpenFileName(self, f"Where is {before.name}?", self._folder)
        return Path(text) if text else None

    def where_to(self, nbytes: int, name: str) -> Path | str | None:
        """Where a rendering goes: None for memory, a path to an OME-Zarr for a large one, "" for
        nowhere.
        """
        if nbytes < settings().memory_gb * 1e9 and nbytes < 0.5 * free_memory():
            return None
        question = (
            f"{name} takes {nbytes / 1e9:.1f} GB, {free_memory() / 1e9:.1f} GB of memory are"
            " free.\nWrite it to an OME-Zarr on disk and open that as a layer?"
        )
        if not self._agreed("Large rendering", question):
            return ""
        return self._ask_where("Render to", OME_ZARR) or ""

    def _ask(self, kind: Kind) -> None:
        path = self._ask_where(f"Save as {kind.name}", kind)
        if path is not None:
            self.save.emit(path)

    def _ask_where(self, title: str, kind: Kind) -> Path | None:
        """A path of this kind; None if the user changed their mind."""
        names = (f"{kind.stem}{n or ''}{kind.number}{kind.endings[0]}" for n in range(10_000))
        proposed = next(path for name in names if not present(path := Path(self._folder) / name))
        text, _ = QFileDialog.getSaveFileName(self, title, str(proposed), _filter(kind))
        if not text:
            return None
        path = _named(Path(text), kind)
        # The dialog has asked about the very name that was typed only.
        if (
            (path != Path(text) or is_template(path))
            and present(path)
            and not self._agreed(title, _replaced(path))
        ):
            return None
        self._folder = str(path.parent)
        return path

    def _agreed(self, title: str, question: str) -> bool:
        yes = QMessageBox.StandardButton.Yes
        return bool(
            QMessageBox.question(self, title, question, yes | QMessageBox.StandardButton.Cancel)
            == yes
        )


def _filter(kind: Kind) -> str:
    return f"{kind.name} ({' '.join(f'*{e}' for e in kind.endings)})"


def _named(path: Path, kind: Kind) -> Path:
    """A name with an ending of its kind, and for a series with a place for the number."""
    last = ending(path)
    stem = (
        path.name[: len(path.name) - len(last)] if last in (*WRITABLE, *kind.endings) else path.name
    )
    if not is_template(path):
        stem += kind.number
    return path.with_name(
        stem + (path.name[-len(last) :] if last in kind.endings else kind.endings[0])
    )


def _replaced(path: Path) -> str:
    if is_template(path):
        return f"{len(present(path))} files named like {path} are there already. Replace them?"
    return f"{path} is there already. Replace it?"


def _button(text: str, tip: str) -> QPushButton:
    """A button that says what it does when pointed at."""
    button = QPushButton(text)
    button.setToolTip(tip)
    return button
