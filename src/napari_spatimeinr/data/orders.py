"""The orders of other libraries: torch's ``grid_sample`` (x first, normalised to [-1, 1]) and
NIfTI's (x, y, z, t).

Axis order is ``(t, z, y, x)`` everywhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import GridError
from .grid import Floats, Grid

if TYPE_CHECKING:
    import torch


def to_torch_grid(index: torch.Tensor, shape: tuple[int, int, int]) -> torch.Tensor:
    """Voxel indices to ``grid_sample`` coordinates (``align_corners=True``).

    Parameters
    ----------
    index : ``(..., 3)`` in ``(z, y, x)``, 0 at the centre of the first voxel.
    shape : (Z, Y, X) of the sampled volume. A size of 1 is legal: every index means its one plane.

    Returns
    -------
    ``(..., 3)`` in ``(x, y, z)``, -1 at the first and +1 at the last voxel centre.
    """
    size = index.new_tensor([max(n - 1, 1) for n in shape])
    return (index * (2 / size) - 1).flip(-1)


def nifti_affine(grid: Grid, orientation: Floats | None = None) -> Floats:
    """The 4 x 4 voxel-to-world matrix in NIfTI's order ``(x, y, z)`` of a grid.

    ``orientation`` is the 3 x 3 matrix of unit direction columns in ``(x, y, z)`` (identity when
    None); world = orientation @ physical.
    """
    direction = np.eye(3) if orientation is None else np.asarray(orientation, dtype=np.float64)
    affine = np.eye(4)
    affine[:3, :3] = direction @ np.diag(grid.spacing[:0:-1])
    affine[:3, 3] = direction @ np.asarray(grid.origin[:0:-1])
    return affine


def from_nifti_affine(
    affine: Floats,
) -> tuple[tuple[float, float, float], tuple[float, float, float], Floats | None]:
    """Spacing (z, y, x), origin (z, y, x) and orientation (None for identity) of an affine.

    The inverse of :func:`nifti_affine`: ``orientation`` may be oblique, mirrored or sheared.

    Raises
    ------
    GridError
        If the matrix is not finite or has a zero column.
    """
    affine = np.asarray(affine, dtype=np.float64)
    columns = affine[:3, :3]
    spacing = np.sqrt((columns**2).sum(0))
    if (
        not np.isfinite(affine).all()
        or (spacing <= 0).any()
        or abs(np.linalg.det(columns / spacing)) < 1e-6
    ):
        raise GridError(
            "The affine of the file is not invertible; give the voxel size with --spacing"
            " DT,DZ,DY,DX."
        )
    direction = columns / spacing
    origin = np.linalg.solve(direction, affine[:3, 3])
    identity = np.allclose(direction, np.eye(3), atol=1e-6)
    return (
        tuple(spacing[::-1].tolist()),
        tuple((affine[:3, 3] if identity else origin)[::-1].tolist()),
        None if identity else direction,
    )
