"""Devices other than the CPU are believed once they have computed the same as it: a check of about
a second.

Kernels for graphics processors arrive late and some have been silently wrong, for example for
tensors that are not contiguous. What is compared is what a fit is made of: sampling, convolution, a
training step.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..compute.device import resolve_device, resolve_precision
from .decoder import Decoder
from .encoder import Encoder
from .losses import alignment
from .motion import VelocityField
from .sampling import cubic, gaussian, linear, prefilter
from .start import pyramid, start_velocity

TOLERANCE = 0.01
"""Largest difference from the CPU, as a share of the largest value: products in TF32 are within a
thousandth."""
ROUGH_TOLERANCE = 0.05
"""The same where the device computes in bfloat16."""
RATE = 1e-3
"""Learning rate of the training step."""


class Chosen(NamedTuple):
    """Where to compute and, where that is the CPU instead of what was asked for, one sentence that
    says why.
    """

    device: torch.device
    why: str | None = None


def trusted_device(name: str = "auto") -> Chosen:
    """The device of that name if it computes what the CPU does, else the CPU; checked once per
    process and device.

    Raises
    ------
    DeviceError
        If there is no such device on this machine.
    """
    device = resolve_device(name)
    fault = None if device.type == "cpu" else _fault(device)
    if fault is None:
        return Chosen(device)
    return Chosen(
        torch.device("cpu"),
        f"The device {device} {fault}, so the CPU computes; a newer PyTorch may mend that.",
    )


def warned_device(name: str = "auto") -> torch.device:
    """The same with a warning, for where nothing keeps the sentence; it names the line that called
    the caller.
    """
    device, why = trusted_device(name)
    if why is not None:
        warnings.warn(why, stacklevel=3)
    return device


@functools.cache
def _fault(device: torch.device) -> str | None:
    return fault(device)


def fault(device: torch.device) -> str | None:
    """What a device does wrong, None if nothing was found."""
    precision = resolve_precision("auto", device, "planes")
    expected = dict(results(torch.device("cpu"), precision))
    computed = results(device, precision)
    for name, tensor in expected.items():
        right = tensor.detach().float()
        try:
            _, value = next(computed)
            value = value.detach().cpu().float()
        except (RuntimeError, TypeError) as error:
            return (
                f"cannot do {name}"
                f" ({(str(error).splitlines() or ['no reason given'])[0].rstrip('.')[:120]})"
            )
        rough = precision != torch.float32 and name == "a training step"
        allowed = (ROUGH_TOLERANCE if rough else TOLERANCE) * max(float(right.abs().max()), 1e-6)
        # Not a number is never within the tolerance.
        if value.shape != right.shape or not float((value - right).abs().max()) <= allowed:
            return f"does {name} differently from the CPU"
    return None


def results(device: torch.device, precision: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """What is compared, by name, computed on a device one after the other from the same numbers."""
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device)

    with torch.enable_grad():
        volume, points = noise(2, 3, 9, 10, 11), (noise(2, 40, 3) * 3 + 5)
        for layout, one in _layouts(volume).items():
            yield f"sampling of {layout} volumes", linear(one, points)
        yield "cubic sampling", cubic(noise(1, 1, 9, 10, 11), points[:1].clamp(1.5, 7))
        one, where = volume.clone().requires_grad_(True), points.clone().requires_grad_(True)
        linear(one, where).square().sum().backward()
        yield "gradients of sampled volumes", _there(one.grad)
        yield "gradients of places sampled at", _there(where.grad)
        frames, weight = noise(1, 3, 8, 9, 10), noise(4, 3, 3, 3, 3)
        frames, weight = frames.requires_grad_(True), weight.requires_grad_(True)
        out = F.conv3d(frames, weight)
        yield "convolutions", out
        out.square().sum().backward()
        yield (
            "gradients of convolutions",
            torch.cat([_there(frames.grad).flatten(), _there(weight.grad).flatten()]),
        )
        smooth = gaussian(noise(3, 1, 12, 14, 16), (1.5, 1.5, 1.5))
        yield "smoothing", smooth
        yield "the first estimate of motion", start_velocity(pyramid(smooth, (1.0, 1.0, 1.0), 2), 2)
        yield "a training step", _training_step(smooth, device, precision)


def _layouts(volume: Tensor) -> dict[str, Tensor]:
    """The same volume in memory in the ways that a fit has it, and with its axes in
    other orders.
    """
    one = volume[:1]
    return {
        "contiguous": volume,
        "transposed": volume.transpose(2, 4),
        "sliced": volume[:, 1:, 1:, ::2, 1:],
        "repeated": one.expand(2, -1, -1, -1, -1),
        "channels last": volume.permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3),
    }


def _training_step(frames: Tensor, device: torch.device, precision: torch.dtype) -> Tensor:
    """One step of velocity, encoder and decoder on three frames: losses before and after,
    parameters moved, gradients.
    """
    times = torch.arange(3.0).to(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        velocity = VelocityField(times.cpu(), (12, 14, 16), (3, 3, 3)).to(device)
        encoder, decoder = Encoder(4, 2, 2).to(device), Decoder(2, 8).to(device)
        points = (torch.rand(2, 60, 3) * 4 + 4).to(device)
    parameters = [velocity.nodes, *encoder.parameters(), *decoder.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=RATE)
    first = torch.arange(2).to(device)

    def loss() -> Tensor:
        at = (times[:-1] + times[1:]) / 2
        moved = alignment(velocity, frames, times, first, first + 1, at, points, 0.02).mean()
        values, latents = [], []
        for k in (0, 2):
            denoised, features = encoder(frames[k : k + 1], precision)
            values.append(cubic(prefilter(denoised, 2), points[:1] - 4)[0])
            latents.append(linear(features, points[:1] - 2)[0])
        between = decoder(
            (values[0], values[1]), (values[0], values[1]), (latents[0], latents[1]), 0.5, precision
        )
        return moved + (between - linear(frames[1:2], points[:1])[0, 0]).square().mean()

    before = loss()
    before.backward()
    gradients = [_there(p.grad).flatten() for p in parameters]
    # Each counts by its own size.
    scaled = [g / g.detach().abs().max().clamp(min=1e-6) for g in gradients]
    places = [p.detach().clone() for p in parameters]
    optimiser.step()
    moved = [
        ((p.detach() - old).abs().mean() / RATE)[None]
        for p, old in zip(parameters, places, strict=True)
    ]
    return torch.cat([before.detach()[None], loss().detach()[None], *moved, *scaled])


def _there(gradient: Tensor | None) -> Tensor:
    assert gradient is not None
    return gradient
