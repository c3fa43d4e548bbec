"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_spatimeinr import Field, io
from part_renders import SCALES


@pytest.fixture(scope="session")
def model(every_part: Field, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small model; not to be changed."""
    return every_part.save(tmp_path_factory.mktemp("model") / "model.spatimeinr")


@pytest.fixture(scope="session")
def whole(every_part: Field, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rendering by one process, frame by frame, with other chunks; not to be changed."""
    array = every_part.lazy(**SCALES)
    target = tmp_path_factory.mktemp("whole") / "whole.ome.zarr"
    return io.write(every_part.wrap(array, array), target)
