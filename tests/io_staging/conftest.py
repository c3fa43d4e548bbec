"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import pytest

from napari_spatimeinr.io import staging


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every frame is noted at once, not every second."""
    monkeypatch.setattr(staging, "MARK_EVERY", 0.0)
