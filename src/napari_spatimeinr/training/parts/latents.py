"""The part that says what things look like: encoder and decoder, trained on frames the prediction
did not see, and judged on frames or, of three, blocks kept back; of one or two the encoder alone,
trained and judged on thinned copies of each.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from ...config.facts import LatentsGate
from ...config.facts import Noise as NoiseFacts
from ...config.options import Config
from ...config.parts import LatentOptions
from ...field import Field
from ...model.build import LatentsPart
from ...model.latents import Latents as Module
from ..compiling import until_compiled
from ..gate import masked_errors
from ..job import FitProgress, Job, Steps
from ..noise import NONE, Noise, estimate, nothing_to_remove
from ..stage import Cost, Stage, Verdict
from . import thinned
from .latents_fit import train
from .motion_points import block_mask

HOLD_OUT_SHARE = 0.6
"""Share of the steps spent on the hold-out fit; the final fit goes on from there."""
STEP_SECONDS = 0.028
"""Of a training step with the options of preset balanced, along one velocity field."""
BLENDED = 1.3
"""How much longer one takes along several (measured, balanced)."""
THINNED_SECONDS = 0.015
"""Of a step on a thinned frame."""
LEAST_FRAMES = 3
"""Of fewer none lies between others: frames are denoised one by one."""
ALONE_MARGIN_DB = 0.1
"""What denoising must bring where no frame can be held out."""
BLUR_SHARE = 0.9
"""Share of what the best blur brings, in dB, that it must bring as well: instead of it there is no
blur, but the frame with all of its noise."""


class Latents(LatentsPart, Stage):
    """What things look like."""

    label = "latents"
    words: ClassVar[Mapping[str, str]] = {
        "latents": "learning structure apart from noise",
        "hold-out: latents": "testing structure apart from noise on frames held out",
    }
    options = LatentOptions

    def wanted(self, job: Job) -> bool:
        """Always: a single frame has noise too."""
        return job.config.latents.enabled

    def plan(self, job: Job) -> None:
        """Those of the hold-out are among them."""
        job.schedule.planned["latents"] = job.config.latents.steps

    def run(self, job: Job) -> Generator[FitProgress, None, Verdict]:
        """Train on all frames: on from the hold-out, or from the beginning."""
        steps = job.config.latents.steps
        if job.volume.shape[0] < LEAST_FRAMES:
            verdict: Verdict = yield from self._thinned(job)
            return verdict
        if job.network.latents is not None:
            yield from self._trained(job, max(1, round((1 - HOLD_OUT_SHARE) * steps)))
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
        return _refused(job, "they did not beat the frames themselves on blocks they had not seen")

    def _trained(self, job: Job, steps: int, mask: Tensor | None = None) -> Steps:
        """Steps of training on all frames, without the voxels where ``mask`` is 0."""
        yield from until_compiled(job, "sampling", self.name, "latents")
        given = list(range(job.volume.shape[0]))
        training = train(job.network, job.frames, given, job.config, steps, job.seed + 1, mask)
        yield from job.drive("latents", "latents", training)

    def _thinned(self, job: Job) -> Generator[FitProgress, None, Verdict]:
        """Train on each frame by itself, and judge in blocks that it was not trained on."""
        found, gate = estimate(job.frames, job.seed), job.config.gate
        noise = found or NONE
        if found is not None:
            job.provenance.noise = _told(found, job)
        why = nothing_to_remove(found)
        if gate and why is not None:
            job.schedule.finish(self.name)
            return Verdict(kept=False, reason=why)
        new_latents(job)
        mask = 1 - block_mask(job.frames.shape, job.seed + 1).to(job.device) if gate else None
        yield from self._on_thinned(job, noise, mask)
        if mask is None:
            return Verdict(kept=True)
        frames, spacing = job.frames, job.volume.spacing[1:]
        judged = thinned.judge(job.network, frames, noise, 1 - mask, spacing, job.seed)
        job.provenance.latents_gate = LatentsGate(
            gain_db=round(judged.latents, 3),
            blur_gain_db=round(judged.blur, 3),
            on="masked blocks of thinned frames",
        )
        if judged.latents >= max(ALONE_MARGIN_DB, BLUR_SHARE * judged.blur):
            return Verdict(kept=True)
        return _refused(
            job, "they brought less than a blur, or nothing, on blocks they had not seen"
        )

    def _on_thinned(self, job: Job, noise: Noise, mask: Tensor | None = None) -> Steps:
        steps, seed = job.config.latents.steps, job.seed + 1
        training = thinned.train(job.network, job.frames, noise, job.config, steps, seed, mask)
        yield from job.drive("latents", "latents", training)

    def decided(self, old: Field) -> bool:
        """Motion and latents are decided together."""
        return old.provenance.decided

    def resume(self, job: Job, old: Field) -> Steps:
        """Go on with the latents that were kept."""
        if job.network.latents is not None:
            self.plan(job)
            if job.volume.shape[0] < LEAST_FRAMES:
                yield from self._on_thinned(job, estimate(job.frames, job.seed) or NONE)
            else:
                yield from self._trained(job, job.config.latents.steps)

    def cost(self, shape: Sequence[int], config: Config, spacing: Sequence[float] | None) -> Cost:
        """By the size of the blocks and of the networks."""
        options = config.latents
        if not options.enabled:
            return Cost()
        convolutions = 0.4 + 0.6 * (options.channels / 16) ** 2 * options.layers / 2
        share = options.blocks * math.prod(options.crop) / 25_600
        if shape[0] < LEAST_FRAMES:
            return Cost(THINNED_SECONDS * options.steps * share * convolutions)
        decoding = 0.5 + 0.5 * options.width / 32
        blended = BLENDED if config.motion.enabled and config.hypotheses.enabled else 1.0
        return Cost(STEP_SECONDS * options.steps * share * convolutions * decoding * blended)


def new_latents(job: Job) -> None:
    """An untrained encoder and decoder in the job's network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        latents = Module.of(job.config.latents)
    job.network.latents = latents.to(job.device)


def _refused(job: Job, why: str) -> Verdict:
    job.network = job.network.without_latents()
    return Verdict(kept=False, reason=why)


def _told(noise: Noise, job: Job) -> NoiseFacts:
    """The noise in the recording's own units."""
    offset, scale = job.normalisation.offset, job.normalisation.scale
    at = noise.offset
    return NoiseFacts(
        gain=noise.gain * scale,
        offset=None if at is None else offset + scale * at,
        read=scale * noise.read,
    )
