"""What is known of jumps is told at once, found in bounded time, and heeded by all quantities that
are rendered.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from fits import MOTION, OFF
from napari_spatimeinr import Field, Volume, phantom
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.fitting import fit_steps
from napari_spatimeinr.model.decoder import Decoder
from napari_spatimeinr.model.encoder import Encoder
from napari_spatimeinr.model.frames import Frames, Normalisation
from napari_spatimeinr.model.latents import Latents
from napari_spatimeinr.model.motion import VelocityField
from napari_spatimeinr.model.network import Network
from napari_spatimeinr.training import gate, guard, job

pytestmark = pytest.mark.usefixtures("one_thread")

TABLE = {"levels": [0.9], "edges": [[0.02], [0.5]], "widths": [[[0.01, 0.01], [0.02, 0.02]]]}


def drifting(count: int, jump: int) -> Volume:
    """A scene that moves by a voxel along x from frame to frame, and by 21 after frame ``jump``."""
    scene = gaussian_filter(
        np.random.default_rng(0).normal(size=(6, 40, 80 + count)), (1, 2.5, 2.5)
    )
    starts = [k + 20 * (k > jump) for k in range(count)]
    return Volume(
        np.stack([100 + 40 * scene[:, :, s : s + 40] / scene.std() for s in starts]).astype(
            np.float32
        )
    )


def guarded(volume: Volume, network: Network, linear: list[int], cache: int = 0) -> Field:
    """A model with that guard and a table of confidence."""
    levels = Normalisation(0.0, 200.0, (1.0,) * volume.shape[0])
    config = make_config("fast", {"render": {"cache_bytes": cache}})
    provenance = {"guard": {"linear": linear, "jumps": linear}, "confidence": TABLE}
    return Field(volume, network, levels, config, torch.device("cpu"), "linear", provenance)


def following(count: int) -> Network:
    """The motion of the scene that drifts."""
    velocity = VelocityField(torch.arange(float(count)), (6, 40, 40), (2, 2, 2)).requires_grad_(
        False
    )
    velocity.nodes[:, 2] = -1.0
    return Network(velocity)


def middle(rendered: Any) -> np.ndarray[Any, Any]:
    """Means of each time away from the borders, over which the scene leaves."""
    return np.asarray(rendered)[..., 4:-4].mean((1, 2, 3))


@pytest.mark.slow
def test_a_stopped_fit_and_one_that_goes_on_from_it_know_the_jumps(monkeypatch):
    monkeypatch.setattr(job, "SNAPSHOT_EVERY", 0.0)
    cells, _ = phantom((8, 8, 36, 56), motion=2.0, photons=600)
    volume = Volume(
        np.stack([frame[..., 20 * (k > 4) :][..., :36] for k, frame in enumerate(cells.data)]),
        cells.spacing,
    )
    steps = fit_steps(volume, config=MOTION, device="cpu")
    stopped = next(state.field for state in steps if state.stage == "checking each interval")
    steps.close()
    known = {"linear": [4], "jumps": [4]}
    assert stopped.provenance["guard"] == known
    (said,) = stopped.provenance["warnings"]
    assert "Between frames 4 and 5" in said
    across = np.asarray(stopped.lazy(time_scale=2)[9])
    np.testing.assert_allclose(across, volume.data[4:6].mean(0), atol=1e-3 * np.ptp(volume.data))
    shown = [
        state.field
        for state in fit_steps(volume, config=MOTION, device="cpu", resume=stopped)
        if state.stage != "reading"
    ]
    assert len(shown) > 2
    for field in shown:
        assert field.provenance["guard"] == known
        assert field.provenance["warnings"] == [said]


def test_of_many_frames_some_are_checked_and_the_bar_moves_meanwhile():
    grid = np.arange(12)[:, None] / 3 + np.arange(16) / 3
    waves = np.stack(
        [(100 + 50 * np.sin(grid + 0.6 * k))[None].repeat(4, 0) for k in range(80)]
    ).astype(np.float32)
    still = {"motion": OFF, "latents": OFF, "planes": OFF}
    states = [
        s
        for s in fit_steps(Volume(waves), config=still, device="cpu")
        if s.stage == "checking each interval"
    ]
    assert len(states) == guard.LEAST_CHECKED
    assert [state.step for state in states] == list(range(1, len(states) + 1))
    assert {state.of for state in states} == {len(states)}


def test_suspicious_frames_and_evenly_spread_ones_are_checked_first():
    differences = [1.0] * 100
    differences[40] = 5.0
    first = guard.order(guard.Looked([70], differences), 10)[:10]
    assert {40, 41} <= set(first)
    assert not {70, 71} & set(first)
    assert all(any(low < k <= low + 34 for k in first) for low in (0, 33, 66))
    everything = guard.order(guard.Looked([], differences), 1000)
    assert sorted(everything) == list(range(1, 100))
    assert guard.order(guard.Looked([1], [1.0, 1.0, 1.0]), 10) == []


class Read:
    """Data that notes which frames are read."""

    def __init__(self, data: Any) -> None:
        self.data, self.shape, self.dtype = data, data.shape, data.dtype
        self.frames: set[int] = set()

    def __getitem__(self, key: Any) -> Any:
        self.frames.add(key[0])
        return self.data[key]


def test_no_spline_is_computed_that_nothing_is_compared_with():
    data = Read(drifting(9, 8).data)
    frames = Frames(data, Normalisation(0.0, 200.0, (1.0,) * 9), torch.device("cpu"))
    assert gate.left_out(following(9), "linear", frames, 4, range(9), 0) > 3
    assert data.frames == {3, 4, 5}


def test_disagreement_beside_a_jump_is_that_of_the_frames_on_this_side():
    field = guarded(drifting(9, 4), following(9), [4])
    found = middle(field.lazy(times=[2.0, 3.5, 4.0, 4.5, 5.0, 5.5, 8.0], what="disagreement"))
    assert found[3] > 20
    assert np.delete(found, 3).max() < 1
    lonely = guarded(drifting(9, 4), following(9), [3, 4])
    assert not np.asarray(lonely.lazy(times=[4.0], what="disagreement")).any()


def test_confidence_across_a_jump_covers_both_frames():
    volume = drifting(9, 4)
    half = np.asarray(
        guarded(volume, following(9), [4]).lazy(times=[2.5, 4.0, 4.25, 4.5, 5.0], what="confidence")
    )
    across = np.abs(volume.data[5] - volume.data[4])
    assert (half[2:4] >= across - 0.1).all()
    assert across.mean() > 20
    # What was calibrated is at most 0.02 of a range of 200.
    assert half[[0, 1, 4]].max() < 4.1
    assert half[[0, 1, 4]][..., 4:-4].mean() < 3


def test_intervals_left_to_linear_do_not_add_to_the_memory_for_caches():
    torch.manual_seed(0)
    network = Network(latents=Latents(Encoder(4, 2, 4), Decoder(4, 8))).copy()
    most = 400_000
    field = guarded(drifting(9, 4), network, [3, 4, 5], most)
    np.asarray(field.lazy(time_scale=2))
    sampler = field._renderer.sampler
    caches = {id(s.source.tiles): s.source.tiles.bytes for s in (sampler, sampler.plain)}
    assert 0 < sum(caches.values()) <= most
