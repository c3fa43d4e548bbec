"""A fit as an object: to its end, stopped, gone on with, failing, closed."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import torch

from napari_spatimeinr import Field, FitProgress, FitRun, Volume, fit, fit_run, phantom
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.errors import FitError, InputError
from napari_spatimeinr.model.network import Network
from napari_spatimeinr.training.normalisation import estimate_normalisation

TINY = {
    "motion": {"steps": 12, "points": 600, "warps": 2, "levels": 2, "smoothness": [0.01]},
    "hypotheses": {"enabled": False},
    "latents": {"enabled": False},
    "planes": {"enabled": False},
    "gate": False,
}


@pytest.fixture(scope="module")
def volume() -> Volume:
    return phantom((4, 6, 16, 16), motion=2.0, seed=1)[0]


@pytest.fixture(scope="module")
def untrained(volume: Volume) -> Field:
    """A Field that interpolates."""
    normalisation = estimate_normalisation(volume.data)[0]
    config, cpu = make_config("fast"), torch.device("cpu")
    return Field(volume, Network(), normalisation, config, cpu, "linear", {})


def state(step: int, field: Field | None = None) -> FitProgress:
    return FitProgress("motion", step, 4, 0.5, None, None, field)


def scripted(
    *fields: Field | None, final: Field | None = None, fails: Exception | None = None
) -> Generator[FitProgress, None, Any]:
    """A step for each of the fields, then the end."""
    for number, field in enumerate(fields, 1):
        yield state(number, field)
    if fails is not None:
        raise fails
    return final


def test_a_run_to_its_end_gives_what_fit_gives(volume: Volume) -> None:
    run = fit_run(volume, config=TINY, device="cpu", seed=2)
    assert run.field is None
    steps = [state.step for state in run]
    assert steps[-1] == 12
    assert run.complete
    assert run.result() is run.field
    assert run.result().provenance["complete"] is True
    once = fit(volume, config=TINY, device="cpu", seed=2)
    assert np.array_equal(run.result().render(time_scale=2).data, once.render(time_scale=2).data)
    assert list(run) == [], "a run that is over has no more steps"


def test_stopped_early_it_has_learned_something_usable_and_goes_on(volume: Volume) -> None:
    run = fit_run(volume, config=TINY, device="cpu", seed=2)
    done = []
    for state in run:
        done.append(state.step)
        if state.step == 5:
            run.stop()
    assert done[-1] == 5
    assert run.stopped
    assert not run.complete
    early = run.result().render(time_scale=2).data
    assert early.shape == (7, 6, 16, 16)
    assert np.isfinite(early).all()

    assert [state.step for state in run] == [], "it stays stopped"
    more = [state.step for state in run.resume()]
    assert (more[0], more[-1]) == (6, 12)
    assert run.complete
    whole = fit(volume, config=TINY, device="cpu", seed=2).render(time_scale=2).data
    assert np.array_equal(run.result().render(time_scale=2).data, whole)


def test_an_error_passes_on_and_what_was_learned_stays(untrained: Field) -> None:
    run = FitRun(scripted(untrained, None, fails=FitError("it diverged")))
    seen = []
    with pytest.raises(FitError, match="it diverged"):
        seen += [state.step for state in run]
    with pytest.raises(StopIteration):
        next(run)
    assert not run.complete
    assert run.result() is untrained


def test_mistakes_are_told_at_the_first_step(volume: Volume) -> None:
    run = fit_run(volume, time_budget=-1)
    with pytest.raises(InputError, match="time budget"):
        next(run)


def test_stopped_before_the_first_snapshot_there_is_nothing(untrained: Field) -> None:
    run = FitRun(scripted(None, None, final=untrained))
    next(run)
    run.stop()
    assert list(run) == []
    assert run.field is None
    with pytest.raises(FitError, match="before there was anything to keep"):
        run.result()
    assert len(list(run.resume())) == 1
    assert run.result() is untrained


def test_closed_it_keeps_the_latest_and_cannot_go_on(untrained: Field) -> None:
    closed = []

    def steps() -> Generator[FitProgress, None, Field]:
        try:
            yield state(1, untrained)
            yield state(2)
        finally:
            closed.append(True)
        return untrained

    run = FitRun(steps())
    next(run)
    run.close()
    assert closed == [True]
    assert list(run.resume()) == []
    assert run.field is untrained
    assert not run.complete


def test_what_is_trained_further_is_there_from_the_start(untrained: Field) -> None:
    run = FitRun(scripted(None), untrained)
    assert run.field is untrained
    next(run)
    assert run.field is untrained
