"""Phantoms of moving cells whose noise-free truth is known at any time and place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data.grid import Grid
from ..errors import InputError
from ..volume import Volume
from .cells import SPACING
from .embryo import embryo
from .kinds import KINDS, Kind
from .recording import recorded
from .truth import Truth

__all__ = ["KINDS", "SPACING", "Kind", "Truth", "phantom"]


def phantom(
    shape: tuple[int, int, int, int] = (7, 32, 64, 64),
    motion: float = 4.5,
    kind: str = "membranes",
    accelerate: float = 0.0,
    divide: int = 0,
    seed: int = 0,
    photons: float = 150,
    background: float = 8,
    read: float = 0.01,
    psf: tuple[float, float, float] = (0.5, 0.2, 0.2),
    bleach: float = 0.0,
) -> tuple[Volume, Truth]:
    """An embryo of moving cells, recorded with photon noise, and the truth behind it.

    Parameters
    ----------
    shape : (T, Z, Y, X) of the recording; the voxel is 0.5 x 0.25 x 0.25 um, a frame 60 s.
    motion : 95th percentile of the displacement of moving structure, voxels per frame; divisions
        and jumps apart, and as far as a turn of 1 rad per frame allows.
    kind : one of ``KINDS``: "membranes" (sheets between cells), "nuclei" (blobs), "rotating",
        "sliding", "tumbling" (both), "drifting", "jumping", "appearing", "uneven" (in time), or
        "filaments".
    accelerate : relative speeding-up per frame.
    divide : number of cells that divide during the recording.
    seed : the same seed gives the same recording.
    photons, background : expected photons at brightness 1 and everywhere.
    read : standard deviation of the reading noise, relative to brightness 1; 0 photons is
        noise-free.
    psf : standard deviations (sz, sy, sx) of the point-spread function, um.
    bleach : share of the brightness lost from one frame to the next.

    Returns
    -------
    Volume
        float32 in units of brightness plus background, ``(T, Z, Y, X)``; of the kind "uneven",
        frames of a recording half as long again, every third of which is missing.
    Truth
        ``truth(t, z, y, x, psf=True)`` in physical coordinates; it includes the background
        level and bleaching is left out (it belongs to the recording, not to the object).
        Displacements, trajectories, velocities and labels are known as well.

    Raises
    ------
    InputError
        If there is no such kind, or an option is out of its range.
    """
    _check(kind, divide, bleach, (motion, photons, background, read, *psf))
    world = KINDS[kind]
    regular = Grid(_whole(shape, world), SPACING)
    grid = Grid(shape, SPACING, times=_times(regular.shape[0], shape[0], seed))
    moving = embryo(regular, motion, world, accelerate, divide, seed)
    truth = Truth(moving, np.asarray(psf, float) ** 2)
    data = recorded(truth, grid, (photons, background, read), bleach, seed)
    named = {"name": f"phantom {kind}", "channel": world.looks, "calibrated_by": "phantom"}
    return Volume(data, SPACING, units=("s", "um"), metadata={**named}, times=grid.times), truth


def _check(kind: str, divide: int, bleach: float, not_negative: Sequence[float]) -> None:
    """Raise InputError where an option of :func:`phantom` is out of its range."""
    if kind not in KINDS:
        raise InputError(f"kind is one of {', '.join(KINDS)}, got {kind!r}.")
    if not 0 <= bleach < 1 or min(not_negative) < 0:
        raise InputError(
            "bleach must lie in [0, 1), and motion, photons, background, read and psf must not be"
            " negative."
        )
    if divide and KINDS[kind].looks == "filaments":
        raise InputError("Filaments do not divide; leave divide at 0, or choose another kind.")


def _whole(shape: tuple[int, int, int, int], kind: Kind) -> tuple[int, int, int, int]:
    """The shape with the frames that will be missing."""
    frames = int(shape[0])
    return (frames * 3 // 2 if kind.uneven and frames > 2 else frames, *shape[1:])


def _times(frames: int, kept: int, seed: int) -> tuple[float, ...] | None:
    """Times of the frames that are kept, the first and the last among them; None for all."""
    if frames == kept:
        return None
    rng = np.random.default_rng([seed, 3])
    dropped = 1 + rng.permutation(frames - 2)[: frames - kept]
    return tuple(SPACING[0] * k for k in range(frames) if k not in dropped)
