"""Frames at uneven times: a fit that knows them, one that takes them for even, and interpolation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from napari_spatimeinr import Volume, fit, phantom
from napari_spatimeinr.analysis import scores

OURS = "SpatimeINR, true times"


def uneven(seeds: Sequence[int], preset: str) -> Iterator[str]:
    """A table against the noise-free truth every half interval, where no frame was acquired."""
    found: dict[str, list[float]] = {}
    kept = []
    for seed in seeds:
        volume, truth = phantom(kind="uneven", seed=seed)
        acquired = volume.grid.coordinates(0)
        shortest = float(np.diff(acquired).min())
        every = np.arange(acquired[0], acquired[-1], shortest / 2)
        times = every[np.abs(every[:, None] - acquired).min(1) > shortest / 4]
        exact = [truth.frame(float(t), volume.grid) for t in times]
        as_even = Volume(volume.data, volume.spacing, units=volume.units)
        # It is asked for the right share of the right interval.
        numbers = volume.grid.to_index(times, 0) * as_even.spacing[0]
        field, believing = fit(volume, preset, seed=seed), fit(as_even, preset, seed=seed)
        kept.append(", ".join(k for k, on in field.provenance.chosen.items() if on is True))
        methods = {
            "linear": field.interpolated().lazy(times=times),
            "cubic": field.interpolated("cubic").lazy(times=times),
            "SpatimeINR, taken for even": believing.lazy(times=numbers),
            OURS: field.lazy(times=times),
        }
        for name, frames in methods.items():
            each = [scores.psnr(np.asarray(frames[k]), e) for k, e in enumerate(exact)]
            found.setdefault(name, []).append(float(np.mean(each)))
    yield "| method | PSNR | gain over linear, each seed |\n| --- | --- | --- |"
    for name, values in found.items():
        gains = np.subtract(values, found["linear"])
        each = ", ".join(f"{gain:+.2f}" for gain in gains)
        yield f"| {name} | {np.mean(values):.2f} | {gains.mean():+.2f} ({each}) |"
    yield f"\nKept: {'; '.join(kept)}."
