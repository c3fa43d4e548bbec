"""Cells of embryos: how well they are found and measured at acquired times, and in between.

``python benchmarks/embryo.py [--seeds 3]`` prints Dice, errors of volume and surface, and the F1 of
the contact graph (contacts above 1 um2) for synthetic embryos of 8 to 24 cells, recorded at 0.9 x
0.3 x 0.3 um under an anisotropic PSF, segmented on those voxels after interpolation along z, and
for the phantom of membranes (voxels of 0.5 x 0.25 x 0.25 um).

``--between`` fits phantom embryos that move slowly and fast, and prints the Dice halfway between acquired
time points: of what the program does, the same on linear interpolations, and acquired cells carried along the motion.

``--size 256x356x160 [--frames 3] [--time-scale 2]`` runs the command ``spatimeinr embryo`` on one phantom whose
results are of that many voxels (y, x, z; as published), and prints seconds and memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from scipy import ndimage

from napari_spatimeinr import Field, Volume, fit, phantom
from napari_spatimeinr.analysis.votes import Voter, voted
from napari_spatimeinr.embryo.carried import along
from napari_spatimeinr.embryo.measure import Measures, measure
from napari_spatimeinr.embryo.phantom import embryo_phantom, made_embryo
from napari_spatimeinr.embryo.recording import Embryo, open_embryo
from napari_spatimeinr.embryo.runfile import read_runfile, write_runfile
from napari_spatimeinr.embryo.segment import segment

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))
from small_embryo import SmallEmbryo

RECORDED, EVEN = (0.9, 0.3, 0.3), (0.3, 0.3, 0.3)
PSF = (0.7, 0.25, 0.25)
PACES = {"slow": 2.0, "fast": 5.0}
"""95th percentile of the displacement of cells, pixels per frame."""
WAYS = ("segmented", "on linear interpolations", "carried", "where both carried agree")
OFF = 0.3
"""Standard deviation of the tracing's errors, um."""
SLICES, PLANES = 68, 160
"""Of the published recording, and of the published results: that many of one for the other."""
CELLS = (20, 24)
"""Of the embryo that is timed, at its first and last time point."""
PUBLISHED = (90.0, 0.42, 0.09, 0.09)
"""Frame interval (s) and voxel (um) of that recording; its pixels are half as wide as theirs."""
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


def straight(embryo: Embryo, when: float) -> dict[str, Any]:
    """Nuclei on straight lines between traced places."""
    return {
        name: [np.interp(when, life.frames, life.positions[:, axis]) for axis in range(3)]
        for name in embryo.lineage.names_at(when)
        for life in [embryo.lineage.lives[name]]
    }


def mean_dice(found: Any, true: Any) -> list[float]:
    out = []
    for label in np.unique(true)[1:]:
        one, other = found == label, true == label
        out.append(2 * np.count_nonzero(one & other) / (one.sum() + other.sum()))
    return out


