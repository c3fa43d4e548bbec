"""The kernel that weighs hypotheses against the same in torch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr import kernels
from napari_spatimeinr.model.hypotheses import SIGMAS, Hypotheses
from napari_spatimeinr.model.motion import VelocityField


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    assert kernels.settle("blending") == {}


def module(count: int, width: int, generator: torch.Generator) -> Hypotheses:
    fields = [VelocityField(torch.arange(2.0), (2, 3, 3), (2, 2, 2)) for _ in range(count - 2)]
    made = Hypotheses(fields, width, torch.ones(len(SIGMAS), 3)).requires_grad_(False)
    for parameter in (made.prior, *made.layers.parameters()):
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return made


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 7), st.integers(2, 20), st.integers(1, 200), st.integers(0, 999))
@torch.no_grad()
def test_the_kernel_weighs_as_torch_does(count, width, points, seed):
    generator = torch.Generator().manual_seed(seed)
    blend = module(count, width, generator)
    before, after = (torch.rand(count, len(SIGMAS), points, generator=generator) for _ in range(2))
    expected = blend._weights(before, after)
    torch.testing.assert_close(blend.weights(before, after), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_point_has_the_same_bits_whatever_is_computed_beside_it():
    generator = torch.Generator().manual_seed(0)
    blend = module(4, 16, generator)
    before, after = (torch.rand(4, len(SIGMAS), 150, generator=generator) for _ in range(2))
    whole = blend.weights(before, after)
    parts = [
        blend.weights(a, b) for a, b in zip(before.split(37, -1), after.split(37, -1), strict=True)
    ]
    assert torch.equal(torch.cat(parts, -1), whole)


@torch.no_grad()
def test_contexts_of_another_number_of_hypotheses_never_reach_the_kernel():
    blend = module(4, 8, torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="4 hypotheses"):
        blend.weights(torch.rand(3, len(SIGMAS), 10), torch.rand(3, len(SIGMAS), 10))
