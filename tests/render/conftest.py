"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import numpy as np
import pytest

from fits import KEPT
from napari_spatimeinr import Field, Volume, fit, phantom
from render_fields import ORIGIN, SHAPE, SPACING


@pytest.fixture(scope="module")
def volume() -> Volume:
    data, _ = phantom(SHAPE, motion=2.0, seed=5)
    return Volume(
        np.clip(np.rint(data.data * 400 + 100), 0, 65535).astype(np.uint16),
        SPACING,
        ORIGIN,
        metadata={"name": "x"},
    )


@pytest.fixture(scope="module")
def field(volume) -> Field:
    out = fit(volume, config=KEPT, device="cpu")
    assert out.network.motion is not None
    assert out.network.latents is not None
    return out
