"""The dock SpatimeINR in a real window, clicked from a recording to its files."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QMessageBox

from napari_spatimeinr import Volume
from napari_spatimeinr.io import destination
from napari_spatimeinr.render.renderer import Renderer

from .conftest import (
    PREVIEW,
    Wait,
    add,
    drawn,
    engine_threads,
    fitted,
    same_world,
    save_as,
)

SAMPLE = "Moving membranes"
SAMPLE_PREVIEW = f"{SAMPLE} [SpatimeINR preview]"


@pytest.fixture
def rendering(monkeypatch: pytest.MonkeyPatch) -> set[threading.Thread]:
    """The threads in which volumes are rendered."""
    threads: set[threading.Thread] = set()
    whole = Renderer.volume

    def watched(*args: Any, **options: Any) -> Any:
        threads.add(threading.current_thread())
        return whole(*args, **options)

    monkeypatch.setattr(Renderer, "volume", watched)
    return threads


def _fit_sample(viewer: Any, dock: Any, click: Any, wait: Wait) -> None:
    """Open the sample and fit it; the dock says what that gained."""
    viewer.open_sample("napari-spatimeinr", "moving_membranes")
    assert "7 x 32 x 64 x 64" in dock.source_panel.summary.text()
    assert "60 s" in dock.source_panel.summary.text()
    assert "GB on" in dock.method_panel.estimate.text()
    click(dock.fit_button)
    assert SAMPLE_PREVIEW in viewer.layers
    assert not dock.fit_button.isEnabled()
    same_world(viewer, SAMPLE, SAMPLE_PREVIEW)
    wait(lambda: not dock.fitter.running, 120)
    words = dock.progress_panel.message.text()
    assert re.search(
        r"\d+ % less RMS error than linear interpolation on frames it had not seen \(\+\d+\.\d"
        r" dB\)",
        words,
    )
    bars = dock.progress_panel.errors
    assert bars.isVisible()
    assert [row.name for row in bars.rows] == [
        "linear interpolation",
        "SpatimeINR",
    ]
    assert f"{100 - 100 * bars.rows[1].error:.0f} % less" in words


def _scale(viewer: Any, dock: Any, wait: Wait) -> None:
    """Look between two frames, and choose 2.5 times as many of isotropic voxels."""
    dock.scales_panel.scrubber.setValue(24)
    assert viewer.dims.point[0] == 90.0
    assert "interpolated between frames 1 and 2" in dock.scales_panel.shown.text()
    wait(lambda: drawn(viewer, SAMPLE_PREVIEW))
    dock.scales_panel.time.setValue(2.5)
    dock.scales_panel.isotropic.setChecked(True)
    wait(lambda: viewer.layers[SAMPLE_PREVIEW].data.shape[1] == 64)
    same_world(viewer, SAMPLE, SAMPLE_PREVIEW)
    wait(lambda: drawn(viewer, SAMPLE_PREVIEW))


def _render(viewer: Any, dock: Any, click: Any, wait: Wait) -> Any:
    """The layer that is rendered, which looks like its source."""
    click(dock.output_panel.to_layer)
    rendered = f"{SAMPLE} [t x2.5, z x2, yx x1]"
    wait(lambda: rendered in viewer.layers)
    layer, source = viewer.layers[rendered], viewer.layers[SAMPLE]
    assert layer.data.shape == (16, 64, 64, 64)
    assert layer.units == source.units
    assert layer.axis_labels == source.axis_labels
    assert np.allclose(layer.contrast_limits, source.contrast_limits)
    assert layer.colormap.name == source.colormap.name
    provenance = layer.metadata["spatimeinr"]
    assert provenance["acquired"][:6] == [0, None, None, None, None, 2]
    assert "hold_out" in provenance
    return layer


def _confidence(viewer: Any, dock: Any, click: Any, wait: Wait, layer: Any) -> None:
    click(dock.output_panel.confidence)
    wait(lambda: f"{layer.name} confidence" in viewer.layers)
    sure = viewer.layers[f"{layer.name} confidence"]
    assert sure.data.shape == layer.data.shape
    assert float(np.asarray(sure.data).min()) > 0
    viewer.layers.remove(sure)
    wait(lambda: not dock.results.running)
    click(dock.output_panel.trust)
    wait(lambda: f"{layer.name} trust" in viewer.layers)
    trust = viewer.layers[f"{layer.name} trust"]
    assert trust.data.shape == layer.data.shape
    assert set(np.unique(np.asarray(trust.data))) <= {0, 1}
    viewer.layers.remove(trust)
    wait(lambda: not dock.results.running)


def _save(dock: Any, wait: Wait, answer: Any, tmp_path: Path, layer: Any) -> None:
    """The layer as NIfTI, as nibabel sees it."""
    answer(tmp_path / "up.nii.gz")
    save_as(dock, "NIfTI")
    wait(lambda: not dock.results.running)
    image = nibabel.load(tmp_path / "up.nii.gz")
    assert image.shape == (64, 64, 64, 16)
    assert image.header.get_xyzt_units() == ("micron", "sec")
    assert np.allclose(image.header.get_zooms(), (0.25, 0.25, 0.25, 24))
    # Half a voxel: twice as many planes in the same extent.
    assert np.allclose(
        image.affine,
        [[0.25, 0, 0, 0], [0, 0.25, 0, 0], [0, 0, 0.25, -0.125], [0, 0, 0, 1]],
        atol=1e-6,
    )
    assert np.allclose(np.asarray(image.dataobj).T, np.asarray(layer.data), atol=1e-5)


def test_the_whole_tour(
    viewer: Any,
    dock: Any,
    click: Any,
    wait: Wait,
    answer: Any,
    tmp_path: Path,
    rendering: set[threading.Thread],
) -> None:
    _fit_sample(viewer, dock, click, wait)
    _scale(viewer, dock, wait)
    layer = _render(viewer, dock, click, wait)
    _confidence(viewer, dock, click, wait, layer)
    _save(dock, wait, answer, tmp_path, layer)
    assert threading.main_thread() not in rendering
    assert rendering == set(engine_threads())


@pytest.mark.parametrize("ending", [".tif", ".nii.gz"])
def test_the_tour_from_a_file(
    ending: str,
    viewer: Any,
    dock: Any,
    click: Any,
    wait: Wait,
    answer: Any,
    tmp_path: Path,
    small: Volume,
) -> None:
    if ending == ".tif":
        tifffile.imwrite(
            tmp_path / "cells.tif",
            np.asarray(small.data, np.float32),
            imagej=True,
            resolution=(4, 4),
            metadata={"axes": "TZYX", "spacing": 0.5, "unit": "um", "finterval": 60.0},
        )
    else:
        image = nibabel.Nifti1Image(np.asarray(small.data).T, np.diag([-0.25, 0.25, 0.5, 1]))
        image.header.set_zooms((0.25, 0.25, 0.5, 60))
        image.header.set_xyzt_units("micron", "sec")
        nibabel.save(image, tmp_path / "cells.nii.gz")
    viewer.open(str(tmp_path / f"cells{ending}"), plugin="napari-spatimeinr")
    fitted(dock, click, wait)
    dock.scales_panel.time.setValue(2)
    same_world(viewer, "cells", PREVIEW)
    click(dock.output_panel.to_layer)
    wait(lambda: "cells [t x2, z x1, yx x1]" in viewer.layers)
    layer = viewer.layers["cells [t x2, z x1, yx x1]"]
    # File > Save of the layer, and Save as... of the dock, write the same.
    layer.metadata.clear()
    viewer.layers.selection.active = layer
    viewer.layers.save(str(tmp_path / "layer.nii"), selected=True, plugin="napari-spatimeinr")
    answer(tmp_path / "dock.nii")
    save_as(dock, "NIfTI")
    wait(lambda: not dock.results.running)
    mirrored = -1 if ending == ".nii.gz" else 1
    for name in ("layer.nii", "dock.nii"):
        again = nibabel.load(tmp_path / name)
        assert again.shape == (24, 20, 6, 7)
        assert again.header.get_xyzt_units() == ("micron", "sec")
        assert np.allclose(again.header.get_zooms(), (0.25, 0.25, 0.5, 30))
        assert np.allclose(again.affine, np.diag([0.25 * mirrored, 0.25, 0.5, 1]), atol=1e-6)
        assert np.allclose(np.asarray(again.dataobj).T, np.asarray(layer.data), atol=1e-5)


FORMATS = {
    "OME-TIFF": ("a.tif", "a.ome.tif"),
    "ImageJ TIFF": ("a.ome.tif", "a.tif"),
    "OME-Zarr": ("a", "a.ome.zarr"),
    "NIfTI for each time point": ("a.NII", "a_{t:03}.NII"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_other_formats(
    name: str,
    viewer: Any,
    dock: Any,
    click: Any,
    wait: Wait,
    answer: Any,
    tmp_path: Path,
    small: Volume,
    monkeypatch: Any,
) -> None:
    """Whatever ending is typed, it is the format of the menu."""
    add(viewer, small)
    session = fitted(dock, click, wait)
    typed, written = FORMATS[name]
    answer(tmp_path / typed)
    save_as(dock, name)
    wait(lambda: not dock.results.running)
    path = destination(tmp_path / written)
    again = Volume.open(path)
    assert again.shape == (7, 6, 20, 24)
    assert np.allclose(again.spacing, (30, 0.5, 0.25, 0.25))
    assert np.allclose(
        np.asarray(again.data[3]), np.asarray(session.field.lazy(time_scale=2)[3]), atol=1e-5
    )
    if path == tmp_path:
        assert len(list(tmp_path.glob("a_00[1-7].NII"))) == 7
        assert (tmp_path / "a.json").is_file()
    elif name.endswith("TIFF"):
        with tifffile.TiffFile(path) as file:
            assert file.is_ome == (name == "OME-TIFF")
            assert file.is_imagej == (name == "ImageJ TIFF")

    # What would be replaced and the dialog has not asked about is asked about here.
    asked = []
    monkeypatch.setattr(
        QMessageBox, "question", lambda *a: asked.append(a[2]) or QMessageBox.StandardButton.Cancel
    )
    save_as(dock, name)
    assert not dock.results.running
    assert len(asked) == 1
    assert "there already" in asked[0]


def test_a_large_rendering_goes_to_disk_when_asked(
    viewer: Any,
    dock: Any,
    click: Any,
    wait: Wait,
    answer: Any,
    tmp_path: Path,
    small: Volume,
    monkeypatch: Any,
) -> None:
    from napari_spatimeinr._napari.docks import output_panel
    from napari_spatimeinr._napari.settings import Settings

    add(viewer, small)
    session = fitted(dock, click, wait)
    monkeypatch.setattr(output_panel, "settings", lambda: Settings(memory_gb=1e-6))
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Cancel)
    click(dock.output_panel.to_layer)
    assert not dock.results.running
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    answer(tmp_path / "big")
    click(dock.output_panel.to_layer)
    name = "cells [t x2, z x1, yx x1]"
    wait(lambda: name in viewer.layers)
    layer = viewer.layers[name]
    assert (tmp_path / "big.ome.zarr").is_dir()
    assert not isinstance(layer.data, np.ndarray)
    assert np.allclose(
        np.asarray(layer.data[3]), np.asarray(session.field.lazy(time_scale=2)[3]), atol=1e-5
    )
    assert layer.metadata["spatimeinr"]["acquired"] == [0, None, 1, None, 2, None, 3]
