"""Gates: a component is kept only where it beats interpolation on data it did not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..model.displacements import Displacements
from ..model.frames import Box, Frames, random_box
from ..model.interpolation import temporal_weights
from ..model.motion import Displaced
from ..model.network import Network, around, needed_box, sample
from ..model.sampling import gaussian
from ..model.source import FrameSource
from .predicting import predict

MARGIN_DB = 0.02
"""A component must win by this much; below it the simpler method is kept."""
CUBIC_MARGIN_DB = 0.1
"""A spline through all frames carries what is wrong in one frame to others, so it must win by
more."""
STEADY_SHARE = 2 / 3
"""And it must win on this share of the acquired frames, each left out in turn."""
LEAST_GIVEN = 3
"""Frames that a hold-out must leave for latents to be learned from: each from two others."""
MOST_LEFT_OUT = 60
"""Frames left out in turn, at most."""
BLOCK = (16, 48, 48)
"""Voxels (z, y, x) of the blocks that frames are scored on."""
MOST_BLOCKS = 4
"""Blocks of a frame that is left out in turn, at most."""
LATENT_MARGIN_DB = 0.1
"""Latents are trained over twice the interval they are used for, so they must win by more."""
FOREGROUND = 0.1
"""The moving foreground: smoothed neighbours differ by more than this."""

Kind = Literal["linear", "cubic"]
KINDS: tuple[Kind, Kind] = ("linear", "cubic")


@dataclass(frozen=True)
class HeldOut:
    """Frames kept back and the rest, by number."""

    held: list[int]
    given: list[int]


def split(count: int) -> HeldOut | None:
    """Every fourth frame kept back, from the middle of the first four; None with fewer than three
    frames.
    """
    if count < 3:
        return None
    held = list(range(min(2, count - 2) if count < 6 else 3, count - 1, 4))
    return HeldOut(held, [k for k in range(count) if k not in held])


def blocks(
    shape: tuple[int, int, int], seed: int, most: int = 12, size: tuple[int, int, int] = BLOCK
) -> list[Box]:
    """Blocks a frame is scored on: all of it when it is small."""
    counts = [-(-n // s) for n, s in zip(shape, size, strict=True)]
    if counts[0] * counts[1] * counts[2] <= most:
        edges = [
            [(i * s, min(n, (i + 1) * s)) for i in range(c)]
            for n, s, c in zip(shape, size, counts, strict=True)
        ]
        return [(z, y, x) for z in edges[0] for y in edges[1] for x in edges[2]]
    generator = torch.Generator().manual_seed(seed)
    return [random_box(shape, size, generator) for _ in range(most)]


class Errors:
    """Sums of squared errors of several methods on the same voxels: over all of them, the moving
    foreground, and smoothed.
    """

    def __init__(self) -> None:
        self.sums: dict[str, dict[str, float]] = {}

    def add(
        self,
        name: str,
        error: Tensor,
        moving: Tensor | None = None,
        counted: Tensor | None = None,
    ) -> None:
        """Add the errors ``(z, y, x)`` of a block; without ``moving`` all of it counts as
        foreground, and only voxels that are ``counted`` do at all.
        """
        squares = error**2
        smoothed = gaussian(error[None, None], (1.0, 1.0, 1.0)) if error.ndim == 3 else error
        sums = self.sums.setdefault(name, {"whole": 0.0, "moving": 0.0, "smoothed": 0.0})
        if counted is not None:
            squares, smoothed = squares * counted, smoothed * counted
        sums["whole"] += float(squares.sum())
        sums["moving"] += float((squares if moving is None else squares[moving]).sum())
        sums["smoothed"] += float((smoothed**2).sum())

    def gain(
        self,
        name: str,
        over: str = "linear",
        where: Literal["whole", "moving", "smoothed"] = "whole",
    ) -> float:
        """Gain of a method over another in dB; 0 where there is nothing to compare."""
        a, b = self.sums[over][where], self.sums[name][where]
        if a <= 0 or b <= 0:
            return 0.0 if a <= b else 60.0
        return float(10 * np.log10(a / b))


@torch.no_grad()
def held_out_errors(
    candidates: dict[str, Network],
    frames: Frames,
    parts: HeldOut,
    seed: int,
    errors: Errors | None = None,
    taught: Tensor | None = None,
) -> Errors:
    """Errors of linear, cubic and the candidates on the frames kept back, where ``taught`` ``(1, 1,
    Z, Y, X)`` is not 1.
    """
    errors = errors or Errors()
    kinds = () if "linear" in errors.sums else KINDS
    moves = {name: Displacements(network, frames) for name, network in candidates.items()}
    for t in parts.held:
        for box in blocks(frames.shape, seed + t):
            counted = (
                None if taught is None else 1 - taught[0, 0][tuple(slice(a, b) for a, b in box)]
            )
            _compare(errors, frames, t, parts.given, box, kinds, moves, counted)
    return errors


def _compare(
    errors: Errors,
    frames: Frames,
    t: int,
    given: Sequence[int],
    box: Box,
    kinds: Sequence[Kind],
    moves: dict[str, Displacements],
    counted: Tensor | None = None,
) -> None:
    """Add the errors of a box of frame ``t``, predicted from the frames ``given``."""
    truth = frames.block(t, box)[0, 0]
    near = around(t, given, 0, frames.time)
    a, b = (frames.block(k, box)[0, 0] for k in (near.before, near.after))
    moving = _smooth(a - b).abs() > FOREGROUND
    for kind in kinds:
        weights = temporal_weights(frames.time(t), frames.clock[list(given)], kind)
        terms = [
            float(w) * frames.block(k, box)[0, 0]
            for k, w in zip(given, weights, strict=True)
            if abs(w) > 1e-3
        ]
        errors.add(kind, torch.stack(terms).sum(0) - truth, moving, counted)
    for name, displacements in moves.items():
        network = displacements.network
        places = around(t, given, network.outer, frames.time)
        value = predict(network, frames, displacements, t, places, box)
        errors.add(name, value - truth, moving, counted)


@torch.no_grad()
def left_out(
    network: Network, interpolation: str, frames: Frames, k: int, numbers: Sequence[int], seed: int
) -> float:
    """Gain over linear in dB, raw or smoothed, whichever is less, of frame ``k`` predicted from
    others of ``numbers``.
    """
    given = [n for n in numbers if n != k]
    still = network.motion is None and network.latents is None
    moves = {} if still else {"network": Displacements(network, frames)}
    name = interpolation if still else "network"
    kinds = KINDS if name == "cubic" else KINDS[:1]
    errors = Errors()
    for box in _busiest(frames, k, seed):
        _compare(errors, frames, k, given, box, kinds, moves)
    return min(errors.gain(name), errors.gain(name, where="smoothed"))


def _busiest(frames: Frames, k: int, seed: int, most: int = MOST_BLOCKS) -> list[Box]:
    """The blocks of frame ``k`` in which its neighbours differ most."""
    found = blocks(frames.shape, seed + k)
    if len(found) <= most:
        return found
    change = [
        float(((frames.block(k - 1, box) - frames.block(k + 1, box)) ** 2).mean()) for box in found
    ]
    return [found[i] for i in np.argsort(change)[-most:]]


def steadily_cubic(frames: Frames, seed: int) -> bool:
    """Whether cubic beats linear interpolation on most acquired frames, each left out in turn, and
    on more than one.
    """
    count = frames.count
    tried = np.unique(
        np.linspace(1, count - 2, min(count - 2, MOST_LEFT_OUT)).round().astype(int)
    ).tolist()
    wins = sum(left_out(Network(), "cubic", frames, k, range(count), seed) > 0 for k in tried)
    return wins > 1 and wins >= STEADY_SHARE * len(tried)


def plain_method(errors: Errors, frames: Frames, seed: int) -> str:
    """What is interpolated in time where nothing else is better: "cubic" by a clear margin on most
    frames, or "linear".
    """
    clear = (
        errors.gain("cubic") > CUBIC_MARGIN_DB
        and errors.gain("cubic", where="smoothed") > -MARGIN_DB
    )
    return "cubic" if clear and steadily_cubic(frames, seed) else "linear"


def _smooth(block: Tensor) -> Tensor:
    return gaussian(block[None, None], (1.0, 1.0, 1.0))[0, 0]


@torch.no_grad()
def masked_errors(network: Network, frames: Frames, mask: Tensor, seed: int) -> Errors:
    """Errors of a frame predicted from one neighbour along the motion, raw and denoised, on masked
    blocks only.
    """
    errors = Errors()
    moves = Displacements(network, frames)
    sources = {
        "linear": FrameSource(network.without_latents(), frames),
        "latents": FrameSource(network, frames),
    }
    for k, j in _neighbours(frames.count):
        for box in blocks(frames.shape, seed + k, most=6):
            truth = frames.block(k, box)[0, 0]
            hidden = mask[0, 0][tuple(slice(a, b) for a, b in box)].bool()
            if not hidden.any():
                continue
            displaced = moves(float(k), float(j))
            for name, source in sources.items():
                value = _from_one(source, j, displaced, box)
                errors.add(name, (value.reshape(truth.shape) - truth)[hidden])
    return errors


def _neighbours(count: int) -> list[tuple[int, int]]:
    """Every frame with the one before and the one after it, by number."""
    return [(k, j) for k in range(count) for j in (k - 1, k + 1) if 0 <= j < count]


def _from_one(source: FrameSource, k: int, displaced: Displaced | None, box: Box) -> Tensor:
    """The voxels of a box, displaced, as frame ``k`` has them, ``(P,)``."""
    device = source.frames.device
    z, y, x = (torch.arange(a, b, device=device, dtype=torch.float32) for a, b in box)
    moved = source.network.moved((z, y, x), displaced)
    points, needed = needed_box(moved, source.frames.shape)
    return sample(source.encoded(k, needed), points, needed)[0]


def choose(errors: Errors, names: list[str], plain: str = "linear", best: str | None = None) -> str:
    """The best method by whole-frame error that is not worse than interpolation where structure
    counts.

    ``names`` go from simple to elaborate; ``plain`` is what they must beat. Structure is the frame
    after smoothing, where noise hardly counts (no worse there than ``plain``, or than what has won
    already, ``best``), and, unless a simpler method has won, the moving foreground.
    """
    best = best or plain
    for name in names:
        margin = LATENT_MARGIN_DB if name == "latents" else MARGIN_DB
        safe = best != plain or errors.gain(name, plain, "moving") > -MARGIN_DB
        smoothed = max(errors.gain(name, other, "smoothed") for other in (plain, best))
        if safe and smoothed > -MARGIN_DB and errors.gain(name, best) > margin:
            best = name
    return best
