"""Threads: briefly waiting, as many as are fastest, nobody else's changed, and always as many where
that was chosen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from napari_spatimeinr import Volume, fit, fit_steps
from napari_spatimeinr.compute import threads
from napari_spatimeinr.compute.threads import Measured, chosen, is_fixed, steps_on
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.model.encoder import Encoder

TINY = {
    "motion": {"steps": 4, "smoothness": [0.02], "points": 4000},
    "latents": {"steps": 4, "channels": 4},
    "planes": {"steps": 4},
}


@pytest.fixture
def two() -> Iterator[None]:
    """The caller has two threads, of a machine with as many."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def one_is_best(monkeypatch: pytest.MonkeyPatch, two: None) -> None:
    """Measurements say that one thread is fastest."""
    monkeypatch.setattr(threads, "is_fixed", lambda usual: False)
    monkeypatch.setattr(threads, "_MEASURED", Measured(lambda n, most: float(n)))


def in_thread(what: Callable[[], object]) -> object:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(what()))
    thread.start()
    thread.join()
    return found[0]


def program(text: str, **variables: str) -> object:
    """What a fresh process prints, without this one's choices about threads."""
    kept = {k: v for k, v in os.environ.items() if k not in (*threads.WAITING, *threads.COUNTS)}
    done = subprocess.run(
        [sys.executable, "-c", text],
        env=kept | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


SHOW = (
    "import os, json; print(json.dumps([os.environ.get('GOMP_SPINCOUNT'), 'torch' in"
    " __import__('sys').modules]))"
)


def test_importing_the_package_makes_threads_wait_briefly_and_loads_no_torch() -> None:
    assert program(f"import napari_spatimeinr; {SHOW}") == ["10000", False]


def test_a_users_own_choice_of_waiting_stands() -> None:
    assert program(f"import napari_spatimeinr; {SHOW}", OMP_WAIT_POLICY="ACTIVE") == [None, False]
    assert program(f"import napari_spatimeinr; {SHOW}", GOMP_SPINCOUNT="7") == ["7", False]


@pytest.mark.slow
@pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="the team is for GNU's OpenMP, and threads are counted in /proc",
)
def test_where_torch_was_loaded_first_a_sleeping_team_comes_with_a_computation_and_goes_after_it() -> (
    None
):
    text = """
import json, os, time, torch
from napari_spatimeinr.compute import threads
threads.LINGER, threads.is_fixed = 0.5, lambda usual: False
tasks = lambda: len(os.listdir("/proc/self/task"))
torch.zeros(10**6).add_(1.0)
counts = [tasks()]
with threads.chosen():
    until = time.monotonic() + 20
    while tasks() < counts[0] + os.cpu_count() and time.monotonic() < until:
        time.sleep(0.01)
    counts.append(tasks())
until = time.monotonic() + 20
while tasks() > counts[1] - os.cpu_count() and time.monotonic() < until:
    time.sleep(0.01)
print(json.dumps([*counts, tasks(), os.cpu_count(), os.environ.get("GOMP_SPINCOUNT")]))
"""
    before, during, after, cores, spins = program(text)  # type: ignore[misc]
    assert during >= before + cores
    assert after <= during - cores
    assert spins is None


def test_the_fastest_number_is_found_from_any_other_and_again_when_neighbours_change() -> None:
    now, table = [0.0], {1: 4.0, 2: 2.0, 4: 1.2, 8: 0.7, 16: 0.5}
    measured = Measured(lambda n, most: table[n], lambda: now[0])

    def later() -> int:
        now[0] += 2 * threads.EVERY
        return measured.best(16)

    assert measured.best(16) == 16
    table.update({16: 9.0, 8: 8.0, 4: 7.0, 2: 3.0, 1: 1.0})
    assert [later() for _ in range(5)] == [8, 4, 2, 1, 1]
    table.update({16: 0.5, 8: 0.7, 4: 1.2, 2: 2.0, 1: 4.0})
    assert [later() for _ in range(5)] == [2, 4, 8, 16, 16]
    assert measured.best(4) == 4


def test_a_number_is_kept_while_another_is_hardly_faster_and_between_measurements() -> None:
    now, table, asked = [0.0], {1: 1.0, 2: 1.05}, []

    def seconds(n: int, most: int) -> float:
        asked.append(n)
        return table[n]

    measured = Measured(seconds, lambda: now[0])
    assert measured.best(2) == 2
    before = len(asked)
    table[1] = 0.1
    assert measured.best(2) == 2
    assert len(asked) == before
    now[0] += 2 * threads.EVERY
    assert measured.best(2) == 1


