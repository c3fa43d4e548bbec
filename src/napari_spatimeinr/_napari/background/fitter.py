"""Fits of the layers of a viewer: one at a time, in the background, each with its preview."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from ...analysis.sentences import result_sentence
from ...compute.device import resolve_device
from ...data.grid import ROI
from ...errors import SpatimeINRError
from ...field import Field
from ...fitting import FitRun, load
from ..layers.scales import Scales
from ..layers.source import Source, understand
from .engine import Engine, Job, connect_queued
from .jobs import FitState, fit_work
from .orders import Begin, Order, begin_fit
from .session import Session

GO_ON = "Fit SpatimeINR goes on from here."
"""Said where a fit was stopped: the button does it."""
NOTHING_NEW = "Stopped before there was anything new to keep."


class Fitter(QObject):
    """Starts, follows and ends fits; ``began``, ``progressed`` and ``ended`` say so in the main
    thread.

    Parameters
    ----------
    viewer : napari's viewer.
    engine : computes.
    parent : what it is deleted with.
    begin : makes what is computed; may be replaced.
    """

    began = Signal(str)
    progressed = Signal(object)
    ended = Signal(str)

    def __init__(
        self, viewer: Any, engine: Engine, parent: QObject | None = None, begin: Begin = begin_fit
    ) -> None:
        super().__init__(parent)
        self._viewer, self._engine = viewer, engine
        self.begin = begin
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

    def start(self, order: Order, scales: Scales | None = None) -> Session:
        """Fit, or go on with a fit; shows the preview at once, one that is new at ``scales``.

        Raises
        ------
        DeviceError
            If there is no such device.
        """
        resolve_device(order.device)
        session = self.session_of(order.source.layer)
        new = session is None
        resume = self.can_resume(order)
        if session is None:
            session = self._new(order.source, order.roi)
        elif session.field is None:
            session.begin(order.source, order.roi)
        self._fit(session, order, resume, None)
        if new and scales is not None:
            session.rescale(scales)
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
        connect_queued(job.finished, self._on_loaded)
        connect_queued(job.failed, self._on_not_loaded)
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
        run = session.left if resume else None
        if run is None:
            run = self.begin(order, session.field if resume else None, motion)
        session.left = None
        job = Job(fit_work(run))
        # An earlier result stays until there is something to put in its place.
        self._job, self._session, self._order, self._anew = job, session, order, not resume
        connect_queued(job.progressed, self._on_progress)
        connect_queued(job.finished, self._on_finished)
        connect_queued(job.failed, self._on_failed)
        connect_queued(job.stopped, partial(self._on_failed, NOTHING_NEW))
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

    def _on_finished(self, run: FitRun) -> None:
        session, order = self._session, self._order
        if session is None or order is None:
            return
        field = run.result()
        self._take(field, True)
        session.left = None if run.complete else run
        self._end()
        session.said = result_sentence(field.provenance, not run.complete, GO_ON)
        self.ended.emit(session.words())
        if order.channels and run.complete:
            self._fit_channel(order, field)

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
