"""How much time each stage of a fit may take, and how much is left."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

CHECKS = "checks"
"""The kind of steps that compare and train nothing."""


@dataclass
class Schedule:
    """Wall-clock bookkeeping of one fit.

    began : ``time.monotonic()`` at the start.
    budget : seconds for the whole fit, None for no limit.
    """

    began: float
    budget: float | None = None
    planned: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    pace: dict[str, float] = field(default_factory=dict)

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    def late(self, share: float) -> bool:
        """Whether more than this share of the budget is used up; never without a budget."""
        return self.budget is not None and self.elapsed() > share * self.budget

    def tick(self, kind: str, step_seconds: float) -> None:
        """Count one step of a kind."""
        self.done[kind] = self.done.get(kind, 0) + 1
        old = self.pace.get(kind, step_seconds)
        self.pace[kind] = 0.95 * old + 0.05 * step_seconds

    def left(self) -> float | None:
        """Seconds left by the pace so far; None before there is one."""
        if not self.pace:
            return None
        mean = sum(self.pace.values()) / len(self.pace)
        seconds = sum(
            max(0, n - self.done.get(kind, 0)) * self.pace.get(kind, mean)
            for kind, n in self.planned.items()
        )
        return (
            seconds if self.budget is None else min(seconds, max(0.0, self.budget - self.elapsed()))
        )

    @property
    def steps(self) -> int:
        """Steps done, all kinds."""
        return sum(self.done.values())

    @property
    def trained(self) -> int:
        """Steps of optimisation done."""
        return self.steps - self.done.get(CHECKS, 0)

    @property
    def total(self) -> int:
        """Steps planned, all kinds."""
        return max(1, sum(self.planned.values()))


class Plateau:
    """Says when a loss has stopped falling: its mean over a window against the window before."""

    def __init__(self, window: int = 150, least: float = 0.002) -> None:
        self.window, self.least = window, least
        self.losses: list[float] = []

    def reached(self, loss: float) -> bool:
        """Add a loss; True when the last window is hardly lower than the one before."""
        self.losses.append(loss)
        n = self.window
        if len(self.losses) < 3 * n or len(self.losses) % n:
            return False
        return sum(self.losses[-n:]) > (1 - self.least) * sum(self.losses[-2 * n : -n])
