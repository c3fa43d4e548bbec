"""What a rendering shows: intensities, how far the frames disagree, how sure a value is, whether it
is to be trusted, and what motion carries it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..errors import GridError
from ..model.confidence import LEVEL, TRUSTED, expected_errors, widths
from ..model.finer import Chain
from ..model.frames import SAME, Frames
from ..model.interpolation import segment
from ..model.network import Around, around
from ..model.places import Places, Positions
from .sampler import Sampler


class Quantity(ABC):
    """One number for each point and time, made of what a sampler says.

    Attributes
    ----------
    averaged : whether an output cell is the mean over it; labels have none, and are those of its
        centre.
    """

    averaged: ClassVar[bool] = True

    @abstractmethod
    def value(self, sampler: Sampler, t: float, positions: Positions, finer: Chain) -> Tensor:
        """Normalised values ``(P,)`` at time ``t`` (frames) on a regular grid of positions."""

    def raw(self, sampler: Sampler, value: Tensor, t: float) -> Tensor:
        """The same in the source's units; here for differences of intensities."""
        normalisation = sampler.frames.normalisation
        return value * (normalisation.scale * normalisation.gain(t))


class Intensity(Quantity):
    """Intensities, within what the source's type can hold and the frames around a time have."""

    def value(self, sampler: Sampler, t: float, positions: Positions, finer: Chain) -> Tensor:
        """Normalised intensities ``(P,)``."""
        return sampler.value(t, positions, finer)

    def raw(self, sampler: Sampler, value: Tensor, t: float) -> Tensor:
        """Raw intensities."""
        overshoots = any(part.overshoots for part in sampler.network.finer)
        return raw_intensities(sampler.frames, value, t, overshoots)


class Disagreement(Quantity):
    """How far the given frames before and after a time, followed along their trajectories, differ;
    raw intensities.

    At an acquired time it is the frames on both sides of that one that are compared, at the ends of
    the recording and beside a jump that one and the other. A single frame agrees with itself.
    """

    def value(self, sampler: Sampler, t: float, positions: Positions, finer: Chain) -> Tensor:
        """Normalised differences ``(P,)``."""
        frames = sampler.frames
        t = min(max(t, 0.0), frames.count - 1.0)
        compared = _compared(t, frames.count, sampler.linear)
        if compared is None:
            return torch.zeros(math.prod(len(p) for p in positions), device=frames.device)
        before, after = (
            sampler.sampled(k, sampler.followed(t, k, positions), finer)
            for k in (compared.before, compared.after)
        )
        return (before - after).abs()


class Calibrated(Quantity):
    """What errors on held-out frames tell of any place: see :func:`.training.confidence.calibrate`.

    In an interval left to linear interpolation it is at least the difference of its two frames: the
    recording may be like either of them there, and what is interpolated lies between.

    Parameters
    ----------
    table : what was calibrated.
    """

    def __init__(self, table: dict[str, Any]) -> None:
        self.table = table

    @abstractmethod
    def of(self, spread: Tensor, value: Tensor) -> Tensor:
        """What the table says ``(P,)`` for spreads and intensities, normalised."""

    def value(self, sampler: Sampler, t: float, positions: Positions, finer: Chain) -> Tensor:
        """Normalised ``(P,)``."""
        found = self.of(sampler.spread(t, positions), sampler.value(t, positions, finer))
        k = math.floor(t)
        if k not in sampler.linear or not SAME <= t - k <= 1 - SAME:
            return found
        places = Places(positions)
        before, after = (sampler.plain.sampled(n, places, finer) for n in (k, k + 1))
        return torch.maximum(found, (before - after).abs())


class Confidence(Calibrated):
    """Half-width of the interval that holds a share of the noisy voxels a recording would have had
    there; raw intensities.

    Parameters
    ----------
    table : what was calibrated.
    level : the share, one of those it was calibrated for.
    """

    def __init__(self, table: dict[str, Any], level: float = LEVEL) -> None:
        super().__init__(table)
        self.level = level

    def of(self, spread: Tensor, value: Tensor) -> Tensor:
        """Half-widths ``(P,)``."""
        return widths(self.table, spread, value, self.level)


class ExpectedError(Calibrated):
    """The RMS error to be expected, the noise of a recording apart; raw intensities."""

    def of(self, spread: Tensor, value: Tensor) -> Tensor:
        """Expected errors ``(P,)``."""
        return expected_errors(self.table, spread, value)


