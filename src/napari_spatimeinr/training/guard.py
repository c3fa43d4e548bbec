"""The guard: intervals between frames in which plain linear interpolation is used after all.

A gate decides once for a whole recording. Here each interval between two frames is looked at:
across a jump (a stage that moved, frames that are suddenly empty) trajectories mean nothing, and
where the acquired frames are predicted worse than by linear interpolation, those between are not
trusted either.
"""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import torch
from torch import Tensor

from ..config.facts import Guard
from ..model.interpolation import segment
from ..model.motion import VelocityField
from . import gate
from .job import Job, Steps
from .parts.motion_fit import MotionData, misalignments
from .schedule import CHECKS, ENDS

AROUND = 4
"""Intervals on each side that one is compared with."""
JUMP = 6.0
"""Times the neighbours' squared difference that frames differ by across a jump, their motion
undone."""
UNEXPLAINED = 0.15
"""Share of that difference which trajectories leave at a jump; what they explain better has
moved."""
WORSE_DB = 0.5
"""Acquired frames predicted from their neighbours must not be worse than linear by more."""
POINTS = 2000
"""Points in each interval at which frames are compared."""
MOST_CHECKED, LEAST_CHECKED = 64, 6
"""Frames that are predicted from their neighbours, at most and, where there are so many, at
least."""
SHARE = 0.1
"""Voxels predicted for this, as a share of those trained on: one takes about as long as the other
(4 to 5 us on a CPU)."""


