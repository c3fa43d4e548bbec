"""What a fit will take, before it: seconds and memory, from the size, the options and this
machine's speed.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..compute.device import resolve_device
from ..config.options import Config
from ..config.published import PublishedOptions
from ..training.parts import STAGES
from ..training.published import CROP, CYCLE_SHARE

REFERENCE_PROBE = 0.036
"""Seconds of the probe on the machine of docs/benchmarks.md, where the figures below were
measured."""
PAUSE = 0.1
"""Seconds between two tries of the probe."""
PER_MEGAVOXEL = 0.9
"""Seconds for reading, the start of motion and the gates."""
RCAN_STEP = 0.078
"""Seconds of a training step of the published latents, 8 x 24 x 24 degraded voxels, with the
options of its ready file."""
MLP_STEP = 0.78
"""Seconds of a step of the published MLP with the options of its ready file, hypercubes open."""
CLOSED_STEP = 0.078
"""The same while they are closed."""


@dataclass(frozen=True)
class Estimate:
    """Seconds (None on a GPU, where nothing was measured) and bytes a fit will take."""

    seconds: float | None
    bytes: int
    device: str

    def __str__(self) -> str:
        memory = f"{self.bytes / 1e9:.1f} GB"
        where = "this CPU" if self.device == "cpu" else self.device
        if self.seconds is None:
            return f"{memory} on {where}"
        rounded = max(5, 5 * round(self.seconds / 5))
        words = f"{rounded} s" if rounded < 90 else f"{self.seconds / 60:.0f} min"
        return f"about {words}, {memory} on {where}"


@functools.cache
def machine_speed() -> float:
    """How fast this machine is, 1 for the one of docs/benchmarks.md: one convolution, timed once
    per process.

    It is tried again, for two seconds at most, until the three fastest agree: what else starts with
    a window keeps it busy.
    """
    x, weight = torch.ones(1, 16, 20, 48, 48), torch.ones(16, 16, 3, 3, 3)
    times: list[float] = []
    with torch.no_grad():
        while len(times) < 5 or (len(times) < 15 and times[2] > 1.1 * times[0]):
            time.sleep(PAUSE if times else 0.0)
            began = time.perf_counter()
            torch.nn.functional.conv3d(x, weight)
            times = sorted([*times, time.perf_counter() - began])
    return REFERENCE_PROBE / times[0]


def estimate(
    shape: Sequence[int],
    config: Config,
    device: str = "auto",
    spacing: Sequence[float] | None = None,
    time_budget: float | None = None,
) -> Estimate:
    """What fitting a recording will take, to within a factor of about two.

    Parameters
    ----------
    shape : (T, Z, Y, X) of the recording.
    config : the options of the fit.
    device : as in :func:`.fit`.
    spacing : (dt, dz, dy, dx); without it nothing is counted for finer planes.
    time_budget : seconds after which the fit will end.

    Raises
    ------
    DeviceError
        If there is no such device.
    """
    where = resolve_device(device)
    seconds, memory = (
        _ours(shape, config, spacing)
        if config.published is None
        else _published(shape, config, config.published)
    )
    seconds = seconds / machine_speed() if where.type == "cpu" else math.nan
    known = [s for s in (seconds, time_budget) if s is not None and math.isfinite(s)]
    return Estimate(min(known, default=None), memory, str(where))


def _ours(
    shape: Sequence[int], config: Config, spacing: Sequence[float] | None
) -> tuple[float, int]:
    """Seconds on the machine of docs/benchmarks.md, and bytes."""
    costs = [stage.cost(shape, config, spacing) for stage in STAGES.values()]
    seconds = PER_MEGAVOXEL * math.prod(shape) / 1e6 + sum(cost.seconds for cost in costs)
    # Torch itself, and one frame with its smoothed copies.
    memory = 500_000_000 + 24 * math.prod(shape[1:])
    return seconds, memory + sum(cost.bytes for cost in costs)


def _published(
    shape: Sequence[int], config: Config, options: PublishedOptions
) -> tuple[float, int]:
    """The same for all steps of the published schedule; the latents may be good enough before."""
    degraded = [-(-n // options.dataset.train.downsample) for n in shape[1:]]
    rcan, mlp, ready = options.rcan, options.model, PublishedOptions()
    size = rcan.n_feats**2 * rcan.n_resgroups * rcan.n_resblocks / (ready.rcan.n_feats**2 * 12)
    latents = (
        RCAN_STEP * size * math.prod(min(n, c) for n, c in zip(degraded, CROP, strict=True)) / 4608
    )
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
