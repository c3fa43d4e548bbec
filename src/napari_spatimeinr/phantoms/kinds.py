"""The kinds of phantom, as one table: what moves how, and what it looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Looks = Literal["membranes", "nuclei", "filaments"]


@dataclass(frozen=True)
class Kind:
    """One kind of phantom.

    Parts of motion are relative to each other: each alone gets this share of the 95th percentile
    of displacement, then all are scaled together until that of their sum is as asked for.

    Parameters
    ----------
    means : what it is, for people.
    looks : what is drawn: sheets between cells, blobs, or thin threads between points.
    waves : share of swings that are long waves over space, and a little of each cell's own.
    rotation : share of the rotation of the whole body about a tilted axis.
    slide : share of layers of cells that slide along each other, and of a shear of the whole.
    drift : share of a steady drift of the whole body.
    jump : length of sudden jumps of the stage relative to ``motion``; they come on top of it.
    appear : share of the structure that appears or vanishes during the recording.
    uneven : every third frame is missing, at random.
    spacing : mean distance of neighbouring cells, or of the ends of threads, um.
    """

    means: str
    looks: Looks = "membranes"
    waves: float = 1.0
    rotation: float = 0.0
    slide: float = 0.0
    drift: float = 0.0
    jump: float = 0.0
    appear: float = 0.0
    uneven: bool = False
    spacing: float = 4.0

    @property
    def moves_whole(self) -> bool:
        """Whether the body moves as a whole."""
        return bool(self.rotation or self.drift or self.jump)


KINDS: dict[str, Kind] = {
    "membranes": Kind("sheets between cells that swing to and fro"),
    "nuclei": Kind("blobs, moving like the membranes", looks="nuclei"),
    "rotating": Kind("a body of membranes that turns as a whole", waves=0.2, rotation=1.0),
    "sliding": Kind("layers of cells that slide along each other", waves=0.25, slide=1.0),
    "tumbling": Kind(
        "a turning body whose cells slide along each other", waves=0.3, rotation=1.0, slide=0.7
    ),
    "drifting": Kind("membranes that drift off as a whole as well", waves=0.5, drift=1.0),
    "jumping": Kind("membranes under a stage that jumps", jump=2.0),
    "appearing": Kind("nuclei that appear and vanish", looks="nuclei", appear=0.6),
    "uneven": Kind("membranes of which every third frame is missing, at random", uneven=True),
    "filaments": Kind("a network of thin threads", looks="filaments", spacing=2.8),
}
"""What ``phantom(kind=...)`` takes."""
