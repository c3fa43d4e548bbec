"""Displacements between frame times, each computed once."""

from __future__ import annotations

import torch

from .frames import Frames
from .motion import Displaced
from .network import Network


class Displacements:
    """Displacements of a network's motion between frames, by start and end in frames; None when
    nothing moves.
    """

    def __init__(self, network: Network, frames: Frames) -> None:
        self.network, self.frames = network, frames
        self.known: dict[tuple[float, float], Displaced] = {}

    @torch.no_grad()
    def __call__(self, start: float, end: float) -> Displaced | None:
        """The displacement from one frame time to another."""
        if self.network.motion is None or start == end:
            return None
        if (start, end) not in self.known:
            times = self.frames.time(start), self.frames.time(end)
            self.known[start, end] = self.network.motion.displacement_nodes(*times)
        return self.known[start, end]
