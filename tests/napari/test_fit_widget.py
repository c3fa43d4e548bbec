"""The dock SpatimeINR in a real window, clicked as a user would."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_spatimeinr import Volume, load
from napari_spatimeinr._napari.background.engine import Job
from napari_spatimeinr._napari.layers.preview import PreviewArray
from napari_spatimeinr._napari.layers.scales import PREVIEW_STEPS
from napari_spatimeinr.config.options import PRESETS
from napari_spatimeinr.errors import SpatimeINRError
from napari_spatimeinr.io import destination
from napari_spatimeinr.io.locks import alone
from napari_spatimeinr.render.renderer import Renderer

from .conftest import Wait, add, begun, engine_threads, fitted, hurry

PREVIEW = "cells [SpatimeINR preview]"


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The file a user chooses in the next dialogs."""

    def choose(path: Path) -> None:
        for name in ("getSaveFileName", "getOpenFileName"):
            monkeypatch.setattr(QFileDialog, name, lambda *_, **__: (str(path), ""))

    return choose


def save_as(dock: Any, name: str) -> None:
    next(
        action for action in dock.output_panel.save_as.menu().actions() if action.text() == name
    ).trigger()


def drawn(viewer: Any, name: str = PREVIEW) -> bool:
    return bool(viewer.layers[name].data.is_fresh())


def same_world(viewer: Any, one: str, other: str) -> None:
    """Frame k of a recording and the preview's time point k dt lie at the same place of the world,
    and so do their voxels.
    """
    a, b = viewer.layers[one], viewer.layers[other]
    for k in range(a.data.shape[0]):
        assert np.allclose(
            a.data_to_world((k, 0, 0, 0))[0], b.data_to_world((k * PREVIEW_STEPS, 0, 0, 0))[0]
        )
    for end in (0, 1):
        faces = [np.array([0, *(end * n - 0.5 for n in layer.data.shape[1:])]) for layer in (a, b)]
        assert np.allclose(a.data_to_world(faces[0])[1:], b.data_to_world(faces[1])[1:])


# -- the tour ------------------------------------------------------------------------------


