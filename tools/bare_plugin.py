"""The plugin as napari's plugin manager installs it: ``tox -e plugin``.

Run where napari with a Qt binding and the plain wheel of this package are, and nothing else: every
command of the manifest is imported, and the sample is fitted and rendered through the dock.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

PLUGIN = "napari-spatimeinr"
SECONDS = 240.0
"""Within these the fit or the rendering must have ended."""


def commands() -> list[str]:
    """Import what every command of the manifest names."""
    from npe2 import PluginManifest
    from npe2.manifest.utils import import_python_name

    manifest = PluginManifest.from_distribution(PLUGIN)
    listed = manifest.contributions.commands or []
    for command in listed:
        assert callable(import_python_name(command.python_name)), command.id
    return [command.id for command in listed]


def window() -> None:
    """Open the sample, fit it with few steps, render it."""
    from qtpy.QtWidgets import QApplication

    import napari

    def until(holds: Callable[[], Any], what: str) -> None:
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > SECONDS:
                raise SystemExit(f"The plugin did not come to {what} within {SECONDS:.0f} s.")
            QApplication.processEvents()
            time.sleep(0.005)

    viewer = napari.Viewer(show=True)
    viewer.open_sample(PLUGIN, "moving_membranes")
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "SpatimeINR")
    viewer.window.add_plugin_dock_widget(PLUGIN, "SpatimeINR Quality")
    dock.method_panel.presets.button(0).click()
    for part in ("motion", "latents", "planes"):
        dock.method_panel.form.editors[part, "steps"].value = 5
    dock.method_panel.form.editors["motion", "smoothness"].setText("0.01")
    until(dock.fit_button.isEnabled, "a recording that can be fitted")
    dock.fit_button.click()
    until(lambda: dock.fitter.running, "the start of the fit")
    until(lambda: not dock.fitter.running, "the end of the fit")
    session = dock.session()
    assert session is not None and session.field is not None, "there is no fit"
    before = len(viewer.layers)
    dock.output_panel.to_layer.click()
    until(lambda: len(viewer.layers) > before, "the rendered layer")
    print(f"fitted and rendered through the dock: {viewer.layers[-1].name}", flush=True)
    viewer.close()


def main() -> int:
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        screen = shutil.which("xvfb-run")
        if screen is None:
            print("There is no display and no Xvfb: see tools/system_packages.py.")
            return 1 if os.environ.get("CI") else 0
        options = "-screen 0 1600x1000x24 +extension GLX +render -noreset"
        return subprocess.run(
            [screen, "-a", "-s", options, sys.executable, *sys.argv], check=False
        ).returncode
    print(f"imported: {', '.join(commands())}", flush=True)
    window()
    return 0


if __name__ == "__main__":
    sys.exit(main())
