"""Confidence: a stated 90 % interval holds about 90 % of the noisy voxels of frames that were used
for nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from fits import LEAST
from napari_spatimeinr import SpatimeINRError, Volume, fit, load, phantom
from napari_spatimeinr.config.facts import Provenance
from napari_spatimeinr.errors import GridError
from napari_spatimeinr.model.confidence import expected_errors, widths
from napari_spatimeinr.model.frames import Frames, Normalisation
from napari_spatimeinr.model.hypotheses import spread_of
from napari_spatimeinr.model.network import Network
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


def calibrated(frames: Frames, parts: HeldOut) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tables at twice the interval and at the recording's own, where nothing is followed."""
    samples = confidence.judged(Network(), frames, parts, 0)
    table = confidence.calibrate(samples, parts.held)
    return table, confidence.at_native_gap(table, samples, Network(), frames, 0)


def test_widths_of_pure_noise_are_its_quantiles() -> None:
    """Nothing moves and noise is white: mean of two neighbours against a frame, standard deviation
    s sqrt(1.5).
    """
    noise = np.random.default_rng(0).standard_normal((6, 16, 40, 40)) * 0.1 + 0.5
    for table in calibrated(frames_of(noise), HeldOut([2, 4], [0, 1, 3, 5])):
        assert table["levels"] == [0.5, 0.8, 0.9, 0.95]
        for found, normal in zip(table["widths"], (0.674, 1.282, 1.645, 1.960), strict=True):
            assert np.median(found) == pytest.approx(normal * 0.1 * np.sqrt(1.5), rel=0.1)
        assert all(0.87 < share < 0.93 for share in table["coverage"])


@given(
    st.integers(1, 400),
    st.floats(0.01, 10),
    st.integers(0, 2**31),
)
@settings(max_examples=25, deadline=None)
def test_intervals_never_shrink_with_spread_or_level(number: int, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    spread, value = rng.gamma(1, scale, number), rng.normal(size=number)
    error = np.abs(rng.normal(size=number)) * (1 + spread * rng.integers(0, 2))
    samples = torch.from_numpy(np.stack([spread, value, error]).astype("f4"))
    found = np.array(confidence.calibrate([samples], [1])["widths"])
    assert found.shape == (4, 10, 6)
    assert (np.diff(found, axis=0) >= 0).all()
    assert (np.diff(found, axis=1) >= 0).all()


def test_what_was_not_seen_counts_as_far_as_frames_differ_at_the_real_interval() -> None:
    """Held-out frames were predicted ten times worse than frames are that were learned from."""
    noise = np.random.default_rng(0).standard_normal((6, 16, 40, 40)) * 0.1 + 0.5
    frames, parts = frames_of(noise), HeldOut([2, 4], [0, 1, 3, 5])
    samples = confidence.judged(Network(), frames, parts, 0)
    table = confidence.calibrate(samples, parts.held)
    usual = 1.645 * 0.1 * np.sqrt(1.5)
    alike = [s * torch.tensor([[1.0], [1.0], [10.0]]) for s in samples]
    found = confidence.at_native_gap(table, alike, Network(), frames, 0)
    assert np.median(found["widths"][2]) == pytest.approx(10 * usual, rel=0.2)
    apart = [s * torch.tensor([[100.0], [1.0], [10.0]]) for s in samples]
    found = confidence.at_native_gap(table, apart, Network(), frames, 0)
    assert np.median(found["widths"][2]) == pytest.approx(usual, rel=0.2)


def test_spread_is_the_standard_deviation_of_all_that_is_said() -> None:
    """Two hypotheses, of which one counts three times as much, at a quarter of the interval."""
    before = torch.tensor([[[1.0]], [[3.0]]])
    after = torch.tensor([[[2.0]], [[7.0]]])
    weights = torch.tensor([[0.75], [0.25]])
    said = np.repeat([1.0, 2.0, 3.0, 7.0], [9, 3, 3, 1])
    found = spread_of(weights, before, after, 0.25)
    assert float(found[0]) == pytest.approx(float(said.std()), rel=1e-6)
    for share, frame in ((0.0, before), (1.0, after)):
        alike = frame[:1].expand(2, -1, -1)
        assert float(spread_of(weights, alike, alike, share)[0]) == 0


def test_a_table_is_looked_up_by_both() -> None:
    table = {
        "levels": [0.5, 0.9],
        "edges": [[1.0], [10.0]],
        "widths": [[[0.5, 1.0], [1.5, 2.0]], [[1.0, 2.0], [3.0, 4.0]]],
    }
    spread, value = torch.tensor([0.5, 0.5, 1.5, 1.5]), torch.tensor([5.0, 15.0, 5.0, 15.0])
    assert widths(table, spread, value).tolist() == [1.0, 2.0, 3.0, 4.0]
    assert widths(table, spread, value, 0.5).tolist() == [0.5, 1.0, 1.5, 2.0]
    beyond = [0.0, 0.0, np.sqrt(8) / 1.645, np.sqrt(12) / 1.645]
    assert expected_errors(table, spread, value).tolist() == pytest.approx(beyond)


def test_levels_are_those_that_were_calibrated(field: Any) -> None:
    half = [
        np.asarray(field.lazy(times=[90.0], what="confidence", level=level))
        for level in (0.5, 0.8, 0.9, 0.95)
    ]
    assert all((a <= b).all() for a, b in zip(half, half[1:], strict=False))
    assert half[0].mean() < half[-1].mean()
    with pytest.raises(GridError, match=r"0.5, 0.8, 0.9, 0.95, not for 0.7"):
        field.lazy(what="confidence", level=0.7)


def test_what_is_not_trusted_becomes_a_gap(field: Any) -> None:
    how = {"time_scale": 2}
    trust, error = (np.asarray(field.lazy(**how, what=what)) for what in ("trust", "error"))
    value, gapped = (np.asarray(field.lazy(**how, what=what)) for what in ("intensity", "trusted"))
    assert trust.dtype == np.uint8
    assert set(np.unique(trust)) == {0, 1}
    normalisation = field.normalisation
    limit = [0.1 * normalisation.scale * normalisation.gain(t / 2) for t in range(len(trust))]
    np.testing.assert_array_equal(trust == 1, error <= np.reshape(limit, (-1, 1, 1, 1)))
    np.testing.assert_array_equal(gapped, np.where(trust == 1, value, np.nan))
    with pytest.raises(GridError, match="float32"):
        field.lazy(**how, what="trusted", dtype="uint8")


def test_a_table_of_an_earlier_version_is_read() -> None:
    """It had one level, by the difference of the two aligned frames, twice their spread."""
    then = {"edges": [[0.2], [0.5]], "widths": [[1.0, 2.0], [3.0, 4.0]], "level": 0.9}
    known = Provenance.of({"confidence": {**then, "disagreement": 0.1, "coverage": [0.9]}})
    now = {"edges": [[0.1], [0.5]], "widths": [then["widths"]], "levels": [0.9], "coverage": [0.9]}
    assert known.confidence == now
    assert Provenance.of(known.to_dict()).confidence == now
    for broken in ({"edges": None}, {"edges": [[None], []]}, {"widths": 3}):
        with pytest.raises(ValueError, match="provenance is wrong in confidence"):
            Provenance.of({"confidence": {**then, **broken}})
