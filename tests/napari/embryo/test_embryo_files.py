"""From the dock SpatimeINR Embryo to files, and from files to layers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cut import problems
from napari_spatimeinr.embryo import guidata

from ..conftest import Wait
from .conftest import SCREEN, said, segmented


@pytest.mark.slow
def test_the_whole_way_in_a_small_window(
    viewer: Any,
    opened: Any,
    click: Any,
    wait: Wait,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from qtpy.QtWidgets import QFileDialog

    method = opened.view.method
    method.presets.button(0).click()
    for part in ("motion", "latents", "planes"):
        method.form.editors[part, "steps"].value = 5
    click(opened.fit_button)
    assert opened.stop_button.isEnabled()
    wait(lambda: not opened.fitter.running)
    assert viewer.layers[1].name == "Emb1 [SpatimeINR preview]"
    segmented(opened, click, wait, 3)  # what is only found is no part of what tells runs apart
    layer = segmented(opened, click, wait, 2.5)
    layer.data = np.where(layer.data == layer.data.max(), 0, layer.data)
    kept = np.array(layer.data[0])
    opened.view.verticalScrollBar().setValue(10_000)

    def cut() -> list[str]:
        # A path may be longer than its field.
        return [line for line in problems(opened) if "QLineEdit '/" not in line]

    # The window needs a moment to lay itself out.
    wait(lambda: not cut(), 5)
    table = opened.view.cells.table
    assert table.horizontalHeader().length() <= table.viewport().width()
    window = opened.window()
    assert (window.width(), window.height()) == SCREEN
    out = str(tmp_path / "out")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: out)
    click(opened.view.cells.all_times)
    wait(lambda: not opened.results.running)
    assert "Wrote 7 time points" in said(opened), said(opened)
    folder = guidata.open_folder(tmp_path / "out" / "GUIData")
    assert folder.numbers == list(range(1, 8))
    # Time point 2.5 is the fourth of the files, and as it was corrected.
    assert np.array_equal(folder.labels[3] > 0, kept > 0)
    state = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert [*state["fit"]["corrected"]] == ["2.5"]
    viewer.layers.clear()
    viewer.open(str(tmp_path / "out" / "GUIData"), plugin="napari-spatimeinr")
    cells = viewer.layers["Emb1 cells"]
    names = dict(zip(cells.features["index"], cells.features["name"], strict=True))
    assert names == {0: "", **folder.names}
    assert np.allclose(cells.scale[1:], folder.spacing)
    masks = sorted((tmp_path / "out" / "result").glob("Emb1_004"))
    viewer.open(str(masks[0]), plugin="napari-spatimeinr")
    read = viewer.layers["Emb1_004"]
    label = int(read.features["index"][1])
    own = dict(zip(cells.features["name"], cells.features["index"], strict=True))
    wanted = own[read.features["name"][1]]
    assert np.array_equal(read.data[0] == label, np.asarray(cells.data[3]) == wanted)


# -- folders -------------------------------------------------------------------------------
def test_a_folder_of_time_points_is_not_taken_for_masks(tmp_path: Path) -> None:
    from napari_spatimeinr._napari.layers.cell_folders import has_cells

    for folder, name in (("movie_001", "movie_001_t000"), ("Emb1_001", "Emb1_001_ABal")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.nii.gz").touch()
    assert not has_cells(tmp_path / "movie_001")
    assert has_cells(tmp_path / "Emb1_001")
    assert not has_cells(tmp_path / "nothing")
