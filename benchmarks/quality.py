"""Quality: phantoms against their truth, real recordings against held-out frames and planes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from worlds import PHANTOMS

from napari_spatimeinr import Field, Volume, evaluate, fit, phantom
from napari_spatimeinr.analysis import scores
from napari_spatimeinr.analysis.ablation import ablations
from napari_spatimeinr.phantoms import Truth

RECORDINGS = {
    "drosophila_nuclei_tgmm_crop_4d.tif": (1.0, 5.0, 1.0, 1.0),
    "droplet_small_4d.tif": (1.0, 1.0, 1.0, 1.0),
    "parhyale_nuclei_4d.tif": (1.0, 2.16, 0.277, 0.277),
    "yeast_mitochondria_4d.tif": (1.0, 1.0, 1.0, 1.0),
}
KEYS = ("psnr", "psnr_smoothed", "psnr_foreground", "ssim", "nrmse")
HEADS = "PSNR | smoothed | foreground | SSIM | NRMSE"
Lines = Iterator[str]


def head(*columns: str) -> str:
    """The first two lines of a table."""
    names = " | ".join(columns)
    return f"| {names} |\n|{' --- |' * len(names.split('|'))}"


def cells(row: dict[str, float]) -> str:
    """Scores of one method as cells."""
    return " | ".join(
        "" if not np.isfinite(row.get(key, np.nan)) else f"{row[key]:.2f}" for key in KEYS
    )


def between(field: Field, truth: Truth, volume: Volume) -> tuple[dict[int, Any], dict[int, Any]]:
    """Frames halfway between those given, rendered and true."""
    rendered = field.lazy(time_scale=2)
    middle = range(1, rendered.shape[0], 2)
    times = rendered.grid.coordinates(0)
    return {t: np.asarray(rendered[t]) for t in middle}, {
        t: truth.frame(float(times[t]), volume.grid) for t in middle
    }


def unbleached(volume: Volume, options: dict[str, Any]) -> Any:
    """The data at the brightness of its truth, which does not bleach."""
    share = (1 - options.get("bleach", 0.0)) ** np.arange(volume.shape[0], dtype=np.float32)
    return np.asarray(volume.data) / share[:, None, None, None]


def phantoms(seeds: Sequence[int], preset: str, names: Sequence[str] = tuple(PHANTOMS)) -> Lines:
    """Time x2 against the noise-free truth, beside the methods of today."""
    yield head("phantom", "method", *HEADS.split(" | "), "gain over linear, each seed", "fit s")
    for name in names:
        rows: dict[str, list[dict[str, float]]] = {}
        seconds = []
        for seed in seeds:
            volume, truth = phantom(seed=seed, **PHANTOMS[name])
            began = time.perf_counter()
            # What is scored lies in acquired planes.
            field = fit(volume, preset, {"planes": {"enabled": False}}, seed=seed)
            seconds.append(time.perf_counter() - began)
            ours, exact = between(field, truth, volume)
            given = unbleached(volume, PHANTOMS[name])
            if "bleach" in PHANTOMS[name]:
                bleach = 1 - PHANTOMS[name]["bleach"]
                ours = {t: frame / bleach ** (t / 2) for t, frame in ours.items()}
            predicted = {kind: scores.baseline(kind, given, 2) for kind in scores.BASELINES}
            for method, frames in {**predicted, "SpatimeINR": ours}.items():
                rows.setdefault(method, []).append(scores.score(frames, exact, given, 2))
            for kind in ("linear", *scores.WARPING):
                rows.setdefault(f"{kind}, best blur", []).append(
                    scores.best_blur(predicted[kind], exact)
                )
        for method, found in rows.items():
            gains = [
                row["psnr"] - line["psnr"] for row, line in zip(found, rows["linear"], strict=True)
            ]
            mean = {key: float(np.mean([row.get(key, np.nan) for row in found])) for key in KEYS}
            each = (
                ""
                if method == "linear"
                else f"{np.mean(gains):+.2f} ({', '.join(f'{g:+.2f}' for g in gains)})"
            )
            took = f"{np.mean(seconds):.0f}" if method == "SpatimeINR" else ""
            yield f"| {name} | {method} | {cells(mean)} | {each} | {took} |"


def recordings(folder: Path, preset: str) -> Lines:
    """Hold-out in time on real recordings."""
    yield head("recording", "given", "method", *HEADS.split(" | "), "s", "kept")
    for file, spacing in RECORDINGS.items():
        volume = Volume.open(folder / file, axes="TZYX", spacing=spacing)
        for gap in (2, 4):
            report = evaluate(volume, "time", gap, preset, baselines=scores.BASELINES)
            for method, row in report.methods.items():
                took = f"{row['seconds']:.0f}" if "seconds" in row else ""
                kept = (
                    ", ".join(k for k in ("motion", "latents", "planes") if report.chosen.get(k))
                    or "nothing"
                )
                name = f"| {file.split('_')[0]} | 1 of {gap} | {method} | {cells(row)} | {took} |"
                yield f"{name} {kept if method == 'spatimeinr' else ''} |"


def ablation(seeds: Sequence[int], preset: str, folder: Path | None) -> Lines:
    """What each part is worth: PSNR and seconds with one of them switched off."""
    changes: dict[str, dict[str, Any]] = {
        "all parts": {},
        **ablations(),
        "without gates": {"gate": False},
    }
    names = ("slow",)
    table: dict[str, list[str]] = {label: [] for label in changes}
    columns = []
    for name in names:
        columns.append(f"{name}, {len(seeds)} seeds: PSNR (s)")
        for label, change in changes.items():
            found, seconds = [], []
            for seed in seeds:
                volume, truth = phantom(seed=seed, **PHANTOMS[name])
                began = time.perf_counter()
                field = fit(volume, preset, {"planes": {"enabled": False}, **change}, seed=seed)
                seconds.append(time.perf_counter() - began)
                ours, exact = between(field, truth, volume)
                found.append(float(np.mean([scores.psnr(ours[t], exact[t]) for t in ours])))
            table[label].append(f"{np.mean(found):.2f} ({np.mean(seconds):.0f})")
    for file, spacing in RECORDINGS.items() if folder is not None else ():
        assert folder is not None
        columns.append(f"{file.split('_')[0]}: PSNR / smoothed (s)")
        for label, change in changes.items():
            volume = Volume.open(folder / file, axes="TZYX", spacing=spacing)
            row = evaluate(
                volume, "time", 2, preset, {"planes": {"enabled": False}, **change}, baselines=()
            ).methods["spatimeinr"]
            table[label].append(
                f"{row['psnr']:.2f} / {row['psnr_smoothed']:.2f} ({row['seconds']:.0f})"
            )
    yield head("", *columns)
    for label, values in table.items():
        yield f"| {label} | {' | '.join(values)} |"


def picture(path: Path, preset: str) -> None:
    """A frame between two given ones of two phantoms: the truth, the methods, and their errors."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 5), layout="constrained")
    grid = figure.subplots(2, 7, squeeze=False)
    for row, name in zip(grid, ("slow", "low light"), strict=True):
        volume, truth = phantom(seed=0, **PHANTOMS[name])
        ours, exact = between(fit(volume, preset, seed=0), truth, volume)
        t = 2 * (volume.shape[0] // 2) - 1
        made = {
            k: scores.baseline(k, np.asarray(volume.data), 2)[t] for k in ("linear", "flow")
        } | {"SpatimeINR": ours[t]}
        z = volume.shape[1] // 2
        panels = [("truth", exact[t][z], "gray", 1.3)]
        panels += [
            (f"{k}, {scores.psnr(f, exact[t]):.1f} dB", f[z], "gray", 1.3) for k, f in made.items()
        ]
        panels += [
            (f"error of {k}", np.abs(f - exact[t])[z], "magma", 0.6) for k, f in made.items()
        ]
        for ax, (title, plane, colours, top) in zip(row, panels, strict=True):
            ax.imshow(plane, cmap=colours, vmin=0, vmax=top, interpolation="nearest")
            ax.set_title(title, fontsize=9)
            ax.set_axis_off()
        row[0].set_title(f"{name}: truth", fontsize=9)
    figure.savefig(path, dpi=90)