def in_between(pace: float, seed: int, preset: str) -> tuple[float, list[float]]:
    """Mean Dice at acquired times, and halfway between them by each of ``WAYS``.

    Sisters whose division lies in the interval, somewhere, count as one cell.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = embryo_phantom(folder, motion=pace, seed=seed)
        embryo = open_embryo(made.run_file)
        field: Field = fit(Volume.of(embryo.record), preset)
        grid, names = embryo.data_grid.refine(time_scale=2), made.truth.numbers
        spacing, origin = grid.spacing[1:], grid.origin[1:]
        carry = along(field, embryo.dt)
        fitted, linear = field.on_grid(grid), field.interpolated("linear").on_grid(grid)
        whens = [float(t) / embryo.dt for t in grid.coordinates(0)]

        def cells(frame: Any, nuclei: dict[str, Any]) -> Any:
            return segment(np.asarray(frame), spacing, nuclei, names, origin).labels

        at_acquired, scored = [], {way: [] for way in WAYS}
        acquired = {}
        for k in range(0, len(whens), 2):
            acquired[k] = cells(fitted[k], embryo.lineage.positions_at(whens[k], carry))
            at_acquired += mean_dice(
                acquired[k], made.truth.label_frame(grid.coordinates(0)[k], grid)
            )
        voxels = np.indices(grid.shape[1:]).reshape(3, -1).T * spacing + origin
        for k in range(1, len(whens), 2):
            sisters = np.arange(max(names.values()) + 1)
            for division in embryo.lineage.dividing_at(whens[k]):
                sisters[[names[one] for one in division.daughters]] = names[division.mother]
            true = sisters[made.truth.label_frame(grid.coordinates(0)[k], grid)]
            voters = []
            for j in (k - 1, k + 1):
                ends = (carry(voxels, whens[k], whens[j]) - origin) / spacing
                voters.append(Voter(sisters[acquired[j]], ends.astype(np.float32), 0.5))
            one, other = (voted(voter, None).reshape(true.shape) for voter in voters)
            ours = sisters[cells(fitted[k], embryo.lineage.positions_at(whens[k], carry))]
            found = (
                ours,
                sisters[cells(linear[k], straight(embryo, whens[k]))],
                voted(*voters).reshape(true.shape),
                np.where(one == other, one, ours),
            )
            for way, labels in zip(WAYS, found, strict=True):
                scored[way] += mean_dice(labels, true)
    return float(np.mean(at_acquired)), [float(np.mean(scored[way])) for way in WAYS]


def tell_between(seeds: int, preset: str) -> None:
    print(f"| embryo, {preset} | acquired | {' | '.join(WAYS)} | gain over linear, each seed |")
    print("| --- " * (len(WAYS) + 3) + "|")
    for name, pace in PACES.items():
        rows = [in_between(pace, seed, preset) for seed in range(seeds)]
        at_acquired = np.mean([row[0] for row in rows])
        means = np.mean([row[1] for row in rows], 0)
        gains = ", ".join(f"{row[1][0] - row[1][1]:+.3f}" for row in rows)
        each = " | ".join(f"{value:.3f}" for value in means)
        print(
            f"| {name}, {pace:g} pixels a frame | {at_acquired:.3f} | {each} | {gains} |",
            flush=True,
        )


def timed(size: str, frames: int, time_scale: float, preset: str) -> None:
    """Print what the command takes on a phantom whose results have ``size`` voxels (y, x, z)."""
    y, x, z = (int(n) for n in size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        shape = (frames, round(z * SLICES / PLANES), 2 * y, 2 * x)
        made = embryo_phantom(Path(folder) / "raw", shape=shape, spacing=PUBLISHED, cells=CELLS)
        write_runfile(made.run_file, replace(read_runfile(made.run_file), data_shape=(y, x, z)))
        out = Path(folder) / "out"
        where = ["--config_file", made.run_file, "--nii_path", out / "NII", "--opdir", out]
        how = ["--time-scale", time_scale, "--preset", preset, "--json", "--quiet"]
        command = [sys.executable, "-m", "napari_spatimeinr.cli", "embryo", *where, *how]
        begun, most = time.perf_counter(), 0
        with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE) as process:
            watched = psutil.Process(process.pid)
            while process.poll() is None:
                try:
                    most = max(most, watched.memory_info().rss)
                except psutil.Error:
                    break
                time.sleep(0.05)
            assert process.stdout is not None
            told = json.loads(process.stdout.read())
        wall = time.perf_counter() - begun
    print(
        "| recording (t, z, y, x) | results (y, x, z) | preset | time points | cells | fit |"
        " a time point | all | memory |"
    )
    print("| --- " * 9 + "|")
    print(
        f"| {' x '.join(map(str, shape))} | {y} x {x} x {z} | {preset} |"
        f" {len(told['time_points'])} | {len(told['cells'])} | {told['fit_seconds']:.0f} s |"
        f" {told['seconds_per_time_point']:.1f} s | {wall:.0f} s | {most / 1e9:.1f} GB |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="a word of the first column")
    parser.add_argument("--between", action="store_true", help="halfway between acquired times")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--size", default="", help="voxels of results to time, 256x356x160")
    parser.add_argument("--frames", type=int, default=3, help="of the recording that is timed")
    parser.add_argument("--time-scale", type=float, default=2)
    wanted = parser.parse_args()
    if wanted.size:
        timed(wanted.size, wanted.frames, wanted.time_scale, wanted.preset)
        return
    if wanted.between:
        tell_between(wanted.seeds, wanted.preset)
        return
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
