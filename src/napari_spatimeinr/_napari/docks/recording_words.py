"""What was understood of a recording, and what it leaves open, in words."""

from __future__ import annotations

import numpy as np

from ...io.calibration import questions
from ...volume import Volume
from ..layers.keys import SOURCE
from ..layers.source import Source
from .fields import TOGETHER
from .words import in_the_dock


def asked(source: Source) -> list[str]:
    """What a recording's file leaves open, and what is suspicious about the layer's calibration
    now.
    """
    volume = source.volume
    known = [
        None if unit in ("frame", "voxel") else s
        for s, unit in zip(volume.spacing, (volume.units[0], *[volume.units[1]] * 3), strict=True)
    ]
    of_file = source.layer.metadata.get(SOURCE, {}).get("warnings", [])
    lines = [
        in_the_dock(line) for line in (*of_file, *questions(known, volume.units, volume.shape))
    ]
    return list(dict.fromkeys(lines))


def describe(volume: Volume) -> str:
    """A recording in one line."""
    t, z, y, x = volume.shape
    dt, dz, dy, dx = volume.spacing
    time = (
        "frame interval unknown"
        if volume.units[0] == "frame"
        else f"frame every {dt:g} {volume.units[0]}"
    )
    if volume.grid.times is not None and t > 1:
        steps = np.diff(volume.grid.times)
        time = f"frames {steps.min():.4g} to {steps.max():.4g} {volume.units[0]} apart"
    voxel = (
        "voxel size unknown"
        if volume.units[1] == "voxel"
        else f"voxel {dz:.3g} x {dy:.3g} x {dx:.3g} {volume.units[1]}"
    )
    parts = (
        f"{t} x {z} x {y} x {x} {volume.dtype.name}",
        time if t > 1 else "one time point",
        voxel,
    )
    return ", ".join(part.replace(" ", TOGETHER) for part in parts)
