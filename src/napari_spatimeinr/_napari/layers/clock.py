"""When the frames of a layer were taken: its scale is even, so where they are not its metadata say
so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...data.grid import Grid

CLOCK = "clock"
"""Key of what file and layer say: intervals of the layer's scale from its first frame to each."""


def clock_of(grid: Grid, interval: float) -> dict[str, Any]:
    """Metadata of a layer whose frames are ``interval`` apart on the screen; nothing of even
    ones.
    """
    if grid.times is None:
        return {}
    return {CLOCK: ((grid.coordinates(0) - grid.times[0]) / interval).tolist()}


def times_of(
    metadata: dict[str, Any], frames: int, start: float, dt: float
) -> tuple[tuple[float, ...] | None, dict[str, Any]]:
    """Times of the frames of a layer with these metadata, first frame and interval, None where they
    are even; and the metadata without them.
    """
    rest = {key: value for key, value in metadata.items() if key != CLOCK}
    clock = np.asarray(metadata.get(CLOCK, ()), float)
    if clock.shape != (frames,) or frames < 2:
        return None, rest
    return tuple((start + dt * clock).tolist()), rest


def along(old: Grid, new: Grid) -> tuple[float, float]:
    """Interval and place of the first frame of another grid of a recording, in frames of it.

    A frame of the other grid lies at its share of the interval between two of the recording,
    however long that takes.
    """
    if old.times is None:
        return new.spacing[0] / old.spacing[0], (new.origin[0] - old.origin[0]) / old.spacing[0]
    at = old.to_index(new.coordinates(0), 0)
    step = (at[-1] - at[0]) / (len(at) - 1) if len(at) > 1 else 1.0
    return float(step), float(at[0])
