"""A smooth step and its slope, by which things begin and end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def smoothstep(u: Array) -> Array:
    """From 0 at 0 to 1 at 1, level at both ends; what is not a number counts as 0."""
    u = np.clip(np.nan_to_num(u, nan=0.0, neginf=0.0), 0.0, 1.0)
    return u * u * (3 - 2 * u)


def slope(u: Array) -> Array:
    """The derivative of :func:`smoothstep`."""
    u = np.clip(np.nan_to_num(u, nan=0.0, neginf=0.0), 0.0, 1.0)
    return 6 * u * (1 - u)
