"""Commands of the layers menu and the command palette."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import napari

    from .fit_widget import FitWidget

PLUGIN = "napari-spatimeinr"


def dock(viewer: Any) -> FitWidget:
    """The dock ``SpatimeINR``, opened if it was not."""
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "SpatimeINR")
    return widget  # type: ignore[no-any-return]


def fit_layer(viewer: napari.Viewer) -> None:
    """Fit the active layer."""
    widget = dock(viewer)
    active = viewer.layers.selection.active
    if active is not None:
        widget.source_panel.select(active)
    widget.start_fit()


def render_layer(viewer: napari.Viewer) -> None:
    """Render what was fitted of the active layer at the dock's scales."""
    widget = dock(viewer)
    active = viewer.layers.selection.active
    if active is not None:
        widget.source_panel.select(active)
    if widget.session() is None:
        widget.message("Nothing has been fitted of this layer yet; press 'Fit SpatimeINR' first.")
    widget.render_to_layer()


def stop(viewer: napari.Viewer) -> None:
    """Stop what is running."""
    dock(viewer).stop()


def show_quality(viewer: napari.Viewer) -> None:
    """Open the dock ``SpatimeINR Quality``."""
    viewer.window.add_plugin_dock_widget(PLUGIN, "SpatimeINR Quality")
