"""How the plugin feels, measured in a real window: ``python benchmarks/napari_tour.py``.

The tour of docs/tour.md on 6 x 16 x 128 x 128: open, fit (preset fast), slide, scrub, render, 3D.
A stall is the time the main thread does not answer: the longest slot or callback of this package
(without napari's own drawing in it), and the longest gap between two turns of the event loop.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from on_screen import screen

GAPS: list[tuple[float, str]] = []
OWN: dict[str, float] = {}
STEP = ["opening"]


def timed(owner: Any, name: str, inside: list[float]) -> None:
    """Take the time of a method, less what ``inside`` gathered of napari's own calls meanwhile."""
    method = getattr(owner, name)

    @functools.wraps(method)
    def run(*args: Any, **options: Any) -> Any:
        before, began = inside[0], time.perf_counter()
        try:
            # Qt hands over more than a slot takes, and leaves out what it sees is too much.
            return method(*args[: method.__code__.co_argcount], **options)
        finally:
            own = time.perf_counter() - began - (inside[0] - before)
            label = f"{owner.__name__}.{name}"
            OWN[label] = max(OWN.get(label, 0.0), own)

    setattr(owner, name, run)


def napari_call(owner: Any, name: str, inside: list[float]) -> None:
    """Gather the time spent in a call of napari's."""
    method = getattr(owner, name)

    @functools.wraps(method)
    def run(*args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return method(*args, **options)
        finally:
            inside[0] += time.perf_counter() - began

    setattr(owner, name, run)


def napari_setter(owner: Any, name: str, inside: list[float]) -> None:
    """Gather the time spent in setting one of napari's properties."""
    old = getattr(owner, name)

    def put(self: Any, value: Any) -> None:
        began = time.perf_counter()
        old.fset(self, value)
        inside[0] += time.perf_counter() - began

    setattr(owner, name, property(old.fget, put))


def main() -> None:
    from napari.components import Dims, LayerList
    from napari.layers import Image
    from qtpy.QtWidgets import QApplication

    import napari
    from napari_spatimeinr import phantom
    from napari_spatimeinr._napari.docks.fit_widget import FitWidget
    from napari_spatimeinr._napari.docks.progress_panel import ProgressPanel
    from napari_spatimeinr._napari.docks.time_link import TimeLink
    from napari_spatimeinr._napari.docks.workplace import Workplace
    from napari_spatimeinr._napari.layers.placement import from_volume
    from napari_spatimeinr._napari.layers.preview import PreviewArray

    inside = [0.0]
    for owner, name in (
        (napari.Viewer, "add_image"),
        (Image, "refresh"),
        (Dims, "set_point"),
        (LayerList, "remove"),
    ):
        napari_call(owner, name, inside)
    for name in ("data", "scale", "translate"):
        napari_setter(Image, name, inside)
    for name in ("start_fit", "render_to_layer", "stop", "_on_fit_progress", "_on_scales"):
        timed(FitWidget, name, inside)
    for name in (
        "_on_source",
        "_on_layers",
        "_on_inserted",
        "_refresh",
        "_on_ended",
        "_show_estimate",
    ):
        timed(FitWidget, name, inside)
    for name in ("to_viewer", "to_scrubber"):
        timed(TimeLink, name, inside)
    for name in ("show_fit", "show_share"):
        timed(ProgressPanel, name, [0.0])
    timed(Workplace, "_on_drawn", inside)
    for name in ("__getitem__", "update"):
        timed(PreviewArray, name, [0.0])

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1400, 900)

    def spin(seconds: float, until: Callable[[], bool] | None = None) -> float:
        began = last = time.perf_counter()
        while time.perf_counter() - began < seconds:
            QApplication.processEvents()
            now = time.perf_counter()
            GAPS.append((now - last, STEP[0]))
            last = now
            if until is not None and until():
                return now - began
            time.sleep(0.001)
            last = time.perf_counter()
        if until is not None:
            raise SystemExit(f"{STEP[0]}: took longer than {seconds} s")
        return seconds

    volume, _ = phantom((6, 16, 128, 128))
    viewer.add_image(np.asarray(volume.data), name="cells", **from_volume(volume))
    spin(2)
    began = time.perf_counter()
    _, dock = viewer.window.add_plugin_dock_widget("napari-spatimeinr", "SpatimeINR")
    opened = time.perf_counter() - began
    GAPS.clear()
    spin(4)
    print(
        f"opening the dock: {1000 * opened:.0f} ms, longest stall after it: {1000 * max(GAPS)[0]:.0f} ms"
    )
    GAPS.clear()
    dock.method_panel.presets.button(0).click()
    viewer.dims.set_point(0, 90.0)

    def act(step: str, action: Callable[[], Any]) -> None:
        STEP[0] = step
        began = time.perf_counter()
        action()
        GAPS.append((time.perf_counter() - began, step))

    def fresh() -> bool:
        session = dock.session()
        return (
            session is not None
            and session.array is not None
            and session.array.field is not None
            and session.array.is_fresh()
        )

    pressed = time.perf_counter()
    act("fit", dock.fit_button.click)
    print(f"preview layer after pressing Fit: {time.perf_counter() - pressed:.2f} s")
    spin(60, fresh)
    print(f"first picture drawn from the fit: {time.perf_counter() - pressed:.2f} s")
    during = []
    for index in (24, 37, 55, 8):
        act("scrub during the fit", lambda index=index: dock.scales_panel.scrubber.setValue(index))
        during.append(spin(20, fresh))
    spin(600, lambda: not dock.fitter.running)
    print(
        f"scrubbing during the fit, new picture: {1000 * np.median(during):.0f} ms (worst"
        f" {1000 * max(during):.0f})"
    )
    spin(1)
    after = []
    for index in (24, 37, 55, 8, 70, 41):
        act("scrub", lambda index=index: dock.scales_panel.scrubber.setValue(index))
        after.append(spin(20, fresh))
    print(
        f"scrubbing after the fit, new picture: {1000 * np.median(after):.0f} ms (worst"
        f" {1000 * max(after):.0f})"
    )
    slid = []
    for factor in (1.5, 2.0, 1.0, 3.0):
        shape = dock.session().array.shape
        act("scale slider", lambda factor=factor: dock.scales_panel.z.setValue(factor))
        slid.append(spin(20, lambda shape=shape: dock.session().array.shape != shape and fresh()))
    print(
        f"z slider, new picture: {1000 * np.median(slid):.0f} ms (worst {1000 * max(slid):.0f}; 30"
        " ms of it wait for the slider to settle)"
    )
    act("render", dock.output_panel.to_layer.click)
    spin(120, lambda: not dock.results.running)
    act("3D", lambda: setattr(viewer.dims, "ndisplay", 3))
    spin(60, fresh)
    act("time step in 3D", lambda: dock.scales_panel.scrubber.setValue(50))
    spin(60, fresh)
    gap, step = max(GAPS)
    print(f"longest stall, napari's own calls included: {1000 * gap:.0f} ms ({step})")
    for step in dict.fromkeys(s for _, s in GAPS):
        print(f"    {step}: {1000 * max(g for g, s in GAPS if s == step):.0f} ms")
    label = max(OWN, key=lambda name: OWN[name])
    print(
        f"longest slot or callback of ours, without napari's calls: {1000 * OWN[label]:.0f} ms"
        f" ({label})"
    )
    for name, seconds in sorted(OWN.items(), key=lambda pair: -pair[1])[:6]:
        print(f"    {name}: {1000 * seconds:.0f} ms")
    viewer.close()
    spin(0.5)


if __name__ == "__main__":
    with screen():
        main()
