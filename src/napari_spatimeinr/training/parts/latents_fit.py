"""Train encoder and decoder on frames the prediction did not see.

A block of frame k is predicted from an earlier and a later frame along the trajectories. The noise
of frame k is independent of theirs, so the mean-square optimum is the clean image (Lehtinen et al.
2018, 'Noise2Noise').
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ...config.options import Config, CycleOptions
from ...model.differentiable import apart, cubic, linear
from ...model.displacements import Displacements
from ...model.frames import Box, Frames, random_box
from ...model.hypotheses import Seen
from ...model.motion import Displaced, VelocityField
from ...model.network import Around, Network, around, needed_box
from ...model.source import FrameSource
from .drawn import Drawn, drawn_voxels, mean_error

MOST_KEPT = 10_000_000
"""Voxels of a recording of which what hypotheses are compared by is kept, some 8 bytes each."""
ALONE = 0.03
"""Weight of predicting a frame from one neighbour alone; more would blur what moved too far to be
aligned."""


@dataclass(frozen=True)
class Task:
    """Predict frame ``target`` from the frames around it, or (with ``around`` None)
    from ``alone``.
    """

    target: int
    around: Around | None
    alone: int | None = None


def tasks_for(given: list[int], outer: int, when: Callable[[float], float] = float) -> list[Task]:
    """Training tasks from the given frame numbers: each frame from its neighbours (``when`` they
    are, see :func:`.around`); of two frames, each from the other.
    """
    out = [Task(k, around(k, [n for n in given if n != k], outer, when)) for k in given[1:-1]]
    if not out and len(given) == 2:
        out = [Task(given[1], None, given[0]), Task(given[0], None, given[1])]
    return out


def train(
    network: Network,
    frames: Frames,
    given: list[int],
    config: Config,
    steps: int,
    seed: int,
    mask: Tensor | None = None,
) -> Iterator[tuple[int, float]]:
    """Train encoder and decoder in place; yields (step, loss).

    ``given`` are the frames that may be used; ``mask`` ``(1, 1, Z, Y, X)`` is 0 at voxels that must
    not be targets.
    """
    assert network.latents is not None
    options = config.latents
    parameters = list(network.latents.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=options.learning_rate, weight_decay=1e-4)
    blocks = _Blocks(network, frames, given, config, seed, mask)
    for step in range(steps):
        for group in optimiser.param_groups:
            warm = min(1.0, (step + 1) / 20)
            group["lr"] = options.learning_rate * warm * (0.02 + 0.98 * (1 - step / steps))
        loss = torch.zeros((), device=frames.device)
        for _ in range(options.blocks):
            loss = loss + blocks.loss() / options.blocks
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        yield step + 1, float(loss.detach())


class _Blocks:
    """Random blocks of frames, predicted from the frames around them."""

    def __init__(
        self,
        network: Network,
        frames: Frames,
        given: list[int],
        config: Config,
        seed: int,
        mask: Tensor | None,
    ) -> None:
        self.network, self.frames, self.config, self.mask = network, frames, config, mask
        self.source = FrameSource(network, frames)
        self.tasks = tasks_for(given, network.outer, frames.time)
        self.generator = torch.Generator().manual_seed(seed)
        self.displacements = Displacements(network, frames)
        self.contexts: dict[int, Tensor] = {}

    def loss(self) -> Tensor:
        """How well one block is predicted, and what the cycles add."""
        cycle = self.config.cycle
        number = int(torch.randint(0, len(self.tasks), (1,), generator=self.generator))
        task = self.tasks[number]
        box = random_box(self.frames.shape, self.config.latents.crop, self.generator)
        spatial = cycle.spatial > 0
        drawn = drawn_voxels(self.frames, task.target, box, spatial, self.mask, self.generator)
        if task.around is None:
            assert task.alone is not None
            values, *_ = self._side(task.alone, (), task, drawn)
            return drawn.error(values.chunk(len(self.network.fields))[0])
        near = task.around
        sides = self._sides(near, task, drawn)
        loss = torch.zeros((), device=self.frames.device)
        for values in sides.inner:
            loss = loss + ALONE * drawn.error(values)
        return loss + _blended_loss(partial(self._predicted, sides), near.share, drawn, cycle)

    def _points(self, k: int, task: Task, drawn: Drawn, numbers: Sequence[int]) -> Tensor:
        """Where the voxels of the target are in frame ``k`` along fields of the network, one after
        the other, ``(1, P, 3)``.
        """
        moved = [
            _moved(self.network.fields[i], self.displacements(task.target, k, i), drawn.places)
            for i in numbers
        ]
        return torch.cat(moved)[None]

    def _side(
        self, k: int, beyond: tuple[int, ...], task: Task, drawn: Drawn
    ) -> tuple[Tensor, ...]:
        """What frame ``k`` says there along all fields of the network, one after the other: values,
        latents and, where fields are blended, contexts; and the mean of the frames ``beyond``.
        """
        moved = self._points(k, task, drawn, range(len(self.network.fields)))
        points, part = needed_box(moved, self.frames.shape)
        local = points - points.new_tensor([a for a, _ in part])
        encoded = self.source.encoded(k, part)
        assert encoded.latents is not None
        found = [cubic(encoded.coefficients, local)[0], linear(encoded.latents, local)[0]]
        if self.network.hypotheses is not None:
            found.append(linear(self._context(k, part), local)[0])
        if beyond:
            found.append(self._averaged(beyond, task, drawn))
        return tuple(found)

    def _seen(self, found: Sequence[Tensor]) -> list[Seen]:
        """What a frame says, along each of the network's fields."""
        count = len(self.network.fields)
        known = found[: 3 if self.network.hypotheses is not None else 2]
        parts = [some.chunk(count, -1) for some in known]
        return [Seen(*some) for some in zip(*parts, strict=True)]

    @torch.no_grad()
    def _context(self, k: int, box: Box) -> Tensor:
        """As :meth:`.FrameSource.context`; of a small recording computed once."""
        if self.frames.count * math.prod(self.frames.shape) > MOST_KEPT:
            return self.source.context(k, box)
        if k not in self.contexts:
            z, y, x = ((-1, n + 2) for n in self.frames.shape)
            self.contexts[k] = self.source.context(k, (z, y, x))
        planes, rows, columns = (slice(a + 1, b + 1) for a, b in box)
        return self.contexts[k][:, :, planes, rows, columns]

    @torch.no_grad()
    def _averaged(self, numbers: tuple[int, ...], task: Task, drawn: Drawn) -> Tensor:
        """The mean of frames there, which only helps to average: nothing is learned from them."""
        values = []
        for k in numbers:
            points, part = needed_box(self._points(k, task, drawn, (0,)), self.frames.shape)
            local = points - points.new_tensor([a for a, _ in part])
            values.append(linear(self.source.denoised(k, part), local)[0, 0])
        return torch.stack(values).mean(0)

    def _sides(self, near: Around, task: Task, drawn: Drawn) -> _Sides:
        """What lies on both sides of the target, in either direction of time."""
        assert self.network.latents is not None
        asked = []
        for k, beyond in ((near.before, near.outer_before), (near.after, near.outer_after)):
            # One side is left out now and then, as it is at both ends of the recording.
            some = beyond and float(torch.rand(1, generator=self.generator)) >= 0.15
            asked.append((k, beyond if some else ()))
        found = apart(
            lambda side: self._side(*side, task, drawn), asked, self.network.latents.parameters()
        )
        before, after = (self._seen(one) for one in found)
        inner = self.network.inner(near, lambda k, i: (before if k == near.before else after)[i])
        outer = [
            one[-1] if beyond else seen.values
            for one, (_, beyond), seen in zip(found, asked, inner, strict=True)
        ]
        # Time runs backwards half of the time: the decoder has no preferred direction.
        backwards = bool(torch.rand(1, generator=self.generator) < 0.5)
        first, second = (1, 0) if backwards else (0, 1)
        (a, of_a, _), (b, of_b, _) = inner[first], inner[second]
        assert of_a is not None and of_b is not None
        return _Sides((a, b), (outer[first], outer[second]), (of_a, of_b), backwards)

    def _predicted(self, sides: _Sides, share: float, number: int | None = None) -> Tensor:
        """What the decoder makes of both sides at a share of the interval, at the first ``number``
        places (None: all).
        """
        assert self.network.latents is not None
        asked = 1 - share if sides.backwards else share
        (a, b), (before, after), (of_a, of_b) = (
            (one[..., :number], other[..., :number]) for one, other in sides[:3]
        )
        result: Tensor = self.network.latents.decoder(
            (a, b), (before, after), (of_a, of_b), asked, self.network.precision
        )
        return result


