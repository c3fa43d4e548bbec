"""How sure a prediction is: the width of 90 % of the errors on held-out frames, by what can be
known anywhere.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor

from ..model.confidence import widths
from ..model.displacements import Displacements
from ..model.frames import Box, Frames
from ..model.network import Around, Network, around, disagreement
from ..model.source import FrameSource
from .gate import HeldOut, blocks
from .predicting import predict

LEVEL = 0.9
EDGES = ((0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.997), (1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6))
"""Quantiles between the bins of disagreement (few places move, and those matter) and of predicted
intensity."""
LEAST_IN_BIN = 200


@torch.no_grad()
def calibrate(
    network: Network, frames: Frames, parts: HeldOut, seed: int, taught: Tensor | None = None
) -> dict[str, Any]:
    """90 % quantiles of the absolute error on held-out frames, by disagreement and predicted
    intensity.

    The width needed at a place depends on how far the smoothed aligned neighbours disagree there
    and on how bright it is (noise grows with brightness). The noise of the held-out frame is part
    of the error.

    Returns
    -------
    ``edges`` of the bins of both, and ``widths`` (disagreement, intensity), all of normalised
    intensities; with two held-out frames or more ``coverage``, the share inside the interval on
    each when calibrated on the others.
    """
    samples = [_samples(network, frames, parts, t, seed, taught) for t in parts.held]
    table = _table(torch.cat(samples, 1))
    if len(samples) > 1:
        shares = []
        for i, one in enumerate(samples):
            others = _table(torch.cat([s for j, s in enumerate(samples) if j != i], 1))
            shares.append(
                round(float((one[2] <= widths(others, one[0], one[1])).float().mean()), 4)
            )
        table["coverage"] = shares
    return table | {
        "level": LEVEL,
        "frames": parts.held,
        "disagreement": _mean_square(torch.cat([s[0] for s in samples])),
    }


@torch.no_grad()
def at_native_gap(
    table: dict[str, Any], network: Network, frames: Frames, seed: int
) -> dict[str, Any]:
    """The table for frames at the recording's own interval, of which the held-out frames had twice.

    What a width exceeds that of the best aligned places of the same brightness (noise) comes from
    what could not be aligned; its square is taken to shrink as the mean squared disagreement of
    neighbouring frames does. Where the held-out frames were aligned nowhere, noise shows on frames
    whose motion is known: acquired ones, predicted from their neighbours.
    """
    pairs = sorted({round(i * (frames.count - 2) / 3) for i in range(4)})
    measured = [
        _difference(network, frames, around(k + 0.5, range(frames.count), 0), k + 0.5, box)
        for k in pairs
        for box in blocks(frames.shape, seed + k, most=6)
    ]
    share = min(1.0, _mean_square(torch.cat(measured)) / max(table["disagreement"], 1e-12))
    wide = torch.tensor(table["widths"], dtype=torch.float64) ** 2
    known = sorted({1 + round(i * (frames.count - 3) / 3) for i in range(4)})
    samples = [
        _samples(network, frames, HeldOut([t], [k for k in range(frames.count) if k != t]), t, seed)
        for t in known
    ]
    noise = torch.minimum(wide.amin(0), _least(torch.cat(samples, 1), table["edges"]) ** 2)
    native = (noise + share * (wide - noise)).sqrt()
    return table | {
        "widths": [[round(w, 6) for w in row] for row in native.tolist()],
        "share_of_disagreement": round(share, 4),
    }


def _mean_square(values: Tensor) -> float:
    return float(values.square().mean())


def _samples(
    network: Network,
    frames: Frames,
    parts: HeldOut,
    t: int,
    seed: int,
    taught: Tensor | None = None,
) -> Tensor:
    """Disagreement, predicted intensity and absolute error on a held-out frame, ``(3, P)``, where
    ``taught`` ``(1, 1, Z, Y, X)`` is not 1.
    """
    moves = Displacements(network, frames)
    out = []
    for box in blocks(frames.shape, seed + t):
        places = around(t, parts.given, network.outer, frames.time)
        value = predict(network, frames, moves, t, places, box).flatten()
        difference = _difference(network, frames, places, t, box, moves)
        some = torch.stack([difference, value, (value - frames.block(t, box).flatten()).abs()])
        if taught is not None:
            some = some[:, taught[0, 0][tuple(slice(a, b) for a, b in box)].flatten() == 0]
        out.append(some)
    return torch.cat(out, 1)


def _difference(
    network: Network,
    frames: Frames,
    places: Around,
    t: float,
    box: Box,
    moves: Displacements | None = None,
) -> Tensor:
    """Disagreement of the frames around time ``t`` on the voxels of a box, ``(P,)``."""
    moves = moves or Displacements(network, frames)
    positions = [torch.arange(a, b, device=frames.device, dtype=torch.float32) for a, b in box]

    def moved(k: int) -> Tensor:
        return network.moved((positions[0], positions[1], positions[2]), moves(float(t), float(k)))

    return disagreement(places, FrameSource(network, frames).denoised, moved, frames.shape)


def _least(samples: Tensor, edges: list[list[float]]) -> Tensor:
    """The smallest quantile of all bins of disagreement, for each of intensity ``(J,)``; infinite
    where samples are too few.
    """
    index, errors = _bins(samples, edges), samples[2]
    least = torch.full((len(edges[1]) + 1,), torch.inf, dtype=torch.float64)
    for i, j in itertools.product(range(len(edges[0]) + 1), range(len(least))):
        some = errors[(index[0] == i) & (index[1] == j)]
        if len(some) >= LEAST_IN_BIN:
            least[j] = least[j].clamp(max=float(_quantile(some)))
    return least


def _bins(samples: Tensor, edges: list[list[float]]) -> list[Tensor]:
    return [
        torch.bucketize(row, torch.tensor(e, device=row.device))
        for row, e in zip(samples, edges, strict=False)
    ]


def _table(samples: Tensor) -> dict[str, Any]:
    edges = []
    for row, quantiles in zip(samples, EDGES, strict=False):
        thinned = row[:: max(1, len(row) // 500_000)]
        edges.append(thinned.quantile(torch.tensor(quantiles, device=row.device)).tolist())
    index, errors = _bins(samples, edges), samples[2]
    table: list[list[float]] = []
    whole = float(_quantile(errors))
    for i in range(len(EDGES[0]) + 1):
        of_difference = errors[index[0] == i]
        # Too few to say: as where the neighbours disagree a little less.
        before = table[-1] if table else [whole] * (len(EDGES[1]) + 1)
        row = (
            [float(_quantile(of_difference))] * len(before)
            if len(of_difference) >= LEAST_IN_BIN
            else before
        )
        for j in range(len(row)):
            some = errors[(index[0] == i) & (index[1] == j)]
            if len(some) >= LEAST_IN_BIN:
                row = [*row[:j], round(float(_quantile(some)), 6), *row[j + 1 :]]
        table.append(row)
    return {"edges": edges, "widths": table}


def _quantile(values: Tensor) -> Tensor:
    return values[:: max(1, len(values) // 1_000_000)].quantile(LEVEL)
