"""What the scale sliders say, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...data.grid import Grid

PREVIEW_STEPS = 16
"""Time points of the preview per frame interval."""


@dataclass(frozen=True)
class Scales:
    """Factors in time, along z and in the plane; ``isotropic`` makes z as fine as the plane."""

    time: float = 2.0
    z: float = 1.0
    yx: float = 1.0
    isotropic: bool = False

    def space(self, grid: Grid) -> dict[str, Any]:
        """The options of :meth:`.Grid.refine` for space."""
        if self.isotropic:
            return {"voxel": min(grid.spacing[2:]) / self.yx}
        return {"scale_z": self.z, "scale_yx": self.yx}

    def rendering(self, grid: Grid) -> dict[str, Any]:
        """The options of :meth:`.Field.lazy` for a rendering."""
        return {"time_scale": self.time if grid.shape[0] > 1 else 1.0, **self.space(grid)}

    def preview(self, grid: Grid) -> Grid:
        """The preview's grid: always fine in time, as asked for in space."""
        return grid.refine(PREVIEW_STEPS if grid.shape[0] > 1 else 1.0, **self.space(grid))

    def name(self, layer: str, grid: Grid) -> str:
        """The name of a rendered layer: what was asked for, ``<layer> [t x2.5, z x4.7, yx x1]``."""
        z = grid.spacing[1] * self.yx / min(grid.spacing[2:]) if self.isotropic else self.z
        return (
            f"{layer} [t x{self.rendering(grid)['time_scale']:.3g}, z x{z:.3g}, yx x{self.yx:.3g}]"
        )
