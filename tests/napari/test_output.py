"""Files, models and layers that are made of a fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QMessageBox

from napari_spatimeinr import Volume, load
from napari_spatimeinr.errors import SpatimeINRError
from napari_spatimeinr.io.locks import alone

from .conftest import (
    PREVIEW,
    Wait,
    add,
    drawn,
    fitted,
    same_world,
    save_as,
)


def test_a_model_is_saved_and_dropped_on_the_viewer(
    viewer: Any, dock: Any, click: Any, wait: Wait, answer: Any, tmp_path: Path, small: Volume
) -> None:
    add(viewer, small)
    session = fitted(dock, click, wait)
    answer(tmp_path / "cells")
    click(dock.output_panel.save_model)
    wait(lambda: not dock.results.running)
    path = tmp_path / "cells.spatimeinr"
    assert np.array_equal(
        np.asarray(load(path).lazy()[1, 2]), np.asarray(session.field.lazy()[1, 2])
    )
    viewer.layers.clear()
    viewer.open(str(path), plugin="napari-spatimeinr")
    wait(lambda: PREVIEW in viewer.layers and not dock.results.running)
    same_world(viewer, "cells", PREVIEW)
    wait(lambda: drawn(viewer))
    viewer.layers.clear()
    answer(path)
    click(dock.output_panel.load_model)
    wait(lambda: PREVIEW in viewer.layers)


def test_a_file_is_not_replaced_unasked(
    viewer: Any,
    dock: Any,
    click: Any,
    wait: Wait,
    answer: Any,
    tmp_path: Path,
    small: Volume,
    monkeypatch: Any,
) -> None:
    add(viewer, small)
    fitted(dock, click, wait)
    path = tmp_path / "m.spatimeinr"
    path.write_text("precious")
    answer(tmp_path / "m")
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Cancel)
    click(dock.output_panel.save_model)
    assert path.read_text() == "precious"
    assert not dock.results.running
    answer(tmp_path / "raw.nii")
    click(dock.output_panel.save_model)
    wait(lambda: not dock.results.running)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.spatimeinr", "raw.spatimeinr"]
    answer(tmp_path / "busy")
    with alone(tmp_path / "busy.spatimeinr"):
        click(dock.output_panel.save_model)
        wait(lambda: not dock.results.running, seconds=30)
    assert not (tmp_path / "busy.spatimeinr").exists(), (
        "the computing thread does not wait for another writer"
    )


def test_a_folder_that_is_shown_is_not_written_over(
    viewer: Any, dock: Any, click: Any, wait: Wait, answer: Any, tmp_path: Path, small: Volume
) -> None:
    add(viewer, small)
    fitted(dock, click, wait)
    small.save(tmp_path / "shown.ome.zarr")
    viewer.open(str(tmp_path / "shown.ome.zarr"), plugin="napari-spatimeinr")
    dock.source_panel.select(viewer.layers["cells"])
    answer(tmp_path / "shown.ome.zarr")
    save_as(dock, "OME-Zarr")
    assert "is read from" in dock.progress_panel.message.text()
    assert not dock.results.running


def test_two_models_at_once(
    viewer: Any, dock: Any, wait: Wait, tmp_path: Path, small: Volume
) -> None:
    from napari_spatimeinr import fit

    for name in ("a", "b"):
        fit(
            small,
            "fast",
            {
                "motion": {"steps": 2},
                "latents": {"enabled": False},
                "planes": {"enabled": False},
                "gate": False,
            },
        ).save(tmp_path / f"{name}.spatimeinr")
    for name in ("a", "b"):
        viewer.open(str(tmp_path / f"{name}.spatimeinr"), plugin="napari-spatimeinr")
    wait(
        lambda: (
            len(dock.fitter.sessions) == 2
            and all(session.layer is not None for session in dock.fitter.sessions)
        )
    )


def test_a_rendering_that_cannot_be_shown_is_told(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume, monkeypatch: Any
) -> None:
    from napari_spatimeinr._napari.docks import output

    add(viewer, small)
    fitted(dock, click, wait)

    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("no room")

    monkeypatch.setattr(output, "add_rendered", broken)
    click(dock.output_panel.to_layer)
    wait(lambda: not dock.results.running)
    assert "ValueError: no room" in dock.progress_panel.message.text()
    assert dock.progress_panel.bar.isHidden()


def test_a_preview_cannot_be_saved(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume, tmp_path: Path
) -> None:
    add(viewer, small)
    fitted(dock, click, wait)
    viewer.layers.selection.active = viewer.layers[PREVIEW]
    with pytest.raises(SpatimeINRError, match="Save as"):
        viewer.layers.save(str(tmp_path / "p.nii.gz"), selected=True, plugin="napari-spatimeinr")
    assert not list(tmp_path.iterdir())
