"""What a fit will take, in words, once the machine's speed is known."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal

from ...analysis.estimate import estimate, machine_speed
from ...errors import SpatimeINRError
from .engine import Engine, Job, connect_queued
from .orders import Order


class Estimator(QObject):
    """Measures the machine before that is needed, away from the main thread; ``ready`` when it is
    done.
    """

    ready = Signal()

    def __init__(self, engine: Engine, parent: QObject) -> None:
        super().__init__(parent)
        self.known = False
        self._measuring = Job(lambda tick: machine_speed())
        connect_queued(self._measuring.finished, self._on_speed)
        engine.submit(self._measuring)

    def words(self, order: Order | None) -> str:
        """Seconds and memory of a fit, why it cannot be known, or nothing yet."""
        if order is None or not self.known:
            return ""
        volume = order.source.volume
        shape = volume.shape if order.roi is None else tuple(b - a for a, b in order.roi)
        try:
            return str(
                estimate(shape, order.config, order.device, volume.spacing, order.time_budget)
            )
        except SpatimeINRError as error:
            return str(error)

    def _on_speed(self) -> None:
        self.known = True
        self.ready.emit()
