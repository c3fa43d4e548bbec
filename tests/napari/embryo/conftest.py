"""The dock SpatimeINR Embryo, opened as a user does, with a small phantom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fake_fit import FakeFit
from napari_spatimeinr.embryo.phantom import EmbryoPhantom, embryo_phantom

from ..conftest import Wait

SCREEN = (1366, 768)


@pytest.fixture
def phantom(tmp_path: Path) -> EmbryoPhantom:
    """Four time points, 4 to 8 cells, slices counted from the other end."""
    how: dict[str, Any] = {"shape": (4, 12, 40, 56), "spacing": (90.0, 0.9, 0.4, 0.4)}
    return embryo_phantom(tmp_path / "in", cells=(4, 8), z_flip=True, **how)


@pytest.fixture
def embryo(viewer: Any) -> Any:
    viewer.window.resize(*SCREEN)
    _, widget = viewer.window.add_plugin_dock_widget("napari-spatimeinr", "SpatimeINR Embryo")
    return widget


@pytest.fixture
def opened(embryo: Any, phantom: EmbryoPhantom, answer: Any, click: Any, wait: Wait) -> Any:
    """The phantom, opened and flipped as a user does."""
    answer(phantom.run_file)
    click(embryo.view.run.browse)
    wait(lambda: embryo.opened is not None)
    embryo.view.flip.box.click()
    wait(lambda: embryo.opened.embryo.raw.z_flip)
    return embryo


@pytest.fixture
def fitted(opened: Any, click: Any, wait: Wait) -> Any:
    """With a Field that interpolates, so that nothing has to be learned."""
    fit = FakeFit()
    opened.fitter.begin = fit.begin
    click(opened.fit_button)
    fit.learn()
    fit.end()
    wait(lambda: not opened.fitter.running)
    return opened


def said(dock: Any) -> str:
    return str(dock.view.progress.message.text())


def segmented(dock: Any, click: Any, wait: Wait, number: float) -> Any:
    """The Labels layer of a time point, as the button makes it."""
    dock.view.time.scrubber.setValue(round((number - 1) * 16))
    click(dock.view.cells.this_time)
    wait(lambda: not dock.results.running)
    assert number in dock.found.numbers, said(dock)
    return dock._viewer.layers[f"Emb1 cells {number:g}"]
