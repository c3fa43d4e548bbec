"""IDIR: a network with sine activations maps places to displacements, fitted to one pair of frames.

After Wolterink, Zwienenberg, Brune, "Implicit neural representations for deformable image
registration", MIDL 2022. Random places are drawn in every step; the loss is 1 - NCC of the two
frames there, and a penalty on the determinant of the Jacobian leaving 1. Other than in the paper
the places are those halfway between the frames, so that neither is preferred; the network is
smaller, and a coarse pass on smoother frames goes before, as motion is larger here than a
membrane is thick.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from .warp import unlike, values, voxels

WIDTH, HIDDEN, OMEGA = 96, 3, 12.0
"""Width and number of sine layers; the frequency of the first."""
POINTS, FEWER = 4096, 512
"""Places of a step, and those of them at which the Jacobian is asked for."""
SMOOTHER = ((3.0, 150), (0.0, 350))
"""Standard deviation of more smoothing, voxels, and steps with it."""
RATE = 3e-4
FOLDING = 0.02
"""Weight of ``|det J - 1|``."""
SCALE = 8.0
"""Voxels that an output of 1 stands for."""


class Sines(nn.Module):
    """An MLP ``(..., 3) -> (..., 3)`` with sine activations (Sitzmann et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [3] + [WIDTH] * HIDDEN
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False))
        self.last = nn.Linear(WIDTH, 3)
        with torch.no_grad():
            for n, layer in enumerate(self.layers):
                bound = 1 / 3 if n == 0 else np.sqrt(6 / WIDTH) / OMEGA
                layer.weight.uniform_(-bound, bound)  # type: ignore[operator]
            self.last.weight.uniform_(-1e-3, 1e-3)
            self.last.bias.zero_()

    def forward(self, unit: Tensor) -> Tensor:
        """Outputs at places of about -1 to 1."""
        for layer in self.layers:
            unit = torch.sin(OMEGA * layer(unit))
        return self.last(unit)


def align_pair(
    a: NDArray[np.float32], b: NDArray[np.float32], seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Displacements ``forth`` and ``back`` between two frames, see :mod:`.peers`.

    Parameters
    ----------
    a, b : ``(Z, Y, X)``.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Sines()
    size = torch.tensor(a.shape, dtype=torch.float32)
    half = (size.max() - 1).clamp(min=1) / 2
    middle = (size - 1) / 2
    optimiser = torch.optim.Adam(network.parameters(), RATE)
    for sigma, steps in SMOOTHER:
        first, second = (torch.from_numpy(np.array(gaussian_filter(f, sigma))) for f in (a, b))
        for _ in range(steps):
            places = torch.rand((POINTS, 3), generator=generator) * (size - 1)
            unit = (places - middle) / half
            moved = SCALE * network(unit)
            # All of the displacement is moved, half of it before and half of it after.
            loss = unlike(values(first, places - moved / 2), values(second, places + moved / 2))
            loss = loss + FOLDING * _folding(network, unit[:FEWER], half)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        everywhere = ((voxels(a.shape) - middle) / half).reshape(-1, 3)
        moved = torch.cat([SCALE * network(part) for part in everywhere.split(2**16)])
    forward = moved.T.reshape(3, *a.shape).numpy()
    return -forward, forward


def _folding(network: Sines, unit: Tensor, half: Tensor) -> Tensor:
    """Mean of ``|det J - 1|`` of ``x -> x + moved(x)``, in voxels."""
    unit = unit.requires_grad_()
    moved = SCALE * network(unit)
    rows = [
        torch.autograd.grad(moved[:, axis].sum(), unit, create_graph=True)[0] / half
        for axis in range(3)
    ]
    jacobian = torch.stack(rows, 1) + torch.eye(3)
    return (torch.linalg.det(jacobian) - 1).abs().mean()
