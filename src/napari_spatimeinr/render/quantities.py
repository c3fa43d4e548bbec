"""Quantities other than intensity: how far the frames disagree, and how sure a value is."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor

from ..config.options import RenderOptions
from ..model.boxes import in_boxes, linear_in
from ..model.confidence import widths
from ..model.frames import SAME, Box, Frames
from ..model.interpolation import segment
from ..model.motion import Displaced
from ..model.network import Around, Network, around
from .renderer import Renderer
from .tiles import Finer


def _places(t: float, count: int, linear: Collection[int]) -> Around | None:
    """The frames to compare at time ``t`` within ``[0, count - 1]``; None where there is one only.

    At an acquired time they are those on both sides of that one. Where one of them is missing, at
    the ends of the recording or across an interval of ``linear``, it is that frame itself.
    """
    t = float(round(t)) if abs(t - round(t)) < SAME else t
    numbers = segment(t, count, linear)
    if len(numbers) == 1:
        return None
    return around(min(max(t, numbers[0] + SAME), numbers[-1] - SAME), numbers, 0)


class Disagreement(Renderer):
    """How far the given frames before and after a time, followed along their trajectories, differ;
    raw intensities.

    At an acquired time it is the frames on both sides of that one that are compared, at the ends of
    the recording and beside a jump that one and the other. A single frame agrees with itself.
    """

    def _raw(self, value: Tensor, t: float) -> Tensor:
        normalisation = self.frames.normalisation
        return value * (normalisation.scale * normalisation.gain(t))

    def _value(self, t: float, positions: tuple[Tensor, Tensor, Tensor], finer: Finer) -> Tensor:
        t = min(max(t, 0.0), self.frames.count - 1.0)
        places = _places(t, self.frames.count, self.linear)
        if places is None:
            return torch.zeros(math.prod(len(p) for p in positions), device=self.frames.device)
        before, after = (
            self._one(k, self._displacement(t, k, positions), positions, finer)[0]
            for k in (places.before, places.after)
        )
        return (before - after).abs()


class Confidence(Renderer):
    """Half-width of the interval that holds 90 % of the noisy voxels a recording would have had
    there; raw intensities.

    Calibrated on held-out frames, at twice the interval between frames: see
    :func:`.training.confidence.calibrate`. In an interval left to linear interpolation it is at
    least the difference of its two frames: the recording may be like either of them there, and what
    is interpolated lies between.
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
        normalisation = self.frames.normalisation
        return value * (normalisation.scale * normalisation.gain(t))

    def _value(self, t: float, positions: tuple[Tensor, Tensor, Tensor], finer: Finer) -> Tensor:
        value = super()._value(t, positions, finer)
        t = min(max(t, 0.0), self.frames.count - 1.0)
        places = _places(t, self.frames.count, self.linear)
        if places is None:
            return widths(self.table, torch.zeros_like(value), value)
        between = places.before, places.after
        before, after = (
            self._smooth(k, self._displacement(t, k, positions), positions) for k in between
        )
        width = widths(self.table, (before - after).abs(), value)
        if places.before not in self.linear or not SAME <= t - places.before <= 1 - SAME:
            return width
        before, after = (self._plain._one(k, None, positions, finer)[0] for k in between)
        return torch.maximum(width, (before - after).abs())

    def _smooth(
        self, k: int, displaced: Displaced | None, positions: tuple[Tensor, Tensor, Tensor]
    ) -> Tensor:
        def values(points: Tensor, box: Box) -> Tensor:
            return linear_in(self._tiles.smooth(k, box), points, box)[0]

        return in_boxes(self.network.moved(positions, displaced), self.frames.shape, values)
