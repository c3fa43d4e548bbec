"""Estimates before a fit, disagreement of neighbours, plain interpolation as a Field, watched
arrays.
"""

from __future__ import annotations

import numpy as np
import pytest

from fits import PLAIN
from napari_spatimeinr import Volume, fit, make_config
from napari_spatimeinr.analysis.estimate import Estimate, estimate, machine_speed
from napari_spatimeinr.data.arrays import watched
from napari_spatimeinr.errors import DeviceError, GridError

pytestmark = pytest.mark.usefixtures("one_thread")


def test_more_work_takes_more_time_and_memory() -> None:
    small, large = (7, 32, 64, 64), (10, 40, 512, 512)
    fast, balanced, best = (
        estimate(small, make_config(p), "cpu") for p in ("fast", "balanced", "best")
    )
    assert fast.seconds is not None
    assert balanced.seconds is not None
    assert best.seconds is not None
    assert fast.seconds < balanced.seconds < best.seconds
    more = estimate(large, make_config("balanced"), "cpu")
    assert more.seconds is not None
    assert more.seconds > balanced.seconds
    assert more.bytes > balanced.bytes
    # One time point is only read.
    single = estimate((1, 32, 64, 64), make_config("balanced"), "cpu")
    assert single.seconds is not None
    assert single.seconds < balanced.seconds
    assert machine_speed() > 0


def test_the_published_schedule_takes_long_and_its_steps_count() -> None:
    shape = (7, 16, 48, 48)
    whole = estimate(shape, make_config("published"), "cpu").seconds
    short = estimate(
        shape, make_config("published", {"max_iter": 100, "rcan_max_iter": 10}), "cpu"
    ).seconds
    single = estimate(
        shape, make_config("published", {"render": {"hypercube": False}}), "cpu"
    ).seconds
    assert whole is not None
    assert short is not None
    assert single is not None
    assert str(estimate(shape, make_config("published"), "cpu", None, 45.0)).startswith(
        "about 45 s"
    )
    assert whole > 100 * short
    assert single < whole / 1.5


def test_an_estimate_is_words() -> None:
    assert str(Estimate(44.0, 1_100_000_000, "cpu")) == "about 45 s, 1.1 GB on this CPU"
    assert str(Estimate(400.0, 500_000_000, "cpu")) == "about 7 min, 0.5 GB on this CPU"
    assert str(Estimate(None, 500_000_000, "cuda")) == "0.5 GB on cuda"
    with pytest.raises(DeviceError):
        estimate((7, 32, 64, 64), make_config("fast"), "tpu")


def test_plain_interpolation_is_a_field(recording: Volume) -> None:
    field = fit(
        recording,
        "fast",
        {
            "motion": {"steps": 4},
            "latents": {"enabled": False},
            "planes": {"enabled": False},
            "gate": False,
        },
    )
    linear = field.interpolated()
    between = np.asarray(linear.lazy(time_scale=2)[1])
    assert np.allclose(
        between,
        (recording.data[0] + recording.data[1]) / 2,
        atol=1e-3 * float(np.ptp(recording.data)),
    )
    assert linear.grid == field.grid
    assert linear.units == field.units


def blob(shift: float) -> Volume:
    z, y, x = np.meshgrid(np.arange(8), np.arange(32), np.arange(32), indexing="ij")
    frames = [
        np.exp(-((z - 4) ** 2 + (y - 16) ** 2 + (x - 9 - shift * k) ** 2) / 18) for k in range(4)
    ]
    return Volume(np.stack(frames).astype(np.float32))


@pytest.mark.slow
def test_disagreement_is_what_motion_leaves() -> None:
    still, moving = blob(0.0), blob(3.0)
    nothing = fit(still, "fast", PLAIN).lazy(time_scale=2, what="disagreement")
    assert float(np.abs(np.asarray(nothing)).max()) < 1e-4
    followed = fit(moving, "fast", {**PLAIN, "motion": {"steps": 40}})
    unfollowed = fit(moving, "fast", PLAIN)
    left, there = (
        np.asarray(f.lazy(time_scale=2, what="disagreement")[3]) for f in (followed, unfollowed)
    )
    assert np.allclose(there, np.abs(moving.data[1] - moving.data[2]), atol=1e-3)
    assert float((left**2).mean()) < 0.1 * float((there**2).mean())
    # At an acquired time its two neighbours are compared, at the ends the outermost pair.
    at = unfollowed.lazy(what="disagreement")
    assert np.allclose(at[1], np.abs(moving.data[0] - moving.data[2]), atol=1e-3)
    assert np.allclose(at[0], np.abs(moving.data[0] - moving.data[1]), atol=1e-3)
    assert np.allclose(at[3], np.abs(moving.data[2] - moving.data[3]), atol=1e-3)


def test_one_frame_agrees_with_itself_and_other_quantities_are_refused() -> None:
    field = fit(Volume(blob(0.0).data[:1]), "fast")
    assert not np.asarray(field.lazy(what="disagreement")).any()
    with pytest.raises(GridError, match="shows one of intensity, disagreement"):
        field.lazy(what="confusion")


def test_a_rendering_tells_its_progress_and_can_be_ended(recording: Volume) -> None:
    rendered = fit(recording, "fast", PLAIN).lazy(time_scale=2)
    seen: list[int] = []
    rendered.watch = seen.append
    np.asarray(rendered)
    assert sum(seen) == rendered.size

    def enough(voxels: int) -> None:
        raise KeyboardInterrupt

    other = fit(recording, "fast", PLAIN).lazy(time_scale=2)
    other.watch = enough
    with pytest.raises(KeyboardInterrupt):
        np.asarray(other)


def test_a_watched_array_is_the_array() -> None:
    told: list[tuple[int, int]] = []
    data = np.arange(24).reshape(2, 3, 4)
    array = watched(data, lambda read, of: told.append((read, of)))
    assert array.shape == (2, 3, 4)
    assert np.array_equal(array[0], data[0])
    assert np.array_equal(np.asarray(array), data)
    assert told == [(12, 24), (24, 24)]
