"""Real windows for the tests of the plugin; without napari these tests are not collected."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spatimeinr import Volume, phantom

HERE = find_spec("napari") is not None and find_spec("pytestqt") is not None
collect_ignore_glob = [] if HERE else ["test_*.py", "*/test_*.py"]


def has_display() -> bool:
    return not sys.platform.startswith("linux") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


@pytest.fixture(scope="session", autouse=True)
def widgets_without_a_display() -> None:
    """Widgets can be tested without a display, windows of napari cannot."""
    if not has_display():
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(scope="session", autouse=True)
def programs_stay(widgets_without_a_display: None) -> Iterator[None]:
    """Mesa's software OpenGL (seen with 22.3) crashes some draws after vispy deleted another
    layer's program.

    Plain napari does so too, without this plugin: add two layers, remove the first, draw the
    second. So OpenGL programs of removed layers are kept until the tests end; nothing of ours is
    touched.
    """
    from vispy.gloo.glir import GlirProgram

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GlirProgram, "delete", lambda self: None)
        yield


@pytest.fixture(autouse=True)
def sections_as_at_first() -> None:
    """What was folded is remembered in a session, not from test to test."""
    if HERE:
        from napari_spatimeinr._napari.docks.section import forget_folded

        forget_folded()


Wait = Callable[..., None]
PREVIEW = "cells [SpatimeINR preview]"


@pytest.fixture
def wait(qtbot: Any) -> Wait:
    """Let the window live until something holds."""

    def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
        qtbot.waitUntil(condition, timeout=int(1000 * seconds))

    return until


@pytest.fixture
def click(qtbot: Any) -> Any:
    def press(button: Any) -> None:
        assert button.isEnabled(), button.toolTip()
        from qtpy.QtCore import Qt

        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    return press


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The file a user chooses in the next dialogs."""
    from qtpy.QtWidgets import QFileDialog

    def choose(path: Path) -> None:
        for name in ("getSaveFileName", "getOpenFileName"):
            monkeypatch.setattr(QFileDialog, name, lambda *_, **__: (str(path), ""))

    return choose


@pytest.fixture
def small() -> Volume:
    return phantom((4, 6, 20, 24), motion=2.0, seed=3)[0]


@pytest.fixture
def viewer(request: pytest.FixtureRequest) -> Any:
    if not has_display():
        words = "There is no display and no Xvfb: see tools/system_packages.py."
        pytest.fail(words) if os.environ.get("CI") else pytest.skip(words)
    return request.getfixturevalue("make_napari_viewer_proxy")(show=True)


@pytest.fixture
def dock(viewer: Any, wait: Wait) -> Iterator[Any]:
    """The dock, as a user opens it, set to fits of a second or two."""
    import torch

    threads = torch.get_num_threads()
    _, widget = viewer.window.add_plugin_dock_widget("napari-spatimeinr", "SpatimeINR")
    hurry(widget)
    wait(lambda: widget.estimator.known)
    yield widget
    torch.set_num_threads(threads)


def hurry(widget: Any, steps: int = 6) -> None:
    """Few steps, as entered by a user under 'more'."""
    widget.method_panel.presets.button(1).click()
    editors = widget.method_panel.form.editors
    editors["motion", "steps"].value = steps
    editors["latents", "steps"].value = steps
    editors["planes", "steps"].value = steps
    editors["motion", "smoothness"].setText("0.01")


def add(viewer: Any, volume: Volume, **options: Any) -> Any:
    """A calibrated layer of a recording."""
    from napari_spatimeinr._napari.layers.placement import from_volume

    return viewer.add_image(
        np.asarray(volume.data), name="cells", **{**from_volume(volume), **options}
    )


def fitted(dock: Any, click: Any, wait: Wait) -> Any:
    click(dock.fit_button)
    wait(lambda: not dock.fitter.running)
    session = dock.session()
    said = dock.progress_panel.message.text()
    assert session is not None, said
    assert session.field is not None, said
    return session


def begun(dock: Any, click: Any, wait: Wait, steps: int = 2000) -> Any:
    """A fit that has shown its first Field and would go on for long."""
    hurry(dock, steps)
    click(dock.fit_button)
    wait(lambda: dock.session().field is not None and dock.session().field.provenance["steps"] > 0)
    return dock.session()


def engine_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "spatimeinr" and t.is_alive()]


def save_as(dock: Any, name: str) -> None:
    next(
        action for action in dock.output_panel.save_as.menu().actions() if action.text() == name
    ).trigger()


def drawn(viewer: Any, name: str = PREVIEW) -> bool:
    return bool(viewer.layers[name].data.is_fresh())


def same_world(viewer: Any, one: str, other: str) -> None:
    """Frame k of a recording and the preview's time point k dt lie at the same place of the world,
    and so do their voxels.
    """
    from napari_spatimeinr._napari.layers.scales import PREVIEW_STEPS

    a, b = viewer.layers[one], viewer.layers[other]
    for k in range(a.data.shape[0]):
        assert np.allclose(
            a.data_to_world((k, 0, 0, 0))[0], b.data_to_world((k * PREVIEW_STEPS, 0, 0, 0))[0]
        )
    for end in (0, 1):
        faces = [np.array([0, *(end * n - 0.5 for n in layer.data.shape[1:])]) for layer in (a, b)]
        assert np.allclose(a.data_to_world(faces[0])[1:], b.data_to_world(faces[1])[1:])


@pytest.fixture
def engine(qtbot: Any) -> Any:
    from napari_spatimeinr._napari.background.engine import Engine

    engine = Engine()
    yield engine
    engine.close(wait=10)
    assert engine.worker is None or not engine.worker.is_alive()
