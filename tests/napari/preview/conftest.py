"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import pytest

from napari_spatimeinr import Field, Volume, fit


@pytest.fixture(scope="module")
def recording() -> Volume:
    from napari_spatimeinr import phantom

    return phantom((4, 6, 20, 24), motion=2.0, seed=3)[0]


@pytest.fixture(scope="module")
def field(recording: Volume) -> Field:
    return fit(
        recording,
        "fast",
        {
            "motion": {"steps": 4},
            "latents": {"enabled": False},
            "planes": {"enabled": False},
            "gate": False,
        },
    )
