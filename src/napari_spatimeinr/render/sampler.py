"""Values of a network at points and times of a recording, normalised as its frames are."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from types import ModuleType

import torch
from torch import Tensor

from ..data.recent import Recent
from ..model.between import Side, between
from ..model.compiled import compiled
from ..model.finer import Chain
from ..model.frames import SAME
from ..model.hypotheses import Seen
from ..model.interpolation import segment, temporal_weights
from ..model.motion import Displaced
from ..model.network import Around, around
from ..model.places import Places, Positions
from ..model.samples import cubic_at, linear_at
from ..model.source import factors
from .tiles import TiledSource

MOST_DISPLACEMENTS = 32 * 2**20
"""Bytes of displacements kept."""


class Sampler:
    """What a network says of any point and time; several threads may ask.

    Values are ``(P,)`` for the ``P`` points of a regular grid, or for where these are in a frame.

    Parameters
    ----------
    source : the frames as the network sees them.
    interpolation : "linear" or "cubic" in time, used where the network has no parts.
    linear : intervals between frames in which the frames are interpolated linearly whatever there
        is.
    """

    def __init__(
        self, source: TiledSource, interpolation: str = "linear", linear: Collection[int] = ()
    ) -> None:
        self.source = source
        self.network, self.frames = source.network, source.frames
        self.interpolation = interpolation
        self.linear = frozenset(linear)
        # What is interpolated there: the frames as they are, which a learned part may have spoiled.
        self.plain = Sampler(source.of(self.network.plain())) if linear else self
        self._displacements: Recent[tuple[float, int, int, float, float], Displaced] = Recent(
            MOST_DISPLACEMENTS, lambda displaced: displaced.nodes.nbytes
        )

    def value(self, t: float, positions: Positions, finer: Chain) -> Tensor:
        """Intensities at a time in frames."""
        count = self.frames.count
        t = min(max(t, 0.0), count - 1.0)
        nearest = round(t)
        at_frame = abs(t - nearest) < SAME
        beside = [i for i in (nearest - 1, nearest) if 0 <= i < count - 1] if at_frame else [int(t)]
        if self.linear and self.linear.issuperset(beside):
            return self.plain.value(t, positions, finer)
        if at_frame:
            return self.sampled(nearest, Places(positions), finer)
        network, numbers = self.network, segment(t, count, self.linear)
        if network.motion is None and network.latents is None and self.interpolation == "cubic":
            return self._cubic(t, numbers, positions, finer)

        near = around(t, numbers, network.outer)

        def outer(k: int) -> Tensor:
            return self._roughly_sampled(k, self.followed(t, k, positions), finer)

        kernels = compiled("between", self.frames.device)
        if kernels is not None:
            return self._in_one_pass(kernels, t, near, positions, finer)
        looks = {k: self._looks(t, k, positions, finer) for k in (near.before, near.after)}
        return network.between(near, lambda k, i: looks[k][i], outer)

    def spread(self, t: float, positions: Positions) -> Tensor:
        """How far what the frames around a time in frames say is spread; nothing at the frames
        themselves.
        """
        count = self.frames.count
        t = min(max(t, 0.0), count - 1.0)
        if abs(t - round(t)) < SAME:
            return torch.zeros(math.prod(len(p) for p in positions), device=self.frames.device)
        near = around(t, segment(t, count, self.linear), 0)
        return self.network.spread(near.share, *self._contexts(t, near, positions))

    def weights(self, t: float, positions: Positions) -> Tensor | None:
        """How much each of the network's fields counts at a time, ``(K, P)``; None at acquired
        times and where the frames are interpolated linearly.
        """
        t = min(max(t, 0.0), self.frames.count - 1.0)
        if abs(t - round(t)) < SAME or int(t) in self.linear:
            return None
        if self.network.hypotheses is None:
            return torch.ones(1, math.prod(len(p) for p in positions), device=self.frames.device)
        near = around(t, segment(t, self.frames.count, self.linear), 0)
        return self.network.hypotheses.weights(*self._contexts(t, near, positions))

    def _contexts(self, t: float, near: Around, positions: Positions) -> tuple[Tensor, Tensor]:
        """The frames before and after, smoothed, along each of the network's fields, ``(K, S,
        P)``.
        """

        def along(k: int) -> Tensor:
            read, shape = functools.partial(self.source.context, k), self.frames.shape
            paths = self._paths(t, k, positions)
            return torch.stack([linear_at(places, shape, (1, 1, 1), read) for places in paths])

        return along(near.before), along(near.after)

    # -- one frame -----------------------------------------------------------------------

    def followed(self, t: float, k: int, positions: Positions, number: int = 0) -> Places:
        """Where what is at the positions at time ``t`` is in frame ``k``, by the network's field
        ``number``.
        """
        field = self.network.fields[number]
        return Places(positions, field, self._displacement(t, k, positions, number))

    def _paths(self, t: float, k: int, positions: Positions) -> list[Places]:
        """Where what is at the positions at time ``t`` is in frame ``k``, by each of the network's
        fields.
        """
        paths: list[Places] = []
        for i in range(len(self.network.fields)):
            paths.append(replace(self.followed(t, k, positions, i), beside=paths))
        return paths

    def _side(self, t: float, k: int, positions: Positions, finer: Chain) -> Side:
        """Frame ``k`` as a time between frames is made of it."""
        source = self.source
        return Side(
            self._paths(t, k, positions),
            lambda box: source.coefficients(k, box, finer),
            lambda box: source.context(k, box),
            lambda box: source.latents(k, box),
            factors(finer),
            source.fine_shape(finer),
            self.frames.shape,
        )

    def _in_one_pass(
        self, kernels: ModuleType, t: float, near: Around, positions: Positions, finer: Chain
    ) -> Tensor:
        """What :meth:`.Network.between` gives, by a kernel."""
        before, after = (self._side(t, k, positions, finer) for k in (near.before, near.after))
        if before.too_large or after.too_large:
            axis, parts = before.paths[0].halves()
            made = [
                self._in_one_pass(kernels, t, near, part.positions, finer).unflatten(0, part.sizes)
                for part in parts
            ]
            return torch.cat(made, axis).flatten()
        outer = [
            self._outer(t, frames, positions, finer)
            for frames in (near.outer_before, near.outer_after)
        ]
        return between(kernels, self.network, (before, after), near.share, (outer[0], outer[1]))

    def _looks(self, t: float, k: int, positions: Positions, finer: Chain) -> list[Seen]:
        """What frame ``k`` says of the positions at time ``t``, along each of the network's
        fields.
        """
        network, shape = self.network, self.frames.shape
        side = self._side(t, k, positions, finer)
        # Latents first: denoised voxels come with them.
        latents, values, context = (
            functools.cache(read) for read in (side.latents, side.coefficients, side.context)
        )
        seen = []
        for places in side.paths:
            of_latents = of_context = None
            if network.latents is not None:
                of_latents = linear_at(places, shape, (1, 1, 1), latents)
            if network.hypotheses is not None:
                of_context = linear_at(places, shape, (1, 1, 1), context)
            value = cubic_at(places, side.fine, side.factors, values)
            seen.append(Seen(value, of_latents, of_context))
        return seen

    def _outer(
        self, t: float, frames: Sequence[int], positions: Positions, finer: Chain
    ) -> Tensor | None:
        """The mean of frames beyond the inner ones, where the decoder looks at any."""
        if self.network.latents is None or not frames:
            return None
        values = [self._roughly_sampled(k, self.followed(t, k, positions), finer) for k in frames]
        return values[0] if len(values) == 1 else torch.stack(values).mean(0)

    def sampled(self, k: int, places: Places, finer: Chain) -> Tensor:
        """Frame ``k`` at places, by cubic splines through the finer voxels."""
        shape = self.source.fine_shape(finer)
        return cubic_at(
            places, shape, factors(finer), lambda box: self.source.coefficients(k, box, finer)
        )

    def _roughly_sampled(self, k: int, places: Places, finer: Chain) -> Tensor:
        """Frame ``k`` at places, linear between the finer voxels."""
        shape = self.source.fine_shape(finer)
        return linear_at(
            places, shape, factors(finer), lambda box: self.source.fine(k, box, finer)
        )[0]

    # -- between frames ------------------------------------------------------------------

    def _cubic(self, t: float, numbers: range, positions: Positions, finer: Chain) -> Tensor:
        """The spline through frames ``numbers``, kept within what the two frames on
        each side say.
        """
        weights = temporal_weights(self.frames.time(t), self.frames.clock[list(numbers)], "cubic")
        used = {k: float(w) for k, w in zip(numbers, weights, strict=True) if abs(w) > 1e-3}
        terms = {k: self.sampled(k, Places(positions), finer) for k in used}
        parts = [w / sum(used.values()) * terms[k] for k, w in used.items()]
        value = sum(parts[1:], parts[0])
        near = torch.stack([term for k, term in terms.items() if abs(k - t) < 2])
        return torch.minimum(torch.maximum(value, near.amin(0)), near.amax(0))

    def _displacement(
        self, t: float, k: int, positions: Positions, number: int
    ) -> Displaced | None:
        velocity = self.network.fields[number]
        # Nothing is followed across an interval that is left to linear interpolation.
        first, last = min(t, k), max(t, k)
        if velocity is None or any(first < i + 1 and i < last for i in self.linear):
            return None
        z = float(positions[0].min()), float(positions[0].max())
        return self._displacements.get(
            (t, k, number, *z),
            lambda: velocity.displacement_nodes(self.frames.time(t), self.frames.time(k), z),
        )
