"""Rendering of the published model: hypercubes the size of the output's cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from ..config.options import RenderOptions
from ..model.frames import Frames
from ..model.network import Network
from ..model.rendering import existing
from ..render.blocks import Blocks, Cell, Floats
from ..render.quantities import Quantity, raw_intensities
from ..render.renderer import Renderer
from .hypercube import fixed
from .model import Published


class PublishedRenderer(Blocks):
    """Values of the published model anywhere; several threads may call it.

    Parameters
    ----------
    model : what was fitted.
    frames : the recording.
    options : how cells are integrated where another quantity is shown.
    """

    def __init__(self, model: Published, frames: Frames, options: RenderOptions) -> None:
        self.model = model
        self.frames = frames
        self.options = options
        self._plain = Renderer(Network(), frames, options)

    def rough(self, t: float, positions: Sequence[Floats], cell: Cell) -> NDArray[np.float32]:
        """The frames, interpolated linearly."""
        return self._plain.rough(t, positions, cell)

    def showing(self, quantity: Quantity) -> Renderer:
        """Another quantity, which is one of the frames alone: this method knows no motion."""
        return self._plain.showing(quantity)

    @torch.no_grad()
    def block(self, t: float, positions: Sequence[Floats], cell: Cell) -> NDArray[np.float32]:
        """Raw intensities at time ``t`` on the regular grid of voxel ``positions``; see
        :meth:`.Renderer.block`.
        """
        model, device = self.model, self.frames.device
        part = model.options.dataset.eval
        sizes = (self.frames.count, *self.frames.shape)
        parts = [
            _within(np.asarray(p, np.float64), 2 * part.radius * c, n)
            for p, c, n in zip(([t], *positions), cell, sizes, strict=True)
        ]
        points, lengths = (
            torch.stack(
                torch.meshgrid(
                    *(torch.from_numpy(p[i].astype(np.float32)) for p in parts), indexing="ij"
                ),
                -1,
            )
            .reshape(-1, 4)
            .to(device)
            for i in (0, 1)
        )
        offsets = fixed(model.options.n_samples).to(device)
        m = model.options.n_imps
        quantiles = (torch.arange(m, device=device) + 0.5) / max(m, 1)
        # Always so many cells at once: products of matrices of other sizes round differently.
        n = min(part.bsize * model.options.dataloader.eval.batch_size, model.at_once())
        missing = -len(points) % n
        values = []
        for some, length in zip(
            *(F.pad(of, (0, 0, 0, missing)).split(n) for of in (points, lengths)), strict=True
        ):
            _, fine = model.cells(
                some, length[:, None] / 2, offsets.expand(n, -1, -1), quantiles.expand(n, -1)
            )
            values.append(fine)
        out = raw_intensities(self.frames, torch.cat(values)[: len(points)], t)
        return out.reshape([len(p) for p in positions]).cpu().numpy()


def _within(
    centres: NDArray[np.float64], extent: float, n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middles and lengths of cells; of those larger than the recording, of the part that lies in
    it.
    """
    return existing(centres, extent, n) if extent > n else (centres, np.full(len(centres), extent))
