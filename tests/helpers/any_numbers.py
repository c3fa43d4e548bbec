"""What tests/test_io_nifti.py and tests/test_io_types.py share."""

from __future__ import annotations

import numpy as np


def noise(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    """Any bits for integers, ordinary numbers for floats."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(
        info.min, info.max, size=shape, dtype=np.dtype(dtype).newbyteorder("="), endpoint=True
    ).astype(dtype)
