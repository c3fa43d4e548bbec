"""Whether a tracing counts slices from the other end: nuclei over membranes, both ways.

Nuclei lie inside of cells, where membranes are dark: the right way round is seen at a glance, and
mostly told by the brightness at the nuclei too. The choice stays the user's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]

NUCLEUS = 0.6
"""Standard deviation of the smoothing before the brightness at a nucleus is read, um."""
CLEAR = 1.1
"""One way is told to look right where nuclei of the other are brighter by this factor."""
SECTIONS = 3
THICK = 2.0
"""Nuclei so near to a section are drawn on it, um."""


@dataclass(frozen=True, eq=False)
class FlipView:
    """Both ways round of a frame and its nuclei.

    Parameters
    ----------
    frame : ``(Z, Y, X)``.
    spacing : (dz, dy, dx), um.
    names : of the nuclei.
    ways : places ``(n, 3)`` in um as they are (False) and flipped (True).
    brightness : mean at the nuclei, relative to the mean of the frame, both ways.
    """

    frame: NDArray[np.float32]
    spacing: tuple[float, float, float]
    names: tuple[str, ...]
    ways: dict[bool, Array]
    brightness: dict[bool, float]

    @property
    def looks_flipped(self) -> bool | None:
        """Which way nuclei lie in darker places; None where both are about alike."""
        plain, flipped = self.brightness[False], self.brightness[True]
        if max(plain, flipped) < CLEAR * max(min(plain, flipped), 1e-9):
            return None
        return flipped < plain

    def sentence(self, chosen: bool) -> str:
        """What the brightness says, beside the way that was chosen."""
        told = f"{self.brightness[False]:.2f} as counted and {self.brightness[True]:.2f} flipped"
        about = f"Membranes at the nuclei are of {told}, relative to the mean"
        looks = self.looks_flipped
        if looks is None:
            return f"{about}; that does not tell which is right, so look at the picture (--z-flip)."
        way = "flipped" if looks else "as they are counted"
        if looks == chosen:
            return f"{about}: nuclei lie inside of cells with the slices {way}, as chosen."
        return (
            f"{about}: nuclei lie inside of cells with the slices {way}, which was not chosen; look"
            f" at the picture, and {'give' if looks else 'leave out'} --z-flip."
        )


def flip_view(
    frame: NDArray[Any], spacing: tuple[float, float, float], positions: Mapping[str, Array]
) -> FlipView:
    """Look at a frame with its nuclei both ways round.

    Parameters
    ----------
    frame : ``(Z, Y, X)``, membranes; one with many cells tells most.
    spacing : (dz, dy, dx), um.
    positions : ``(3,)`` of each nucleus, (z, y, x) in um, of slices as they are counted.
    """
    data = np.asarray(frame, dtype=np.float32)
    plain = np.reshape([*positions.values()], (-1, 3)).astype(np.float64)
    other = plain.copy()
    other[:, 0] = (data.shape[0] - 1) * spacing[0] - plain[:, 0]
    level = data - np.percentile(data, 1)
    smooth = ndimage.gaussian_filter(level, [NUCLEUS / s for s in spacing])
    mean = max(float(level.mean()), 1e-9)
    ways = {False: plain, True: other}
    brightness = {
        way: float(
            ndimage.map_coordinates(smooth, (at / spacing).T, order=1, mode="nearest").mean() / mean
        )
        for way, at in ways.items()
    }
    return FlipView(data, spacing, tuple(positions), ways, brightness)


def draw(path: Path, view: FlipView, title: str = "") -> None:
    """Draw sections along z with the nuclei on them, as counted on the left and flipped on the
    right.

    Takes matplotlib (extra ``demo``).

    Parameters
    ----------
    path : of the PNG.
    view : both ways.
    title : above all.
    """
    from matplotlib.figure import Figure

    dz, dy, dx = view.spacing
    depth, height, width = view.frame.shape
    top = float(np.percentile(view.frame, 99.8))
    sections = np.percentile(view.ways[False][:, 1], np.linspace(15, 85, SECTIONS))
    figure = Figure(figsize=(11, 2.2 * SECTIONS + 0.8), layout="constrained")
    rows = figure.subplots(SECTIONS, 2, squeeze=False)
    for row, y in zip(rows, sections, strict=True):
        plane = view.frame[:, int(np.clip(round(y / dy), 0, height - 1))]
        for axes, (way, places) in zip(row, view.ways.items(), strict=True):
            edges = (-dx / 2, (width - 0.5) * dx, (depth - 0.5) * dz, -dz / 2)
            axes.imshow(plane, cmap="gray", vmax=top, extent=edges, interpolation="nearest")
            for name, place in zip(view.names, places, strict=True):
                if abs(place[1] - y) <= THICK:
                    axes.plot(place[2], place[0], "o", color="orange", markersize=5)
                    axes.annotate(name, (place[2], place[0]), color="orange", fontsize=7)
            axes.set_title(f"{'flipped' if way else 'as counted'}, y = {y:.1f} um", fontsize=9)
            axes.set_xlabel("x (um)", fontsize=8)
            axes.set_ylabel("z (um)", fontsize=8)
            axes.tick_params(labelsize=7)
    figure.suptitle(title or "Which way do nuclei lie inside of cells?", fontsize=9)
    figure.savefig(path, dpi=100)
