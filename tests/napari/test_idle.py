"""What the computing thread does with nothing else to do, and how it lets others go first."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from napari_spatimeinr._napari.background.engine import Engine, Job
from pictures import Picture, heard

from .conftest import Wait


def test_what_lies_around_is_prepared_until_something_is_wanted(engine: Engine, wait: Wait) -> None:
    class Busy(Picture):
        prepared = 0

        def ahead(self) -> Iterator[None]:
            while len(self.drawn) == 1:
                self.prepared += 1
                time.sleep(0.001)
                yield

    picture = Busy()
    engine.want(picture, 1)
    wait(lambda: picture.prepared > 3)
    engine.want(picture, 2)
    wait(lambda: len(picture.drawn) == 2)
    job = Job(lambda tick: picture.prepared)
    done = heard(job.finished)
    engine.submit(job)
    wait(lambda: bool(done))
    assert picture.prepared == done[0][0], "the second picture has nothing around it"


def test_idle_work_gives_way_to_a_job_for_good(engine: Engine, wait: Wait) -> None:
    count: list[int] = []

    def endless() -> Iterator[None]:
        while True:
            count.append(1)
            time.sleep(0.001)
            yield

    engine.when_idle(endless())
    wait(lambda: len(count) > 3)
    assert not engine.busy()
    jobs = [Job(lambda tick: len(count)) for _ in range(2)]
    done = [heard(job.finished) for job in jobs]
    for job, ended in zip(jobs, done, strict=True):
        engine.submit(job)
        wait(lambda ended=ended: bool(ended))
    after = done[0][0][0]
    assert len(count) == after


def test_idle_work_gives_way_to_a_picture_for_good(engine: Engine, wait: Wait) -> None:
    begun, ended = threading.Event(), threading.Event()

    def endless() -> Iterator[None]:
        try:
            while True:
                begun.set()
                time.sleep(0.001)
                yield
        finally:
            ended.set()

    engine.when_idle(endless())
    wait(begun.is_set)
    assert not ended.is_set()
    picture = Picture()
    engine.want(picture, 1)
    wait(lambda: bool(picture.drawn))
    wait(ended.is_set)


def test_idle_work_that_fails_is_not_told(engine: Engine, wait: Wait) -> None:
    def broken() -> Iterator[None]:
        yield
        raise RuntimeError("no")

    told = heard(engine.trouble)
    engine.when_idle(broken())
    job = Job(lambda tick: 1)
    done = heard(job.finished)
    engine.submit(job)
    wait(lambda: bool(done))
    assert not told


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux")
def test_the_thread_lets_others_go_first(engine: Engine, wait: Wait) -> None:
    def own(tick: Any) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = own(None)
    job = Job(own)
    done = heard(job.finished)
    engine.submit(job)
    wait(lambda: bool(done))
    assert done[0][0] > before
    assert own(None) == before


def test_a_program_that_ends_in_the_middle_of_a_computation_ends_well() -> None:
    program = """
import threading, torch
from napari_spatimeinr._napari.background.engine import Engine, Job

begun, x, weight = threading.Event(), torch.ones(1, 16, 20, 48, 48), torch.ones(16, 16, 3, 3, 3)

def work(tick):
    while True:
        begun.set()
        torch.nn.functional.conv3d(x, weight)
        tick()

engine = Engine()
engine.submit(Job(work))
assert begun.wait(60)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
