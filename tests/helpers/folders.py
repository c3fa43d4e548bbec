"""What the tests in tests/io_folder share besides fixtures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

DATA = np.random.default_rng(0).integers(0, 60000, (3, 4, 5, 6)).astype("u2")


def frames(path: Path, *names: str, data: Any = DATA, **how: Any) -> Path:
    """A folder with a plain TIFF of one frame for each name."""
    path.mkdir(exist_ok=True)
    for k, name in enumerate(names):
        tifffile.imwrite(path / name, data[k % len(data)], **{"photometric": "minisblack", **how})
    return path
