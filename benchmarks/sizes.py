"""Cost against size: seconds of renderings and fits over decades of voxels, as a table and a
picture. Everything is computed in one run; renderings begin with nothing kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.registration import optical_flow_ilk

from napari_spatimeinr import Volume, fit, kernels, load, phantom

QUICK = {
    "gate": False,
    "motion": {"steps": 10},
    "latents": {"steps": 10},
    "planes": {"enabled": False},
}
MODELS = {"motion only": {**QUICK, "latents": {"enabled": False}}, "balanced": QUICK}
"""Fitted in a few steps: speed does not depend on how well."""
SIZES = (1e4, 1e5, 1e6, 1e7, 1e8)
MOST = {"torch": 1e7, "zoom": 1e7, "flow": 1e6}
"""Voxels up to which others are measured."""
RECORDINGS = ((5, 8, 32, 32), (5, 20, 64, 64), (5, 20, 200, 200))
PLANES, SIDE = 16, 256
Seconds = dict[float, float]


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cut(count: float) -> tuple[int, int]:
    """Frames and the side of a plane of about so many voxels."""
    side = min(SIDE, round((count / PLANES) ** 0.5))
    return max(1, round(count / (PLANES * side * side))), side


def rendered(model: str, most: float) -> Seconds:
    """Frames between the given ones by a model; the first rendering of a process is not counted."""
    known = kernels.settle()
    if known:
        raise SystemExit(f"Kernels are not compiled: {known}")
    load(model, "cpu").lazy(time_scale=2)[1, :, :64, :64]
    found = {}
    for count in SIZES:
        if count > most:
            break
        frames, side = cut(count)
        field = load(model, "cpu")
        times = np.linspace(0.1, 1.9, frames) * field.volume.spacing[0]
        array = field.lazy(times=times.tolist())

        def render(array=array, side=side) -> None:
            for t in range(len(array)):
                array[t, :, :side, :side]

        found[frames * PLANES * side * side] = timed(render)
    return found


def elsewhere(model: Path, compiled: bool) -> Seconds:
    """The same in a process of its own, with kernels or without."""
    most = SIZES[-1] if compiled else MOST["torch"]
    environment = os.environ | ({} if compiled else {kernels.SWITCH: "off"})
    command = [sys.executable, __file__, str(model), str(most)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return {float(n): s for n, s in json.loads(done.stdout.splitlines()[-1]).items()}


def zoomed(volume: Volume, order: int) -> Seconds:
    """Twice as many frames by SciPy's splines."""
    found = {}
    for count in SIZES:
        if count > MOST["zoom"]:
            break
        frames, side = cut(count / 4)
        frames = 2 * frames  # there must be something between
        some = np.concatenate([volume.data[:2]] * frames)[:frames, :, :side, :side].astype("f4")
        seconds = timed(lambda some=some: ndimage.zoom(some, (2, 1, 1, 1), order=order))
        found[2 * some.size] = seconds
    return found


def warped(volume: Volume) -> Seconds:
    """A frame between two, warped along scikit-image's flow, which is found first."""
    found = {}
    for count in SIZES:
        if count > MOST["flow"]:
            break
        _, side = cut(count)
        a, b = (volume.data[k, :, :side, :side].astype("f4") for k in (0, 1))

        def between(a=a, b=b) -> None:
            flow = optical_flow_ilk(a, b, radius=5)
            grid = np.stack(np.meshgrid(*map(np.arange, a.shape), indexing="ij")).astype("f4")
            for frame, share in ((a, -0.5), (b, 0.5)):
                ndimage.map_coordinates(frame, grid + share * flow, order=3, mode="nearest")

        found[a.size] = timed(between)
    return found


def fitted() -> Seconds:
    """Fits, preset fast."""
    found = {}
    for shape in RECORDINGS:
        volume, _ = phantom(shape)
        found[volume.data.size] = timed(lambda volume=volume: fit(volume, "fast", device="cpu"))
    return found


def table(picture: Path) -> Iterator[str]:
    """Lines of the table; the picture is drawn at the end."""
    small, _ = phantom((3, PLANES, SIDE // 2, SIDE // 2), motion=4.5)
    data = np.clip(small.data * 1000 + 200, 0, 65535).astype(np.uint16)
    volume = Volume(np.tile(data, (1, 1, 2, 2)), small.spacing)
    curves: dict[str, Seconds] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, how in MODELS.items():
            model = fit(volume, config=how, device="cpu").save(Path(folder) / "m.spatimeinr")
            curves[name] = elsewhere(model, True)
            curves[f"{name}, torch"] = elsewhere(model, False)
    for order in (1, 3):
        curves[f"zoom, order {order}"] = zoomed(volume, order)
    curves["flow and warp"] = warped(volume)
    curves["fit, fast"] = fitted()
    yield f"| seconds for voxels | {' | '.join(f'{n:.0e}' for n in SIZES)} |"
    yield "| --- |" + " --- |" * len(SIZES)
    for name, seconds in curves.items():
        if name != "fit, fast":
            words = [f"{s:.2g}" if s < 10 else f"{s:.0f}" for s in seconds.values()]
            yield f"| {name} | {' | '.join(words + [''] * (len(SIZES) - len(words)))} |"
    fits = ", ".join(
        f"{' x '.join(map(str, shape))} {s:.0f} s"
        for shape, s in zip(RECORDINGS, curves["fit, fast"].values(), strict=True)
    )
    yield f"\nFits, preset fast: {fits}.\n"
    draw(curves, picture)
    yield f"![Seconds against voxels, both on logarithmic axes]({picture.name})"


def draw(curves: dict[str, Seconds], path: Path) -> None:
    """All curves, logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    colours = {"motion only": "tab:blue", "balanced": "tab:red", "fit": "black"}
    colours |= {"zoom": "tab:orange", "flow and warp": "tab:green"}
    for name, seconds in curves.items():
        kind = name.split(",")[0]
        style = "--" if "torch" in name or "order 1" in name else ":" if kind == "fit" else "-"
        axes.loglog(
            list(seconds),
            list(seconds.values()),
            style,
            marker="o",
            ms=3,
            label=name,
            color=colours.get(kind),
        )
    axes.set_xlabel("voxels computed (of a fit: voxels of the recording)")
    axes.set_ylabel("seconds")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    print(json.dumps(rendered(sys.argv[1], float(sys.argv[2]))))
