"""The hold-out: motion and latents without some frames, scored on these, and kept or not."""

from __future__ import annotations

import copy
from collections.abc import Generator
from typing import NamedTuple

from ..config.facts import ConfidenceTable
from ..config.facts import HoldOut as Report
from ..model.motion import VelocityField
from ..model.network import Network
from . import gate
from .compiling import until_compiled
from .confidence import calibrate
from .job import FitProgress, Job, Steps
from .parts.latents import HOLD_OUT_SHARE, Latents, new_latents
from .parts.latents_fit import train
from .parts.motion import TRIAL_STEPS, Motion
from .parts.motion_fit import (
    Candidate,
    MotionData,
    candidates,
    most_candidates,
    refine,
    start,
)


class Decision(NamedTuple):
    """The kind of motion that did best, and which parts are kept."""

    candidate: Candidate
    motion: bool
    latents: bool


class HoldOut:
    """Fits without the frames that are held out, and their errors on these.

    Any number of kinds of motion are compared by what they predict, whatever tells them apart; the
    latents are learned along the best of them.
    """

    def __init__(self, job: Job, parts: gate.HeldOut) -> None:
        self.job, self.parts = job, parts
        self.networks: dict[str, Network] = {}
        self.candidates: dict[str, Candidate] = {}
        self.errors = gate.held_out_errors({}, job.frames, parts, job.seed)

    def run(self) -> Generator[FitProgress, None, Decision]:
        """Fit, score, decide; the job's network keeps what latents have learned."""
        job = self.job
        if job.shared_motion is not None:
            self._score(Motion.name, Network(job.network.motion))
        elif job.config.motion.enabled:
            yield from self._compare_motion()
        moving = self._best_motion()
        names = [] if moving is None else [moving]
        plain = gate.plain_method(self.errors, job.frames, job.seed)
        best = gate.choose(self.errors, names, plain)
        along = moving if best == moving else None
        if job.config.latents.enabled:
            yield from self._learn_latents(along)
            best = gate.choose(self.errors, [*names, Latents.name], plain)
        keep_latents = best == Latents.name
        keep_motion = best in names or (keep_latents and along is not None)
        if not keep_latents:
            job.network = job.network.without_latents()
        self._give_reasons(keep_motion, keep_latents)
        self._report(best)
        yield job.progress("hold-out")
        candidate = self.candidates.get(moving or "", job.candidate)
        assert candidate is not None
        return Decision(candidate, keep_motion, keep_latents)

    # -- motion --------------------------------------------------------------------------

    def _compare_motion(self) -> Steps:
        """Fit one kind of motion after the other; which comes next depends on the best so far."""
        options = self.job.config.motion
        assert self.job.moving is not None
        data = self.job.moving.subset(self.parts.given)
        search = candidates(options)
        candidate = next(search)
        # All kinds start from the same velocity.
        begin = start(data, options, candidate)
        while True:
            yield from self._fit_motion(candidate, data, begin)
            try:
                candidate = search.send(self.candidates[self._best_motion() or ""])
            except StopIteration:
                return

    def _fit_motion(self, candidate: Candidate, data: MotionData, begin: VelocityField) -> Steps:
        """Fit one kind of motion to the frames that are given, and score it."""
        job, options = self.job, self.job.config.motion
        velocity = copy.deepcopy(begin)
        candidate.apply(velocity)
        few = min(options.steps, TRIAL_STEPS)
        steps = refine(velocity, data, options, candidate, few, job.seed)
        part = (len(self.networks) + 1) / most_candidates(options)
        yield from job.drive("hold-out: motion", Motion.name, steps, part)
        velocity.requires_grad_(False)
        self.candidates[candidate.name] = candidate
        self._score(candidate.name, Network(velocity))

    def _score(self, name: str, network: Network) -> None:
        """Add the errors of a network on the frames held out."""
        self.networks[name] = network
        gate.held_out_errors(
            {name: network}, self.job.frames, self.parts, self.job.seed, self.errors
        )

    def _best_motion(self) -> str | None:
        """The name of the motion with the smallest error."""
        moving = [name for name in self.networks if name != Latents.name]
        return max(moving, key=self.errors.gain) if moving else None

    # -- latents -------------------------------------------------------------------------

    def _learn_latents(self, along: str | None) -> Steps:
        """Learn latents along a motion from the frames that are given, and score them."""
        job, options = self.job, self.job.config
        network = job.network
        motion = None if along is None else self.networks[along].motion
        base = job.network = Network(motion)
        new_latents(job)
        yield from until_compiled(job, "sampling", Latents.name, "hold-out: latents")
        steps = max(1, int(HOLD_OUT_SHARE * options.latents.steps))
        training = train(base, job.frames, self.parts.given, options, steps, job.seed)
        yield from job.drive("hold-out: latents", Latents.name, training)
        self._score(Latents.name, base)
        # What was learned goes on with the motion of all frames.
        job.network = Network(network.motion, base.latents)

    # -- what comes of it ----------------------------------------------------------------

    def _give_reasons(self, motion: bool, latents: bool) -> None:
        """Why a part that was tried is not kept."""
        reasons = self.job.provenance.reasons
        if not latents and self.job.config.latents.enabled:
            reasons[Latents.name] = "they did not beat the simpler result on held-out frames"
        if not motion and self._best_motion() is not None:
            reasons[Motion.name] = "it did not beat interpolation on held-out frames"

    def _report(self, best: str) -> None:
        """Put the best method, its gains and how sure it is into the job."""
        job, errors = self.job, self.errors
        if best == "cubic":
            job.interpolation = "cubic"
        job.gain = round(errors.gain(best), 3)
        shown = self.networks.get(best, Network())
        table = calibrate(shown, job.frames, self.parts, job.seed)
        job.provenance.confidence = ConfidenceTable(**table)
        job.provenance.hold_out = Report(
            frames=self.parts.held,
            method=best,
            gain_over_linear_db=job.gain,
            gain_over_cubic_db=round(errors.gain(best, "cubic"), 3),
            gain_over_linear_moving_db=round(errors.gain(best, where="moving"), 3),
            all={name: round(errors.gain(name), 3) for name in errors.sums},
            all_smoothed={
                name: round(errors.gain(name, where="smoothed"), 3) for name in errors.sums
            },
            note="frames at twice the interval; the real interval is easier",
        )
