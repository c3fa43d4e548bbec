"""A fit and planes beside busy processes: ``python benchmarks/neighbour.py`` (about ten minutes on
two idle cores).

The same fit (5 x 16 x 64 x 64, preset fast) and 20 planes at new times, alone, beside two processes
that spin and beside two processes that fit, in three situations: the command line, torch loaded
before this package with its usual waiting (a script, or a napari where another plugin did), and a
dock in a window of napari. Ratios are to alone. Each run is a fresh process without variables about
threads; ``--situations`` and ``--neighbours`` choose some.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from on_screen import screen

SHAPE = (5, 16, 64, 64)
PLANES = 20
VARIABLES = ("OMP_", "KMP_", "GOMP_", "MKL_")
SITUATIONS = ("command line", "torch first", "napari")
NEIGHBOURS = ("alone", "two spinning", "two fits")
SPIN = "while True: pass"
FIT = (
    "from napari_spatimeinr import fit, phantom\nv, _ = phantom((5, 16, 64, 64), seed=9)\nwhile"
    " True: fit(v, 'best', device='cpu')"
)
PATIENCE = 1800


def times(volume: Any) -> list[float]:
    """Times between the frames, in the recording's units."""
    last = (volume.shape[0] - 1) * volume.grid.spacing[0]
    return [float(t) for t in volume.grid.origin[0] + last * (np.arange(PLANES) + 0.37) / PLANES]


def rendered(field: Any, volume: Any) -> float:
    """Seconds for planes in the middle, each at a time of its own."""
    z = volume.shape[1] // 2
    began = time.perf_counter()
    lazy = field.lazy(times=times(volume))
    for t in range(PLANES):
        np.asarray(lazy[t, z])
    return time.perf_counter() - began


# -- situations, each in a process of its own ------------------------------------------------


def command_line() -> dict[str, float]:
    from napari_spatimeinr import phantom

    with tempfile.TemporaryDirectory() as folder:
        volume, _ = phantom(SHAPE)
        source, model, target = (
            Path(folder) / name for name in ("in.nii", "m.spatimeinr", "out.nii")
        )
        volume.save(source)
        z = volume.shape[1] // 2
        command = [sys.executable, "-m", "napari_spatimeinr.cli"]
        how = ["--device", "cpu", "--quiet", "--json"]

        def seconds(*options: str) -> float:
            out = subprocess.run(
                [*command, *options, *how], check=True, capture_output=True, text=True
            ).stdout
            return float(json.loads(out)["seconds"])

        fitted = seconds("fit", str(source), "-o", str(model), "--preset", "fast")
        moments = ",".join(f"{t:.6f}" for t in times(volume))
        region = f":,{z}:{z + 1},:,:"
        return {
            "fit": fitted,
            "planes": seconds(
                "render", str(model), "-o", str(target), "--times", moments, "--roi", region
            ),
        }


def torch_first() -> dict[str, float]:
    import torch

    torch.zeros(1_000_000).add_(1.0)
    from napari_spatimeinr import fit, phantom

    volume, _ = phantom(SHAPE)
    began = time.perf_counter()
    field = fit(volume, "fast", device="cpu")
    fitted = time.perf_counter() - began
    return {"fit": fitted, "planes": rendered(field, volume)}


def in_napari() -> dict[str, float]:
    with screen():
        return _window()


def _window() -> dict[str, float]:
    import torch

    torch.zeros(1_000_000).add_(1.0)  # as another plugin may have done
    from qtpy.QtWidgets import QApplication

    import napari
    from napari_spatimeinr import phantom
    from napari_spatimeinr._napari.layers.placement import from_volume

    def spin(until: Callable[[], bool]) -> float:
        began = time.perf_counter()
        while not until():
            if time.perf_counter() - began > PATIENCE:
                raise SystemExit(f"napari: took longer than {PATIENCE} s")
            QApplication.processEvents()
            time.sleep(0.002)
        return time.perf_counter() - began

    def fresh() -> bool:
        session = dock.session()
        return (
            session is not None
            and session.array is not None
            and session.array.field is not None
            and session.array.is_fresh()
        )

    viewer = napari.Viewer(show=True)
    volume, _ = phantom(SHAPE)
    viewer.add_image(np.asarray(volume.data), name="cells", **from_volume(volume))
    _, dock = viewer.window.add_plugin_dock_widget("napari-spatimeinr", "SpatimeINR")
    opened = time.perf_counter()
    spin(
        lambda: dock.fit_button.isEnabled() and time.perf_counter() - opened > 5
    )  # its measurement is over
    dock.method_panel.presets.button(0).click()
    dock.method_panel.device.setCurrentText("cpu")
    dock.fit_button.click()
    fitted = spin(lambda: not dock.fitter.running)
    spin(fresh)
    planes = 0.0
    scrubber = dock.scales_panel.scrubber
    for k in range(PLANES):
        low, high = scrubber.minimum(), scrubber.maximum()
        scrubber.setValue(low + int((high - low) * (k * 7 % PLANES + 0.37) / PLANES))
        planes += spin(fresh)
    viewer.close()
    return {"fit": fitted, "planes": planes}


RUNS = dict(zip(SITUATIONS, (command_line, torch_first, in_napari), strict=True))


# -- all of them ------------------------------------------------------------------------------


def plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(VARIABLES)}


@contextmanager
def beside(neighbours: str) -> Iterator[None]:
    """Two busy processes while this is entered."""
    text = {"two spinning": SPIN, "two fits": FIT}[neighbours]
    others = [
        subprocess.Popen([sys.executable, "-c", text], env=plain_environment()) for _ in range(2)
    ]
    try:
        time.sleep(8 if text is FIT else 0.5)
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def measured(situation: str, neighbours: str) -> dict[str, float]:
    with nullcontext() if neighbours == "alone" else beside(neighbours):
        done = subprocess.run(
            [sys.executable, __file__, "--run", situation],
            env=plain_environment(),
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise SystemExit(f"{situation}, {neighbours}:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--situations", default=",".join(SITUATIONS))
    parser.add_argument("--neighbours", default=",".join(NEIGHBOURS))
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(RUNS[options.run]()))
        return
    print(
        f"{'situation':14}{'neighbours':14}{'fit, s':>10}{'ratio':>8}{'planes, s':>12}{'ratio':>8}"
    )
    for situation in options.situations.split(","):
        alone: dict[str, float] | None = None
        for neighbours in options.neighbours.split(","):
            row = measured(situation, neighbours)
            alone = alone or row
            ratios = {name: row[name] / alone[name] for name in row}
            print(
                f"{situation:14}{neighbours:14}{row['fit']:10.1f}{ratios['fit']:8.2f}{row['planes']:12.2f}{ratios['planes']:8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
