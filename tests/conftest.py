"""Fixtures that several test files share: one small recording, in memory and as a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_spatimeinr import Volume, phantom


@pytest.fixture(scope="session")
def recording() -> Volume:
    return phantom((4, 6, 16, 16), seed=1)[0]


@pytest.fixture(scope="session")
def recording_file(recording: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording.save(tmp_path_factory.mktemp("recording") / "recording.nii.gz")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Tiny fits are faster, and exactly repeatable, on one thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
