"""Many rounds of a user's work in one process: ``python benchmarks/soak.py [--rounds 60] [--without
fit]``.

A round opens a window and the sample, fits it, scrubs, renders, saves and closes the window. After
each, what the process holds: memory, threads, open files, and living objects of this package.
``--without`` leaves steps out, so that two runs tell whose the memory is: ``--without fit`` opens
the dock alone, ``--without dock`` is napari by itself.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from on_screen import screen

PLUGIN = "napari-spatimeinr"
STEPS = ("dock", "fit", "scrub", "render", "save")
SETTLED = 0.5
"""The share of rounds after which growth is measured: caches have been filled by then."""


def living() -> Counter[str]:
    """Objects of this package by the name of their class."""
    found: Counter[str] = Counter()
    for thing in gc.get_objects():
        try:
            kind = type(thing)
            if str(getattr(kind, "__module__", "")).startswith("napari_spatimeinr"):
                found[kind.__name__] += 1
        except ReferenceError:
            continue
    return found


def spin(seconds: float, until: Callable[[], Any] | None = None) -> None:
    """Let the window live for a while, or until something holds."""
    from qtpy.QtWidgets import QApplication

    began = time.monotonic()
    while time.monotonic() - began < seconds:
        QApplication.processEvents()
        time.sleep(0.002)
        if until is not None and until():
            return
    if until is not None:
        raise SystemExit("The program did not come to its next step in time.")


def one_round(steps: set[str], folder: Path) -> None:
    """What a user does with one recording."""
    import napari

    viewer = napari.Viewer(show=True)
    viewer.open_sample(PLUGIN, "moving_membranes")
    spin(0.3)
    if "dock" in steps:
        _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "SpatimeINR")
        dock.method_panel.presets.button(0).click()
        for part in ("motion", "latents", "planes"):
            dock.method_panel.form.editors[part, "steps"].value = 5
        dock.method_panel.form.editors["motion", "smoothness"].setText("0.01")
        spin(60, dock.fit_button.isEnabled)
    if "fit" in steps:
        dock.fit_button.click()
        spin(5, lambda: dock.fitter.running)
        spin(120, lambda: not dock.fitter.running)
    if {"fit", "scrub"} <= steps:
        for index in (24, 37, 55, 8):
            dock.scales_panel.scrubber.setValue(index)
            spin(0.3)
    if {"fit", "render"} <= steps:
        before = len(viewer.layers)
        dock.output_panel.to_layer.click()
        spin(120, lambda: len(viewer.layers) > before)
        if "save" in steps:
            viewer.layers[-1].save(str(folder / "round.nii.gz"), plugin=PLUGIN)
    viewer.close()
    spin(0.3)


def tidy() -> None:
    """Give back to the system what Python and the C library keep for later, so that memory says
    what is held.
    """
    gc.collect()
    if sys.platform.startswith("linux"):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--without", choices=STEPS, action="append", default=[])
    parser.add_argument(
        "--as-is",
        action="store_true",
        help="memory as a user sees it, what is kept for later included",
    )
    asked = parser.parse_args()
    steps = set() if "dock" in asked.without else set(STEPS) - set(asked.without)
    process = psutil.Process()
    memory = []
    print(
        "round  memory MiB  threads (Python)  files  seconds  objects of this package", flush=True
    )
    with tempfile.TemporaryDirectory() as folder:
        for number in range(asked.rounds):
            began = time.monotonic()
            one_round(steps, Path(folder))
            if not asked.as_is:
                tidy()
            memory.append(process.memory_info().rss / 2**20)
            kinds = ", ".join(f"{name} {count}" for name, count in living().most_common(5))
            print(
                f"{number + 1:5d}  {memory[-1]:10.1f}  {process.num_threads():7d}"
                f" ({threading.active_count()}) "
                f" {process.num_fds() if hasattr(process, 'num_fds') else -1:7d} "
                f" {time.monotonic() - began:7.1f}  {kinds}",
                flush=True,
            )
    late = np.array(memory[int(SETTLED * len(memory)) :])
    if len(late) > 1:
        slope = np.polyfit(np.arange(len(late)), late, 1)[0]
        print(
            f"growth over the later rounds: {slope:.2f} MiB a round"
            f" ({', '.join(sorted(steps)) or 'napari alone'})"
        )


if __name__ == "__main__":
    with screen():
        main()
