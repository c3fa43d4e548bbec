"""Renderings, files and models made in the background, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal

from ...errors import sentence
from .engine import LOG, WHERE, Engine, Job, connect_queued
from .jobs import Share


class Results(QObject):
    """Runs one job and hands its result on; ``began``, ``progressed`` and ``ended`` say so in the
    main thread.
    """

    began = Signal(str)
    progressed = Signal(int, int)
    ended = Signal(str)

    def __init__(self, engine: Engine, parent: QObject) -> None:
        super().__init__(parent)
        self._engine = engine
        self._job: Job | None = None
        self._then: Callable[[Any], str] | None = None

    @property
    def running(self) -> bool:
        """Whether a job runs or waits for its turn."""
        return self._job is not None

    def run(self, work: Callable[[Any], Any], words: str, then: Callable[[Any], str]) -> bool:
        """Do ``work`` in the engine, then ``then(result)`` in the main thread, which says what came
        of it.

        Returns False, and does nothing, while another job of this kind runs.
        """
        if self._job is not None:
            return False
        self._then = then
        self._job = job = Job(work)
        connect_queued(job.progressed, self._on_progress)
        connect_queued(job.finished, self._on_finished)
        connect_queued(job.failed, self._on_failed)
        connect_queued(job.stopped, self._on_stopped)
        waiting = self._engine.busy()
        self._engine.submit(job)
        self.began.emit(f"{words} (waits for what is running)" if waiting else words)
        return True

    @property
    def job(self) -> Job | None:
        """The job that runs or waits."""
        return self._job

    def stop(self) -> None:
        """End the job; nothing half-written is left."""
        if self._job is not None:
            self._engine.cancel(self._job)

    def _on_progress(self, share: Any) -> None:
        if isinstance(share, Share):
            self.progressed.emit(share.done, share.of)

    def _on_finished(self, value: Any) -> None:
        then = self._end()
        try:
            words = then(value) if then is not None else ""
        # Whatever napari or a file says against the result, the dock must not wait for ever
        except Exception as error:
            LOG.exception("a result of SpatimeINR could not be shown")
            words = sentence(error, WHERE)
        self.ended.emit(words)

    def _on_failed(self, words: str) -> None:
        self._end()
        self.ended.emit(words)

    def _on_stopped(self) -> None:
        self._end()
        self.ended.emit("Stopped; nothing was kept of it.")

    def _end(self) -> Callable[[Any], str] | None:
        then, self._then, self._job = self._then, None, None
        return then
