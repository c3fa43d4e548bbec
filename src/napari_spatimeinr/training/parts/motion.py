"""The part that says where things go: velocity fields, fitted to frames."""

from __future__ import annotations

import copy
import math
from collections.abc import Generator, Mapping, Sequence
from typing import ClassVar

from ...config.options import Config
from ...config.parts import MotionOptions
from ...field import Field
from ...model.build import MotionPart
from ...model.motion import VelocityField
from ...model.network import Network
from ..gate import split
from ..job import FitProgress, Job, Steps
from ..schedule import Plateau
from ..stage import Cost, Stage, Verdict
from .motion_fit import (
    Kind,
    Lane,
    MotionData,
    at_rest,
    descents,
    kinds,
    refine,
    start,
    steps_of,
    together,
)

LANES = 2
"""Fields that are fitted at once."""
STEP_SECONDS = 0.012
"""Of an optimisation step with 12,000 points."""


class Motion(MotionPart, Stage):
    """Where things go."""

    label = "motion"
    words: ClassVar[Mapping[str, str]] = {
        "motion": "following the motion",
        "hold-out: motion": "following the motion without frames held out",
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
        """The fields of all frames, and those of the hold-out."""
        each = _steps(job.config)
        job.schedule.planned["motion"] = each * (2 if job.held_out is not None else 1)

    def run(self, job: Job) -> Generator[FitProgress, None, Verdict]:
        """Fit a field of each kind to all frames, and to those that a hold-out leaves; the first of
        all frames is the network's.
        """
        assert job.moving is not None
        job.fields = yield from _fitted(job, job.moving, "motion")
        job.network.motion = job.fields[0]
        if job.held_out is not None:
            data = job.moving.subset(job.held_out.given)
            job.held_out_fields = yield from _fitted(job, data, "hold-out: motion")
            job.held_out_network = Network(job.held_out_fields[0])
        job.schedule.finish(Motion.name)
        first = kinds(job.config.motion, job.config.hypotheses.enabled)[0]
        job.provenance.smoothness, job.provenance.curved = first.smoothness, first.curved
        return Verdict(kept=True)

    def decided(self, old: Field) -> bool:
        """Motion and latents are decided together."""
        return old.provenance.decided

    def resume(self, job: Job, old: Field) -> Steps:
        """Go on with the fields that were kept."""
        options, data = job.config.motion, job.moving
        fields = [field for field in job.network.fields if field is not None]
        if not fields or data is None:
            return
        job.schedule.planned["motion"] = options.steps * len(fields)
        told = job.provenance.hypotheses
        known = [] if told is None else [one.smoothness for one in told.all]
        weights = [*known, *[job.provenance.smoothness] * len(fields)]
        for n, (field, weight) in enumerate(zip(fields, weights, strict=False)):
            field.requires_grad_(True)
            kind = Kind(options.smoothness[0] if weight is None else weight, bool(field.curved))
            steps = refine(field, data, options, kind, options.steps, job.seed + 2)
            part = (n + 1) / len(fields)
            yield from job.drive("motion", "motion", steps, part, ends="motion, resumed")
            field.requires_grad_(False)

    def cost(self, shape: Sequence[int], config: Config, spacing: Sequence[float] | None) -> Cost:
        """The steps; and the binned frames, which are also compared in brightness."""
        options = config.motion
        held = 16 * min(math.prod(shape), options.max_voxels)
        if not options.enabled or shape[0] < 2:
            return Cost(0.0, held)
        steps = _steps(config) * (2 if config.gate and split(shape[0]) is not None else 1)
        return Cost(STEP_SECONDS * steps * options.points / 12_000, held)


def _steps(config: Config) -> int:
    """Optimisation steps of a field of each kind."""
    options = config.motion
    return sum(steps_of(options, kind) for kind in kinds(options, config.hypotheses.enabled))


def _fitted(
    job: Job, data: MotionData, stage: str
) -> Generator[FitProgress, None, list[VelocityField]]:
    """A velocity field of each kind, fitted to frames."""
    options = job.config.motion
    wanted = kinds(options, job.config.hypotheses.enabled)
    # All that are refined start from the same velocity.
    begin = start(data, options)
    fields = [at_rest(data, options) if k.gradual else copy.deepcopy(begin) for k in wanted]
    shared: list[list[Lane]] = [[] for _ in range(LANES)]
    taken = [0] * LANES
    # The longest first, each where least is to be done.
    for field, kind in sorted(
        zip(fields, wanted, strict=True), key=lambda f: -steps_of(options, f[1])
    ):
        least = taken.index(min(taken))
        taken[least] += steps_of(options, kind)
        shared[least] += descents(field, data, options, kind, job.seed)
    lanes = [_in_turn(job, some, stage) for some in shared]
    for _ in job.counted(Motion.name, together(lanes, job.device)):
        yield job.progress(stage)
    return [field.requires_grad_(False) for field in fields]


def _in_turn(job: Job, optimisations: Sequence[Lane], stage: str) -> Lane:
    """One optimisation after the other, each until it stops improving or has had its time."""
    end = job.schedule.end(stage, Motion.name)
    for n, steps in enumerate(optimisations):
        plateau = Plateau()
        for step, loss in steps:
            yield step, loss
            if plateau.reached(loss) or job.schedule.late(end * (n + 1) / len(optimisations)):
                break
