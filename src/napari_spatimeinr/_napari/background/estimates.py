"""What a fit will take, in words: by the machine's speed at once, then by a fit that is begun."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from ...analysis.estimate import begun, estimate, machine_speed
from ...errors import SpatimeINRError
from .engine import Engine, Job, connect_queued
from .orders import Order, begin_fit

SETTLE_MS = 800
"""What is asked for is measured when it has not changed for so long."""
MOST_VOXELS = 150_000_000
"""Recordings with more are read for too long to be measured before somebody asks for a fit."""


class Estimator(QObject):
    """Measures the machine, and the fit that the dock would make, away from the main thread;
    ``ready`` when there is something new to say.
    """

    ready = Signal()
    measured = Signal(object, float)

    def __init__(self, engine: Engine, parent: QObject) -> None:
        super().__init__(parent)
        self.known = False
        self._engine = engine
        self._order: Order | None = None
        self._seconds: dict[Any, float] = {}
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLE_MS)
        self._settled.timeout.connect(self._measure)
        connect_queued(self.measured, self._on_measured)
        self._measuring = Job(lambda tick: machine_speed())
        connect_queued(self._measuring.finished, self._on_speed)
        engine.submit(self._measuring)

    def words(self, order: Order | None, measure: bool = True) -> str:
        """Seconds and memory of a fit, why it cannot be known, or nothing yet.

        ``measure`` begins a fit to know it better: not while its pictures are looked at, which
        would wait for a step of it, seconds for a large recording.
        """
        if order is None or not self.known:
            return ""
        volume = order.source.volume
        shape = volume.shape if order.roi is None else tuple(b - a for a, b in order.roi)
        try:
            found = estimate(shape, order.config, order.device, volume.spacing, order.time_budget)
        except SpatimeINRError as error:
            return str(error)
        seconds = self._seconds.get(_key(order))
        if seconds is None:
            self._order = order if measure and math.prod(shape) <= MOST_VOXELS else None
            self._settled.start()
            return str(found)
        budget = order.time_budget
        return str(found._replace(seconds=seconds if budget is None else min(seconds, budget)))

    def _measure(self) -> None:
        if self._order is not None and not self._engine.busy():
            self._engine.when_idle(self._begun(self._order))

    def _begun(self, order: Order) -> Iterator[None]:
        """A fit until its pace is known, in the engine's thread."""
        seconds = yield from begun(begin_fit(order._replace(time_budget=None), None, None))
        if seconds is not None:
            self.measured.emit(_key(order), seconds)

    def _on_measured(self, key: Any, seconds: float) -> None:
        self._seconds = {**self._seconds, key: seconds}
        self.ready.emit()

    def _on_speed(self) -> None:
        self.known = True
        self.ready.emit()


def _key(order: Order) -> Any:
    """What the time that a fit takes depends on."""
    data = order.source.layer.data
    return id(data), data.shape, order.roi, order.config.model_dump_json(), order.device
