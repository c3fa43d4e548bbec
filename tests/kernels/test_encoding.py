"""The kernel of the encoder gives what torch gives, and a voxel the same bits in any block."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr import kernels
from napari_spatimeinr.model.encoder import Encoder
from napari_spatimeinr.model.encoding import encoded, kernels_of

BOTH = ("denoised", "latents")
SIZES = st.tuples(st.integers(1, 6), st.integers(1, 40), st.integers(1, 140))


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    assert kernels.settle() == {}


def made(channels: int, features: int, seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    encoder = Encoder(channels, 2, features)
    for values in encoder.parameters():
        torch.nn.init.normal_(values, std=0.2)
    return encoder


def block(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    sizes = (1, 1, *(n + 4 for n in shape))
    return torch.rand(sizes, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=40, deadline=None, database=None)
@given(SIZES, st.integers(1, 20), st.integers(1, 9), st.integers(0, 100))
def test_it_is_the_encoder_of_torch(shape, channels, features, seed):
    encoder, frames = made(channels, features, seed), block(shape, seed)
    found = encoded(kernels.ready("encoding"), encoder, frames, BOTH)
    with torch.no_grad():
        expected = dict(zip(BOTH, encoder(frames), strict=True))
    for kind in BOTH:
        torch.testing.assert_close(found[kind], expected[kind], atol=1e-4, rtol=1e-4)


@settings(max_examples=25, deadline=None, database=None)
@given(SIZES, st.data())
def test_a_voxel_has_the_same_bits_in_any_block_and_with_either_output(shape, data):
    encoder, frames = made(8, 5), block(shape)
    whole = encoded(kernels.ready("encoding"), encoder, frames, BOTH)
    box = []
    for n in shape:
        a = data.draw(st.integers(0, n - 1))
        box.append(slice(a, data.draw(st.integers(a + 1, n))))
    around = tuple(slice(s.start, s.stop + 4) for s in box)
    for kind in BOTH:
        part = encoded(
            kernels.ready("encoding"), encoder, frames[(0, 0, *around)][None, None], [kind]
        )
        assert list(part) == [kind]
        assert torch.equal(part[kind], whole[kind][(..., *box)])


def test_what_is_no_number_stays_where_it_is():
    encoder, frames = made(8, 4), block((3, 20, 70))
    clean = encoded(kernels.ready("encoding"), encoder, frames, BOTH)
    frames[0, 0, 3, 10, 30] = float("nan")
    spoiled = encoded(kernels.ready("encoding"), encoder, frames, BOTH)
    for kind in BOTH:
        where = torch.isnan(spoiled[kind]).any(1)[0]
        expected = torch.zeros_like(where)
        expected[0:3, 6:11, 26:31] = True
        assert torch.equal(where, expected)
        assert torch.equal(spoiled[kind][..., 40:], clean[kind][..., 40:])


def test_other_encoders_and_devices_are_left_to_torch():
    assert kernels_of(Encoder(4, 3, 2), torch.device("cpu")) is None
    assert kernels_of(Encoder(4, 2, 2), torch.device("meta")) is None
    assert kernels_of(Encoder(4, 2, 2), torch.device("cpu")) is not None


@pytest.mark.parametrize("wrong", [np.s_[:, :, :4], np.s_[:, 0], None], ids=str)
def test_what_a_kernel_could_not_bear_is_refused(wrong):
    frames = block((3, 5, 6))
    frames = frames.double() if wrong is None else frames[wrong]
    with pytest.raises(ValueError, match="A block to encode"):
        encoded(kernels.ready("encoding"), made(4, 2), frames, BOTH)