def test_the_whole_tour(
    viewer: Any, dock: Any, click: Any, wait: Wait, answer: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    threads: set[threading.Thread] = set()
    whole = Renderer.volume

    def watched(*args: Any, **options: Any) -> Any:
        threads.add(threading.current_thread())
        return whole(*args, **options)

    monkeypatch.setattr(Renderer, "volume", watched)
    viewer.open_sample("napari-spatimeinr", "moving_membranes")
    name = "Moving membranes"
    preview = f"{name} [SpatimeINR preview]"
    assert (
        "7 x 32 x 64 x 64" in dock.source_panel.summary.text()
        and "60 s" in dock.source_panel.summary.text()
    )
    assert "GB on" in dock.method_panel.estimate.text()
    click(dock.fit_button)
    assert preview in viewer.layers and not dock.fit_button.isEnabled()
    same_world(viewer, name, preview)
    wait(lambda: not dock.fitter.running, 120)
    words = dock.progress_panel.message.text()
    assert re.search(
        r"\d+ % less RMS error than linear interpolation on frames it had not seen \(\+\d+\.\d"
        r" dB\)",
        words,
    )
    bars = dock.progress_panel.errors
    assert bars.isVisible() and [row.name for row in bars.rows] == [
        "linear interpolation",
        "SpatimeINR",
    ]
    assert f"{100 - 100 * bars.rows[1].error:.0f} % less" in words

    dock.scales_panel.scrubber.setValue(24)
    assert (
        viewer.dims.point[0] == 90.0
        and "interpolated between frames 1 and 2" in dock.scales_panel.shown.text()
    )
    wait(lambda: drawn(viewer, preview))
    dock.scales_panel.time.setValue(2.5)
    dock.scales_panel.isotropic.setChecked(True)
    wait(lambda: viewer.layers[preview].data.shape[1] == 64)
    same_world(viewer, name, preview)
    wait(lambda: drawn(viewer, preview))

    click(dock.output_panel.render)
    rendered = f"{name} [t x2.5, z x2, yx x1]"
    wait(lambda: rendered in viewer.layers)
    layer, source = viewer.layers[rendered], viewer.layers[name]
    assert (
        layer.data.shape == (16, 64, 64, 64)
        and layer.units == source.units
        and layer.axis_labels == source.axis_labels
    )
    assert (
        np.allclose(layer.contrast_limits, source.contrast_limits)
        and layer.colormap.name == source.colormap.name
    )
    provenance = layer.metadata["spatimeinr"]
    assert provenance["acquired"][:6] == [0, None, None, None, None, 2] and "hold_out" in provenance

    click(dock.output_panel.confidence)
    wait(lambda: f"{rendered} confidence" in viewer.layers)
    sure = viewer.layers[f"{rendered} confidence"]
    assert sure.data.shape == layer.data.shape and float(np.asarray(sure.data).min()) > 0
    viewer.layers.remove(sure)
    wait(lambda: not dock.results.running)

    answer(tmp_path / "up.nii.gz")
    save_as(dock, "NIfTI")
    wait(lambda: not dock.results.running)
    image = nibabel.load(tmp_path / "up.nii.gz")
    assert image.shape == (64, 64, 64, 16) and image.header.get_xyzt_units() == ("micron", "sec")
    assert np.allclose(image.header.get_zooms(), (0.25, 0.25, 0.25, 24))
    # Half a voxel: twice as many planes in the same extent.
    assert np.allclose(
        image.affine,
        [[0.25, 0, 0, 0], [0, 0.25, 0, 0], [0, 0, 0.25, -0.125], [0, 0, 0, 1]],
        atol=1e-6,
    )
    assert np.allclose(np.asarray(image.dataobj).T, np.asarray(layer.data), atol=1e-5)
    assert threading.main_thread() not in threads and threads == set(engine_threads())


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
    click(dock.output_panel.render)
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
        assert again.shape == (24, 20, 6, 7) and again.header.get_xyzt_units() == ("micron", "sec")
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
    assert again.shape == (7, 6, 20, 24) and np.allclose(again.spacing, (30, 0.5, 0.25, 0.25))
    assert np.allclose(
        np.asarray(again.data[3]), np.asarray(session.field.lazy(time_scale=2)[3]), atol=1e-5
    )
    if path == tmp_path:
        assert len(list(tmp_path.glob("a_00[1-7].NII"))) == 7 and (tmp_path / "a.json").is_file()
    elif name.endswith("TIFF"):
        with tifffile.TiffFile(path) as file:
            assert file.is_ome == (name == "OME-TIFF") and file.is_imagej == (name == "ImageJ TIFF")

    # What would be replaced and the dialog has not asked about is asked about here.
    asked = []
    monkeypatch.setattr(
        QMessageBox, "question", lambda *a: asked.append(a[2]) or QMessageBox.StandardButton.Cancel
    )
    save_as(dock, name)
    assert not dock.results.running
    assert len(asked) == 1 and "there already" in asked[0]


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
    click(dock.output_panel.render)
    assert not dock.results.running
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    answer(tmp_path / "big")
    click(dock.output_panel.render)
    name = "cells [t x2, z x1, yx x1]"
    wait(lambda: name in viewer.layers)
    layer = viewer.layers[name]
    assert (tmp_path / "big.ome.zarr").is_dir() and not isinstance(layer.data, np.ndarray)
    assert np.allclose(
        np.asarray(layer.data[3]), np.asarray(session.field.lazy(time_scale=2)[3]), atol=1e-5
    )
    assert layer.metadata["spatimeinr"]["acquired"] == [0, None, 1, None, 2, None, 3]


# -- stop, go on, close --------------------------------------------------------------------


def test_stop_keeps_a_usable_preview_and_fit_goes_on(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    session = begun(dock, click, wait, 60)
    click(dock.stop_button)
    wait(lambda: not dock.fitter.running)
    assert "Stopped" in dock.progress_panel.message.text() and dock.progress_panel.bar.isHidden()
    steps = session.field.provenance["steps"]
    assert steps > 0
    wait(lambda: drawn(viewer))
    click(dock.output_panel.render)
    wait(lambda: len(viewer.layers) == 3)
    assert "Go on from what was learned" in dock.fit_button.toolTip()
    done = []
    dock.fitter.progressed.connect(lambda state: done.append(state.step))
    fitted(dock, click, wait)
    # The same fit, from the step where it was stopped, to its end.
    assert dock.session() is session and min(done) >= steps and session.field.provenance["complete"]
    # A fit that has come to its end is trained further.
    steps = session.field.provenance["steps"]
    fitted(dock, click, wait)
    assert session.field.provenance["resumed_from_steps"] == steps


def test_the_published_preset_fits_within_its_budget_previews_and_renders(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    panel = dock.method_panel
    panel.presets.button(list(PRESETS).index("published")).click()
    assert "min" in panel.estimate.text(), "all of its steps take long"
    panel.budget.setValue(6)
    assert panel.estimate.text().startswith("about 5 s")
    session = fitted(dock, click, wait)
    field = session.field
    assert field.provenance["mlp"]["ended"] == "budget" and field.provenance["mlp"]["steps"] > 0
    assert field.provenance["rcan"]["steps"] > 0 and field.provenance["chosen"]["published"]
    wait(lambda: drawn(viewer))
    click(dock.output_panel.render)
    wait(lambda: len(viewer.layers) == 3)
    assert np.isfinite(np.asarray(viewer.layers[-1].data)).all()


def test_stopping_at_once_is_fine(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    click(dock.fit_button)
    click(dock.stop_button)
    wait(lambda: not dock.fitter.running)
    assert "Stopped" in dock.progress_panel.message.text()
    fitted(dock, click, wait)


def test_a_stopped_rendering_leaves_nothing(
    viewer: Any, dock: Any, click: Any, wait: Wait, answer: Any, tmp_path: Path, small: Volume
) -> None:
    add(viewer, small)
    fitted(dock, click, wait)
    answer(tmp_path / "a.nii")
    save_as(dock, "NIfTI")
    dock.stop()
    wait(lambda: not dock.results.running)
    assert not list(tmp_path.iterdir()) and "Stopped" in dock.progress_panel.message.text()


def test_closing_the_window_in_the_middle_of_a_fit(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    begun(dock, click, wait)
    assert engine_threads()
    viewer.close()
    wait(lambda: not engine_threads())


def reopened(viewer: Any) -> Any:
    _, dock = viewer.window.add_plugin_dock_widget("napari-spatimeinr", "SpatimeINR")
    return dock


def test_a_closed_dock_comes_back_to_its_fits(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    session = begun(dock, click, wait)
    gone = []
    dock.destroyed.connect(lambda: gone.append(True))
    viewer.window.remove_dock_widget(dock)
    wait(lambda: bool(gone))
    again = reopened(viewer)
    assert again is not dock and again.fitter.running and again.session() is session
    assert again.stop_button.isEnabled() and not again.fit_button.isEnabled()
    click(again.stop_button)
    wait(lambda: not again.fitter.running)
    wait(lambda: drawn(viewer))
    click(again.output_panel.render)
    wait(lambda: len(viewer.layers) == 3)


def test_a_refit_that_fails_or_is_stopped_keeps_what_there_was(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    session = fitted(dock, click, wait)
    field = session.field
    dock.method_panel.device.setCurrentText("cuda:7")
    assert "cuda:7" in dock.method_panel.estimate.text()
    click(dock.fit_button)
    assert "cuda:7" in dock.progress_panel.message.text() and not dock.fitter.running
    dock.method_panel.device.setCurrentText("cpu")
    dock.method_panel.seed.setValue(5)
    # Stopped while it waits for its turn, it has nothing to put in the place of the first.
    go = threading.Event()
    before = dock.engine.submit(Job(lambda tick: go.wait(30)))
    wait(lambda: dock.engine.runs(before))
    click(dock.fit_button)
    click(dock.stop_button)
    wait(lambda: not dock.fitter.running)
    go.set()
    assert dock.session() is session and session.field is field and PREVIEW in viewer.layers
    wait(lambda: drawn(viewer))


@pytest.mark.parametrize("which", ["cells", PREVIEW, "both"])
def test_deleting_layers_in_the_middle_of_a_fit(
    which: str, viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    begun(dock, click, wait)
    for name in ("cells", PREVIEW):
        if which in (name, "both"):
            viewer.layers.remove(name)
    dock.stop()
    wait(lambda: not dock.fitter.running)
    assert "Stopped" in dock.progress_panel.message.text()
    if which == PREVIEW:
        dock.output_panel.preview.setChecked(True)
        assert PREVIEW in viewer.layers
        wait(lambda: drawn(viewer))
        dock.output_panel.preview.setChecked(False)
        assert PREVIEW not in viewer.layers
    if which == "both":
        assert dock.session() is None and not dock.fit_button.isEnabled()


def test_another_layer_may_be_chosen_in_the_middle_of_a_fit(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    first = add(viewer, small)
    begun(dock, click, wait)
    second = add(viewer, small)
    dock.source_panel.select(second)
    assert (
        dock.session() is None
        and not dock.fit_button.isEnabled()
        and "running" in dock.fit_button.toolTip()
    )
    dock.stop()
    wait(lambda: not dock.fitter.running)
    dock.source_panel.select(first)
    assert dock.session().field is not None
    dock.source_panel.select(second)
    hurry(dock)
    fitted(dock, click, wait)
    assert len([layer for layer in viewer.layers if isinstance(layer.data, PreviewArray)]) == 2


# -- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            ),
            "not enough",
        ),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "broke down in a computation"),
        (KeyError("surprise"), "Unexpected error: KeyError"),
    ],
)
def test_an_error_in_the_fit_is_told_and_the_next_fit_works(
    raised: Exception,
    words: str,
    viewer: Any,
    dock: Any,
    click: Any,
    wait: Wait,
    small: Volume,
    monkeypatch: Any,
) -> None:
    from napari_spatimeinr.training import stages

    add(viewer, small)

    def broken(*_: Any) -> Any:
        raise raised

    with monkeypatch.context() as patch:
        patch.setattr(stages, "motion_data", broken)
        click(dock.fit_button)
        wait(lambda: not dock.fitter.running)
    assert words in dock.progress_panel.message.text() and dock.progress_panel.bar.isHidden()
    fitted(dock, click, wait)


def test_a_recording_of_nan_is_refused_in_words(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    add(
        viewer,
        Volume(np.full((4, 6, 20, 24), np.nan, np.float32)),
        contrast_limits=(0, 1),
        units=("s", "um", "um", "um"),
    )
    click(dock.fit_button)
    wait(lambda: not dock.fitter.running)
    assert "no finite intensity" in dock.progress_panel.message.text()
    assert len(viewer.layers) == 1


@pytest.mark.parametrize("what", ["labels", "rgb", "2D", "none"])
def test_what_cannot_be_fitted_says_why(what: str, viewer: Any, dock: Any) -> None:
    if what == "labels":
        viewer.add_labels(np.zeros((4, 6, 8, 8), int))
    elif what == "rgb":
        viewer.add_image(np.zeros((8, 8, 3)), rgb=True)
    elif what == "2D":
        viewer.add_image(np.zeros((8, 8)))
    assert not dock.fit_button.isEnabled()
    expected = {
        "labels": "Labels layer",
        "rgb": "RGB",
        "2D": "two axes",
        "none": "Open a recording",
    }[what]
    assert expected in dock.source_panel.summary.text()


def test_wrong_options_are_told(viewer: Any, dock: Any, click: Any, small: Volume) -> None:
    add(viewer, small)
    dock.method_panel.form.editors[("psf",)].setText("nonsense")
    click(dock.fit_button)
    assert "psf needs numbers" in dock.progress_panel.message.text() and not dock.fitter.running
    dock.method_panel.form.editors[("psf",)].setText("")
    dock.method_panel.device.setCurrentText("tpu")
    dock.method_panel.changed.emit()
    assert "tpu" in dock.method_panel.estimate.text()


def test_a_preview_cannot_be_saved(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume, tmp_path: Path
) -> None:
    add(viewer, small)
    fitted(dock, click, wait)
    viewer.layers.selection.active = viewer.layers[PREVIEW]
    with pytest.raises(SpatimeINRError, match="Save as"):
        viewer.layers.save(str(tmp_path / "p.nii.gz"), selected=True, plugin="napari-spatimeinr")
    assert not list(tmp_path.iterdir())


# -- calibration, axes, regions, channels, models ------------------------------------------


def test_a_layer_without_units_is_asked_about_once(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    layer = viewer.add_image(np.asarray(small.data), name="cells")
    click(dock.fit_button)
    assert not dock.fitter.running and "does not say" in dock.progress_panel.message.text()
    assert dock.source_panel.editor.isVisible()
    dock.source_panel.interval.setText("60")
    dock.source_panel.voxel.setText("0.5, oops")
    click(dock.source_panel.apply)
    assert "Enter the frame interval" in dock.source_panel.summary.text()
    dock.source_panel.voxel.setText("0.5, 0.25, 0.25")
    dock.source_panel.time_unit.setCurrentText("s")
    dock.source_panel.space_unit.setCurrentText("um")
    click(dock.source_panel.apply)
    assert (
        np.allclose(layer.scale, (60, 0.5, 0.25, 0.25))
        and [str(u) for u in layer.units] == ["second"] + ["micrometer"] * 3
    )
    session = fitted(dock, click, wait)
    assert session.field.volume.spacing == (60, 0.5, 0.25, 0.25) and session.field.units == (
        "s",
        "um",
    )


def test_or_fitted_in_frames_and_voxels(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    viewer.add_image(np.asarray(small.data), name="cells")
    click(dock.fit_button)
    session = fitted(dock, click, wait)
    assert session.field.units == ("frame", "voxel")
    same_world(viewer, "cells", PREVIEW)


def test_a_turned_mirrored_shifted_layer(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    turn = np.eye(4)
    turn[2:, 2:] = [[0.8, -0.6], [0.6, 0.8]]
    affine = np.diag([1.0, 1, 2, 1, 1])
    affine[3, 4] = 7
    add(
        viewer,
        small,
        scale=(60, 0.5, -0.25, 0.25),
        translate=(100, 5, 6, 7),
        rotate=turn,
        affine=affine,
        units=("s", "um", "um", "um"),
    )
    fitted(dock, click, wait)
    dock.scales_panel.z.setValue(2)
    dock.scales_panel.yx.setValue(1.5)
    wait(lambda: viewer.layers[PREVIEW].data.shape == (49, 12, 30, 36))
    same_world(viewer, "cells", PREVIEW)
    assert viewer.layers[PREVIEW].units == viewer.layers["cells"].units
    dock.scales_panel.scrubber.setValue(16)
    assert viewer.dims.point[0] == 160.0


@pytest.mark.parametrize("axes", ["zyx", "tyx"])
def test_three_axes(
    axes: str, viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    data = np.asarray(small.data)[0] if axes == "zyx" else np.asarray(small.data)[:, 3]
    units = ("um" if axes == "zyx" else "s", "um", "um")
    viewer.add_image(
        data, name="cells", units=units, axis_labels=tuple(axes), scale=(2, 0.25, 0.25)
    )
    fitted(dock, click, wait)
    layer = viewer.layers[PREVIEW]
    assert layer.ndim == 3 and layer.data.shape == ((6, 20, 24) if axes == "zyx" else (49, 20, 24))
    dock.scales_panel.yx.setValue(2)
    click(dock.output_panel.render)
    wait(lambda: len(viewer.layers) == 3)
    assert viewer.layers[-1].data.shape == ((6, 40, 48) if axes == "zyx" else (7, 40, 48))
    assert dock.scales_panel.scrubber.isEnabled() == (axes == "tyx")


def test_volumes_in_3d(viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume) -> None:
    add(viewer, small)
    session = fitted(dock, click, wait)
    viewer.dims.ndisplay = 3
    dock.scales_panel.scrubber.setValue(24)
    wait(lambda: drawn(viewer))
    shown = viewer.layers[PREVIEW].data[24:25]
    assert np.allclose(shown, session.field.on_grid(session.array.grid)[24:25], atol=1e-5)


def test_only_the_rectangle_is_fitted(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    source = add(viewer, small)
    shapes = viewer.add_shapes(
        [np.array([[0.9, 1.1], [0.9, 4.1], [4.1, 4.1], [4.1, 1.1]])], scale=(1, 1)
    )
    dock.source_panel.region.setCurrentIndex(1)
    session = fitted(dock, click, wait)
    assert session.roi == ((0, 4), (0, 6), (4, 17), (5, 17)) and session.field.grid.shape == (
        4,
        6,
        13,
        12,
    )
    layer = viewer.layers[PREVIEW]
    assert np.allclose(layer.data_to_world((0, 0, 0, 0)), source.data_to_world((0, 0, 4, 5)))
    viewer.layers.remove(shapes)
    dock.source_panel.region.setCurrentIndex(2)
    dock.source_panel.region.setCurrentIndex(1)
    click(dock.fit_button)
    assert "no Shapes layer" in dock.progress_panel.message.text()


def test_channels_share_the_motion(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small, blending="additive")
    other = add(
        viewer,
        Volume(np.asarray(small.data)[:, ::-1].copy(), small.spacing, units=small.units),
        blending="additive",
    )
    other.name = "other"
    viewer.add_image(np.zeros((2, 3, 4)), name="of another size", contrast_limits=(0, 1))
    dock.source_panel.select(viewer.layers["cells"])
    channels = dock.method_panel.channels
    assert [channels.item(i).text() for i in range(channels.count())] == ["other"]
    channels.item(0).setCheckState(Qt.CheckState.Checked)
    dock.method_panel.form.editors[("gate",)].value = False
    click(dock.fit_button)
    wait(
        lambda: (
            not dock.fitter.running
            and len(dock.fitter.sessions) == 2
            and dock.fitter.sessions[1].field is not None
        )
    )
    one, two = (session.field.network.motion for session in dock.fitter.sessions)
    assert one is not None and np.array_equal(
        one.nodes.detach().numpy(), two.nodes.detach().numpy()
    )
    assert "other [SpatimeINR preview]" in viewer.layers and not viewer.layers["cells"].visible


def test_a_model_is_saved_and_dropped_on_the_viewer(
    viewer: Any, dock: Any, click: Any, wait: Wait, answer: Any, tmp_path: Path, small: Volume
) -> None:
    add(viewer, small)
    session = fitted(dock, click, wait)
    answer(tmp_path / "cells")
    click(dock.output_panel.save_model)
    wait(lambda: not dock.results.running)
    path = tmp_path / "cells.spatimeinr"
    assert np.array_equal(
        np.asarray(load(path).lazy()[1, 2]), np.asarray(session.field.lazy()[1, 2])
    )
    viewer.layers.clear()
    viewer.open(str(path), plugin="napari-spatimeinr")
    wait(lambda: PREVIEW in viewer.layers and not dock.results.running)
    same_world(viewer, "cells", PREVIEW)
    wait(lambda: drawn(viewer))
    viewer.layers.clear()
    answer(path)
    click(dock.output_panel.load_model)
    wait(lambda: PREVIEW in viewer.layers)


# -- the dock itself -----------------------------------------------------------------------


def test_scales_and_physical_values_say_the_same(viewer: Any, dock: Any, small: Volume) -> None:
    add(viewer, small)
    panel = dock.scales_panel
    panel.dt.setText("15")
    panel.dt.editingFinished.emit()
    assert panel.time.value() == 4
    panel.yx.setValue(2)
    assert panel.dyx.text() == "0.125"
    panel.isotropic.setChecked(True)
    assert panel.dz.text() == "0.125" and not panel.z.isEnabled()
    panel.dt.setText("nonsense")
    panel.dt.editingFinished.emit()
    assert panel.dt.text() == "15"
    panel.scrubber.setValue(20)
    for button, steps in (
        (panel.later, 32),
        (panel.earlier, 16),
        (panel.earlier, 0),
        (panel.earlier, 0),
        (panel.later, 16),
    ):
        button.click()
        assert panel.scrubber.value() == steps
    assert "acquired, frame 1" in panel.shown.text() and "t = 60 s" in panel.shown.text()


def test_the_slider_of_the_viewer_moves_the_scrubber(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    fitted(dock, click, wait)
    viewer.dims.set_point(0, 90.0)
    assert dock.scales_panel.scrubber.value() == 24


def test_every_widget_has_a_tooltip_and_every_preset_a_button(dock: Any) -> None:
    from qtpy.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QProgressBar, QSlider

    assert [button.text() for button in dock.method_panel.presets.buttons()] == list(PRESETS)
    for kind in (QAbstractButton, QComboBox, QLineEdit, QProgressBar, QSlider):
        for widget in dock.findChildren(kind):
            parents, parent = [], widget
            while parent is not None and parent is not dock:
                parents.append(parent.toolTip())
                parent = parent.parentWidget()
            assert any(parents), f"{kind.__name__} {getattr(widget, 'text', str)()} has no tooltip"


def test_the_layers_menu_fits_renders_and_stops(
    viewer: Any, dock: Any, wait: Wait, small: Volume
) -> None:
    from napari_spatimeinr._napari import commands

    add(viewer, small)
    viewer.layers.selection.active = viewer.layers["cells"]
    commands.render_layer(viewer)
    assert "Nothing has been fitted" in dock.progress_panel.message.text()
    commands.fit_layer(viewer)
    wait(lambda: not dock.fitter.running)
    viewer.layers.selection.active = viewer.layers["cells"]
    commands.render_layer(viewer)
    wait(lambda: not dock.results.running)
    assert len(viewer.layers) == 3
    commands.stop(viewer)
    commands.show_quality(viewer)


# -- layers that change --------------------------------------------------------------------


def test_calibration_entered_after_a_fit_moves_preview_and_renderings(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    viewer.add_image(np.asarray(small.data), name="cells")
    click(dock.fit_button)
    session = fitted(dock, click, wait)
    panel = dock.source_panel
    panel.interval.setText("60")
    panel.voxel.setText("0.5, 0.25, 0.25")
    panel.time_unit.setCurrentText("s")
    panel.space_unit.setCurrentText("um")
    panel.edit.setChecked(True)
    click(panel.apply)
    assert dock.session() is session and session.field.volume.spacing == (60, 0.5, 0.25, 0.25)
    same_world(viewer, "cells", PREVIEW)
    assert viewer.layers[PREVIEW].units == viewer.layers["cells"].units
    dock.scales_panel.scrubber.setValue(24)
    assert viewer.dims.point[0] == 90.0
    wait(lambda: drawn(viewer))
    click(dock.output_panel.render)
    wait(lambda: len(viewer.layers) == 3)
    assert (
        np.allclose(viewer.layers[-1].scale, (30, 0.5, 0.25, 0.25))
        and viewer.layers[-1].units == viewer.layers["cells"].units
    )


def test_what_a_file_leaves_open_is_asked_in_the_dock(
    viewer: Any, dock: Any, click: Any, tmp_path: Path
) -> None:
    """A NIfTI whose frame interval is 0 and whose planes are nearer than its pixels."""
    image = nibabel.Nifti1Image(np.random.default_rng(0).random((20, 24, 6, 4)).astype("f4"), None)
    image.header.set_xyzt_units("micron", "sec")
    image.header.set_zooms((0.5, 0.5, 0.1, 0.0))
    nibabel.save(image, tmp_path / "odd.nii")
    (layer,) = viewer.open(str(tmp_path / "odd.nii"), plugin="napari-spatimeinr")
    panel = dock.source_panel
    assert panel.questions.isVisible() and "--" not in panel.questions.text()
    assert (
        "frame interval of 0" in panel.questions.text()
        and "smaller than the pixel" in panel.questions.text()
    )
    panel.edit.setChecked(True)
    panel.interval.setText("60")
    panel.time_unit.setCurrentText("s")
    panel.voxel.setText("1, 0.5, 0.5")
    click(panel.apply)
    assert not panel.questions.isVisible() and panel.questions.text() == ""
    assert np.allclose(layer.scale, (60, 1, 0.5, 0.5)) and "60 s" in panel.summary.text()


def test_changes_of_the_layer_are_noticed(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    layer = add(viewer, small)
    layer.scale = (30, 1, 0.5, 0.5)
    assert "30 s" in dock.source_panel.summary.text()
    layer.name = "other"
    assert dock.source_panel.layer_choice.currentText() == "other"
    layer.data = np.asarray(small.data)[:3, :4]
    assert "3 x 4 x 20 x 24" in dock.source_panel.summary.text()
    session = fitted(dock, click, wait)
    assert session.field.grid.shape == (3, 4, 20, 24) and session.field.grid.spacing == (
        30,
        1,
        0.5,
        0.5,
    )
    layer.data = np.asarray(small.data)
    session = fitted(dock, click, wait)
    assert session.field.grid.shape == small.shape
    same_world(viewer, "other", "other [SpatimeINR preview]")


def test_axes_that_were_chosen_stay_chosen_and_the_fit_resumes(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    viewer.add_image(np.asarray(small.data)[:, 3], name="movie", scale=(2, 1, 1))
    assert dock.source_panel.source.axes == "zyx"
    dock.source_panel.axes.setCurrentIndex(1)
    session = fitted(dock, click, wait)
    viewer.add_points(np.zeros((1, 3)))
    assert session.source.axes == dock.source_panel.source.axes == "tyx"
    assert "Go on from what was learned" in dock.fit_button.toolTip()
    dock.scales_panel.scrubber.setValue(24)
    assert viewer.dims.point[0] == 3.0


def test_the_scrubber_speaks_the_units_and_the_transform_of_the_viewer(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    shift = np.eye(5)
    shift[0, 4] = 600
    layer = add(viewer, small, affine=shift)
    fitted(dock, click, wait)
    dock.scales_panel.scrubber.setValue(24)
    assert np.isclose(layer.world_to_data(viewer.dims.point)[0], 1.5)
    viewer.add_image(np.zeros((2, 2, 2, 2)), units=("ms", "um", "um", "um"), scale=(1000, 1, 1, 1))
    dock.scales_panel.scrubber.setValue(8)
    factor = 1000 if str(viewer.dims.units[0]) == "millisecond" else 1
    assert np.isclose(viewer.dims.point[0], factor * (600 + 30))
    assert dock.scales_panel.scrubber.value() == 8


def test_a_hidden_source_comes_back_with_the_end_of_its_preview(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    layer = add(viewer, small, blending="additive")
    fitted(dock, click, wait)
    assert not layer.visible
    dock.output_panel.preview.setChecked(False)
    assert layer.visible
    dock.output_panel.preview.setChecked(True)
    assert not layer.visible
    viewer.layers.remove(PREVIEW)
    assert layer.visible


def test_what_waits_behind_a_fit_goes_on_when_the_fit_is_stopped(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    begun(dock, click, wait)
    click(dock.output_panel.render)
    assert "waits" in dock.progress_panel.message.text()
    click(dock.stop_button)
    wait(lambda: len(viewer.layers) == 3)
    assert not dock.fitter.running


def test_a_file_is_not_replaced_unasked(
    viewer: Any,
    dock: Any,
    click: Any,
    wait: Wait,
    answer: Any,
    tmp_path: Path,
    small: Volume,
    monkeypatch: Any,
) -> None:
    add(viewer, small)
    fitted(dock, click, wait)
    path = tmp_path / "m.spatimeinr"
    path.write_text("precious")
    answer(tmp_path / "m")
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Cancel)
    click(dock.output_panel.save_model)
    assert path.read_text() == "precious" and not dock.results.running
    answer(tmp_path / "raw.nii")
    click(dock.output_panel.save_model)
    wait(lambda: not dock.results.running)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.spatimeinr", "raw.spatimeinr"]
    answer(tmp_path / "busy")
    with alone(tmp_path / "busy.spatimeinr"):
        click(dock.output_panel.save_model)
        wait(lambda: not dock.results.running, seconds=30)
    assert not (tmp_path / "busy.spatimeinr").exists(), (
        "the computing thread does not wait for another writer"
    )


def test_a_folder_that_is_shown_is_not_written_over(
    viewer: Any, dock: Any, click: Any, wait: Wait, answer: Any, tmp_path: Path, small: Volume
) -> None:
    add(viewer, small)
    fitted(dock, click, wait)
    small.save(tmp_path / "shown.ome.zarr")
    viewer.open(str(tmp_path / "shown.ome.zarr"), plugin="napari-spatimeinr")
    dock.source_panel.select(viewer.layers["cells"])
    answer(tmp_path / "shown.ome.zarr")
    save_as(dock, "OME-Zarr")
    assert "is read from" in dock.progress_panel.message.text() and not dock.results.running


def test_two_models_at_once(
    viewer: Any, dock: Any, wait: Wait, tmp_path: Path, small: Volume
) -> None:
    from napari_spatimeinr import fit

    for name in ("a", "b"):
        fit(
            small,
            "fast",
            {
                "motion": {"steps": 2},
                "latents": {"enabled": False},
                "planes": {"enabled": False},
                "gate": False,
            },
        ).save(tmp_path / f"{name}.spatimeinr")
    for name in ("a", "b"):
        viewer.open(str(tmp_path / f"{name}.spatimeinr"), plugin="napari-spatimeinr")
    wait(
        lambda: (
            len(dock.fitter.sessions) == 2
            and all(session.layer is not None for session in dock.fitter.sessions)
        )
    )


def test_the_menu_acts_on_the_active_layer_alone(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    from napari_spatimeinr._napari import commands

    add(viewer, small)
    viewer.add_shapes(name="drawing")
    viewer.layers.selection.active = viewer.layers["drawing"]
    commands.fit_layer(viewer)
    assert "Shapes layer" in dock.progress_panel.message.text() and not dock.fitter.running
    viewer.layers.selection.clear()
    commands.fit_layer(viewer)
    assert "Select a layer" in dock.progress_panel.message.text()
    dock.source_panel.select(viewer.layers["cells"])
    fitted(dock, click, wait)
    viewer.layers.selection.active = viewer.layers[PREVIEW]
    commands.render_layer(viewer)
    wait(lambda: "cells [t x2, z x1, yx x1]" in viewer.layers)


def test_a_rendering_that_cannot_be_shown_is_told(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume, monkeypatch: Any
) -> None:
    from napari_spatimeinr._napari.docks import output

    add(viewer, small)
    fitted(dock, click, wait)

    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("no room")

    monkeypatch.setattr(output, "add_rendered", broken)
    click(dock.output_panel.render)
    wait(lambda: not dock.results.running)
    assert (
        "ValueError: no room" in dock.progress_panel.message.text()
        and dock.progress_panel.bar.isHidden()
    )


def test_two_previews_in_3d_are_both_drawn(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume, monkeypatch: Any
) -> None:
    monkeypatch.setattr("napari_spatimeinr._napari.layers.preview.COARSE", 500)
    monkeypatch.setattr("napari_spatimeinr._napari.layers.preview.SLAB", 1000)
    add(viewer, small)
    fitted(dock, click, wait)
    other = add(viewer, small)
    dock.source_panel.select(other)
    fitted(dock, click, wait)
    viewer.dims.ndisplay = 3
    for index in (24, 8):
        dock.scales_panel.scrubber.setValue(index)
        wait(lambda: all(session.array.is_fresh() for session in dock.fitter.sessions))
