"""Labels, points and tracks of acquired frames, carried to rendered times in a real window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_spatimeinr import Volume, propagate_labels

from .conftest import Wait, add


@pytest.fixture
def fitted(viewer: Any, dock: Any, wait: Wait, small: Volume) -> Any:
    """The dock after a fit of a recording of 4 frames that lies aside and turned by units."""
    moved = Volume(small.data, small.spacing, (120.0, 3.0, -2.0, 5.0), small.units)
    layer = add(viewer, moved)
    form = dock.method_panel.form.editors
    form["motion", "steps"].value = 20
    form["latents", "enabled"].value = form["planes", "enabled"].value = False
    dock.start_fit()
    wait(lambda: not dock.fitter.running and dock.output_panel.carry.isEnabled())
    return layer


def carry(viewer: Any, dock: Any, wait: Wait, layer: Any) -> Any:
    viewer.layers.selection.active = layer
    dock.output_panel.carry.click()
    wait(lambda: not dock.results.running)
    name = f"{layer.name} carried"
    assert dock.progress_panel.message.text() == f"{name} is a layer now.", (
        dock.progress_panel.message.text()
    )
    return viewer.layers[name]


def placed(layer: Any) -> dict[str, Any]:
    return {name: getattr(layer, name) for name in ("scale", "translate", "units")}


def test_annotations_are_carried_to_the_rendered_times(
    viewer: Any, dock: Any, wait: Wait, fitted: Any
) -> None:
    shape = fitted.data.shape
    drawn = np.zeros(shape, np.uint8)
    drawn[1, 2:4, 5:12, 6:14] = 3
    labels = viewer.add_labels(drawn, name="cells drawn", **placed(fitted))
    carried = carry(viewer, dock, wait, labels)
    field = dock.session().field
    times = field.grid.refine(2.0).coordinates(0)
    assert carried.data.shape == (7, *shape[1:])
    assert carried.data.dtype == drawn.dtype
    assert np.array_equal(carried.data, propagate_labels(field, drawn, times))
    assert np.array_equal(carried.data[2], drawn[1])
    # Each frame lies where its time is.
    assert carried.data_to_world((2, 0, 0, 0)) == pytest.approx(labels.data_to_world((1, 0, 0, 0)))

    points = viewer.add_points(
        [[1, 3, 8, 9], [3, 2, 7, 6]],
        name="spots",
        size=[2, 5],
        features={"who": ["a", "b"]},
        **placed(fitted),
    )
    carried = carry(viewer, dock, wait, points)
    assert carried.data[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert carried.features["who"].tolist() == [*"aaaaa", *"bb"]
    assert carried.size.tolist() == [2] * 5 + [5] * 2
    assert carried.data[2] == pytest.approx([2, 3, 8, 9], abs=1e-3)
    assert carried.data[6] == pytest.approx([6, 2, 7, 6], abs=1e-3)
    moved = field.motion([[3 * 0.5 + 3, 8 * 0.25 - 2, 9 * 0.25 + 5]], 180.0, 210.0)[0]
    assert (carried.data[3, 1:] - [3, 8, 9]) * fitted.scale[1:] == pytest.approx(moved, abs=1e-3)

    tracks = viewer.add_tracks(
        [[4, 0, 3, 8, 9], [4, 1, 3, 8, 10], [4, 3, 3, 8, 11]], name="ways", **placed(fitted)
    )
    carried = carry(viewer, dock, wait, tracks)
    assert carried.data[:, :2].tolist() == [[4, t] for t in range(7)]
    assert carried.data[[0, 2, 6], 4] == pytest.approx([9, 10, 11], abs=1e-3)


def test_what_cannot_be_carried_is_told(viewer: Any, dock: Any, wait: Wait, fitted: Any) -> None:
    said = dock.progress_panel.message

    def refused(layer: Any, *words: str) -> None:
        viewer.layers.selection.active = layer
        before = len(viewer.layers)
        dock.output_panel.carry.click()
        wait(lambda: not dock.results.running)
        assert all(word in said.text() for word in words), said.text()
        assert len(viewer.layers) == before

    refused(fitted, "Select a Labels, Points or Tracks layer")
    refused(
        viewer.add_labels(np.zeros((4, 3, 3, 3), np.uint8), name="other"),
        "'other' has shape (4, 3, 3, 3)",
    )
    refused(viewer.add_labels(np.zeros((3, 3), np.uint8), name="flat"), "'flat' has 2 axes")
    refused(
        viewer.add_labels(np.zeros(fitted.data.shape, np.uint8), name="blank", **placed(fitted)),
        "No frame carries labels",
    )
    refused(viewer.add_points(np.empty((0, 4)), name="none", **placed(fitted)), "'none' is empty")
    refused(
        viewer.add_points([[9, 1, 1, 1]], name="late", **placed(fitted)),
        "Times must lie within the recording",
    )
    refused(
        viewer.add_tracks([[1, 0.6, 3, 8, 9], [1, 0.9, 3, 8, 9]], name="short", **placed(fitted)),
        "No track of 'short'",
    )


def test_the_command_says_when_nothing_is_fitted(viewer: Any, dock: Any, small: Volume) -> None:
    from napari_spatimeinr._napari.commands import carry_annotations

    add(viewer, small)
    carry_annotations(viewer)
    assert "Nothing has been fitted yet" in dock.progress_panel.message.text()
