"""Convolutions of planes are those of torch, and so are their gradients."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from napari_spatimeinr.model.convolution import convolved_planes


def expected(planes, weight, bias, slope, added):
    out = F.leaky_relu(F.conv2d(planes, weight, bias), slope)
    return out + planes[:, :, 1:-1, 1:-1] if added else out


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 3),
    given_channels=st.integers(1, 5),
    made=st.integers(1, 5),
    plane=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    slope=st.sampled_from([1.0, 0.1]),
    added=st.booleans(),
    turned=st.booleans(),
)
def test_planes_are_convolved_as_torch_does(
    count, given_channels, made, plane, slope, added, turned
):
    made = given_channels if added else made
    generator = torch.Generator().manual_seed(made)
    sizes = ((count, given_channels, *plane), (made, given_channels, 3, 3), (made,))
    of_ours = [torch.randn(size, generator=generator) for size in sizes]
    if turned:  # as xz and yz planes of a frame come
        of_ours[0] = of_ours[0].transpose(2, 3)
    of_torch = [value.clone().requires_grad_() for value in of_ours]
    ours = convolved_planes(*(value.requires_grad_() for value in of_ours), slope, added)
    theirs = expected(*of_torch, slope, added)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    for a, b in zip(of_ours, of_torch, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-3)


def test_what_was_given_stays_as_it_was():
    planes, weight, bias = torch.randn(2, 3, 6, 6), torch.randn(3, 3, 3, 3), torch.randn(3)
    before = planes.clone()
    leaf = planes.requires_grad_()
    convolved_planes(leaf, weight, bias, 0.1, added=True).sum().backward()
    assert torch.equal(planes.detach(), before)
    assert leaf.grad is not None


def test_planes_that_are_given_get_no_gradient_they_did_not_ask_for():
    planes, weight = torch.randn(1, 1, 5, 5), torch.randn(2, 1, 3, 3, requires_grad=True)
    convolved_planes(planes, weight, torch.zeros(2)).sum().backward()
    assert planes.grad is None
    # The gradient of a sum is what each of the kernel's voxels met.
    met = F.avg_pool2d(planes, 3, 1, divisor_override=1)[0, 0]
    torch.testing.assert_close(weight.grad[0, 0], met)
