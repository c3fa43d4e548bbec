"""Are the seconds true that a fit is said to take? ``python benchmarks/estimates.py [PRESET ...]``.

Five sizes, from a crop to a camera's planes: what is estimated before the fit, by the size alone and
by beginning it, what is said to be left on the way, and what it took. Prints a table; ratios are
estimate over truth.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import numpy as np

from napari_spatimeinr import Volume, phantom
from napari_spatimeinr.analysis.estimate import begun, estimate
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.fitting import fit_run, fit_steps

SIZES = (
    (3, 1, 256, 256),
    (5, 16, 64, 64),
    (7, 32, 64, 64),
    (8, 5, 443, 512),
    (10, 40, 512, 512),
)
SPACING = (60.0, 2.0, 1.0, 1.0)
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)


def recording(shape: tuple[int, int, int, int]) -> Volume:
    """A phantom of that size, of 16 bits; a large one repeats a small one."""
    t, z, y, x = shape
    part, _ = phantom((t, min(z, 16), min(y, 128), min(x, 128)), motion=3)
    times = [-(-n // m) for n, m in zip(shape, part.shape, strict=True)]
    data = np.tile(np.clip(part.data * 1000 + 200, 0, 65535).astype(np.uint16), times)
    return Volume(data[:, :z, :y, :x], SPACING)


def measured(volume: Volume, preset: str) -> tuple[float, list[tuple[float, float | None]]]:
    """Seconds of a fit, and what was said to be left at which."""
    began = time.perf_counter()
    said = [
        (time.perf_counter() - began, state.seconds_left) for state in fit_steps(volume, preset)
    ]
    return time.perf_counter() - began, said


def beginning(volume: Volume, preset: str) -> str:
    """What a fit says that is begun and given up."""
    steps = begun(fit_run(volume, preset))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return "unknown" if end.value is None else f"{end.value:.0f} s"


def rows(presets: list[str]) -> Iterator[str]:
    """The table."""
    shares = " | ".join(f"left at {share:.0%}" for share in SHARES)
    yield f"| recording | preset | by size | by beginning | {shares} | truth | worst ratio |"
    yield "| --- " * (len(SHARES) + 6) + "|"
    for preset in presets:
        for shape in SIZES:
            volume, config = recording(shape), make_config(preset)
            by_size = estimate(shape, config, spacing=volume.spacing).seconds
            by_beginning = beginning(volume, preset)
            truth, said = measured(volume, preset)
            cells, worst = [], 1.0
            for share in SHARES:
                at, left = next((s for s in said if s[0] >= share * truth), said[-1])
                if left is None:
                    cells.append("unknown")
                    continue
                ratio = max(left, 1.0) / max(truth - at, 1.0)
                worst = max(worst, ratio, 1 / ratio)
                cells.append(f"{left:.0f} of {truth - at:.0f} s")
            yield (
                f"| {' x '.join(map(str, shape))} | {preset} | {by_size:.0f} s |"
                f" {by_beginning} | {' | '.join(cells)} | {truth:.0f} s | {worst:.2f} |"
            )


if __name__ == "__main__":
    for line in rows(sys.argv[1:] or ["fast", "balanced"]):
        print(line, flush=True)
