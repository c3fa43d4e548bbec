"""The parts of a fitted model in one place, and the value they give for points between
two frames.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

from .finer import Chain, FinerPlanes, FinerVoxels
from .frames import Box
from .hypotheses import Hypotheses, Seen, spread_of
from .latents import Latents
from .motion import Displaced, VelocityField
from .part import PARTS
from .sampling import PREFILTER_REACH, cubic, linear

OUTER_MOVING = 1
"""Frames beyond the inner ones on each side; further ones are too far to be aligned (measured: no
gain from 2)."""
OUTER_STILL = 2
"""The same where nothing moves, so that alignment cannot fail."""
LEARNED_REACH = 4
"""Reach of the spline prefilter of denoised frames, voxels: less is spent on borders, and what is
cut off is 0.5 % of a contrast."""


ALONG_TIME = ("motion", "hypotheses", "latents")
"""The parts that predict what lies between frames; all others work on single frames."""


class Encoded(NamedTuple):
    """A box of a frame: spline coefficients ``(1, 1, z, y, x)`` and, with an encoder, latents ``(1,
    F, ...)``.
    """

    coefficients: Tensor
    latents: Tensor | None = None


class Around(NamedTuple):
    """The frames around a time, by number: two inner ones, those beyond on each side (none at the
    ends), and the share of the interval.
    """

    outer_before: tuple[int, ...]
    before: int
    after: int
    outer_after: tuple[int, ...]
    share: float


def around(
    t: float, numbers: Sequence[int], outer: int, when: Callable[[float], float] = float
) -> Around:
    """The frames around time ``t`` (frames) among increasing frame numbers, at least one and at
    most ``1 + outer`` on each side.

    ``when`` is :meth:`.Frames.time`, which matters where frames between these are left out.
    """
    i = max(n for n, k in enumerate(numbers) if k < t)
    j = next(n for n, k in enumerate(numbers) if k > t)
    a, b = numbers[i], numbers[j]
    beyond = tuple(numbers[max(0, i - outer) : i]), tuple(numbers[j + 1 : j + 1 + outer])
    return Around(beyond[0], a, b, beyond[1], (when(t) - when(a)) / (when(b) - when(a)))


P = TypeVar("P", bound=nn.Module)


class _Part(Generic[P]):
    """A part of a network as an attribute; None where it is missing."""

    def __set_name__(self, owner: type[Network], name: str) -> None:
        self.name = name

    def __get__(self, network: Network, owner: type[Network]) -> P | None:
        return cast("P | None", network.parts.get(self.name))

    def __set__(self, network: Network, part: P | None) -> None:
        network.put(self.name, part)


class Network:
    """Parts by name; any may be missing (switched off or rejected).

    Attributes
    ----------
    parts : those there are, in the order in which they run; further ones than these may be
        registered.
    motion : the velocity field.
    hypotheses : further velocity fields, and what blends them.
    latents : encoder and decoder.
    planes, voxels : what makes planes and voxels finer.
    precision : arithmetic of the networks.
    """

    motion = _Part[VelocityField]()
    hypotheses = _Part[Hypotheses]()
    latents = _Part[Latents]()
    planes = _Part[FinerPlanes]()
    voxels = _Part[FinerVoxels]()

    def __init__(
        self,
        motion: VelocityField | None = None,
        latents: Latents | None = None,
        precision: torch.dtype = torch.float32,
        **others: nn.Module | None,
    ) -> None:
        self.parts: dict[str, nn.Module] = {}
        self.precision = precision
        for name, part in {"motion": motion, "latents": latents, **others}.items():
            self.put(name, part)

    def put(self, name: str, part: nn.Module | None) -> None:
        """Set a part, or with None take it away."""
        parts = {**self.parts, name: part}
        order = [*(known for known in PARTS if known in parts), *parts]
        self.parts = {n: one for n in order if (one := parts[n]) is not None}

    @property
    def outer(self) -> int:
        """How many frames beyond the inner ones are averaged on each side: where nothing moves,
        more of them still fit.
        """
        return OUTER_MOVING if self.motion is not None else OUTER_STILL

    def copy(self) -> Network:
        """The same values, independent of further training."""
        return copy.deepcopy(self)

    @property
    def finer(self) -> Chain:
        """What makes voxels finer, or changes them otherwise, in the order it is applied in: all
        parts but those that stand for time.
        """
        others = [part for name, part in self.parts.items() if name not in ALONG_TIME]
        return cast(Chain, tuple(others))

    def plain(self) -> Network:
        """The frames as they are, by splines or with finer voxels: no motion, no latents."""
        others = {name: part for name, part in self.parts.items() if name not in ALONG_TIME}
        return Network(None, None, self.precision, **others)

    def without_latents(self) -> Network:
        """The same motion, frames sampled as they are."""
        return Network(self.motion, None, self.precision, hypotheses=self.hypotheses)

    @property
    def fields(self) -> list[VelocityField | None]:
        """Where things may go: the motion, further hypotheses, and None for no motion."""
        if self.hypotheses is None:
            return [self.motion]
        return [self.motion, *cast("list[VelocityField]", list(self.hypotheses.fields)), None]

    @property
    def reach(self) -> int:
        """Reach of the spline prefilter: where latents were learned, the one they were learned
        with.
        """
        return PREFILTER_REACH if self.latents is None else LEARNED_REACH

    def between(
        self,
        places: Around,
        inner: Callable[[int, int], Seen],
        outer: Callable[[int], Tensor],
    ) -> Tensor:
        """Values ``(P,)`` between two frames.

        ``inner(k, i)`` gives what frame k says along the trajectories of :attr:`fields` number i,
        ``outer(k)`` values alone, along those of the motion.
        """
        (a, la, _), (b, lb, _) = self.inner(places, inner)
        if self.latents is None or la is None or lb is None:
            # Not lerp, which rounds by how many points there are.
            return a * (1 - places.share) + b * places.share
        before, after = (
            torch.stack([outer(k) for k in beyond]).mean(0) if beyond else nearest
            for beyond, nearest in ((places.outer_before, a), (places.outer_after, b))
        )
        result: Tensor = self.latents.decoder(
            (a, b), (before, after), (la, lb), places.share, self.precision
        )
        return result

    def inner(self, places: Around, inner: Callable[[int, int], Seen]) -> tuple[Seen, Seen]:
        """What the frames before and after say, all hypotheses together."""
        number = range(len(self.fields))
        before, after = ([inner(k, i) for i in number] for k in (places.before, places.after))
        if self.hypotheses is None:
            return before[0], after[0]
        return self.hypotheses.blended(before, after)

    @torch.no_grad()
    def spread(self, share: float, before: Tensor, after: Tensor) -> Tensor:
        """How far what the inner frames say at a share of the interval is spread, ``(P,)``: see
        :func:`.spread_of`.

        ``before`` and ``after`` are the frames smoothed, along each of :attr:`fields`, ``(K, S,
        P)``.
        """
        if self.hypotheses is None:
            return spread_of(torch.ones_like(before[:, 0]), before, after, share)
        return spread_of(self.hypotheses.weights(before, after), before, after, share)

    def moved(
        self,
        positions: tuple[Tensor, Tensor, Tensor],
        displaced: Displaced | None,
        number: int = 0,
    ) -> Tensor:
        """Points ``(1, P, 3)`` of a regular grid of voxel positions, displaced along
        :attr:`fields` ``number`` if anything moves.
        """
        points = torch.stack(torch.meshgrid(*positions, indexing="ij"), -1).reshape(1, -1, 3)
        field = self.fields[number]
        if displaced is None or field is None:
            return points
        return points + field.displacement(displaced, positions).flatten(2).transpose(1, 2)


SMOOTH_REACH = 3
"""Voxels around a box that smoothing it with sigma 1 sees."""


def needed_box(points: Tensor, shape: tuple[int, int, int]) -> tuple[Tensor, Box]:
    """Points clamped to the frame, and the box of voxels that sampling them touches."""
    top = points.new_tensor([n - 1 for n in shape])
    points = torch.minimum(points.clamp(min=0), top)
    box = [(a - 1, min(b + 1, n) + 2) for (a, b), n in zip(_bounds(points), shape, strict=True)]
    return points, (box[0], box[1], box[2])


def sample(encoded: Encoded, points: Tensor, box: Box) -> tuple[Tensor, Tensor | None]:
    """Values ``(P,)`` and latents ``(F, P)`` at points ``(1, P, 3)`` of the frame a box was encoded
    from.
    """
    local = points - points.new_tensor([a for a, _ in box])
    values = cubic(encoded.coefficients, local)[0]
    return values, None if encoded.latents is None else linear(encoded.latents, local)[0]


def sample_denoised(denoised: Tensor, points: Tensor, box: Box) -> Tensor:
    """Denoised values ``(P,)``, linearly: enough for the outer frames, which only help
    to average.
    """
    return linear(denoised, points - points.new_tensor([a for a, _ in box]))[0, 0]


def _bounds(points: Tensor) -> list[tuple[int, int]]:
    """Lowest and highest voxel index (z, y, x) at or below the points ``(1, P, 3)``."""
    # One axis at a time: torch reduces strided columns five times faster than the last axis but
    # one.
    limits = [torch.aminmax(points[0, :, axis]) for axis in range(3)]
    return [(math.floor(limit.min), math.floor(limit.max)) for limit in limits]
