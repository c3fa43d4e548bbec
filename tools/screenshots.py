"""Make the pictures of docs/tour.md from the running program: ``tox -e screenshots``.

``python tools/screenshots.py --states DIR`` makes a picture of every state of the docks, on a small
laptop's screen, in napari's dark and its light theme, to be looked at.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dock_states import SCREEN, walk
from pyvirtualdisplay import Display
from qtpy.QtWidgets import QApplication

import napari
from napari_spatimeinr.embryo.phantom import embryo_phantom


def spin(seconds: float, until: Callable[[], bool] | None = None) -> None:
    """Let the window live for a while, or until something holds."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        QApplication.processEvents()
        time.sleep(0.005)
        if until is not None and until():
            return
    if until is not None:
        raise SystemExit("The program did not come to the next picture in time.")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1400, 900)

    def shot(name: str) -> None:
        spin(1.5)
        viewer.screenshot(folder / f"tour-{name}.png", canvas_only=False, flash=False)
        print(folder / f"tour-{name}.png")

    viewer.open_sample("napari-spatimeinr", "moving_membranes")
    _, dock = viewer.window.add_plugin_dock_widget("napari-spatimeinr", "SpatimeINR")
    spin(4)
    viewer.dims.set_point(1, 8.0)
    viewer.reset_view()
    shot("open")
    dock.fit_button.click()
    dock.scales_panel.scrubber.setValue(24)
    spin(900, lambda: dock.progress_panel.errors.isVisible() or not dock.fitter.running)
    shot("fit")
    spin(900, lambda: not dock.fitter.running)
    dock.scales_panel.time.setValue(2.5)
    dock.scales_panel.isotropic.setChecked(True)
    shot("preview")
    dock.output_panel.to_layer.click()
    spin(300, lambda: not dock.results.running)
    viewer.layers["Moving membranes"].visible = False
    viewer.layers["Moving membranes [SpatimeINR preview]"].visible = False
    viewer.dims.ndisplay = 3
    spin(2)
    viewer.layers[-1].rendering = "attenuated_mip"
    viewer.scene.camera.angles = (10, 25, 60)
    shot("render")
    viewer.dims.ndisplay = 2
    viewer.layers.remove(viewer.layers[-1])
    viewer.layers["Moving membranes [SpatimeINR preview]"].visible = True
    dock.scales_panel.isotropic.setChecked(False)
    viewer.window.remove_dock_widget(dock)
    _, quality = viewer.window.add_plugin_dock_widget("napari-spatimeinr", "SpatimeINR Quality")
    quality.preset.setCurrentText("fast")
    spin(1)
    quality.measure.click()
    spin(600, lambda: not quality.results.running)
    quality.compare.click()
    viewer.dims.set_point(0, 90.0)
    viewer.dims.set_point(1, 8.0)
    quality.motion.click()
    spin(30, lambda: not quality.results.running)
    viewer.reset_view()
    shot("quality")
    quality.plan_section.set_open(True)
    quality.planner.gaps.setText("2, 3, 4")
    quality.planner.button.click()
    spin(900, lambda: not quality.results.running)
    shot("plan")
    viewer.close()
    spin(1)
    with tempfile.TemporaryDirectory() as place:
        embryo(folder, Path(place))


def embryo(folder: Path, place: Path) -> None:
    """The dock for embryos, with the cells of two acquired time points and of one in between."""
    how = {"shape": (4, 14, 56, 80), "cells": (8, 12)}
    made = embryo_phantom(place, **how)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1400, 900)
    _, dock = viewer.window.add_plugin_dock_widget("napari-spatimeinr", "SpatimeINR Embryo")
    dock.view.run.path.setText(str(made.run_file))
    dock.view.run.open.click()
    spin(60, lambda: dock.opened is not None)
    dock.view.method.presets.button(0).click()
    dock.fit_button.click()
    spin(900, lambda: not dock.fitter.running)
    for frame in (1.0, 2.0, 1.5):
        dock.view.time.scrubber.setValue(round(16 * frame))
        dock.view.cells.this_time.click()
        spin(300, lambda: not dock.results.running)
    dock.view.quality.set_open(False)
    viewer.dims.set_point(1, 6.0)
    viewer.reset_view()
    spin(1.5)
    dock.view.verticalScrollBar().setValue(10_000)
    spin(0.5)
    viewer.screenshot(folder / "tour-embryo.png", canvas_only=False, flash=False)
    print(folder / "tour-embryo.png")
    viewer.close()
    spin(1)


def states(folder: Path) -> None:
    """One picture of every state in every theme."""
    from napari.settings import get_settings

    folder.mkdir(parents=True, exist_ok=True)
    before = get_settings().appearance.theme
    for theme in ("dark", "light"):
        get_settings().appearance.theme = theme
        viewer = napari.Viewer(show=True)
        viewer.window.resize(*SCREEN)
        for number, (name, _) in enumerate(walk(viewer, lambda until: spin(600, until))):
            spin(0.5)
            path = folder / f"{number:02}-{name.replace(',', '').replace(' ', '-')}-{theme}.png"
            viewer.screenshot(path, canvas_only=False, flash=False)
            print(path)
        viewer.close()
        spin(1)
    get_settings().appearance.theme = before


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Pictures of the running program.")
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("docs"), help="where those of the tour go"
    )
    parser.add_argument(
        "--states",
        type=Path,
        metavar="DIR",
        help="where those of every state go, instead of the tour's",
    )
    wanted = parser.parse_args()

    def make() -> None:
        main(wanted.folder) if wanted.states is None else states(wanted.states)

    if os.environ.get("DISPLAY") or not sys.platform.startswith("linux"):
        make()
    else:
        size = (1600, 1000) if wanted.states is None else SCREEN
        with Display(visible=False, size=size, color_depth=24, extra_args=["+extension", "GLX"]):
            make()
