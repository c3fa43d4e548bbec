"""What the tests in tests/io_bad share besides fixtures."""

from __future__ import annotations

import numpy as np

DATA = np.random.default_rng(0).integers(0, 60000, (3, 4, 5, 6)).astype("u2")


NAMES = ("a.nii", "a.nii.gz", "a.tif", "a.ome.tif")
