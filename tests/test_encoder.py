"""The encoder computes convolutions of volumes, and so does its gradient, however it does it."""

import pytest
import torch
from torch.nn import functional as F

from napari_spatimeinr.model.encoder import Encoder, convolved


@pytest.mark.parametrize(("given", "made"), [(1, 6), (6, 3), (4, 4), (1, 1)])
@pytest.mark.parametrize("slope", [1.0, 0.1])
@pytest.mark.parametrize("shape", [(3, 3, 3), (5, 9, 4), (3, 16, 17)])
def test_a_volume_is_convolved_as_torch_does(given, made, shape, slope):
    generator = torch.Generator().manual_seed(given)
    sizes = ((1, given, *shape), (made, given, 3, 3, 3), (made,))
    of_ours = [torch.randn(size, generator=generator).requires_grad_() for size in sizes]
    of_torch = [value.detach().clone().requires_grad_() for value in of_ours]
    planes, *network = of_ours
    ours = convolved(planes[0].transpose(0, 1), *network, torch.float32, slope)
    ours = ours.transpose(0, 1)[None]
    expected = F.leaky_relu(F.conv3d(*of_torch), slope)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)
    ours.square().sum().backward()
    expected.square().sum().backward()
    for a, b in zip(of_ours, of_torch, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-2)


def test_slabs_of_a_frame_are_the_whole_frame(monkeypatch):
    encoder = Encoder(6, 3, 2)
    torch.nn.init.normal_(encoder.convolutions[-1].weight)
    frame = torch.rand(1, 1, 30, 12, 13)
    with torch.no_grad():
        whole = encoder(frame)
        monkeypatch.setattr("napari_spatimeinr.model.encoder.VOXELS_AT_ONCE", 1)
        slabs = encoder(frame)
    assert whole[0].shape == (1, 1, 24, 6, 7)
    assert whole[1].shape == (1, 2, 24, 6, 7)
    for a, b in zip(whole, slabs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
