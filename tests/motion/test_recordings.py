"""Motion: blobs are found between frames, brightness is kept, and nothing is worse than
interpolation.
"""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatimeinr import Field, Volume, fit, phantom

pytestmark = pytest.mark.usefixtures("one_thread")
SHAPE = (16, 32, 32)
SIGMA = np.array([1.6, 2.0, 2.0])
NO_LATENTS = {
    "motion": {"steps": 20, "points": 1500, "levels": 3, "smoothness": [0.01]},
    "latents": {"enabled": False},
    "planes": {"enabled": False},
}
SMALL = {
    "motion": {"steps": 20, "points": 1500, "levels": 3, "smoothness": [0.01]},
    "latents": {"steps": 40, "channels": 4, "layers": 2, "width": 8, "crop": [8, 16, 16]},
    "planes": {"steps": 4, "channels": 4, "layers": 2},
}


def blob(
    centre: np.ndarray, shape=SHAPE, height: float = 100.0, background: float = 20.0
) -> np.ndarray:
    axes = np.meshgrid(*map(np.arange, shape), indexing="ij")
    r2 = sum(((a - c) / s) ** 2 for a, c, s in zip(axes, centre, SIGMA, strict=True))
    return (background + height * np.exp(-0.5 * r2)).astype(np.float32)


def uniform(t: float) -> np.ndarray:
    return np.array([6.0, 9.0, 7.0]) + t * np.array([0.5, 1.5, 3.0])


def accelerating(t: float) -> np.ndarray:
    return np.array([8.0, 16.0, 5.0]) + np.array(
        [-0.2 * t, 1.0 * t - 0.2 * t**2, 1.6 * t + 0.32 * t**2]
    )


def centroid(frame: np.ndarray, background: float = 20.0) -> np.ndarray:
    """Of what is brighter than a third of a blob: two ghosts would lie apart and be dimmer."""
    weight = np.where(frame - background > 33, frame - background, 0)
    axes = np.meshgrid(*map(np.arange, frame.shape), indexing="ij")
    return np.array([(a * weight).sum() / weight.sum() for a in axes])


def moving(path, count: int, noise: float = 0.0, spacing=(10.0, 1.0, 1.0, 1.0)) -> Volume:
    rng = np.random.default_rng(0)
    data = np.stack([blob(path(k)) for k in range(count)])
    return Volume(
        data + noise * rng.standard_normal(data.shape).astype(np.float32),
        spacing,
        (5.0, 1.0, 2.0, 3.0),
    )


@pytest.fixture(scope="module")
def steady() -> Field:
    return fit(moving(uniform, 6), config=NO_LATENTS, device="cpu")


def found(field: Field, path, shares=(0.25, 0.5, 0.75)) -> None:
    """The blob lies within 0.3 voxel of its path at unseen times, and is one blob of nearly full
    height.
    """
    count, dt, t0 = field.grid.shape[0], field.grid.spacing[0], field.grid.origin[0]
    times = [k + u for k in range(count - 1) for u in shares]
    frames = field.render(times=[t0 + dt * t for t in times]).data
    assert len(frames) == len(times)
    for t, frame in zip(times, frames, strict=True):
        off = np.linalg.norm(centroid(frame) - path(t))
        assert off < 0.3, f"at {t} the blob is {off:.2f} voxels from its place"
        assert frame.max() > 20 + 85, f"at {t} it is only {frame.max() - 20:.0f} of 100 high"


def test_a_blob_moving_uniformly_is_found(steady):
    assert steady.provenance["chosen"]["motion"] is True
    assert steady.provenance["hold_out"]["gain_over_linear_db"] > 3
    found(steady, uniform)


@pytest.mark.slow
def test_an_accelerating_blob_is_found_with_latents_too():
    field = fit(moving(accelerating, 6, noise=1.0), config=SMALL, device="cpu")
    assert field.provenance["chosen"]["motion"] is True
    found(field, accelerating)


@pytest.mark.slow
def test_motion_is_told_in_physical_units():
    field = fit(moving(uniform, 5, spacing=(10.0, 2.0, 0.5, 0.25)), config=NO_LATENTS, device="cpu")
    spacing, origin = np.array([2.0, 0.5, 0.25]), np.array([1.0, 2.0, 3.0])
    # From frame 1 (15 s) to frame 3 (35 s), what is in the blob's middle.
    moved = field.motion(uniform(1) * spacing + origin, 15.0, 35.0)
    assert moved.shape == (3,)
    np.testing.assert_allclose(moved / spacing, 2 * np.array([0.5, 1.5, 3.0]), atol=0.5)
    np.testing.assert_allclose(
        field.motion((uniform(1) * spacing + origin)[None, None], 15.0, 15.0), 0, atol=1e-6
    )
    back = field.motion(uniform(3) * spacing + origin, 35.0, 15.0)
    np.testing.assert_allclose(back, -moved, atol=0.5 * spacing.max())


def test_motion_is_zero_where_it_was_switched_off():
    field = fit(
        moving(uniform, 3), config={**NO_LATENTS, "motion": {"enabled": False}}, device="cpu"
    )
    assert not field.motion(np.zeros((4, 3)), 5.0, 25.0).any()


