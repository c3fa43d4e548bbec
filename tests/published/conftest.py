"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from typing import Any

import pytest

from napari_spatimeinr import Volume, fit
from published_fits import SMALL


@pytest.fixture(scope="module")
def field(recording: Volume) -> Any:
    return fit(recording, "published", SMALL, device="cpu", seed=1)
