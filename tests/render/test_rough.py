"""The rough picture, what is there already, and what is prepared."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatimeinr import Field, Volume, fit

QUICK = {
    "gate": False,
    "motion": {"steps": 20},
    "latents": {"steps": 5},
    "planes": {"enabled": False},
}


@pytest.fixture(scope="module")
def moving() -> Volume:
    """Blobs that go three voxels a frame."""
    z, y, x = np.meshgrid(np.arange(6), np.arange(40), np.arange(44), indexing="ij")
    frames = [
        sum(
            np.exp(-((z - 2) ** 2 + (y - at) ** 2 + (x - 8 - at / 2 - 3 * k) ** 2) / 14)
            for at in (9, 28)
        )
        for k in range(4)
    ]
    return Volume(np.stack(frames).astype(np.float32))


@pytest.fixture
def field(moving: Volume) -> Field:
    """With empty caches."""
    return fit(moving, "fast", QUICK, device="cpu")


@pytest.fixture(scope="module")
def along(moving: Volume) -> Field:
    """Motion alone."""
    return fit(moving, "fast", {**QUICK, "latents": {"enabled": False}}, device="cpu")


def encoded(field: Field) -> int:
    return int(field._renderer.sampler.source.tiles.bytes)  # type: ignore[attr-defined]


def test_a_rough_picture_follows_the_motion_and_encodes_nothing(along: Field) -> None:
    array = along.lazy(time_scale=2)
    rough = array.rough((3, 2))
    assert rough.shape == (40, 44)
    assert encoded(along) == 0
    sharp, still = array[3, 2], along.interpolated().lazy(time_scale=2)[3, 2]
    error, of_still = (float(((a - sharp) ** 2).mean()) for a in (rough, still))
    assert error < 0.2 * of_still


def test_at_a_frame_it_is_the_frame(moving: Volume, along: Field) -> None:
    rough = along.lazy().rough((1, 2))
    assert np.allclose(rough, moving.data[1, 2], atol=1e-4 * float(np.ptp(moving.data)))


def test_far_apart_it_is_the_mean_between(moving: Volume, along: Field) -> None:
    """Bins of 4 x 4 voxels; the last ones are of fewer where the size is no multiple."""
    rough = along.lazy().rough((1, 2, slice(None, None, 4), slice(None, None, 4)))
    means = np.asarray(moving.data[1, 2]).reshape(10, 4, 11, 4).mean((1, 3))
    # Samples lie at the first voxel of each bin, its middle 1.5 voxels further.
    shifted = (means[:-1, :-1] * 1.5**2 + means[1:, 1:] * 2.5**2) / 4**2
    shifted += (means[:-1, 1:] + means[1:, :-1]) * 1.5 * 2.5 / 4**2
    assert np.allclose(rough[1:, 1:], shifted, atol=1e-4)
    odd = along.lazy().rough((slice(1, 3), slice(0, 6, 4), slice(None, None, 3), slice(1, 44, 7)))
    assert odd.shape == (2, 2, 14, 7)
    assert np.isfinite(odd).all()


def test_missing_values_are_filled(moving: Volume) -> None:
    data = np.array(moving.data, np.float32)
    data[1, 2, 5, 5] = np.nan
    field = fit(Volume(data, moving.spacing), "fast", {**QUICK, "latents": {"enabled": False}})
    assert np.isfinite(
        field.lazy(time_scale=2).rough((2, 2, slice(None), slice(None, None, 2)))
    ).all()


def test_other_quantities_are_not_taken_for_intensities(along: Field) -> None:
    array = along.lazy(time_scale=2, what="disagreement")
    assert np.array_equal(array.rough((3, 2)), array[3, 2])


def test_it_is_warm_once_it_was_drawn(field: Field) -> None:
    array = field.lazy(time_scale=4)
    assert not array.is_warm((5, 2))
    array[5, 2]
    assert array.is_warm((5, 2))
    assert array.is_warm((6, 2)), "another time between the same frames"
    assert not array.is_warm((9, 2)), "between others"


def test_what_lies_around_is_prepared_and_nothing_twice(field: Field) -> None:
    array = field.lazy(time_scale=4)
    array[5, 2]
    pieces = sum(1 for _ in array.ahead((5, 2)))
    assert pieces > 0
    assert all(array.is_warm((t, z)) for t in (1, 4, 5, 9) for z in (1, 2, 3))
    assert not list(array.ahead((5, 2)))


def test_nothing_is_prepared_where_there_is_no_room(field: Field) -> None:
    array = field.lazy(time_scale=4)
    array[5, 2]
    tiles = field._renderer.sampler.source.tiles  # type: ignore[attr-defined]
    tiles.most = tiles.bytes
    assert not list(array.ahead((5, 2)))
    assert array.is_warm((5, 2))
