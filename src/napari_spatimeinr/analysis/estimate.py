"""What a fit will take, before it: seconds and memory, from the size, the options and this
machine's speed.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Generator, Sequence
from typing import NamedTuple

from ..compute.device import resolve_device
from ..config.options import Config
from ..published.cost import published_cost
from ..training.pace import REFERENCE_PROBE, convolution
from ..training.parts import STAGES
from ..training.run import FitRun

TRIED = 6
"""Steps of a fit that is only begun."""
PAUSE = 0.1
"""Seconds between two tries of the probe."""
PER_MEGAVOXEL = 0.9
"""Seconds for reading, the start of motion and the gates."""


class Estimate(NamedTuple):
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
    times: list[float] = []
    while len(times) < 5 or (len(times) < 15 and times[2] > 1.1 * times[0]):
        time.sleep(PAUSE if times else 0.0)
        times = sorted([*times, convolution()])
    return REFERENCE_PROBE / times[0]


def begun(run: FitRun) -> Generator[None, None, float | None]:
    """The seconds a fit takes, by its beginning: it is given up once its pace is known. None where
    it ends before that.
    """
    began = time.monotonic()
    try:
        for state in run:
            if state.step >= TRIED and state.seconds_left is not None:
                return time.monotonic() - began + state.seconds_left
            yield
    finally:
        run.close()
    return None


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
    costs = [stage.cost(shape, config, spacing) for stage in STAGES.values()]
    seconds = PER_MEGAVOXEL * math.prod(shape) / 1e6 + sum(cost.seconds for cost in costs)
    # Torch itself, and one frame with its smoothed copies.
    memory = 500_000_000 + 24 * math.prod(shape[1:])
    return seconds, memory + sum(cost.bytes for cost in costs)
