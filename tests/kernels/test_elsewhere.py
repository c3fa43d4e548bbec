"""Renderings in other processes, with kernels and without: the same values to rounding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from napari_spatimeinr import Field, load

HERE = """
import json, sys
import numpy as np
from napari_spatimeinr import kernels, load
failed = kernels.settle()
made = np.asarray(load(sys.argv[1], "cpu").lazy(time_scale=2))
np.save(sys.argv[2], made)
print(json.dumps([failed, [name for name in kernels.NAMES if kernels.ready(name)]]))
"""
NOWHERE = "from numba.core.caching import CacheImpl; CacheImpl._locator_classes = []\n"
"""What numba finds where no folder that it knows can be written."""
BLOCKED = "import sys; sys.modules['numba'] = None\n"


@pytest.fixture(scope="module")
def model(every_part: Field, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return every_part.save(tmp_path_factory.mktemp("model") / "model.spatimeinr")


def close(one, other) -> None:
    np.testing.assert_allclose(one, other, atol=1e-4 * np.ptp(other), rtol=0)


def rendered(model: Path, folder: Path, code: str = HERE, **variables: str):
    command = [sys.executable, "-c", code, str(model), str(folder / "out.npy")]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    failed, ready = json.loads(done.stdout.splitlines()[-1])
    return np.load(folder / "out.npy"), failed, ready


@pytest.mark.slow
@pytest.mark.parametrize("how", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_processes_that_are_forked_or_begun(model: Path, how: str) -> None:
    if how == "fork" and sys.platform != "linux":
        pytest.skip("forking is safe on Linux only")
    array = load(model, "cpu").lazy(time_scale=2)
    expected = np.asarray(array)
    with ProcessPoolExecutor(1, get_context(how)) as processes:
        close(processes.submit(np.asarray, array).result(120), expected)


@pytest.mark.slow
def test_without_numba_torch_computes(model: Path, every_part: Field, tmp_path: Path) -> None:
    made, failed, ready = rendered(model, tmp_path, BLOCKED + HERE)
    assert ready == []
    assert all("numba" in why for why in failed.values())
    assert len(failed) > 0
    close(made, np.asarray(every_part.lazy(time_scale=2)))


@pytest.mark.slow
def test_kernels_can_be_switched_off(model: Path, every_part: Field, tmp_path: Path) -> None:
    made, failed, ready = rendered(model, tmp_path, SPATIMEINR_KERNELS="off")
    assert (failed, ready) == ({}, [])
    close(made, np.asarray(every_part.lazy(time_scale=2)))


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_no_error(
    model: Path, every_part: Field, tmp_path: Path
) -> None:
    made, failed, ready = rendered(model, tmp_path, NOWHERE + HERE)
    assert failed == {}
    assert {"following", "rendering", "decoding"} <= set(ready)
    close(made, np.asarray(every_part.lazy(time_scale=2)))
