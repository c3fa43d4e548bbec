"""The dock in the middle of a fit: stopped, closed, its layers deleted; nothing is trained."""

from __future__ import annotations

from typing import Any

import pytest

from fake_fit import FakeFit
from napari_spatimeinr import Volume
from napari_spatimeinr._napari.layers.preview import PreviewArray

from .conftest import PREVIEW, Wait, add, drawn, engine_threads


def reopened(viewer: Any) -> Any:
    _, dock = viewer.window.add_plugin_dock_widget("napari-spatimeinr", "SpatimeINR")
    return dock


@pytest.fixture
def fake(dock: Any) -> FakeFit:
    """The dock fits what the test says."""
    fake = FakeFit()
    dock.fitter.begin = fake.begin
    return fake


@pytest.fixture
def going(dock: Any, fake: FakeFit, click: Any, wait: Wait, viewer: Any, small: Volume) -> Any:
    """A fit of ``cells`` that has shown something and goes on; its session."""
    add(viewer, small)
    click(dock.fit_button)
    fake.learn()
    wait(lambda: dock.session().field is not None)
    return dock.session()


def test_the_dock_says_what_is_done_and_what_came_of_it(
    dock: Any, fake: FakeFit, going: Any, click: Any, wait: Wait
) -> None:
    panel = dock.progress_panel
    wait(lambda: "following the motion, 1 s left" in panel.message.text())
    assert panel.bar.isVisible()
    assert not dock.fit_button.isEnabled()
    assert "running" in dock.fit_button.toolTip()
    click(dock.stop_button)
    wait(lambda: not dock.fitter.running)
    assert "Stopped; what was learned is kept" in panel.message.text()
    assert panel.bar.isHidden()
    assert "Go on from what was learned" in dock.fit_button.toolTip()
    click(dock.fit_button)
    assert 'Going on with the fit of "cells"' in panel.message.text()
    fake.end()
    wait(lambda: not dock.fitter.running)
    assert "Interpolation was better" in panel.message.text()
    click(dock.fit_button)
    fake.fail(RuntimeError("no"))
    wait(lambda: not dock.fitter.running)
    assert "RuntimeError: no" in panel.message.text()
    assert panel.bar.isHidden()
    assert going.field is not None


def test_stopping_at_once_is_fine(
    viewer: Any, dock: Any, fake: FakeFit, click: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    click(dock.fit_button)
    click(dock.stop_button)
    wait(lambda: not dock.fitter.running)
    assert "Stopped" in dock.progress_panel.message.text()
    click(dock.fit_button)
    fake.end()
    wait(lambda: not dock.fitter.running)
    assert dock.session().field is not None


def test_a_device_that_is_not_there_begins_nothing(
    dock: Any, fake: FakeFit, going: Any, click: Any, wait: Wait
) -> None:
    fake.end()
    wait(lambda: not dock.fitter.running)
    field = going.field
    dock.method_panel.device.setCurrentText("cuda:7")
    assert "cuda:7" in dock.method_panel.estimate.text()
    click(dock.fit_button)
    assert "cuda:7" in dock.progress_panel.message.text()
    assert not dock.fitter.running
    assert len(fake.begun) == 1
    assert dock.session() is going
    assert going.field is field


def test_closing_the_window(viewer: Any, going: Any, wait: Wait) -> None:
    assert engine_threads()
    viewer.close()
    wait(lambda: not engine_threads())


def test_a_closed_dock_comes_back_to_its_fits(
    viewer: Any, dock: Any, going: Any, click: Any, wait: Wait
) -> None:
    gone = []
    dock.destroyed.connect(lambda: gone.append(True))
    viewer.window.remove_dock_widget(dock)
    wait(lambda: bool(gone))
    again = reopened(viewer)
    assert again is not dock
    assert again.fitter.running
    assert again.session() is going
    assert again.stop_button.isEnabled()
    assert not again.fit_button.isEnabled()
    click(again.stop_button)
    wait(lambda: not again.fitter.running)
    wait(lambda: drawn(viewer))
    click(again.output_panel.to_layer)
    wait(lambda: len(viewer.layers) == 3)


@pytest.mark.parametrize("which", ["cells", PREVIEW, "both"])
def test_deleting_layers(which: str, viewer: Any, dock: Any, going: Any, wait: Wait) -> None:
    for name in ("cells", PREVIEW):
        if which in (name, "both"):
            viewer.layers.remove(name)
    dock.stop()
    wait(lambda: not dock.fitter.running)
    assert "Stopped" in dock.progress_panel.message.text()
    if which == PREVIEW:
        dock.output_panel.preview.setChecked(True)
        assert PREVIEW in viewer.layers
        wait(lambda: drawn(viewer))
        dock.output_panel.preview.setChecked(False)
        assert PREVIEW not in viewer.layers
    if which == "both":
        assert dock.session() is None
        assert not dock.fit_button.isEnabled()


def test_another_layer_may_be_chosen(
    viewer: Any, dock: Any, fake: FakeFit, going: Any, click: Any, wait: Wait, small: Volume
) -> None:
    first, second = viewer.layers["cells"], add(viewer, small)
    dock.source_panel.select(second)
    assert dock.session() is None
    assert not dock.fit_button.isEnabled()
    assert "running" in dock.fit_button.toolTip()
    dock.stop()
    wait(lambda: not dock.fitter.running)
    dock.source_panel.select(first)
    assert dock.session().field is not None
    dock.source_panel.select(second)
    click(dock.fit_button)
    fake.end()
    wait(lambda: not dock.fitter.running)
    assert len([layer for layer in viewer.layers if isinstance(layer.data, PreviewArray)]) == 2


def test_what_waits_behind_a_fit_goes_on_when_it_is_stopped(
    viewer: Any, dock: Any, going: Any, click: Any, wait: Wait
) -> None:
    click(dock.output_panel.to_layer)
    assert "waits" in dock.progress_panel.message.text()
    click(dock.stop_button)
    wait(lambda: len(viewer.layers) == 3)
    assert not dock.fitter.running
