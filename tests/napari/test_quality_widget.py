"""The dock SpatimeINR Quality in a real window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_spatimeinr import Volume, evaluate

from .conftest import Wait, add, engine_threads

PREVIEW = "cells [SpatimeINR preview]"


@pytest.fixture
def quality(viewer: Any) -> Any:
    _, widget = viewer.window.add_plugin_dock_widget("napari-spatimeinr", "SpatimeINR Quality")
    return widget


def press(qtbot: Any, button: Any) -> None:
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_the_table_is_what_evaluate_says(
    viewer: Any, quality: Any, qtbot: Any, wait: Wait, small: Volume
) -> None:
    press(qtbot, quality.measure)
    assert "Open a recording" in quality.message.text()
    small = small.crop(((0, 1), None, None, None))
    data = small.data.copy()
    data[0, 0, 0, :2] = np.nan
    small = small.like(data, small.grid)
    add(viewer, small)
    quality.preset.setCurrentText("fast")
    quality.hold_out.setCurrentText("z")
    press(qtbot, quality.measure)
    assert not quality.measure.isEnabled()
    wait(lambda: not quality.results.running, 120)
    report = evaluate(small, "z", 2, "fast")
    names = [quality.table.verticalHeaderItem(i).text() for i in range(quality.table.rowCount())]
    assert len(names) == len(report.methods)
    assert names[:3] == ["SpatimeINR", "linear", "cubic"]
    for name in ("linear", "cubic"):
        assert (
            quality.table.item(names.index(name), 0).text() == f"{report.methods[name]['psnr']:.2f}"
        )
    assert "RMS error" in quality.message.text()
    assert "linear interpolation on planes" in quality.message.text()
    assert "In the fit of the given planes: 2 of" in quality.message.text()
    bars = {row.name: row.error for row in quality.scores.errors.rows}
    assert list(bars) == names
    assert bars["linear"] == 1
    errors = {name: 10 ** (-row["psnr"] / 20) for name, row in report.methods.items()}
    assert np.isclose(bars["cubic"], errors["cubic"] / errors["linear"], rtol=1e-3)


def test_what_cannot_be_measured_is_told(
    viewer: Any, quality: Any, qtbot: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small.crop(((0, 2), (0, 6), (0, 20), (0, 24))))
    press(qtbot, quality.measure)
    wait(lambda: not quality.results.running)
    assert "needs gap >= 2 and at least 3 frames" in quality.message.text()


def test_a_measurement_can_be_stopped(
    viewer: Any, quality: Any, qtbot: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    press(qtbot, quality.measure)
    press(qtbot, quality.stop_button)
    wait(lambda: not quality.results.running)
    assert "Stopped" in quality.message.text()
    assert quality.table.rowCount() == 0


@pytest.fixture
def planner(quality: Any, wait: Wait) -> Any:
    """The panel, unfolded and laid out, for fits of a second."""
    quality.preset.setCurrentText("fast")
    quality.plan_section.set_open(True)
    wait(lambda: quality.planner.button.geometry().top() > 0)
    return quality.planner


def test_a_plan_is_made_in_the_background_and_shown(
    viewer: Any, quality: Any, planner: Any, qtbot: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    planner.gaps.setText("3, 2, 8")
    planner.quality.setText("5")
    press(qtbot, planner.button)
    assert not planner.button.isEnabled()
    assert not quality.measure.isEnabled()
    wait(lambda: "every 2nd frame" in quality.message.text() or not quality.results.running)
    wait(lambda: not quality.results.running, 200)
    words = quality.message.text()
    assert "Every 3rd frame would have been enough for 5.0 dB" in words
    assert "Every 8th frame was not tried" in words
    assert "One more frame would help most between frames" in words
    curves = planner.view.quality
    assert curves.isVisible()
    assert curves.marks == ["120 s", "180 s"]
    assert curves.level == 5
    assert [curve.name for curve in curves.curves] == ["SpatimeINR", "linear"]
    # Neither two nor three given frames leave some to calibrate on.
    assert not planner.view.coverage.isVisible()
    quality.gap.setValue(3)
    quality.hold_out.setCurrentText("time")
    press(qtbot, quality.measure)
    assert not curves.isVisible()
    quality.results.stop()
    wait(lambda: not quality.results.running)


def test_a_plan_can_be_stopped_and_goes_with_its_recording(
    viewer: Any, quality: Any, planner: Any, qtbot: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    press(qtbot, planner.button)
    press(qtbot, quality.stop_button)
    wait(lambda: not quality.results.running)
    assert "Stopped" in quality.message.text()
    assert planner.button.isEnabled()
    assert not planner.view.quality.isVisible()


@pytest.mark.parametrize(
    ("gaps", "wanted", "words"),
    [
        ("2, x", "", "whole numbers from 2"),
        ("", "", "whole numbers from 2"),
        ("1, 2", "", "whole numbers from 2"),
        ("2", "much", "positive number of dB"),
        ("2", "-1", "positive number of dB"),
        ("9", "", "To try every 9th frame takes at least 10 frames, this recording has 4"),
    ],
)
def test_what_cannot_be_planned_is_told(
    viewer: Any,
    quality: Any,
    planner: Any,
    qtbot: Any,
    wait: Wait,
    small: Volume,
    gaps: str,
    wanted: str,
    words: str,
) -> None:
    add(viewer, small)
    planner.gaps.setText(gaps)
    planner.quality.setText(wanted)
    press(qtbot, planner.button)
    wait(lambda: not quality.results.running)
    assert words in quality.message.text()


def test_comparisons_of_a_preview(
    viewer: Any, dock: Any, quality: Any, qtbot: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    press(qtbot, quality.compare)
    assert "Fit the recording" in quality.message.text()
    dock.method_panel.form.editors[("gate",)].value = False
    press(qtbot, dock.fit_button)
    wait(lambda: not dock.fitter.running)
    viewer.dims.set_point(0, 90.0)
    press(qtbot, quality.compare)
    swipe = viewer.layers["cells [SpatimeINR | linear]"]
    wait(lambda: swipe.data.is_fresh())
    assert not viewer.layers[PREVIEW].visible
    field, grid = dock.session().field, swipe.data.grid
    z = int(viewer.dims.current_step[1])
    whole, linear = (np.asarray(f.on_grid(grid)[24, z]) for f in (field, field.interpolated()))
    for value in (50, 100, 0):
        quality.swipe.setValue(value)
        wait(lambda: swipe.data.is_fresh())
        picture, line = swipe.data[24, z], round(24 * value / 100)
        assert np.allclose(picture[:, :line], whole[:, :line], atol=1e-5)
        assert np.allclose(picture[:, line:], linear[:, line:], atol=1e-5)
    press(qtbot, quality.motion)
    wait(lambda: "cells [motion]" in viewer.layers)
    arrows, cells = viewer.layers["cells [motion]"], viewer.layers["cells"]
    assert arrows.data.shape[1:] == (2, 4)
    assert np.allclose(arrows.scale, cells.scale)
    press(qtbot, quality.side)
    assert viewer.canvas.grid.enabled
    assert "cells [linear]" in viewer.layers
    viewer.canvas.grid.enabled = False
    press(qtbot, dock.output_panel.confidence)
    wait(lambda: not dock.results.running)
    layer = viewer.layers[-1]
    assert layer.name.endswith("disagreement")
    assert float(np.asarray(layer.data).min()) >= 0


def test_which_motion_counts_most_is_a_labels_layer_with_names(
    viewer: Any, dock: Any, qtbot: Any, wait: Wait, small: Volume
) -> None:
    cells = add(viewer, small)
    press(qtbot, dock.fit_button)
    wait(lambda: not dock.fitter.running)
    press(qtbot, dock.output_panel.labels)
    wait(lambda: not dock.results.running)
    layer = viewer.layers[-1]
    assert layer.name == "cells [t x2, z x1, yx x1] hypothesis"
    assert layer.__class__.__name__ == "Labels"
    field = dock.session().field
    assert np.array_equal(layer.data, field.lazy(time_scale=2, what="hypothesis"))
    assert len(layer.features) == len(field.provenance.hypotheses.all)
    assert layer.features["motion"][0] == "no motion"
    assert layer.features["share"].sum() == pytest.approx(1, abs=0.01)
    assert np.allclose(layer.scale[1:], cells.scale[1:])
    assert "1 smoothness" in dock.progress_panel.message.text()


def names(box: Any) -> list[str]:
    return [box.itemText(i) for i in range(box.count())]


def test_what_can_be_compared_follows_the_layers(
    viewer: Any, dock: Any, quality: Any, qtbot: Any, wait: Wait, small: Volume
) -> None:
    cells = add(viewer, small)
    assert names(quality.left) == ["cells (nearest frame)"]
    assert names(quality.right) == []
    press(qtbot, quality.compare)
    assert "open another layer that overlaps" in quality.message.text()
    press(qtbot, dock.fit_button)
    wait(lambda: not dock.fitter.running)
    interpolations = ["cells: linear interpolation", "cells: cubic interpolation"]
    assert names(quality.left) == ["cells (nearest frame)", PREVIEW, *interpolations]
    assert quality.left.currentText() == PREVIEW
    assert quality.right.currentText() == "cells: linear interpolation"
    far = viewer.add_image(np.zeros((4, 6, 20, 24)), name="far", translate=(0, 0, 900, 0))
    assert "far (nearest frame)" in names(quality.left)
    assert "far (nearest frame)" not in names(quality.right)
    quality.right.setCurrentText("cells (nearest frame)")
    cells.name = "renamed"
    assert quality.right.currentText() == "renamed (nearest frame)"
    viewer.layers.remove(cells)
    assert quality.left.currentText() == PREVIEW
    assert quality.right.currentText() == "cells: linear interpolation"
    quality.left.setCurrentText("far (nearest frame)")
    assert names(quality.right) == []
    viewer.layers.remove(far)
    assert quality.left.currentText() == PREVIEW


def test_a_rendering_and_the_recording_are_compared_and_may_be_deleted_meanwhile(
    viewer: Any, dock: Any, quality: Any, qtbot: Any, wait: Wait, small: Volume
) -> None:
    cells = add(viewer, small)
    press(qtbot, dock.fit_button)
    wait(lambda: not dock.fitter.running)
    dock.scales_panel.yx.setValue(2)
    press(qtbot, dock.output_panel.to_layer)
    wait(lambda: not dock.results.running)
    rendered = viewer.layers[-1]
    quality.left.setCurrentText(rendered.name)
    quality.right.setCurrentText("cells (nearest frame)")
    press(qtbot, quality.compare)
    swipe = viewer.layers[-1]
    assert swipe.name == f"{rendered.name} | cells (nearest frame)"
    assert swipe.data.shape == rendered.data.shape
    assert not cells.visible
    for gone in (rendered, cells):
        values = np.asarray(rendered.data)
        viewer.layers.remove(gone)
        quality.swipe.setValue(quality.swipe.value() + 10)
    for step in (1, 2, 3):
        viewer.dims.set_current_step(0, step)
        z = int(viewer.dims.current_step[1])
        wait(lambda at=(step, z): swipe.data[at].any() and swipe.data.is_fresh())
        line, frame = round(48 * quality.swipe.value() / 100), [0, 1, 1, 2][step]
        picture = swipe.data[step, z]
        assert np.allclose(picture[:, :line], values[step, z, :, :line], atol=1e-5)
        nearest = np.repeat(np.repeat(small.data[frame, z], 2, 0), 2, 1)
        assert np.allclose(picture[:, line:], nearest[:, line:], atol=1e-5)
    viewer.layers.remove(swipe)
    quality.swipe.setValue(5)


def test_both_sides_of_a_comparison_are_shown_in_the_grid(
    viewer: Any, dock: Any, quality: Any, qtbot: Any, wait: Wait, small: Volume
) -> None:
    cells = add(viewer, small)
    other = viewer.add_image(np.zeros((4, 6, 20, 24)), name="other")
    press(qtbot, dock.fit_button)
    wait(lambda: not dock.fitter.running)
    quality.right.setCurrentText("cells (nearest frame)")
    press(qtbot, quality.side)
    assert [layer.visible for layer in (viewer.layers[PREVIEW], cells, other)] == [
        True,
        True,
        False,
    ]
    assert viewer.canvas.grid.enabled
    viewer.canvas.grid.enabled = False


def test_no_motion_is_told(
    viewer: Any, dock: Any, quality: Any, qtbot: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    dock.method_panel.form.editors["motion", "enabled"].value = False
    press(qtbot, dock.fit_button)
    wait(lambda: not dock.fitter.running)
    press(qtbot, quality.motion)
    assert "no motion to show" in quality.message.text()


def test_both_docks_share_one_thread_that_ends_with_them(
    viewer: Any, dock: Any, quality: Any, wait: Wait
) -> None:
    assert dock.engine is quality.engine
    wait(lambda: len(engine_threads()) == 1)
    viewer.close()
    wait(lambda: not engine_threads())
