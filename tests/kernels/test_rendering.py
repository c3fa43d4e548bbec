"""Kernels and their references in torch give the same values, whatever the grid, the motion and the
frame.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr import kernels
from napari_spatimeinr.model import boxes, gridded
from napari_spatimeinr.model.decoder import Decoder
from napari_spatimeinr.model.frames import inside
from napari_spatimeinr.model.motion import Displaced, VelocityField
from napari_spatimeinr.model.places import Places
from napari_spatimeinr.model.source import taken

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 12), st.integers(1, 90))


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    assert kernels.settle() == {}


def placed(seed: int, shape: tuple[int, int, int], moving: float) -> Places:
    """Places of an uneven grid in a frame, far beyond it where ``moving`` is large."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(1, 70, (3,), generator=generator).clamp(max=torch.tensor([4, 6, 70]))
    z, y, x = (
        (torch.rand(int(n), generator=generator) * (size - 1)).sort().values
        for n, size in zip(sizes, shape, strict=True)
    )
    if seed % 3 == 0:
        x = x.flip(0)
    nodes = tuple(min(n, 3) for n in shape)
    field = VelocityField(torch.arange(3.0), shape, nodes)
    torch.nn.init.normal_(field.nodes, std=moving, generator=generator)
    with torch.no_grad():
        displaced = field.displacement_nodes(0.5, 2.0, (float(z.min()), float(z.max())))
    return Places((z, y, x), field, displaced)


def reading(frame: torch.Tensor):
    def read(box):
        ranges, rows = inside(box, tuple(frame.shape[2:]))
        z, y, x = (slice(a, b) for a, b in ranges)
        return taken(frame[:, :, z, y, x], rows)

    return read


@settings(max_examples=40, deadline=None, database=None)
@given(
    st.integers(0, 10**6),
    SIZES,
    st.sampled_from([0.0, 0.7, 30.0]),
    st.sampled_from([(1, 1, 1), (2, 1, 1), (3, 2, 2)]),
)
def test_samples_are_those_of_torch(seed, shape, moving, factors):
    found = kernels.ready("rendering")
    places = placed(seed, shape, moving)
    fine = tuple((n - 1) * f + 1 for n, f in zip(shape, factors, strict=True))
    frame = torch.rand(1, 5, *fine, generator=torch.Generator().manual_seed(seed))
    one, several = reading(frame[:, :1]), reading(frame)
    with torch.no_grad():
        for compiled, plain, read in (
            (gridded.cubic_at, boxes.cubic_at, one),
            (gridded.linear_at, boxes.linear_at, one),
            (gridded.linear_at, boxes.linear_at, several),
        ):
            got = compiled(found, places, fine, factors, read)
            torch.testing.assert_close(got, plain(places, fine, factors, read), atol=1e-4, rtol=0)


def test_a_grid_whose_box_is_too_large_is_sampled_in_parts(monkeypatch):
    found = kernels.ready("rendering")
    places, read = placed(1, (6, 8, 60), 0.7), reading(torch.rand(1, 5, 6, 8, 60))
    asked = []

    def watched(box):
        asked.append(box)
        return read(box)

    with torch.no_grad():
        whole = gridded.linear_at(found, places, (6, 8, 60), (1, 1, 1), watched)
        monkeypatch.setattr(gridded, "MOST", 800)
        parts = gridded.linear_at(found, places, (6, 8, 60), (1, 1, 1), watched)
    assert len(asked) > 2
    assert torch.equal(whole, parts)


def test_what_a_kernel_could_not_bear_is_refused():
    found = kernels.ready("rendering")
    places, read = placed(1, (6, 8, 60), 0.7), reading(torch.rand(1, 1, 6, 8, 60))
    shape, factors = (6, 8, 60), (1, 1, 1)
    for wrong in (lambda box: read(box)[..., 1:], lambda box: read(box).double()):
        with pytest.raises(ValueError, match="came as"):
            gridded.cubic_at(found, places, shape, factors, wrong)
    nowhere = Displaced(torch.full_like(places.displaced.nodes, float("nan")))
    with pytest.raises(ValueError, match="no finite numbers"):
        gridded.cubic_at(
            found, Places(places.positions, places.motion, nowhere), shape, factors, read
        )


@settings(max_examples=25, deadline=None, database=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 200),
    st.sampled_from([(1, 4), (4, 24), (4, 32), (8, 48), (3, 10)]),
    st.sampled_from([0.001, 0.2, 0.5, 0.9]),
)
def test_the_decoder_is_that_of_torch(seed, count, sizes, share):
    torch.manual_seed(seed)
    decoder = Decoder(*sizes)
    for values in decoder.parameters():
        torch.nn.init.normal_(values, std=0.3)
    inner, outer = (tuple(torch.rand(2, count)) for _ in range(2))
    latents = tuple(torch.randn(2, sizes[0], count))
    expected = decoder(inner, outer, latents, share, torch.float32)  # torch, as gradients need
    with torch.no_grad():
        got = decoder(inner, outer, latents, share, torch.bfloat16)
    torch.testing.assert_close(got, expected.detach(), atol=2e-5, rtol=2e-5)
    wrong = (latents[0][:, 1:], latents[1])
    with torch.no_grad(), pytest.raises(ValueError, match="The decoder takes"):
        decoder(inner, outer, wrong, share, torch.float32)


@settings(max_examples=25, deadline=None, database=None)
@given(
    st.integers(0, 10**6), SIZES, st.booleans(), st.sampled_from([(0.5, 0.0), (0.5, 2.0), (1, 1)])
)
def test_nodes_are_followed_as_by_torch(seed, shape, curved, times):
    generator = torch.Generator().manual_seed(seed)
    field = VelocityField(torch.arange(3.0), shape, tuple(min(n, 5) for n in shape), curved)
    torch.nn.init.normal_(field.nodes, std=1.0, generator=generator)
    expected = field.displacement_nodes(*times).nodes
    with torch.no_grad():
        got = field.displacement_nodes(*times).nodes
    assert not got.requires_grad
    np.testing.assert_allclose(got, expected.detach(), atol=2e-4)
