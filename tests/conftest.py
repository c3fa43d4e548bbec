"""Fixtures that several test files share: one small recording, in memory and as a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_spatimeinr import Volume, phantom


@pytest.fixture(scope="session")
def recording() -> Volume:
    return phantom((4, 6, 16, 16), seed=1)[0]


@pytest.fixture(scope="session")
def recording_file(recording: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording.save(tmp_path_factory.mktemp("recording") / "recording.nii.gz")
