"""What the tests in tests/io_staging share besides fixtures."""

from __future__ import annotations

import numpy as np

SMALL = np.random.default_rng(0).integers(0, 60000, (6, 3, 8, 9)).astype("u2")


MADE = {"spatimeinr": {"seed": 3, "version": "test"}}
