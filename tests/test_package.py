"""The package as a whole: what importing it costs, its names, its version, its plugin manifest."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManifest

import napari_spatimeinr
from napari_spatimeinr._napari.samples import moving_membranes

pytestmark = pytest.mark.beside
ROOT = Path(__file__).parents[1]
WINDOWS = (
    "napari",
    "qtpy",
    "magicgui",
    "superqt",
    "pyqtgraph",
    "PyQt5",
    "PyQt6",
    "PySide6",
    "vispy",
)
FUNCTIONS = ("fit", "evaluate", "phantom")
"""Public functions that a module once had the name of."""


def python(code: str) -> str:
    """Run code in a fresh interpreter; its standard output."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_is_light() -> None:
    heavy = ("torch", "scipy", "skimage", "nibabel", "pydantic", "typer", "matplotlib", *WINDOWS)
    assert (
        python(f"import sys, napari_spatimeinr; print([m for m in {heavy} if m in sys.modules])")
        == "[]"
    )


def test_every_module_imports_where_neither_napari_nor_qt_is() -> None:
    code = f"""
import importlib, pkgutil, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {WINDOWS}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import napari_spatimeinr as package
names = [m.name for m in pkgutil.walk_packages(package.__path__, "napari_spatimeinr.") if "_napari" not in m.name]
for name in names:
    importlib.import_module(name)
print(len(names))
"""
    assert int(python(code)) > 15


def test_a_bare_install_brings_all_that_is_imported() -> None:
    """The plugin manager installs no extras; napari, a Qt binding and the demo's picture are left
    to the user.
    """
    options = {
        "napari",
        "pint",
        "matplotlib",
        "dask",
    }  # napari stands on pint; dask is used where it is the caller
    needed = set()
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                needed |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                needed.add(node.module.partition(".")[0])
    needed -= {*sys.stdlib_module_names, "napari_spatimeinr", *options}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = {re.split(r"[<>=\[ ]", line)[0].lower() for line in project["dependencies"]}
    names = {
        "skimage": "scikit-image",
        "yaml": "pyyaml",
        "numcodecs": "zarr",
        "llvmlite": "numba",
    }  # zarr stands on numcodecs, numba on llvmlite
    assert {names.get(name, name.lower()) for name in needed} <= listed
    assert not listed & {*options, "pyqt5", "pyqt6", "pyside2", "pyside6"}


def test_every_public_name_is_there_and_no_other_is() -> None:
    for name in napari_spatimeinr.__all__:
        assert getattr(napari_spatimeinr, name) is not None
    assert set(napari_spatimeinr.__all__) <= set(dir(napari_spatimeinr))
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = napari_spatimeinr.fitt  # type: ignore[attr-defined]


@pytest.mark.slow
def test_public_functions_keep_their_names_whatever_modules_are_imported() -> None:
    """No module is named as a public function is, or importing it would put it in its place."""
    code = f"""
import importlib, pkgutil, types, napari_spatimeinr
for module in pkgutil.walk_packages(napari_spatimeinr.__path__, "napari_spatimeinr."):
    if "_napari" not in module.name and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*(type(getattr(napari_spatimeinr, name)).__name__ for name in {FUNCTIONS}))
"""
    assert python(code).split() == ["function"] * len(FUNCTIONS)


def test_the_package_is_typed_and_has_the_version_of_the_distribution() -> None:
    from importlib.metadata import PackageNotFoundError, version

    assert (resources.files(napari_spatimeinr) / "py.typed").is_file()
    try:
        assert napari_spatimeinr.__version__ == version("napari-spatimeinr")
    except PackageNotFoundError:
        assert napari_spatimeinr.__version__.count(".") == 2  # run from the source tree


def test_the_manifest_is_valid() -> None:
    manifest = PluginManifest.from_file(resources.files(napari_spatimeinr) / "napari.yaml")
    assert manifest.name == "napari-spatimeinr"
    assert manifest.display_name == "SpatimeINR"
    assert [sample.display_name for sample in manifest.contributions.sample_data or []] == [
        "Moving membranes",
        "Embryo",
    ]


def test_the_manifest_at_the_top_is_the_one_in_the_package() -> None:
    inside = ROOT / "src" / "napari_spatimeinr" / "napari.yaml"
    assert (ROOT / "napari.yaml").read_text(encoding="utf-8") == inside.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_sample_is_a_calibrated_image_layer() -> None:
    ((data, options, kind),) = moving_membranes()
    assert kind == "image"
    assert data.shape == (7, 32, 64, 64)
    assert options["name"] == "Moving membranes"
    assert options["scale"] == (60.0, 0.5, 0.25, 0.25)
    assert options["units"] == ("s", "um", "um", "um")
    assert options["axis_labels"] == ("t", "z", "y", "x")
    low, high = options["contrast_limits"]
    assert (low, high) == (np.min(data), np.max(data))
