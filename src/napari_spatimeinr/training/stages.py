"""The stages of a fit: hold-out, motion, latents, each a generator of FitProgress."""

from __future__ import annotations

import copy
import math
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..field import Field
from ..model.network import Network
from . import confidence, gate, guard, holdout
from .job import FitProgress, Job, Steps
from .normalisation import estimate_gains
from .parts import planes
from .parts import voxels as voxels
from .parts.latents import train
from .parts.motion import MotionData, block_mask, misalignments, motion_data, refine, start
from .schedule import CHECKS

GAIN_VOXELS = 512
"""Frames are compared in brightness on the coarsest level with at least this many voxels; smaller
recordings say too little."""


def run(job: Job) -> Generator[FitProgress, None, Field]:
    """All stages; returns the final Field."""
    chosen: dict[str, Any] = {"motion": False, "latents": False, "interpolation": "linear"}
    job.provenance["chosen"] = chosen
    job.provenance["reasons"] = {}
    if job.constant:
        job.provenance["constant"] = True
    known = (
        {}
        if job.resume is None
        else {part: job.resume for part in ("planes", "voxels") if part in job.resume.provenance}
    )
    learn_planes = "planes" not in known and not job.constant and planes.wanted(job)
    learn_voxels = "voxels" not in known and not job.constant and voxels.wanted(job)
    if learn_planes:
        planes.plan(job)
    elif not job.constant and job.resume is None and planes.sharpened(job):
        job.provenance["warnings"].append(
            "The blur along z is not undone: that takes several planes, and at least four times as"
            " many voxels across them as lie between two of them."
        )
    if learn_voxels:
        voxels.plan(job)
    elif not job.constant and job.config.voxels.enabled and "voxels" not in known:
        job.provenance["reasons"]["voxels"] = "the planes are too small to learn finer voxels from"
    yield job.progress("reading")
    if job.volume.shape[0] > 1 and not job.constant:
        data = motion_data(job.frames, job.volume.spacing[1:], job.config.motion)
        if job.config.normalise_frames:
            gains = estimate_gains(
                next(
                    (v for v in reversed(data.levels) if v[0].numel() >= GAIN_VOXELS),
                    data.levels[-1],
                )
            )
            job.normalisation = replace(job.normalisation, gains=gains)
            scale = data.levels[0].new_tensor(gains).view(-1, 1, 1, 1, 1)
            data.levels = [level / scale for level in data.levels]
        yield from _fit(job, data)
    elif job.volume.shape[0] == 1 and not job.constant:
        job.provenance["reasons"]["motion"] = "one time point: nothing moves"
    for part, old in known.items():
        job.provenance[part] = copy.deepcopy(old.provenance[part])
        setattr(job.network, part, copy.deepcopy(getattr(old.network, part)))
    if learn_planes:
        yield from planes.fit_planes(job)
    if learn_voxels:
        yield from voxels.fit_voxels(job)
    chosen |= {**job.method.parts(), "interpolation": job.interpolation}
    return job.snapshot()


def _fit(job: Job, data: MotionData) -> Steps:
    motion, latents = job.config.motion.enabled, job.config.latents.enabled
    if job.resume is not None and job.resume.provenance.get("decided"):
        yield from _resumed(job, data, job.resume)
        return
    if latents and job.config.gate and job.volume.shape[0] == 2:
        # Each frame would be predicted from the other alone: where they are not aligned that
        # teaches blur, and wins by it.
        latents = False
        job.provenance["reasons"]["latents"] = "two frames cannot tell noise from what moved"
    if job.shared_motion is not None:
        job.network.velocity = copy.deepcopy(job.shared_motion.network.velocity)
    parts = gate.split(job.volume.shape[0]) if job.config.gate else None
    _plan(job, motion, latents, 0 if parts is None else holdout.trials(job.config.motion))
    prior = holdout.untried(job.config.motion)
    times = torch.arange(job.volume.shape[0], device=job.device, dtype=torch.float32)
    if motion and job.shared_motion is None:
        # Something to look at within a second or two.
        job.network.velocity = start(data, times, job.config.motion)
        yield job.progress("motion")
    if parts is not None:
        prior, motion, latents = yield from holdout.hold_out(job, data, parts)
    if motion and job.shared_motion is None and job.network.velocity is not None:
        job.network.velocity.curved.fill_(prior.curved)
    if motion and job.config.gate and job.shared_motion is None:
        motion = yield from _motion_gate(job, data, times, prior)
    if not motion and job.shared_motion is None:
        job.network.velocity = None
    job.provenance["decided"] = True
    job.provenance["smoothness"], job.provenance["curved"] = prior.smoothness, prior.curved
    if motion and job.shared_motion is None:
        yield from _final_motion(job, data, times, prior)
    looked = guard.find_jumps(job, data, times)
    if latents:
        yield from _final_latents(job, gated=parts is not None)
    yield from guard.watch(job, looked)
    if "confidence" in job.provenance:
        table = job.provenance["confidence"]
        job.provenance["confidence"] = confidence.at_native_gap(
            table, job.network, job.frames, job.seed
        )


