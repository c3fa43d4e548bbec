"""Quality: phantoms against their truth, real recordings against held-out frames and planes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from worlds import PHANTOMS

from napari_spatimeinr import Field, Volume, evaluate, fit, phantom
from napari_spatimeinr.analysis import scores
from napari_spatimeinr.analysis.ablation import ablations
from napari_spatimeinr.phantoms import Truth

STACKS = (
    ("tribolium_lightsheet_crop_3d.tif", (1.0, 1.0, 1.0, 1.0), (2, 3, 4)),
    ("celegans_membrane_gif_3d.tif", (1.0, 0.225, 0.225, 0.225), (5, 8)),
)
RECORDINGS = {
    "drosophila_nuclei_tgmm_crop_4d.tif": (1.0, 5.0, 1.0, 1.0),
    "droplet_small_4d.tif": (1.0, 1.0, 1.0, 1.0),
    "parhyale_nuclei_4d.tif": (1.0, 2.16, 0.277, 0.277),
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
            field = fit(volume, preset, seed=seed)
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


def planes(seeds: Sequence[int], preset: str) -> Lines:
    """Planes x2, x3, x4 on phantoms whose PSF is known, against the truth as sharp along z as
    across it.
    """
    yield head("frames", "rendered", "cubic", "SpatimeINR", "gain, each seed", "fit s")
    found: dict[tuple[int, str], list[tuple[float, float]]] = {}
    seconds: dict[int, list[float]] = {}
    for frames in (7, 1):
        for seed in seeds:
            shape = (frames, 32, 64, 64)
            volume, _ = phantom(shape, seed=seed)
            sharp = phantom(shape, seed=seed, psf=(0.2, 0.2, 0.2))[1]
            began = time.perf_counter()
            field = fit(volume, preset, {"psf": [0.5, 0.2, 0.2]}, seed=seed)
            seconds.setdefault(frames, []).append(time.perf_counter() - began)
            for scale, scale_z in ((1, 2), (1, 3), (1, 4), (2, 3)) if frames > 1 else ((1, 3),):
                ours, cubic = (
                    f.lazy(time_scale=scale, scale_z=scale_z)
                    for f in (field, field.interpolated("cubic"))
                )
                rows = []
                for i in range(scale - 1, ours.shape[0], scale):
                    truth = sharp.frame(float(ours.grid.coordinates(0)[i]), ours.grid)
                    rows.append(
                        [scores.psnr(np.asarray(array[i]), truth) for array in (cubic, ours)]
                    )
                a, b = np.mean(rows, 0)
                name = f"z x{scale_z}" + (", time x2" if scale > 1 else "")
                found.setdefault((frames, name), []).append((float(a), float(b)))
    for (frames, name), pairs in found.items():
        a, b = np.mean(pairs, 0)
        each = ", ".join(f"{y - x:+.2f}" for x, y in pairs)
        yield (
            f"| {frames} | {name} | {a:.2f} | {b:.2f} | {b - a:+.2f} ({each}) |"
            f" {np.mean(seconds[frames]):.0f} |"
        )


def voxels(seeds: Sequence[int], preset: str, folder: Path | None) -> Lines:
    """Voxels x2 in the plane, asked for: phantoms at voxels that were not given; real planes of
    which every second voxel was.
    """
    yield head("recording", "frames", "splines", "without", "SpatimeINR", "gain, each", "kept")
    found: dict[tuple[str, int], list[tuple[float, float, float, bool]]] = {}
    for psf in (0.2, 0.1):
        for frames in (1, 5):
            for seed in seeds:
                volume, truth = phantom((frames, 16, 96, 96), seed=seed, psf=(0.5, psf, psf))
                name = f"phantom, PSF {psf:g} of a voxel of {volume.spacing[3]:g}"
                finer = (*volume.spacing[:2], volume.spacing[2] / 2, volume.spacing[3] / 2)
                grid = Volume(np.zeros((1, 16, 191, 191), np.uint8), finer).grid
                found.setdefault((name, frames), []).append(
                    _in_plane(volume, preset, seed, grid, truth.frame(0.0, grid))
                )
    for file, _, _ in STACKS if folder is not None else ():
        assert folder is not None
        whole = np.asarray(Volume.open(folder / file, axes="ZYX").data[0], np.float32)
        whole = scores.scaled(
            whole[:, : (whole.shape[1] - 1) // 2 * 2 + 1, : (whole.shape[2] - 1) // 2 * 2 + 1]
        )[0]
        grid = Volume(whole[None], (1.0, 1.0, 0.5, 0.5)).grid
        given = Volume(np.ascontiguousarray(whole[None, :, ::2, ::2]), (1.0,) * 4)
        found[f"{file.split('_')[0]}, every second voxel given", 1] = [
            _in_plane(given, preset, 0, grid, whole)
        ]
    for (name, frames), rows in found.items():
        spline, without, ours = np.mean([row[:3] for row in rows], 0)
        each = ", ".join(f"{row[2] - row[1]:+.2f}" for row in rows)
        kept = f"{sum(row[3] for row in rows)} of {len(rows)}"
        yield (
            f"| {name} | {frames} | {spline:.2f} | {without:.2f} | {ours:.2f} |"
            f" {ours - without:+.2f} ({each}) | {kept} |"
        )


def _in_plane(
    volume: Volume, preset: str, seed: int, grid: Any, truth: Any
) -> tuple[float, float, float, bool]:
    """PSNR of splines of the recording, of a fit without, and with finer voxels; whether these were
    kept.
    """
    field = fit(
        volume, preset, {"planes": {"enabled": False}, "voxels": {"enabled": True}}, seed=seed
    )
    kept = field.network.voxels is not None
    ours = np.asarray(field.on_grid(grid))[0]
    network = replace(field.network, voxels=None)
    plain = Field(
        volume, network, field.normalisation, field.config, field.device, field.interpolation
    )
    without, spline = (np.asarray(f.on_grid(grid))[0] for f in (plain, field.interpolated()))
    return scores.psnr(spline, truth), scores.psnr(without, truth), scores.psnr(ours, truth), kept


def stacks(folder: Path, preset: str) -> Lines:
    """Real stacks, every n-th plane given."""
    yield head("stack", "given", "method", *HEADS.split(" | "), "s")
    for file, spacing, gaps in STACKS:
        for gap in gaps:
            volume = Volume.open(folder / file, axes="ZYX", spacing=spacing)
            for method, row in evaluate(volume, "z", gap, preset).methods.items():
                took = f"{row['seconds']:.0f}" if "seconds" in row else ""
                yield f"| {file.split('_')[0]} | 1 of {gap} | {method} | {cells(row)} | {took} |"


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
