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
from ..config.options import Config, PlanesOptions, VoxelsOptions
from ..published.cost import published_cost
from ..training.holdout import TRIAL_STEPS, trials
from ..training.parts.planes import LEAST_RATIO

REFERENCE_PROBE = 0.036
"""Seconds of the probe on the machine of docs/benchmarks.md, where the figures below were
measured."""
PAUSE = 0.1
"""Seconds between two tries of the probe."""
LATENT_STEP = 0.060
"""Seconds of a training step with the options of preset balanced."""
MOTION_STEP = 0.045
"""Seconds of an optimisation step of the velocity field with 12,000 points."""
PER_MEGAVOXEL = 0.9
"""Seconds for reading, the start of motion and the gates."""
PLANES_STEP = 0.015
"""Seconds of a training step of the network that makes planes finer, 5 layers of 32 channels."""


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
        else published_cost(shape, config, config.published)
    )
    seconds = seconds / machine_speed() if where.type == "cpu" else math.nan
    known = [s for s in (seconds, time_budget) if s is not None and math.isfinite(s)]
    return Estimate(min(known, default=None), memory, str(where))


def _ours(
    shape: Sequence[int], config: Config, spacing: Sequence[float] | None
) -> tuple[float, int]:
    """Seconds on the machine of docs/benchmarks.md, and bytes."""
    voxels, frame = math.prod(shape), math.prod(shape[1:])
    motion, latents = config.motion, config.latents
    seconds = PER_MEGAVOXEL * voxels / 1e6
    if shape[0] > 1:
        if motion.enabled:
            updates = motion.steps + (
                min(motion.steps, TRIAL_STEPS) * trials(motion)
                if config.gate and shape[0] > 3
                else 0
            )
            seconds += MOTION_STEP * updates * motion.points / 12_000
        if latents.enabled and not (config.gate and shape[0] == 2):
            convolutions = 0.4 + 0.6 * (latents.channels / 16) ** 2 * latents.layers / 2
            decoding = 0.5 + 0.5 * latents.width / 32
            share = latents.blocks * math.prod(latents.crop) / 25_600
            seconds += LATENT_STEP * latents.steps * share * convolutions * decoding
    planes = config.planes
    if config.voxels.enabled:
        seconds += _lines_step(config.voxels) * config.voxels.steps * (2 if config.gate else 1)
    if (
        spacing is not None
        and planes.enabled
        and shape[1] > 1
        and spacing[1] >= LEAST_RATIO * min(spacing[2:])
    ):
        seconds += _lines_step(planes) * planes.steps * (1.5 if config.gate else 1.0)
    # Torch itself, one frame with its smoothed copies, and the binned frames motion is estimated
    # on.
    return seconds, 500_000_000 + 24 * frame + 16 * min(voxels, motion.max_voxels)


def _lines_step(options: PlanesOptions | VoxelsOptions) -> float:
    """Seconds of a training step of a network that makes lines finer."""
    return PLANES_STEP * (0.4 + 0.6 * (options.channels / 32) ** 2 * options.layers / 5)
