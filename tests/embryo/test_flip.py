"""Whether slices are counted from the other end, seen and told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_spatimeinr.embryo.flip import draw, flip_view
from napari_spatimeinr.embryo.phantom import EmbryoTruth, made_embryo
from napari_spatimeinr.volume import Volume
from other_packages import needed


@pytest.fixture(scope="module")
def made() -> tuple[Volume, EmbryoTruth]:
    return made_embryo((2, 12, 40, 60), (90, 1.2, 0.4, 0.4), (12, 12), seed=2)


def positions(made: tuple[Volume, EmbryoTruth], flip: bool) -> dict[str, np.ndarray]:
    volume, truth = made
    out = truth.centres(90.0)
    deep = (volume.shape[1] - 1) * volume.spacing[1]
    return {n: np.array([deep - p[0], *p[1:]]) if flip else p for n, p in out.items()}


@pytest.mark.parametrize("flip", [False, True])
def test_nuclei_lie_in_darker_places_the_right_way_round(made, flip: bool) -> None:
    volume, _ = made
    view = flip_view(volume.data[0], volume.spacing[1:], positions(made, flip))
    assert view.looks_flipped is flip
    assert view.sentence(flip).endswith("as chosen.")
    assert "was not chosen" in view.sentence(not flip)
    assert ("leave out --z-flip" in view.sentence(True)) == (not flip)


@pytest.mark.slow
def test_nuclei_of_another_embryo_are_asked_about(made) -> None:
    volume, _ = made
    other = made_embryo((2, 12, 40, 60), (90, 1.2, 0.4, 0.4), (23, 23), seed=5)
    view = flip_view(volume.data[0], volume.spacing[1:], positions(other, False))
    assert view.looks_foreign
    assert view.sentence(False).endswith("is the tracing of this embryo?")
    assert not flip_view(volume.data[0], volume.spacing[1:], positions(made, False)).looks_foreign


def test_where_both_ways_are_alike_nothing_is_claimed() -> None:
    view = flip_view(np.ones((5, 6, 7)), (1, 1, 1), {"AB": np.array([2.0, 3, 3])})
    assert view.looks_flipped is None
    assert "too few to tell" in view.sentence(False)
    places = {f"E{k}": np.array([k % 3 + 1.0, k, 3]) for k in range(5)}
    alike = flip_view(np.arange(7.0) * np.ones((5, 6, 7)), (1, 1, 1), places)
    assert "which is right, so look" in replace(
        alike, brightness={False: 0.3, True: 0.35}
    ).sentence(False)


def test_the_picture_shows_both_ways(made, tmp_path: Path) -> None:
    image = needed("matplotlib.image")
    volume, _ = made
    view = flip_view(volume.data[0], volume.spacing[1:], positions(made, False))
    draw(tmp_path / "flip.png", view)
    pixels = image.imread(tmp_path / "flip.png")
    orange = (pixels[..., 0] > 0.9) & (abs(pixels[..., 1] - 0.65) < 0.1) & (pixels[..., 2] < 0.2)
    left, right = np.array_split(orange, 2, axis=1)
    assert left.sum() > 30
    assert right.sum() > 30
