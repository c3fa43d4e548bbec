"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Fitted, run
from fits import QUICK


@pytest.fixture(scope="session")
def fitted(recording_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """A model fitted by the command, and what the command said; not to be changed."""
    model = tmp_path_factory.mktemp("model") / "model.spatimeinr"
    return model, run("fit", recording_file, "-o", model, *QUICK, "--seed", 3, "--json")
