"""Devices other than the CPU: no float64 there, trusted only where they compute what the CPU does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fits import LEAST
from napari_spatimeinr import Volume, fit, load
from napari_spatimeinr.model import trusted
from napari_spatimeinr.model.sampling import POLE, prefilter_matrix
from other_device import DEVICE, OtherDevice, There

pytestmark = pytest.mark.usefixtures("one_thread")
TINY: dict[str, Any] = {
    **LEAST,
    "voxels": {"enabled": True, "steps": 2, "channels": 4, "layers": 2},
}


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The pretended device is found under the name of one that fits may be asked for."""
    monkeypatch.setattr(
        trusted, "resolve_device", lambda name: torch.device("cpu") if name == "cpu" else DEVICE
    )
    trusted._fault.cache_clear()
    yield
    trusted._fault.cache_clear()


def flipped(volume: torch.Tensor, grid: torch.Tensor, *rest: Any) -> torch.Tensor:
    """Sampling that is right for contiguous volumes alone."""
    return torch.ops.aten.grid_sampler_3d(
        volume if volume.is_contiguous() else volume.flip(2), grid, *rest
    )


def refused(*_: Any) -> torch.Tensor:
    raise NotImplementedError("this operation is not there yet.")


def not_a_number(first: torch.Tensor, *rest: Any) -> torch.Tensor:
    return torch.ops.aten.convolution(first, *rest) * torch.nan


def test_the_pretended_device_refuses_what_a_real_one_does() -> None:
    with OtherDevice():
        there = torch.arange(3.0).to(DEVICE)
        assert isinstance(there, There)
        assert (there * 2).cpu().tolist() == [0, 2, 4]
        with pytest.raises(TypeError, match="float64"):
            there.double()
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(3)


def test_a_device_that_computes_what_the_cpu_does_is_trusted(known: None) -> None:
    with OtherDevice() as other:
        assert trusted.trusted_device("mps") == (DEVICE, None)
        done = other.done
        assert done > 500
        assert trusted.trusted_device("mps") == (DEVICE, None)
    assert other.done == done, "it is checked once"


@pytest.mark.parametrize(
    ("operation", "instead", "words"),
    [
        (
            "grid_sampler_3d",
            flipped,
            "does sampling of transposed volumes differently from the CPU",
        ),
        (
            "grid_sampler_3d_backward",
            lambda g, v, *r: (v * 0, g[:, 0, ..., None].expand(*r[0].shape)),
            "gradients of",
        ),
        ("convolution", not_a_number, "does convolutions differently"),
        (
            "_linalg_solve_ex",
            refused,
            "cannot do the first estimate of motion (this operation is not there yet)",
        ),
        ("relu", lambda x: x, "does a training step differently"),
        ("addcdiv_", lambda x, *_, **__: x, "does a training step differently"),
    ],
)
def test_a_device_that_computes_something_else_is_not_trusted(
    operation: str, instead: Any, words: str
) -> None:
    with OtherDevice({operation: instead}):
        fault = trusted.fault(DEVICE)
    assert fault is not None
    assert words in fault


def test_a_fit_goes_to_the_cpu_when_the_device_is_wrong_and_one_sentence_says_so(
    recording: Volume, known: None, tmp_path: Path
) -> None:
    with OtherDevice({"grid_sampler_3d": flipped}):
        field = fit(recording, config=TINY, device="mps")
    (sentence,) = field.provenance["warnings"]
    assert field.provenance["device"] == "cpu"
    assert field.device.type == "cpu"
    assert "so the CPU computes" in sentence
    assert sentence.count(". ") == 0
    path = field.save(tmp_path / "model.spatimeinr")
    with pytest.warns(UserWarning, match="so the CPU computes"):
        assert load(path, device="mps").device.type == "cpu"


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"gate": True}], ids=["no gate", "gate"])
def test_a_fit_on_a_device_has_no_float64_there_and_ends_as_on_the_cpu(
    recording: Volume, known: None, changes: Any
) -> None:
    config = TINY | changes
    expected = fit(recording, config=config, device="cpu")
    with OtherDevice() as other:
        field = fit(recording, config=config, device="mps")
        values = np.asarray(field.lazy(times=[0.5, 1.25], scale_z=2)[...])
        moved = field.motion(np.full((4, 3), 1.0), 0.0, 1.0)
    assert other.done > 5000
    assert field.provenance["device"] == str(DEVICE)
    right = np.asarray(expected.lazy(times=[0.5, 1.25], scale_z=2)[...])
    assert np.abs(values - right).max() < 1e-3 * np.ptp(right)
    assert np.allclose(moved, expected.motion(np.full((4, 3), 1.0), 0.0, 1.0), atol=1e-3)


def test_spline_coefficients_are_as_exact_as_float32_allows() -> None:
    taps = np.array([POLE ** abs(k) for k in range(-7, 8)])
    matrix = prefilter_matrix(15, 7, torch.zeros(1))
    assert np.array_equal(matrix[0].numpy(), (taps / taps.sum()).astype(np.float32))
