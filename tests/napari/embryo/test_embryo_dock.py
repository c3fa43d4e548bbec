"""The dock SpatimeINR Embryo in a real window, from a run file to corrected cells and files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_fit import FakeFit
from napari_spatimeinr.embryo.phantom import EmbryoPhantom
from napari_spatimeinr.embryo.recording import open_embryo

from ..conftest import Wait, engine_threads
from .conftest import said, segmented


# -- open ----------------------------------------------------------------------------------
def test_an_embryo_opens_calibrated_with_its_tracks_and_nuclei(
    viewer: Any, embryo: Any, phantom: EmbryoPhantom, answer: Any, click: Any, wait: Wait
) -> None:
    assert not embryo.fit_button.isEnabled()
    answer(phantom.run_file)
    click(embryo.view.run.browse)
    wait(lambda: embryo.opened is not None)
    assert [layer.name for layer in viewer.layers] == ["Emb1", "Emb1 tracks", "Emb1 nuclei"]
    recording = viewer.layers["Emb1"]
    assert np.allclose(recording.scale, (90, 0.9, 0.4, 0.4))
    assert np.array_equal(np.asarray(recording.data), phantom.volume.data)
    assert "4 x 12 x 40 x 56 (t, z, y, x), every 90 s" in embryo.view.run.summary.text()
    assert "The pixel is 0.4 um, as the run file says." in embryo.view.run.said.text()
    assert embryo.fit_button.isEnabled()
    assert not embryo.view.cells.this_time.isEnabled()


def test_calibration_that_is_typed_counts_first(
    viewer: Any, embryo: Any, phantom: EmbryoPhantom, click: Any, wait: Wait
) -> None:
    view = embryo.view.run
    view.path.setText(str(phantom.run_file))
    view.numbers["z"].setText("much")
    click(view.open)
    assert "The distance of slices (um) is a number, got 'much'" in said(embryo)
    view.numbers["z"].setText("1.8")
    view.numbers["dt"].setText("60")
    click(view.open)
    wait(lambda: embryo.opened is not None)
    assert np.allclose(viewer.layers["Emb1"].scale, (60, 1.8, 0.4, 0.4))
    assert "The distance of slices is 1.8 um, as given." in view.said.text()
    assert "--" not in view.said.text()


def test_what_cannot_be_opened_is_said_in_a_sentence(
    viewer: Any, embryo: Any, tmp_path: Path, click: Any, wait: Wait
) -> None:
    click(embryo.view.run.open)
    assert "Choose the run file of an embryo first" in said(embryo)
    (tmp_path / "running.txt").write_text("rootname=Emb1_\n")
    embryo.view.run.path.setText(str(tmp_path / "running.txt"))
    click(embryo.view.run.open)
    wait(lambda: not embryo.results.running)
    assert "does not say CD_file" in said(embryo)
    assert not list(viewer.layers)


def test_the_flip_is_seen_told_and_chosen(
    viewer: Any, embryo: Any, phantom: EmbryoPhantom, answer: Any, click: Any, wait: Wait
) -> None:
    answer(phantom.run_file)
    click(embryo.view.run.browse)
    wait(lambda: embryo.opened is not None)
    panel = embryo.view.flip
    assert panel.picture.isVisible()
    assert "check 'z flip'" in panel.words.text()
    before = np.array(viewer.layers["Emb1 tracks"].data)
    panel.box.click()
    wait(lambda: embryo.opened.embryo.raw.z_flip)
    assert "as chosen" in panel.words.text()
    assert panel.picture.chosen
    after = np.array(viewer.layers["Emb1 tracks"].data)
    assert np.allclose(before[:, 2] + after[:, 2], 11 * 0.9)
    assert np.allclose(before[:, 3:], after[:, 3:])
    truth = open_embryo(phantom.run_file, z_flip=True).lineage.positions_at(embryo.number())
    assert np.allclose(viewer.layers["Emb1 nuclei"].data[:, 1:], [*truth.values()])


def test_an_embryo_that_is_removed_is_forgotten(viewer: Any, opened: Any) -> None:
    viewer.layers.remove(viewer.layers["Emb1"])
    assert opened.opened is None
    assert not list(viewer.layers)
    assert not opened.fit_button.isEnabled()
    assert not opened.view.time.isEnabled()


# -- time ----------------------------------------------------------------------------------
def test_nuclei_follow_the_time_that_is_shown(viewer: Any, fitted: Any) -> None:
    lineage, nuclei = fitted.opened.embryo.lineage, viewer.layers["Emb1 nuclei"]
    for number in (1.0, 2.0, 2.5, 3.25):
        fitted.view.time.scrubber.setValue(round((number - 1) * 16))
        assert fitted.number() == number
        assert viewer.dims.point[0] == pytest.approx(90 * number, abs=3)
        there = lineage.positions_at(number)
        assert list(nuclei.features["name"]) == list(there)
        assert np.allclose(nuclei.data[:, 1:], [*there.values()])
    viewer.dims.set_point(0, 180.0)
    assert fitted.number() == 2
    assert "time point 2, acquired" in fitted.view.time.shown.text()


def test_before_a_fit_acquired_times_are_shown(viewer: Any, opened: Any) -> None:
    opened.view.time.earlier.click()
    assert opened.number().is_integer()
    assert "acquired" in opened.view.time.shown.text()


def test_a_division_is_said_to_be_in_between(fitted: Any) -> None:
    division = fitted.opened.embryo.lineage.divisions[0]
    fitted.view.time.scrubber.setValue(round((division.middle - 1) * 16))
    words = fitted.view.time.shown.text()
    assert f"between {division.after} and {division.before}" in words
    assert division.mother in words


# -- cells ---------------------------------------------------------------------------------
def test_cells_are_named_measured_and_corrected(
    viewer: Any, fitted: Any, click: Any, wait: Wait, answer: Any, tmp_path: Path
) -> None:
    layers = [segmented(fitted, click, wait, number) for number in (2.0, 3.0)]
    second = layers[1]
    names = dict(zip(second.features["index"], second.features["name"], strict=True))
    there = fitted.opened.embryo.lineage.names_at(3)
    assert {names[label] for label in np.unique(second.data) if label} == set(there)
    panel = fitted.view.cells
    assert panel.table.rowCount() == len(there)
    assert set(panel.curves.lives) >= set(there)
    order = [layer.name for layer in viewer.layers]
    assert order[-2:] == ["Emb1 tracks", "Emb1 nuclei"]
    # Somebody gives a part of a cell to a new neighbour, and carries that.
    both = sorted(set(np.unique(layers[0].data)) & set(np.unique(second.data)) - {0})
    one, other = int(both[0]), int(both[-1])
    panel.table.selectRow(list(there).index(names[one]))
    assert second.selected_label == one
    box = np.argwhere(second.data[0] == one)
    half = box[box[:, 2] > np.median(box[:, 2])]
    viewer.layers.selection.active = second
    click(panel.carry)
    assert "Nothing was corrected" in said(fitted)
    data = np.array(second.data)
    data[(0, *half.T)] = other
    second.data = data
    before = np.count_nonzero(layers[0].data == one)
    click(panel.carry)
    wait(lambda: not fitted.results.running)
    assert "carried to time point 2" in said(fitted)
    assert np.count_nonzero(layers[0].data == one) < 0.8 * before
    answer(tmp_path / "cells")
    click(panel.save_table)
    wait(lambda: not fitted.results.running)
    with open(tmp_path / "cells.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    volume = {(row["time_point"], row["cell"]): float(row["volume_um3"]) for row in rows}
    voxel = float(np.prod(second.scale[1:]))
    counted = np.count_nonzero(second.data == one) * voxel
    assert volume["3", names[one]] == pytest.approx(counted, rel=1e-4)


def test_a_layer_with_corrections_is_not_replaced(
    viewer: Any, fitted: Any, click: Any, wait: Wait
) -> None:
    layer = segmented(fitted, click, wait, 2.5)
    layer.data = np.zeros_like(layer.data)
    click(fitted.view.cells.this_time)
    assert "has corrections" in said(fitted)
    assert not layer.data.any()
    viewer.layers.remove(layer)
    assert fitted.found.numbers == []
    assert not fitted.view.cells.save_table.isEnabled()


def test_a_flip_removes_cells_by_the_old_count_and_keeps_corrections(
    viewer: Any, fitted: Any, click: Any, wait: Wait
) -> None:
    for number in (2.0, 3.0):
        segmented(fitted, click, wait, number)
    corrected = viewer.layers["Emb1 cells 3"]
    corrected.data = np.zeros_like(corrected.data)
    fitted.view.flip.box.click()
    wait(lambda: not fitted.opened.embryo.raw.z_flip)
    assert [layer.name for layer in viewer.layers if "cells" in layer.name] == ["Emb1 cells 3"]
    assert fitted.found.numbers == []
    assert "Cells of 1 time point" in said(fitted)
    assert "Emb1 cells 3" in said(fitted)


def test_what_was_carried_is_a_correction_too(
    viewer: Any, fitted: Any, click: Any, wait: Wait
) -> None:
    second, third = (segmented(fitted, click, wait, number) for number in (2.0, 3.0))
    both = sorted(set(np.unique(second.data)) & set(np.unique(third.data)) - {0})
    second.data = np.where(second.data == both[0], both[-1], second.data)
    found = np.array(third.data)
    viewer.layers.selection.active = second
    click(fitted.view.cells.carry)
    wait(lambda: not fitted.results.running)
    kept = np.array(third.data)
    assert not np.array_equal(kept, found)
    fitted.view.time.scrubber.setValue(32)
    click(fitted.view.cells.this_time)
    assert "has corrections" in said(fitted)
    assert np.array_equal(third.data, kept)


# -- windows -------------------------------------------------------------------------------
def test_closing_the_window_ends_a_fit_that_runs(
    viewer: Any, opened: Any, click: Any, wait: Wait
) -> None:
    fit = FakeFit()
    opened.fitter.begin = fit.begin
    click(opened.fit_button)
    fit.learn()
    wait(lambda: opened.session() is not None and opened.session().field is not None)
    assert engine_threads()
    viewer.close()
    wait(lambda: not engine_threads(), 30)


def test_a_fit_is_stopped_and_kept(opened: Any, click: Any, wait: Wait) -> None:
    fit = FakeFit()
    opened.fitter.begin = fit.begin
    click(opened.fit_button)
    fit.learn()
    wait(lambda: opened.session().field is not None)
    assert not opened.view.cells.this_time.isEnabled()
    click(opened.stop_button)
    wait(lambda: not opened.fitter.running)
    assert opened.view.cells.this_time.isEnabled()
