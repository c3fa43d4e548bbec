"""Nuclei between two traced time points, along the motion that was fitted to the membranes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..field import Field
from .lineage import Carry


def along(field: Field, dt: float) -> Carry:
    """What carries nuclei along the motion of a fit, for :meth:`.Lineage.positions_at`.

    Parameters
    ----------
    field : fitted to the recording of :func:`.read_slices`, where time point n is at n dt.
    dt : s per time point.
    """
    first, last = field.grid.coordinates(0)[[0, -1]]

    def carry(points: NDArray[np.float64], start: float, end: float) -> NDArray[np.float64]:
        # Rows that a tracing has beyond the frames that were fitted are as near as can be.
        begun, ended = (float(np.clip(number * dt, first, last)) for number in (start, end))
        return points + field.motion(points, begun, ended)

    return carry
