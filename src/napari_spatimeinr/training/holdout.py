"""The hold-out: fit without some frames, score on them, decide what the final fit is made of."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch

from ..compute.device import resolve_precision
from ..config.options import MotionOptions
from ..model.decoder import Decoder
from ..model.encoder import Encoder
from ..model.network import Network
from . import confidence, gate
from .job import FitProgress, Job, Steps
from .parts.latents import train
from .parts.motion import MotionData, refine, start

LATENT_SHARE = 0.6
"""Share of the latents' steps spent on the hold-out fit; the final fit goes on from there."""
TRIAL_STEPS = 80
"""Optimisation steps of a velocity field that is only compared; more did not change which one
won."""


@dataclass(frozen=True)
class Prior:
    """How trajectories are fitted: the weight of their smoothness in space, and whether they may
    curve in time.
    """

    smoothness: float
    curved: bool

    @property
    def name(self) -> str:
        """In the report of the hold-out."""
        return f"motion {self.smoothness:g} {'curved' if self.curved else 'straight'}"


def untried(options: MotionOptions) -> Prior:
    """What is taken where nothing can be held out: the middle weight, straight paths."""
    weights = sorted(options.smoothness)
    return Prior(weights[len(weights) // 2], False)


def trials(options: MotionOptions) -> int:
    """Velocity fields compared at most."""
    n = len(options.smoothness)
    return min(n, (n + 1) // 2 + 1) + 1


def new_latents(job: Job) -> None:
    """An untrained encoder and decoder."""
    options = job.config.latents
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        encoder, decoder = (
            Encoder(options.channels, options.layers, options.features),
            Decoder(options.features, options.width),
        )
    job.network.encoder, job.network.decoder = encoder.to(job.device), decoder.to(job.device)
    job.network.precision = resolve_precision(job.config.precision, job.device)


class _Trials:
    """Velocity fields fitted without the held-out frames, and their errors there."""

    def __init__(self, job: Job, data: MotionData, parts: gate.HeldOut) -> None:
        self.job, self.parts = job, parts
        self.some = data.subset(parts.given)
        self.times = torch.tensor(parts.given, dtype=torch.float32, device=job.device)
        self.networks: dict[str, Network] = {}
        self.priors: dict[str, Prior] = {}
        self.errors = gate.held_out_errors({}, job.frames, parts, job.seed)

    def fit(self, prior: Prior) -> Steps:
        """Fit one and score it."""
        job, options = self.job, self.job.config.motion
        until = 0.2 * (len(self.networks) + 1) / trials(options)
        velocity = start(self.some, self.times, options, curved=prior.curved)
        steps = refine(
            velocity,
            self.some,
            self.times,
            options,
            prior.smoothness,
            min(options.steps, TRIAL_STEPS),
            job.seed,
        )
        yield from job.drive("hold-out: motion", "motion", steps, until)
        velocity.requires_grad_(False)
        self.networks[prior.name], self.priors[prior.name] = Network(velocity), prior
        gate.held_out_errors(
            {prior.name: self.networks[prior.name]}, job.frames, self.parts, job.seed, self.errors
        )

    def best(self) -> Prior:
        """The prior with the smallest error."""
        return self.priors[max(self.priors, key=self.errors.gain)]

    def search(self) -> Steps:
        """Straight or curved with the middle weight; then from there towards the better weights."""
        weights = sorted(self.job.config.motion.smoothness)
        low = high = len(weights) // 2
        for curved in (False, True):
            yield from self.fit(Prior(weights[low], curved))
        curved = self.best().curved
        while self.best().smoothness == weights[low] and low > 0:
            low -= 1
            yield from self.fit(Prior(weights[low], curved))
        while self.best().smoothness == weights[high] and high + 1 < len(weights):
            high += 1
            yield from self.fit(Prior(weights[high], curved))


def hold_out(
    job: Job, data: MotionData, parts: gate.HeldOut
) -> Generator[FitProgress, None, tuple[Prior, bool, bool]]:
    """Fit without the held-out frames, score on them, decide: (prior, keep motion, keep
    latents).
    """
    options, frames = job.config, job.frames
    tried = _Trials(job, data, parts)
    errors, candidates, prior = tried.errors, tried.networks, untried(options.motion)
    if job.shared_motion is not None:
        candidates["motion"] = Network(job.network.velocity)
        gate.held_out_errors(candidates, frames, parts, job.seed, errors)
    elif options.motion.enabled:
        yield from tried.search()
        prior = tried.best()
    moving = max(candidates, key=errors.gain) if candidates else None
    plain = gate.plain_method(errors, frames, job.seed)
    best = gate.choose(errors, [moving] if moving is not None else [], plain)
    used = moving if best == moving else None
    base = Network()
    if options.latents.enabled:
        network = job.network
        base = Network(candidates[used].velocity if used is not None else None)
        job.network = base
        new_latents(job)
        steps = train(
            base,
            frames,
            parts.given,
            options,
            max(1, int(LATENT_SHARE * options.latents.steps)),
            job.seed,
        )
        yield from job.drive("hold-out: latents", "latents", steps, 0.6)
        gate.held_out_errors({"latents": base}, frames, parts, job.seed, errors)
        best = gate.choose(errors, [*([moving] if moving is not None else []), "latents"], plain)
        # What was learned goes on with the motion of all frames.
        job.network = Network(network.velocity, base.encoder, base.decoder, base.precision)
    keep_latents = best == "latents"
    keep_motion = best in candidates or (keep_latents and used is not None)
    if not keep_latents:
        job.network = Network(job.network.velocity)
        if options.latents.enabled:
            job.provenance["reasons"]["latents"] = (
                "they did not beat the simpler result on held-out frames"
            )
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
        "gain_over_linear_moving_db": round(errors.gain(best, where="moving"), 3),
        "all": {name: round(errors.gain(name), 3) for name in errors.sums},
        "all_smoothed": {
            name: round(errors.gain(name, where="smoothed"), 3) for name in errors.sums
        },
        "note": "frames at twice the interval; the real interval is easier",
    }
    yield job.progress("hold-out")
    return prior, keep_motion, keep_latents
