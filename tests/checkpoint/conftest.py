"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import pytest

from fits import LEAST
from model_files import recording
from napari_spatimeinr import Field, fit


@pytest.fixture(scope="module")
def field() -> Field:
    return fit(recording(), config=LEAST, device="cpu")


@pytest.fixture(scope="module")
def saved(field, tmp_path_factory) -> bytes:
    return field.save(tmp_path_factory.mktemp("model") / "m.spatimeinr").read_bytes()
