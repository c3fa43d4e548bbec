"""The kernels of the motion fit: what torch computes, whatever the shape, and the same bits on any
number of threads.
"""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr import kernels
from napari_spatimeinr.model.losses import Pairs, Terms
from napari_spatimeinr.model.motion import VelocityField
from napari_spatimeinr.model.objective import Objective

pytestmark = pytest.mark.usefixtures("compiled", "one_thread")


@pytest.fixture(scope="module")
def compiled() -> None:
    assert kernels.settle() == {}


class Case:
    """A field, what it is fitted to, and points, some of them at the border and beyond it."""

    def __init__(
        self,
        shape=(5, 9, 11),
        nodes=(3, 4, 5),
        times=(0.0, 1.0, 2.0, 3.0),
        curved=True,
        bins=(1, 1, 1),
        number=300,
        seed=0,
        speed=1.5,
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.field = VelocityField(torch.tensor(times), shape, nodes, curved)
        k = len(times) - 1
        with torch.no_grad():
            self.field.nodes.copy_(speed * torch.randn(self.field.nodes.shape, generator=generator))
        binned = [-(-n // b) for n, b in zip(shape, bins, strict=True)]
        self.terms = Terms(
            torch.rand(k + 1, 1, *binned, generator=generator),
            self.field.times,
            torch.tensor(bins, dtype=torch.float32),
            0.02,
            (2.0, 0.5, 1.0),
            0.03,
            0.2,
        )
        # Away from whole numbers, where the derivative jumps.
        places = torch.rand(k, number, 3, generator=generator) * 1.4 - 0.2
        points = places * torch.tensor([float(n) for n in shape])
        first = torch.arange(k)
        share = 0.1 + 0.8 * torch.rand(k, generator=generator)
        at = torch.lerp(self.field.times[:-1], self.field.times[1:], share)
        self.pairs = [Pairs(first, first + 1, at, points)]
        if k > 1:
            wide = points[:-1, : (number + 1) // 2] + 0.1
            self.pairs.append(Pairs(first[:-1], first[:-1] + 2, self.field.times[1:-1], wide, 0.5))

    def by_kernel(self) -> tuple[float, np.ndarray]:
        value, gradient = Objective(self.terms)(self.field, self.pairs)
        return value, gradient.numpy()

    def by_torch(self) -> tuple[float, np.ndarray]:
        value, gradient = self.terms.by_torch(self.field, self.pairs)
        return value, gradient.numpy()


def assert_equal(case: Case) -> None:
    (value, gradient), (expected, reference) = case.by_kernel(), case.by_torch()
    assert gradient.shape == reference.shape
    assert value == pytest.approx(expected, rel=1e-5, abs=1e-6)
    # Single points whose place rounds to the other side of a voxel have another derivative.
    scale = np.linalg.norm(reference) + 1e-6
    assert np.linalg.norm(gradient - reference) < 2e-3 * scale


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 9)),
    counts=st.tuples(st.integers(2, 4), st.integers(2, 5), st.integers(2, 5)),
    gaps=st.lists(st.sampled_from([1.0, 2.0, 0.5]), min_size=1, max_size=11),
    curved=st.booleans(),
    bins=st.tuples(st.sampled_from([1, 2]), st.sampled_from([1, 2]), st.sampled_from([1, 4])),
    number=st.sampled_from([1, 7, 300]),
    speed=st.sampled_from([0.0, 0.5, 3.0]),
    seed=st.integers(0, 5),
)
def test_kernel_and_torch_agree(shape, counts, gaps, curved, bins, number, speed, seed):
    nodes = tuple(1 if n == 1 else m for n, m in zip(shape, counts, strict=True))
    times = tuple(np.cumsum([0.0, *gaps]).tolist())
    assert_equal(Case(shape, nodes, times, curved, bins, number, seed, speed))


def test_far_beyond_the_frames_the_values_agree():
    case = Case(speed=300.0, number=500)
    assert case.by_kernel()[0] == pytest.approx(case.by_torch()[0], rel=1e-3)


@pytest.mark.parametrize("curved", [False, True])
def test_the_gradient_is_that_of_the_value(curved):
    case = Case(curved=curved, number=1000)
    _, gradient = case.by_kernel()
    nodes = case.field.nodes
    direction = torch.from_numpy(gradient.copy())
    direction /= direction.norm()
    values = []
    for step in (-5e-3, 5e-3):
        with torch.no_grad():
            nodes += step * direction
            values.append(case.by_kernel()[0])
            nodes -= step * direction
    assert (values[1] - values[0]) / 1e-2 == pytest.approx(np.linalg.norm(gradient), rel=0.03)


def test_points_at_the_very_border_are_held_there():
    case = Case(number=8)
    corner = torch.tensor([4.0, 8.0, 10.0])
    points = torch.stack([torch.zeros(3), corner, -corner, 2 * corner]).expand(3, 4, 3)
    case.pairs = [case.pairs[0]._replace(points=points)]
    assert_equal(case)


@pytest.mark.parametrize("times", [(0.0, 1.0), tuple(range(12))])
def test_any_number_of_threads_gives_the_same_bits(times):
    case = Case(times=tuple(float(t) for t in times), number=700)
    value, gradient = case.by_kernel()
    before = gradient.copy()
    for count in (2, 3, 8):
        torch.set_num_threads(count)
        try:
            again, other = case.by_kernel()
        finally:
            torch.set_num_threads(1)
        assert again == value
        assert np.array_equal(before, other)


def test_several_fields_are_fitted_at_once():
    cases = [Case(seed=seed, number=2000) for seed in range(4)]
    alone = [case.by_kernel()[1].copy() for case in cases]
    found: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: cases[i].by_kernel()[1].copy()}))
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(alone[i], found[i]) for i in range(4))


def test_an_objective_can_be_asked_again():
    case = Case()
    objective = Objective(case.terms)
    first = objective(case.field, case.pairs[:1])
    value, gradient = first[0], first[1].clone()
    objective(case.field, case.pairs)
    again = objective(case.field, case.pairs[:1])
    assert again[0] == value
    assert torch.equal(again[1], gradient)


def test_what_is_not_a_number_stays_inside_the_frames():
    case = Case()
    with torch.no_grad():
        case.field.nodes[0, 0] = torch.nan
        case.field.nodes[1, 1] = torch.inf
    assert not np.isfinite(case.by_kernel()[0])


def test_torch_computes_until_the_kernel_is_there(monkeypatch):
    case = Case()
    objective = Objective(case.terms)
    monkeypatch.setattr(kernels, "ready", lambda name: None)
    before = objective(case.field, case.pairs)
    assert before[0] == case.by_torch()[0]
    monkeypatch.undo()
    value, gradient = objective(case.field, case.pairs)
    assert value == pytest.approx(before[0], rel=1e-5)
    assert torch.allclose(gradient, before[1], atol=1e-3 * float(before[1].abs().max()))
