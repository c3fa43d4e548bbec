"""How fast a phantom moves: its parts of motion, scaled to the pace that is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from ..data.grid import Grid
from .cells import DIVISION, SPACING, Array, Cells
from .kinds import Kind
from .smooth import smoothstep
from .truth import as_points

FASTEST = 1.0
"""A body turns by this much per frame at most, rad."""


def paced(cells: Cells, grid: Grid, motion: float, kind: Kind) -> Cells:
    """Cells of which the 95th percentile of displacement from frame to frame is ``motion``.

    Parameters
    ----------
    cells : whose parts of motion are of any size.
    grid : of evenly spaced frames.
    motion : in voxels; divisions and jumps come on top of it. It is not reached where a small body
        would have to turn by more than ``FASTEST``.
    kind : says which parts there are, and how large they are beside each other.
    """
    shares = {
        name: getattr(kind, name)
        for name in ("waves", "slide", "rotation", "drift")
        if getattr(kind, name)
    }
    if motion == 0 or grid.shape[0] == 1:
        return _scaled(cells, {})
    factors = {}
    for name, share in shares.items():
        factors[name] = _factor(cells, {name: 1.0}, grid, share * motion)
    if len(shares) > 1:
        common = _factor(cells, factors, grid, motion)
        factors = {name: common * factor for name, factor in factors.items()}
    return _scaled(cells, factors)


def _factor(cells: Cells, factors: dict[str, float], grid: Grid, motion: float) -> float:
    """By what the factors are to be multiplied for the pace; a rotation bends paths, so that it is
    found in a few steps.
    """
    factor = 1.0
    for _ in range(5 if "rotation" in factors else 1):
        tried = {name: factor * value for name, value in factors.items()}
        factor *= motion / max(_present_motion(_scaled(cells, tried), grid), 1e-9)
    return factor


def _scaled(cells: Cells, factors: dict[str, float]) -> Cells:
    """Cells with parts of motion multiplied, those left out by 0."""
    course = cells.course
    if course is not None:
        rotation = min(course.rotation * factors.get("rotation", 0.0), FASTEST)
        drift = course.drift * factors.get("drift", 0.0)
        jumps = course.jumps * (1.0 if factors else 0.0)
        course = replace(course, rotation=rotation, drift=drift, jumps=jumps)
    return replace(
        cells,
        waves=cells.waves * factors.get("waves", 0.0),
        slide=cells.slide * factors.get("slide", 0.0),
        course=course,
    )


def _present_motion(cells: Cells, grid: Grid) -> float:
    """The 95th percentile of displacement of structure from frame to frame, voxels;
    divisions and jumps apart.
    """
    voxel = np.asarray(grid.spacing[1:])
    z, y, x = (grid.coordinates(axis)[:: max(1, grid.shape[axis] // 24)] for axis in (1, 2, 3))
    points, _ = as_points(z[:, None, None], y[:, None], x)
    nearest = cKDTree(cells.start).query(points)[1]
    points, nearest = points[cells.inside[nearest]], nearest[cells.inside[nearest]]
    if cells.course is not None:
        cells = replace(cells, course=replace(cells.course, jumps=0 * cells.course.jumps))
    speeds = []
    for frame in range(grid.shape[0] - 1):
        t0, t1 = frame * SPACING[0], (frame + 1) * SPACING[0]
        a, b = cells.in_body(t0), cells.in_body(t1)
        moved = (b - a - _growth(cells, frame))[nearest]
        if cells.course is not None:
            # Of a body that turns, what is beside a centre moves otherwise than the centre.
            seen = a[nearest] + points - cells.start[nearest]
            moved = cells.to_lab(seen + moved, t1) - cells.to_lab(seen, t0)
        speeds.append(np.linalg.norm(moved / voxel, axis=-1))
    return float(np.percentile(np.concatenate(speeds), 95))


def _growth(cells: Cells, k: int) -> Array:
    """Displacement by division alone from frame k to k + 1 in the body, ``(cells, 3)``, um."""
    a, b = (smoothstep((f - cells.split_time) / DIVISION) for f in (k, k + 1))
    return (b - a)[:, None] * cells.split
