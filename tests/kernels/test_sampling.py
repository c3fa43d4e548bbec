"""The kernels that latents learn through: what torch samples, and its gradient, whatever the shape."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from napari_spatimeinr import kernels
from napari_spatimeinr.model import differentiable, sampling
from napari_spatimeinr.model.network import needed_box

pytestmark = pytest.mark.usefixtures("compiled", "one_thread")
Sample = Callable[[Tensor, Tensor], Tensor]


@pytest.fixture(scope="module")
def compiled() -> None:
    assert kernels.settle("sampling") == {}


def drawn(frame: tuple[int, int, int], count: int, channels: int, seed: int):
    """What is sampled, and points of a frame, some of them whole, at its border and beyond."""
    generator = torch.Generator().manual_seed(seed)
    places = (torch.rand(1, count, 3, generator=generator) * 1.4 - 0.2) * torch.tensor(frame)
    places[:, ::3] = places[:, ::3].round()
    points, box = needed_box(places, frame)
    size = [b - a for a, b in box]
    # As an encoder leaves it: the channels of a voxel together, among others.
    whole = torch.randn(1, *size, channels + 1, generator=generator).permute(0, 4, 1, 2, 3)
    return whole[:, 1:], points - points.new_tensor([a for a, _ in box]), generator


def with_gradient(sample: Sample, volume: Tensor, points: Tensor, given: Tensor):
    volume = volume.detach().requires_grad_()
    values = sample(volume, points)
    values.backward(given)
    return values.detach(), volume.grad


def assert_same(name: str, volume: Tensor, points: Tensor, generator: torch.Generator) -> None:
    reference, ours = getattr(sampling, name), getattr(differentiable, name)
    given = torch.randn(reference(volume, points).shape, generator=generator)
    expected, result = (with_gradient(f, volume, points, given) for f in (reference, ours))
    for a, b in zip(result, expected, strict=True):
        assert a.shape == b.shape
        torch.testing.assert_close(a, b, rtol=1e-3, atol=2e-4)


@settings(max_examples=40, deadline=None)
@given(
    frame=st.tuples(*[st.integers(1, 9)] * 3),
    count=st.integers(1, 50),
    channels=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_values_and_gradients_are_those_of_torch(frame, count, channels, seed):
    volume, points, generator = drawn(frame, count, channels, seed)
    assert_same("cubic", volume[:, :1], points, generator)
    assert_same("linear", volume, points, generator)


@pytest.mark.parametrize("shape", [(2, 2, 2), (5, 2, 3), (1, 4, 4)])
def test_the_border_of_latents_is_repeated(shape):
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(1, 60, 3, generator=generator) * 9 - 3
    assert_same("linear", torch.randn(1, 3, *shape, generator=generator), points, generator)


def test_points_far_away_or_nowhere_stay_in_the_volume():
    far = [torch.inf, -torch.inf, torch.nan, 1e30, -1e30]
    points = torch.tensor([[[a, b, 1.0] for a in far for b in far]])
    volume = torch.ones(1, 1, 4, 5, 6)
    for name in ("cubic", "linear"):
        given = torch.ones_like(getattr(differentiable, name)(volume, points))
        values, gradient = with_gradient(getattr(differentiable, name), volume, points, given)
        torch.testing.assert_close(values, given)
        assert gradient.sum() == pytest.approx(len(far) ** 2, rel=1e-5)


@pytest.mark.parametrize("name", ["cubic", "linear"])
def test_the_bits_are_the_same_on_any_number_of_threads(name):
    volume, points, generator = drawn((6, 30, 30), 5000, 1, 0)
    given = torch.randn(getattr(sampling, name)(volume, points).shape, generator=generator)
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        results.append(with_gradient(getattr(differentiable, name), volume, points, given))
    torch.set_num_threads(1)
    for values, gradient in results[1:]:
        assert torch.equal(values, results[0][0])
        assert torch.equal(gradient, results[0][1])


@pytest.mark.parametrize("name", ["cubic", "linear"])
def test_the_kernel_is_what_samples(name, monkeypatch):
    asked: list[str] = []

    def ready(of: str) -> ModuleType | None:
        asked.append(of)
        return None

    volume, points, _ = drawn((6, 7, 8), 20, 1, 0)
    ours = getattr(differentiable, name)(volume, points)
    monkeypatch.setattr(kernels, "ready", ready)
    reference = getattr(differentiable, name)(volume, points)
    assert asked == ["sampling"]
    assert torch.equal(reference, getattr(sampling, name)(volume, points))
    assert not torch.equal(reference, ours)
