"""Value and gradient of what velocity is fitted to: by the kernels where they are compiled, else by
torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..compute.pool import spread
from .compiled import compiled
from .losses import Pairs, Terms
from .motion import VelocityField

CHUNKS = 8
"""What is summed on its own, whatever the number of threads, so that the bits do not depend on
it."""


class Objective:
    """Value and gradient of the terms; keeps the memory that is worked in from step to step.

    One object serves one field at a time; several may be used at once.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._compiled: _Compiled | None = None

    def __call__(self, field: VelocityField, pairs: Sequence[Pairs]) -> tuple[float, Tensor]:
        """The value and its gradient to the nodes, ``(K, 3, z, y, x)``; the next call overwrites
        it.
        """
        module = compiled("alignment", field.nodes.device)
        if module is None:
            return self.terms.by_torch(field, pairs)
        if self._compiled is None:
            self._compiled = _Compiled(module, self.terms, field)
        with torch.no_grad():
            return self._compiled(field, pairs)


class _Part:
    """What of the pairs is computed at once: the arguments of a call, and what it adds to."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.first, self.stop = 0, 0
        self.value = 0.0


class _Compiled:
    """The same by the kernels."""

    def __init__(self, module: ModuleType, terms: Terms, field: VelocityField) -> None:
        self.module, self.terms = module, terms
        count, _, *grid = field.nodes.shape
        self.grid = grid[0], grid[1], grid[2]
        self.nodes = torch.empty(count, *grid, 3)
        self.gradient = torch.empty(count, 3, *grid)
        self.frames = terms.frames.contiguous().view(-1).numpy()
        bins = terms.bins.numpy()
        shape = terms.frames.shape[2:]
        self.shape = shape[0], shape[1], shape[2]
        self.scale = np.stack([field.size.numpy(), 1 / bins, (bins - 1) / 2]).astype(np.float32)
        self.parts = np.empty((CHUNKS, 0, self.nodes[0].numel()), np.float32)
        self.weights = _smoothness_weights(terms, field)

    def __call__(self, field: VelocityField, pairs: Sequence[Pairs]) -> tuple[float, Tensor]:
        self.nodes.copy_(field.nodes.permute(0, 2, 3, 4, 1))
        chunks = [_Part() for _ in range(CHUNKS)]
        for some in pairs:
            self._plan(field, some, chunks)
        deepest = max(chunk.stop - chunk.first for chunk in chunks)
        if deepest > self.parts.shape[1]:
            self.parts = np.empty((CHUNKS, deepest, self.parts.shape[2]), np.float32)
        threads = torch.get_num_threads()
        spread(lambda i: self._align(chunks[i], self.parts[i]), range(CHUNKS), threads)
        held = np.array([(chunk.first, chunk.stop) for chunk in chunks])
        smooth = np.zeros(len(self.nodes))
        spread(lambda k: self._finish(k, held, smooth), range(len(self.nodes)), threads)
        return sum(chunk.value for chunk in chunks) + float(smooth.sum()), self.gradient

    def _plan(self, field: VelocityField, some: Pairs, chunks: list[_Part]) -> None:
        """Share the points out to the chunks, the same ones whatever the number of threads."""
        sets, number, _ = some.points.shape
        ends = [field.course(some.at, self.terms.times[k]) for k in (some.first, some.second)]
        most = 2 * max(len(read) for _, read in ends)
        knots = np.zeros((sets, 2, most, 2), np.int64)
        shares = np.zeros((sets, 2, most), np.float32)
        for e, (_, read) in enumerate(ends):
            low, high, share = field.between_knots(read.reshape(-1))
            for target, found in ((knots[..., 0], low), (knots[..., 1], high), (shares, share)):
                target[:, e, : 2 * len(read)] = found.view(-1, sets).T.numpy()
            knots[:, e, 2 * len(read) :] = knots[:, e, :1]
        arguments = (
            self.nodes.view(-1).numpy(),
            self.grid,
            self.frames,
            self.shape,
            torch.stack([some.first, some.second], 1).numpy(),
            np.ascontiguousarray(some.points.numpy()),
            knots,
            shares,
            np.ascontiguousarray(torch.stack([h for h, _ in ends], 1).numpy()),
            np.array([len(read) for _, read in ends]),
            self.scale,
            np.float32(self.terms.width),
            np.float32(some.weight / (sets * number)),
        )
        pieces = -(-CHUNKS // sets)
        edges = np.linspace(0, number, pieces + 1).astype(int).tolist()
        units = [(b, edges[i], edges[i + 1]) for b in range(sets) for i in range(pieces)]
        lows, highs = knots[..., 0].min((1, 2)).tolist(), knots[..., 1].max((1, 2)).tolist()
        for chunk, mine in zip(chunks, np.array_split(np.array(units), CHUNKS), strict=True):
            for b, begin, stop in mine.tolist():
                low, high = lows[b], highs[b] + 1
                empty = not chunk.calls
                chunk.first = low if empty else min(chunk.first, low)
                chunk.stop = high if empty else max(chunk.stop, high)
                chunk.calls.append((arguments, (b, begin, stop)))

    def _align(self, chunk: _Part, out: NDArray[np.float32]) -> None:
        """Add up the gradient of a chunk."""
        out = out[: chunk.stop - chunk.first].reshape(-1)
        out.fill(0)
        for arguments, place in chunk.calls:
            total = self.module.alignment(*arguments, (*place, chunk.first), out)
            chunk.value += float(arguments[-1]) * total

    def _finish(self, k: int, held: NDArray[np.int64], smooth: NDArray[np.float64]) -> None:
        """Add up the gradient of a knot, and that of its smoothness."""
        smooth[k] = self.module.smoothness(
            self.nodes.view(-1).numpy(),
            (len(self.nodes), *self.grid),
            k,
            self.weights,
            self.parts,
            held,
            self.gradient.numpy(),
        )


def _smoothness_weights(terms: Terms, field: VelocityField) -> NDArray[np.float32]:
    """Twice the weights of the squared differences of neighbours in time, along z, y and x, of each
    component: ``(4, 3)``; see :func:`.roughness` and :func:`.unsteadiness`.
    """
    count, _, *grid = field.nodes.shape
    nodes = count * np.prod(grid)
    lateral = np.array(terms.spacing) / min(terms.spacing[1:])
    out = np.zeros((4, 3))
    for axis, n in enumerate((count, *grid)):
        if n > 1:
            each = np.full(3, terms.unsteady) if axis == 0 else terms.rough * lateral**2
            out[axis] = 2 * each / (nodes / n * (n - 1))
    return out.astype(np.float32)
