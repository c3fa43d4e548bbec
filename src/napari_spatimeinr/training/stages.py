"""How a fit runs: brightness, motion and latents by the hold-out, then every further part."""

from __future__ import annotations

import copy
from collections.abc import Generator
from dataclasses import replace

from .. import kernels
from ..config.facts import ConfidenceTable, Reasons
from ..field import Field
from ..model.network import ALONG_TIME, Network
from . import gate, guard, pace
from .compiling import until_compiled
from .confidence import at_native_gap
from .holdout import HoldOut
from .job import FitProgress, Job, Steps
from .normalisation import estimate_gains
from .parts import STAGES
from .parts.hypotheses import Hypotheses
from .parts.latents import Latents
from .parts.motion import Motion
from .parts.motion_fit import motion_data, start
from .schedule import CHECKS
from .stage import Stage, Verdict

GAIN_VOXELS = 512
"""Frames are compared in brightness on the coarsest level with at least this many voxels; smaller
recordings say too little."""
INHERITED = (
    "hold_out",
    "confidence",
    "decided",
    "smoothness",
    "curved",
    "hypotheses",
    "reasons",
    "noise",
    "latents_gate",
)
"""What a fit that goes on takes over from the provenance of the earlier one."""


def run(job: Job) -> Generator[FitProgress, None, Field]:
    """All stages; returns the final Field."""
    kernels.prepare()
    facts = job.provenance
    facts.chosen.interpolation = "linear"
    facts.reasons = Reasons()
    if job.constant:
        facts.constant = True
        yield job.progress("reading")
    else:
        yield from _learn(job)
    facts.chosen.update(job.method.parts())
    facts.chosen.interpolation = job.interpolation
    return job.snapshot()


def _learn(job: Job) -> Steps:
    """All parts, in their order."""
    known = [name for name, stage in STAGES.items() if job.resume and stage.decided(job.resume)]
    wanted = _wanted(job, [name for name in STAGES if name not in known])
    later = [name for name in wanted if name not in ALONG_TIME]
    for name in later:
        STAGES[name].plan(job)
    job.schedule.later = tuple(job.schedule.planned)
    yield job.progress("reading")
    if job.volume.shape[0] > 1:
        _read(job)
        if job.resume is not None and set(ALONG_TIME) <= set(known):
            yield from _resumed(job, job.resume)
        else:
            yield from _along_time(job, [name for name in wanted if name in ALONG_TIME])
    else:
        yield from _one_frame(job, known, wanted)
    for name in known:
        if job.resume is not None and name not in ALONG_TIME:
            yield from STAGES[name].resume(job, job.resume)
    for name in later:
        verdict = yield from _run(job, STAGES[name])
        job.schedule.finish(name)
        # Only now: a part whose report is not there is learned when the fit is resumed.
        job.provenance[name] = verdict.report


def _wanted(job: Job, names: list[str]) -> list[str]:
    """The parts that are to be learned; the others say why not."""
    wanted = []
    for name in names:
        if STAGES[name].wanted(job):
            wanted.append(name)
        else:
            STAGES[name].unwanted(job)
    return wanted


def _run(job: Job, stage: Stage) -> Generator[FitProgress, None, Verdict]:
    """Learn a part, and say why if it is not kept."""
    verdict = yield from stage.run(job)
    if verdict.reason is not None:
        job.provenance.reasons[stage.name] = verdict.reason
    return verdict


def _read(job: Job) -> None:
    """Read every frame once: what motion is estimated on, and how brightness changes."""
    data = motion_data(job.frames, job.volume.spacing[1:], job.config.motion)
    if job.config.normalise_frames:
        enough = [level for level in data.levels if level[0].numel() >= GAIN_VOXELS]
        coarsest = enough[-1] if enough else data.levels[-1]
        gains = estimate_gains(coarsest)
        job.normalisation = replace(job.normalisation, gains=gains)
        scale = data.levels[0].new_tensor(gains).view(-1, 1, 1, 1, 1)
        data.levels = [level / scale for level in data.levels]
    job.moving = data


def _along_time(job: Job, wanted: list[str]) -> Steps:
    """Motion, fitted to all frames and without those held out, and how it is blended; then latents.
    Which of them are kept, says the hold-out where there are frames enough.
    """
    data, options = job.moving, job.config.motion
    assert data is not None
    motion, blend, latents = (name in wanted for name in ALONG_TIME)
    job.held_out = gate.split(job.volume.shape[0]) if job.config.gate else None
    if job.shared_motion is not None:
        shared = job.shared_motion.network
        job.network.motion = copy.deepcopy(shared.motion)
        job.network.hypotheses = copy.deepcopy(shared.hypotheses)
    for name in wanted:
        STAGES[name].plan(job)
    _plan_checks(job)
    pace.unsure(job)
    if motion:
        # Something to look at within a second or two.
        job.network.motion = start(data, options)
        yield job.progress(Motion.name)
        yield from until_compiled(job, "alignment", Motion.name, "motion")
    pace.expect(job)
    if motion:
        yield from _run(job, STAGES[Motion.name])
    if motion and blend:
        yield from _run(job, STAGES[Hypotheses.name])
    if job.held_out is not None:
        decision = yield from HoldOut(job, job.held_out).run()
        latents = latents and decision.latents
        if not latents:
            job.schedule.finish(Latents.name)
        if not decision.motion and job.shared_motion is None:
            job.network.motion = job.network.hypotheses = None
            job.provenance.hypotheses = None
    job.decide()
    looked = guard.find_jumps(job, data)
    if latents:
        yield from _run(job, STAGES[Latents.name])
    yield from guard.watch(job, looked)
    if (table := job.provenance.confidence) is not None:
        native = at_native_gap(dict(table), job.judged, job.network, job.frames, job.seed)
        job.provenance.confidence = ConfidenceTable(**native)


def _one_frame(job: Job, known: list[str], wanted: list[str]) -> Steps:
    """Latents of a recording of one time point, which denoise it."""
    latents = STAGES[Latents.name]
    if job.resume is not None and latents.name in known:
        _inherit(job, job.resume)
        job.network = Network(latents=copy.deepcopy(job.resume.network.latents))
        yield from latents.resume(job, job.resume)
        return
    if latents.name in wanted:
        latents.plan(job)
        pace.expect(job)
        yield from _run(job, latents)
    if job.network.latents is not None:
        job.decide()


def _inherit(job: Job, old: Field) -> None:
    """Take over what was decided along time."""
    for key in INHERITED:
        if key in old.provenance:
            job.provenance[key] = copy.deepcopy(old.provenance[key])
    job.provenance.resumed_from_steps = old.provenance.steps


def _plan_checks(job: Job) -> None:
    """Count the frames that the guard looks at."""
    if job.config.gate:
        job.schedule.planned[CHECKS] = min(guard.MOST_CHECKED, max(0, job.volume.shape[0] - 2))


def _resumed(job: Job, old: Field) -> Steps:
    """Go on from a Field whose motion and latents are decided."""
    assert job.moving is not None
    _inherit(job, old)
    guard.inherit(job, old.provenance.guard)
    job.interpolation = old.interpolation
    held_out = job.provenance.hold_out
    job.gain = None if held_out is None else held_out.gain_over_linear_db
    job.network = old.network.copy()
    if job.network.motion is not None:
        _plan_checks(job)
    yield from until_compiled(job, "alignment", Motion.name, "hold-out: motion")
    yield from STAGES[Motion.name].resume(job, old)
    looked = guard.find_jumps(job, job.moving)
    yield from STAGES[Latents.name].resume(job, old)
    yield from guard.watch(job, looked)
