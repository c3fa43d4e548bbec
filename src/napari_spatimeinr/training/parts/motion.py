"""The part that says where things go: a velocity field, fitted to frames and judged on blocks it
has not seen.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from typing import ClassVar

from ...config.facts import MotionGate
from ...config.options import Config
from ...config.parts import MotionOptions
from ...field import Field
from ...model.build import MotionPart
from ..gate import MARGIN_DB, split
from ..job import FitProgress, Job, Steps
from ..schedule import ENDS
from ..stage import Cost, Stage, Verdict
from .motion_fit import Candidate, misalignments, most_candidates, refine, start
from .motion_points import block_mask

TRIAL_STEPS = 80
"""Optimisation steps of a velocity field that is only compared; more did not change which one
won."""
CHECKED_STEPS = 40
"""The same of the one that is checked on masked blocks."""
STEP_SECONDS = 0.012
"""Of an optimisation step with 12,000 points."""


class Motion(MotionPart, Stage):
    """Where things go."""

    label = "motion"
    words: ClassVar[Mapping[str, str]] = {
        "motion": "following the motion",
        "checking motion": "checking the motion on blocks it has not seen",
        "hold-out: motion": "testing the motion on frames held out",
    }
    options = MotionOptions

    def wanted(self, job: Job) -> bool:
        """Where there are two frames or more, and their motion is not shared."""
        several = job.volume.shape[0] > 1
        return job.config.motion.enabled and several and job.shared_motion is None

    def unwanted(self, job: Job) -> None:
        """Of one frame."""
        if job.volume.shape[0] == 1:
            job.provenance.reasons[self.name] = "one time point: nothing moves"

    def plan(self, job: Job) -> None:
        """The final fit, and those of the hold-out."""
        options, steps = job.config.motion, job.config.motion.steps
        trials = most_candidates(options) if job.held_out is not None else 0
        job.schedule.planned["motion"] = steps + trials * min(steps, TRIAL_STEPS)

    def run(self, job: Job) -> Generator[FitProgress, None, Verdict]:
        """Fit the candidate that the hold-out has chosen to all frames."""
        velocity, candidate, data = job.network.motion, job.candidate, job.moving
        assert velocity is not None and candidate is not None and data is not None
        candidate.apply(velocity)
        if job.config.gate and not (yield from self._aligns(job, candidate)):
            job.network.motion = None
            why = "it did not align neighbouring frames on blocks it had not seen"
            return Verdict(kept=False, reason=why)
        job.decide()
        options = job.config.motion
        steps = refine(velocity, data, options, candidate, options.steps, job.seed)
        yield from job.drive("motion", "motion", steps)
        velocity.requires_grad_(False)
        return Verdict(kept=True)

    def _aligns(self, job: Job, candidate: Candidate) -> Generator[FitProgress, None, bool]:
        """Whether motion found without masked blocks aligns neighbouring frames there, at the
        recording's own gap.
        """
        options, data = job.config.motion, job.moving
        assert data is not None
        z, y, x = data.levels[0].shape[2:]
        mask = block_mask((z, y, x), job.seed).to(job.device)
        velocity = start(data, options, candidate, 1 - mask)
        few = min(CHECKED_STEPS, options.steps)
        for _ in refine(velocity, data, options, candidate, few, job.seed, 1 - mask):
            yield job.progress("checking motion")
            if job.schedule.late(ENDS["checking motion"]):
                break
        still, moved = (
            float(misalignments(field, data, mask, job.seed).mean()) for field in (None, velocity)
        )
        gain = 10 * math.log10(max(still, 1e-12) / max(moved, 1e-12))
        job.provenance.motion_gate = MotionGate(
            alignment_gain_db=round(gain, 3), on="masked blocks at the native gap"
        )
        return gain >= MARGIN_DB

    def decided(self, old: Field) -> bool:
        """Motion and latents are decided together."""
        return old.provenance.decided

    def resume(self, job: Job, old: Field) -> Steps:
        """Go on with the motion that was kept."""
        velocity, options, data = job.network.motion, job.config.motion, job.moving
        if velocity is None or data is None:
            return
        velocity.requires_grad_(True)
        job.schedule.planned["motion"] = options.steps
        weight = job.provenance.smoothness
        if weight is None:
            weight = options.smoothness[0]
        candidate = Candidate(float(weight), bool(velocity.curved))
        steps = refine(velocity, data, options, candidate, options.steps, job.seed + 2)
        yield from job.drive("motion", "motion", steps, ends="motion, resumed")
        velocity.requires_grad_(False)

    def cost(self, shape: Sequence[int], config: Config, spacing: Sequence[float] | None) -> Cost:
        """The steps; and the binned frames, which are also compared in brightness."""
        options = config.motion
        held = 16 * min(math.prod(shape), options.max_voxels)
        if not options.enabled or shape[0] < 2:
            return Cost(0.0, held)
        steps = options.steps
        if config.gate and split(shape[0]) is not None:
            steps += min(options.steps, TRIAL_STEPS) * most_candidates(options)
        return Cost(STEP_SECONDS * steps * options.points / 12_000, held)
