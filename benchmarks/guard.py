"""The guard: single frames between acquired ones against linear and cubic interpolation, on
recordings that jump or end.

``python benchmarks/guard.py [case ...]`` prints for every frame in between the PSNR against the
truth (range 1) and the range of what was rendered; ``--only ordinary`` the gain of ordinary
phantoms, which the guard must not change.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from napari_spatimeinr import Volume, fit, phantom
from napari_spatimeinr.analysis import scores
from napari_spatimeinr.phantoms import SPACING

Truth = Callable[[float], Any]
BRIGHT, DARK = 150.0, 20.0
"""Counts of brightness 1 and of nothing, in 8 bits."""
INTERPOLATION = {"motion": {"enabled": False}, "latents": {"enabled": False}}
SMALL = {"motion": {"steps": 20}, "latents": {"steps": 80, "channels": 6}}


def counted(data: Any) -> Volume:
    """Brightness as 8-bit counts."""
    return Volume(
        np.clip(np.rint(data * BRIGHT + DARK), 0, 255).astype(np.uint8), (60.0, 0.5, 0.25, 0.25)
    )


def jumping(
    by: int, at: int, shape: tuple[int, int, int, int] = (9, 8, 40, 40), **how: Any
) -> tuple[Volume, Truth]:
    """The stage moves ``by`` voxels before frame ``at``."""
    t, z, y, x = shape
    volume, truth = phantom((t, z, y, x + by), **how)

    def cut(frame: Any, time: float) -> Any:
        return frame[..., by:] if time >= at else frame[..., :x]

    data = np.stack([cut(frame, k) for k, frame in enumerate(np.asarray(volume.data))])
    return counted(data), lambda t: cut(truth.frame(t * SPACING[0], volume.grid), t)


def ending(
    full: int, count: int = 1000, shape: tuple[int, int, int] = (5, 20, 20), **how: Any
) -> tuple[Volume, Truth]:
    """All frames but the first are empty, with the noise of nothing."""
    volume, truth = phantom((full, *shape), **how)
    rng = np.random.default_rng(1)
    dark = (rng.poisson(8, (count - full, *shape)) - 8) / 150 + 0.01 * rng.standard_normal(
        (count - full, *shape)
    )
    return counted(np.concatenate([np.asarray(volume.data), dark])), lambda t: truth.frame(
        t * SPACING[0], volume.grid
    )


def cases() -> dict[str, tuple[Callable[[], tuple[Volume, Truth]], dict[str, Any], int]]:
    """Recording and truth, changes of preset fast, and how many intervals are looked at."""
    clean = {"photons": 0.0, "read": 0.0}
    out: dict[str, Any] = {}
    for motion in (2, 4, 6):
        out[f"jump, nuclei of motion {motion}, no noise, interpolation"] = (
            lambda motion=motion: jumping(20, 4, kind="nuclei", motion=motion, **clean),
            INTERPOLATION,
            8,
        )
    for kind in ("nuclei", "membranes"):
        out[f"jump, {kind} of motion 3"] = (
            lambda kind=kind: jumping(20, 5, kind=kind, motion=3.0),
            {},
            8,
        )
    out["1000 frames, 990 empty, nuclei"] = (
        lambda: ending(10, kind="nuclei", motion=2.0),
        SMALL,
        8,
    )
    out["1000 frames, 990 empty, membranes"] = (lambda: ending(10, motion=1.0), SMALL, 8)
    return out


def between(volume: Volume, truth: Truth, change: dict[str, Any], intervals: int) -> Iterator[str]:
    """A table of the frames halfway between acquired ones."""
    began = time.perf_counter()
    field = fit(volume, "fast", {**change, "planes": {"enabled": False}}, device="cpu")
    chosen, data = field.provenance["chosen"], np.asarray(volume.data)
    yield (
        f"range of the recording {data.min()} to {data.max()}, {time.perf_counter() - began:.0f} s,"
        f" {chosen}"
    )
    yield from field.provenance["warnings"]
    yield (
        "| between | ours | linear | cubic | gain over linear | lowest | highest |\n| --- | --- |"
        " --- | --- | --- | --- | --- |"
    )
    methods = [field, field.interpolated("linear"), field.interpolated("cubic")]
    rendered = [method.lazy(time_scale=2) for method in methods]
    for k in range(intervals):
        exact = truth(k + 0.5)
        frames = [np.asarray(array[2 * k + 1]) for array in rendered]
        ours, linear, cubic = (scores.psnr((frame - DARK) / BRIGHT, exact) for frame in frames)
        low, high = frames[0].min(), frames[0].max()
        yield (
            f"| {k}, {k + 1} | {ours:.2f} | {linear:.2f} | {cubic:.2f} | {ours - linear:+.2f} |"
            f" {low:.0f} | {high:.0f} |"
        )


def ordinary() -> Iterator[str]:
    """Gains over linear on recordings without faults."""
    yield "| phantom | mean gain | lowest | left to linear |\n| --- | --- | --- | --- |"
    means = []
    for seed in (0, 1):
        for kind in ("nuclei", "membranes"):
            for name, how in {
                "motion 1": {"motion": 1.0},
                "motion 3": {"motion": 3.0},
                "motion 6": {"motion": 6.0},
                "dividing": {"motion": 3.0, "divide": 6},
                "bleaching": {"motion": 3.0, "bleach": 0.1},
                "low light": {"motion": 3.0, "photons": 30},
            }.items():
                volume, truth = phantom((7, 8, 32, 32), kind=kind, seed=seed, **how)  # type: ignore[arg-type]
                field = fit(volume, "fast", {**SMALL, "planes": {"enabled": False}}, device="cpu")
                frames, rendered = np.asarray(volume.data), field.lazy(time_scale=2)
                gains = []
                for k in range(6):
                    left = (1 - how.get("bleach", 0.0)) ** (k + 0.5)
                    exact = truth.frame((k + 0.5) * SPACING[0], volume.grid) * left
                    linear = (frames[k] + frames[k + 1]) / 2
                    gains.append(
                        scores.psnr(np.asarray(rendered[2 * k + 1]), exact)
                        - scores.psnr(linear, exact)
                    )
                means.append(float(np.mean(gains)))
                left_out = field.provenance.get("guard", {}).get("linear", [])
                yield (
                    f"| {kind}, {name}, seed {seed} | {means[-1]:+.3f} | {min(gains):+.2f} |"
                    f" {left_out} |"
                )
    yield f"| mean | {np.mean(means):+.3f} | | |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="*", help="words of the cases to run; all without")
    parser.add_argument("--only", choices=["ordinary", "cases"])
    args = parser.parse_args()
    for name, (make, change, intervals) in cases().items() if args.only != "ordinary" else ():
        if all(word in name for word in args.case):
            print(f"\n{name}", flush=True)
            for line in between(*make(), change, intervals):
                print(line, flush=True)
    if args.only != "cases":
        print("\nordinary")
        for line in ordinary():
            print(line, flush=True)


if __name__ == "__main__":
    main()
