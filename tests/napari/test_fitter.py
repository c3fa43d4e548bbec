"""What starts, follows and ends fits, without a window and without training."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fake_fit import FakeFit
from napari_spatimeinr import Volume
from napari_spatimeinr._napari.background.engine import Engine, Job
from napari_spatimeinr._napari.background.fitter import Fitter
from napari_spatimeinr._napari.background.orders import Order
from napari_spatimeinr._napari.layers.source import understand
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.errors import FitError

from .conftest import PREVIEW, Wait, add


class Stand:
    """A viewer without a window, a fitter of fake fits, and what it said."""

    def __init__(self) -> None:
        from napari.components import ViewerModel

        self.viewer, self.engine, self.fake = ViewerModel(), Engine(), FakeFit()
        self.fitter = Fitter(self.viewer, self.engine, begin=self.fake.begin)
        self.words: list[str] = []
        self.steps: list[int] = []
        self.fitter.ended.connect(self.words.append)
        self.fitter.progressed.connect(lambda state: self.steps.append(state.step))

    def order(self, layer: Any, seed: int = 0, channels: tuple[Any, ...] = ()) -> Order:
        config = make_config("fast")
        return Order(understand(layer), None, config, "cpu", seed, None, list(channels))


@pytest.fixture
def stand(qtbot: Any) -> Iterator[Stand]:
    stand = Stand()
    yield stand
    stand.engine.close(wait=10)
    assert stand.engine.worker is None or not stand.engine.worker.is_alive()


def learned(stand: Stand, wait: Wait, order: Order) -> Any:
    """A fit that has shown something and goes on."""
    session = stand.fitter.start(order)
    before = session.field
    stand.fake.learn()
    wait(lambda: session.field is not None and session.field is not before, 10)
    return session


def over(stand: Stand, wait: Wait) -> str:
    wait(lambda: not stand.fitter.running, 10)
    return stand.words[-1]


def test_progress_and_snapshots_arrive_and_the_end_is_said(
    stand: Stand, wait: Wait, small: Volume
) -> None:
    session = learned(stand, wait, stand.order(add(stand.viewer, small)))
    assert PREVIEW in stand.viewer.layers
    assert stand.fitter.session is session
    wait(lambda: len(stand.steps) > 2, 10)
    assert stand.steps == sorted(stand.steps)
    stand.fake.end()
    assert over(stand, wait) == '"cells": Interpolation was better: using it (linear in time).'
    assert session.left is None
    assert session.array.field is session.field


def test_stopped_it_keeps_what_was_learned_and_the_same_run_goes_on(
    stand: Stand, wait: Wait, small: Volume
) -> None:
    order = stand.order(add(stand.viewer, small))
    session = learned(stand, wait, order)
    kept = session.field
    stand.fitter.stop()
    assert "Stopped; what was learned is kept. Fit SpatimeINR goes on" in over(stand, wait)
    assert session.field is kept
    assert session.left is not None
    assert stand.fitter.can_resume(order)
    done = stand.steps[-1]
    stand.steps.clear()
    assert stand.fitter.start(order) is session
    stand.fake.end()
    over(stand, wait)
    assert len(stand.fake.begun) == 1, "nothing was begun anew"
    assert session.field.provenance["steps"] >= done
    # What has come to its end is trained further.
    final = session.field
    stand.fitter.start(order)
    stand.fake.end()
    over(stand, wait)
    assert stand.fake.begun[1].known is final


def test_stopped_before_there_is_anything_it_leaves_nothing(
    stand: Stand, wait: Wait, small: Volume
) -> None:
    order = stand.order(add(stand.viewer, small))
    session = stand.fitter.start(order)
    wait(lambda: bool(stand.steps), 10)
    stand.fitter.stop()
    assert over(stand, wait) == "Stopped before there was anything new to keep."
    assert session.field is None
    assert PREVIEW not in stand.viewer.layers
    learned(stand, wait, order)
    stand.fake.end()
    over(stand, wait)
    assert PREVIEW in stand.viewer.layers


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (FitError("The fit diverged; lower the learning rate."), "The fit diverged"),
        (MemoryError(), "not enough memory"),
        (KeyError("surprise"), "Unexpected error: KeyError"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_an_error_is_told_and_the_next_fit_works(
    late: bool, raised: Exception, words: str, stand: Stand, wait: Wait, small: Volume
) -> None:
    order = stand.order(add(stand.viewer, small))
    session = learned(stand, wait, order) if late else stand.fitter.start(order)
    stand.fake.fail(raised)
    assert words in over(stand, wait)
    assert (session.field is not None) == late, "what was learned before stays"
    assert (PREVIEW in stand.viewer.layers) == late
    session = learned(stand, wait, order)
    stand.fake.end()
    over(stand, wait)
    assert session.field is not None


def test_a_refit_has_the_place_of_the_first_once_it_has_learned_something(
    stand: Stand, wait: Wait, small: Volume
) -> None:
    layer = add(stand.viewer, small)
    session = learned(stand, wait, stand.order(layer))
    stand.fake.end()
    over(stand, wait)
    first = session.field
    other = stand.order(layer, seed=5)
    assert not stand.fitter.can_resume(other)
    # Stopped while it waits for its turn, it has nothing to put in the place of the first.
    go = threading.Event()
    before = stand.engine.submit(Job(lambda tick: go.wait(30)))
    wait(lambda: stand.engine.runs(before))
    assert stand.fitter.start(other) is session
    stand.fitter.stop()
    assert "before there was anything new" in over(stand, wait)
    go.set()
    assert session.field is first
    assert PREVIEW in stand.viewer.layers
    stand.fitter.start(other)
    stand.fake.fail(FitError("no"))
    over(stand, wait)
    assert session.field is first
    assert learned(stand, wait, other) is session
    assert session.field is not first
    assert stand.fake.begun[-1].known is None


def test_channels_are_fitted_after_the_first_with_its_motion(
    stand: Stand, wait: Wait, small: Volume
) -> None:
    first, second = add(stand.viewer, small), add(stand.viewer, small)
    stand.fitter.start(stand.order(first, channels=(second,)))
    stand.fake.end()
    wait(lambda: len(stand.fake.begun) == 2, 10)
    one = stand.fitter.session_of(first)
    assert stand.fake.begun[1].motion is one.field
    assert stand.fake.begun[1].order.source.layer is second
    stand.fake.end()
    over(stand, wait)
    assert stand.fitter.session_of(second).field is not None
    assert stand.fitter.session_of(second) is not one


@pytest.mark.parametrize("how", ["stopped", "unusable"])
def test_channels_that_do_not_come(how: str, stand: Stand, wait: Wait, small: Volume) -> None:
    first, second = add(stand.viewer, small), add(stand.viewer, small)
    learned(stand, wait, stand.order(first, channels=(second,)))
    if how == "stopped":
        stand.fitter.stop()
        assert "Stopped" in over(stand, wait)
    else:
        second.data = np.zeros((2, 2))
        stand.fake.end()
        over(stand, wait)
        wait(lambda: "two axes" in stand.words[-1], 10)
    assert len(stand.fake.begun) == 1
    assert not stand.fitter.running


@pytest.mark.parametrize("which", ["cells", PREVIEW, "both"])
def test_layers_may_be_deleted_in_the_middle(
    which: str, stand: Stand, wait: Wait, small: Volume
) -> None:
    layer = add(stand.viewer, small)
    session = learned(stand, wait, stand.order(layer))
    for name in ("cells", PREVIEW):
        if which in (name, "both"):
            stand.viewer.layers.remove(name)
            stand.fitter.forget_missing()
    assert stand.fitter.sessions == [session], "the fit goes on"
    assert (session.layer is None) == (which != "cells")
    stand.fitter.stop()
    assert "Stopped" in over(stand, wait)
    stand.fitter.forget_missing()
    assert (session in stand.fitter.sessions) == (which != "both")


def test_a_fit_goes_along_with_its_layer(stand: Stand, wait: Wait, small: Volume) -> None:
    layer = add(stand.viewer, small)
    session = learned(stand, wait, stand.order(layer))
    layer.scale = (30, 1, 0.5, 0.5)
    stand.fitter.follow(understand(layer))
    assert session.field.grid.spacing == (30, 1, 0.5, 0.5)
    stand.fake.learn()
    stand.fake.end()
    over(stand, wait)
    assert session.field.grid.spacing == (30, 1, 0.5, 0.5)
    assert np.allclose(stand.viewer.layers[PREVIEW].scale[1:], (1, 0.5, 0.5))


def test_closing_ends_the_thread_in_the_middle(stand: Stand, wait: Wait, small: Volume) -> None:
    learned(stand, wait, stand.order(add(stand.viewer, small)))
    assert stand.engine.worker.is_alive()
    stand.engine.close(wait=10)
    assert not stand.engine.worker.is_alive()
