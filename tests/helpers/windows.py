"""What tests/io_windows/test_in_use.py and tests/io_windows/test_names.py share."""

from __future__ import annotations

import numpy as np

SMALL = np.random.default_rng(0).integers(0, 60000, (3, 2, 5, 6)).astype("u2")
