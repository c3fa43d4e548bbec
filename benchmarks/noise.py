"""Noise from one frame on: recordings of one and two frames against the noise-free truth,
noise of other kinds, and single frames of real recordings against the frames beside them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from quality import RECORDINGS
from scipy import ndimage as ndi

from napari_spatimeinr import Field, Volume, fit, phantom
from napari_spatimeinr.analysis import scores

CASES: dict[str, tuple[int, dict[str, Any]]] = {
    "T = 1, 150 photons": (1, {"photons": 150}),
    "T = 1, 30 photons": (1, {"photons": 30}),
    "T = 1, 5 photons": (1, {"photons": 5}),
    "T = 1, nuclei, 150 photons": (1, {"photons": 150, "kind": "nuclei"}),
    "T = 1, filaments, 150 photons": (1, {"photons": 150, "kind": "filaments"}),
    "T = 2, 150 photons": (2, {"photons": 150}),
}
OTHERS = {"Gaussian": 0.0, "correlated, 0.5 voxel": 0.5, "correlated, 1 voxel": 1.0}
"""Widths of the Gaussian that white noise of 0.1 was smoothed with."""
BLURS = np.arange(0, 1.6, 0.125)
ALONE: dict[str, Any] = {"planes": {"enabled": False}}
HEAD = "| recording | raw | best blur | SpatimeINR, each seed | between, over linear | fit s |"


def noise(seeds: Sequence[int], preset: str, folder: Path | None) -> Iterator[str]:
    """PSNR of the frames, what blur and denoising add, and what is gained between frames."""
    yield f"{HEAD}\n|{' --- |' * 6}"
    for name, (count, options) in CASES.items():
        rows = []
        for seed in seeds:
            volume, truth = phantom((count, 32, 64, 64), seed=seed, **options)
            field, seconds = _fitted(volume, preset, seed)
            clean = [truth.frame(float(t), volume.grid) for t in volume.grid.coordinates(0)]
            row = [*_against(volume, field, clean), float("nan"), seconds]
            if count > 1:
                row[3] = _between(field, volume, truth)
            rows.append(row)
        yield _line(name, rows)
    for name, width in OTHERS.items():
        rows = []
        for seed in seeds:
            volume, truth = phantom((1, 32, 64, 64), seed=seed, photons=0, read=0)
            still = truth.frame(0.0, volume.grid)
            extra: Any = np.random.default_rng(seed).standard_normal(still.shape)
            extra = ndi.gaussian_filter(extra, width) if width else extra
            noisy = (still + 0.1 * extra / extra.std()).astype(np.float32)
            field, seconds = _fitted(Volume(noisy[None], volume.spacing), preset, seed)
            rows.append([*_against(field.volume, field, [still]), float("nan"), seconds])
        yield _line(f"T = 1, {name} noise", rows)
    for file, spacing in RECORDINGS.items() if folder is not None else ():
        assert folder is not None
        data = scores.scaled(np.asarray(Volume.open(folder / file, axes="TZYX").data))[0]
        k = len(data) // 2
        beside = (data[k - 1] + data[k + 1]) / 2
        field, seconds = _fitted(Volume(data[k : k + 1].copy(), spacing), preset, 0)
        found = [*_against(field.volume, field, [beside]), float("nan"), seconds]
        yield _line(f"{file.split('_')[0]}, one frame against those beside it", [found])


def _fitted(volume: Volume, preset: str, seed: int) -> tuple[Field, float]:
    began = time.perf_counter()
    field = fit(volume, preset, ALONE, seed=seed)
    return field, time.perf_counter() - began


def _against(volume: Volume, field: Field, clean: Sequence[Any]) -> list[float]:
    """PSNR of the frames, and what the best blur and denoising add to it."""
    frames = np.asarray(volume.data, np.float32)
    along_z = volume.spacing[2] / volume.spacing[1]
    raw = _psnr(frames, clean)
    blurs = [
        _psnr([ndi.gaussian_filter(f, (s * along_z, s, s)) for f in frames], clean) for s in BLURS
    ]
    return [raw, max(blurs) - raw, _psnr(np.asarray(field.lazy()), clean) - raw]


def _psnr(frames: Any, clean: Sequence[Any]) -> float:
    return float(np.mean([scores.psnr(a, b) for a, b in zip(frames, clean, strict=True)]))


def _between(field: Field, volume: Volume, truth: Any) -> float:
    """Gain over linear halfway between frames."""
    ours, linear = (f.lazy(time_scale=2) for f in (field, field.interpolated()))
    middle = range(1, ours.shape[0], 2)
    clean = [truth.frame(float(ours.grid.coordinates(0)[i]), volume.grid) for i in middle]
    gained, plain = (_psnr([np.asarray(f[i]) for i in middle], clean) for f in (ours, linear))
    return gained - plain


def _line(name: str, rows: list[list[float]]) -> str:
    raw, blur, ours, between, seconds = (list(column) for column in zip(*rows, strict=True))
    words = "" if np.isnan(between[0]) else _each(between)
    return (
        f"| {name} | {np.mean(raw):.2f} | {np.mean(blur):+.2f} | {_each(ours)} | {words} |"
        f" {np.mean(seconds):.0f} |"
    )


def _each(values: list[float]) -> str:
    found = f"{np.mean(values):+.2f}"
    return found if len(values) == 1 else f"{found} ({', '.join(f'{v:+.2f}' for v in values)})"
