"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import pytest

from fits import KEPT
from napari_spatimeinr import Field, Volume, fit, phantom


@pytest.fixture(scope="module")
def volume() -> Volume:
    return phantom((5, 7, 19, 23), motion=2.0, seed=1)[0]


@pytest.fixture(scope="module")
def field(volume) -> Field:
    return fit(volume, config=KEPT, device="cpu", seed=3)
