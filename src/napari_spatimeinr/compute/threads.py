"""How many threads compute, and how long they wait for each other: what keeps a fit usable beside
busy neighbours.

The threads of OpenMP, on which torch computes, wait for each other hundreds of times in a step. By
default they spin for milliseconds, which is time taken from whoever has to be waited for when other
processes want the same cores. Waiting half a millisecond before going to sleep costs 2 % alone (a
tenth of that, 20 %). How many threads are fastest depends on the neighbours, so it is measured,
again and again. Torch is not imported here before something is computed.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

State = TypeVar("State")
End = TypeVar("End")

BRIEFLY = {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"}
"""Turns (GNU's OpenMP) and milliseconds (LLVM's and Intel's) that a thread waits for the others
before it sleeps."""
WAITING = ("OMP_WAIT_POLICY", "KMP_LIBRARY", *BRIEFLY)
"""Variables by which users choose this themselves."""
COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables by which users choose how many threads there are."""
EVERY = 2.0
"""Seconds between two measurements, at least."""
COST = 50
"""Measurements take one part in so many of the time."""
BETTER = 1.1
"""Another number of threads must be so many times as fast as the present one."""
ROUNDS = 5
LINGER = 10.0
"""Seconds that the sleeping team stays after something was computed."""


def wait_briefly() -> None:
    """Let OpenMP's threads wait briefly, unless the user chose otherwise; to be called before torch
    is imported.
    """
    if any(name in os.environ for name in WAITING):
        return
    # Variables are read when torch is loaded; later it takes the team.
    _TEAM.needed = "torch" in sys.modules and sys.platform == "linux"
    if "torch" not in sys.modules:
        os.environ.update(BRIEFLY)


class Measured:
    """The number of threads that is fastest now.

    Parameters
    ----------
    seconds : how long a piece of work takes with so many threads, of at most so many.
    clock : seconds that pass.
    """

    def __init__(
        self, seconds: Callable[[int, int], float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._clock = seconds, clock
        self._lock = threading.Lock()
        self._due = -math.inf
        self._best = 0

    def best(self, most: int, anew: bool = True) -> int:
        """At most ``most``; measured if it is time to (and ``anew``), by one thread at once."""
        if anew and self._clock() >= self._due and self._lock.acquire(blocking=False):
            try:
                self._measure(most)
            finally:
                self._lock.release()
        return min(self._best or most, most)

    def _measure(self, most: int) -> None:
        """Compare with half and twice as many: far from the best number it takes a few measurements
        to get there.
        """
        began = self._clock()
        present = min(self._best or most, most)
        counts = [present, *({max(1, present // 2), min(2 * present, most)} - {present})]
        times = [[self._seconds(n, most) for n in counts] for _ in range(ROUNDS)]
        medians = {n: sorted(row[i] for row in times)[ROUNDS // 2] for i, n in enumerate(counts)}
        fastest = min(counts, key=lambda n: medians[n])
        self._best = fastest if medians[fastest] * BETTER < medians[present] else present
        now = self._clock()
        self._due = now + max(EVERY, COST * (now - began))


def _seconds(count: int, most: int) -> float:
    """A few milliseconds like those of a fit: convolutions and many small operations."""
    import torch

    _set_here(count, most)
    with torch.no_grad():
        volume, weights, values = (
            torch.ones(1, 8, 10, 40, 40),
            torch.ones(8, 8, 3, 3, 3),
            torch.ones(131_072),
        )
        began = time.perf_counter()
        for _ in range(2):
            torch.nn.functional.conv3d(volume, weights).sin_()
            for _ in range(3):
                (values * 0.5).add_(1.0)
        return time.perf_counter() - began


class _SleepingTeam:
    """Threads of OpenMP that do nothing, which makes all of them wait briefly where torch was
    loaded before this package.

    GNU's OpenMP spins a thousand turns, not 300,000, while there are more of its threads than
    processors.
    """

    def __init__(self) -> None:
        self.needed = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._until = 0.0

    def keep(self) -> None:
        """Have it now and ``LINGER`` seconds longer."""
        with self._lock:
            self._until = time.monotonic() + LINGER
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._sleep, name="sleeping team", daemon=True
                )
                self._thread.start()

    def _sleep(self) -> None:
        import torch

        size = os.cpu_count() or 1
        _set_here(size, _usual())
        torch.zeros(size * 65_536).add_(1.0)
        while True:
            with self._lock:
                left = self._until - time.monotonic()
                if left <= 0:
                    self._thread = None
                    return
            time.sleep(left)


_MEASURED, _TEAM, _HERE = Measured(_seconds), _SleepingTeam(), threading.local()
_SETTING = threading.Lock()
"""Held while torch's number for threads that begin later is not the usual one: a thread takes it
once, for good."""


def is_fixed(usual: int) -> bool:
    """Whether the user chose how many threads there are: by a variable, or a number that torch does
    not take by itself.
    """
    import psutil

    by_torch = {os.cpu_count(), psutil.cpu_count(logical=False)}
    if hasattr(os, "sched_getaffinity"):
        by_torch.add(len(os.sched_getaffinity(0)))
    return usual == 1 or any(name in os.environ for name in COUNTS) or usual not in by_torch


@contextmanager
def chosen(threads: int = 0, anew: bool = True) -> Iterator[int]:
    """Compute with so many threads; 0 takes those of the caller where the user chose them, else as
    many as are fastest now, or were when that was measured last: what takes no longer than a
    measurement does not want it ``anew``.

    Only the thread that enters is changed, and has its number back afterwards. Yields how many they
    are.
    """
    import torch

    if getattr(_HERE, "entered", False):
        yield torch.get_num_threads()
        return
    usual = _usual()
    _HERE.entered = True
    try:
        count = threads or usual
        if not threads and not is_fixed(usual):
            if _TEAM.needed:
                _TEAM.keep()
            count = _MEASURED.best(usual, anew)
        if (count, usual) != (usual, torch.get_num_threads()):
            _set_here(count, usual)
        yield count
    finally:
        _HERE.entered = False
        if torch.get_num_threads() != usual:
            torch.set_num_threads(usual)


def stay_alone() -> None:
    """Let this thread compute alone from now on, whatever it does: it is one of several."""
    _HERE.entered = True
    _set_here(1, _usual())


def _usual() -> int:
    """This thread's number; one that begins now takes it here."""
    import torch

    with _SETTING:
        return torch.get_num_threads()


def _set_here(count: int, usual: int) -> None:
    """Change this thread alone: torch also keeps the last number set for threads that begin later,
    so that is put back.
    """
    import torch

    with _SETTING:
        torch.set_num_threads(count)
        if count != usual:
            other = threading.Thread(target=torch.set_num_threads, args=(usual,))
            other.start()
            other.join()


def steps_on(
    threads: int, steps: Generator[State, None, End], used: list[int]
) -> Generator[State, Any, End]:
    """The same steps, each with its number of threads (see :func:`chosen`); between them the caller
    has its own.

    Numbers that were used are added to ``used``.
    """
    try:
        while True:
            with chosen(threads) as count:
                if count not in used:
                    used.append(count)
                try:
                    state = next(steps)
                except StopIteration as end:
                    return end.value
            yield state
    finally:
        steps.close()