def _plan(job: Job, motion: bool, latents: bool, trials: int = 0) -> None:
    if motion and job.shared_motion is None:
        steps = job.config.motion.steps
        job.schedule.planned["motion"] = steps + trials * min(steps, holdout.TRIAL_STEPS)
    if latents:
        job.schedule.planned["latents"] = job.config.latents.steps
    if job.config.gate:
        job.schedule.planned[CHECKS] = min(guard.MOST_CHECKED, max(0, job.volume.shape[0] - 2))


def _motion_gate(
    job: Job, data: MotionData, times: Tensor, prior: holdout.Prior
) -> Generator[FitProgress, None, bool]:
    """Whether motion found without masked blocks aligns neighbouring frames there, at the
    recording's own gap.
    """
    finest = data.levels[0]
    mask = block_mask((finest.shape[2], finest.shape[3], finest.shape[4]), job.seed).to(job.device)
    velocity = start(data, times, job.config.motion, 1 - mask, prior.curved)
    few = min(40, job.config.motion.steps)
    for _ in refine(
        velocity, data, times, job.config.motion, prior.smoothness, few, job.seed, 1 - mask
    ):
        yield job.progress("checking motion")
        if job.schedule.late(0.7):
            break
    still, moved = (
        float(misalignments(v, data, times, mask, job.seed).mean()) for v in (None, velocity)
    )
    gain = 10 * math.log10(max(still, 1e-12) / max(moved, 1e-12))
    job.provenance["motion_gate"] = {
        "alignment_gain_db": round(gain, 3),
        "on": "masked blocks at the native gap",
    }
    if gain < gate.MARGIN_DB:
        job.provenance["reasons"]["motion"] = (
            "it did not align neighbouring frames on blocks it had not seen"
        )
    return gain >= gate.MARGIN_DB


def _final_motion(job: Job, data: MotionData, times: Tensor, prior: holdout.Prior) -> Steps:
    options = job.config.motion
    velocity = job.network.velocity or start(data, times, options, curved=prior.curved)
    job.network.velocity = velocity
    steps = refine(velocity, data, times, options, prior.smoothness, options.steps, job.seed)
    yield from job.drive("motion", "motion", steps, 0.75)
    velocity.requires_grad_(False)


def _final_latents(job: Job, gated: bool) -> Steps:
    options = job.config
    given = list(range(job.volume.shape[0]))
    if gated:
        yield from _train(
            job, given, max(1, round((1 - holdout.LATENT_SHARE) * options.latents.steps)), None
        )
        return
    mask = 1 - block_mask(job.frames.shape, job.seed + 1).to(job.device) if options.gate else None
    holdout.new_latents(job)
    yield from _train(job, given, options.latents.steps, mask)
    if mask is not None:
        errors = gate.masked_errors(job.network, job.frames, 1 - mask, job.seed)
        gain = errors.gain("latents")
        job.provenance["latents_gate"] = {
            "gain_db": round(gain, 3),
            "on": "masked blocks, one neighbour at the native gap",
        }
        if gain < gate.ALONE_MARGIN_DB:
            job.network = Network(job.network.velocity)
            job.provenance["reasons"]["latents"] = (
                "they did not beat the frames themselves on blocks they had not seen"
            )


def _train(job: Job, given: list[int], steps: int, mask: Tensor | None) -> Steps:
    yield from job.drive(
        "latents",
        "latents",
        train(job.network, job.frames, given, job.config, steps, job.seed + 1, mask),
        0.97,
    )


def _resumed(job: Job, data: MotionData, old: Field) -> Steps:
    """Go on from a Field whose gates have decided."""
    for key in (
        "hold_out",
        "confidence",
        "decided",
        "smoothness",
        "curved",
        "motion_gate",
        "reasons",
    ):
        if key in old.provenance:
            job.provenance[key] = copy.deepcopy(old.provenance[key])
    guard.inherit(job, old.provenance.get("guard"))
    job.provenance["resumed_from_steps"] = old.provenance.get("steps", 0)
    job.interpolation = old.interpolation
    job.gain = job.provenance.get("hold_out", {}).get("gain_over_linear_db")
    job.network = old.network.copy()
    times = torch.arange(job.volume.shape[0], device=job.device, dtype=torch.float32)
    velocity = job.network.velocity
    if velocity is not None:
        velocity.requires_grad_(True)
        _plan(job, motion=True, latents=False)
        options = job.config.motion
        weight = float(job.provenance.get("smoothness", options.smoothness[0]))
        yield from job.drive(
            "motion",
            "motion",
            refine(velocity, data, times, options, weight, options.steps, job.seed + 2),
            0.3,
        )
        velocity.requires_grad_(False)
    looked = guard.find_jumps(job, data, times)
    if job.network.encoder is not None:
        job.schedule.planned["latents"] = job.config.latents.steps
        yield from _train(job, list(range(job.volume.shape[0])), job.config.latents.steps, None)
    yield from guard.watch(job, looked)
