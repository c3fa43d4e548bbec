"""Fits of the layers of a viewer: one at a time, in the background, each with its preview."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from qtpy.QtCore import QObject, Qt, Signal

from ...config.options import Config
from ...data.grid import ROI
from ...errors import SpatimeINRError
from ...field import Field
from ...fitting import fit_steps, load
from ..docks.sentences import result_sentence
from ..layers.source import Source, understand
from .engine import Engine, Job
from .jobs import FitResult, FitState, fit_work
from .session import Session

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
    """Starts, follows and ends fits; ``began``, ``progressed`` and ``ended`` say so in the main
    thread.
    """

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
        self._anew = False
        self._taken: Field | None = None
        self._loads: list[Job] = []

    @property
    def running(self) -> bool:
        """Whether a fit runs or waits for its turn."""
        return self._job is not None

    @property
    def job(self) -> Job | None:
        """The fit that runs or waits."""
        return self._job

    @property
    def session(self) -> Session | None:
        """What is being fitted, None while nothing is."""
        return self._session

    def session_of(self, layer: Any) -> Session | None:
        """What was fitted of a layer (or is shown by a preview layer), None if nothing was."""
        return next(
            (
                s
                for s in reversed(self.sessions)
                if layer is not None and layer in (s.source.layer, s.layer)
            ),
            None,
        )

    def can_resume(self, order: Order) -> bool:
        """Whether a fit would go on from an earlier one: same data, region and options."""
        session = self.session_of(order.source.layer)
        return (
            session is not None
            and session.field is not None
            and (session.left is not None or bool(session.field.provenance.get("decided")))
            and session.roi == order.roi
            and session.fitted_with == (order.config, order.seed)
            and session.source.is_same_data(order.source)
        )

    def start(self, order: Order) -> Session:
        """Fit, or go on with a fit; shows the preview at once."""
        session = self.session_of(order.source.layer)
        resume = self.can_resume(order)
        if session is None:
            session = self._new(order.source, order.roi)
        elif session.field is None:
            session.begin(order.source, order.roi)
        self._fit(session, order, resume, None)
        return session

    def follow(self, source: Source) -> None:
        """Go along when a layer was moved, scaled or renamed."""
        session, order = self.session_of(source.layer), self._order
        if (
            session is not None
            and session.follow(source)
            and order is not None
            and session is self._session
        ):
            self._order = order._replace(source=source)

    def stop(self) -> None:
        """End the fit; it keeps what it has learned."""
        if self._order is not None:
            self._order = self._order._replace(channels=[])
        if self._job is not None:
            self._engine.cancel(self._job)

    def load(self, layer: Any, path: str) -> None:
        """Show a model that was saved, with the layer of its recording."""
        job = Job(lambda tick: (layer, load(path)))
        self._loads = [*self._loads[-7:], job]
        job.finished.connect(self._on_loaded, QUEUED)
        job.failed.connect(self._on_not_loaded, QUEUED)
        self._engine.submit(job)
        self.began.emit(f"Loading {Path(path).name}")

    def forget_missing(self) -> None:
        """Let go of layers that were deleted; a running fit goes on."""
        layers = self._viewer.layers
        for session in self.sessions:
            if session.layer is not None and session.layer not in layers:
                session.lost(self._viewer)
        self.sessions = [
            s
            for s in self.sessions
            if s.source.layer in layers or s.layer is not None or s is self._session
        ]

    def _new(self, source: Source, roi: ROI | None) -> Session:
        session = Session(source, roi, self._engine.want)
        self.sessions.append(session)
        return session

    def _fit(self, session: Session, order: Order, resume: bool, motion: Field | None) -> None:
        session.show(self._viewer)
        known = session.field if resume else None
        steps = session.left if resume else None
        if steps is None:
            volume = (
                order.source.volume if order.roi is None else order.source.volume.crop(order.roi)
            )
            config, budget = order.config, order.time_budget
            steps = fit_steps(
                volume, config.preset, config, order.device, order.seed, budget, known, motion
            )
        session.left = None
        job = Job(fit_work(steps, known))
        # An earlier result stays until there is something to put in its place.
        self._job, self._session, self._order, self._anew = job, session, order, not resume
        job.progressed.connect(self._on_progress, QUEUED)
        job.finished.connect(self._on_finished, QUEUED)
        job.failed.connect(self._on_failed, QUEUED)
        job.stopped.connect(
            partial(self._on_failed, "Stopped before there was anything new to keep."), QUEUED
        )
        self._engine.submit(job)
        self.began.emit(
            f'{"Going on with the fit of" if resume else "Fitting"} "{session.source.name}"'
        )

    def _take(self, field: Field, final: bool) -> None:
        session, order = self._session, self._order
        assert session is not None and order is not None
        if self._anew:
            self._anew = False
            if session.field is not None:
                session.begin(order.source, order.roi)
        session.fitted_with = (order.config, order.seed)
        session.update(field, final)

    def _on_progress(self, state: FitState) -> None:
        if self._session is None:
            return
        if state.field is not None and state.field is not self._taken:
            self._taken = state.field
            self._take(state.field, False)
        self.progressed.emit(state.progress)

    def _on_finished(self, result: FitResult) -> None:
        session, order = self._session, self._order
        if session is None or order is None:
            return
        self._take(result.field, True)
        session.left = result.left
        self._end()
        session.said = result_sentence(result.field.provenance, result.left is not None)
        self.ended.emit(session.words())
        if order.channels and result.left is None:
            self._fit_channel(order, result.field)

    def _fit_channel(self, order: Order, motion: Field) -> None:
        """Fit the next of the other channels with the motion of the first."""
        layer, rest = order.channels[0], order.channels[1:]
        try:
            source = understand(layer, order.source.axes)
        except SpatimeINRError as error:
            self.ended.emit(str(error))
            return
        session = self.session_of(layer) or self._new(source, order.roi)
        self._fit(session, order._replace(source=source, channels=rest), False, motion)

    def _on_failed(self, words: str) -> None:
        session = self._session
        self._end()
        if session is not None and session.field is not None:
            session.update(session.field, True)
        elif session is not None:
            session.hide(self._viewer)
        self.ended.emit(words)

    def _end(self) -> None:
        self._job = self._session = self._order = self._taken = None

    def _on_loaded(self, loaded: tuple[Any, Field]) -> None:
        layer, field = loaded
        if layer not in self._viewer.layers:
            self.ended.emit("The layer of the model is gone; load it again.")
            return
        try:
            source = understand(layer)
        except SpatimeINRError as error:
            self.ended.emit(str(error))
            return
        session = self.session_of(layer) or self._new(source, None)
        session.fitted_with = (field.config, int(field.provenance.get("seed", 0)))
        session.update(field, True)
        session.show(self._viewer)
        session.said = result_sentence(field.provenance, False)
        self.ended.emit(session.words())

    def _on_not_loaded(self, words: str) -> None:
        self.ended.emit(words)
