"""UVI-Net: flows of a convolutional network, learned from a recording by going to a frame that was
never seen, and back.

After Kim, Yoon, Park, Baek, "Data-efficient unsupervised interpolation without any intermediate
frame for 4D medical images", CVPR 2024. Of two frames the network predicts the displacement to each
other; scaled by a random t they make a virtual frame in between, and from it the network must find
the two given frames again. Smaller than in the paper: a U-Net of three levels, trained on the
pairs of one recording alone, and without the network that retouches the result.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from .warp import unlike, warped

WIDTHS = (16, 24, 32, 32)
STEPS = 240
RATE = 1e-3
CROP = (16, 48, 48)
"""Of larger frames a random part of this size is trained on in each step."""
SMOOTH = 0.02
"""Weight of the squared differences of neighbouring displacements, voxels."""
CYCLE = 0.5
"""Weight of finding the given frames again, and of the two virtual frames being alike."""
SCALE = 4.0
"""Voxels that an output of 1 stands for."""


class UNet(nn.Module):
    """Two frames to the displacements of both, at half their resolution and enlarged."""

    def __init__(self) -> None:
        super().__init__()
        ins = (2, *WIDTHS[:-1])
        self.down = nn.ModuleList(
            nn.Conv3d(a, b, 3, stride=2, padding=1) for a, b in zip(ins, WIDTHS, strict=True)
        )
        self.up = nn.ModuleList(
            nn.Conv3d(a + b, b, 3, padding=1)
            for a, b in zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True)
        )
        self.last = nn.Conv3d(WIDTHS[0], 6, 3, padding=1)
        nn.init.normal_(self.last.weight, std=1e-3)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """``forth`` and ``back`` of two frames ``(Z, Y, X)``, ``(3, Z, Y, X)``."""
        x = torch.stack([a, b])[None]
        levels = []
        for down in self.down:
            x = leaky_relu(down(x), 0.1)
            levels.append(x)
        for up, skip in zip(self.up, levels[-2::-1], strict=True):
            x = interpolate(x, size=skip.shape[2:], mode="trilinear", align_corners=False)
            x = leaky_relu(up(torch.cat([x, skip], 1)), 0.1)
        x = interpolate(self.last(x), size=a.shape, mode="trilinear", align_corners=False)[0]
        return SCALE * x[:3], SCALE * x[3:]


def align_all(
    frames: NDArray[np.float32], tick: Callable[[int, int], None], seed: int = 0
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Displacements between all neighbouring frames, see :mod:`.peers`.

    Parameters
    ----------
    frames : ``(T, Z, Y, X)``.
    tick : called before every step.
    """
    generator = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = UNet()
    given = torch.from_numpy(np.ascontiguousarray(frames, dtype=np.float32))
    if len(given) < 2:
        return []
    optimiser = torch.optim.Adam(network.parameters(), RATE)
    for step in range(STEPS):
        tick(step, STEPS)
        k = int(generator.integers(len(given) - 1))
        first = [int(generator.integers(max(n - c, 0) + 1)) for n, c in _sizes(given)]
        part = tuple(slice(f, f + c) for f, (_, c) in zip(first, _sizes(given), strict=True))
        a, b = given[k][part], given[k + 1][part]
        loss = _loss(network, a, b, float(generator.uniform(0.2, 0.8)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    pairs = []
    with torch.no_grad():
        for a, b in zip(given, given[1:], strict=False):
            forth, back = network(a, b)
            pairs.append((forth.numpy(), back.numpy()))
    return pairs


def _sizes(frames: Tensor) -> list[tuple[int, int]]:
    """Size of the frames and of a part of them, along each axis."""
    return list(zip(frames.shape[1:], CROP, strict=True))


def _loss(network: UNet, a: Tensor, b: Tensor, t: float) -> Tensor:
    """From two frames to each other, to the virtual frame at ``t``, and from there back."""
    forth, back = network(a, b)
    loss = unlike(warped(a, forth), b) + unlike(warped(b, back), a)
    of_a, of_b = warped(a, t * forth), warped(b, (1 - t) * back)
    virtual = (1 - t) * of_a + t * of_b
    _, to_a = network(a, virtual)
    to_b, _ = network(virtual, b)
    again = unlike(warped(virtual, to_a), a) + unlike(warped(virtual, to_b), b)
    rough = sum(_rough(flow) for flow in (forth, back, to_a, to_b))
    return loss + CYCLE * (again + unlike(of_a, of_b)) + SMOOTH * rough


def _rough(flow: Tensor) -> Tensor:
    """Sum over axes of mean squared differences of neighbours."""
    parts = [flow.diff(dim=axis).square().mean() for axis in (1, 2, 3) if flow.shape[axis] > 1]
    return torch.stack(parts).sum() if parts else flow.sum() * 0
