"""Quantities other than intensity: how far the frames disagree, and how sure a value is."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor

from .config import RenderOptions
from .model.boxes import in_boxes, linear_in
from .model.confidence import widths
from .model.frames import SAME, Box, Frames
from .model.motion import Displaced
from .model.network import Network, around
from .render import Renderer
from .tiles import Finer


class Disagreement(Renderer):
    """How far the given frames before and after a time, followed along their trajectories, differ; raw intensities.

    At an acquired time it is the frames on both sides of that one that are compared, at the ends of the
    recording the outermost pair. A single frame agrees with itself.
    """

    def _raw(self, value: Tensor, t: float) -> Tensor:
        levels = self.frames.levels
        return value * (levels.scale * levels.gain(t))

    def _value(self, t: float, positions: tuple[Tensor, Tensor, Tensor], finer: Finer) -> Tensor:
        count = self.frames.count
        if count == 1:
            return torch.zeros(math.prod(len(p) for p in positions), device=self.frames.device)
        t = min(max(t, 0.0), count - 1.0)
        inside = min(max(t, SAME), count - 1 - SAME)
        places = around(inside, range(count), 0)
        before, after = (
            self._one(k, self._displacement(t, k, positions), positions, finer)[0] for k in (places.before, places.after)
        )
        return (before - after).abs()


class Confidence(Renderer):
    """Half-width of the interval that holds 90 % of the noisy voxels a recording would have had there; raw intensities.

    Calibrated on held-out frames, at twice the interval between frames: see :func:`.training.confidence.calibrate`.
    """

    def __init__(
        self,
        network: Network,
        frames: Frames,
        options: RenderOptions,
        interpolation: str,
        table: dict[str, Any],
        linear: Collection[int] = (),
    ) -> None:
        super().__init__(network, frames, options, interpolation, linear)
        self.table = table

    def _raw(self, value: Tensor, t: float) -> Tensor:
        levels = self.frames.levels
        return value * (levels.scale * levels.gain(t))

    def _value(self, t: float, positions: tuple[Tensor, Tensor, Tensor], finer: Finer) -> Tensor:
        value = super()._value(t, positions, finer)
        count = self.frames.count
        inside = min(max(t, SAME), count - 1 - SAME)
        places = around(inside, range(count), 0)
        before, after = (self._smooth(k, self._displacement(t, k, positions), positions) for k in (places.before, places.after))
        difference = (before - after).abs()
        return widths(self.table, difference, value)

    def _smooth(self, k: int, displaced: Displaced | None, positions: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        def values(points: Tensor, box: Box) -> Tensor:
            return linear_in(self._tiles.smooth(k, box), points, box)[0]

        return in_boxes(self.network.moved(positions, displaced), self.frames.shape, values)
