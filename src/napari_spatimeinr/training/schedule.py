"""How much time each stage of a fit may take, and how much is left."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

CHECKS = "checks"
"""The kind of steps that compare and train nothing."""
ENDS = {
    "hold-out: motion": 0.2,
    "hold-out: latents": 0.6,
    "checking motion": 0.7,
    "motion": 0.75,
    "motion, resumed": 0.3,
    "latents": 0.97,
    "checking each interval": 0.98,
    "hold-out: planes": 0.9,
    "planes": 0.94,
    "hold-out: voxels": 0.97,
    "voxels": 0.98,
}
"""Shares of a time budget at which what is done ends, whatever it has come to; the last to learn
may use all of it."""
BEFORE_LATER = 0.75
"""What is learned along time has this share of these, where more is learned afterwards."""


@dataclass
class Schedule:
    """Wall-clock bookkeeping of one fit.

    began : ``time.monotonic()`` at the start.
    budget : seconds for the whole fit, None for no limit.
    planned, done, pace : steps by kind, and the seconds of one.
    later : the kinds of steps that are planned after what is learned along time, in their order.
    """

    began: float
    budget: float | None = None
    planned: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    pace: dict[str, float] = field(default_factory=dict)
    later: tuple[str, ...] = ()

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    def late(self, share: float) -> bool:
        """Whether more than this share of the budget is used up; never without a budget."""
        return self.budget is not None and self.elapsed() > share * self.budget

    def end(self, what: str, kind: str) -> float:
        """The share of the budget at which something (of :data:`ENDS`) ends, steps of a kind."""
        share = ENDS.get(what, 1.0)
        if kind not in self.later:
            return share * BEFORE_LATER if self.later else share
        return 1.0 if what == kind == self.later[-1] else share

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
