"""The part that says what things look like: encoder and decoder, trained on frames the prediction
did not see, and judged on frames or blocks kept back.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from ...config.facts import LatentsGate
from ...config.options import Config
from ...config.parts import LatentOptions
from ...field import Field
from ...model.build import LatentsPart
from ...model.latents import Latents as Module
from ..compiling import until_compiled
from ..gate import ALONE_MARGIN_DB, masked_errors
from ..job import FitProgress, Job, Steps
from ..stage import Cost, Stage, Verdict
from .latents_fit import train
from .motion_points import block_mask

HOLD_OUT_SHARE = 0.6
"""Share of the steps spent on the hold-out fit; the final fit goes on from there."""
STEP_SECONDS = 0.028
"""Of a training step with the options of preset balanced, along one velocity field."""
BLENDED = 1.3
"""How much longer one takes along several (measured, balanced)."""


class Latents(LatentsPart, Stage):
    """What things look like."""

    label = "latents"
    words: ClassVar[Mapping[str, str]] = {
        "latents": "learning structure apart from noise",
        "hold-out: latents": "testing structure apart from noise on frames held out",
    }
    options = LatentOptions

    def wanted(self, job: Job) -> bool:
        """With three frames or more; with two, unless they are judged."""
        least = 3 if job.config.gate else 2
        return job.config.latents.enabled and job.volume.shape[0] >= least

    def unwanted(self, job: Job) -> None:
        """Of two frames, each would be predicted from the other alone: where they are not aligned
        that teaches blur, and wins by it.
        """
        if job.config.latents.enabled and job.volume.shape[0] == 2:
            why = "two frames cannot tell noise from what moved"
            job.provenance.reasons[self.name] = why

    def plan(self, job: Job) -> None:
        """Those of the hold-out are among them."""
        job.schedule.planned["latents"] = job.config.latents.steps

    def run(self, job: Job) -> Generator[FitProgress, None, Verdict]:
        """Train on all frames: on from the hold-out, or from the beginning, judged on blocks."""
        steps = job.config.latents.steps
        if job.network.latents is not None:
            left = max(1, round((1 - HOLD_OUT_SHARE) * steps))
            yield from self._trained(job, left)
            return Verdict(kept=True)
        new_latents(job)
        if not job.config.gate:
            yield from self._trained(job, steps)
            return Verdict(kept=True)
        mask = 1 - block_mask(job.frames.shape, job.seed + 1).to(job.device)
        yield from self._trained(job, steps, mask)
        gain = masked_errors(job.network, job.frames, 1 - mask, job.seed).gain("latents")
        job.provenance.latents_gate = LatentsGate(
            gain_db=round(gain, 3), on="masked blocks, one neighbour at the native gap"
        )
        if gain >= ALONE_MARGIN_DB:
            return Verdict(kept=True)
        job.network = job.network.without_latents()
        why = "they did not beat the frames themselves on blocks they had not seen"
        return Verdict(kept=False, reason=why)

    def _trained(self, job: Job, steps: int, mask: Tensor | None = None) -> Steps:
        """Steps of training on all frames, without the voxels where ``mask`` is 0."""
        yield from until_compiled(job, "sampling", self.name, "latents")
        given = list(range(job.volume.shape[0]))
        training = train(job.network, job.frames, given, job.config, steps, job.seed + 1, mask)
        yield from job.drive("latents", "latents", training)

    def decided(self, old: Field) -> bool:
        """Motion and latents are decided together."""
        return old.provenance.decided

    def resume(self, job: Job, old: Field) -> Steps:
        """Go on with the latents that were kept."""
        if job.network.latents is not None:
            self.plan(job)
            yield from self._trained(job, job.config.latents.steps)

    def cost(self, shape: Sequence[int], config: Config, spacing: Sequence[float] | None) -> Cost:
        """By the size of the blocks and of the networks."""
        options = config.latents
        if not options.enabled or shape[0] < 2 or (config.gate and shape[0] == 2):
            return Cost()
        convolutions = 0.4 + 0.6 * (options.channels / 16) ** 2 * options.layers / 2
        decoding = 0.5 + 0.5 * options.width / 32
        share = options.blocks * math.prod(options.crop) / 25_600
        blended = BLENDED if config.motion.enabled and config.hypotheses.enabled else 1.0
        return Cost(STEP_SECONDS * options.steps * share * convolutions * decoding * blended)


def new_latents(job: Job) -> None:
    """An untrained encoder and decoder in the job's network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        latents = Module.of(job.config.latents)
    job.network.latents = latents.to(job.device)
