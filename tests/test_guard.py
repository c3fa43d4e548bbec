"""The guard: jumps, poorly predicted frames and splines never leave single frames below linear
interpolation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from fits import INTERPOLATION, MOTION
from napari_spatimeinr import Field, Volume, fit, load, phantom
from napari_spatimeinr.analysis import scores
from napari_spatimeinr.model.decoder import Decoder
from napari_spatimeinr.model.encoder import Encoder
from napari_spatimeinr.model.frames import Frames, Normalisation
from napari_spatimeinr.model.interpolation import segment, temporal_weights
from napari_spatimeinr.model.latents import Latents
from napari_spatimeinr.model.motion import VelocityField
from napari_spatimeinr.model.network import Network
from napari_spatimeinr.phantoms import SPACING
from napari_spatimeinr.training import gate, guard
from napari_spatimeinr.training.normalisation import estimate_normalisation

pytestmark = pytest.mark.usefixtures("one_thread")


def jumping(shape: tuple[int, int, int, int], by: int, at: int, **how: Any) -> tuple[Volume, Any]:
    """A phantom whose stage moves by some voxels before frame ``at``, and its truth at a time in
    frames.
    """
    t, z, y, x = shape
    volume, truth = phantom((t, z, y, x + by), **how)

    def cut(frame: Any, time: float) -> Any:
        return frame[..., by:] if time >= at else frame[..., :x]

    data = np.stack([cut(frame, k) for k, frame in enumerate(np.asarray(volume.data))])
    return Volume(data, volume.spacing), lambda time: cut(
        truth.frame(time * SPACING[0], volume.grid), time
    )


def gains(field: Field, truth: Any) -> list[float]:
    """Gain over linear, dB, halfway in each interval."""
    frames = np.asarray(field.volume.data)
    rendered = field.lazy(time_scale=2)
    out = []
    for k in range(len(frames) - 1):
        exact = truth(k + 0.5)
        out.append(
            scores.psnr(np.asarray(rendered[2 * k + 1]), exact)
            - scores.psnr((frames[k] + frames[k + 1]) / 2, exact)
        )
    return out


@pytest.mark.parametrize("motion", [2.0, 4.0])
def test_a_jump_of_the_stage_leaves_no_frame_below_linear(motion):
    volume, truth = jumping((9, 8, 40, 40), 20, 4, kind="nuclei", motion=motion, photons=0, read=0)
    field = fit(volume, config=INTERPOLATION, device="cpu")
    assert min(gains(field, truth)) > -0.1


@pytest.mark.slow
def test_motion_is_not_followed_across_a_jump_and_kept_elsewhere(tmp_path):
    volume, truth = jumping((8, 8, 36, 36), 20, 5, motion=2.0, photons=600)
    field = fit(volume, config=MOTION, device="cpu")
    assert field.provenance["chosen"]["motion"] is True
    assert field.provenance["guard"] == {"linear": [4], "jumps": [4]}
    (said,) = field.provenance["warnings"]
    assert "Between frames 4 and 5" in said
    assert "linear" in said
    frames = np.asarray(volume.data)
    middle = field.lazy(time_scale=2)
    np.testing.assert_allclose(
        np.asarray(middle[9]), (frames[4] + frames[5]) / 2, atol=1e-3 * np.ptp(frames)
    )
    gained = gains(field, truth)
    assert min(gained) > -0.1
    assert min(gained[:4] + gained[5:]) > 0.3
    again = load(field.save(tmp_path / "guarded.spatimeinr"), device="cpu")
    assert np.array_equal(np.asarray(again.lazy(time_scale=2)[9]), np.asarray(middle[9]))
    # What is annotated in a jump is moved as on its both sides.
    point = np.array([2.0, 4.0, 4.0])
    across, before, after = (
        np.abs(field.motion(point, 60.0 * k, 60.0 * (k + 1))).max() for k in (4, 3, 5)
    )
    assert across < before + after + 1e-6


@pytest.mark.slow
def test_ordinary_recordings_have_no_jumps():
    for how in ({"motion": 3.0}, {"motion": 2.0, "kind": "nuclei", "divide": 4, "bleach": 0.1}):
        field = fit(phantom((5, 6, 20, 20), seed=1, **how)[0], config=MOTION, device="cpu")
        assert field.provenance.get("guard", {}).get("jumps", []) == []
        assert field.provenance["warnings"] == []


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([1, 1.2, 0.9, 30, 1.1, 1], [3]),
        ([30, 1, 1, 1], [0]),
        ([1, 1, 1, 30], [3]),
        ([1, 2, 4, 8, 16, 8, 4], []),  # speeding up
        ([40, 38, 5, 1, 1, 1, 1], []),  # slowing down
        (
            [9, 8, 60, 0.1, 0.1, 0.1, 0.1, 0.1],
            [2],
        ),  # frames are empty from one on: what moved before did not jump
        ([1, 1, 40, 40, 1, 1], [2, 3]),  # one frame is another scene
        ([0, 0, 0], []),
        ([5], []),
    ],
)
def test_a_jump_stands_out_from_the_intervals_on_both_sides(differences, expected):
    values = torch.tensor(differences, dtype=torch.float32)
    even = torch.ones(len(values))
    assert guard.jumps(values, values, even) == expected
    assert guard.jumps(values, 20 * values, even) == [], "what trajectories explain has moved"


def test_more_may_change_in_a_longer_interval():
    values = torch.tensor([1, 1.2, 0.9, 30, 1.1, 1])
    assert guard.jumps(values, values, torch.tensor([1.0, 1, 1, 3, 1, 1])) == []
    assert guard.jumps(values, values, torch.tensor([1.0, 0.1, 1, 2, 1, 1])) == [3]


def test_motion_goes_on_across_a_jump_as_beside_it():
    field = VelocityField(torch.arange(5.0), (4, 8, 8), (2, 3, 3))
    with torch.no_grad():
        field.nodes.copy_(
            torch.tensor([1.0, 2.0, 50.0, 4.0]).view(4, 1, 1, 1, 1).expand_as(field.nodes)
        )
    guard._bridge(field, [2])
    assert field.nodes[:, 0, 0, 0, 0].tolist() == [1, 2, 3, 4]
    guard._bridge(field, [0, 1, 2, 3])
    assert field.nodes[:, 0, 0, 0, 0].tolist() == [1, 2, 3, 4], "nothing is known beside them"


def spoiled() -> Network:
    """Latents that a recording was never fitted to."""
    torch.manual_seed(0)
    network = Network(latents=Latents(Encoder(4, 2, 4), Decoder(4, 8)))
    with torch.no_grad():
        for value in network.latents.encoder.parameters():
            value += 0.3 * torch.randn_like(value)
    return network.copy()


def test_what_latents_spoil_is_told_frame_by_frame():
    volume, _ = phantom((5, 6, 20, 20), motion=1.0)
    field = fit(volume, config=INTERPOLATION, device="cpu")
    frames = field._renderer.frames
    assert gate.left_out(spoiled(), "linear", frames, 2, range(5), 0) < -3
    assert gate.left_out(Network(), "linear", frames, 2, range(5), 0) == 0
    # An interval counts as poor where the frames on both sides of it are, at the ends of the
    # recording the only one known.
    assert guard.weak({1: -3.0, 2: -3.0, 3: 1.0}, 5, -0.5) == [0, 1]
    assert guard.weak({1: 1.0, 2: -3.0, 3: 1.0}, 5, -0.5) == []


def test_intervals_left_to_linear_are_made_of_the_frames_themselves():
    volume, _ = phantom((5, 6, 20, 20), motion=1.0)
    plain = fit(volume, config=INTERPOLATION, device="cpu")
    network = spoiled()
    args = volume, network, plain.normalisation, plain.config, plain.device, "linear"
    guarded, free = (Field(*args, provenance) for provenance in ({"guard": {"linear": [0, 1]}}, {}))
    expected = np.asarray(plain.interpolated().lazy(time_scale=2))
    found, spoilt = np.asarray(guarded.lazy(time_scale=2)), np.asarray(free.lazy(time_scale=2))
    # Frame 2 has an interval on its other side in which latents are used.
    np.testing.assert_allclose(found[:4], expected[:4], atol=1e-5)
    assert np.abs(spoilt[:4] - expected[:4]).max() > 0.1
    assert np.abs(found[5] - expected[5]).max() > 0.1


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_a_spline_in_time_stays_within_the_frames_around(dtype):
    rng = np.random.default_rng(0)
    high = 1 if dtype is bool else 255
    data = (rng.integers(0, 2, (9, 3, 8, 8)) * high).astype(dtype)
    field = fit(Volume(data), config=INTERPOLATION, device="cpu").interpolated("cubic")
    out = np.asarray(field.lazy(time_scale=4))
    for i, t in enumerate(np.arange(len(out)) / 4):
        near = data[max(0, int(np.ceil(t)) - 2) : int(t) + 3].astype(np.float32)
        assert (out[i] >= near.min(0) - 1e-3 * high).all()
        assert (out[i] <= near.max(0) + 1e-3 * high).all()
    assert (
        np.abs(out[1::4] - np.asarray(field.interpolated().lazy(time_scale=4))[1::4]).max()
        > 0.01 * high
    )


@pytest.mark.parametrize("high", [1, 255])
def test_nothing_is_rendered_beyond_the_range_of_the_frames_around(high):
    """A spline in space overshoots at the edges of what is either there or not, by a fifth of its
    brightness.
    """
    scene = (
        np.asarray(phantom((4, 6, 20, 20), kind="nuclei", motion=2.0, photons=0, read=0)[0].data)
        > 0.4
    )
    data = np.where(scene, high, 0).astype(np.uint8)
    data[2:] //= 2 if high > 1 else 1
    field = fit(Volume(data), config={**MOTION, "gate": False}, device="cpu")
    out = np.asarray(field.lazy(time_scale=4, scale=2))
    assert field.network.motion is not None
    for i, t in enumerate(np.arange(len(out)) / 4):
        near = data[int(np.floor(t)) : int(np.ceil(t)) + 1]
        assert out[i].min() >= near.min()
        assert out[i].max() <= near.max()


@pytest.mark.parametrize("dtype", [bool, np.uint8])
def test_nothing_is_rendered_that_the_type_of_the_recording_cannot_hold(dtype):
    scene = (
        np.asarray(phantom((4, 6, 20, 20), kind="nuclei", motion=2.0, photons=0, read=0)[0].data)
        > 0.4
    )
    data = (scene * (1 if dtype is bool else 255)).astype(dtype)
    field = fit(Volume(data), config={**MOTION, "gate": False}, device="cpu")
    out = field.render(time_scale=2, scale=2).data
    assert field.network.motion is not None
    assert out.min() == 0
    assert out.max() == data.max()
    assert np.unique(out).size > 100


def test_empty_frames_do_not_decide_what_is_bright():
    rng = np.random.default_rng(0)
    dark = rng.normal(10, 1, (600, 2, 8, 8))
    bright = dark[:5].copy()
    bright[:, :, 2:5, 2:5] += 200
    whole, _, _ = estimate_normalisation(np.concatenate([bright, dark]).astype(np.float32))
    alone, _, _ = estimate_normalisation(bright.astype(np.float32))
    assert (whole.offset, whole.scale, whole.gains) == (alone.offset, alone.scale, (1.0,) * 605)
    flash = np.concatenate([bright, bright[:4]])
    flash[2] += 5000
    assert estimate_normalisation(flash)[0].scale == pytest.approx(
        np.subtract(*np.percentile(flash, (99.8, 0.5))), rel=1e-3
    )


def test_cubic_must_win_on_most_frames():
    grid = np.arange(12)[:, None] / 3 + np.arange(16) / 3

    def wave(t: float) -> Any:
        return (100 + 50 * np.sin(grid + 0.6 * t))[None].repeat(4, 0)

    steady = np.stack([wave(k) for k in range(9)]).astype(np.float32)
    assert (
        fit(Volume(steady), config=INTERPOLATION, device="cpu").provenance["chosen"][
            "interpolation"
        ]
        == "cubic"
    )
    # A jump between the held-out frames: what is won on the whole is lost on most frames.
    volume, _ = jumping((9, 8, 40, 40), 20, 4, kind="nuclei", motion=4.0, photons=0, read=0)
    frames = Frames(volume.data, Normalisation(0.0, 1.0, (1.0,) * 9), torch.device("cpu"))
    errors = gate.held_out_errors({}, frames, gate.split(9), 0)
    assert errors.gain("cubic") > gate.CUBIC_MARGIN_DB
    assert gate.plain_method(errors, frames, 0) == "linear"


def test_far_frames_do_not_count_in_a_spline():
    times = np.arange(1000.0)
    weights = temporal_weights(3.4, times, "cubic")
    assert not weights[40:].any()
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(
        weights[:20], temporal_weights(3.4, times[:36], "cubic")[:20], atol=1e-8
    )


@pytest.mark.parametrize(
    ("t", "expected"),
    [
        (0.5, (0, 4)),
        (4.5, (4, 5)),
        (5.5, (5, 8)),
        (4.0, (0, 4)),
        (5.0, (5, 8)),
        (8.0, (5, 8)),
        (0.0, (0, 4)),
    ],
)
def test_frames_across_a_linear_interval_are_not_used(t, expected):
    numbers = segment(t, 9, [4])
    assert (numbers[0], numbers[-1]) == expected
    assert list(segment(t, 9, [])) == list(range(9))
