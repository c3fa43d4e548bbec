"""An array that tells how much of it has been read, so that a job over it has progress and can be
stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


class Watched:
    """Looks like ``array``; everything else is the array's own.

    Parameters
    ----------
    array : array-like with ``shape`` and slicing.
    seen : called with the voxels read so far and all voxels, after each read; what it raises ends
        the read.
    """

    def __init__(self, array: Any, seen: Callable[[int, int], None]) -> None:
        self._array, self._tell = array, seen
        self._read, self._of = 0, math.prod(array.shape)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__array"):
            # NumPy would take the array past this one.
            raise AttributeError(name)
        return getattr(self._array, name)

    def __getitem__(self, key: Any) -> Any:
        return self._seen(self._array[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self._seen(np.asarray(self._array, dtype=dtype))

    def _seen(self, part: Any) -> Any:
        self._read = min(self._read + int(part.size), self._of)
        self._tell(self._read, self._of)
        return part
