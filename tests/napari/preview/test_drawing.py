"""What the preview draws: volumes coarsely and then finely, arrows, scales; no window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_spatimeinr import Field, Volume
from napari_spatimeinr._napari.layers.arrows import arrows
from napari_spatimeinr._napari.layers.preview import PreviewArray
from napari_spatimeinr._napari.layers.scales import PREVIEW_STEPS, Scales
from previews import Wanted, preview


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thin out smaller volumes than usual, and draw thinner slabs."""
    monkeypatch.setattr("napari_spatimeinr._napari.layers.pieces.COARSE", 20_000)
    monkeypatch.setattr("napari_spatimeinr._napari.layers.pieces.SLAB", 20_000)
    monkeypatch.setattr("napari_spatimeinr._napari.layers.pieces.ROWS", 32)


def asked(recording: Volume, field: Field) -> tuple[PreviewArray, Wanted, Any]:
    """A preview four times finer in space, of which a volume was asked for, and the key of that."""
    array, want = preview(recording, Scales(z=4, yx=4))
    array.update(field, True)
    array[5:6]
    key, _ = want.keys.pop(0)
    return array, want, key


@pytest.mark.usefixtures("coarse")
def test_a_volume_is_drawn_coarsely_first_then_finely(recording: Volume, field: Field) -> None:
    array, want, key = asked(recording, field)
    array.draw(key, lambda: False)
    assert want.keys == [(key, True)]
    rough = array[5:6].copy()
    want.keys[:] = want.keys[:1]
    want.draw(array)
    fine = array[5:6]
    assert rough.shape == fine.shape
    assert array.is_fresh()
    assert not want.keys
    assert np.allclose(fine, field.on_grid(array.grid)[5:6], atol=1e-5)
    assert not np.allclose(rough, fine, atol=1e-2)
    assert np.corrcoef(rough.ravel(), fine.ravel())[0, 1] > 0.8


@pytest.mark.usefixtures("coarse")
def test_a_fine_volume_gives_way_to_what_is_newer(recording: Volume, field: Field) -> None:
    array, want, key = asked(recording, field)
    array.draw(key, lambda: False)
    want.keys.clear()
    array.draw(key, lambda: True)
    assert want.keys == [(key, True)]
    assert not array.is_fresh()


@pytest.mark.usefixtures("coarse")
def test_what_gave_way_goes_on_where_it_was(
    recording: Volume, field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    array, want, key = asked(recording, field)
    array.draw(key, lambda: False)
    for _ in range(20):
        if not array.draw(key, lambda: True):
            continue
        break
    # Interrupted after every slab of 2 planes, it is there after as many turns as it has slabs, and
    # some in which only tiles are made.
    assert array.is_fresh()
    assert np.allclose(array[5:6], field.on_grid(array.grid)[5:6], atol=1e-5)


@pytest.mark.usefixtures("coarse")
def test_a_movie_shown_as_a_volume_is_drawn_in_pieces(recording: Volume, field: Field) -> None:
    array, want = preview(recording, Scales(yx=4))
    array.update(field, True)
    array[:, 2:3]
    key, _ = want.keys.pop(0)
    assert array.draw(key, lambda: True)
    assert not array.is_fresh()
    assert not array.draw(key, lambda: True)
    want.draw(array)
    assert array.is_fresh()
    assert array[:, 2:3].shape == (49, 1, 80, 96)


@pytest.mark.usefixtures("coarse")
def test_while_a_fit_runs_volumes_stay_coarse(recording: Volume, field: Field) -> None:
    array, want = preview(recording, Scales(z=4, yx=4))
    array.update(field, False)
    array[5:6]
    want.draw(array)
    assert array.is_fresh()
    picture = array[5:6]
    assert not np.allclose(picture, field.on_grid(array.grid)[5:6], atol=1e-2)


def test_arrows_point_where_the_field_moves(recording: Volume, field: Field) -> None:
    vectors = arrows(field, "tzyx")(lambda _: None)
    assert len(vectors) > 10
    assert vectors.shape[1:] == (2, 4)
    start, move = vectors[7]
    assert move[0] == 0
    spacing, times = np.array(recording.spacing[1:]), recording.grid.coordinates(0)
    origin = np.array(recording.origin[1:])
    k = int(start[0])
    expected = field.motion(start[1:] * spacing + origin, times[k], times[k + 1]) / spacing
    assert np.allclose(move[1:], expected)
    assert arrows(field, "zyx")(lambda _: None).shape[2] == 3


def test_scales_name_and_grid() -> None:
    grid = Volume(np.zeros((5, 10, 20, 20)), (90, 0.42, 0.09, 0.09)).grid
    scales = Scales(2.5, 1, 1, True)
    assert scales.name("cells", grid) == "cells [t x2.5, z x4.67, yx x1]"
    assert grid.refine(**scales.rendering(grid)).spacing == (36, 0.09, 0.09, 0.09)
    assert scales.preview(grid).shape[0] == 4 * PREVIEW_STEPS + 1
    single = Volume(np.zeros((1, 10, 20, 20))).grid
    assert Scales(4).rendering(single)["time_scale"] == 1
    assert Scales(4).preview(single).shape[0] == 1
