"""Half-widths of an interval from a calibrated table."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def widths(table: dict[str, Any], difference: Tensor, value: Tensor) -> Tensor:
    """Half-widths ``(P,)`` of the interval for disagreements and predicted intensities ``(P,)``."""
    index = [
        torch.bucketize(x, torch.tensor(edges, device=x.device))
        for x, edges in zip((difference, value), table["edges"], strict=True)
    ]
    return torch.tensor(table["widths"], device=value.device)[index[0], index[1]]
