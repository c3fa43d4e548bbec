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
        self.known: dict[tuple[float, float, int], Displaced] = {}

    @torch.no_grad()
    def __call__(self, start: float, end: float, number: int = 0) -> Displaced | None:
        """The displacement from one frame time to another, of the network's field ``number``."""
        field = self.network.fields[number]
        if field is None or start == end:
            return None
        key = (start, end, number)
        if key not in self.known:
            times = self.frames.time(start), self.frames.time(end)
            self.known[key] = field.displacement_nodes(*times)
        return self.known[key]
