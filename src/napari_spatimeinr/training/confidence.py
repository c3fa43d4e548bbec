"""How sure a prediction is: the widths of intervals of errors on acquired frames, by what can be
known anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..model.confidence import LEVELS, widths
from ..model.displacements import Displacements
from ..model.frames import Frames
from ..model.network import Network, around
from .gate import HeldOut, blocks
from .predicting import predict, spread

EDGES = ((0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.997), (1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6))
"""Quantiles between the bins of spread (few places move, and those matter) and of predicted
intensity."""
LEAST_IN_BIN = 200
LEAST_IN_ROW = 50
"""Voxels of all intensities from which a width is taken: of fewer it grows with their spread."""
MOST_FRAMES = 4
"""Acquired frames, and intervals, that are looked at."""
MOST_BLOCKS = 6
"""Blocks of an interval that are looked at."""


def judged(
    network: Network, frames: Frames, parts: HeldOut, seed: int, taught: Tensor | None = None
) -> list[Tensor]:
    """Spread, predicted intensity and absolute error on each held-out frame, ``(3, P)``, where
    ``taught`` ``(1, 1, Z, Y, X)`` is not 1. The noise of the frame is part of the error.
    """
    return [_samples(network, frames, parts.given, t, seed, taught) for t in parts.held]


def calibrate(samples: Sequence[Tensor], held: Sequence[int]) -> dict[str, Any]:
    """Quantiles of the absolute error on held-out frames, by spread and predicted intensity.

    The width needed at a place depends on how far what the frames say along all hypotheses is
    spread there and on how bright it is (noise grows with brightness).

    Returns
    -------
    ``levels``, ``edges`` of the bins of both, and ``widths`` (level, spread, intensity), all of
    normalised intensities; with two held-out frames or more ``coverage``, the share inside the
    interval on each when calibrated on the others.
    """
    whole = torch.cat(list(samples), 1)
    table = _told(_edges(whole), _widths(whole, _edges(whole)))
    shares = []
    for i, one in enumerate(samples if len(samples) > 1 else ()):
        rest = torch.cat([s for j, s in enumerate(samples) if j != i], 1)
        others = _told(_edges(rest), _widths(rest, _edges(rest)))
        inside = one[2] <= widths(others, one[0], one[1])
        shares.append(round(float(inside.float().mean()), 4))
    return table | ({"coverage": shares} if shares else {}) | {"frames": list(held)}


@torch.no_grad()
def at_native_gap(
    table: dict[str, Any], samples: Sequence[Tensor], network: Network, frames: Frames, seed: int
) -> dict[str, Any]:
    """The table for frames at the recording's own interval, of which the held-out frames had twice.

    Acquired frames, predicted from their neighbours by the final network, say how large errors are
    where motion is as well known as it is at that interval; but they were learned from. By how much
    squares of widths on held-out frames are larger is added as far as, at that interval, the mean
    squared spread is as large as theirs.
    """
    count = range(frames.count)
    known = sorted(_evenly(1, frames.count - 2))
    seen = torch.cat(
        [_samples(network, frames, [k for k in count if k != t], t, seed) for t in known], 1
    )
    edges = _edges(seen)
    unseen = torch.cat(list(samples), 1)
    share = min(1.0, _at_gap(network, frames, seed) / max(_mean_square(unseen[0]), 1e-12))
    least = _widths(seen, edges).square()
    most = torch.maximum(_widths(unseen, edges).square(), least)
    return table | _told(edges, (least + share * (most - least)).sqrt())


def _at_gap(network: Network, frames: Frames, seed: int) -> float:
    """The mean squared spread halfway between neighbouring frames."""
    moves = Displacements(network, frames)
    found = [
        spread(network, frames, moves, k + 0.5, around(k + 0.5, range(frames.count), 0), box)
        for k in sorted(_evenly(0, frames.count - 2))
        for box in blocks(frames.shape, seed + k, MOST_BLOCKS)
    ]
    return _mean_square(torch.cat(found))


def _evenly(first: int, last: int) -> set[int]:
    """A few numbers of these."""
    return {first + round(i * (last - first) / (MOST_FRAMES - 1)) for i in range(MOST_FRAMES)}


def _mean_square(values: Tensor) -> float:
    return float(values.square().mean())


@torch.no_grad()
def _samples(
    network: Network,
    frames: Frames,
    given: Sequence[int],
    t: int,
    seed: int,
    taught: Tensor | None = None,
) -> Tensor:
    """Spread, predicted intensity and absolute error on frame ``t``, ``(3, P)``, where ``taught``
    is not 1.
    """
    moves = Displacements(network, frames)
    out = []
    for box in blocks(frames.shape, seed + t):
        places = around(t, given, network.outer, frames.time)
        value = predict(network, frames, moves, t, places, box).flatten()
        away = spread(network, frames, moves, t, places, box)
        some = torch.stack([away, value, (value - frames.block(t, box).flatten()).abs()])
        if taught is not None:
            some = some[:, taught[0, 0][tuple(slice(a, b) for a, b in box)].flatten() == 0]
        out.append(some)
    return torch.cat(out, 1)


def _edges(samples: Tensor) -> list[list[float]]:
    """Between the bins of spread and of intensity."""
    return [
        _quantile(row, quantiles).tolist() for row, quantiles in zip(samples, EDGES, strict=False)
    ]


def _widths(samples: Tensor, edges: list[list[float]]) -> Tensor:
    """Quantiles of the errors in each bin, ``(level, spread, intensity)``, that never fall with
    spread.
    """
    rows, columns = (
        torch.bucketize(row, torch.tensor(e, device=row.device))
        for row, e in zip(samples, edges, strict=False)
    )
    count = len(edges[1]) + 1
    table: list[Tensor] = []
    usual, before = _quantile(samples[2], LEVELS), float(samples[0].mean())
    for i in range(len(edges[0]) + 1):
        inside = rows == i
        number = int(inside.sum())
        if number > 0:
            now = float(samples[0][inside].median())
            # Too few to say: in proportion to where the spread is a little less.
            grown = usual * max(1.0, now / max(before, 1e-9)) if table else usual
            usual = _quantile(samples[2][inside], LEVELS) if number >= LEAST_IN_ROW else grown
            before = now
        row = usual[:, None].repeat(1, count)
        for j in range(count):
            some = samples[2][inside & (columns == j)]
            if len(some) >= LEAST_IN_BIN:
                row[:, j] = _quantile(some, LEVELS)
        table.append(row)
    found = torch.stack(table, 1)
    rising, falling = found.cummax(1).values, found.flip(1).cummin(1).values.flip(1)
    return (rising + falling) / 2


def _told(edges: list[list[float]], found: Tensor) -> dict[str, Any]:
    values = [[[round(w, 6) for w in row] for row in one] for one in found.tolist()]
    return {"levels": list(LEVELS), "edges": edges, "widths": values}


def _quantile(values: Tensor, shares: Sequence[float]) -> Tensor:
    thinned = values[:: max(1, len(values) // 1_000_000)]
    return thinned.quantile(torch.tensor(shares, device=values.device, dtype=values.dtype))
