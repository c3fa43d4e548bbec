"""Cells of embryos at rest: how well they are found and measured at acquired times.

``python benchmarks/embryo.py [--seeds 3]`` prints Dice, errors of volume and surface, and the F1 of
the contact graph (contacts above 1 um2) for synthetic embryos of 8 to 24 cells, recorded at 0.9 x
0.3 x 0.3 um under an anisotropic PSF, segmented on those voxels after interpolation along z, and
for the phantom of membranes (voxels of 0.5 x 0.25 x 0.25 um).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from napari_spatimeinr import phantom
from napari_spatimeinr.embryo.measure import Measures, measure
from napari_spatimeinr.embryo.phantom import made_embryo
from napari_spatimeinr.embryo.segment import segment

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))
from small_embryo import SmallEmbryo

RECORDED, EVEN = (0.9, 0.3, 0.3), (0.3, 0.3, 0.3)
PSF = (0.7, 0.25, 0.25)
OFF = 0.3
"""Standard deviation of the tracing's errors, um."""
World = tuple[Any, Any, dict[str, Any], dict[str, int], tuple[float, float, float]]


def resting(cells: int, seed: int, photons: float = 60.0, even: bool = True) -> World:
    """Membranes, true labels, nuclei, names and spacing of a synthetic embryo."""
    embryo = SmallEmbryo.of(cells, seed)
    frame = embryo.membranes(RECORDED, PSF, photons, seed)
    spacing = RECORDED
    if even:
        planes = (len(frame) - 1) * 3 + 1  # the first and the last plane stay where they are
        frame = ndimage.zoom(frame, (planes / len(frame), 1, 1), order=3, mode="nearest")
        spacing = EVEN
    true = embryo.labels(spacing)[: len(frame)]
    errors = np.random.default_rng(seed + 100).normal(0, OFF, (cells, 3))
    nuclei = {
        name: tuple(np.add(at, off))
        for (name, at), off in zip(embryo.nuclei.items(), errors, strict=True)
    }
    return frame, true, nuclei, embryo.numbers, spacing


def phantom_frame(seed: int) -> World:
    """The first frame of the phantom of membranes."""
    volume, truth = phantom((2, 36, 80, 80), kind="membranes", seed=seed)
    z, y, x = (volume.grid.coordinates(axis) for axis in (1, 2, 3))
    true = truth.labels(0.0, z[:, None, None], y[:, None], x)
    centres = truth.centres(0.0)
    numbers = {str(n): int(n) for n in np.unique(true) if n}
    nuclei = {name: tuple(centres[n - 1]) for name, n in numbers.items()}
    return volume.frame(0), true, nuclei, numbers, volume.spacing[1:]


def phantom_embryo(seed: int, frame: int) -> World:
    """An acquired frame of the phantom embryo, interpolated to even voxels; nuclei as traced."""
    volume, truth = made_embryo(seed=seed)
    lineage, number = truth.lineage, frame + 1
    even = volume.grid.refine(isotropic=True)
    nuclei = {name: tuple(at) for name, at in lineage.positions_at(number).items()}
    zoom = np.divide(even.shape[1:], volume.shape[1:])
    image = ndimage.zoom(volume.frame(frame), zoom, order=3, mode="nearest", grid_mode=True)
    time_of = volume.grid.coordinates(0)[frame]
    first = np.subtract(even.origin, volume.origin)[1:]
    moved = {name: tuple(np.subtract(at, first)) for name, at in nuclei.items()}
    return image, truth.label_frame(float(time_of), even), moved, truth.numbers, even.spacing[1:]


def worlds(seeds: int) -> Iterator[tuple[str, list[World]]]:
    for cells in (8, 16, 24):
        yield f"{cells} cells, 0.3 um", [resting(cells, seed) for seed in range(seeds)]
    yield "16 cells, 0.9 x 0.3 x 0.3 um", [resting(16, seed, even=False) for seed in range(seeds)]
    yield "16 cells, 15 photons", [resting(16, seed, 15.0) for seed in range(seeds)]
    yield "phantom of membranes", [phantom_frame(seed) for seed in range(seeds)]
    for frame in (0, 4, 8):
        rows = [phantom_embryo(seed, frame) for seed in range(seeds)]
        yield f"phantom embryo, time point {frame + 1}", rows


def scores(world: World) -> list[float]:
    """Dice (mean, least), median errors of volume and surface, F1, seconds."""
    frame, true, nuclei, names, spacing = world
    start = time.perf_counter()
    found = segment(frame, spacing, nuclei, names).labels
    seconds = time.perf_counter() - start
    dice = []
    for label in np.unique(true)[1:]:
        one, other = found == label, true == label
        dice.append(2 * np.count_nonzero(one & other) / (one.sum() + other.sum()))
    got, wanted = measure(found, spacing), measure(true, spacing)
    common = len(got.contacts.keys() & wanted.contacts.keys())
    f1 = 2 * common / (len(got.contacts) + len(wanted.contacts))
    errors = [_error(got, wanted, what) for what in ("volume", "surface")]
    return [float(np.mean(dice)), min(dice), *errors, f1, seconds]


def _error(got: Measures, wanted: Measures, what: str) -> float:
    """Median relative error over the cells, %."""
    both = got.cells.keys() & wanted.cells.keys()
    ratios = [getattr(got.cells[k], what) / getattr(wanted.cells[k], what) for k in sorted(both)]
    return 100 * float(np.median(np.abs(np.subtract(ratios, 1))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="a word of the first column")
    wanted = parser.parse_args()
    print("| embryo | Dice | least cell | volume | surface | contacts F1 | each seed's Dice | s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, these in worlds(wanted.seeds):
        if wanted.only not in name:
            continue
        rows = np.array([scores(world) for world in these])
        dice, least, volume, surface, f1, seconds = rows.mean(0)
        each = ", ".join(f"{row[0]:.3f}" for row in rows)
        print(
            f"| {name} | {dice:.3f} | {least:.3f} | {volume:.1f} % | {surface:.1f} % | {f1:.3f} |"
            f" {each} | {seconds:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
