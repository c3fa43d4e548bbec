"""Models of layers refer to the files of these, where they hold just what the layer shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog, QMessageBox

from linked_models import fitted as model_of
from linked_models import recording, voxels
from napari_spatimeinr import Volume, load
from napari_spatimeinr._napari.layers.source import understand

from .conftest import Wait, add, fitted

ROI = (1, 4), (0, 6), (0, 70), (5, 75)


def opened(viewer: Any, path: Path, plugin: str) -> Any:
    (layer,) = viewer.open(str(path), plugin=plugin)
    return layer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "plugin"),
    [
        ("a.nii", "napari-spatimeinr"),
        ("a.nii.gz", "napari-spatimeinr"),
        ("a.ome.zarr", "napari-spatimeinr"),
        ("a.tif", "napari"),
        ("slices", "napari-spatimeinr"),
    ],
)
def test_layers_of_files_whoever_read_them(
    viewer: Any, kind: str, plugin: str, tmp_path: Path
) -> None:
    path = recording(tmp_path / "data", kind)
    layer = opened(viewer, path, plugin)
    for volume in (understand(layer).volume, understand(layer).volume.crop(ROI)):
        field = model_of(volume)
        model = field.save(tmp_path / "m.spatimeinr", link=True)
        assert field.recording == path
        assert np.array_equal(load(model, "cpu").volume.data, np.asarray(volume.data))
        assert load(model, "cpu").grid == field.grid


def test_a_layer_whose_voxels_were_changed_is_held(
    viewer: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("napari_spatimeinr.saved.LINKED_ABOVE", 0)
    path = recording(tmp_path / "data", "a.nii.gz")
    layer = opened(viewer, path, "napari-spatimeinr")
    layer.data = np.asarray(layer.data) + 1
    field = model_of(understand(layer).volume)
    model = field.save(tmp_path / "m.spatimeinr")
    assert field.recording is None
    assert "does not hold these voxels" in field.frames_said
    assert np.array_equal(load(model, "cpu").volume.data, voxels() + 1)


@pytest.mark.slow
def test_the_dock_says_where_the_frames_are(
    viewer: Any,
    dock: Any,
    click: Any,
    wait: Wait,
    answer: Any,
    tmp_path: Path,
    small: Volume,
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr("napari_spatimeinr.saved.LINKED_ABOVE", 0)
    path = small.save(tmp_path / "a.nii")
    for name, words in (("linked", str(path)), ("held", "it is in memory and in no file")):
        if name == "linked":
            viewer.open(str(path), plugin="napari-spatimeinr")
        else:
            viewer.layers.clear()
            add(viewer, small)
        fitted(dock, click, wait)
        answer(tmp_path / name)
        click(dock.output_panel.save_model)
        wait(lambda: not dock.results.running)
        wait(lambda words=words: words in dock.progress_panel.message.text())
        recording = load(tmp_path / f"{name}.spatimeinr", "cpu").recording
        assert recording == (path if name == "linked" else None)
    viewer.layers.clear()
    viewer.open(str(tmp_path / "linked.spatimeinr"), plugin="napari-spatimeinr")
    wait(lambda: len(viewer.layers) == 2 and not dock.results.running)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["a.nii", "a.ome.zarr"])
def test_the_dock_asks_where_a_recording_is_that_has_moved(
    viewer: Any, dock: Any, click: Any, wait: Wait, tmp_path: Path, monkeypatch: Any, kind: str
) -> None:
    path = recording(tmp_path / "data", kind)
    other = recording(tmp_path / "other", kind, voxels(1))
    model = model_of(path).save(tmp_path / "m.spatimeinr", link=True)
    moved = path.rename(tmp_path / f"b{kind[1:]}")

    def load_model(yes: bool, chosen: Path) -> str:
        button = QMessageBox.StandardButton
        monkeypatch.setattr(QMessageBox, "question", lambda *_: button.Yes if yes else button.No)
        files = iter([str(model), str(chosen)])
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (next(files), ""))
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(chosen))
        click(dock.output_panel.load_model)
        return str(dock.progress_panel.message.text())

    assert "moved, renamed or deleted" in load_model(False, moved)
    assert "its voxels are others" in load_model(True, other)
    assert len(viewer.layers) == 0
    load_model(True, moved)
    wait(lambda: len(viewer.layers) == 2 and not dock.results.running)
    assert load(model, "cpu").recording == moved
