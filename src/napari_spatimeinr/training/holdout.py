"""The hold-out: motion and latents without some frames, scored on these, and kept or not."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import NamedTuple

from ..config.facts import ConfidenceTable
from ..config.facts import HoldOut as Report
from ..model.network import Network
from . import gate
from .compiling import until_compiled
from .confidence import calibrate, judged
from .job import FitProgress, Job, Steps
from .parts.latents import HOLD_OUT_SHARE, Latents, new_latents
from .parts.latents_fit import train
from .parts.motion import Motion
from .parts.motion_fit import kinds, misalignments

MOVES_DB = 1.0
"""Noise alone is aligned better by about half as much."""
POINTS = 2000
"""Points in each interval at which frames are compared."""


class Decision(NamedTuple):
    """Which parts are kept."""

    motion: bool
    latents: bool


class HoldOut:
    """Fits without the frames that are held out, and their errors on these."""

    def __init__(self, job: Job, parts: gate.HeldOut) -> None:
        self.job, self.parts = job, parts
        self.networks: dict[str, Network] = {}
        self.errors = gate.held_out_errors({}, job.frames, parts, job.seed, None, job.taught)

    def run(self) -> Generator[FitProgress, None, Decision]:
        """Fit, score, decide; the job's network keeps what latents have learned."""
        job = self.job
        plain = gate.plain_method(self.errors, job.frames, job.seed)
        moving = self._motion()
        keep_motion = moving is not None and self._keeps(moving, plain)
        best = Motion.name if keep_motion else plain
        if self._tests_latents:
            yield from self._learn_latents(moving if keep_motion and moving else Network())
            best = gate.choose(self.errors, [Latents.name], plain, best)
        if best != Latents.name:
            job.network = job.network.without_latents()
        if best != Latents.name and self._tests_latents:
            why = "they did not beat the simpler result on held-out frames"
            job.provenance.reasons[Latents.name] = why
        self._report(best)
        yield job.progress("hold-out")
        return Decision(keep_motion, best == Latents.name or not self._tests_latents)

    @property
    def _tests_latents(self) -> bool:
        return self.job.config.latents.enabled and len(self.parts.given) >= gate.LEAST_GIVEN

    def _motion(self) -> Network | None:
        """The motion without the frames held out, or the one that is shared; None where nothing is
        to move.
        """
        if self.job.shared_motion is not None:
            return self.job.network.without_latents()
        return self.job.held_out_network

    def _keeps(self, moving: Network, plain: str) -> bool:
        """Whether motion is kept: unless a spline in time is better, or nothing moves.

        At twice the interval linear interpolation may win where it does not at the real one; it is
        blended in, and not a reason to do without motion.
        """
        self._score(Motion.name, moving)
        reasons = self.job.provenance.reasons
        if plain == "cubic" and gate.choose(self.errors, [Motion.name], plain) == plain:
            reasons[Motion.name] = "a spline in time predicted held-out frames better"
            return False
        if (
            _aligned(self.job, self.parts) < MOVES_DB
            and self.errors.gain(Motion.name, where="moving") <= 0
        ):
            reasons[Motion.name] = "nothing moves that could be told from noise"
            return False
        return True

    def _score(self, name: str, network: Network) -> None:
        """Add the errors of a network on the frames held out."""
        job = self.job
        self.networks[name] = network
        gate.held_out_errors(
            {name: network}, job.frames, self.parts, job.seed, self.errors, job.taught
        )

    # -- latents -------------------------------------------------------------------------

    def _learn_latents(self, moving: Network) -> Steps:
        """Learn latents along a motion from the frames that are given, and score them."""
        job, options = self.job, self.job.config
        network = job.network
        base = job.network = moving.copy()
        new_latents(job)
        yield from until_compiled(job, "sampling", Latents.name, "hold-out: latents")
        steps = max(1, int(HOLD_OUT_SHARE * options.latents.steps))
        training = train(base, job.frames, self.parts.given, options, steps, job.seed)
        yield from job.drive("hold-out: latents", Latents.name, training)
        self._score(Latents.name, base)
        # What was learned goes on with the motion of all frames.
        job.network = Network(network.motion, base.latents, hypotheses=network.hypotheses)

    # -- what comes of it ----------------------------------------------------------------

    def _report(self, best: str) -> None:
        """Put the best method, its gains and how sure it is into the job."""
        job, errors = self.job, self.errors
        if best == "cubic":
            job.interpolation = "cubic"
        job.gain = round(errors.gain(best), 3)
        shown = self.networks.get(best, Network())
        job.judged = judged(shown, job.frames, self.parts, job.seed, job.taught)
        table = calibrate(job.judged, self.parts.held)
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


def _aligned(job: Job, parts: gate.HeldOut) -> float:
    """How much better the smoothest field aligns the frames that are given than no motion, dB."""
    fields = job.held_out_fields
    if not fields or job.moving is None:
        return math.inf
    weights = [kind.smoothness for kind in kinds(job.config.motion, len(fields) > 1)]
    smoothest = fields[weights.index(max(weights))]
    data = job.moving.subset(parts.given)
    number = POINTS * (len(data.times) - 1)
    still, moved = (
        float(misalignments(field, data, job.seed, number).mean()) for field in (None, smoothest)
    )
    return 10 * math.log10(max(still, 1e-12) / max(moved, 1e-12))
