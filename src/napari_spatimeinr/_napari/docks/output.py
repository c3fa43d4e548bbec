"""What is made of a fit: layers, files, models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from ...analysis.sentences import labels_sentence, motion_features
from ...checkpoint import mend, read_header
from ...errors import FormatError, SpatimeINRError
from ...field import Field
from ...io import destination
from ...io.linked import frames_of
from ...volume import Volume
from ..background.annotations import Annotation
from ..background.jobs import render_work, save_work
from ..background.results import Results
from ..background.session import Session
from ..layers.appearance import add_labels, add_rendered, reads_from
from ..layers.keys import RENDERED
from ..layers.scales import Scales
from .output_panel import OutputPanel

A_MOMENT = 1.0
"""Seconds to wait for another writer of a file: other docks wait for the thread that does."""


class Output(QObject):
    """Renders and saves in the background; ``told`` with a sentence where it does not.

    Parameters
    ----------
    viewer : napari's viewer.
    results : what runs the jobs.
    panel : asks for names of files.
    parent : the dock.
    """

    told = Signal(str)

    def __init__(self, viewer: Any, results: Results, panel: OutputPanel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._results, self._panel = viewer, results, panel

    def to_layer(self, session: Session | None, scales: Scales, what: str = "intensity") -> None:
        """Render a quantity into a new layer, in memory or, if it is large and the user agrees, on
        disk; where no frames were held out to calibrate confidence, disagreement in its place.
        """
        if session is None or session.field is None:
            return
        field, source = session.field, session.source
        if what == "confidence" and "confidence" not in field.provenance:
            what = "disagreement"
        how = {**scales.rendering(field.grid), "what": what}
        name = scales.name(source.name, field.grid) + ("" if what == "intensity" else f" {what}")
        try:
            path = self._panel.where_to(field.lazy(**how).nbytes, name)
        except SpatimeINRError as error:
            self.told.emit(str(error))
            return

        def added(volume: Volume) -> str:
            if what == "hypothesis":
                add_labels(self._viewer, source, volume, name, motion_features(field.provenance))
                return f"{name} is a layer now. {labels_sentence(field.provenance)}"
            add_rendered(self._viewer, source, volume, name, own_contrast=what != "intensity")
            return f"{name} is a layer now."

        if path is None:
            self._run(render_work(field, how), f"Rendering {name}", added)
        elif path and self._is_free(Path(path)):
            self._run(
                save_work(field, how, Path(path), name),
                f"Rendering {name}",
                lambda p: added(_reopened(p, field, how)),
            )

    def carried(self, session: Session | None, scales: Scales, layer: Any) -> None:
        """Carry an annotation layer to the rendered times, into a new layer."""
        if session is None or session.field is None:
            return
        try:
            annotation = Annotation(layer, session, scales)
        except SpatimeINRError as error:
            self.told.emit(str(error))
            return

        def added(result: Any) -> str:
            return f"{annotation.add(self._viewer, result)} is a layer now."

        self._run(annotation.carried, f"Carrying {annotation.name}", added)

    def to_file(self, session: Session | None, scales: Scales, path: Path) -> None:
        """Render into a file."""
        if session is not None and session.field is not None and self._is_free(path):
            name = scales.name(session.source.name, session.field.grid)
            work = save_work(session.field, scales.rendering(session.field.grid), path, name)
            self._run(work, f"Saving {path.name}", lambda written: f"Saved {written}.")

    def model(self, session: Session | None) -> None:
        """Ask for a file and write the model to it."""
        if session is None or session.field is None:
            return
        field, path = session.field, self._panel.model_path(save=True)
        if path is not None and self._is_free(path):
            self._run(
                lambda tick: field.save(path, A_MOMENT),
                f"Saving {path.name}",
                lambda written: f"Saved {written}. {field.frames_said}".rstrip(),
            )

    def open_model(self) -> None:
        """Ask for a model file and open it: the recording as a layer, and its preview."""
        path = self._panel.model_path(save=False)
        if path is not None and self._has_frames(path):
            self._viewer.open(str(path), plugin="napari-spatimeinr")

    def _has_frames(self, model: Path) -> bool:
        """Whether the recording is there that a model refers to; asks for it where it is not, and
        writes the answer into the model.
        """
        try:
            said = read_header(model).get("recording")
            if said is None:
                return True
            try:
                frames_of(said, model)
            except FormatError as error:
                place = self._panel.recording_path(str(error), Path(str(said["absolute"])))
                if place is None:
                    raise
                mend(model, place)
        except SpatimeINRError as error:
            self.told.emit(str(error))
            return False
        return True

    def _is_free(self, path: Path) -> bool:
        """Whether no layer is read from a file; says so if one is."""
        name = reads_from(self._viewer, destination(path))
        if name is not None:
            self.told.emit(
                f"The layer '{name}' is read from {path}; choose another name, or remove that layer"
                " first."
            )
        return name is None

    def _run(self, work: Callable[[Any], Any], words: str, then: Callable[[Any], str]) -> None:
        if not self._results.run(work, words, then):
            self.told.emit("Something is being computed or saved; wait for it or press Stop.")


def _reopened(path: Path, field: Field, how: dict[str, Any]) -> Volume:
    """What was rendered into a file, lazily, with its provenance."""
    rendered = field.lazy(**how)
    volume = field.wrap(Volume.open(path).data, rendered)
    volume.metadata[RENDERED]["file"] = str(path)
    return volume
