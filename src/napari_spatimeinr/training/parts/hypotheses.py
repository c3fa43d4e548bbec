"""The part that blends velocity fields: which of them to believe where.

It learns from acquired frames that are predicted from their neighbours: along fields fitted to all
frames, which know the motion at the recording's own interval but have seen the frame, and along
fields of the hold-out, which have not seen it but span twice the interval.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import ClassVar

import torch

from ...config.facts import Hypotheses as Report
from ...config.facts import Hypothesis
from ...config.options import Config
from ...config.parts import HypothesesOptions
from ...field import Field
from ...model.build import HypothesesPart
from ...model.hypotheses import Hypotheses as Module
from ...model.hypotheses import context_sigmas
from ...model.motion import VelocityField
from ...model.network import Network
from ..job import FitProgress, Job, Steps
from ..stage import Cost, Stage, Verdict
from .hypotheses_fit import Sample, learn, samples_of, share_of_wider, shares
from .motion_fit import kinds

STEP_SECONDS = 0.004
"""Of a training step."""
SAMPLE_SECONDS = 1.0
"""Of the samples that are learned from."""


class Hypotheses(HypothesesPart, Stage):
    """Which velocity fields to believe where."""

    label = "several motions"
    words: ClassVar[Mapping[str, str]] = {"hypotheses": "weighing what moves where"}
    options = HypothesesOptions

    def wanted(self, job: Job) -> bool:
        """Where motion is fitted."""
        several = job.volume.shape[0] > 1 and job.shared_motion is None
        return job.config.hypotheses.enabled and job.config.motion.enabled and several

    def plan(self, job: Job) -> None:
        """Those of the hold-out are among them."""
        steps = job.config.hypotheses.steps
        job.schedule.planned["hypotheses"] = steps * (2 if job.held_out is not None else 1)

    def run(self, job: Job) -> Generator[FitProgress, None, Verdict]:
        """Learn to blend the fields of all frames; the one that counts most becomes the motion."""
        network = blend_of(job, job.fields)
        yield from learned(job, network, range(job.frames.count), job.held_out_network)
        order, told = _by_share(job, network)
        assert network.hypotheses is not None
        fields = [job.fields[i] for i in order[:-1]]
        job.network.motion = fields[0]
        job.network.hypotheses = _in_order(network.hypotheses, fields, order)
        job.provenance.hypotheses = Report(all=told)
        job.provenance.smoothness, job.provenance.curved = told[0].smoothness, told[0].curved
        return Verdict(kept=True)

    def decided(self, old: Field) -> bool:
        """What is learned along time is decided together."""
        return old.provenance.decided

    def resume(self, job: Job, old: Field) -> Steps:
        """What blends them is kept as it is; the provenance is taken over with that of motion."""
        yield from ()

    def cost(self, shape: Sequence[int], config: Config, spacing: Sequence[float] | None) -> Cost:
        """Hardly grows with the recording."""
        options = config.hypotheses
        if not (options.enabled and config.motion.enabled) or shape[0] < 3:
            return Cost()
        return Cost(2 * (SAMPLE_SECONDS + STEP_SECONDS * options.steps))


def blend_of(job: Job, fields: list[VelocityField]) -> Network:
    """Fields as the hypotheses of a network, blended by what is not trained yet."""
    options = job.config.hypotheses
    if not options.enabled:
        return Network(fields[0])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        sigmas = context_sigmas(job.volume.spacing[1:])
        module = Module(fields[1:], options.width, sigmas).to(job.device)
    return Network(fields[0], hypotheses=module)


def learned(
    job: Job, network: Network, given: Sequence[int], wider: Network | None = None
) -> Steps:
    """Train what blends the fields of a network, in place, where there is anything to learn from.

    Parameters
    ----------
    given : the frames that its fields were fitted to; each is predicted from its neighbours.
    wider : with fields that were fitted without the frames held out, which are predicted as well.
    """
    module = network.hypotheses
    if module is None:
        return
    yield job.progress("hypotheses")
    near = samples_of(network, job.frames, given, given[1:-1], job.seed)
    yield job.progress("hypotheses")
    far: list[Sample] = []
    if wider is not None and job.held_out is not None:
        far = samples_of(wider, job.frames, job.held_out.given, job.held_out.held, job.seed)
        yield job.progress("hypotheses")
    if near or far:
        share = share_of_wider(module, near, far)
        steps = learn(module, near, far, share, job.config.hypotheses, job.seed)
        yield from job.drive("hypotheses", "hypotheses", steps)
    module.requires_grad_(False)


def _by_share(job: Job, network: Network) -> tuple[list[int], list[Hypothesis]]:
    """The order of hypotheses by how much they count, no motion last, and what is told of each."""
    found = shares(network, job.frames, job.seed)
    order = sorted(range(len(found) - 1), key=lambda i: -found[i])
    fitted = kinds(job.config.motion)
    told = [
        Hypothesis(
            smoothness=fitted[i].smoothness,
            curved=fitted[i].curved,
            gradual=fitted[i].gradual,
            share=round(found[i], 4),
        )
        for i in order
    ]
    return [*order, len(found) - 1], [*told, Hypothesis(share=round(found[-1], 4))]


def _in_order(module: Module, fields: list[VelocityField], order: list[int]) -> Module:
    """What blends fields, for these in another order."""
    module.fields = torch.nn.ModuleList(fields[1:])
    module.prior.data = module.prior.data[order]
    return module
