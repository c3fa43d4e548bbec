"""One thread that computes for all docks: what is being looked at first, jobs in their order.

A second thread of computation would fight the first for the same cores, so there is one. A job is
a function that calls ``tick`` often; between two ticks the newest wanted picture is drawn, and a
job that was stopped ends there. With nothing else to do, what lies around the picture that was
drawn last is prepared. Nothing is computed in the main thread, and what the user does with the
machine comes first.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from qtpy.QtCore import QObject, Qt, Signal

from ...compute.priority import below_normal
from ...errors import sentence
from .ending import ends_before_exit

LOG = logging.getLogger(__name__)
TELL_EVERY = 0.1
"""Seconds between two words on progress: the main thread has a picture to show as well."""
SWITCH = 0.001
"""Seconds after which this thread lets the main one run: it waits so long at each of its calls of
Qt."""
MOST_WANTED = 8
"""Pictures waiting to be drawn; older wishes are forgotten."""
WHERE = "the log of napari says where"


class Stopped(BaseException):
    """Raised by ``tick`` in a job that was stopped."""


class Picture(Protocol):
    """Something that can be drawn: see :class:`.preview.PreviewArray`."""

    def draw(self, key: Any, superseded: Callable[[], bool]) -> bool:
        """Compute what ``key`` names and keep it; whether there is something new to show."""

    def ahead(self) -> Iterator[None]:
        """Prepare what may be wanted next, a small piece each step, until all is there."""


class Job(QObject):
    """One piece of work and what becomes of it; its signals arrive in the main thread.

    Parameters
    ----------
    work : called in the engine's thread with ``tick(value)``; ``tick`` raises :class:`Stopped`
        once the job was stopped, and hands ``value`` to ``progressed`` now and then.
    """

    progressed = Signal(object)
    finished = Signal(object)
    failed = Signal(str)
    stopped = Signal()

    def __init__(self, work: Callable[[Callable[[Any], None]], Any]) -> None:
        super().__init__()
        self.work = work
        self.cancelled = False
        self.told = 0.0


class Engine(QObject):
    """The computing thread; it starts with the first work and ends with :meth:`close`."""

    drawn = Signal(object)
    """A picture has been drawn (the picture)."""
    trouble = Signal(str)
    """A picture could not be drawn: one sentence."""

    def __init__(self) -> None:
        super().__init__()
        self._jobs: deque[Job] = deque()
        # (picture, key, whether it goes before what is being drawn); the most urgent last.
        self._wanted: list[tuple[Picture, Any, bool]] = []
        self._there_is_work = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._running: Job | None = None
        # What is done with nothing else to do: what was given for that, then what lies around.
        self._spare: Iterator[None] | None = None
        self._ahead: Iterator[None] | None = None

    @property
    def worker(self) -> threading.Thread | None:
        """The thread that computes, None before there was anything to do."""
        return self._thread

    def submit(self, job: Job) -> Job:
        """Do a job after those submitted before."""
        with self._there_is_work:
            self._jobs.append(job)
            self._wake()
        return job

    def want(self, picture: Picture, key: Any, later: bool = False) -> None:
        """Draw soon; the newest wish comes first, or last if it can wait. Any thread
        may call this.
        """
        with self._there_is_work:
            self._wanted = [
                other for other in self._wanted if not (other[0] is picture and other[1] == key)
            ]
            self._wanted.insert(0 if later else len(self._wanted), (picture, key, not later))
            del self._wanted[:-MOST_WANTED]
            self._wake()

    def when_idle(self, work: Iterator[None]) -> None:
        """Do small pieces of work while there is nothing else to do, in place of what was given
        before; given up where a job begins or a picture is wanted, which would wait for a piece.
        """
        with self._there_is_work:
            self._spare = work
            self._wake()

    def busy(self) -> bool:
        """Whether a job runs or waits."""
        with self._there_is_work:
            return bool(self._jobs) or self._running is not None

    def runs(self, job: Job | None) -> bool:
        """Whether a job is being done now, not waiting for its turn."""
        with self._there_is_work:
            return job is not None and self._running is job

    def cancel(self, job: Job) -> None:
        """End a job: at once if it waits, at its next tick if it runs."""
        job.cancelled = True
        with self._there_is_work:
            waiting = job in self._jobs
            if waiting:
                self._jobs.remove(job)
        if waiting:
            _emit(job, "stopped")

    def close(self, wait: float = 0.0) -> None:
        """Stop everything; the thread ends at its next tick, waited for at most
        ``wait`` seconds.
        """
        with self._there_is_work:
            self._closed = True
            self._jobs.clear()
            self._wanted.clear()
            self._ahead = self._spare = None
            if self._running is not None:
                self._running.cancelled = True
            self._there_is_work.notify_all()
        if self._thread is not None and wait:
            self._thread.join(wait)

    # -- in the thread ------------------------------------------------------------------

    def _wake(self) -> None:
        if self._closed:
            return
        if self._thread is None or not self._thread.is_alive():
            self._running = None
            self._thread = threading.Thread(target=self._run, name="spatimeinr", daemon=True)
            self._thread.start()
            ends_before_exit(self)
        self._there_is_work.notify_all()

    def _run(self) -> None:
        below_normal()
        before = sys.getswitchinterval()
        sys.setswitchinterval(min(before, SWITCH))
        try:
            self._work()
        finally:
            sys.setswitchinterval(before)

    def _work(self) -> None:
        drew = False
        while True:
            with self._there_is_work:
                while not (self._closed or self._wanted or self._jobs or self._idle_work()):
                    self._there_is_work.wait()
                if self._closed:
                    return
                # A waiting job comes after one picture, or sliders that do not rest would keep it
                # waiting for ever.
                if self._jobs and (drew or not self._wanted):
                    self._running = self._jobs.popleft()
                    self._spare = None
                idle = self._running is None and not self._wanted
            drew = self._running is None
            if idle:
                self._prepare()
            elif self._running is None:
                self._draw()
            else:
                self._do(self._running)

    def _idle_work(self) -> Iterator[None] | None:
        return self._spare if self._spare is not None else self._ahead

    def _prepare(self) -> None:
        """One piece of what is done with nothing else to do."""
        work = self._idle_work()
        if work is None:
            return
        try:
            next(work)
            return
        except StopIteration:
            pass
        # What the user did not ask for fails in silence; it is told if the user does.
        except BaseException:
            LOG.info("SpatimeINR could not prepare what may be wanted", exc_info=True)
        with self._there_is_work:
            self._spare = None if self._spare is work else self._spare
            self._ahead = None if self._ahead is work else self._ahead

    def _do(self, job: Job) -> None:
        def tick(value: Any = None) -> None:
            if job.cancelled:
                raise Stopped
            self._draw()
            now = time.monotonic()
            if value is not None and now - job.told >= TELL_EVERY:
                job.told = now
                _emit(job, "progressed", value)

        try:
            result = job.work(tick)
        except Stopped:
            ending: tuple[Any, ...] = ("stopped",)
        except (
            BaseException
        ) as error:  # whatever happens in there, the user gets a sentence and the next job runs
            LOG.exception("a job of SpatimeINR failed")
            ending = ("failed", sentence(error, WHERE))
        else:
            ending = ("finished", result)
        with self._there_is_work:
            self._running = None
        _emit(job, *ending)

    def _draw(self) -> None:
        """Draw the newest wanted picture, if there is one."""
        with self._there_is_work:
            if self._closed or not self._wanted:
                return
            picture, key, _ = self._wanted.pop()
            self._spare = None
        try:
            new = picture.draw(key, self._anything_newer)
            self._ahead = picture.ahead()
        except BaseException as error:
            LOG.exception("a picture of SpatimeINR could not be drawn")
            _emit(self, "trouble", sentence(error, WHERE))
        else:
            if new:
                _emit(self, "drawn", picture)

    def _anything_newer(self) -> bool:
        # What can wait must not interrupt: two such pictures would give way to each other for ever.
        with self._there_is_work:
            return self._closed or any(urgent for *_, urgent in self._wanted)


def connect_queued(signal: Any, slot: Callable[..., object]) -> None:
    """Call a slot in the thread it lives in, when what is going on there is over."""
    signal.connect(slot, Qt.ConnectionType.QueuedConnection)


def _emit(sender: QObject, signal: str, *values: Any) -> None:
    try:
        getattr(sender, signal).emit(*values)
    except RuntimeError:
        LOG.debug("a window was closed before it heard of a result")


_SHARED: list[Engine] = []
_USERS: list[object] = []


def acquire(user: object) -> Engine:
    """The engine all docks share; it lives while it has users."""
    if not _SHARED:
        _SHARED.append(Engine())
    _USERS.append(user)
    return _SHARED[0]


def release(user: object, wait: float = 0.0) -> None:
    """Give the engine back; the last user ends its thread."""
    _USERS[:] = [other for other in _USERS if other is not user]
    if _SHARED and not _USERS:
        _SHARED.pop().close(wait)
