"""Quality of finer planes and voxels: phantoms against their truth, real stacks against planes and
voxels held out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from quality import HEADS, Lines, cells, head

from napari_spatimeinr import Field, Volume, evaluate, fit, phantom
from napari_spatimeinr.analysis import scores

STACKS = (
    ("tribolium_lightsheet_crop_3d.tif", (1.0, 1.0, 1.0, 1.0), (2, 3, 4)),
    ("celegans_membrane_gif_3d.tif", (1.0, 0.225, 0.225, 0.225), (5, 8)),
)


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
