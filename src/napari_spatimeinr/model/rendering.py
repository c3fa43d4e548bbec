"""4D rendering: a cell of the output is integrated, not sampled at its centre."""

from __future__ import annotations

import math


def cell_offsets(extent: float) -> tuple[list[float], list[float]]:
    """Midpoint quadrature along one axis of a cell.

    Parameters
    ----------
    extent : size of the cell in source samples.

    Returns
    -------
    offsets from the centre in source samples and weights that sum to one: one sample when the cell
    is no larger than the source's, else one per source sample, rounded up.
    """
    n = max(1, math.ceil(extent - 1e-6))
    return [((i + 0.5) / n - 0.5) * extent for i in range(n)] if n > 1 else [0.0], [1.0 / n] * n
