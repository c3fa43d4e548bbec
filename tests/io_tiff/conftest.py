"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def stack() -> np.ndarray:
    """A recording (3, 4, 5, 6) whose values are all different."""
    return np.arange(3 * 4 * 5 * 6, dtype="u2").reshape(3, 4, 5, 6)
