"""What a fit of the published method takes, from its options and the size of the recording."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..config.options import Config
from ..config.published import PublishedOptions
from .steps import CROP, CYCLE_SHARE

RCAN_STEP = 0.078
"""Seconds of a training step of the published latents, 8 x 24 x 24 degraded voxels, with the
options of its ready file."""
MLP_STEP = 0.78
"""Seconds of a step of the published MLP with the options of its ready file, hypercubes open."""
CLOSED_STEP = 0.078
"""The same while they are closed."""


def published_cost(
    shape: Sequence[int], config: Config, options: PublishedOptions
) -> tuple[float, int]:
    """Seconds on the machine of docs/benchmarks.md, and bytes, of all steps of the schedule; the
    latents may be good enough before.

    Parameters
    ----------
    shape : (T, Z, Y, X) of the recording.
    config : the options of the fit.
    options : those of the published configuration.
    """
    degraded = [-(-n // options.dataset.train.downsample) for n in shape[1:]]
    rcan, mlp, ready = options.rcan, options.model, PublishedOptions()
    size = rcan.n_feats**2 * rcan.n_resgroups * rcan.n_resblocks / (ready.rcan.n_feats**2 * 12)
    crop = math.prod(min(n, c) for n, c in zip(degraded, CROP, strict=True))
    latents = RCAN_STEP * size * crop / 4608
    cycles = (2 * (config.cycle.temporal > 0) + 8 * (config.cycle.spatial > 0)) / CYCLE_SHARE
    cells = (
        options.dataset.train.bsize
        * options.dataloader.train.batch_size
        * (1 + cycles)
        / (2048 * 1.625)
    )
    width = mlp.netD * mlp.netW**2 / (ready.model.netD * ready.model.netW**2)
    closed = options.closed_share if config.render.hypercube else 1.0
    step = (
        closed * CLOSED_STEP + (1 - closed) * MLP_STEP * (options.n_samples + options.n_imps) / 24
    )
    seconds = options.max_iter * step * cells * width + (
        options.rcan_max_iter * latents if config.latents.enabled else 0.0
    )
    memory = (
        600_000_000
        + 24 * math.prod(shape[1:])
        + 4 * math.prod(degraded) * (6 * rcan.n_feats + 2 * shape[0])
    )
    return seconds, memory
