"""The part that makes finer planes, learned from the lateral ones, judged on planes held out."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...config.options import Config
from ...config.parts import PlanesOptions
from ...model.build import PlanesPart
from ...model.finer import FinerPlanes
from ...model.sampling import gaussian
from ...model.source import FrameSource
from ..gate import MARGIN_DB, Errors
from ..job import FitProgress, Job
from ..stage import Cost, Stage, Verdict
from .lines import (
    LARGEST_CROP,
    Lateral,
    blur_along_z,
    blurs_to_learn,
    lateral_planes,
    step_seconds,
    train_planes,
)

LEAST_RATIO = 1.4
"""Planes this many lateral voxels apart are worth being made finer."""
MOST_FACTOR = 8
LEAST_PLANES = 5
"""Fewer planes leave too few to judge by."""
GATE_FRAMES = 3


class Planes(PlanesPart, Stage):
    """Finer planes."""

    label = "finer planes"
    words: ClassVar[Mapping[str, str]] = {
        "planes": "learning finer planes",
        "hold-out: planes": "testing finer planes on planes held out",
    }
    options = PlanesOptions

    def wanted(self, job: Job) -> bool:
        """Where there are finer planes to learn, something to learn them from, and (unless asked
        for anyway) to judge them by.
        """
        z, y, x = job.volume.shape[1:]
        factor, step = _steps(job)
        if not job.config.planes.enabled or z == 1 or min(y, x) < 4 * step:
            return False
        return sharpened(job) or (factor > 1 and (_judged(job) or not job.config.gate))

    def unwanted(self, job: Job) -> None:
        """Where blur was to be undone."""
        if job.resume is None and sharpened(job):
            job.provenance.warnings.append(
                "The blur along z is not undone: that takes several planes, and at least four times"
                " as many voxels across them as lie between two of them."
            )

    def plan(self, job: Job) -> None:
        """The final network, and that of the gate."""
        steps = job.config.planes.steps
        job.schedule.planned["planes"] = steps + (_gate_steps(job) if _judged(job) else 0)

    def run(self, job: Job) -> Generator[FitProgress, None, Verdict]:
        """Train it if held-out planes agree; a blur is undone whatever they say."""
        factor, step = _steps(job)
        sharpen = sharpened(job)
        report: dict[str, Any] = {"planes_per_plane": factor, "sharpened": sharpen}
        better = "learned"
        if _judged(job):
            better = yield from _gate(job, step, report)
        if better != "learned" and not sharpen:
            why = "what lateral planes teach did not predict held-out planes better than"
            return Verdict(kept=False, reason=f"{why} interpolation", report=report)
        yield job.progress("planes")
        lateral = _lateral(job, 1, denoised=True)
        yield job.progress("planes")
        blurs = _blurs(job, lateral, step)
        report["blur_voxels"] = [round(blur, 3) for blur in blurs]
        network = _network(job, factor, sharpen)
        options = job.config.planes
        steps = train_planes(
            *(network, lateral, step, blurs, options.steps, options.learning_rate, job.seed),
            precision=job.network.precision,
        )
        yield from job.drive("planes", "planes", steps)
        job.network.planes = network.requires_grad_(False)
        return Verdict(kept=True, report=report)

    def cost(self, shape: Sequence[int], config: Config, spacing: Sequence[float] | None) -> Cost:
        """Nothing where the planes are near enough already."""
        options = config.planes
        if not options.enabled or shape[1] < 2 or spacing is None:
            return Cost()
        if spacing[1] < LEAST_RATIO * min(spacing[2:]):
            return Cost()
        return Cost(step_seconds(options) * options.steps * (1.5 if config.gate else 1.0))

    def ablation(self) -> None:
        """Frames held out are scored on the planes that were acquired."""

    def told(self, report: Mapping[str, Any]) -> str:
        """What was learned and, where it was, undone."""
        undone = ", the blur along z is undone" if report.get("sharpened") else ""
        return f"Finer planes are learned from the lateral ones{undone}."


def _steps(job: Job) -> tuple[int, int]:
    """Finer planes per acquired plane, and lateral voxels between acquired planes (a multiple of
    it).
    """
    dz, dy, dx = job.volume.spacing[1:]
    ratio = dz / min(dy, dx)
    factor = job.config.planes.factor or (
        min(MOST_FACTOR, max(2, round(ratio))) if ratio >= LEAST_RATIO else 1
    )
    return factor, factor * max(1, round(ratio / factor))


def _judged(job: Job) -> bool:
    """Whether held-out planes decide: enough of them, and lateral planes that reach over several of
    the wider gaps.
    """
    _, z, y, x = job.volume.shape
    return job.config.gate and z >= LEAST_PLANES and min(y, x, LARGEST_CROP) >= 8 * _steps(job)[1]


def _gate_steps(job: Job) -> int:
    return max(1, job.config.planes.steps // 2)


def sharpened(job: Job) -> bool:
    """Whether the blur along z is to be undone."""
    return job.config.planes.sharpen or job.config.psf is not None


def _blurs(job: Job, lateral: Lateral, step: int) -> list[float]:
    """Extra blur along z, lateral voxels: from the PSF where it is given, else what the planes
    themselves say.
    """
    if job.config.psf is None:
        return blurs_to_learn(blur_along_z(lateral, step))
    sz, sy, sx = job.config.psf
    return [math.sqrt(max(0.0, sz**2 - sy * sx)) / min(job.volume.spacing[2:])]


def _network(job: Job, factor: int, sharpen: bool) -> FinerPlanes:
    options = job.config.planes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        return FinerPlanes(factor, options.channels, options.layers, sharpen).to(job.device)


def _lateral(job: Job, every: int, denoised: bool) -> Lateral:
    frames = job.frames
    source = FrameSource(job.network, frames)

    @torch.no_grad()
    def read(k: int, z: int, y: int, x: int, size: int) -> Tensor:
        box = (
            (z, z + every + 1),
            (y, min(y + size, frames.shape[1])),
            (x, min(x + size, frames.shape[2])),
        )
        whole = source.denoised(k, box) if denoised else source.raw(k, box)
        return whole[0, 0, ::every]

    return lateral_planes(read, frames.count, frames.shape, job.seed, every)


def _gate(job: Job, step: int, report: dict[str, Any]) -> Generator[FitProgress, None, str]:
    """Every second plane is held out of everything; the best of linear, cubic and
    learned on them.
    """
    options = job.config.planes
    # The blur is that of neighbouring planes: at twice the distance they have too little in common
    # to tell.
    lateral = _lateral(job, 1, denoised=False)
    yield job.progress("hold-out: planes")
    blurs = _blurs(job, lateral, step)
    yield job.progress("hold-out: planes")
    lateral = _lateral(job, 2, denoised=False)
    learned = _network(job, 2, False)
    steps = train_planes(
        *(learned, lateral, 2 * step, blurs, _gate_steps(job), options.learning_rate, job.seed),
        precision=job.network.precision,
    )
    yield from job.drive("hold-out: planes", "planes", steps)
    errors = plane_errors(job, learned, step)
    # Linear interpolation falls behind as planes come nearer: at the real distance it is not what
    # is fallen back to.
    best = (
        "learned"
        if min(errors.gain("learned", other) for other in ("linear", "cubic")) > MARGIN_DB
        else "cubic"
    )
    report["hold_out"] = {
        "method": best,
        "gain_over_linear_db": {name: round(errors.gain(name), 3) for name in ("cubic", "learned")},
        "note": "fine detail of planes at twice the distance; the real distance is easier",
    }
    return best


@torch.no_grad()
def plane_errors(job: Job, learned: FinerPlanes, step: int) -> Errors:
    """Errors of fine detail on odd planes predicted from even ones.

    Brightness that changes slowly along z (with depth, say) is curved more at twice the distance
    than lateral planes teach, but not at the real one; a Gaussian of ``step`` voxels takes it away.
    """
    errors = Errors()
    frames = job.frames
    z, y, x = frames.shape
    number = min(GATE_FRAMES, frames.count)
    cut = [
        (max(0, n - LARGEST_CROP) // 2, max(0, n - LARGEST_CROP) // 2 + min(n, LARGEST_CROP))
        for n in (y, x)
    ]
    spline = FinerPlanes(2, 2, 2).to(job.device)  # fresh, it adds nothing
    for k in sorted({round(i * (frames.count - 1) / max(1, number - 1)) for i in range(number)}):
        whole = frames.block(k, ((0, z), cut[0], cut[1]))[0, 0]
        given = whole[::2]
        truth = whole[1 : 2 * len(given) - 2 : 2]
        guesses = {
            "linear": (given[1:] + given[:-1]) / 2,
            "cubic": spline.frame(given)[1::2],
            "learned": learned.frame(given)[1::2],
        }
        for name, guess in guesses.items():
            error = (guess - truth)[None, None]
            errors.add(name, (error - gaussian(error, (0, step, step)))[0, 0])
    return errors
