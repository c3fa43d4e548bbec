"""Every state of the two docks, one after the other, as a user comes to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from napari_spatimeinr import Volume, phantom
from napari_spatimeinr._napari.layers.placement import from_volume

PLUGIN = "napari-spatimeinr"
SCREEN = (1366, 768)
"""Pixels of a small laptop's screen."""
LONG = "2026-11-24_embryo12_dishA_H2B-mCherry_CAAX-GFP_40xW_z0.42um_t90s_deconvolved_registered"
"""A name of a file as microscopes give them."""

Spin = Callable[[Callable[[], bool]], Any]
"""Lets the window live until something holds."""
State = tuple[str, list[Any]]
"""The name of a state, and the docks that are in front in it."""


def hurry(dock: Any, steps: int) -> None:
    """Set few steps under *more*."""
    dock.method_panel.presets.button(1).click()
    editors = dock.method_panel.form.editors
    for part in ("motion", "latents", "planes"):
        editors[part, "steps"].value = steps
    editors["motion", "smoothness"].setText("0.01")


def walk(viewer: Any, spin: Spin, volume: Volume | None = None, steps: int = 6) -> Iterator[State]:
    """Go through the states; ``volume`` is fitted in ``steps`` steps."""
    volume = phantom((4, 6, 20, 24), motion=2.0, seed=3)[0] if volume is None else volume
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "SpatimeINR")
    spin(lambda: dock.estimator.known)
    yield from before_the_fit(viewer, dock, volume)
    yield from the_fit(viewer, dock, spin, steps)
    yield from after_the_fit(viewer, dock, spin)
    yield from quality(viewer, dock, spin)


def before_the_fit(viewer: Any, dock: Any, volume: Volume) -> Iterator[State]:
    """Choose and calibrate; leaves the calibrated layer 'membranes'."""
    data = np.asarray(volume.data)
    yield "no layer", [dock]
    viewer.add_image(data, name="uncalibrated")
    yield "not calibrated", [dock]
    dock.fit_button.click()
    yield "asked for the calibration", [dock]
    dock.source_panel.voxel.setText("0.5, oops")
    dock.source_panel.apply.click()
    yield "wrong calibration entered", [dock]
    viewer.layers.clear()
    viewer.add_image(np.zeros((8, 8)), name=LONG)
    yield "a layer that cannot be fitted", [dock]
    viewer.layers.clear()
    viewer.add_image(
        data, name="membranes", **from_volume(volume) | {"scale": (0.222, 0.15, 0.09, 0.09)}
    )
    yield "odd voxels, edit open", [dock]
    viewer.layers["membranes"].scale = volume.spacing
    dock.source_panel.edit.setChecked(False)
    yield "calibrated", [dock]
    dock.method_panel.more.set_open(True)
    yield "more open", [dock]
    dock.method_panel.presets.button(3).click()
    dock.source_panel.edit.setChecked(True)
    yield "published, edit and more open", [dock]
    dock.source_panel.edit.setChecked(False)
    dock.method_panel.more.set_open(False)


def the_fit(viewer: Any, dock: Any, spin: Spin, steps: int) -> Iterator[State]:
    """Fail, fit, look at another layer meanwhile, stop, go on."""
    hurry(dock, 3000)
    dock.method_panel.device.setCurrentText("cuda:7")
    dock.fit_button.click()
    yield "error shown", [dock]
    dock.method_panel.device.setCurrentText("cpu")
    dock.fit_button.click()
    spin(lambda: dock.session().field is not None and dock.session().field.provenance["steps"] > 0)
    yield "fitting", [dock]
    source = viewer.layers["membranes"]
    other = viewer.add_image(np.asarray(source.data)[:, ::2], name=LONG)
    dock.source_panel.select(other)
    yield "another layer chosen while fitting", [dock]
    dock.stop_button.click()
    spin(lambda: not dock.fitter.running)
    dock.source_panel.select(source)
    viewer.layers.remove(other)
    yield "stopped", [dock]
    hurry(dock, steps)
    dock.fit_button.click()
    spin(lambda: not dock.fitter.running)
    yield "fitted", [dock]


def after_the_fit(viewer: Any, dock: Any, spin: Spin) -> Iterator[State]:
    """Scale, scrub, render."""
    panel = dock.scales_panel
    panel.time.setValue(2.5)
    panel.yx.setValue(1.7)
    panel.isotropic.setChecked(True)
    panel.scrubber.setValue(24)
    yield "scaled and between frames", [dock]
    dock.output_panel.to_layer.click()
    spin(lambda: not dock.results.running)
    yield "rendered", [dock]
    dock.message(f"Saved /home/someone/data/{LONG}/{LONG}_t2.5_z2.nii.gz.")
    yield "a long path shown", [dock]
    panel.isotropic.setChecked(False)
    panel.yx.setValue(1)


def quality(viewer: Any, dock: Any, spin: Spin) -> Iterator[State]:
    """The second dock, beside the first and alone."""
    _, other = viewer.window.add_plugin_dock_widget(PLUGIN, "SpatimeINR Quality")
    spin(other.isVisible)
    yield "both docks", [other]
    other.preset.setCurrentText("fast")
    other.measure.click()
    yield "measuring quality", [other]
    other.stop_button.click()
    spin(lambda: not other.results.running)
    yield "measuring stopped", [other]
    # One frame: finer planes alone are measured, in a second or two.
    source = viewer.layers["membranes"]
    viewer.add_image(
        np.asarray(source.data)[:1], name="one frame", scale=source.scale, units=source.units
    )
    other.recording.setCurrentText("one frame")
    other.hold_out.setCurrentText("z")
    other.measure.click()
    spin(lambda: not other.results.running)
    yield "quality measured", [other]
    other.scores.all.set_open(True)
    yield "all scores", [other]
    other.recording.setCurrentText("membranes")
    other.planner.gaps.setText("3")
    other.plan_section.set_open(True)
    other.planner.button.click()
    spin(lambda: not other.results.running)
    yield "planned", [other]
    other.plan_section.set_open(False)
    other.compare.click()
    other.swipe.setValue(30)
    yield "swipe", [other]
    viewer.window.remove_dock_widget(dock)
    spin(lambda: True)
    yield "quality alone", [other]
