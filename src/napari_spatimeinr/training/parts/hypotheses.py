"""The part that blends velocity fields: which of them to believe where.

It learns from acquired frames that are predicted from their neighbours: along fields fitted to all
frames, which know the motion at the recording's own interval but have seen the frame, and along
fields of the hold-out, which have not seen it but span twice the interval.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from typing import Any, ClassVar

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
from .hypotheses_fit import Shares, learn, samples_of, shares
from .motion_fit import kinds
from .motion_points import block_mask

STEP_SECONDS = 0.004
"""Of a training step."""
SAMPLE_SECONDS = 1.0
"""Of the samples that are learned from."""
TAUGHT = 0.5
"""Share of the frames held out that is learned from, in blocks; the rest judges."""


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
        """The same for any recording of which a frame can be predicted from two others."""
        steps = job.config.hypotheses.steps if job.volume.shape[0] > 2 else 0
        job.schedule.planned["hypotheses"] = steps

    def run(self, job: Job) -> Generator[FitProgress, None, Verdict]:
        """Learn to blend the fields of all frames; the one that counts most becomes the motion."""
        module = untrained(job, job.fields)
        network, wider = _network(job.fields, module), None
        if job.held_out is not None:
            wider = _network(job.held_out_fields, module)
            job.taught = block_mask(job.frames.shape, job.seed, TAUGHT).to(job.device)
        yield from _learned(job, network, wider)
        order, told = _by_share(job, network)
        module.prior.data = module.prior.data[order]
        job.network.motion, job.network.hypotheses = _ordered(job.fields, module, order)
        if job.held_out is not None:
            job.held_out_network = Network()
            ours = _ordered(job.held_out_fields, module, order)
            job.held_out_network.motion, job.held_out_network.hypotheses = ours
        job.provenance.hypotheses = Report(all=told)
        job.provenance.smoothness, job.provenance.curved = told[0].smoothness, told[0].curved
        return Verdict(kept=True)

    def decided(self, old: Field) -> bool:
        """What is learned along time is decided together."""
        return old.provenance.decided

    def resume(self, job: Job, old: Field) -> Steps:
        """What blends them is kept as it is; the provenance is taken over with that of motion."""
        yield from ()

    def told(self, report: Mapping[str, Any]) -> str:
        """What is blended, and how much each counts; everywhere, and where something moves."""
        every = report.get("all", [])
        if not every:
            return ""
        moving = all(one.get("share_moving") is not None for one in every)
        named = [f"{named_motion(one)} ({_share(one, moving)})" for one in every]
        note = " The second share is where something moves." if moving else ""
        return f"Motion is blended of {', '.join(named)}.{note}"

    def cost(self, shape: Sequence[int], config: Config, spacing: Sequence[float] | None) -> Cost:
        """Hardly grows with the recording."""
        options = config.hypotheses
        if not (options.enabled and config.motion.enabled) or shape[0] < 3:
            return Cost()
        return Cost(SAMPLE_SECONDS + STEP_SECONDS * options.steps)


def named_motion(one: Mapping[str, Any]) -> str:
    """A hypothesis of a provenance for people."""
    if one.get("smoothness") is None:
        return "no motion"
    kind = "curved" if one.get("curved") else "straight"
    rest = " from rest" if one.get("gradual") else ""
    return f"smoothness {one['smoothness']:g} {kind}{rest}"


def _share(one: Mapping[str, Any], moving: bool) -> str:
    """How much it counts, ``40 / 62 %``."""
    shares = [one.get("share"), *([one.get("share_moving")] if moving else [])]
    return " / ".join(f"{100 * (share or 0):.0f}" for share in shares) + " %"


def untrained(job: Job, fields: Sequence[VelocityField]) -> Module:
    """What blends fields, the first of them the motion, before it has learned anything."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        sigmas = context_sigmas(job.volume.spacing[1:])
        return Module(fields[1:], job.config.hypotheses.width, sigmas).to(job.device)


def _network(fields: list[VelocityField], module: Module) -> Network:
    """Fields, blended with weights that are shared with those of a module."""
    return Network(fields[0], hypotheses=module.of(fields[1:]))


def _ordered(
    fields: list[VelocityField], module: Module, order: Sequence[int]
) -> tuple[VelocityField, Module]:
    """Fields in another order: the first, and what blends it with the others."""
    network = _network([fields[i] for i in order[:-1]], module)
    assert network.motion is not None and network.hypotheses is not None
    return network.motion, network.hypotheses


def _learned(job: Job, network: Network, wider: Network | None) -> Steps:
    """Train what blends the fields of a network, in place, where there is anything to learn from.

    ``wider`` are fields without the frames held out, blended by the same.
    """
    module = network.hypotheses
    assert module is not None
    count = range(job.frames.count)
    yield job.progress("hypotheses")
    samples = [samples_of(network, job.frames, count, count[1:-1], job.seed)]
    yield job.progress("hypotheses")
    if wider is not None and job.held_out is not None:
        given, held = job.held_out.given, job.held_out.held
        samples.append(samples_of(wider, job.frames, given, held, job.seed, job.taught))
        yield job.progress("hypotheses")
    samples = [some for some in samples if some]
    if samples:
        steps = learn(module, samples, job.config.hypotheses, job.seed)
        yield from job.drive("hypotheses", "hypotheses", steps)
    module.requires_grad_(False)


def _by_share(job: Job, network: Network) -> tuple[list[int], list[Hypothesis]]:
    """The order of hypotheses by how much they count, no motion last, and what is told of each."""
    found = shares(network, job.frames, job.seed)
    last = len(found.whole) - 1
    order = sorted(range(last), key=lambda i: -found.whole[i])
    fitted = kinds(job.config.motion)
    told = [
        Hypothesis(
            smoothness=fitted[i].smoothness,
            curved=fitted[i].curved,
            gradual=fitted[i].gradual,
            **_counted(found, i),
        )
        for i in order
    ]
    return [*order, last], [*told, Hypothesis(**_counted(found, last))]


def _counted(found: Shares, i: int) -> dict[str, Any]:
    """What is told of how much hypothesis ``i`` counts."""
    said = {"share": round(found.whole[i], 4)}
    if math.isfinite(found.moving[i]):
        said["share_moving"] = round(found.moving[i], 4)
    return said
