"""What biologists measure, on phantoms: labels and nuclei at frames left out, cells of a plain
watershed at 6:1 anisotropy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from quality import Lines, head
from worlds import PHANTOMS

from napari_spatimeinr import Volume, fit, phantom
from napari_spatimeinr.analysis import segment
from napari_spatimeinr.analysis.downstream import Rows
from napari_spatimeinr.analysis.downstream import downstream as measure
from napari_spatimeinr.phantoms import Truth

SHAPE = (13, 32, 64, 64)
LABELS = (
    "slow",
    "fast",
    "division",
    "low light",
    "rotating, slow",
    "sliding, slow",
    "rotating and sliding, slow",
    "drifting",
)
NUCLEI = {
    "nuclei": {"motion": 4.5, "kind": "nuclei"},
    "nuclei, low light": {"motion": 4.5, "kind": "nuclei", "photons": 30},
    "nuclei, dividing": {"motion": 4.5, "kind": "nuclei", "divide": 8},
    "nuclei, fast": {"motion": 11, "kind": "nuclei"},
    "appearing and vanishing": PHANTOMS["appearing and vanishing"],
}
SEEN = 0.3
"""Brightness from which a nucleus is one to be found."""
EVERY = 3
"""Planes of the phantom that are given: 1.5 um for voxels of 0.25 um, 6:1."""


def labels_of(truth: Truth, grid: Any) -> Any:
    """True labels on a grid, ``(T, Z, Y, X)``."""
    z, y, x = (grid.coordinates(axis) for axis in (1, 2, 3))
    places = z[:, None, None], y[:, None], x
    return np.stack([truth.labels(float(t), *places) for t in grid.coordinates(0)])


def points_of(truth: Truth, volume: Volume) -> Any:
    """True centres of nuclei that are seen, ``(N, 4)``."""
    rows = []
    for t in volume.grid.coordinates(0):
        at = truth.cells.inside & (truth.cells.bright(float(t)) > SEEN)
        at &= ~truth.cells.daughters | (truth.cells.grown(float(t)) > SEEN)
        rows.append(np.column_stack([np.full(at.sum(), t), truth.centres(float(t))[at]]))
    return np.concatenate(rows)


def _slowed(options: dict[str, Any]) -> dict[str, Any]:
    """The same motion from given frame to given frame, when every second is given."""
    slowed = {**options, "motion": options["motion"] / 2}
    if "accelerate" in options:
        slowed["accelerate"] = options["accelerate"] / 2
    return slowed


def _mean(found: list[Rows], method: str, key: str) -> float:
    return float(np.nanmean([rows[method][key] for rows in found]))


def labels(seeds: Sequence[int], preset: str, names: Sequence[str] = LABELS) -> Lines:
    """True labels of every second frame, carried to the others."""
    yield head(
        "phantom",
        "IoU: copied",
        "flow",
        "SpatimeINR",
        "wrong voxels: copied",
        "flow",
        "SpatimeINR",
        "share of copied, each seed",
    )
    for name in names:
        found = []
        for seed in seeds:
            volume, truth = phantom(SHAPE, seed=seed, **_slowed(PHANTOMS[name]))
            _, findings = measure(
                volume,
                labels=labels_of(truth, volume.grid),
                preset=preset,
                config={"latents": {"enabled": False}, "planes": {"enabled": False}},
                seed=seed,
                baselines=(),
            )
            found.append(findings.tables["labels"])
        methods = ("copy", "flow", "spatimeinr")
        iou = " | ".join(f"{_mean(found, method, 'iou'):.3f}" for method in methods)
        wrong = " | ".join(f"{100 * _mean(found, method, 'wrong'):.2f} %" for method in methods)
        shares = [rows["spatimeinr"]["wrong"] / rows["copy"]["wrong"] for rows in found]
        each = ", ".join(f"{share:.2f}" for share in shares)
        yield f"| {name} | {iou} | {wrong} | {np.mean(shares):.2f} ({each}) |"


def nuclei(seeds: Sequence[int], preset: str) -> Lines:
    """Nuclei found in predicted frames by one finder, against the true centres."""
    yield head("phantom", "frame", "precision", "recall", "F1", "distance (um)")
    for name, options in NUCLEI.items():
        found = []
        for seed in seeds:
            volume, truth = phantom(SHAPE, seed=seed, **_slowed(options))
            _, findings = measure(
                volume,
                points=points_of(truth, volume),
                preset=preset,
                config={"planes": {"enabled": False}},
                seed=seed,
                baselines=("linear", "flow"),
            )
            found.append(findings.tables["nuclei"])
        for method in found[0]:
            row = [_mean(found, method, key) for key in ("precision", "recall", "f1", "distance")]
            yield f"| {name} | {method} | {' | '.join(f'{value:.2f}' for value in row)} |"


def axial(seeds: Sequence[int], preset: str) -> Lines:
    """Isotropic renderings of a stack of one plane for six voxels, segmented by a plain watershed;
    overlap with the true cells.
    """
    yield head("phantom", "spline", "SpatimeINR", "truth", "gain, each seed", "kept")
    for name, psf in {"membranes": 0.5, "membranes, sharp along z": 0.2}.items():
        rows, kept = [], 0
        for seed in seeds:
            whole, truth = phantom((1, 49, 64, 64), seed=seed, psf=(psf, 0.2, 0.2))
            given = Volume(
                np.ascontiguousarray(np.asarray(whole.data)[:, ::EVERY]),
                (60.0, 0.5 * EVERY, 0.25, 0.25),
            )
            field = fit(given, preset, {"psf": [psf, 0.2, 0.2]}, seed=seed)
            kept += field.network.planes is not None
            ours, spline = (f.lazy(isotropic=True) for f in (field, field.interpolated()))
            true = labels_of(truth, ours.grid)[0]
            frames = spline[0], ours[0], truth.frame(0.0, ours.grid)
            rows.append(
                [
                    segment.best_overlap(np.asarray(frame), true, ours.grid.spacing[1:], True)
                    for frame in frames
                ]
            )
        means = " | ".join(f"{value:.3f}" for value in np.mean(rows, 0))
        each = ", ".join(f"{row[1] - row[0]:+.3f}" for row in rows)
        yield f"| {name} | {means} | {each} | {kept} of {len(rows)} |"
