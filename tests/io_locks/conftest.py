"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from writers import Writers


@pytest.fixture
def writers() -> Iterator[Writers]:
    made = Writers()
    yield made
    made.end()