class _Sides(NamedTuple):
    """Values, mean values of the frames beyond, and latents, each at the earlier and the later side
    (the other way round where time runs ``backwards``).
    """

    inner: tuple[Tensor, Tensor]
    outer: tuple[Tensor, Tensor]
    latents: tuple[Tensor, Tensor]
    backwards: bool


def _blended_loss(
    predicted: Callable[..., Tensor], share: float, drawn: Drawn, cycle: CycleOptions
) -> Tensor:
    """The error of what the decoder makes of both sides at ``share`` of the interval, and what the
    cycles add.
    """
    out = predicted(share)
    loss = drawn.error(out)
    if cycle.spatial > 0:
        cell = drawn.cells(out) - drawn.cells(drawn.target)
        loss = loss + cycle.spatial * mean_error(cell**2, drawn.weight[: len(cell)])
    if cycle.temporal > 0:
        # Predict at two times between, and from these the frame back.
        step = min(0.25, share, 1 - share)
        early, late = (predicted(share + away, drawn.number) for away in (-step, step))
        back = (early + late) / 2
        loss = loss + cycle.temporal * drawn.error(back)
    return loss


def _moved(field: VelocityField | None, displaced: Displaced | None, points: Tensor) -> Tensor:
    if displaced is None or field is None:
        return points
    return points + field.displacement_at(displaced, points[None])[0]
