"""Calibration, axes and regions, as they are entered and as they change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from napari_spatimeinr import Volume

from .conftest import (
    PREVIEW,
    Wait,
    add,
    drawn,
    fitted,
    same_world,
)


def test_a_layer_without_units_is_asked_about_once(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    layer = viewer.add_image(np.asarray(small.data), name="cells")
    click(dock.fit_button)
    assert not dock.fitter.running
    assert "does not say" in dock.progress_panel.message.text()
    assert dock.source_panel.editor.isVisible()
    dock.source_panel.interval.setText("60")
    dock.source_panel.voxel.setText("0.5, oops")
    click(dock.source_panel.apply)
    assert "Enter the frame interval" in dock.source_panel.summary.text()
    dock.source_panel.voxel.setText("0.5, 0.25, 0.25")
    dock.source_panel.time_unit.setCurrentText("s")
    dock.source_panel.space_unit.setCurrentText("um")
    click(dock.source_panel.apply)
    assert np.allclose(layer.scale, (60, 0.5, 0.25, 0.25))
    assert [str(u) for u in layer.units] == ["second"] + ["micrometer"] * 3
    session = fitted(dock, click, wait)
    assert session.field.volume.spacing == (60, 0.5, 0.25, 0.25)
    assert session.field.units == (
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
    assert layer.ndim == 3
    assert layer.data.shape == ((6, 20, 24) if axes == "zyx" else (49, 20, 24))
    dock.scales_panel.yx.setValue(2)
    click(dock.output_panel.to_layer)
    wait(lambda: len(viewer.layers) == 3)
    assert viewer.layers[-1].data.shape == ((6, 40, 48) if axes == "zyx" else (7, 40, 48))
    assert dock.scales_panel.scrubber.isEnabled() == (axes == "tyx")


def test_only_the_rectangle_is_fitted(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    source = add(viewer, small)
    shapes = viewer.add_shapes(
        [np.array([[0.9, 1.1], [0.9, 4.1], [4.1, 4.1], [4.1, 1.1]])], scale=(1, 1)
    )
    dock.source_panel.region.setCurrentIndex(1)
    session = fitted(dock, click, wait)
    assert session.roi == ((0, 4), (0, 6), (4, 17), (5, 17))
    assert session.field.grid.shape == (
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
    assert dock.session() is session
    assert session.field.volume.spacing == (60, 0.5, 0.25, 0.25)
    same_world(viewer, "cells", PREVIEW)
    assert viewer.layers[PREVIEW].units == viewer.layers["cells"].units
    dock.scales_panel.scrubber.setValue(24)
    assert viewer.dims.point[0] == 90.0
    wait(lambda: drawn(viewer))
    click(dock.output_panel.to_layer)
    wait(lambda: len(viewer.layers) == 3)
    assert np.allclose(viewer.layers[-1].scale, (30, 0.5, 0.25, 0.25))
    assert viewer.layers[-1].units == viewer.layers["cells"].units


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
    assert panel.questions.isVisible()
    assert "--" not in panel.questions.text()
    assert "frame interval of 0" in panel.questions.text()
    assert "smaller than the pixel" in panel.questions.text()
    panel.edit.setChecked(True)
    panel.interval.setText("60")
    panel.time_unit.setCurrentText("s")
    panel.voxel.setText("1, 0.5, 0.5")
    click(panel.apply)
    assert not panel.questions.isVisible()
    assert panel.questions.text() == ""
    assert np.allclose(layer.scale, (60, 1, 0.5, 0.5))
    assert "60 s" in panel.summary.text()


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
    assert session.field.grid.shape == (3, 4, 20, 24)
    assert session.field.grid.spacing == (
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
