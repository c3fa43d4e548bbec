"""Layers and grids in the world: transforms, units, axes; no window."""

from __future__ import annotations

from typing import Any

import dask.array
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari.layers import Image
from napari_spatimeinr import Volume
from napari_spatimeinr._napari.layers.placement import Placement, from_volume, to_volume
from napari_spatimeinr._napari.layers.source import understand
from napari_spatimeinr.errors import InputError

SHAPE = (3, 4, 5, 6)
sizes = st.floats(0.05, 20)


def corner_world(layer: Image, index: Any) -> np.ndarray:
    return np.asarray(layer.data_to_world(index), float)


@settings(max_examples=40, deadline=None)
@given(
    scale=st.tuples(sizes, sizes, sizes, sizes),
    signs=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    translate=st.tuples(*[st.floats(-50, 50)] * 4),
    angle=st.floats(-80, 80),
    factors=st.tuples(
        st.sampled_from([1.0, 2.0, 2.5]),
        st.sampled_from([1.0, 0.5, 3.3]),
        st.sampled_from([1.0, 2.0]),
    ),
)
def test_a_refined_layer_covers_the_same_box_of_the_world(
    scale: Any, signs: Any, translate: Any, angle: float, factors: Any
) -> None:
    turn = np.eye(4)
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    turn[2:, 2:] = [[c, -s], [s, c]]
    affine = np.eye(5)
    affine[1, 2] = 0.3
    layer = Image(
        np.zeros(SHAPE),
        scale=scale * np.array([1.0, *signs]),
        translate=translate,
        rotate=turn,
        affine=affine,
    )
    source = understand(layer)
    grid = source.volume.grid.refine(factors[0], scale_z=factors[1], scale_yx=factors[2])
    fine = Image(np.zeros(grid.shape), **source.placed(grid))
    for end in (0, 1):
        # Time runs from the first to the last frame; voxels cover the same extent to their outer
        # faces.
        old = np.array(
            [(n - 1) * end if axis == 0 else n * end - 0.5 for axis, n in enumerate(SHAPE)]
        )
        # A factor that leaves a tail of time is not extrapolated.
        new = np.array(
            [((SHAPE[0] - 1) * factors[0]) * end, *(n * end - 0.5 for n in grid.shape[1:])]
        )
        assert np.allclose(
            corner_world(layer, old),
            corner_world(fine, new),
            atol=1e-6 * (1 + np.abs(translate).max()),
        )


def test_a_crop_lies_where_it_was_cut() -> None:
    layer = Image(np.zeros(SHAPE), scale=(2, 1.5, -0.5, 0.5), translate=(1, 2, 3, 4))
    source = understand(layer)
    part = source.volume.crop(((1, 3), (0, 4), (2, 5), (1, 6)))
    placed = Image(np.zeros(part.shape), **source.placed(part.grid))
    assert np.allclose(corner_world(placed, (0, 0, 0, 0)), corner_world(layer, (1, 0, 2, 1)))
    assert np.allclose(corner_world(placed, (1, 3, 2, 4)), corner_world(layer, (2, 3, 4, 5)))


@settings(max_examples=40, deadline=None)
@given(
    spacing=st.tuples(sizes, sizes, sizes, sizes),
    origin=st.tuples(*[st.floats(-50, 50)] * 4),
    units=st.tuples(
        st.sampled_from(["s", "ms", "us", "min", "h", "frame"]),
        st.sampled_from(["um", "nm", "mm", "m", "voxel"]),
    ),
    turned=st.sampled_from(["no", "mirrored", "permuted", "oblique"]),
)
def test_a_recording_survives_being_a_layer(
    spacing: Any, origin: Any, units: Any, turned: str
) -> None:
    orientation = {
        "no": None,
        "mirrored": np.diag([-1.0, 1.0, -1.0]),
        "permuted": np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]]),
        "oblique": np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]),
    }[turned]
    volume = Volume(np.zeros(SHAPE, np.uint16), spacing, origin, units, orientation)
    again = understand(Image(volume.data, **from_volume(volume))).volume
    assert again.shape == volume.shape
    assert again.units == volume.units
    assert np.allclose(again.spacing, spacing)
    assert np.allclose(again.origin, origin, atol=1e-9)
    if orientation is None:
        assert again.orientation is None
    else:
        assert again.orientation is not None
        assert np.allclose(again.orientation, orientation)


def test_units_of_other_names_are_converted() -> None:
    layer = Image(
        np.zeros(SHAPE),
        scale=(2, 1, 100, 100),
        units=("day", "micrometer", "angstrom", "nanometer"),
    )
    volume = understand(layer).volume
    assert volume.units == ("s", "nm")
    assert np.allclose(volume.spacing, (2 * 86400, 1000, 10, 100))


def test_a_layer_without_units_is_in_frames_and_voxels() -> None:
    assert understand(Image(np.zeros(SHAPE))).volume.units == ("frame", "voxel")


def test_time_and_space_may_not_be_mixed() -> None:
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    with pytest.raises(InputError, match="between time and space"):
        understand(Image(np.zeros(SHAPE), rotate=turn))
    with pytest.raises(InputError, match="runs backwards"):
        understand(Image(np.zeros(SHAPE), scale=(-1, 1, 1, 1)))


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(("axes", "shape"), [("zyx", (1, 4, 5, 6)), ("tyx", (4, 1, 5, 6))])
def test_three_axes(axes: str, shape: tuple[int, ...], lazy: bool) -> None:
    data = np.random.default_rng(0).random((4, 5, 6))
    layer = Image(dask.array.from_array(data, chunks=2) if lazy else data, scale=(3, 2, 1))
    source = understand(layer, axes)
    assert source.volume.shape == shape
    assert source.axes == axes
    assert np.array_equal(np.asarray(source.volume.data[...]), data.reshape(shape))
    index = (0, slice(1, 3), 2, slice(0, 6, 2))
    assert np.array_equal(np.asarray(source.volume.data[index]), data.reshape(shape)[index])
    assert source.volume.spacing["tzyx".index(axes[0])] == 3
    place = source.placed(source.volume.grid.refine(1.0, scale_yx=2))
    assert np.allclose(place["scale"], (3, 1, 0.5))


def test_metadata_of_a_writer_is_understood() -> None:
    layer = Image(
        np.zeros(SHAPE),
        scale=(2, 1.5, -0.5, 0.5),
        translate=(1, 2, 3, 4),
        units=("s", "um", "um", "um"),
    )
    _, meta, _ = layer.as_layer_data_tuple()
    one, other = Placement.of(layer), Placement.of_metadata(meta, 4)
    assert np.allclose(one.world, other.world)
    assert one.units == other.units
    bare = to_volume(layer.data, "tzyx", Placement.of_metadata({}, 4), {})
    assert bare.spacing == (1, 1, 1, 1)
    assert bare.units == ("frame", "voxel")
