"""The kernel that makes values between two frames in one pass, against the same in torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr import kernels
from napari_spatimeinr.config.parts import LatentOptions
from napari_spatimeinr.model import between
from napari_spatimeinr.model.finer import FinerPlanes
from napari_spatimeinr.model.frames import Frames, Normalisation
from napari_spatimeinr.model.hypotheses import SIGMAS, Hypotheses
from napari_spatimeinr.model.latents import Latents
from napari_spatimeinr.model.motion import VelocityField
from napari_spatimeinr.model.network import Network
from napari_spatimeinr.render.sampler import Sampler
from napari_spatimeinr.render.tiles import TiledSource, kept

COUNT = 4
SIZES = st.tuples(st.integers(1, 6), st.integers(1, 12), st.integers(1, 80))


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    assert kernels.settle() == {}


@contextmanager
def torch_alone() -> Iterator[None]:
    """Kernels that are not there."""
    ready = kernels._READY.copy()
    kernels._READY.clear()
    try:
        yield
    finally:
        kernels._READY.update(ready)


def sampler(
    seed: int, shape: tuple[int, int, int], fields: int, features: int, planes: bool = False
) -> Sampler:
    """A network of so many velocity fields, none without, and latents, all of random weights."""
    torch.manual_seed(seed)
    moving = [
        VelocityField(torch.arange(float(COUNT)), shape, tuple(min(n, 3 + i) for n in shape))
        for i in range(fields)
    ]
    for field in moving:
        torch.nn.init.normal_(field.nodes, std=[0.5, 20.0][seed % 5 == 0])
    network = Network(moving[0] if moving else None)
    if fields > 1:
        network.hypotheses = Hypotheses(moving[1:], 6, torch.ones(len(SIGMAS), 3))
        for values in (network.hypotheses.prior, *network.hypotheses.layers.parameters()):
            torch.nn.init.normal_(values, std=0.3)
    if features:
        network.latents = Latents.of(LatentOptions(channels=2, features=features, width=6))
        for values in network.latents.decoder.parameters():
            torch.nn.init.normal_(values, std=0.3)
    if planes:
        network.planes = FinerPlanes(2, 4, 2, False)
    frames = Frames(
        np.random.default_rng(seed).random((COUNT, *shape), np.float32),
        Normalisation(0.0, 1.0, (1.0,) * COUNT),
        torch.device("cpu"),
    )
    return Sampler(TiledSource(network, frames, kept(2**24)))


def grid(seed: int, shape: tuple[int, int, int]) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(1, 70, (3,), generator=generator).clamp(max=torch.tensor([3, 5, 70]))
    return tuple(
        (torch.rand(int(n), generator=generator) * (size - 1)).sort().values
        for n, size in zip(sizes, shape, strict=True)
    )


@settings(max_examples=40, deadline=None, database=None)
@given(
    st.integers(0, 10**6),
    SIZES,
    st.sampled_from([(0, 4), (1, 0), (1, 3), (2, 0), (2, 4), (3, 5)]),
    st.sampled_from([0.5, 0.03, 1.5, 2.8]),
    st.booleans(),
)
@torch.no_grad()
def test_values_are_those_of_torch(seed, shape, parts, t, planes):
    made = sampler(seed, shape, *parts, planes and shape[0] > 1)
    where = grid(seed, shape)
    got = made.value(t, where, made.network.finer)
    with torch_alone():
        again = sampler(seed, shape, *parts, planes and shape[0] > 1)
        expected = again.value(t, where, again.network.finer)
    assert got.shape == expected.shape
    torch.testing.assert_close(got, expected, atol=5e-4, rtol=1e-3)


@pytest.mark.parametrize("parts", [(1, 0), (2, 4)])
@torch.no_grad()
def test_a_point_has_the_same_bits_whatever_is_computed_beside_it(parts, monkeypatch):
    shape = (6, 12, 80)
    z, y, x = torch.arange(6.0), torch.arange(0.25, 11.0), torch.arange(0.5, 79.0)
    made = sampler(1, shape, *parts)
    whole = made.value(1.5, (z, y, x), ()).reshape(6, 11, -1)
    for a, b, c in ((slice(2, 3), slice(3, 9), slice(None)), (slice(1, 4), slice(5), slice(9, 40))):
        part = made.value(1.5, (z[a], y[b], x[c]), ())
        assert torch.equal(part, whole[a, b, c].flatten())
    monkeypatch.setattr(between, "MOST", 700)
    assert torch.equal(made.value(1.5, (z, y, x), ()), whole.flatten())


@torch.no_grad()
def test_what_a_kernel_could_not_bear_is_refused(monkeypatch):
    made = sampler(1, (6, 8, 20), 2, 4)
    where = grid(1, (6, 8, 20))
    for name, wrong, said in (
        ("coefficients", lambda k, box, finer: torch.zeros(1, 1, 2, 2, 2), "came as"),
        ("latents", lambda k, box: torch.zeros(1, 4, 2, 2, 2), "came as"),
        ("context", lambda k, box: torch.zeros(1, 3, *(b - a for a, b in box)), "3 contexts"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(made.source, name, wrong)
            with pytest.raises(ValueError, match=said):
                made.value(1.5, where, ())
    made.network.hypotheses.prior.data = torch.zeros(4)
    with pytest.raises(ValueError, match="blended by 4 weights"):
        made.value(1.5, where, ())
