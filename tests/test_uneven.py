"""Frames at uneven times: grids, shares, motion, what is held out, files of models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fits import INTERPOLATION, KEPT, MOTION, PLAIN
from napari_spatimeinr import Field, Volume, evaluate, fit, load, phantom, propagate_labels
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.data.grid import Grid
from napari_spatimeinr.errors import GridError
from napari_spatimeinr.model.frames import Normalisation
from napari_spatimeinr.model.motion import VelocityField
from napari_spatimeinr.model.network import Network, around
from napari_spatimeinr.training import gate
from napari_spatimeinr.training.parts.latents_fit import tasks_for

CPU = torch.device("cpu")
TIMES = (60.0, 120.0, 240.0, 250.0, 310.0, 370.0, 550.0)
"""The median interval is 60."""
SPEED = 0.9
"""Voxels along x in a median interval."""

uneven = st.lists(st.floats(0.01, 50), min_size=1, max_size=9).map(
    lambda steps: tuple(np.cumsum([-3.0, *steps]))
)


def grid_of(times: tuple[float, ...]) -> Grid:
    return Grid((len(times), 1, 2, 2), times=times)


def scene(intensity=lambda t, x: np.exp(-(((x - 8 - SPEED * t) / 3) ** 2))) -> Volume:
    """A recording at ``TIMES`` of what depends on time, in median intervals, and on x."""
    x = np.arange(32.0)
    frames = [intensity((t - TIMES[0]) / 60, x) for t in TIMES]
    data = np.broadcast_to(np.stack(frames)[:, None, None], (len(TIMES), 6, 12, 32))
    return Volume(np.ascontiguousarray(data, np.float32), (1, 0.5, 0.2, 0.2), times=TIMES)


def moving(volume: Volume, interpolation: str = "linear", **parts) -> Field:
    """A Field of a recording that was not fitted."""
    normalisation = Normalisation(0.0, 1.0, (1.0,) * volume.shape[0])
    config = make_config("fast")
    return Field(volume, Network(**parts), normalisation, config, CPU, interpolation, {})


def steady(volume: Volume) -> VelocityField:
    """All moves at ``SPEED``."""
    field = VelocityField(torch.tensor(volume.grid.clock), volume.shape[1:], (2, 2, 2))
    with torch.no_grad():
        field.nodes[:, 2] = SPEED
    return field


# -- grids ---------------------------------------------------------------------------------


@given(uneven, st.lists(st.floats(-5, 500), min_size=1, max_size=9))
def test_physical_times_and_frames_are_inverse(times, at):
    grid, physical = grid_of(times), np.array(at)
    assert np.array_equal(grid.to_index(np.array(times), 0), np.arange(len(times)))
    assert np.allclose(grid.to_physical(grid.to_index(physical, 0), 0), physical, atol=1e-7)
    points = np.column_stack([physical, physical, physical, physical])
    index = grid.to_index(points)
    assert np.array_equal(index[:, 0], grid.to_index(physical, 0))
    assert np.array_equal(index[:, 3], grid.to_index(physical, 3))
    assert np.allclose(grid.to_physical(index), points, atol=1e-7)


@given(uneven, st.integers(1, 6))
def test_a_time_scale_divides_every_interval_evenly(times, factor):
    fine = grid_of(times).refine(time_scale=factor).coordinates(0)
    assert len(fine) == (len(times) - 1) * factor + 1
    assert np.allclose(fine[::factor], times, rtol=1e-9)
    steps = np.diff(fine).reshape(-1, factor)
    assert np.allclose(steps, steps[:, :1], atol=1e-9)


@given(uneven, st.floats(0.05, 20))
def test_an_interval_is_even_and_nothing_is_extrapolated(times, dt):
    fine = grid_of(times).refine(dt=dt)
    at = fine.coordinates(0)
    assert fine.times is None
    assert at[0] == times[0]
    assert times[-1] - dt < at[-1] + 1e-3
    assert at[-1] <= times[-1] + 1e-5 * max(np.diff(times))


def test_times_are_physical_and_within_the_recording():
    grid = grid_of(TIMES)
    assert grid.refine(times=[60, 100, 550]).times == (60, 100, 550)
    assert (grid.spacing[0], grid.origin[0]) == (60, 60)
    for beyond in (59, 551):
        with pytest.raises(GridError, match="60 to 550"):
            grid.refine(times=[beyond])


def test_a_part_has_the_times_of_its_frames():
    part = grid_of(TIMES).crop(((2, 5), (0, 1), (0, 2), (0, 2)))
    assert part.times == (240, 250, 310)
    assert part.origin[0] == 240


# -- what lies between frames --------------------------------------------------------------


def test_shares_are_those_of_time_where_frames_are_left_out():
    frames = moving(scene()).frames
    assert around(1, [0, 2, 3], 1, frames.time).share == pytest.approx(1 / 3)
    assert around(2.5, range(7), 1, frames.time).share == pytest.approx(0.5)
    (first, second, *_) = tasks_for([0, 1, 2, 3, 5], 1, frames.time)
    assert first.around.share == pytest.approx(1 / 3)
    assert second.around.share == pytest.approx(120 / 130)


def test_linear_is_linear_in_time_and_cubic_cubic():
    volume = scene(lambda t, x: 0.5 + 0.05 * t * np.cos(x))
    exact = np.interp(400.0, TIMES, np.asarray(volume.data)[:, 2, 3, 5])
    assert moving(volume).render(times=[400.0]).data[0, 2, 3, 5] == pytest.approx(exact, abs=1e-4)
    curved = scene(lambda t, x: 0.1 + 0.02 * t**2 + 0 * x)
    found = moving(curved, "cubic").render(times=[145.0, 290.0, 400.0]).data[:, 2, 3, 5]
    assert found == pytest.approx(
        [0.1 + 0.02 * ((t - 60) / 60) ** 2 for t in (145, 290, 400)], abs=1e-3
    )


@pytest.mark.parametrize("t", [90.0, 200.0, 247.0, 300.0, 430.0, 500.0])
def test_what_moves_steadily_is_followed_steadily(t):
    volume = scene()
    field = moving(volume, motion=steady(volume))
    moved = SPEED * (t - 60) / 60
    assert field.motion([1.0, 1.0, 2.0], 60.0, t)[2] == pytest.approx(0.2 * moved, rel=1e-5)
    x = np.arange(32.0)
    truth = np.exp(-(((x - 8 - moved) / 3) ** 2))
    assert field.render(times=[t]).data[0, 3, 6] == pytest.approx(truth, abs=2e-3)
    rough = field.lazy(times=[t]).rough((0, 3))
    assert rough[6] == pytest.approx(truth, abs=5e-2)


def test_frames_are_left_out_and_predicted_at_their_times():
    volume = scene()
    parts = gate.split(len(TIMES))
    motion = {"motion": Network(steady(volume))}
    errors = gate.held_out_errors(motion, moving(volume).frames, parts, 0)
    assert errors.gain("motion") > 20
    ramp = scene(lambda t, x: 0.5 + 0.05 * t * np.cos(x))
    errors = gate.held_out_errors({}, moving(ramp).frames, parts, 0)
    assert errors.sums["linear"]["whole"] < 1e-6
    assert errors.sums["cubic"]["whole"] < 1e-3, "small weights are left out"


def test_annotations_are_of_the_frame_that_is_nearest_in_time():
    volume = scene()
    labels = np.zeros(volume.shape, np.uint8)
    labels[1], labels[3] = 1, 3
    field = moving(volume)
    found = propagate_labels(field, labels, [150.0, 184.0, 186.0, 240.0])
    assert found[:, 0, 0, 0].tolist() == [1, 1, 3, 3]


def test_acquired_frames_are_kept_bit_for_bit():
    volume = scene()
    kept = moving(volume).lazy(time_scale=2, keep_acquired=True)
    assert kept.acquired[::2] == list(range(len(TIMES)))
    assert np.array_equal(np.asarray(kept)[::2], volume.data)


# -- fits ----------------------------------------------------------------------------------


def test_a_model_keeps_its_times(tmp_path):
    volume, _ = phantom((6, 4, 16, 16), kind="uneven", motion=1.0, seed=1)
    field = fit(volume, config=KEPT, device="cpu")
    again = load(field.save(tmp_path / "a.spatimeinr"), device="cpu")
    assert again.grid == field.grid == volume.grid
    assert np.array_equal(again.lazy(time_scale=3)[4, 2], field.lazy(time_scale=3)[4, 2])
    assert np.array_equal(again.motion([1.0, 1, 1], 0, 200.0), field.motion([1.0, 1, 1], 0, 200.0))


def test_even_times_are_those_that_need_not_be_given():
    volume, _ = phantom((5, 4, 16, 16), motion=1.0)
    given_times = Volume(
        volume.data, volume.spacing, times=tuple(volume.grid.coordinates(0).tolist())
    )
    one, other = (
        fit(v, config={**KEPT, "threads": 1}, device="cpu").lazy(time_scale=2)[3]
        for v in (volume, given_times)
    )
    assert np.array_equal(one, other)


@pytest.mark.slow
def test_true_times_are_worth_a_decibel():
    volume, truth = phantom((8, 8, 32, 32), kind="uneven", motion=2.0, seed=2, photons=600)
    as_even = Volume(volume.data, volume.spacing, units=volume.units)
    known, unknown = (
        fit(v, config={**MOTION, "threads": 1}, device="cpu") for v in (volume, as_even)
    )
    between = volume.grid.refine(time_scale=2).coordinates(0)[1::2]
    exact = np.stack([truth.frame(t, volume.grid) for t in between])

    def error(field):
        return np.mean((np.asarray(field.lazy(time_scale=2))[1::2] - exact) ** 2)

    assert known.provenance.chosen.motion is True
    assert error(known) < 0.8 * error(unknown)
    assert error(known) < error(known.interpolated())


def test_interpolation_alone_takes_uneven_times():
    field = fit(scene(), config=INTERPOLATION, device="cpu")
    assert field.lazy(time_scale=2).shape[0] == 2 * len(TIMES) - 1


def test_what_is_held_out_is_scored_at_its_times():
    """What grows linearly in time is known by linear interpolation, ours and the baseline's."""
    ramp = scene(lambda t, x: 0.5 + 0.05 * t * np.cos(x))
    report = evaluate(ramp, config=PLAIN, device="cpu", baselines=("linear", "cubic"))
    assert report.methods["linear"]["psnr"] > 60
    assert report.methods["spatimeinr"]["psnr"] > 60
    assert report.methods["cubic"]["psnr"] > 60
