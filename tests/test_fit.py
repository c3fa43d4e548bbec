"""Fitting: constants, seeds, stopping, resuming, sharing motion, switches, and how much is read."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from fits import GATED, KEPT
from napari_spatimeinr import Field, Volume, fit, fit_steps, load, phantom
from napari_spatimeinr.errors import ConfigError, InputError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def volume() -> Volume:
    return phantom((5, 7, 19, 23), motion=2.0, seed=1)[0]


@pytest.fixture(scope="module")
def field(volume) -> Field:
    return fit(volume, config=KEPT, device="cpu", seed=3)


def parts(field: Field) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{k}": v
        for name, module in field.network.parts.items()
        for k, v in module.state_dict().items()
    }


def same(a: Field, b: Field) -> bool:
    p, q = parts(a), parts(b)
    return p.keys() == q.keys() and all(torch.equal(p[k], q[k]) for k in p)


class Lazy:
    """A recording that counts what is read of it and refuses to be read whole."""

    def __init__(self, data: np.ndarray) -> None:
        self._data = data
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim
        self.most = 0
        self.total = 0
        self.lock = threading.Lock()

    def __getitem__(self, key):
        out = self._data[key]
        with self.lock:
            self.most = max(self.most, out.size)
            self.total += out.size
        return out

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("the whole recording was read at once")


@pytest.mark.parametrize("value", [0.0, 37.0, -4.5, 1e6])
def test_constant_in_constant_out(value):
    data = np.full((4, 4, 9, 11), value, np.float32)
    field = fit(Volume(data), config=GATED, device="cpu")
    assert field.provenance["constant"] is True
    assert field.provenance["reasons"] == {}
    (note,) = field.provenance["warnings"]
    assert "equal" in note
    out = field.render(time_scale=2.5, scale_z=2, scale_yx=1.3).data
    np.testing.assert_allclose(out, value, rtol=1e-5, atol=1e-5)


def test_a_constant_stays_constant_when_every_part_is_trained(volume):
    # Trained on a moving scene, then shown a constant one with its motion and without latents.
    moving = fit(volume, config=KEPT, device="cpu")
    flat = Volume(np.full(volume.shape, 12.0, np.float32), volume.spacing)
    shared = fit(flat, config={**KEPT, "latents": {"enabled": False}}, motion=moving, device="cpu")
    np.testing.assert_allclose(shared.render(time_scale=2, scale=1.5).data, 12.0, rtol=1e-5)


def test_frames_all_equal_give_that_frame_between(volume):
    one = np.asarray(volume.data[:1])
    still = Volume(np.repeat(one, 4, 0))
    field = fit(still, config={**GATED, "latents": {"enabled": False}}, device="cpu")
    out = field.render(time_scale=2).data
    contrast = float(np.ptp(one))
    np.testing.assert_allclose(out, np.repeat(one, 7, 0), atol=0.02 * contrast)


def test_every_part_is_there_without_gates(field):
    assert field.provenance["chosen"] == {
        "motion": True,
        "latents": True,
        "planes": True,
        "voxels": False,
        "published": False,
        "interpolation": "linear",
    }
    assert {k.split(".")[0] for k in parts(field)} == {"motion", "latents", "planes"}


def test_provenance_says_what_was_done(field, volume):
    p = field.provenance
    assert p["seed"] == 3
    assert p["complete"] is True
    assert p["device"] == "cpu"
    assert p["warnings"] == []
    assert p["steps"] == 12 + 8 + 4
    assert p["seconds"] > 0
    assert p["peak_memory_bytes"] > 1e7
    assert len(p["input"]["sha256"]) == 64
    assert p["input"]["name"] == "phantom membranes"
    other = Volume(volume.data + 1, volume.spacing)
    assert (
        fit(
            other, config={**KEPT, "motion": {"enabled": False}, "latents": {"enabled": False}}
        ).provenance["input"]["sha256"]
        != p["input"]["sha256"]
    )


@pytest.mark.slow
def test_the_same_seed_gives_the_same_result(volume):
    one, two, other = (fit(volume, config=GATED, device="cpu", seed=s) for s in (5, 5, 6))
    assert same(one, two)
    assert np.array_equal(one.render(time_scale=2).data, two.render(time_scale=2).data)
    assert one.provenance["hold_out"] == two.provenance["hold_out"]
    assert not same(one, other) or not parts(one)


def test_the_seed_does_not_touch_anyone_elses_random_numbers(volume):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    fit(volume, config=KEPT, device="cpu")
    assert torch.equal(torch.rand(3), expected)


def test_progress_goes_up_and_ends_with_a_field(volume):
    states = []
    steps = fit_steps(volume, config=GATED, device="cpu")
    while True:
        try:
            states.append(next(steps))
        except StopIteration as end:
            result = end.value
            break
    assert isinstance(result, Field)
    done = [s.step for s in states]
    assert done == sorted(done)
    assert done[-1] > 0
    assert all(s.of >= 1 for s in states)
    assert all(s.stage for s in states)
    assert states[-1].gain_db == result.provenance["hold_out"]["gain_over_linear_db"]
    assert states[0].field is not None


def test_the_callback_of_fit_sees_the_same(volume):
    seen = []
    fit(volume, config=KEPT, device="cpu", progress=seen.append)
    assert seen[-1].step == 24
    assert seen[-1].loss == seen[-1].loss


@pytest.mark.slow
def test_closing_early_leaves_the_last_snapshot_usable(volume, tmp_path):
    steps = fit_steps(
        volume,
        config={**KEPT, "motion": {"steps": 100_000}, "latents": {"enabled": False}},
        device="cpu",
    )
    snapshots = []
    for state in steps:
        if state.field is not None:
            snapshots.append(state.field)
        if len(snapshots) == 3:
            break
    last = snapshots[-1]
    before = {k: v.clone() for k, v in parts(last).items()}
    for _ in range(3):
        next(steps)
    steps.close()
    assert before
    after = parts(last)
    assert all(torch.equal(before[k], v) for k, v in after.items()), "a snapshot went on training"
    out = last.render(time_scale=2).data
    assert out.shape[0] == 9
    assert np.isfinite(out).all()
    assert "complete" not in last.provenance
    again = load(last.save(tmp_path / "half.spatimeinr"), device="cpu")
    assert np.array_equal(again.render(time_scale=2).data, out)
    for source in (last, tmp_path / "half.spatimeinr"):
        whole = fit(volume, config=KEPT, device="cpu", resume=source)
        assert np.isfinite(whole.render(time_scale=2).data).all()
        assert whole.provenance["complete"] is True


@pytest.mark.slow
def test_resuming_goes_on_from_what_was_learned(volume, field, tmp_path):
    path = field.save(tmp_path / "a.spatimeinr")
    before = {k: v.clone() for k, v in parts(field).items()}
    more = [
        fit(volume, config=KEPT, device="cpu", resume=source) for source in (field, path, str(path))
    ]
    assert same(more[0], more[1])
    assert same(more[0], more[2])
    assert all(torch.equal(before[k], v) for k, v in parts(field).items()), (
        "resuming changed the model it started from"
    )
    assert not same(more[0], field)
    assert more[0].provenance["resumed_from_steps"] == field.provenance["steps"]
    assert more[0].provenance["chosen"] == field.provenance["chosen"]
    fresh = fit(volume, config=KEPT, device="cpu", seed=99)
    near, far = (
        sum(
            float(((parts(f)[k] - v) ** 2).sum())
            for k, v in before.items()
            if v.is_floating_point()
        )
        for f in (more[0], fresh)
    )
    assert near < far


def test_resuming_another_recording_of_the_same_shape_is_refused(volume, field):
    other = Volume(np.asarray(volume.data)[::-1].copy(), volume.spacing)
    with pytest.raises(InputError, match="another recording"):
        fit(other, config=KEPT, resume=field)


def test_resuming_another_recording_is_refused(field):
    other = phantom((4, 7, 19, 23))[0]
    with pytest.raises(InputError, match="resume"):
        fit(other, config=KEPT, resume=field)
    with pytest.raises(InputError, match="share"):
        fit(other, config=KEPT, motion=field)


@pytest.mark.slow
def test_a_small_time_budget_ends_early_with_a_usable_field(volume):
    endless = {**GATED, "motion": {"steps": 100_000}, "latents": {"steps": 1_000_000}}
    field = fit(volume, config=endless, device="cpu", time_budget=3.0)
    assert field.provenance["steps"] < 10_000
    assert np.isfinite(field.render(time_scale=2).data).all()


@pytest.mark.parametrize("budget", [0, -1, float("nan")])
def test_impossible_budgets(volume, budget):
    with pytest.raises(InputError, match="budget"):
        fit(volume, config=GATED, time_budget=budget)


def test_shared_motion_is_the_other_channels(volume, field):
    other = Volume(np.asarray(volume.data) ** 2, volume.spacing, units=volume.units)
    second = fit(other, config={**KEPT, "latents": {"enabled": False}}, device="cpu", motion=field)
    assert torch.equal(parts(second)["motion.nodes"], parts(field)["motion.nodes"])
    assert second.provenance["chosen"]["motion"] is True
    place = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(second.motion(place, 0, 60), field.motion(place, 0, 60))


def test_a_region_is_fitted_as_if_it_were_the_recording(volume):
    roi = ((1, 4), None, (2, 15), (3, 20))
    part = fit(volume, config=KEPT, device="cpu", roi=roi)
    assert part.grid.shape == (3, 7, 13, 17)
    dt, dz, dy, dx = volume.spacing
    assert part.grid.origin == pytest.approx((dt, 0, 2 * dy, 3 * dx))
    alone = fit(
        Volume(np.ascontiguousarray(volume.data[1:4, :, 2:15, 3:20]), volume.spacing),
        config=KEPT,
        device="cpu",
    )
    assert same(part, alone)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"motion": {"enabled": False}}, (False, True)),
        ({"latents": {"enabled": False}}, (True, False)),
        ({"motion": {"enabled": False}, "latents": {"enabled": False}}, (False, False)),
        ({"cycle": {"temporal": 0, "spatial": 0}}, (True, True)),
        ({"render": {"hypercube": False, "exposure": 0.5}}, (True, True)),
        ({"motion": {"steps": 0}}, (True, True)),
        ({"latents": {"steps": 1}}, (True, True)),
        ({"latents": {"steps": 0}}, (True, True)),
        ({"latents": {"layers": 1}}, (True, True)),
        ({"latents": {"crop": [1, 1, 1]}}, (True, True)),
        ({"motion": {"two_interval": 0, "acceleration": 0, "smoothness": [0]}}, (True, True)),
        ({"motion": {"max_voxels": 10_000}}, (True, True)),
        ({"precision": "bfloat16"}, (True, True)),
    ],
)
def test_each_component_can_be_switched(volume, change, expected):
    config = {
        k: ({**v, **change.get(k, {})} if isinstance(v, dict) else change.get(k, v))
        for k, v in {**KEPT, "cycle": {}, "render": {}}.items()
    }
    field = fit(volume, config=config, device="cpu")
    assert (field.network.motion is not None, field.network.latents is not None) == expected
    chosen = field.provenance["chosen"]
    assert (chosen["motion"], chosen["latents"]) == expected
    out = field.render(time_scale=2).data
    assert np.isfinite(out).all()
    low, high = volume.data.min(), volume.data.max()
    assert out.min() > low - (high - low)
    assert out.max() < high + (high - low)


def test_two_frames_teach_no_latents(volume):
    two = Volume(np.asarray(volume.data)[:2].copy(), volume.spacing)
    field = fit(two, config={**KEPT, "gate": True}, device="cpu")
    assert field.network.latents is None
    assert "two frames" in field.provenance["reasons"]["latents"]
    assert fit(two, config={**KEPT, "gate": False}, device="cpu").network.latents is not None


def test_an_unknown_option_stops_before_anything_is_read():
    class Unread:
        shape, dtype, ndim = (3, 4, 5, 6), np.dtype(np.uint8), 4

        def __getitem__(self, key):
            raise AssertionError("was read")

    with pytest.raises(ConfigError, match=r"latents\.steps"):
        fit(Volume(Unread()), config={"latents": {"stepz": 3}})


@pytest.mark.slow
@pytest.mark.parametrize("gated", [True, False])
def test_a_lazy_recording_is_read_frame_by_frame_and_in_blocks(volume, gated):
    data = np.ascontiguousarray(volume.data)
    lazy = Lazy(data)
    field = fit(Volume(lazy, volume.spacing), config={**GATED, "gate": gated}, device="cpu")
    assert lazy.total > 0
    assert lazy.most <= data[0].size
    lazy.most = 0
    out = field.render(time_scale=2, scale_z=2).data
    assert 0 < lazy.most <= data[0].size
    eager = (
        fit(volume, config={**GATED, "gate": gated}, device="cpu")
        .render(time_scale=2, scale_z=2)
        .data
    )
    assert np.array_equal(out, eager)


@pytest.mark.slow
def test_rendering_a_little_reads_a_little():
    data = phantom((4, 64, 40, 40), motion=1.0)[0].data
    lazy = Lazy(data)
    field = fit(
        Volume(lazy),
        config={"motion": {"enabled": False}, "latents": {"enabled": False}},
        device="cpu",
    )
    lazy.total = 0
    field.lazy(time_scale=2)[3, 4, :10, :10]
    assert 0 < lazy.total < data[0].size
