"""What every array that is read or computed when indexed has in common with a numpy array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


class DuckArray:
    """Sizes by the names of numpy, from ``shape`` and ``dtype``."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array, were it in memory."""
        return self.size * int(self.dtype.itemsize)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' x '.join(map(str, self.shape))} {self.dtype}>"
