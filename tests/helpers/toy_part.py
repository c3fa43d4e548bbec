"""A part of a model that nothing in the package knows: a constant added to every voxel."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from napari_spatimeinr.config.groups import Options
from napari_spatimeinr.model.part import Saved
from napari_spatimeinr.training.job import FitProgress, Job
from napari_spatimeinr.training.stage import Cost, Stage, Verdict


class OffsetOptions(Options):
    """What frames lie above the mean of their neighbours."""

    enabled: bool = Field(True, description="Learn an offset.")
    steps: int = Field(60, ge=1, le=1000, description="Training steps.")


class Offset(nn.Module):
    """Voxels plus a constant; as fine as before."""

    factors = (1, 1, 1)
    reach = (0, 0, 0)
    overshoots = True

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(()))

    def wanted(self, cell: tuple[float, float, float, float]) -> bool:
        return True

    def forward(self, voxels: Tensor, precision: torch.dtype) -> Tensor:
        return voxels + self.value


class OffsetPart(Stage):
    """Learned on every second frame, judged on the others."""

    name = "offset"
    label = "offset"
    words = {"offset": "learning an offset"}  # noqa: RUF012
    options = OffsetOptions

    def wanted(self, job: Job) -> bool:
        return job.config.group(self.name).enabled and job.volume.shape[0] >= 4

    def plan(self, job: Job) -> None:
        job.schedule.planned[self.name] = job.config.group(self.name).steps

    def run(self, job: Job) -> Generator[FitProgress, None, Verdict]:
        whole = [job.frames.whole(k) for k in range(job.frames.count)]
        missing = [b - (a + c) / 2 for a, b, c in zip(whole, whole[1:], whole[2:], strict=False)]
        offset = Offset().to(job.device)
        steps = job.config.group(self.name).steps
        yield from job.drive(self.name, self.name, self.trained(offset, missing[::2], steps))
        offset.requires_grad_(False)
        unseen = torch.stack(missing[1::2])
        left = float(((unseen - offset.value) ** 2).mean() / (unseen**2).mean().clamp(min=1e-12))
        report = {"error_left": round(left, 4)}
        if left > 0.9:
            return Verdict(kept=False, reason="other frames did not need it", report=report)
        job.network.put(self.name, offset)
        return Verdict(kept=True, report=report)

    def trained(self, offset: Offset, wanted: list[Tensor], steps: int) -> Iterator[Any]:
        optimiser = torch.optim.SGD(offset.parameters(), lr=0.25)
        for step in range(steps):
            loss = ((torch.stack(wanted) - offset.value) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            yield step + 1, float(loss.detach())

    def build(self, saved: Saved) -> nn.Module:
        return saved.into(Offset()).requires_grad_(False)

    def cost(self, shape: Any, config: Any, spacing: Any) -> Cost:
        return Cost(seconds=10.0 * config.group(self.name).enabled)

    def told(self, report: Any) -> str:
        return "An offset was learned."
