"""The computing thread: order, stopping, errors in words, its end."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import torch

from napari_spatimeinr._napari.background.engine import Engine, Job, acquire, release
from napari_spatimeinr.errors import FitError
from pictures import Picture, heard

from .conftest import Wait


def test_jobs_run_in_order_beside_the_main_thread(engine: Engine, wait: Wait) -> None:
    order: list[Any] = []
    jobs = [Job(lambda tick, n=n: order.append((n, threading.current_thread()))) for n in range(3)]
    done = [heard(job.finished) for job in jobs]
    for job in jobs:
        engine.submit(job)
    wait(lambda: all(done))
    assert [n for n, _ in order] == [0, 1, 2]
    assert all(thread is engine.worker for _, thread in order)
    assert all(row[0][-1] is threading.main_thread() for row in done)
    assert not engine.busy()


def test_pictures_that_can_wait_do_not_give_way_to_each_other(engine: Engine, wait: Wait) -> None:
    class Patient(Picture):
        done = 0

        def draw(self, key: Any, superseded: Any) -> bool:
            if superseded():
                engine.want(self, key, later=True)
            else:
                self.done += 1
            return False

    pictures = [Patient() for _ in range(3)]
    hold, held = threading.Event(), threading.Event()

    def work(tick: Any) -> None:
        held.set()
        hold.wait(10)

    engine.submit(Job(work))
    assert held.wait(10)
    for picture in pictures:
        engine.want(picture, 0)
    hold.set()
    wait(lambda: all(picture.done == 1 for picture in pictures))


def test_only_new_pictures_are_announced(engine: Engine, wait: Wait) -> None:
    picture, told = Picture(), heard(engine.drawn)
    for key in (0, 1):
        engine.want(picture, key)
        wait(lambda key=key: len(picture.drawn) == key + 1)
    wait(lambda: bool(told))
    assert len(told) == 1


def test_a_waiting_job_is_cancelled_at_once(engine: Engine, wait: Wait) -> None:
    go = threading.Event()
    first = engine.submit(Job(lambda tick: go.wait(10)))
    second = Job(lambda tick: "no")
    stopped, finished = heard(second.stopped), heard(second.finished)
    engine.submit(second)
    wait(lambda: engine.runs(first))
    engine.cancel(second)
    wait(lambda: bool(stopped))
    done = heard(first.finished)
    go.set()
    wait(lambda: bool(done))
    assert not finished


def test_pictures_are_drawn_between_the_ticks_of_a_job_the_newest_first(
    engine: Engine, wait: Wait
) -> None:
    picture, go = Picture(), threading.Event()
    began = threading.Event()

    def work(tick: Any) -> list[Any]:
        began.set()
        go.wait(10)
        tick(None)
        first = [key for key, _ in picture.drawn]
        tick(None)
        tick(None)
        return first

    job = engine.submit(Job(work))
    done = heard(job.finished)
    assert began.wait(10)
    engine.want(picture, 1)
    engine.want(picture, 3, later=True)
    engine.want(picture, 2)
    engine.want(picture, 2)
    go.set()
    wait(lambda: bool(done))
    assert done[0][0] == [2]
    assert [key for key, _ in picture.drawn] == [2, 1, 3]
    assert all(thread is engine.worker for _, thread in picture.drawn)


def test_a_stopped_job_ends_at_its_next_tick_and_the_next_one_runs(
    engine: Engine, wait: Wait
) -> None:
    began = threading.Event()

    def endless(tick: Any) -> None:
        while True:
            began.set()
            tick(None)
            time.sleep(0.001)

    job = Job(endless)
    stopped, finished = heard(job.stopped), heard(job.finished)
    engine.submit(job)
    assert began.wait(10)
    after = Job(lambda tick: "next")
    done = heard(after.finished)
    engine.submit(after)
    engine.cancel(job)
    wait(lambda: bool(done))
    assert stopped
    assert not finished
    assert done[0][0] == "next"


def out_of_memory(tick: Any) -> None:
    torch.empty(2**60)


def wrong_shapes(tick: Any) -> None:
    torch.ones(2, 3) @ torch.ones(2, 3)


def not_a_number(tick: Any) -> None:
    raise FitError("The fit diverged (the loss is not a number); lower latents.learning_rate.")


def rude(tick: Any) -> None:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (out_of_memory, "There is not enough memory"),
        (wrong_shapes, "Unexpected error: RuntimeError: mat1 and mat2"),
        (not_a_number, "The fit diverged"),
        (rude, "Unexpected error: SystemExit"),
    ],
)
def test_an_error_becomes_a_sentence_and_the_next_job_runs(
    engine: Engine, wait: Wait, work: Any, words: str
) -> None:
    job, after = Job(work), Job(lambda tick: 1)
    failed, done = heard(job.failed), heard(after.finished)
    engine.submit(job)
    engine.submit(after)
    wait(lambda: bool(done))
    assert failed[0][0].startswith(words)
    assert "\n" not in failed[0][0]


def test_a_picture_that_fails_is_told(engine: Engine, wait: Wait) -> None:
    class Broken(Picture):
        def draw(self, key: Any, superseded: Any) -> bool:
            raise RuntimeError("no")

    told = heard(engine.trouble)
    engine.want(Broken(), 0)
    wait(lambda: bool(told))
    assert "RuntimeError: no" in told[0][0]


def test_the_last_user_ends_the_thread(qtbot: Any, wait: Wait) -> None:
    one, other = object(), object()
    engine = acquire(one)
    assert acquire(other) is engine
    engine.submit(Job(lambda tick: None))
    wait(lambda: not engine.busy())
    thread = engine.worker
    assert thread is not None
    release(one)
    assert thread.is_alive()
    release(other, wait=10)
    assert not thread.is_alive()
    release(other)
    fresh = acquire(one)
    assert fresh is not engine
    release(one)


def test_a_job_begins_although_pictures_are_wanted_without_end(engine: Engine, wait: Wait) -> None:
    """A slider that does not rest asks for the next picture before the last one is drawn."""

    class Restless(Picture):
        number = 0

        def draw(self, key: Any, superseded: Any) -> bool:
            self.number += 1
            engine.want(self, self.number)
            return False

    picture = Restless()
    engine.want(picture, 0)
    wait(lambda: picture.number > 3)
    job = Job(lambda tick: picture.number)
    done = heard(job.finished)
    engine.submit(job)
    wait(lambda: bool(done), seconds=20)
    seen = picture.number
    wait(lambda: picture.number > seen, seconds=20)
