"""The published method beside ours and what users have now: quality at the same budget, its parts,
its speed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from quality import RECORDINGS, between, cells, head

from napari_spatimeinr import Field, Volume, evaluate, fit, fit_steps, phantom
from napari_spatimeinr.analysis import scores
from napari_spatimeinr.analysis.ablation import ablations
from napari_spatimeinr.published import model as implicit

LONG_BUDGETS = (600.0, 900.0)
"""Seconds of the fits whose acquired frames are looked at."""
BUDGET = 60.0
"""Seconds of a fit that is compared."""
PART_BUDGET = 30.0
"""Seconds of a fit of the ablation."""
OPEN = 24
"""Steps with open hypercubes that are timed, after as many with closed ones as make 400."""
WHOLE = 2**30
"""More samples than a step has."""
CLEAN: dict[str, Any] = {
    "shape": (7, 16, 48, 48),
    "motion": 3,
    "photons": 1e9,
    "read": 0.0,
    "background": 0,
}
"""A phantom without noise."""
Lines = Iterator[str]


def reproduced(budgets: Sequence[float] = LONG_BUDGETS) -> Lines:
    """How well acquired frames come back, and frames between them, on a phantom without noise."""
    volume, truth = phantom(seed=0, **CLEAN)
    given = np.asarray(volume.data)
    yield head(
        "noise-free phantom, 7 x 16 x 48 x 48",
        "acquired frames",
        "frames between",
        "s",
        "steps of latents / MLP",
    )
    for preset, budget in (*(("published", budget) for budget in budgets), ("best", None)):
        began = time.perf_counter()
        field = fit(volume, preset, seed=0, time_budget=budget)
        seconds = time.perf_counter() - began
        ours, exact = between(field, truth, volume)
        same = field.lazy()
        acquired = np.mean([scores.psnr(np.asarray(same[k]), given[k]) for k in range(len(given))])
        middle = np.mean([scores.psnr(ours[t], exact[t]) for t in ours])
        steps = _steps(field) if preset == "published" else ""
        label = preset if budget is None else f"{preset}, {budget:.0f} s"
        yield f"| {label} | {acquired:.2f} | {middle:.2f} | {seconds:.0f} | {steps} |"
    for kind in scores.BASELINES:
        frames = scores.baseline(kind, given, 2)
        yield (
            f"| {kind} |  | {np.mean([scores.psnr(frames[t], exact[t]) for t in exact]):.2f} | "
            " |  |"
        )


def compared(folder: Path | None, budget: float = BUDGET) -> Lines:
    """Hold-out in time, 1 of 2, with the same budget for both methods."""
    yield head("recording", "method", "PSNR", "smoothed", "foreground", "SSIM", "NRMSE", "s")
    volumes = {"phantom, slow": phantom((13, 32, 64, 64), motion=2.25, seed=0)[0]}
    for file, spacing in RECORDINGS.items() if folder is not None else ():
        assert folder is not None
        volumes[file.split("_")[0]] = Volume.open(folder / file, axes="TZYX", spacing=spacing)
    for name, volume in volumes.items():
        for preset in ("published", "best"):
            baselines = scores.BASELINES if preset == "best" else ()
            methods = evaluate(
                volume, "time", 2, preset, baselines=baselines, time_budget=budget
            ).methods
            for method, row in methods.items():
                took = f"{row['seconds']:.0f}" if "seconds" in row else ""
                yield (
                    f"| {name} | {f'SpatimeINR, {preset}' if method == 'spatimeinr' else method} |"
                    f" {cells(row)} | {took} |"
                )


def parts(seeds: Sequence[int], budget: float = PART_BUDGET) -> Lines:
    """The published method with one of its parts off, with the same budget, against the truth of
    phantoms.
    """
    yield head(
        "published", "slow phantom: PSNR", "smoothed", "noise-free phantom: PSNR", "smoothed", "s"
    )
    changes: dict[str, dict[str, Any]] = {
        "all parts": {},
        **{k: v for k, v in ablations().items() if "motion" not in v},
    }
    for label, change in changes.items():
        columns, seconds = [], []
        for options in ({"motion": 4.5, "shape": CLEAN["shape"]}, CLEAN):
            found = []
            for seed in seeds:
                volume, truth = phantom(seed=seed, **options)
                began = time.perf_counter()
                field = fit(volume, "published", change, seed=seed, time_budget=budget)
                seconds.append(time.perf_counter() - began)
                ours, exact = between(field, truth, volume)
                for t in ours:
                    pair = scores.smooth(ours[t]), scores.smooth(exact[t])
                    found.append((scores.psnr(ours[t], exact[t]), scores.psnr(*pair)))
            columns += [f"{value:.2f}" for value in np.mean(found, 0)]
        yield f"| {label} | {' | '.join(columns)} | {np.mean(seconds):.0f} |"


def speed() -> Lines:
    """Steps per second of the MLP, what the faster arithmetic costs in quality, and rendering."""
    volume, truth = phantom(seed=0, **CLEAN)
    yield head(
        "arithmetic",
        "steps of the MLP per second",
        "PSNR between, after as many steps",
        "rendering, thousand voxels/s",
    )
    rates = {}
    cached = implicit.CACHED
    for name, precision, samples in (
        ("plain float32", "float32", WHOLE),
        ("bfloat16", "bfloat16", cached),
    ):
        implicit.CACHED = samples
        change = {
            "precision": precision,
            "published": {"max_iter": 400, "rcan_max_iter": 400, "closed_share": 1 - OPEN / 400},
        }
        steps = fit_steps(volume, "published", change, seed=0)
        stamps = []
        while True:
            try:
                state = next(steps)
            except StopIteration as stop:
                field = stop.value
                break
            if state.stage == "rendering cells":
                stamps.append(time.perf_counter())
        stamps = stamps[-OPEN:]
        rates[name] = (len(stamps) - 1) / (stamps[-1] - stamps[0])
        rendered = field.lazy(time_scale=2)
        times = rendered.grid.coordinates(0)
        began = time.perf_counter()
        ours = {t: np.asarray(rendered[t]) for t in (5, 7)}
        voxels = sum(frame.size for frame in ours.values()) / (time.perf_counter() - began)
        quality = np.mean(
            [
                scores.psnr(frame, truth.frame(float(times[t]), volume.grid))
                for t, frame in ours.items()
            ]
        )
        yield f"| {name} | {rates[name]:.2f} | {quality:.2f} | {voxels / 1e3:.1f} |"
    implicit.CACHED = cached
    yield (
        f"| bfloat16 over plain float32 | {rates['bfloat16'] / rates['plain float32']:.2f} x | "
        " |  |"
    )


def _steps(field: Field) -> str:
    facts = field.provenance
    return (
        f"{facts['rcan']['steps']} ({facts['rcan']['ended']}) / {facts['mlp']['steps']}"
        f" ({facts['mlp']['ended']})"
    )
