"""What tests/napari/test_layers.py and tests/napari/test_files.py share."""

from __future__ import annotations

import numpy as np

CUBE = np.random.default_rng(0).integers(0, 1000, (4, 6, 20, 24)).astype(np.uint16)
