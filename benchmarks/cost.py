"""Cost: seconds of fits, voxels per second, memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from napari_spatimeinr import fit, phantom

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
            yield f"| fit, {preset}, {' x '.join(map(str, shape))} | {seconds[shape, preset]:.0f} s |"
    small, large = (seconds[s, "balanced"] for s in ((7, 32, 64, 64), (7, 32, 128, 128)))
    yield f"| fit, balanced, 4 x the voxels | {large / small:.2f} x the time |"
    array = field.lazy(time_scale=2.5, scale_z=2)
    began = time.perf_counter()
    np.asarray(array)
    yield f"| render time x2.5, z x2 | {array.size / (time.perf_counter() - began) / 1e6:.2f} million voxels/s |"
    array = field.lazy(time_scale=2)
    began = time.perf_counter()
    np.asarray(array)
    yield f"| render time x2 | {array.size / (time.perf_counter() - began) / 1e6:.2f} million voxels/s |"
    volume, _ = phantom((4, 16, 512, 512))
    for preset in ("fast", "balanced"):
        array = fit(volume, preset).lazy(time_scale=2)
        for number, (t, z) in enumerate(((1, 8), (1, 9), (3, 8), (3, 7))):
            began = time.perf_counter()
            array[t, z]
            took = 1000 * (time.perf_counter() - began)
            yield f"| plane of 512 x 512, {preset}, request {number + 1} (t {t}, z {z}) | {took:.0f} ms |"


def memory() -> Iterator[str]:
    """Peak resident memory of fit and render of 10 x 40 x 512 x 512 uint16, each in a fresh process."""
    yield "| 10 x 40 x 512 x 512 uint16, 210 MB | s | peak MB | limit MB, 4 x raw + 1 GB |\n| --- | --- | --- | --- |"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "large.nii"
        make = (
            "import numpy as np; from napari_spatimeinr import phantom, Volume; v, _ = phantom((10, 10, 128, 128), motion=3);"
            "d = np.tile(np.clip(v.data * 1000 + 200, 0, 65535).astype(np.uint16), (1, 4, 4, 4));"
            f"Volume(d, v.spacing).save({str(source)!r})"
        )
        subprocess.run([sys.executable, "-c", make], check=True)
        model, output = Path(folder) / "model.spatimeinr", Path(folder) / "out.nii"
        for command in (["fit", source, "-o", model, "--quiet"], ["render", model, "-o", output, "--time-scale", "1.5"]):
            began = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", PEAK, *map(str, command)], check=True, capture_output=True, text=True)
            peak = float(done.stdout.rsplit("peak", 1)[1])
            yield f"| {command[0]} | {time.perf_counter() - began:.0f} | {peak:.0f} | 1839 |"
