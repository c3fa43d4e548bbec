"""Something small that is computed between two steps of whatever runs, as pictures are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from qtpy.QtCore import QObject, Signal

from .engine import Engine, connect_queued


class Asked(QObject):
    """Answers the newest question; ``ready`` with the answer, in the main thread.

    Parameters
    ----------
    engine : computes.
    parent : what it is deleted with.
    """

    ready = Signal(object)

    def __init__(self, engine: Engine, parent: QObject) -> None:
        super().__init__(parent)
        self._engine = engine
        self._newest: Callable[[], Any] | None = None
        self._answer: Any = None
        connect_queued(engine.drawn, self._on_drawn)

    def ask(self, question: Callable[[], Any]) -> None:
        """Call this soon, in the engine's thread; what was asked before is forgotten."""
        self._newest = question
        self._engine.want(self, question)

    def forget(self) -> None:
        """Whatever was asked is of no interest any more."""
        self._newest = None

    def draw(self, key: Any, superseded: Callable[[], bool]) -> bool:
        """Answer, unless there is a newer question; called by the engine."""
        if key is not self._newest or key is None:
            return False
        answer: Any = key()
        self._answer = key, answer
        return True

    def ahead(self) -> Iterator[None]:
        """Nothing is prepared."""
        return iter(())

    def _on_drawn(self, picture: Any) -> None:
        if picture is self and self._answer[0] is self._newest:
            self._newest = None
            self.ready.emit(self._answer[1])
