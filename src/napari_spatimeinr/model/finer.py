"""Finer planes than were acquired, by what the lateral planes of the same recording teach.

A plane along z looks like a lateral plane that was blurred and sampled coarsely along one axis. A
small network that undoes this on lateral planes is run on the xz and on the yz planes of a frame,
and the two results are averaged (the idea of Weigert et al. 2018, 'Content-aware image
restoration', here with the recording as its own and only training set).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .convolution import SLOPE, convolved_planes
from .frames import SAME
from .sampling import cubic_matrix, mirrored, prefilter_matrix

VOXELS_AT_ONCE = 100_000
"""Of slices: buffers of more than some 30 MB are taken from the system and cleared each time."""
SPLINE_REACH = 4
"""Reach of the spline prefilter along z, planes; what is cut off is 0.5 % of a contrast."""


class FinerPart(Protocol):
    """A network that makes voxels finer; what renders knows nothing else of it.

    Voxel ``factor * k`` of what it makes lies, along each axis, where voxel ``k`` was.
    """

    @property
    def factors(self) -> tuple[int, int, int]:
        """Finer voxels per voxel (z, y, x)."""
        ...

    @property
    def reach(self) -> tuple[int, int, int]:
        """Voxels (z, y, x) around a block that its values depend on."""
        ...

    @property
    def overshoots(self) -> bool:
        """Whether something may become brighter or darker than it is in the frames, as where blur
        is undone.
        """
        ...

    def wanted(self, cell: tuple[float, float, float, float]) -> bool:
        """Whether output cells of an extent (t, z, y, x), in frames and source voxels, gain
        by it.
        """
        ...

    def __call__(self, voxels: Tensor, precision: torch.dtype) -> Tensor:
        """``(1, 1, z + 2 reach, ...)`` to ``(1, 1, (z - 1) factor + 1, ...)``."""
        ...


Chain = tuple[FinerPart, ...]
"""Parts that make voxels finer, one after the other."""


class FinerPlanes(nn.Module):
    """Frames on ``factor`` times finer planes: cubic splines along z plus a correction that starts
    at zero.

    Plane ``factor * k`` of the result lies where plane ``k`` was acquired. Convolutions have no
    padding: a block with ``reach`` voxels around it gives the same values as the whole frame.

    Parameters
    ----------
    factor : planes per acquired plane.
    channels, layers : of the network's 3 x 3 convolutions.
    sharpen : whether the acquired planes themselves are corrected (deblurred) too.
    """

    def __init__(self, factor: int, channels: int, layers: int, sharpen: bool = False) -> None:
        super().__init__()
        self.factor, self.sharpen = factor, sharpen
        widths = [1] + [channels] * (layers - 1) + [factor if sharpen else factor - 1]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 3) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        last = self.convolutions[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    @property
    def factors(self) -> tuple[int, int, int]:
        """Finer voxels per voxel (z, y, x)."""
        return self.factor, 1, 1

    @property
    def overshoots(self) -> bool:
        """Where blur is undone, something is brighter than in the frames around."""
        return self.sharpen

    def wanted(self, cell: tuple[float, float, float, float]) -> bool:
        """Where planes are thinner than the acquired ones; always where blur is undone."""
        return self.sharpen or cell[1] < 1 - SAME

    @property
    def reach(self) -> tuple[int, int, int]:
        """Voxels (z, y, x) around a block that its values depend on."""
        n = len(self.convolutions)
        return max(n, SPLINE_REACH + 2), n, n

    def forward(self, frames: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
        """``(1, 1, Z + 2 reach, Y + 2 reach, X + 2 reach)`` to ``(1, 1, (Z - 1) factor + 1, Y,
        X)``.
        """
        _, n, _ = self.reach
        block = frames[0, 0]
        z, y, x = block.shape
        lateral = slice(n, y - n), slice(n, x - n)
        of_xz = self._slices(block[:, lateral[0]].transpose(0, 1), precision).transpose(0, 1)
        of_yz = self._slices(block[:, :, lateral[1]].permute(2, 0, 1), precision).permute(1, 2, 0)
        return ((of_xz + of_yz) / 2)[None, None]

    def frame(self, frame: Tensor) -> Tensor:
        """A whole frame ``(Z, Y, X)``, mirrored at its borders: ``((Z - 1) factor + 1, Y, X)``."""
        out: Tensor = self(mirrored_around(frame, self.reach)[None, None])[0, 0]
        return out

    def _slices(self, slices: Tensor, precision: torch.dtype) -> Tensor:
        if torch.is_grad_enabled():
            return self.upright(slices, precision)
        at_once = max(1, VOXELS_AT_ONCE // (slices.shape[1] * slices.shape[2]))
        return torch.cat([self.upright(some, precision) for some in slices.split(at_once)])

    def upright(self, slices: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
        """Slices with z upright, ``(N, Z + 2 reach, L + 2 reach)``, to ``(N, (Z - 1) factor + 1,
        L)``.
        """
        r, n, _ = self.reach
        depth, width = slices.shape[1] - 2 * r, slices.shape[2]
        splines = _splines(depth, self.factor, r, slices.dtype, slices.device)
        out = splines @ slices[:, :, n : width - n]
        h = slices[:, None, r - n : r + depth + n].to(precision)
        last = len(self.convolutions) - 1
        for i, layer in enumerate(self.convolutions):
            assert isinstance(layer, nn.Conv2d) and layer.bias is not None
            weight, bias = layer.weight.to(precision), layer.bias.to(precision)
            slope = SLOPE if i < last else 1.0
            h = convolved_planes(h, weight, bias, slope, added=0 < i < last)
        correction = h.float()
        if not self.sharpen:
            correction = F.pad(correction, (0, 0, 0, 0, 1, 0))
        # Phases become planes; after the last acquired plane there is none.
        phases = correction.transpose(1, 2).flatten(1, 2)[:, : out.shape[1]]
        return out + phases


@functools.lru_cache(maxsize=64)
def _splines(
    depth: int, factor: int, reach: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """``((depth - 1) factor + 1, depth + 2 reach)``: acquired planes to finer ones."""
    positions = torch.arange((depth - 1) * factor + 1, device=device, dtype=dtype) / factor
    inner = depth + 2 * (reach - SPLINE_REACH)
    coefficients = prefilter_matrix(depth + 2 * reach, SPLINE_REACH, positions)
    return cubic_matrix(positions + (reach - SPLINE_REACH), inner) @ coefficients


class FinerVoxels(nn.Module):
    """Frames with ``factor`` times finer voxels along y and x: lines made finer by one network,
    along one axis, then the other.

    Both orders are averaged. As along z, splines plus a correction; the acquired voxels keep their
    values and places.

    Parameters
    ----------
    factor : voxels per acquired voxel along each axis.
    channels, layers : of the network's 3 x 3 convolutions.
    """

    def __init__(self, factor: int, channels: int, layers: int) -> None:
        super().__init__()
        self.lines = FinerPlanes(factor, channels, layers)

    @property
    def factor(self) -> int:
        """Voxels per acquired voxel."""
        return self.lines.factor

    @property
    def factors(self) -> tuple[int, int, int]:
        """Finer voxels per voxel (z, y, x)."""
        return 1, self.factor, self.factor

    @property
    def overshoots(self) -> bool:
        """Never: what it adds is kept within the frames around."""
        return False

    def wanted(self, cell: tuple[float, float, float, float]) -> bool:
        """Where voxels are smaller in the plane than the acquired ones."""
        return min(cell[2:]) < 1 - SAME

    @property
    def reach(self) -> tuple[int, int, int]:
        """Voxels (z, y, x) around a block that its values depend on."""
        along, across, _ = self.lines.reach
        return 0, along + across, along + across

    def forward(self, frames: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
        """``(1, 1, Z, Y + 2 reach, X + 2 reach)`` to ``(1, 1, Z, (Y - 1) factor + 1, (X - 1) factor
        + 1)``.
        """
        block = frames[0, 0]
        yx = self._twice(block, precision)
        xy = self._twice(block.transpose(1, 2), precision).transpose(1, 2)
        return ((yx + xy) / 2)[None, None]

    def frame(self, frame: Tensor) -> Tensor:
        """A whole frame ``(Z, Y, X)``, mirrored at its borders: ``(Z, (Y - 1) factor + 1, (X - 1)
        factor + 1)``.
        """
        out: Tensor = self(mirrored_around(frame, self.reach)[None, None])[0, 0]
        return out

    def _twice(self, planes: Tensor, precision: torch.dtype) -> Tensor:
        along, across, _ = self.lines.reach
        # Finer along the first axis with ``across`` coarse voxels to spare there, more than the
        # finer ones that are needed.
        fine = self.lines.upright(planes, precision)
        spare = across * self.factor - across
        fine = fine[:, spare : fine.shape[1] - spare].transpose(1, 2)
        return self.lines.upright(fine, precision).transpose(1, 2)


def mirrored_around(frame: Tensor, reach: Sequence[int]) -> Tensor:
    """A frame ``(Z, Y, X)`` with ``reach`` voxels of its mirror image around it."""
    index = [
        mirrored(torch.arange(-r, n + r, device=frame.device), n)
        for r, n in zip(reach, frame.shape, strict=True)
    ]
    return frame[index[0]][:, index[1]][:, :, index[2]]
