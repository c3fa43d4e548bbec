"""Methods of others that learn motion from the recording itself, to compare with; small, and
written from their papers.

Each gives, for two neighbouring frames a and b, displacements ``forth`` and ``back`` in voxels,
``(3, Z, Y, X)``, with ``a(x + forth(x))`` like ``b(x)`` and ``b(x + back(x))`` like ``a(x)``: what
classical flow gives, and what is made of it is the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

PEERS = ("idir", "uvi")
"""A coordinate network for each pair of frames; a convolutional network for a recording."""

Flows = tuple[NDArray[np.float32], NDArray[np.float32]]


def aligned(
    name: str, frames: NDArray[np.float32], tick: Callable[[int, int], None], seed: int = 0
) -> list[Flows]:
    """Displacements between all neighbouring frames.

    Parameters
    ----------
    name : one of ``PEERS``.
    frames : smoothed a little, ``(T, Z, Y, X)``, brightness of about 0 to 1.
    tick : called with what is done, and of how much, now and then; what it raises ends the work.
    """
    if name == "idir":
        from .idir import align_pair

        pairs = []
        for k in range(len(frames) - 1):
            tick(k, len(frames) - 1)
            pairs.append(align_pair(frames[k], frames[k + 1], seed))
        return pairs
    from .uvi import align_all

    return align_all(frames, tick, seed)
