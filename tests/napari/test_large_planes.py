"""Large planes in a window: coarse first, then sharp, given up for what is newer."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spatimeinr import Field, Volume, fit, phantom
from napari_spatimeinr._napari.layers import pieces, preview
from napari_spatimeinr._napari.layers.scales import PREVIEW_STEPS

from .conftest import PREVIEW, Wait, add, drawn

SIZE = 640
"""More voxels than a picture has that is drawn at once before a pace is known."""
POINTS = [(y, x) for y in range(101, SIZE, 73) for x in range(57, SIZE, 67)]


@pytest.fixture
def recording() -> Volume:
    part = phantom((3, 1, 64, 64), motion=3.0, seed=4)[0]
    return Volume(np.tile(np.asarray(part.data), (1, 1, SIZE // 64, SIZE // 64)))


@pytest.fixture
def shown(
    viewer: Any, dock: Any, recording: Volume, tmp_path: Path, wait: Wait
) -> tuple[Field, Any]:
    """A model in the window, and its preview's layer."""
    options = {
        "motion": {"steps": 2},
        "latents": {"enabled": False},
        "planes": {"enabled": False},
        "gate": False,
    }
    path = tmp_path / "large.spatimeinr"
    field = fit(recording, "fast", options)
    field.save(path)
    dock.fitter.load(add(viewer, recording), str(path))
    wait(lambda: PREVIEW in viewer.layers and drawn(viewer))
    return field, viewer.layers[PREVIEW]


def on_screen(viewer: Any, layer: Any) -> np.ndarray[Any, Any]:
    """Values of the picture that the layer shows."""
    t, z = viewer.dims.point[:2]
    return np.array([layer.get_value((t, z, y, x), world=True) for y, x in POINTS])


def pictures(viewer: Any, layer: Any) -> list[np.ndarray[Any, Any]]:
    """What is shown from now on, one after the other; first what is shown now."""
    seen = [on_screen(viewer, layer)]

    def look() -> None:
        now = on_screen(viewer, layer)
        if not np.array_equal(now, seen[-1]):
            seen.append(now)

    layer.events.set_data.connect(look)
    return seen


def expected(field: Field, step: int) -> np.ndarray[Any, Any]:
    """What :meth:`.Field.lazy` has there."""
    plane = np.asarray(field.lazy(times=[step / PREVIEW_STEPS])[0, 0])
    return np.array([plane[y, x] for y, x in POINTS])


def test_a_large_plane_is_shown_coarsely_and_then_as_it_is(
    viewer: Any, shown: tuple[Field, Any], wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    field, layer = shown
    # However fast the machine is.
    monkeypatch.setattr(preview, "AT_ONCE", 0.0)
    step = PREVIEW_STEPS + 5
    wanted = expected(field, step)
    looked = threading.Event()

    def part(key: Any, piece: Any) -> Any:
        # However slow the window is: the sharp picture is begun once the coarse one was seen.
        assert looked.wait(60)
        return pieces.part(key, piece)

    monkeypatch.setattr(preview, "part", part)
    viewer.dims.set_point(0, step / PREVIEW_STEPS)
    seen = pictures(viewer, layer)
    wait(lambda: len(seen) == 2)
    looked.set()
    wait(lambda: np.allclose(seen[-1], wanted, atol=1e-5))
    # The recording itself comes first.
    _, coarse, sharp = seen
    assert np.allclose(sharp, wanted, atol=1e-5)
    assert not np.allclose(coarse, wanted, atol=1e-2)
    assert np.corrcoef(coarse, wanted)[0, 1] > 0.9
    # Neither brighter nor darker: the change from one to the other does not flicker.
    assert abs(coarse.mean() - wanted.mean()) < 0.05 * wanted.std()


def test_a_quick_plane_is_not_shown_coarsely(
    viewer: Any, shown: tuple[Field, Any], wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    field, layer = shown
    monkeypatch.setattr(preview, "AT_ONCE", 1e6)
    step = PREVIEW_STEPS + 7
    # The first between these frames prepares them.
    viewer.dims.set_point(0, (step - 1) / PREVIEW_STEPS)
    wait(lambda: drawn(viewer))
    wanted = expected(field, step)
    viewer.dims.set_point(0, step / PREVIEW_STEPS)
    seen = pictures(viewer, layer)
    wait(lambda: np.allclose(seen[-1], wanted, atol=1e-5))
    assert len(seen) == 2


def test_a_sharp_plane_is_given_up_for_a_newer_one(
    viewer: Any, shown: tuple[Field, Any], wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    field, layer = shown
    monkeypatch.setattr(preview, "AT_ONCE", 0.0)
    first, newer = PREVIEW_STEPS + 3, PREVIEW_STEPS + 9
    begun: list[int] = []
    second, moved = threading.Event(), threading.Event()

    def part(key: Any, piece: Any) -> Any:
        begun.append(key[0][0])
        if begun == [first, first]:
            second.set()
            assert moved.wait(60)
        return pieces.part(key, piece)

    monkeypatch.setattr(preview, "part", part)
    viewer.dims.set_point(0, first / PREVIEW_STEPS)
    wait(second.is_set)
    viewer.dims.set_point(0, newer / PREVIEW_STEPS)
    moved.set()
    wait(lambda: drawn(viewer))
    whole = begun.count(newer)
    assert begun.count(first) == 2 < whole
    wait(lambda: np.allclose(on_screen(viewer, layer), expected(field, newer), atol=1e-5))
