"""What tests/test_io_series.py and tests/test_io_provenance.py share."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_spatimeinr.io.provenance import KEY
from napari_spatimeinr.volume import Volume

DATA = np.random.default_rng(0).integers(0, 60000, (3, 2, 4, 5)).astype(np.uint16)
MADE = {"version": "1", "config": {"note": '<&> µ "quoted"\n'}}


def recording(made: dict[str, Any] | None = None, times: tuple[float, ...] | None = None) -> Volume:
    return Volume(
        DATA,
        (30.0, 2.0, 0.5, 0.5),
        (60.0, 0, 0, 0),
        ("s", "um"),
        None,
        {KEY: made} if made else {},
        times,
    )
