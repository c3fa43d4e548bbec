"""What to fit and how, and the fit that is made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ...config.options import Config
from ...data.grid import ROI
from ...field import Field
from ...fitting import FitRun, fit_steps
from ..layers.source import Source


class Order(NamedTuple):
    """What to fit and how."""

    source: Source
    roi: ROI | None
    config: Config
    device: str
    seed: int
    time_budget: float | None
    channels: list[Any]


Begin = Callable[[Order, Field | None, Field | None], FitRun]
"""Makes a fit of an order, of what was learned before and of the Field whose motion is shared."""


def begin_fit(order: Order, known: Field | None, motion: Field | None) -> FitRun:
    """The fit that an order asks for; nothing is computed yet.

    Parameters
    ----------
    known : what an earlier fit learned, to go on from.
    motion : another channel's Field, whose motion is shared.
    """
    volume = order.source.volume if order.roi is None else order.source.volume.crop(order.roi)
    config, budget = order.config, order.time_budget
    steps = fit_steps(
        volume, config.preset, config, order.device, order.seed, budget, known, motion
    )
    return FitRun(steps, known)