def jumps(differences: Tensor, still: Tensor, lengths: Tensor) -> list[int]:
    """Intervals whose frames differ far more than those of the intervals around, and whose motion
    does not say why.

    Parameters
    ----------
    differences : mean squared difference of the two frames of each interval, along trajectories,
        ``(T - 1,)``.
    still : the same without motion.
    lengths : of the intervals, in median ones, ``(T - 1,)``: a longer one may differ by as much
        more as things move and change in it.
    """
    values, found = (differences / lengths.clamp(min=1) ** 2).tolist(), []
    for i, value in enumerate(values):
        before, after = values[max(0, i - AROUND) : i], values[i + 1 : i + 1 + AROUND]
        if before and after:
            usual = max(sorted(side)[len(side) // 2] for side in (before, after))
        else:
            # Seen from one side, what slows down or speeds up looks like a jump, unless that is
            # alone.
            usual = max([*before[-2:], *after[:2]], default=value)
        if value > JUMP * usual and differences[i] > UNEXPLAINED * still[i]:
            found.append(i)
    return found


class Looked(NamedTuple):
    """What each interval between frames looks like: the jumps, and the mean squared differences
    along trajectories.
    """

    jumps: list[int]
    differences: list[float]


def find_jumps(job: Job, data: MotionData) -> Looked:
    """The jumps of a recording, given the motion that was found, which is bridged there; the
    provenance tells them at once.
    """
    if not job.config.gate:
        return Looked([], [])
    number = POINTS * (len(data.times) - 1)
    found = {field: misalignments(field, data, job.seed, number) for field in job.network.fields}
    still = found.get(None)
    if still is None:
        still = misalignments(None, data, job.seed, number)
    least = torch.stack([still, *found.values()]).amin(0)
    broken = jumps(least, still, data.times.diff())
    for field in found:
        if field is not None:
            _bridge(field, broken)
    _tell(job, broken, _parts(job.provenance.guard)[1])
    return Looked(broken, least.tolist())


@torch.no_grad()
def _bridge(velocity: VelocityField, broken: list[int]) -> None:
    """Motion across jumps as on both sides of them: what was found there would bend the paths
    beside it.
    """
    whole = [i for i in range(len(velocity.nodes)) if i not in broken]
    for i in broken if whole else ():
        before, after = (
            max((k for k in whole if k < i), default=None),
            min((k for k in whole if k > i), default=None),
        )
        beside = [k for k in (before, after) if k is not None]
        velocity.nodes[i] = velocity.nodes[beside].mean(0)


def weak(gains: dict[int, float], count: int, least: float) -> list[int]:
    """Intervals at both ends of which (of one, at the ends of what is known) frames gain less than
    ``least`` over linear.
    """
    out = []
    for i in range(count - 1):
        known = [gains[k] for k in (i, i + 1) if k in gains]
        if known and max(known) < least:
            out.append(i)
    return out


def watch(job: Job, looked: Looked) -> Steps:
    """Find the intervals that linear interpolation is better for, on some of the frames where there
    are many.
    """
    network, count, broken = job.network, job.frames.count, looked.jumps
    if not job.config.gate:
        return
    if network.motion is None and network.latents is None and job.interpolation == "linear":
        _tell(job, [], [])  # linear everywhere anyway
        job.schedule.planned[CHECKS] = 0
        return
    before = _parts(job.provenance.guard)[1]
    number = _affordable(job)
    waiting = order(looked, number)
    job.schedule.planned[CHECKS] = min(number, len(waiting))
    gains: dict[int, float] = {}
    while waiting and len(gains) < number and not job.schedule.late(ENDS["checking each interval"]):
        began, k = time.monotonic(), waiting.pop(0)
        numbers = segment(float(k), count, broken)
        gains[k] = gate.left_out(network, job.interpolation, job.frames, k, numbers, job.seed)
        if gains[k] < -WORSE_DB:
            # How far this reaches: an interval is trusted where one of its frames is predicted
            # well.
            beside = [n for n in (k - 1, k + 1) if n in waiting]
            waiting = beside + [n for n in waiting if n not in beside]
        _tell(job, broken, [*before, *weak(gains, count, -WORSE_DB)])
        job.schedule.tick(CHECKS, time.monotonic() - began)
        yield job.progress("checking each interval")
    _tell(job, broken, weak(gains, count, -WORSE_DB))
    job.schedule.planned[CHECKS] = len(gains)


def order(looked: Looked, number: int) -> list[int]:
    """Frames between two others, first those to check if only ``number`` are: where frames differ
    most, and evenly spread ones.

    Frames beside a jump are not among them.
    """
    differences = looked.differences
    frames = [
        k for k in range(1, len(differences)) if k not in looked.jumps and k - 1 not in looked.jumps
    ]
    suspicious = sorted(frames, key=lambda k: -differences[k - 1] - differences[k])
    half = max(1, min(number, len(frames)) // 2)
    spread = (
        [frames[(2 * i + 1) * len(frames) // (2 * half)] for i in range(half)] if frames else []
    )
    mixed = [k for pair in zip(suspicious, spread, strict=False) for k in pair]
    return list(dict.fromkeys(mixed + suspicious))


def _affordable(job: Job) -> int:
    """How many frames are checked: by work, not by the clock, so that the same seed gives the same
    result.
    """
    trained = job.schedule.trained * math.prod(job.config.latents.crop)
    checked = min(math.prod(job.frames.shape), gate.MOST_BLOCKS * math.prod(gate.BLOCK))
    return max(LEAST_CHECKED, min(MOST_CHECKED, int(SHARE * trained / checked)))


def inherit(job: Job, old: Guard) -> None:
    """Start with the guard of a fit that is gone on from."""
    if job.config.gate:
        _tell(job, *_parts(old))


def _parts(known: Guard) -> tuple[list[int], list[int]]:
    """Jumps and poor intervals of a guard in a provenance."""
    return known.jumps, [i for i in known.linear if i not in known.jumps]


def _tell(job: Job, broken: list[int], poor: list[int]) -> None:
    """Put the intervals into the provenance, with their sentences, instead of those that were
    there.
    """
    warnings = job.provenance.warnings
    for said in _sentences(*_parts(job.provenance.pop("guard", Guard()))):
        if said in warnings:
            warnings.remove(said)
    poor = sorted(set(poor) - set(broken))
    if broken or poor:
        job.provenance.guard = Guard(linear=sorted([*broken, *poor]), jumps=broken)
        warnings.extend(_sentences(broken, poor))


def _sentences(broken: list[int], poor: list[int]) -> list[str]:
    whys = (
        (broken, "the recording jumps"),
        (poor, "frames were predicted worse than by linear interpolation"),
    )
    return [
        f"{_named(found)} {why}; linear interpolation is used there."
        for found, why in whys
        if found
    ]


def _named(intervals: list[int]) -> str:
    """Intervals by the numbers of their frames, counted from 0: 'Between frames 4 and 5'."""
    runs: list[list[int]] = []
    for i in intervals:
        if runs and runs[-1][1] == i:
            runs[-1][1] = i + 1
        else:
            runs.append([i, i + 1])
    most = 4
    words = [f"{a} and {b}" if b == a + 1 else f"{a} to {b}" for a, b in runs[:most]]
    more = f" and {len(runs) - most} more times" if len(runs) > most else ""
    return f"Between frames {', '.join(words)}{more} (counted from 0)"
