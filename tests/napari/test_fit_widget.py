"""The dock SpatimeINR itself, clicked as a user would."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Qt

from napari_spatimeinr import Volume
from napari_spatimeinr.config.options import PRESETS

from .conftest import (
    PREVIEW,
    Wait,
    add,
    drawn,
    fitted,
)


def test_scales_and_physical_values_say_the_same(viewer: Any, dock: Any, small: Volume) -> None:
    add(viewer, small)
    panel = dock.scales_panel
    panel.dt.setText("15")
    panel.dt.editingFinished.emit()
    assert panel.time.value() == 4
    panel.yx.setValue(2)
    assert panel.dyx.text() == "0.125"
    panel.isotropic.setChecked(True)
    assert panel.dz.text() == "0.125"
    assert not panel.z.isEnabled()
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
    assert "acquired, frame 1" in panel.shown.text()
    assert "t = 60 s" in panel.shown.text()


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


def test_volumes_in_3d(viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume) -> None:
    add(viewer, small)
    session = fitted(dock, click, wait)
    viewer.dims.ndisplay = 3
    dock.scales_panel.scrubber.setValue(24)
    wait(lambda: drawn(viewer))
    shown = viewer.layers[PREVIEW].data[24:25]
    assert np.allclose(shown, session.field.on_grid(session.array.grid)[24:25], atol=1e-5)


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
    assert one is not None
    assert np.array_equal(one.nodes.detach().numpy(), two.nodes.detach().numpy())
    assert "other [SpatimeINR preview]" in viewer.layers
    assert not viewer.layers["cells"].visible


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


def test_the_menu_acts_on_the_active_layer_alone(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    from napari_spatimeinr._napari import commands

    add(viewer, small)
    viewer.add_shapes(name="drawing")
    viewer.layers.selection.active = viewer.layers["drawing"]
    commands.fit_layer(viewer)
    assert "Shapes layer" in dock.progress_panel.message.text()
    assert not dock.fitter.running
    viewer.layers.selection.clear()
    commands.fit_layer(viewer)
    assert "Select a layer" in dock.progress_panel.message.text()
    dock.source_panel.select(viewer.layers["cells"])
    fitted(dock, click, wait)
    viewer.layers.selection.active = viewer.layers[PREVIEW]
    commands.render_layer(viewer)
    wait(lambda: "cells [t x2, z x1, yx x1]" in viewer.layers)


def test_two_previews_in_3d_are_both_drawn(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume, monkeypatch: Any
) -> None:
    monkeypatch.setattr("napari_spatimeinr._napari.layers.pieces.COARSE", 500)
    monkeypatch.setattr("napari_spatimeinr._napari.layers.pieces.SLAB", 1000)
    add(viewer, small)
    fitted(dock, click, wait)
    other = add(viewer, small)
    dock.source_panel.select(other)
    fitted(dock, click, wait)
    viewer.dims.ndisplay = 3
    for index in (24, 8):
        dock.scales_panel.scrubber.setValue(index)
        wait(lambda: all(session.array.is_fresh() for session in dock.fitter.sessions))
