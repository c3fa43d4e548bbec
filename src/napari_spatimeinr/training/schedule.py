"""How much time each stage of a fit may take, and how much is left."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

CHECKS = "checks"
"""The kind of steps that compare and train nothing."""
ENDS = {
    "motion": 0.2,
    "hold-out: motion": 0.35,
    "hypotheses": 0.4,
    "hold-out: latents": 0.75,
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


LIKELY = 0.65
"""How likely steps are that wait for what a hold-out says."""
MOST_BETWEEN = 1.5
"""All that passes is at most so many times what steps take, where little is known."""
FEW = 5
"""First steps of a kind, which set up and are slower; the mean of as many more is trusted."""


@dataclass
class Schedule:
    """Wall-clock bookkeeping of one fit.

    began : ``time.monotonic()`` at the start.
    budget : seconds for the whole fit, None for no limit.
    planned, done, spent : steps by kind, and the seconds that those done took together.
    begun : the seconds of the first few of them.
    sure : the steps of a kind that are done whatever a hold-out says; all of them by default.
    expected : seconds of a step by kind, before any was done.
    later : the kinds of steps that are planned after what is learned along time, in their order.
    """

    began: float
    budget: float | None = None
    planned: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    begun: dict[str, float] = field(default_factory=dict)
    sure: dict[str, int] = field(default_factory=dict)
    expected: dict[str, float] = field(default_factory=dict)
    later: tuple[str, ...] = ()
    first: float | None = None

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
        if self.first is None:
            self.first = self.elapsed() - step_seconds
        self.done[kind] = self.done.get(kind, 0) + 1
        self.spent[kind] = self.spent.get(kind, 0.0) + step_seconds
        if self.done[kind] <= FEW:
            self.begun[kind] = self.spent[kind]

    def finish(self, kind: str, left: int = 0) -> None:
        """No more than ``left`` steps of a kind will be done."""
        self.planned[kind] = self.sure[kind] = self.done.get(kind, 0) + left

    def left(self) -> float | None:
        """Seconds left, by the pace so far and what was expected of steps that were not done yet;
        None before there is a pace.
        """
        if not self.spent:
            return None
        seconds = self._between() * sum(
            self._steps_left(kind) * self._pace(kind) for kind in self.planned
        )
        return (
            seconds if self.budget is None else min(seconds, max(0.0, self.budget - self.elapsed()))
        )

    def _steps_left(self, kind: str) -> float:
        """Those that are sure and those that are likely."""
        done, planned = self.done.get(kind, 0), self.planned[kind]
        sure = min(planned, self.sure.get(kind, planned))
        if done > sure:
            return max(0, planned - done)
        return sure - done + LIKELY * (planned - sure)

    def _pace(self, kind: str) -> float:
        """Seconds of a step."""
        done, expected = self.done.get(kind, 0), self.expected.get(kind)
        settled = self._settled(kind)
        if settled is not None:
            return settled
        if expected is not None:
            return expected * self._against_expected()
        return self.spent[kind] / done if done else sum(self.spent.values()) / self.steps

    def _settled(self, kind: str) -> float | None:
        """Seconds of a step but the first few; None before there are enough others."""
        others = self.done.get(kind, 0) - FEW
        return (self.spent[kind] - self.begun[kind]) / others if others >= FEW else None

    def _against_expected(self) -> float:
        """What steps take, as a share of what was expected of those that were done so far."""
        known = [
            (self.done[kind], seconds, self.expected[kind])
            for kind in self.done
            if (seconds := self._settled(kind)) is not None and self.expected.get(kind)
        ]
        expected = sum(done * each for done, _, each in known)
        return sum(done * seconds for done, seconds, _ in known) / expected if expected else 1.0

    def _between(self) -> float:
        """All that has passed as a multiple of what steps took: reading, scoring and drawing are
        part of a fit too.
        """
        taken = sum(self.spent.values())
        if self.first is None or taken <= 0:
            return 1.0
        return min(MOST_BETWEEN, max(1.0, (self.elapsed() - self.first) / taken))

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
