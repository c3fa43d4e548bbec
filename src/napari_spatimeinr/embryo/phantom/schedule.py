"""Who divides when in a phantom embryo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from .. import names as _names

ORDER = (
    *("P0", "AB", "P1"),
    *("ABa", "ABp", "EMS", "P2"),
    *("ABal", "ABar", "ABpl", "ABpr"),
    *("MS", "E", "C", "P3"),
    *("ABala", "ABalp", "ABara", "ABarp", "ABpla", "ABplp", "ABpra", "ABprp"),
)
"""The first divisions in about the order in which they come: from 1 cell to 24."""
PAIRS = {"AB": "ap", "ABa": "lr", "ABp": "lr"}
"""Letters of the daughters where they are not a and p."""
SIZES = {"P1": 0.85, "P2": 0.8, "P3": 0.7, "P4": 0.7, "C": 1.15, "AB": 1.15, "EMS": 1.1, "E": 0.9}
"""Volume beside that of the sister, where daughters are of two sizes; 1 elsewhere."""
WITHIN = (0.15, 0.65)
"""Where in its interval a division may lie: until the next frame daughters are traced apart."""
LEAST = 1.15
"""A cell lives at least so many frames, so that one shows it."""


@dataclass(frozen=True)
class Event:
    """A division at a time in frames from the first one."""

    mother: str
    daughters: tuple[str, str]
    when: float


def daughters_of(name: str) -> tuple[str, str]:
    """The names of both daughters, the anterior, left or dorsal one first."""
    if name in _names.IRREGULAR:
        return _names.IRREGULAR[name]
    letters = PAIRS.get(name, "ap")
    return name + letters[0], name + letters[1]


def schedule(
    rng: np.random.Generator, cells: tuple[int, int], frames: int
) -> tuple[list[str], list[Event]]:
    """The cells that are there at the beginning, and the divisions between the first frame and the
    last, in order; none is at a frame.

    Parameters
    ----------
    rng : of the phantom.
    cells : how many there are in the first and in the last frame, 1 to 24.
    frames : of the recording.

    Raises
    ------
    InputError
        If these are no such numbers, or a cell would live so shortly that no frame shows it.
    """
    begin, end = cells
    if not 1 <= begin <= end <= len(ORDER) + 1:
        raise InputError(
            f"A phantom embryo has 1 to {len(ORDER) + 1} cells, and no fewer at its end, got"
            f" {begin} to {end}."
        )
    there = ["P0"]
    for name in ORDER[: begin - 1]:
        there.remove(name)
        there += daughters_of(name)
    dividing = ORDER[begin - 1 : end - 1]
    if dividing and frames < 2:
        raise InputError("Cells divide between frames; give at least two, or as many cells.")
    last = frames - 1
    born: dict[str, float] = {}
    events = []
    for k, name in enumerate(dividing):
        share = (k + 0.5 + rng.uniform(-0.4, 0.4)) / len(dividing)
        when = max(0.1 + (last - 0.3) * share, born.get(name, -np.inf) + LEAST)
        whole = np.floor(when)
        when = float(whole + np.clip(when - whole, *WITHIN))
        if when > last:
            raise InputError(
                f"{begin} to {end} cells are too many divisions for {frames} frames; give more"
                " frames or fewer cells."
            )
        pair = daughters_of(name)
        born |= dict.fromkeys(pair, when)
        events.append(Event(name, pair, when))
    return there, sorted(events, key=lambda event: event.when)
