"""The part that makes finer voxels in the plane, learned from the planes made coarser; off by
default, judged on a part of the planes kept back.

What a plane looks like at twice the voxel size is taken to tell what it looks like at half of it
(internal learning across scales: Shocher et al. 2018, '"Zero-shot" super-resolution using deep
internal learning').
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...config.options import Config
from ...config.parts import VoxelsOptions
from ...model.build import VoxelsPart
from ...model.finer import FinerVoxels
from ...model.source import FrameSource
from ..gate import Errors
from ..job import FitProgress, Job
from ..stage import Cost, Stage, Verdict
from .lines import (
    LARGEST_CROP,
    MOST_BLUR,
    Bank,
    blurred,
    correlation,
    kept_noise,
    lively_crops,
    noise_of,
    step_seconds,
    train_lines,
)

KEPT_BACK = 4
"""One of so many parts of the planes, the last along y, is judged on."""
LEAST_LINES = 8
"""Fewer coarse lines than this leave too little to learn from or to judge by."""
GATE_PLANES = 12
MARGIN_DB = 0.5
"""It is judged at another scale than it is used at, so it must win clearly."""


class Voxels(VoxelsPart, Stage):
    """Finer voxels in the plane."""

    label = "finer voxels"
    words: ClassVar[Mapping[str, str]] = {
        "voxels": "learning finer voxels",
        "hold-out: voxels": "testing finer voxels on planes held out",
    }
    options = VoxelsOptions

    def wanted(self, job: Job) -> bool:
        """Where they are asked for, and there are enough to learn from and to judge by."""
        options = job.config.voxels
        y, x = job.volume.shape[2:]
        least = min(y // KEPT_BACK if job.config.gate else y, x)
        return options.enabled and least >= LEAST_LINES * options.factor

    def unwanted(self, job: Job) -> None:
        """Where they were asked for."""
        if job.config.voxels.enabled:
            why = "the planes are too small to learn finer voxels from"
            job.provenance.reasons[self.name] = why

    def plan(self, job: Job) -> None:
        """The final network, and that of the gate."""
        job.schedule.planned["voxels"] = job.config.voxels.steps * (2 if job.config.gate else 1)

    def run(self, job: Job) -> Generator[FitProgress, None, Verdict]:
        """Train it if planes kept back agree."""
        factor = job.config.voxels.factor
        report: dict[str, Any] = {"voxels_per_voxel": factor}
        y = job.frames.shape[1]
        if job.config.gate:
            edge = y - y // KEPT_BACK
            judged = yield from _trained(job, (0, edge), report, "hold-out: voxels")
            errors = _errors(job, judged, (edge, y), report["blur_voxels"])
            gain = errors.gain("learned", "cubic")
            report["hold_out"] = {
                "gain_over_cubic_db": round(gain, 3),
                "note": f"voxels {factor} times as large, on a part of the planes kept back",
            }
            if gain < MARGIN_DB:
                why = "what coarser planes teach did not predict finer voxels better than splines"
                return Verdict(kept=False, reason=why, report=report)
        network = yield from _trained(job, (0, y), report, "voxels")
        job.network.voxels = network.requires_grad_(False)
        return Verdict(kept=True, report=report)

    def cost(self, shape: Sequence[int], config: Config, spacing: Sequence[float] | None) -> Cost:
        """The gate trains as long again."""
        options = config.voxels
        if not options.enabled:
            return Cost()
        return Cost(step_seconds(options) * options.steps * (2 if config.gate else 1))

    def ablation(self) -> None:
        """Frames held out are scored on the voxels that were acquired."""

    def told(self, report: Mapping[str, Any]) -> str:
        """What was learned."""
        return "Finer voxels are learned from the planes."


def _trained(
    job: Job, rows: tuple[int, int], report: dict[str, Any], stage: str
) -> Generator[FitProgress, None, FinerVoxels]:
    """A network trained on a range of lines of the planes; the report is told their blur."""
    options = job.config.voxels
    factor = options.factor
    planes = _planes(job, rows)
    yield job.progress(stage)
    blur = blur_of_scale(planes, factor)
    report["blur_voxels"] = round(blur, 3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        network = FinerVoxels(factor, options.channels, options.layers).to(job.device)
    steps = train_voxels(
        *(network, planes, blur, options.steps, options.learning_rate, job.seed),
        precision=job.network.precision,
    )
    yield from job.drive(stage, "voxels", steps)
    return network


def train_voxels(
    network: FinerVoxels,
    planes: Tensor,
    blur: float,
    steps: int,
    learning_rate: float,
    seed: int,
    precision: torch.dtype = torch.float32,
) -> Iterator[tuple[int, float]]:
    """Train in place on planes ``(N, Y, X)``; yields (step, loss).

    Lines are made finer while those across them are still coarse, and then while those are fine:
    both are trained.
    """
    factor = network.factor
    lost = math.sqrt(1 - kept_noise(blur, planes) ** 2) * noise_of(planes)
    soft = _soft(planes, blur)
    bank: Bank = [
        (some, some, lost)
        for turned in (soft, soft.transpose(1, 2))
        for some in (turned, turned[:, :, ::factor].contiguous())
    ]
    yield from train_lines(network.lines, bank, factor, 1, steps, learning_rate, seed, precision)


def blur_of_scale(planes: Tensor, factor: int) -> float:
    """Blur, voxels, after which every ``factor``-th voxel of planes is as smooth as the planes are.

    Smooth is what correlates with its neighbour: fine detail as in :func:`.lines.blur_along_z`.
    """
    if min(planes.shape[1:]) < LEAST_LINES:
        return 0.0

    def smoothness(some: Tensor) -> float:
        fine = [turned - blurred(turned, 1.0) for turned in (some, some.transpose(1, 2))]
        # Detail along an axis, its likeness to the next line across it.
        return sum(correlation(f[:, :, 1:], f[:, :, :-1]) for f in fine) / 2

    wanted = smoothness(planes)
    low, high = 0.0, MOST_BLUR * factor
    for _ in range(6):
        middle = (low + high) / 2
        enough = smoothness(_soft(planes, middle)[:, ::factor, ::factor]) >= wanted
        low, high = (low, middle) if enough else (middle, high)
    return low


def _soft(planes: Tensor, sigma: float) -> Tensor:
    return blurred(blurred(planes, sigma).transpose(1, 2), sigma).transpose(1, 2).contiguous()


def _planes(job: Job, rows: tuple[int, int]) -> Tensor:
    """Planes ``(N, Y, X)`` with most in them, of a range of lines, denoised where there
    are latents.
    """
    frames = job.frames
    source = FrameSource(job.network, frames)
    (a, b), width = rows, frames.shape[2]

    @torch.no_grad()
    def read(k: int, z: int, y: int, x: int) -> Tensor:
        box = ((z, z + 1), (a + y, min(a + y + LARGEST_CROP, b)), (x, min(x + LARGEST_CROP, width)))
        return source.denoised(k, box)[0, 0]

    places = [(k, z) for k in range(frames.count) for z in range(frames.shape[0])]
    return lively_crops(read, places, (b - a, width), job.seed)[:, 0]


@torch.no_grad()
def _errors(job: Job, learned: FinerVoxels, rows: tuple[int, int], blur: float) -> Errors:
    """Errors of every voxel that was not given, of lines kept back."""
    errors = Errors()
    factor = learned.factor
    spline = FinerVoxels(factor, 2, 2).to(job.device)  # fresh, it adds nothing
    planes = _soft(_planes(job, rows)[:GATE_PLANES], blur)
    truth = planes[
        :,
        : (planes.shape[1] - 1) // factor * factor + 1,
        : (planes.shape[2] - 1) // factor * factor + 1,
    ]
    given = truth[:, ::factor, ::factor]
    between = torch.ones_like(truth[0], dtype=torch.bool)
    between[::factor, ::factor] = False
    for name, network in (("cubic", spline), ("learned", learned)):
        errors.add(name, (network.frame(given) - truth)[:, between])
    return errors
