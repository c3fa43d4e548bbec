"""Whether a tracing counts slices from the other end: nuclei over membranes, both ways.

Nuclei lie inside of cells, and halfway to a neighbouring nucleus there is a membrane: the right
way round is seen at a glance, and mostly told by the brightness at both. The choice is the user's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

Array = NDArray[np.float64]

SMOOTH = 0.4
"""Standard deviation of the smoothing before a brightness is read, um."""
NEIGHBOURS = 3
CLEAR = 1.25
"""One way is told to look right where the other is worse by this factor."""
FOREIGN = 0.75
"""Nuclei that are so bright both ways, relative to places halfway between them, are of another
embryo; those of phantoms are at 0.2."""
FEW = 4
"""With fewer nuclei nothing is told."""
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
    brightness : mean at the nuclei, relative to places halfway to their neighbours, both ways;
        not a number where there are too few.
    """

    frame: NDArray[np.float32]
    spacing: tuple[float, float, float]
    names: tuple[str, ...]
    ways: dict[bool, Array]
    brightness: dict[bool, float]

    @property
    def looks_flipped(self) -> bool | None:
        """Which way nuclei lie inside of cells; None where both are about alike."""
        plain, flipped = self.brightness[False], self.brightness[True]
        if not max(plain, flipped) >= CLEAR * min(plain, flipped) or self.looks_foreign:
            return None
        return flipped < plain

    @property
    def looks_foreign(self) -> bool:
        """Whether nuclei lie on membranes as much as between them, whichever way."""
        return min(self.brightness.values()) > FOREIGN

    def sentence(self, chosen: bool) -> str:
        """What the brightness says, beside the way that was chosen."""
        plain, flipped = self.brightness[False], self.brightness[True]
        if np.isnan(plain) or np.isnan(flipped):
            return "Nuclei are too few to tell which end slices are counted from (--z-flip)."
        about = (
            f"At the nuclei it is {plain:.2f} times as bright as halfway between them as slices are"
            f" counted, {flipped:.2f} times flipped"
        )
        looks = self.looks_flipped
        if self.looks_foreign:
            return f"{about}: nuclei do not lie inside of cells; is the tracing of this embryo?"
        if looks is None:
            return f"{about}: that does not tell which is right, so look at the picture (--z-flip)."
        way = "flipped" if looks else "as they are counted"
        if looks == chosen:
            return f"{about}: nuclei lie inside of cells with slices {way}, as chosen."
        return (
            f"{about}: nuclei lie inside of cells with slices {way}, which was not chosen; look at"
            f" the picture, and {'give' if looks else 'leave out'} --z-flip."
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
    smooth = ndimage.gaussian_filter(level, [SMOOTH / s for s in spacing])
    ways = {False: plain, True: other}
    brightness = {way: _brightness(smooth, spacing, at) for way, at in ways.items()}
    return FlipView(data, spacing, tuple(positions), ways, brightness)


def _brightness(
    frame: NDArray[np.float32], spacing: tuple[float, float, float], places: Array
) -> float:
    """Mean at places, relative to those halfway to their neighbours."""
    if len(places) < FEW:
        return float("nan")
    nearest = cKDTree(places).query(places, k=NEIGHBOURS + 1)[1][:, 1:]
    halfway = (places[:, None] + places[nearest]) / 2

    def mean(points: Array) -> float:
        at = (points / np.asarray(spacing)).T
        return float(ndimage.map_coordinates(frame, at, order=1, mode="nearest").mean())

    between = mean(halfway.reshape(-1, 3))
    return mean(places) / between if between > 0 else float("nan")


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
