"""Fitting as it goes on: seeds, progress, stopping, resuming, budgets of time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fits import GATED, KEPT
from fitted_fields import parts, same
from napari_spatimeinr import Field, Volume, fit, fit_steps, load, phantom
from napari_spatimeinr.errors import InputError

pytestmark = pytest.mark.usefixtures("one_thread")


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
    assert seen[-1].step == 12 + 4 + 8 + 4
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