class Trust(ExpectedError):
    """1 where the error to be expected is small against the range of the recording, else 0."""

    averaged = False

    def value(self, sampler: Sampler, t: float, positions: Positions, finer: Chain) -> Tensor:
        """1 or 0, ``(P,)``."""
        return (super().value(sampler, t, positions, finer) <= TRUSTED).float()

    def raw(self, sampler: Sampler, value: Tensor, t: float) -> Tensor:
        """The same."""
        return value


class Trusted(Quantity):
    """Raw intensities where they are trusted; what is not is no number.

    Parameters
    ----------
    trust : says where.
    """

    def __init__(self, trust: Trust) -> None:
        self.trust, self.intensity = trust, Intensity()

    def value(self, sampler: Sampler, t: float, positions: Positions, finer: Chain) -> Tensor:
        """Normalised intensities ``(P,)`` or NaN."""
        value = self.intensity.value(sampler, t, positions, finer)
        return value.where(self.trust.value(sampler, t, positions, finer) > 0, math.nan)

    def raw(self, sampler: Sampler, value: Tensor, t: float) -> Tensor:
        """Raw intensities."""
        return self.intensity.raw(sampler, value, t)


class Leading(Quantity):
    """Which of the network's fields counts most, by number from 1; 0 for no motion, at acquired
    times and where frames are interpolated linearly.
    """

    averaged = False

    def value(self, sampler: Sampler, t: float, positions: Positions, finer: Chain) -> Tensor:
        """Labels ``(P,)``, as whole numbers."""
        device = sampler.frames.device
        weights = sampler.weights(t, positions)
        if weights is None:
            return torch.zeros(math.prod(len(p) for p in positions), device=device)
        fields = enumerate(sampler.network.fields, 1)
        labels = torch.tensor([0.0 if one is None else n for n, one in fields], device=device)
        return labels[weights.argmax(0)]

    def raw(self, sampler: Sampler, value: Tensor, t: float) -> Tensor:
        """Labels have no unit."""
        return value


SHOWN = ("intensity", "disagreement", "hypothesis", "confidence", "error", "trust", "trusted")
"""What a rendering shows, by name: see :meth:`.Field.lazy`; the last four are calibrated."""


def shown(what: str, said: Mapping[str, Any] | None, level: float = LEVEL) -> Quantity:
    """A quantity by its name.

    Parameters
    ----------
    said : the table that was calibrated on held-out frames; None where there were none.
    level : of the intervals of "confidence".

    Raises
    ------
    GridError
        If there is no such quantity, or it was not calibrated.
    """
    if what not in SHOWN:
        raise GridError(f"A rendering shows one of {', '.join(SHOWN)}, got {what!r}.")
    plain: dict[str, Callable[[], Quantity]]
    plain = {"intensity": Intensity, "disagreement": Disagreement, "hypothesis": Leading}
    if what in plain:
        return plain[what]()
    if said is None:
        raise GridError(
            "Confidence and trust are calibrated on held-out frames, and this model had none: that"
            " takes three frames or more and the gate."
        )
    table = dict(said)
    if what != "confidence":
        trust = Trust(table)
        return {"error": ExpectedError(table), "trust": trust, "trusted": Trusted(trust)}[what]
    if level not in table["levels"]:
        known = ", ".join(f"{one:g}" for one in table["levels"])
        raise GridError(f"This model is calibrated for the levels {known}, not for {level:g}.")
    return Confidence(table, level)


def raw_intensities(frames: Frames, value: Tensor, t: float, overshoots: bool = False) -> Tensor:
    """Normalised intensities at time ``t`` (frames) as raw ones, within what the type can hold.

    ``overshoots`` says that blur was undone; else they are kept within the frames around, since
    splines overshoot at edges.
    """
    normalisation = frames.normalisation
    low, high = _limits(np.dtype(frames.data.dtype))
    if not overshoots:
        lowest, highest = normalisation.limits(t)
        low, high = max(low, lowest), min(high, highest)
    scaled = value * (normalisation.scale * normalisation.gain(t)) + normalisation.offset
    return scaled.clamp(low, high)


def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The lowest and highest value of a type."""
    if dtype.kind == "b":
        return 0.0, 1.0
    if dtype.kind in "iu":
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return -math.inf, math.inf


def _compared(t: float, count: int, linear: Collection[int]) -> Around | None:
    """The frames to compare at time ``t`` within ``[0, count - 1]``; None where there is one only.

    At an acquired time they are those on both sides of that one. Where one of them is missing, at
    the ends of the recording or across an interval of ``linear``, it is that frame itself.
    """
    t = float(round(t)) if abs(t - round(t)) < SAME else t
    numbers = segment(t, count, linear)
    if len(numbers) == 1:
        return None
    return around(min(max(t, numbers[0] + SAME), numbers[-1] - SAME), numbers, 0)
