"""The stages of a fit: hold-out, motion, latents, each a generator of FitProgress."""

from __future__ import annotations

import copy
import math
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..device import resolve_precision
from ..field import Field
from ..model.decoder import Decoder
from ..model.encoder import Encoder
from ..model.network import Network
from . import confidence, gate, planes
from .job import FitProgress, Job, Steps
from .latents import train
from .levels import estimate_gains
from .motion import MotionData, block_mask, misalignment, motion_data, refine, start

GAIN_VOXELS = 512
"""Frames are compared in brightness on the coarsest level with at least this many voxels; smaller recordings say too little."""
HELD_OUT_SHARE = 0.6
"""Share of the latents' steps spent on the hold-out fit; the final fit goes on from there."""


def run(job: Job) -> Generator[FitProgress, None, Field]:
    """All stages; returns the final Field."""
    chosen: dict[str, Any] = {"motion": False, "latents": False, "interpolation": "linear"}
    job.provenance["chosen"] = chosen
    job.provenance["reasons"] = {}
    known = job.resume if job.resume is not None and "axial" in job.resume.provenance else None
    learn_planes = known is None and not job.constant and planes.wanted(job)
    if learn_planes:
        planes.plan(job)
    elif not job.constant and job.resume is None and planes.sharpened(job):
        job.provenance["warnings"].append(
            "The blur along z is not undone: that takes several planes, and at least four times as many voxels across "
            "them as lie between two of them."
        )
    yield job.progress("reading")
    if job.volume.shape[0] > 1 and not job.constant:
        data = motion_data(job.frames, job.volume.spacing[1:], job.config.motion)
        if job.config.normalise_frames:
            gains = estimate_gains(next((v for v in reversed(data.levels) if v[0].numel() >= GAIN_VOXELS), data.levels[-1]))
            job.levels = replace(job.levels, gains=gains)
            scale = data.levels[0].new_tensor(gains).view(-1, 1, 1, 1, 1)
            data.levels = [level / scale for level in data.levels]
        yield from _fit(job, data)
    elif job.volume.shape[0] == 1:
        job.provenance["reasons"]["motion"] = "one time point: nothing moves"
    if known is not None:
        job.provenance["axial"] = copy.deepcopy(known.provenance["axial"])
        job.network.axial = copy.deepcopy(known.network.axial)
    if learn_planes:
        yield from planes.fit_planes(job)
    chosen |= {
        "motion": job.network.velocity is not None,
        "latents": job.network.encoder is not None,
        "axial": job.network.axial is not None,
        "interpolation": job.interpolation,
    }
    return job.snapshot()


