"""Rendering of the published model: hypercubes the size of the output's cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from .config import RenderOptions
from .model.frames import Frames
from .model.hypercube import fixed
from .model.implicit import Published
from .model.network import Network
from .render import Renderer


class PublishedRenderer(Renderer):
    """Values of the published model anywhere; blocks and volumes as of any Renderer."""

    def __init__(self, model: Published, frames: Frames, options: RenderOptions) -> None:
        super().__init__(Network(), frames, options)
        self.model = model

    @torch.no_grad()
    def block(
        self, t: float, positions: Sequence[NDArray[np.float64]], cell: tuple[float, float, float, float]
    ) -> NDArray[np.float32]:
        """Raw intensities at time ``t`` on the regular grid of voxel ``positions``; see :meth:`Renderer.block`."""
        model, device = self.model, self.frames.device
        part = model.options.dataset.eval
        axes = [torch.from_numpy(np.asarray(p, np.float32)).to(device) for p in positions]
        space = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
        points = torch.cat([space.new_full((len(space), 1), t), space], 1)
        half = part.radius * torch.tensor(cell, dtype=torch.float32, device=device)
        offsets = fixed(model.options.n_samples).to(device)
        m = model.options.n_imps
        quantiles = (torch.arange(m, device=device) + 0.5) / max(m, 1)
        values = []
        for some in points.split(min(part.bsize * model.options.dataloader.eval.batch_size, model.at_once())):
            n = len(some)
            _, fine = model.cells(some, half, offsets.expand(n, -1, -1), quantiles.expand(n, -1))
            values.append(fine)
        out = self._raw(torch.cat(values), t).reshape([len(a) for a in axes])
        return out.cpu().numpy()