def test_only_the_thread_that_computes_is_changed(one_is_best: None) -> None:
    assert in_thread(torch.get_num_threads) == 2
    with chosen():
        assert torch.get_num_threads() == 1
        assert in_thread(torch.get_num_threads) == 2, (
            "a thread that begins later has the user's number"
        )
        with chosen():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    assert in_thread(torch.get_num_threads) == 2


def test_a_thread_that_begins_during_a_measurement_has_the_users_number(
    one_is_best: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []
    monkeypatch.setattr(threads, "is_fixed", lambda usual: True)

    def compute() -> None:
        with chosen():
            found.append(torch.get_num_threads())

    born, set_number = threading.Thread(target=compute), torch.set_num_threads

    def slowly(count: int) -> None:
        set_number(count)
        if count == 1 and born.ident is None:
            born.start()
            born.join(0.5)

    monkeypatch.setattr(torch, "set_num_threads", slowly)
    threads._set_here(1, 2)
    born.join()
    set_number(2)
    assert found == [2]


@pytest.mark.slow
def test_a_fit_and_a_rendering_use_what_is_fastest_and_leave_the_callers_number(
    recording: Volume, one_is_best: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()

    class Seen(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            if "grid_sampler" in str(func):
                seen.add(torch.get_num_threads())
            return func(*args, **(kwargs or {}))

    with Seen():
        for _ in (steps := fit_steps(recording, config=TINY)):
            assert torch.get_num_threads() == 2
        assert seen == {1}
        seen.clear()
        field = fit(recording, config=TINY)
        assert field.provenance["threads"] == [1]
        np.asarray(field.lazy(times=[0.5])[...])
    assert seen == {1}
    assert torch.get_num_threads() == 2
    steps.close()


def test_the_number_comes_back_when_a_step_fails(one_is_best: None) -> None:
    def broken() -> Iterator[int]:
        yield torch.get_num_threads()
        raise ValueError

    steps = steps_on(0, broken(), [])  # type: ignore[arg-type]
    assert next(steps) == 1
    assert torch.get_num_threads() == 2
    with pytest.raises(ValueError, match=r"^$"):
        next(steps)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("chosen_by", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_a_number_the_user_chose_is_not_measured(
    chosen_by: str, monkeypatch: pytest.MonkeyPatch, two: None
) -> None:
    def never(n: int, most: int) -> float:
        raise AssertionError("measured")

    monkeypatch.setattr(threads, "_MEASURED", Measured(never))
    monkeypatch.setenv(chosen_by, "2")
    with chosen():
        assert torch.get_num_threads() == 2
    monkeypatch.delenv(chosen_by)
    assert is_fixed(1)
    assert is_fixed((os.cpu_count() or 1) + 3)


@pytest.mark.slow
def test_with_threads_in_the_configuration_equal_seeds_give_equal_results_whatever_is_measured(
    recording: Volume, monkeypatch: pytest.MonkeyPatch, two: None
) -> None:
    """And each step has that number of threads."""
    monkeypatch.setattr(threads, "is_fixed", lambda usual: False)
    results = []
    for best in (1.0, -1.0):
        monkeypatch.setattr(threads, "_MEASURED", Measured(lambda n, most, best=best: best * n))
        field = fit(
            recording, config=TINY | {"threads": 2, "precision": "float32", "gate": False}, seed=3
        )
        assert field.provenance["threads"] == [2]
        results.append(
            {k: v.numpy() for k, v in field.network.latents.encoder.state_dict().items()}
        )
    assert all(np.array_equal(results[0][name], results[1][name]) for name in results[0])
    assert make_config(config={"threads": 2}).threads == 2


def test_the_first_convolution_of_the_encoder_is_not_bfloat16() -> None:
    """Its gradient there takes twenty times as long on two threads as on one."""
    dtypes: list[torch.dtype] = []

    class Seen(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            if func is torch.ops.aten.convolution_backward.default:
                dtypes.append(args[1].dtype)
            return func(*args, **(kwargs or {}))

    with Seen():
        clean, features = Encoder(4, 2, 2)(torch.rand(1, 1, 8, 8, 8), torch.bfloat16)
        (clean.sum() + features.square().sum()).backward()
    assert dtypes == [torch.bfloat16, torch.float32]
