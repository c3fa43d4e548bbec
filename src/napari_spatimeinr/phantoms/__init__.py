"""Moving-cell phantoms whose noise-free truth is known at any time and place."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..data.grid import Grid
from ..errors import InputError
from ..volume import Volume
from .cells import embryo
from .truth import SPACING, Truth

__all__ = ["SPACING", "Truth", "phantom"]


def phantom(
    shape: tuple[int, int, int, int] = (7, 32, 64, 64),
    motion: float = 4.5,
    kind: Literal["membranes", "nuclei"] = "membranes",
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
    motion : 95th percentile of the displacement of moving structure, voxels per frame.
    kind : "membranes" (sheets between cells) or "nuclei" (blobs).
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
        float32 in units of brightness plus background, ``(T, Z, Y, X)``.
    Truth
        ``truth(t, z, y, x, psf=True)`` in physical coordinates; it includes the background
        level and bleaching is left out (it belongs to the recording, not to the object).
    """
    if kind not in ("membranes", "nuclei"):
        raise InputError(f"kind is 'membranes' or 'nuclei', got {kind!r}.")
    if not 0 <= bleach < 1 or min(photons, background, read, motion) < 0 or min(psf) < 0:
        raise InputError(
            "bleach must lie in [0, 1), and motion, photons, background, read and psf must not be"
            " negative."
        )
    grid = Grid(shape, SPACING)
    truth = embryo(grid, motion, kind, accelerate, divide, seed, psf, bleach)
    rng = np.random.default_rng([seed, 1])
    data = np.empty(grid.shape, np.float32)
    for k, t in enumerate(grid.coordinates(0)):
        clean = truth.frame(float(t), grid) * (1 - bleach) ** k
        if photons > 0:
            counted = rng.poisson(np.maximum(clean * photons + background, 0)).astype(np.float32)
            clean = (counted - background) / photons
        data[k] = clean + read * rng.standard_normal(clean.shape, dtype=np.float32)
    metadata: dict[str, Any] = {
        "name": f"phantom {kind}",
        "channel": kind,
        "calibrated_by": "phantom",
    }
    return Volume(data, grid.spacing, units=("s", "um"), metadata=metadata), truth
