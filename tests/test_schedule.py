"""Seconds left of a fit: what was done, what is expected, what may be left out."""

from __future__ import annotations

import time

import pytest

from napari_spatimeinr import Volume, fit_steps, make_config
from napari_spatimeinr.analysis.estimate import begun
from napari_spatimeinr.fitting import FitRun
from napari_spatimeinr.training.schedule import FEW, LIKELY, MOST_BETWEEN, Schedule


def schedule(**planned: int) -> Schedule:
    return Schedule(time.monotonic(), planned=dict(planned))


def ticks(schedule: Schedule, kind: str, number: int, seconds: float) -> None:
    for _ in range(number):
        schedule.tick(kind, seconds)


def test_before_a_step_nothing_is_known() -> None:
    assert schedule(motion=5).left() is None


def test_steps_that_were_not_done_yet_take_what_was_expected_of_them() -> None:
    s = schedule(motion=10, latents=100, planes=50)
    s.expected = {"latents": 0.5, "planes": 0.1}
    ticks(s, "motion", 5, 2.0)
    assert s.left() == pytest.approx(5 * 2.0 + 100 * 0.5 + 50 * 0.1)
    # Latents turn out to take twice as long, so planes will.
    ticks(s, "motion", 5, 2.0)
    ticks(s, "latents", 10, 1.0)
    assert s.left() == pytest.approx(90 * 1.0 + 50 * 0.2)


def test_what_was_never_expected_goes_by_the_mean() -> None:
    s = schedule(mlp=10, toy=10)
    ticks(s, "mlp", 5, 2.0)
    assert s.left() == pytest.approx(15 * 2.0)


def test_the_first_steps_do_not_overthrow_what_is_expected() -> None:
    s = schedule(latents=100)
    s.expected = {"latents": 0.1}
    ticks(s, "latents", FEW - 1, 20.0)
    assert s.left() == pytest.approx((100 - FEW + 1) * 0.1)


def test_steps_that_set_up_are_not_taken_for_the_pace() -> None:
    s = schedule(latents=100, planes=20)
    s.expected = {"latents": 0.1, "planes": 0.2}
    ticks(s, "latents", FEW, 20.0)
    ticks(s, "latents", FEW, 0.2)
    assert s.left() == pytest.approx((100 - 2 * FEW) * 0.2 + 20 * 0.4)


def test_steps_that_wait_for_a_hold_out_are_likely_until_it_is_over() -> None:
    s = schedule(latents=100)
    s.sure = {"latents": 60}
    ticks(s, "latents", 10, 1.0)
    assert s.left() == pytest.approx(50 + LIKELY * 40)
    ticks(s, "latents", 51, 1.0)
    assert s.left() == pytest.approx(39)
    s.finish("latents", 5)
    assert s.left() == pytest.approx(5)
    s.finish("latents")
    assert s.left() == 0


def test_what_passes_between_steps_counts_within_reason() -> None:
    s = Schedule(time.monotonic() - 100, planned={"motion": 20})
    s.first = 90.0
    ticks(s, "motion", 10, 0.8)
    left = s.left()
    assert left is not None
    assert left == pytest.approx(8 * 10 / 8, rel=0.05)
    s.first = 0.0
    left = s.left()
    assert left is not None
    assert left == pytest.approx(8 * MOST_BETWEEN, rel=0.05)


def test_a_budget_ends_it() -> None:
    s = Schedule(time.monotonic() - 7, budget=10, planned={"motion": 1000})
    s.tick("motion", 1.0)
    left = s.left()
    assert left is not None
    assert left <= 3


def test_a_fit_that_is_begun_tells_what_it_would_take(recording: Volume) -> None:
    steps: list[None] = []
    work = begun(FitRun(fit_steps(recording, "fast", make_config("fast"), "cpu")))
    try:
        while True:
            steps.append(next(work))
    except StopIteration as end:
        seconds = end.value
    assert seconds is not None
    assert seconds > 0
    assert len(steps) < 20


def test_expectations_change_nothing_of_a_fit(recording: Volume) -> None:
    import numpy as np

    from napari_spatimeinr.training import pace

    few = {"motion": {"steps": 3}, "latents": {"steps": 6}, "planes": {"enabled": False}}
    fields = []
    with pytest.MonkeyPatch.context() as patch:
        for least in (1, 100):
            patch.setattr(pace, "WORTH_A_TRIAL", least)
            run = FitRun(fit_steps(recording, "fast", make_config("fast", few), "cpu"))
            for _ in run:
                pass
            fields.append(run.result())
    one, other = (field.method.weights() for field in fields)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)
