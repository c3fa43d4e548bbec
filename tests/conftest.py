"""Fixtures that several test files share: one small recording, in memory and as a file, and one
small model of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fits import LEAST
from napari_spatimeinr import Field, Volume, fit, kernels, phantom

WINDOWS = Path(__file__).parent / "napari"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the plugin need not say one by one that they need windows."""
    for item in items:
        if WINDOWS in item.path.parents:
            item.add_marker("window")


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels() -> None:
    """Nothing changes between two renderings of a test because a kernel is there meanwhile."""
    kernels.settle()


@pytest.fixture(scope="session")
def recording() -> Volume:
    return phantom((4, 6, 16, 16), seed=1)[0]


@pytest.fixture(scope="session")
def recording_file(recording: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording.save(tmp_path_factory.mktemp("recording") / "recording.nii.gz")


@pytest.fixture(scope="session")
def every_part(recording: Volume) -> Field:
    """A model of the recording with every part that a preset switches on; not to be changed."""
    return fit(recording, config=LEAST, device="cpu")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Tiny fits are faster, and exactly repeatable, on one thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
