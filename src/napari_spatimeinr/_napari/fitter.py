"""Fits of the layers of a viewer: one at a time, in the background, each with its preview."""

from __future__ import annotations

from typing import Any, NamedTuple

from qtpy.QtCore import QObject, Qt, Signal

from ..axes import ROI
from ..config import Config
from ..errors import SpatimeINRError
from ..field import Field
from .engine import Engine, Job
from .jobs import FitResult, FitState, fit_work
from .progress_panel import result_sentence
from .session import Session
from .source import Source, understand

QUEUED = Qt.ConnectionType.QueuedConnection


class Order(NamedTuple):
    """What to fit and how."""

    source: Source
    roi: ROI | None
    config: Config
    device: str
    seed: int
    time_budget: float | None
    channels: list[Any]


class Fitter(QObject):
    """Starts, follows and ends fits; ``began``, ``progressed`` and ``ended`` say so in the main thread."""

    began = Signal(str)
    progressed = Signal(object)
    ended = Signal(str)

    def __init__(self, viewer: Any, engine: Engine, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._engine = viewer, engine
        self.sessions: list[Session] = []
        self._job: Job | None = None
        self._session: Session | None = None
        self._order: Order | None = None

    @property
    def running(self) -> bool:
        """Whether a fit runs or waits for its turn."""
        return self._job is not None

    def session_of(self, layer: Any) -> Session | None:
        """What was fitted of a layer, None if nothing was."""
        return next((s for s in reversed(self.sessions) if layer is not None and s.source.layer == layer), None)

    def can_resume(self, order: Order) -> bool:
        """Whether a fit would go on from an earlier one: same data, region and options."""
        session = self.session_of(order.source.layer)
        return (
            session is not None
            and session.field is not None
            and session.roi == order.roi
            and session.fitted_with == (order.config, order.device, order.seed)
            and session.source.volume.data is order.source.volume.data
            and session.source.volume.grid == order.source.volume.grid
        )

    def start(self, order: Order) -> Session:
        """Fit, or go on with a fit; shows the preview at once."""
        session = self.session_of(order.source.layer)
        resume = session.field if session is not None and self.can_resume(order) else None
        if session is None or resume is None:
            session = self._replaced(order.source, order.roi, session)
        session.fitted_with = (order.config, order.device, order.seed)
        session.show(self._viewer)
        self._fit(session, order, resume, None)
        return session

    def stop(self) -> None:
        """End the running fit; it keeps what it has learned."""
        if self._job is not None:
            self._job.stop()
            self._order = None if self._order is None else self._order._replace(channels=[])

    def adopt(self, source: Source, field: Field) -> Session:
        """Show a Field that was read from a file, with the layer of its recording."""
        session = self._replaced(source, None, self.session_of(source.layer))
        session.volume, session.field = field.volume, field
        session.show(self._viewer)
        return session

    def forget_missing(self) -> None:
        """Let go of layers that were deleted; a running fit goes on."""
        layers = self._viewer.layers
        for session in self.sessions:
            if session.layer is not None and session.layer not in layers:
                session.layer = session.array = None
        self.sessions = [s for s in self.sessions if s.source.layer in layers or s.layer is not None or s is self._session]

    def _replaced(self, source: Source, roi: ROI | None, old: Session | None) -> Session:
        session = Session(source, roi, self._engine.want)
        if old is not None:
            session.scales = old.scales
            old.hide(self._viewer)
            self.sessions = [s for s in self.sessions if s is not old]
        self.sessions.append(session)
        return session

    def _fit(self, session: Session, order: Order, resume: Field | None, motion: Field | None) -> None:
        work = fit_work(session.volume, order.config, order.device, order.seed, order.time_budget, resume, motion)
        job = Job(work)
        self._job, self._session, self._order = job, session, order
        job.progressed.connect(self._on_progress, QUEUED)
        job.finished.connect(self._on_finished, QUEUED)
        job.failed.connect(self._on_failed, QUEUED)
        job.stopped.connect(self._on_stopped, QUEUED)
        self._engine.submit(job)
        self.began.emit(f"{'Going on with' if resume is not None else 'Starting with'} {session.source.name}")

    def _on_progress(self, state: FitState) -> None:
        session = self._session
        if session is None:
            return
        if state.field is not None and state.field is not session.field:
            session.update(state.field, False)
        self.progressed.emit(state.progress)

    def _on_finished(self, result: FitResult) -> None:
        session, order = self._end()
        if session is None or order is None:
            return
        session.stopped = result.stopped
        session.update(result.field, True)
        self.ended.emit(f"{session.source.name}: {result_sentence(result.field.provenance, result.stopped)}")
        if order.channels and not result.stopped:
            self._fit_channel(order, result.field)

    def _fit_channel(self, order: Order, motion: Field) -> None:
        """Fit the next of the other channels with the motion of the first."""
        layer, rest = order.channels[0], order.channels[1:]
        try:
            source = understand(layer, order.source.axes)
        except SpatimeINRError as error:
            self.ended.emit(str(error))
            return
        session = self._replaced(source, order.roi, self.session_of(layer))
        session.fitted_with = (order.config, order.device, order.seed)
        session.show(self._viewer)
        self._fit(session, order._replace(source=source, channels=rest), None, motion)

    def _on_failed(self, words: str) -> None:
        session, _ = self._end()
        if session is not None and session.field is None:
            session.hide(self._viewer)
        self.ended.emit(words)

    def _on_stopped(self) -> None:
        self._on_failed("Stopped before there was anything to keep.")

    def _end(self) -> tuple[Session | None, Order | None]:
        session, order = self._session, self._order
        self._job = self._session = self._order = None
        return session, order
