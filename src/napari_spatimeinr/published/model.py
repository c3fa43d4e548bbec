"""The published model: latents of the recording, added to encoded coordinates, through an MLP,
summed over hypercubes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..config.published import Mlp, PublishedOptions
from .hypercube import important, weights
from .rcan import RCAN

Shape = tuple[int, int, int, int]

SPREAD = 4.0
"""Standard deviation that latents get before the MLP sees them. They are added to an encoding of
0.7; as they come out of their
own training (0.1) they drown in it."""
CACHED = 8192
"""Samples that go through the MLP at a time on a CPU: its layers are then limited by arithmetic,
not by memory."""
PARALLEL = 2**20
"""The same on a GPU, which needs many to be busy."""


def degraded(frames: Tensor, factors: Sequence[int]) -> Tensor:
    """Means over blocks of voxels: ``(1, T, Z, Y, X)``, sizes rounded up, the border repeated."""
    missing = [-n % f for n, f in zip(frames.shape[2:], factors, strict=True)]
    z, y, x = missing
    return F.avg_pool3d(F.pad(frames, (0, x, 0, y, 0, z), mode="replicate"), tuple(factors))


def encoded(coordinates: Tensor, options: Mlp) -> Tensor:
    """Coordinates ``(..., 4)`` and their waves of doubling frequency, ``(...,
    options.encoded)``.
    """
    angles = (
        coordinates[..., None, :]
        * (math.pi * 2.0 ** torch.arange(options.max_freq, device=coordinates.device))[:, None]
    )
    parts = [coordinates]
    for name in options.p_fns:
        waves = torch.sin(angles) if name == "sin" else torch.cos(angles)
        parts.append(waves.flatten(-2))
    return torch.cat(parts, -1)


class Waves(nn.Module):
    """The MLP: encoded coordinates with the latent added, to value and density."""

    def __init__(self, options: Mlp) -> None:
        super().__init__()
        self.skips = options.skips
        widths = [options.encoded] + [options.netW] * options.netD
        self.layers = nn.ModuleList(
            nn.Linear(before + (options.encoded if i in options.skips else 0), after)
            for i, (before, after) in enumerate(zip(widths[:-1], widths[1:], strict=True))
        )
        self.last = nn.Linear(options.netW, options.out_ch)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """``(..., encoded)`` to value and density ``(...)``, the density not negative."""
        h = inputs
        for i, layer in enumerate(self.layers):
            h = F.relu_(layer(torch.cat([h, inputs], -1) if i in self.skips else h))
        value, density = self.last(h).float().unbind(-1)
        return value, F.softplus(density)


class Published(nn.Module):
    """Latents and MLP of a recording.

    Parameters
    ----------
    options : of the published configuration.
    shape : (T, Z, Y, X) of the recording.
    precision : arithmetic of the networks.
    latents : off, the coordinates are all that the MLP sees.
    hypercube : off, a cell is its centre.
    """

    closed: Tensor
    """1 while cells are still rendered by their centres alone."""
    features: Tensor
    """What latents are made of, on the degraded grid: ``(1, n_feats, z, y, x)``; empty until they
    are computed."""

    def __init__(
        self,
        options: PublishedOptions,
        shape: Shape,
        precision: torch.dtype = torch.float32,
        latents: bool = True,
        hypercube: bool = True,
    ) -> None:
        super().__init__()
        self.options, self.shape, self.precision = options, shape, precision
        self.has_latents, self.hypercube = latents, hypercube
        count, *space = shape
        d = options.dataset.train.downsample
        # An axis that is hardly longer than a block of voxels has nothing to lose.
        self.factors = tuple(d if n >= 2 * d else 1 for n in space)
        channels = options.rcan.n_feats
        self.rcan = RCAN(options.rcan, count)
        self.heads = nn.Parameter(
            torch.randn(count, options.len_lz, channels) / math.sqrt(channels)
        )
        self.up = nn.Linear(options.len_lz, math.prod(self.factors))
        self.mlp = Waves(options.model)
        self.register_buffer("closed", torch.tensor(1.0 if hypercube else 0.0))
        self.register_buffer("features", torch.empty(0))

    def autocast(self) -> torch.autocast:
        """Where the networks run in their precision."""
        return torch.autocast(
            self.heads.device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16
        )

    # -- latents ----------------------------------------------------------------------------

    def reconstructed(self, coarse: Tensor, sizes: Sequence[int]) -> Tensor:
        """Degraded frames ``(1, T, z, y, x)`` to frames ``(1, T, *sizes)``, by way of the latents.

        Each voxel is a linear function of the latent interpolated there, one function for each
        place in a degraded voxel: latents are trained as they are used, or a point would not find
        in them what its neighbours know.
        """
        with self.autocast():
            features = self.rcan(coarse)
            frames = []
            for head in self.heads:
                # Linear functions may go before the interpolation, which is then of few channels.
                places = (
                    torch.einsum("pl,lf,nfzyx->npzyx", self.up.weight, head, features)
                    + self.up.bias[:, None, None, None]
                )
                fine = F.interpolate(
                    places,
                    scale_factor=[float(f) for f in self.factors],
                    mode="trilinear",
                    align_corners=False,
                )
                frames.append(_own_place(fine, self.factors))
        z, y, x = sizes
        return torch.cat(frames, 1)[:, :, :z, :y, :x].float()

    @torch.no_grad()
    def keep_features(self, coarse: Tensor) -> None:
        """Compute the features of the whole degraded recording ``(1, T, z, y, x)``, for latents
        anywhere, and scale these.
        """
        with self.autocast():
            self.features = self.rcan(coarse).float()
        spread = torch.stack(
            [torch.einsum("lf,nfzyx->nlzyx", head, self.features).std() for head in self.heads]
        ).mean()
        self.heads.mul_(SPREAD / spread.clamp(min=1e-3))

    def latents(self, points: Tensor) -> Tensor:
        """Latents ``(P, len_lz)``, linear in time and space, at ``points`` ``(P, 4)``, (t, z, y, x)
        in frames and voxels.
        """
        if not self.has_latents:
            return points.new_zeros(len(points), self.options.len_lz)
        grid = []
        for axis in (3, 2, 1):
            n, factor = self.features.shape[axis + 1], self.factors[axis - 1]
            # The centre of a block of voxels is where its mean lies.
            place = (points[:, axis] - (factor - 1) / 2) / factor
            grid.append(2 * place / (n - 1) - 1 if n > 1 else torch.zeros_like(place))
        where = torch.stack(grid, -1)[None, None, None]
        features = F.grid_sample(self.features, where, padding_mode="border", align_corners=True)[
            0, :, 0, 0
        ].T
        t = points[:, 0].clamp(0, self.shape[0] - 1)
        before = t.floor().long().clamp(max=max(self.shape[0] - 2, 0))
        share = (t - before)[:, None]
        parts, found = [], []
        for k in (
            before.unique().tolist()
        ):  # of one frame and the next at a time: heads are too large to be gathered for each
            index = (before == k).nonzero()[:, 0]
            own, late = features[index], share[index]
            first, second = self.heads[k], self.heads[min(k + 1, self.shape[0] - 1)]
            parts.append((own @ first.T) * (1 - late) + (own @ second.T) * late)
            found.append(index)
        return torch.cat(parts)[torch.cat(found).argsort()]

    # -- 4D rendering -------------------------------------------------------------------------

    def is_point(self) -> bool:
        """Whether a cell is its centre."""
        return not self.hypercube or bool(self.closed)

    def at_once(self) -> int:
        """Cells that are best computed at a time."""
        samples = 1 if self.is_point() else self.options.n_samples + self.options.n_imps
        return max(1, (CACHED if self.heads.device.type == "cpu" else PARALLEL) // samples)

    def cells(
        self, points: Tensor, half: Tensor, offsets: Tensor, quantiles: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Values of hypercubes, by the samples given and with those added where these weigh most,
        ``(P,)`` each.

        Parameters
        ----------
        points : centres ``(P, 4)``, (t, z, y, x) in frames and voxels.
        half : half-widths in the same, ``(4,)`` or, of each, ``(P, 1, 4)``.
        offsets : samples ``(P, n, 4)`` in [-1, 1].
        quantiles : ``(P, n_imps)``, where further samples are drawn.
        """
        if self.is_point():
            value = self._samples(points, half, torch.zeros_like(offsets[:, :1]))[0][:, 0]
            return value, value
        values, density = self._samples(points, half, offsets)
        order, weight = weights(offsets, density)
        coarse = (values.gather(1, order) * weight).sum(1)
        if quantiles.shape[1] == 0:
            return coarse, coarse
        added = important(offsets, order, weight.detach(), quantiles)
        more, more_density = self._samples(points, half, added)
        order, weight = weights(
            torch.cat([offsets, added], 1), torch.cat([density, more_density], 1)
        )
        fine = (torch.cat([values, more], 1).gather(1, order) * weight).sum(1)
        return coarse, fine

    def _samples(self, points: Tensor, half: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
        places = points[:, None] + offsets * half
        # Centred on the recording and inside [-1, 1], whatever the grid that is rendered; a power
        # of two voxels long, so that waves of the encoding return after a whole number of voxels
        # and tell the places in a degraded voxel apart.
        middle = points.new_tensor([(n - 1) / 2 for n in self.shape])
        length = points.new_tensor([2.0 ** max(1, math.ceil(math.log2(n))) for n in self.shape])
        coordinates = 2 * (places - middle) / length
        latents = self.latents(places.reshape(-1, 4)).view(*places.shape[:2], -1)
        inputs = encoded(coordinates, self.options.model) + latents
        with self.autocast():
            value, density = self.mlp(inputs)
        return value, density


def _own_place(channels: Tensor, factors: Sequence[int]) -> Tensor:
    """Of channels ``(1, a b c, Z, Y, X)`` for each place in a block of a x b x c voxels, that of
    each voxel: ``(1, 1, Z, Y, X)``.
    """
    out = torch.empty_like(channels[:, :1])
    places = itertools.product(*(range(f) for f in factors))
    for k, place in enumerate(places):
        z, y, x = (slice(i, None, f) for i, f in zip(place, factors, strict=True))
        out[:, 0, z, y, x] = channels[:, k, z, y, x]
    return out
