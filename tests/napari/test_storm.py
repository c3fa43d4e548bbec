"""Sliders moved wildly, layers changed and deleted, docks and windows closed while something is
computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_spatimeinr import Volume, evaluate, propagate_labels

from .conftest import Wait, add, engine_threads

PREVIEW = "cells [SpatimeINR preview]"
Storm = Callable[..., int]


@pytest.fixture
def cells(viewer: Any, dock: Any, wait: Wait, small: Volume) -> Any:
    """A fitted layer."""
    layer = add(viewer, small)
    form = dock.method_panel.form.editors
    form["latents", "enabled"].value = form["planes", "enabled"].value = form[("gate",)].value = (
        False
    )
    dock.start_fit()
    wait(lambda: not dock.fitter.running and dock.output_panel.carry.isEnabled())
    return layer


@pytest.fixture
def quality(viewer: Any) -> Any:
    _, widget = viewer.window.add_plugin_dock_widget("napari-spatimeinr", "SpatimeINR Quality")
    widget.preset.setCurrentText("fast")
    return widget


@pytest.fixture
def storm(qtbot: Any, dock: Any) -> Storm:
    """Move every slider to and fro until something holds, at least 8 times; how often they were
    moved.
    """
    random = np.random.default_rng(5)

    def blow(until: Callable[[], bool], *more: Any) -> int:
        panel, moves = dock.scales_panel, 0
        while moves < 8 or not until():
            assert moves < 5000, "it does not end"
            panel.scrubber.setValue(int(random.integers(0, panel.scrubber.maximum() + 1)))
            for slider in (panel.z, panel.yx):
                slider.setValue(float(random.uniform(0.5, 2)))
            panel.isotropic.setChecked(bool(random.integers(2)))
            for slider in more:
                slider.setValue(int(random.integers(slider.minimum(), slider.maximum() + 1)))
            qtbot.wait(2)
            moves += 1
        return moves

    return blow


def drawn_on(viewer: Any, cells: Any) -> dict[str, Any]:
    """Labels, points and tracks on a recording."""
    placed = {name: getattr(cells, name) for name in ("scale", "translate", "units")}
    labels = np.zeros(cells.data.shape, np.uint8)
    labels[1, 2:4, 5:12, 6:14] = 3
    return {
        "labels": viewer.add_labels(labels, name="labels", **placed),
        "points": viewer.add_points(
            [[1, 3, 8, 9], [3, 2, 7, 6]], name="points", size=[2, 5], **placed
        ),
        "tracks": viewer.add_tracks([[4, 0, 3, 8, 9], [4, 3, 3, 8, 11]], name="tracks", **placed),
    }


def begin(viewer: Any, dock: Any, layer: Any) -> None:
    viewer.layers.selection.active = layer
    dock.scales_panel.time.setValue(16)
    dock.output_panel.carry.click()
    assert dock.results.running, dock.progress_panel.message.text()


def test_annotations_are_carried_as_they_were_when_the_button_was_pressed(
    viewer: Any, dock: Any, cells: Any, storm: Storm, wait: Wait
) -> None:
    """Whatever becomes of sliders, and of the layer itself, meanwhile; they lie where the recording
    lies in the end.
    """
    layers = drawn_on(viewer, cells)
    before = np.array(layers["labels"].data)
    for kind, layer in layers.items():
        begin(viewer, dock, layer)
        if kind == "labels":
            layer.data = np.zeros((4, 6, 20, 24), np.uint8)
        elif kind == "points":
            layer.selected_data = {0}
            layer.remove_selected()
        viewer.layers.remove(layer)
        storm(lambda: not dock.results.running)
        assert dock.progress_panel.message.text() == f"{kind} carried is a layer now."
    field = dock.session().field
    carried = viewer.layers["labels carried"]
    assert np.array_equal(
        carried.data, propagate_labels(field, before, field.grid.refine(16).coordinates(0))
    )
    points = viewer.layers["points carried"]
    assert set(points.size.tolist()) == {2, 5}
    assert len(points.data) == 49
    assert len(viewer.layers["tracks carried"].data) == 49
    wait(lambda: viewer.layers[PREVIEW].data.is_fresh())

    labels = drawn_on(viewer, cells)["labels"]
    begin(viewer, dock, labels)
    cells.scale = labels.scale = (30, 1, 0.5, 0.5)
    wait(lambda: not dock.results.running)
    carried = viewer.layers["labels carried [1]"]
    assert np.allclose(carried.scale, (30 / 16, 1, 0.5, 0.5))
    assert np.allclose(carried.data_to_world((16, 1, 2, 3)), cells.data_to_world((1, 1, 2, 3)))

    begin(viewer, dock, labels)
    storm(lambda: True)
    viewer.close()
    wait(lambda: not engine_threads())


def test_quality_is_measured_under_a_storm_and_says_of_what(
    viewer: Any, dock: Any, cells: Any, quality: Any, storm: Storm, wait: Wait
) -> None:
    """The preview and the recording are deleted meanwhile; afterwards nothing is said of what is
    gone or changed.
    """
    calibrated = {"scale": (60, 0.5, 0.25, 0.25), "units": ("s", "um", "um", "um")}
    for name in ("one", "two"):
        viewer.add_image(np.asarray(cells.data)[:1], name=name, **calibrated)
    quality.hold_out.setCurrentText("z")
    quality.recording.setCurrentText("one")
    quality.compare.click()
    quality.measure.click()
    assert quality.results.running
    quality.swipe.setValue(20)
    viewer.layers.remove(viewer.layers[PREVIEW])
    viewer.layers.remove(viewer.layers["one"])
    storm(lambda: not quality.results.running, quality.swipe)
    assert quality.message.text().startswith('"one" was removed')
    assert not quality.scores.errors.rows
    quality.recording.setCurrentText("two")
    assert quality.message.text() == ""
    assert not quality.scores.errors.rows
    assert quality.table.rowCount() == 0

    quality.measure.click()
    wait(lambda: not quality.results.running)
    viewer.layers["two"].name = "renamed"
    assert quality.recording.currentText() == "renamed"
    assert quality.scores.errors.isVisible()
    viewer.layers["renamed"].data = np.asarray(cells.data)[:1, :4]
    assert quality.message.text() == ""
    assert not quality.scores.errors.isVisible()


def test_a_measurement_ends_with_its_dock_and_with_the_window(
    viewer: Any, dock: Any, cells: Any, quality: Any, storm: Storm, wait: Wait
) -> None:
    quality.preset.setCurrentText("best")
    quality.measure.click()
    job = quality.results.job
    wait(lambda: dock.engine.runs(job))
    viewer.window.remove_dock_widget(quality)
    wait(lambda: not dock.engine.busy())
    assert job.cancelled
    _, again = viewer.window.add_plugin_dock_widget("napari-spatimeinr", "SpatimeINR Quality")
    again.measure.click()
    wait(lambda: dock.engine.runs(again.results.job))
    storm(lambda: True)
    viewer.close()
    wait(lambda: not engine_threads())


def test_a_measurement_can_be_stopped_between_any_two_methods(small: Volume) -> None:
    told: list[str] = []
    few = {
        "motion": {"steps": 4},
        "latents": {"enabled": False},
        "planes": {"enabled": False},
        "gate": False,
    }
    evaluate(small, "time", 2, "fast", few, progress=lambda state: told.append(state.stage))
    assert [name for name in told if name in ("linear", "cubic", "flow")] == [
        "linear",
        "cubic",
        "flow",
    ]