@pytest.mark.slow
def test_integrated_intensity_does_not_drift():
    volume, truth = phantom(
        (5, 16, 40, 40), kind="nuclei", motion=3.0, seed=1, photons=0, read=0.0, background=0
    )
    field = fit(volume, config=NO_LATENTS, device="cpu")
    times = [30.0, 90.0, 150.0, 210.0]
    frames = field.render(times=times).data
    for t, frame in zip(times, frames, strict=True):
        assert frame.sum() == pytest.approx(truth.frame(t, volume.grid).sum(), rel=0.01)


@pytest.mark.slow
def test_bleaching_is_found():
    volume, _ = phantom((5, 12, 40, 40), motion=2.0, bleach=0.1, seed=2)
    gains = np.array(
        fit(
            volume,
            config={
                "motion": {"steps": 5},
                "latents": {"enabled": False},
                "planes": {"enabled": False},
            },
            device="cpu",
        ).normalisation.gains
    )
    # The background is not known exactly, so the last frames are off by a little more than each
    # step.
    np.testing.assert_allclose(gains[1:] / gains[:-1], 0.9, rtol=0.05)
    np.testing.assert_allclose(gains / gains[0], 0.9 ** np.arange(5), rtol=0.08)


@pytest.mark.slow
def test_brightness_without_bleaching_is_left_alone():
    volume, _ = phantom((4, 8, 32, 32), motion=2.0, seed=3)
    off = {"motion": {"steps": 2}, "latents": {"enabled": False}, "planes": {"enabled": False}}
    np.testing.assert_allclose(
        fit(volume, config=off, device="cpu").normalisation.gains, 1.0, rtol=0.02
    )
    bleached, _ = phantom((4, 8, 32, 32), motion=2.0, bleach=0.2, seed=3)
    assert (
        fit(bleached, config={**off, "normalise_frames": False}, device="cpu").normalisation.gains
        == (1.0,) * 4
    )


@pytest.mark.slow
def test_rendered_brightness_follows_the_bleaching():
    volume, truth = phantom(
        (5, 12, 40, 40), motion=1.0, bleach=0.15, seed=2, photons=0, read=0.0, background=0
    )
    field = fit(volume, config=NO_LATENTS, device="cpu")
    between = field.render(times=[90.0]).data[0]
    expected = truth.frame(90.0, volume.grid).sum() * 0.85**1.5
    assert between.sum() == pytest.approx(expected, rel=0.02)


@pytest.mark.slow
def test_on_independent_noise_nothing_is_worse_than_linear():
    # A still scene so faint that the frames are noise; a fresh frame is the judge.
    rng = np.random.default_rng(7)
    data = rng.normal(100, 10, (9, 8, 24, 24)).astype(np.float32)
    given = Volume(np.ascontiguousarray(data[::2]), (2.0, 1.0, 1.0, 1.0))
    field = fit(given, config=SMALL, device="cpu")
    predicted = field.render(time_scale=2).data
    for t in (1, 3, 5, 7):
        linear = (data[t - 1] + data[t + 1]) / 2
        assert np.mean((predicted[t] - data[t]) ** 2) <= 1.02 * np.mean((linear - data[t]) ** 2)


@pytest.mark.slow
def test_smooth_changes_of_a_still_scene_are_better_than_linear():
    rng = np.random.default_rng(3)
    still = rng.random((8, 20, 20)).astype(np.float32) * 50
    other = rng.random((8, 20, 20)).astype(np.float32) * 100

    def scene(t: float) -> np.ndarray:
        return still + other * np.float32(1 + np.sin(0.5 * t))

    field = fit(
        Volume(np.stack([scene(k) for k in range(12)])),
        config={**NO_LATENTS, "normalise_frames": False},
        device="cpu",
    )
    assert field.provenance["chosen"]["interpolation"] == "cubic" or any(
        field.provenance["chosen"][k] is True for k in ("motion", "latents")
    )
    assert field.provenance["hold_out"]["gain_over_linear_db"] > 1
    for k in range(11):
        truth = scene(k + 0.5)
        ours = np.mean((field.render(times=[k + 0.5]).data[0] - truth) ** 2)
        line = np.mean(((scene(k) + scene(k + 1)) / 2 - truth) ** 2)
        if 0 < k < 10:
            assert ours < 0.5 * line, f"between frames {k} and {k + 1}"


def jittering(t: float) -> np.ndarray:
    """Of a stage that shakes: the way from frame to frame says nothing of the next."""
    shake = np.random.default_rng(3).uniform(-1.5, 1.5, (20, 3))
    return np.array([8.0, 9.0, 8.0]) + t * np.array([0.0, 1.2, 1.2]) + shake[round(t)]


def swinging(t: float) -> np.ndarray:
    return np.array([8.0, 16.0, 16.0]) + 8 * np.array([0.0, np.sin(0.8 * t), np.cos(0.8 * t)])


@pytest.mark.slow
def test_straight_paths_count_more_where_things_jitter_than_where_they_swing():
    alike = {**NO_LATENTS["motion"], "smoothness": [0.01, 0.0101], "gradual": False}
    config = {**NO_LATENTS, "motion": alike}

    def share(path):
        """Of the straight paths among those that move."""
        told = fit(moving(path, 11), config=config, device="cpu").provenance.hypotheses.all
        curved, straight = (
            sum(one.share for one in told if one.smoothness and one.curved is kind)
            for kind in (True, False)
        )
        return straight / (straight + curved)

    assert share(jittering) > share(swinging)
