"""Confidence: a stated 90 % interval holds about 90 % of the noisy voxels of frames that were used
for nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from fits import LEAST
from napari_spatimeinr import SpatimeINRError, Volume, fit, load, phantom
from napari_spatimeinr.errors import GridError
from napari_spatimeinr.model.confidence import widths
from napari_spatimeinr.model.frames import Frames, Normalisation
from napari_spatimeinr.model.network import Network, around, disagreement
from napari_spatimeinr.training import confidence
from napari_spatimeinr.training.gate import HeldOut

QUICK = {
    "motion": {"steps": 30, "points": 2000, "warps": 3, "smoothness": [0.01]},
    "latents": {"steps": 90, "channels": 8, "features": 2, "width": 16, "crop": [6, 20, 20]},
    "planes": {"enabled": False},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [{"motion": 1.5}, {"motion": 3.0}, {"motion": 1.5, "kind": "nuclei"}]
)
def test_the_interval_holds_its_share_of_frames_that_were_used_for_nothing(
    how: dict[str, Any],
) -> None:
    volume, _ = phantom((11, 12, 40, 40), seed=8, **how)
    given = Volume(np.ascontiguousarray(volume.data[::2]), (120.0, *volume.spacing[1:]))
    field = fit(given, config=QUICK, device="cpu")
    values, half = field.lazy(time_scale=2), field.lazy(time_scale=2, what="confidence")
    low, high = np.percentile(volume.data, (0.5, 99.8))
    held, moving = [], []
    for t in range(1, 10, 2):
        inside = np.abs(np.asarray(values[t]) - volume.data[t]) <= np.asarray(half[t])
        a, b = (
            ndimage.gaussian_filter((volume.data[k] - low) / (high - low), 1)
            for k in (t - 1, t + 1)
        )
        held.append(inside.mean())
        moving.append(inside[np.abs(a - b) > 0.1].mean())
    assert 0.85 <= np.mean(held) <= 0.95
    assert 0.82 <= np.mean(moving) <= 0.97  # few voxels in a recording this small


@pytest.fixture(scope="module")
def field() -> Any:
    small = {**LEAST, "gate": True, "latents": {**LEAST["latents"], "steps": 3}}
    return fit(phantom((6, 6, 20, 24), motion=2, seed=1)[0], config=small, device="cpu")


def test_it_is_positive_in_the_units_of_the_source_and_kept_by_a_model(
    field: Any, tmp_path: Path
) -> None:
    half = field.lazy(time_scale=2, what="confidence")
    array = np.asarray(half)
    assert array.shape == (11, 6, 20, 24)
    assert array.min() > 0
    assert array.max() < np.ptp(field.volume.data)
    again = load(field.save(tmp_path / "m.spatimeinr"), "cpu").lazy(time_scale=2, what="confidence")
    np.testing.assert_array_equal(np.asarray(again), array)
    np.testing.assert_allclose(half[3, 2, 4:9], array[3, 2, 4:9], rtol=1e-5)
    bright = Volume(1000 * np.asarray(field.volume.data) + 50, field.volume.spacing)
    levels = Normalisation(
        1000 * field.normalisation.offset + 50,
        1000 * field.normalisation.scale,
        field.normalisation.gains,
    )
    scaled = type(field)(
        bright, field.network, levels, field.config, field.device, "linear", field.provenance
    )
    np.testing.assert_allclose(
        np.median(np.asarray(scaled.lazy(time_scale=2, what="confidence"))),
        1000 * np.median(array),
        rtol=0.02,
    )


@pytest.mark.slow
def test_blocks_equal_the_whole(field: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_spatimeinr.render import blocks

    whole = np.asarray(field.lazy(time_scale=2, scale_z=2, what="confidence"))
    monkeypatch.setattr(blocks, "POINTS", 300)
    parts = np.asarray(field.lazy(time_scale=2, scale_z=2, what="confidence"))
    # A value at the edge of a bin may fall on either side of it.
    assert np.mean(~np.isclose(parts, whole, rtol=1e-4)) < 1e-3


def test_too_few_frames_are_said_to_be_too_few() -> None:
    off = {"motion": {"steps": 2}, "latents": {"enabled": False}, "planes": {"enabled": False}}
    few = fit(phantom((2, 4, 16, 16), seed=0)[0], "fast", off, device="cpu")
    with pytest.raises(GridError, match="three frames"):
        few.lazy(what="confidence")
    with pytest.raises(SpatimeINRError, match="confidence"):
        few.lazy(what="certainty")


def frames_of(data: np.ndarray[Any, Any]) -> Frames:
    return Frames(
        data.astype("f4"), Normalisation(0.0, 1.0, (1.0,) * len(data)), torch.device("cpu")
    )


def test_widths_of_pure_noise_are_its_quantile() -> None:
    """Nothing moves and noise is white: mean of two neighbours against a frame, standard deviation
    s sqrt(1.5).
    """
    noise = np.random.default_rng(0).standard_normal((6, 16, 40, 40)) * 0.1 + 0.5
    frames = frames_of(noise)
    parts = HeldOut([2, 4], [0, 1, 3, 5])
    table = confidence.calibrate(Network(), frames, parts, 0)
    assert np.median(table["widths"]) == pytest.approx(1.645 * 0.1 * np.sqrt(1.5), rel=0.15)
    assert all(0.87 < share < 0.93 for share in table["coverage"])
    native = confidence.at_native_gap(table, Network(), frames, 0)
    assert 0.5 < native["share_of_disagreement"] <= 1
    assert np.all(np.array(native["widths"]) <= np.array(table["widths"]) + 1e-6)


def test_noise_is_known_where_held_out_frames_were_aligned_nowhere() -> None:
    """At twice the interval motion was lost, so that all widths are ten times too wide; at the real
    one frames agree.
    """
    noise = np.random.default_rng(0).standard_normal((6, 16, 40, 40)) * 0.1 + 0.5
    frames = frames_of(noise)
    table = confidence.calibrate(Network(), frames, HeldOut([2, 4], [0, 1, 3, 5]), 0)
    lost = table | {
        "widths": [[10 * w for w in row] for row in table["widths"]],
        "disagreement": 1e4 * table["disagreement"],
    }
    native = confidence.at_native_gap(lost, Network(), frames, 0)
    assert np.median(native["widths"]) == pytest.approx(1.645 * 0.1 * np.sqrt(1.5), rel=0.15)


def test_disagreement_is_that_of_smoothed_frames() -> None:
    data = np.zeros((2, 9, 9, 9))
    data[1] = 3.0
    frames = frames_of(data)
    points = torch.tensor([[[4.0, 4.0, 4.0], [0.0, 0.0, 0.0], [7.5, 1.2, 3.3]]])
    away = disagreement(around(0.5, range(2), 0), frames.block, lambda k: points, frames.shape)
    assert torch.allclose(away, torch.full((3,), 3.0), atol=1e-5)


def test_a_table_is_looked_up_by_both() -> None:
    table = {"edges": [[1.0], [10.0]], "widths": [[1.0, 2.0], [3.0, 4.0]]}
    found = widths(table, torch.tensor([0.5, 0.5, 1.5, 1.5]), torch.tensor([5.0, 15.0, 5.0, 15.0]))
    assert found.tolist() == [1.0, 2.0, 3.0, 4.0]