def _fit(job: Job, data: MotionData) -> Steps:
    motion, latents = job.config.motion.enabled, job.config.latents.enabled
    if job.resume is not None and job.resume.provenance.get("decided"):
        yield from _resumed(job, data, job.resume)
        return
    if job.shared_motion is not None:
        job.network.velocity = copy.deepcopy(job.shared_motion.network.velocity)
    parts = gate.split(job.volume.shape[0]) if job.config.gate else None
    _plan(job, motion, latents, fits=1 if parts is None else 1 + len(job.config.motion.smoothness))
    smoothness = sorted(job.config.motion.smoothness)[len(job.config.motion.smoothness) // 2]
    times = torch.arange(job.volume.shape[0], device=job.device, dtype=torch.float32)
    if motion and job.shared_motion is None:
        # Something to look at within a second or two.
        job.network.velocity = start(data, times, job.config.motion)
        yield job.progress("motion")
    if parts is not None:
        smoothness, motion, latents = yield from _hold_out(job, data, parts, smoothness)
    if motion and job.config.gate and job.shared_motion is None:
        motion = yield from _motion_gate(job, data, times, smoothness)
    if not motion and job.shared_motion is None:
        job.network.velocity = None
    job.provenance["decided"] = True
    job.provenance["smoothness"] = smoothness
    yield from _final(job, data, times, motion, latents, smoothness, gated=parts is not None)
    if "confidence" in job.provenance:
        table = job.provenance["confidence"]
        job.provenance["confidence"] = confidence.at_native_gap(table, job.network, job.frames, job.seed)


def _plan(job: Job, motion: bool, latents: bool, fits: int) -> None:
    if motion and job.shared_motion is None:
        job.schedule.planned["motion"] = job.config.motion.steps * fits
    if latents:
        job.schedule.planned["latents"] = job.config.latents.steps


def _new_latents(job: Job) -> None:
    options = job.config.latents
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        encoder, decoder = Encoder(options.channels, options.layers, options.features), Decoder(options.features, options.width)
    job.network.encoder, job.network.decoder = encoder.to(job.device), decoder.to(job.device)
    job.network.precision = resolve_precision(job.config.precision, job.device)


def _hold_out(
    job: Job, data: MotionData, parts: gate.HeldOut, smoothness: float
) -> Generator[FitProgress, None, tuple[float, bool, bool]]:
    """Fit without the held-out frames, score on them, decide: (smoothness, keep motion, keep latents)."""
    options = job.config
    some = data.subset(parts.given)
    times = torch.tensor(parts.given, dtype=torch.float32, device=job.device)
    frames = job.frames
    candidates: dict[str, Network] = {}
    weights: dict[str, float] = {}
    if job.shared_motion is not None:
        candidates["motion"] = Network(job.network.velocity)
    elif options.motion.enabled:
        for number, weight in enumerate(options.motion.smoothness):
            velocity = start(some, times, options.motion)
            steps = refine(velocity, some, times, options.motion, weight, options.motion.steps, job.seed)
            yield from job.drive("hold-out: motion", "motion", steps, 0.2 * (number + 1) / len(options.motion.smoothness))
            velocity.requires_grad_(False)
            candidates[f"motion {weight:g}"] = Network(velocity)
            weights[f"motion {weight:g}"] = weight
    errors = gate.held_out_errors(candidates, frames, parts, job.seed)
    best = gate.choose(errors, list(candidates))
    moving = max(candidates, key=errors.gain) if candidates else None
    if moving is not None:
        smoothness = weights.get(moving, smoothness)
    tried = moving if best in candidates else None
    base = Network()
    if options.latents.enabled:
        network = job.network
        base = Network(candidates[tried].velocity if tried is not None else None)
        job.network = base
        _new_latents(job)
        steps = train(base, frames, parts.given, options, max(1, int(HELD_OUT_SHARE * options.latents.steps)), job.seed)
        yield from job.drive("hold-out: latents", "latents", steps, 0.6)
        gate.held_out_errors({"latents": base}, frames, parts, job.seed, errors)
        best = gate.choose(errors, [*candidates, "latents"])
        # What was learned goes on with the motion of all frames.
        job.network = Network(network.velocity, base.encoder, base.decoder, base.precision)
    keep_latents = best == "latents"
    keep_motion = best in candidates or (keep_latents and tried is not None)
    if not keep_latents:
        job.network = Network(job.network.velocity)
        if options.latents.enabled:
            job.provenance["reasons"]["latents"] = "they did not beat the simpler result on held-out frames"
    if not keep_motion and candidates:
        job.provenance["reasons"]["motion"] = "it did not beat interpolation on held-out frames"
    if best == "cubic":
        job.interpolation = "cubic"
    job.gain = round(errors.gain(best), 3)
    shown = base if keep_latents else candidates.get(best, Network())
    job.provenance["confidence"] = confidence.calibrate(shown, frames, parts, job.seed)
    job.provenance["hold_out"] = {
        "frames": parts.held,
        "method": best,
        "gain_over_linear_db": job.gain,
        "gain_over_cubic_db": round(errors.gain(best, "cubic"), 3),
        "gain_over_linear_moving_db": round(errors.gain(best, moving=True), 3),
        "all": {name: round(errors.gain(name), 3) for name in errors.whole},
        "note": "frames at twice the interval; the real interval is easier",
    }
    yield job.progress("hold-out")
    return smoothness, keep_motion, keep_latents


def _motion_gate(job: Job, data: MotionData, times: Tensor, smoothness: float) -> Generator[FitProgress, None, bool]:
    """Whether motion found without masked blocks aligns neighbouring frames there, at the recording's own gap."""
    finest = data.levels[0]
    mask = block_mask((finest.shape[2], finest.shape[3], finest.shape[4]), job.seed).to(job.device)
    velocity = start(data, times, job.config.motion, 1 - mask)
    few = min(40, job.config.motion.steps)
    for _ in refine(velocity, data, times, job.config.motion, smoothness, few, job.seed, 1 - mask):
        yield job.progress("checking motion")
        if job.schedule.late(0.7):
            break
    still, moved = (misalignment(v, data, times, mask, job.seed) for v in (None, velocity))
    gain = 10 * math.log10(max(still, 1e-12) / max(moved, 1e-12))
    job.provenance["motion_gate"] = {"alignment_gain_db": round(gain, 3), "on": "masked blocks at the native gap"}
    if gain < gate.MARGIN_DB:
        job.provenance["reasons"]["motion"] = "it did not align neighbouring frames on blocks it had not seen"
    return gain >= gate.MARGIN_DB


def _final(job: Job, data: MotionData, times: Tensor, motion: bool, latents: bool, smoothness: float, gated: bool) -> Steps:
    options = job.config
    if motion and job.shared_motion is None:
        velocity = job.network.velocity or start(data, times, options.motion)
        job.network.velocity = velocity
        steps = refine(velocity, data, times, options.motion, smoothness, options.motion.steps, job.seed)
        yield from job.drive("motion", "motion", steps, 0.75)
        velocity.requires_grad_(False)
    if not latents:
        return
    given = list(range(job.volume.shape[0]))
    if gated:
        yield from _train(job, given, max(1, round((1 - HELD_OUT_SHARE) * options.latents.steps)), None)
        return
    mask = 1 - block_mask(job.frames.shape, job.seed + 1).to(job.device) if options.gate else None
    _new_latents(job)
    yield from _train(job, given, options.latents.steps, mask)
    if mask is not None:
        errors = gate.masked_errors(job.network, job.frames, 1 - mask, job.seed)
        gain = errors.gain("latents")
        job.provenance["latents_gate"] = {"gain_db": round(gain, 3), "on": "masked blocks, one neighbour at the native gap"}
        if gain < gate.ALONE_MARGIN_DB:
            job.network = Network(job.network.velocity)
            job.provenance["reasons"]["latents"] = "they did not beat the frames themselves on blocks they had not seen"


def _train(job: Job, given: list[int], steps: int, mask: Tensor | None) -> Steps:
    yield from job.drive("latents", "latents", train(job.network, job.frames, given, job.config, steps, job.seed + 1, mask), 0.97)


def _resumed(job: Job, data: MotionData, old: Field) -> Steps:
    """Go on from a Field whose gates have decided."""
    for key in ("hold_out", "confidence", "decided", "smoothness", "motion_gate", "reasons"):
        if key in old.provenance:
            job.provenance[key] = copy.deepcopy(old.provenance[key])
    job.provenance["resumed_from_steps"] = old.provenance.get("steps", 0)
    job.interpolation = old.interpolation
    job.gain = job.provenance.get("hold_out", {}).get("gain_over_linear_db")
    job.network = old.network.copy()
    times = torch.arange(job.volume.shape[0], device=job.device, dtype=torch.float32)
    velocity = job.network.velocity
    if velocity is not None:
        velocity.requires_grad_(True)
        _plan(job, motion=True, latents=False, fits=1)
        options = job.config.motion
        weight = float(job.provenance.get("smoothness", options.smoothness[0]))
        yield from job.drive("motion", "motion", refine(velocity, data, times, options, weight, options.steps, job.seed + 2), 0.3)
        velocity.requires_grad_(False)
    if job.network.encoder is not None:
        job.schedule.planned["latents"] = job.config.latents.steps
        yield from _train(job, list(range(job.volume.shape[0])), job.config.latents.steps, None)
