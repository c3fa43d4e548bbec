"""What steps will take that are not done yet: measured, or scaled from another machine."""

from __future__ import annotations

import time

import torch

from ..model.network import Network
from .gate import LEAST_GIVEN
from .job import Job
from .parts import STAGES
from .parts.hypotheses import Hypotheses, untrained
from .parts.latents import HOLD_OUT_SHARE, LEAST_FRAMES, Latents, new_latents
from .parts.latents_fit import train
from .parts.motion import Motion
from .parts.motion_fit import kinds
from .schedule import CHECKS

REFERENCE_PROBE = 0.036
"""Seconds of :func:`convolution` on the machine of docs/benchmarks.md."""
CHECK_SECONDS = 0.3
"""Of a frame that is predicted from its neighbours, there."""
WORTH_A_TRIAL = 100
"""Steps of latents from which a few more, that change nothing, are spent on knowing their pace."""
TRIED = 6


@torch.no_grad()
def convolution() -> float:
    """Seconds of one convolution."""
    x, weight = torch.ones(1, 16, 20, 48, 48), torch.ones(16, 16, 3, 3, 3)
    began = time.perf_counter()
    torch.nn.functional.conv3d(x, weight)
    return time.perf_counter() - began


def expect(job: Job) -> None:
    """Tell the schedule what a step of each kind will take, but those of motion, which come first
    and depend most on the size of the recording.
    """
    schedule, planned = job.schedule, job.schedule.planned
    volume = job.volume
    costs = {
        name: stage.cost(volume.shape, job.config, volume.spacing).seconds / planned[name]
        for name, stage in STAGES.items()
        if name not in (Motion.name, Hypotheses.name) and planned.get(name)
    }
    costs = {name: seconds for name, seconds in costs.items() if seconds > 0}
    if not costs:
        return
    slower = _trial(job) / costs[Latents.name] if _is_worth_a_trial(job, costs) else None
    if slower is None:
        convolution()
        slower = min(convolution() for _ in range(3)) / REFERENCE_PROBE
    costs[CHECKS] = CHECK_SECONDS
    schedule.expected = {name: slower * seconds for name, seconds in costs.items()}


def unsure(job: Job) -> None:
    """Tell the schedule which steps wait for what a hold-out says: those on all frames."""
    schedule, options = job.schedule, job.config
    if not options.gate:
        return
    for name in schedule.later:
        final = getattr(getattr(options, name, None), "steps", 0)
        schedule.sure[name] = max(0, schedule.planned[name] - final)
    tested = job.held_out is not None and len(job.held_out.given) >= LEAST_GIVEN
    if tested and Latents.name in schedule.planned:
        schedule.sure[Latents.name] = round(HOLD_OUT_SHARE * schedule.planned[Latents.name])


def _is_worth_a_trial(job: Job, costs: dict[str, float]) -> bool:
    steps = job.schedule.planned.get(Latents.name, 0)
    worth = steps >= WORTH_A_TRIAL and job.volume.shape[0] >= LEAST_FRAMES
    return Latents.name in costs and worth and job.schedule.budget is None


def _trial(job: Job) -> float:
    """Seconds of a step of latents that are thrown away."""
    kept = job.network
    job.network = Network(kept.motion, hypotheses=kept.hypotheses)
    if job.config.hypotheses.enabled and kept.motion is not None and kept.hypotheses is None:
        # As many fields as will be blended.
        fields = [kept.motion] * len(kinds(job.config.motion))
        job.network.hypotheses = untrained(job, fields)
    new_latents(job)
    trial, job.network = job.network, kept
    given = list(range(job.volume.shape[0]))
    ends = [time.monotonic()]
    for _ in train(trial, job.frames, given, job.config, TRIED, job.seed):
        ends.append(time.monotonic())
    # The first one sets up, and others do what is done once for a frame, or are drawn small.
    return sorted(b - a for a, b in zip(ends[1:], ends[2:], strict=False))[1]
