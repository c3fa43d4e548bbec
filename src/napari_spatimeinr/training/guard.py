"""The guard: intervals between frames in which plain linear interpolation is used after all.

A gate decides once for a whole recording. Here each interval between two frames is looked at: across a
jump (a stage that moved, frames that are suddenly empty) trajectories mean nothing, and where the
acquired frames are predicted worse than by linear interpolation, those between are not trusted either.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..interpolation import segment
from ..model.frames import Frames
from ..model.motion import VelocityField
from ..model.network import Network
from . import gate
from .job import Job, Steps
from .motion import MotionData, misalignments

AROUND = 4
"""Intervals on each side that one is compared with."""
JUMP = 6.0
"""Times the neighbours' squared difference that frames differ by across a jump, their motion undone."""
UNEXPLAINED = 0.15
"""Share of that difference which trajectories leave at a jump; what they explain better has moved."""
WORSE_DB = 0.5
"""Acquired frames predicted from their neighbours must not be worse than linear by more."""
POINTS = 2000
"""Points in each interval at which frames are compared."""


def jumps(differences: Tensor, still: Tensor) -> list[int]:
    """Intervals whose frames differ far more than those of the intervals around, and whose motion does not say why.

    Parameters
    ----------
    differences : mean squared difference of the two frames of each interval, along trajectories, ``(T - 1,)``.
    still : the same without motion.
    """
    values, found = differences.tolist(), []
    for i, value in enumerate(values):
        before, after = values[max(0, i - AROUND) : i], values[i + 1 : i + 1 + AROUND]
        if before and after:
            usual = max(sorted(side)[len(side) // 2] for side in (before, after))
        else:
            # Seen from one side, what slows down or speeds up looks like a jump, unless that is alone.
            usual = max([*before[-2:], *after[:2]], default=value)
        if value > JUMP * usual and value > UNEXPLAINED * float(still[i]):
            found.append(i)
    return found


def find_jumps(job: Job, data: MotionData, times: Tensor) -> list[int]:
    """The jumps of a recording, given the motion that was found, which is bridged there."""
    velocity, seed = job.network.velocity, job.seed
    if not job.config.gate:
        return []
    finest = data.levels[0]
    everywhere = finest.new_ones(1, 1, *finest.shape[2:])
    number = POINTS * (len(times) - 1)
    still = misalignments(None, data, times, everywhere, seed, number)
    moved = still if velocity is None else misalignments(velocity, data, times, everywhere, seed, number)
    broken = jumps(torch.minimum(still, moved), still)
    if velocity is not None:
        _bridge(velocity, broken)
    return broken


@torch.no_grad()
def _bridge(velocity: VelocityField, broken: list[int]) -> None:
    """Motion across jumps as on both sides of them: what was found there would bend the paths beside it."""
    whole = [i for i in range(len(velocity.nodes)) if i not in broken]
    for i in broken if whole else ():
        before, after = max((k for k in whole if k < i), default=None), min((k for k in whole if k > i), default=None)
        beside = [k for k in (before, after) if k is not None]
        velocity.nodes[i] = velocity.nodes[beside].mean(0)


@torch.no_grad()
def neighbour_gain(network: Network, interpolation: str, frames: Frames, k: int, broken: list[int], seed: int) -> float | None:
    """Gain over linear (dB) of frame ``k`` predicted from the others, whole or smoothed, whichever is less.

    None where a jump lies beside the frame, or nothing lies on one side of it.
    """
    count = frames.count
    if not 0 < k < count - 1 or k in broken or k - 1 in broken:
        return None
    numbers = segment(float(k), count, broken)
    return gate.left_out(network, interpolation, frames, k, numbers, seed)


def weak(gains: dict[int, float], count: int, least: float) -> list[int]:
    """Intervals at both ends of which (of one, at the ends of what is known) frames gain less than ``least`` over linear."""
    out = []
    for i in range(count - 1):
        known = [gains[k] for k in (i, i + 1) if k in gains]
        if known and max(known) < least:
            out.append(i)
    return out


def watch(job: Job, broken: list[int]) -> Steps:
    """Find the intervals that linear interpolation is better for; they go into the provenance, with a sentence."""
    network, count = job.network, job.frames.count
    if not job.config.gate or (network.velocity is None and network.encoder is None and job.interpolation == "linear"):
        return
    gains: dict[int, float] = {}
    for k in range(1, count - 1):
        gain = neighbour_gain(network, job.interpolation, job.frames, k, broken, job.seed)
        if gain is not None:
            gains[k] = gain
        yield job.progress("checking each interval")
        if job.schedule.late(0.98):
            break
    poor = [i for i in weak(gains, count, -WORSE_DB) if i not in broken]
    if not broken and not poor:
        return
    job.provenance["guard"] = {"linear": sorted([*broken, *poor]), "jumps": broken}
    for intervals, why in ((broken, "the recording jumps"), (poor, "frames were predicted worse than by linear interpolation")):
        if intervals:
            job.provenance["warnings"].append(f"{_named(intervals)} {why}; linear interpolation is used there.")


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
