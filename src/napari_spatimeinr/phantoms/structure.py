"""What every drawn structure answers: its image, its motion and its labels at points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .cells import Array, Cells


@dataclass(frozen=True)
class Structure(ABC):
    """Something that is drawn of cells; times are physical, points ``(P, 3)`` in um."""

    cells: Cells

    @abstractmethod
    def draw(self, points: Array, t: float, variance: Array) -> NDArray[np.float32]:
        """Brightness at points, blurred by a Gaussian of these variances (3,), um^2."""

    @abstractmethod
    def labels(self, points: Array, t: float) -> NDArray[np.int32]:
        """Number of what is at points, from 1, and 0 for nothing."""

    @abstractmethod
    def shares(self, points: Array, t: float) -> tuple[NDArray[np.intp], Array]:
        """The cells whose motion a point has part in, ``(P, n)``, and their shares, which sum
        to 1.
        """

    def displacement(self, points: Array, t0: float, t1: float) -> Array:
        """Of what is at points at ``t0`` until ``t1``: carried by its cells, and with the body as
        a whole.
        """
        own = self._mixed(self.cells.in_body(t1) - self.cells.in_body(t0), points, t0)
        if self.cells.course is None:
            return own
        return self.cells.to_lab(self.cells.to_body(points, t0) + own, t1) - points

    def velocity(self, points: Array, t: float) -> Array:
        """The derivative of :meth:`displacement` by ``t1`` at ``t0``, um per frame."""
        own = self._mixed(self.cells.velocities_in_body(t), points, t)
        return self.cells.velocity_in_lab(points, own, t)

    def _mixed(self, vectors: Array, points: Array, t: float) -> Array:
        index, share = self.shares(points, t)
        return np.einsum("pn,pnk->pk", share, vectors[index])


class Packed(Structure):
    """Cells that fill space: each point is that of the nearest centre."""

    def labels(self, points: Array, t: float) -> NDArray[np.int32]:
        """Number of the cell; 0 outside the embryo and where a cell is not seen."""
        nearest = self.nearest(points, t)
        seen = self.cells.inside & (self.cells.bright(t) > 0)
        return np.where(seen[nearest], nearest + 1, 0).astype(np.int32)

    def shares(self, points: Array, t: float) -> tuple[NDArray[np.intp], Array]:
        """The nearest cell alone."""
        nearest = self.nearest(points, t)
        return nearest[:, None], np.ones((len(points), 1))

    def nearest(self, points: Array, t: float) -> NDArray[np.intp]:
        """The nearest centre of each point."""
        return np.asarray(cKDTree(self.cells.centres(t)).query(points, workers=-1)[1])
