"""Half-widths of intervals from a calibrated table, and the errors that may be expected by it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

LEVEL = 0.9
"""Share of what would be recorded that an interval holds, where no other is asked for."""
LEVELS = (0.5, 0.8, LEVEL, 0.95)
"""Shares that intervals are calibrated for."""
TRUSTED = 0.1
"""Values are trusted where the error to be expected, noise apart, is at most this, as a share of
the recording's range: less than what counts as a change from frame to frame."""
QUANTILE = 1.645
"""Half-width of 90 % of a normal distribution, in its standard deviations."""


def widths(table: dict[str, Any], spread: Tensor, value: Tensor, level: float = LEVEL) -> Tensor:
    """Half-widths ``(P,)`` of an interval, for spreads of what the frames say and predicted
    intensities ``(P,)``.

    Raises
    ------
    ValueError
        If the table has no such level.
    """
    found = _of_level(table, level, value)
    return found[_bins(spread, table["edges"][0]), _bins(value, table["edges"][1])]


def expected_errors(table: dict[str, Any], spread: Tensor, value: Tensor) -> Tensor:
    """Expected RMS errors ``(P,)`` for the same, noise apart: by how much an interval is wider than
    where the frames say the same.
    """
    found = _of_level(table, LEVEL, value)
    bright = _bins(value, table["edges"][1])
    noise = found.amin(0)[bright]
    excess = found[_bins(spread, table["edges"][0]), bright].square() - noise.square()
    return excess.clamp(min=0).sqrt() / QUANTILE


def _of_level(table: dict[str, Any], level: float, like: Tensor) -> Tensor:
    """Half-widths ``(spread, intensity)``."""
    return torch.tensor(table["widths"][table["levels"].index(level)], device=like.device)


def _bins(values: Tensor, edges: list[float]) -> Tensor:
    return torch.bucketize(values, torch.tensor(edges, device=values.device))
