"""Commands of the layers menu and the command palette."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import napari

    from .docks.fit_widget import FitWidget

PLUGIN = "napari-spatimeinr"


def dock(viewer: Any) -> FitWidget:
    """The dock ``SpatimeINR``, opened if it was not."""
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "SpatimeINR")
    return widget


def _for_active(viewer: Any) -> FitWidget | None:
    """The dock with the active layer (or the recording of an active preview) chosen; None, with the
    reason shown, if it cannot be.
    """
    from .layers.source import why_not

    widget = dock(viewer)
    active = viewer.layers.selection.active
    session = widget.fitter.session_of(active)
    layer = active if session is None else session.source.layer
    reason = "Select a layer in the layer list first." if layer is None else why_not(layer)
    if reason is not None:
        widget.message(reason)
        return None
    widget.source_panel.select(layer)
    return widget


def fit_layer(viewer: napari.Viewer) -> None:
    """Fit the active layer."""
    widget = _for_active(viewer)
    if widget is not None:
        widget.start_fit()


def render_layer(viewer: napari.Viewer) -> None:
    """Render what was fitted of the active layer at the dock's scales."""
    widget = _for_active(viewer)
    if widget is None:
        return
    session = widget.session()
    if session is None or session.field is None:
        widget.message("Nothing has been fitted of this layer yet; press 'Fit SpatimeINR' first.")
    widget.render_to_layer()


def carry_annotations(viewer: napari.Viewer) -> None:
    """Carry the active Labels, Points or Tracks layer to the rendered times of the dock's
    recording.
    """
    widget = dock(viewer)
    session = widget.session()
    if session is None or session.field is None:
        widget.message(
            "Nothing has been fitted yet; press 'Fit SpatimeINR' first, then select the annotation"
            " again."
        )
        return
    widget.carry_annotations()


def stop(viewer: napari.Viewer) -> None:
    """Stop what is running."""
    dock(viewer).stop()


def show_quality(viewer: napari.Viewer) -> None:
    """Open the dock ``SpatimeINR Quality``."""
    viewer.window.add_plugin_dock_widget(PLUGIN, "SpatimeINR Quality")
