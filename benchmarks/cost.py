"""Cost: seconds of fits, voxels per second, memory."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from napari_spatimeinr import Volume, fit, load, phantom

PEAK = (
    "import sys, resource; from napari_spatimeinr.cli import main\n"
    "try: main()\nexcept SystemExit as e: assert not e.code\n"
    "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)"
)


def speed() -> Iterator[str]:
    """Fit time against size, rendering speed, latency of a plane."""
    yield "| what | measured |\n| --- | --- |"
    seconds = {}
    for shape in ((7, 32, 64, 64), (7, 32, 128, 128)):
        volume, _ = phantom(shape)
        for preset in ("fast", "balanced", "best") if shape[-1] == 64 else ("fast", "balanced"):
            began = time.perf_counter()
            field = fit(volume, preset)
            seconds[shape, preset] = time.perf_counter() - began
            yield (
                f"| fit, {preset}, {' x '.join(map(str, shape))} | {seconds[shape, preset]:.0f} s |"
            )
    small, large = (seconds[s, "balanced"] for s in ((7, 32, 64, 64), (7, 32, 128, 128)))
    yield f"| fit, balanced, 4 x the voxels | {large / small:.2f} x the time |"
    array = field.lazy(time_scale=2.5, scale_z=2)
    began = time.perf_counter()
    np.asarray(array)
    yield (
        f"| render time x2.5, z x2 | {array.size / (time.perf_counter() - began) / 1e6:.2f} million"
        " voxels/s |"
    )
    array = field.lazy(time_scale=2)
    began = time.perf_counter()
    np.asarray(array)
    yield (
        f"| render time x2 | {array.size / (time.perf_counter() - began) / 1e6:.2f} million"
        " voxels/s |"
    )
    volume, _ = phantom((4, 16, 512, 512))
    for preset in ("fast", "balanced"):
        array = fit(volume, preset).lazy(time_scale=2)
        for number, (t, z) in enumerate(((1, 8), (1, 9), (3, 8), (3, 7))):
            began = time.perf_counter()
            array[t, z]
            took = 1000 * (time.perf_counter() - began)
            yield (
                f"| plane of 512 x 512, {preset}, request {number + 1} (t {t}, z {z}) | {took:.0f}"
                " ms |"
            )


LARGE = """
import sys, time, resource, numpy as np
from napari_spatimeinr import load
began = time.perf_counter()
load(sys.argv[1], "cpu").render(voxel=float(sys.argv[2]), times=[0.0])
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
"""


def indexing() -> Iterator[str]:
    """What depends on how a rendering is indexed (nothing should), and what voxels larger than the
    recording cost.
    """
    yield "| what | measured |\n| --- | --- |"
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.spatimeinr"
        quick = {
            "gate": False,
            "motion": {"steps": 5},
            "latents": {"steps": 10},
            "planes": {"steps": 10},
        }
        fit(phantom((3, 10, 48, 140))[0], config=quick).save(model)
        for what, how in {
            "time x2": {"time_scale": 2},
            "time x2, z x2": {"time_scale": 2, "scale_z": 2},
        }.items():
            began = time.perf_counter()
            whole = np.asarray(load(model).lazy(**how))
            speed = whole.size / (time.perf_counter() - began) / 1e6
            keys = [
                np.s_[t, z, y : y + 31, ::step]
                for t, z, y, step in itertools.product((1, 3), (2, 7, 9), (0, 15), (1, 3))
            ]
            for threads in (1, 4):
                lazy = load(model).lazy(**how)
                with ThreadPoolExecutor(threads) as pool:
                    parts = pool.map(lazy.__getitem__, keys)
                    most = max(
                        np.abs(part - whole[key]).max()
                        for key, part in zip(keys, parts, strict=True)
                    )
                yield (
                    f"| {what}, {threads} threads index: largest difference to the whole, of"
                    f" {np.ptp(whole):.2f} | {most:.2g} |"
                )
            yield f"| {what}: million voxels/s | {speed:.2f} |"
        small, _ = phantom((5, 6, 48, 48))
        fit(Volume(small.data, (1.0, 1.0, 0.2, 0.2)), config=quick).save(model)
        for voxel in (5, 50, 100, 300, 10_000):
            command = [sys.executable, "-c", LARGE, str(model), str(voxel)]
            try:
                done = subprocess.run(
                    command, check=True, capture_output=True, text=True, timeout=120
                )
            except subprocess.TimeoutExpired:
                yield f"| 6 x 9.6 x 9.6 um at a voxel of {voxel} um | not done in 120 s |"
                continue
            seconds, peak = map(float, done.stdout.split())
            yield f"| 6 x 9.6 x 9.6 um at a voxel of {voxel} um | {seconds:.2f} s, {peak:.0f} MB |"


def memory() -> Iterator[str]:
    """Peak resident memory of fit and render of 10 x 40 x 512 x 512 uint16, each in a fresh
    process.
    """
    yield (
        "| 10 x 40 x 512 x 512 uint16, 210 MB | s | peak MB | limit MB, 4 x raw + 1 GB |\n| --- |"
        " --- | --- | --- |"
    )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "large.nii"
        make = (
            "import numpy as np; from napari_spatimeinr import phantom, Volume; v, _ ="
            " phantom((10, 10, 128, 128), motion=3);d = np.tile(np.clip(v.data * 1000 + 200, 0,"
            f" 65535).astype(np.uint16), (1, 4, 4, 4));Volume(d, v.spacing).save({str(source)!r})"
        )
        subprocess.run([sys.executable, "-c", make], check=True)
        model, output = Path(folder) / "model.spatimeinr", Path(folder) / "out.nii"
        for command in (
            ["fit", source, "-o", model, "--quiet"],
            ["render", model, "-o", output, "--time-scale", "1.5"],
        ):
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", PEAK, *map(str, command)],
                check=True,
                capture_output=True,
                text=True,
            )
            peak = float(done.stdout.rsplit("peak", 1)[1])
            yield f"| {command[0]} | {time.perf_counter() - began:.0f} | {peak:.0f} | 1839 |"
