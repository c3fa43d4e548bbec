"""4D rendering: a cell of the output is integrated, not sampled at its centre."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def existing(centres: Floats, extent: float, n: int) -> tuple[Floats, Floats]:
    """The part of each cell of an axis that lies in a recording of ``n`` samples: its middle and
    its length.

    The recording reaches from -0.5 to ``n - 0.5``. Of a cell beyond it, that end is left, of length
    0.
    """
    low, high = (np.clip(centres + side * extent / 2, -0.5, n - 0.5) for side in (-1, 1))
    return (low + high) / 2, high - low


def quadrature(centres: Floats, extent: float, n: int, least: int = 1) -> Floats:
    """Where the cells of an axis are sampled, ``(cells, samples)``; their mean is the cell's value
    (midpoint rule).

    A cell no larger than a sample of the source takes one sample, its centre; a larger one takes
    one for each sample of the source, rounded up, in the part of it that exists: never more than
    the recording has.

    Parameters
    ----------
    centres : ``(cells,)`` in samples of the source.
    extent : size of a cell in samples of the source.
    n : samples of the source along the axis.
    least : so many samples at least.
    """
    count = max(least, math.ceil(min(extent, n) - 1e-6))
    if count == 1:
        return centres[:, None]
    middles, lengths = existing(centres, extent, n)
    shares = (np.arange(count) + 0.5) / count - 0.5
    return middles[:, None] + lengths[:, None] * shares
