"""Speed of rendering, everything in one run: kernels, the same in torch, splines of SciPy, warping
along scikit-image's flow; the first plane of a model, the next and the same again.

``python benchmarks/rendering.py``. Models are fitted in a few steps: speed does not depend on how
well.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from statistics import median

import numpy as np
from run import machine
from scipy import ndimage
from skimage.registration import optical_flow_ilk

from napari_spatimeinr import Field, Volume, fit, kernels, phantom

QUICK = {
    "gate": False,
    "motion": {"steps": 10},
    "latents": {"steps": 10},
    "planes": {"enabled": False},
}
MOTION = {**QUICK, "latents": {"enabled": False}}
SHAPE = (3, 16, 256, 256)


@contextmanager
def torch_alone() -> Iterator[None]:
    """Kernels that are not there."""
    ready = kernels._READY.copy()
    kernels._READY.clear()
    try:
        yield
    finally:
        kernels._READY.update(ready)


def fresh(field: Field) -> Field:
    """The same model, nothing encoded."""
    known = field.normalisation, field.config, field.device, field.interpolation, field.provenance
    return Field(field.volume, field.network, *known)


def seconds(work: Callable[[], object], runs: int = 5) -> float:
    """Median of some runs."""
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return median(took)


def tiled(shape: tuple[int, int, int, int], times: int) -> Volume:
    """A phantom beside itself, ``uint16``."""
    volume, _ = phantom(shape, motion=4.5)
    data = np.clip(volume.data * 1000 + 200, 0, 65535).astype(np.uint16)
    return Volume(np.tile(data, (1, 1, times, times)), volume.spacing)


def speeds() -> Iterator[str]:
    """Million voxels per second between two frames, time x2; what depends on one frame is kept, as
    it is while a slider moves, unless it says cold.
    """
    yield "| time x2, 16 x 256 x 256 | million voxels/s |\n| --- | --- |"
    volume = tiled((3, 16, 128, 128), 2)
    for name, how in (("motion only", MOTION), ("balanced", QUICK)):
        field = fit(volume, config=how, device="cpu")
        for by, around, runs in (("kernels", nullcontext, 5), ("torch", torch_alone, 3)):
            with around():
                for state in ("cold", "warm"):
                    speed = between(field, state == "warm", runs)
                    yield f"| {name}, {by}, {state} | {speed:.2f} |"
    yield from others(volume)


def between(field: Field, warm: bool, runs: int) -> float:
    """Million voxels per second of a frame between two."""
    at = [0.5 * field.volume.spacing[0]]
    known = fresh(field)
    if warm:
        known.lazy(times=at)[0]

    def render() -> None:
        (known if warm else fresh(field)).lazy(times=at)[0]

    return field.volume.data[0].size / seconds(render, runs) / 1e6


def others(volume: Volume) -> Iterator[str]:
    """SciPy and scikit-image."""
    a, b = (volume.data[k].astype(np.float32) for k in (0, 1))
    for order in (1, 3):
        speed = 2 * a.size / seconds(lambda order=order: ndimage.zoom(a, (2, 1, 1), order=order))
        yield f"| scipy.ndimage.zoom, order {order} | {speed / 1e6:.2f} |"
    began = time.perf_counter()
    flow = optical_flow_ilk(a, b, radius=5)
    of_flow = time.perf_counter() - began
    grid = np.stack(np.meshgrid(*map(np.arange, a.shape), indexing="ij")).astype(np.float32)

    def warped() -> None:
        for frame, share in ((a, -0.5), (b, 0.5)):
            ndimage.map_coordinates(frame, grid + share * flow, order=3, mode="nearest")

    took = seconds(warped, 3)
    yield f"| warped along scikit-image's flow, given the flow | {a.size / took / 1e6:.2f} |"
    yield f"| the same, with the flow | {a.size / (took + of_flow) / 1e6:.2f} |"


def planes() -> Iterator[str]:
    """Milliseconds of a plane."""
    yield "| plane | first | next plane | warm |\n| --- | --- | --- | --- |"
    for times in (4, 16):
        volume = tiled((3, 12, 128, 128), times)
        for name, how in (("motion only", MOTION), ("balanced", QUICK)):
            first, following, warm = plane(fit(volume, config=how, device="cpu"))
            side = f"{times * 128} x {times * 128}, {name}"
            yield f"| {side} | {first:.0f} ms | {following:.0f} ms | {warm:.0f} ms |"


def plane(field: Field) -> list[float]:
    """Milliseconds of the first plane, the next one, and again the first."""
    took = [seconds(lambda z=z: field.lazy(time_scale=2)[1, z], 1) for z in (6, 7)]
    return [1000 * s for s in (*took, seconds(lambda: field.lazy(time_scale=2)[1, 6]))]


if __name__ == "__main__":
    print(
        f"{machine()}, load {os.getloadavg()[0]:.1f}; kernels: {kernels.settle() or 'compiled'}\n"
    )
    for part in (speeds, planes):
        for line in part():
            print(line, flush=True)
        print()
