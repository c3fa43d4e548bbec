"""Any two pictures with a line between them; no window."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image, Labels

from napari_spatimeinr import Field, Volume
from napari_spatimeinr._napari.layers.keys import RENDERED, SUFFIX
from napari_spatimeinr._napari.layers.placement import from_volume
from napari_spatimeinr._napari.layers.scales import PREVIEW_STEPS, Scales
from napari_spatimeinr._napari.layers.sides import Side, overlap, sides, swipe
from napari_spatimeinr._napari.layers.swipe import Plain, Resampled, SwipeArray
from napari_spatimeinr.errors import InputError
from previews import Wanted, preview

MIDDLE = slice(24, 25), slice(2, 3)
"""Halfway between frames 1 and 2 of a preview, plane 2."""


def image(volume: Volume, name: str = "cells", **more: Any) -> Image:
    return Image(np.asarray(volume.data), name=name, **{**from_volume(volume), **more})


def fitted(recording: Volume, field: Field, scales: Scales | None = None) -> Image:
    """A preview layer of a fit; without a Field, one before there is any."""
    array, _ = preview(recording, scales)
    array.update(field, True)
    return shown(recording, array)


def shown(recording: Volume, array: Any) -> Image:
    placed = from_volume(recording.like(np.empty(array.grid.shape, np.uint8), array.grid))
    placed["metadata"] = {RENDERED: {"preview": True}}
    return Image(array, name=f"cells {SUFFIX}", multiscale=False, rgb=False, **placed)


def drawn(array: SwipeArray, want: Wanted, key: Any) -> Any:
    array[key]
    want.draw(array)
    return array[key]


def test_a_swipe_is_one_left_of_the_line_and_the_other_right_of_it(
    recording: Volume, field: Field
) -> None:
    want, layer = Wanted(), fitted(recording, field)
    array, _ = swipe(Side(layer), Side(layer, "linear"), 0.25, want)
    whole, baseline = (f.on_grid(array.grid)[MIDDLE] for f in (field, field.interpolated()))
    assert not np.allclose(whole, baseline, atol=1e-2)
    for share in (0.25, 0.75, 0.0, 1.0):
        array.move(share)
        picture, line = drawn(array, want, MIDDLE), round(24 * share)
        assert np.allclose(picture[..., :line], whole[..., :line], atol=1e-5)
        assert np.allclose(picture[..., line:], baseline[..., line:], atol=1e-5)


@pytest.mark.parametrize("turned", [False, True])
def test_linear_and_cubic_interpolation_are_compared_on_any_side(
    recording: Volume, field: Field, turned: bool
) -> None:
    want, layer = Wanted(), fitted(recording, field)
    names = ["linear", "cubic"][:: -1 if turned else 1]
    array, _ = swipe(*(Side(layer, name) for name in names), 0.5, want)
    picture = drawn(array, want, MIDDLE)
    left, right = (field.interpolated(name).on_grid(array.grid)[MIDDLE] for name in names)
    assert np.allclose(picture[..., :12], left[..., :12], atol=1e-5)
    assert np.allclose(picture[..., 12:], right[..., 12:], atol=1e-5)


@pytest.mark.parametrize(("time", "frame"), [(16, 1), (23, 1), (24, 2), (31, 2), (48, 3)])
def test_between_frames_the_recording_is_its_nearest_frame(
    recording: Volume, field: Field, time: int, frame: int
) -> None:
    want = Wanted()
    array, _ = swipe(Side(image(recording)), Side(fitted(recording, field)), 1.0, want)
    picture = drawn(array, want, (slice(time, time + 1), slice(3, 4)))
    assert array.shape[0] == 3 * PREVIEW_STEPS + 1
    assert np.array_equal(picture[0, 0], recording.data[frame, 3])


def test_of_layers_with_different_voxels_the_nearest_are_shown_on_the_finer_grid(
    recording: Volume, field: Field
) -> None:
    want, fine = Wanted(), fitted(recording, field, Scales(z=2, yx=3))
    rendered = field.render(time_scale=2, scale_yx=0.5)
    coarse = image(rendered, "rendered", metadata={RENDERED: {}})
    array, place = swipe(Side(coarse), Side(fine), 0.5, want)
    assert array.grid == fine.data.grid
    assert np.allclose(place["scale"], fine.scale)
    picture = drawn(array, want, (slice(24, 25), slice(6, 7)))[0, 0]
    # Voxels of the rendering are six of the preview's wide; time 24 of 16 a frame is its 3rd of 2.
    enlarged = np.repeat(np.repeat(np.asarray(rendered.data)[3, 3], 6, 0), 6, 1)
    assert np.allclose(picture[:, :36], enlarged[:, :36], atol=1e-5)
    assert np.allclose(picture[:, 36:], field.on_grid(array.grid)[24, 6][:, 36:], atol=1e-5)


def test_two_fits_of_different_regions_are_compared_where_both_are(
    recording: Volume, field: Field
) -> None:
    want = Wanted()
    part = recording.crop(((0, 4), (0, 6), (4, 16), (6, 24)))
    other = Field(
        part, field.network, field.normalisation, field.config, field.device, "linear", {}
    ).interpolated()
    small, large = Side(fitted(part, other)), Side(fitted(recording, field))
    expected = other.on_grid(Scales().preview(part.grid))[MIDDLE][0, 0]
    array, _ = swipe(small, large, 1.0, want)
    assert array.grid == Scales().preview(part.grid)
    assert np.allclose(drawn(array, want, MIDDLE)[0, 0], expected, atol=1e-5)
    array, _ = swipe(large, small, 0.0, want)
    assert array.grid == Scales().preview(recording.grid)
    beyond = np.pad(expected, ((4, 4), (6, 0)))
    assert np.allclose(drawn(array, want, MIDDLE)[0, 0], beyond, atol=1e-5)


def test_units_are_converted_and_a_layer_of_fewer_axes_is_there_at_every_time(
    recording: Volume, field: Field
) -> None:
    want = Wanted()
    scale = np.array(recording.spacing[1:]) * 1000
    one = Image(np.asarray(recording.data[0]), name="one", scale=scale, units=("nanometer",) * 3)
    array, _ = swipe(Side(fitted(recording, field)), Side(one), 0.0, want)
    for time in (0, 24, 48):
        picture = drawn(array, want, (slice(time, time + 1), slice(2, 3)))
        assert np.array_equal(picture[0, 0], recording.data[0, 2])


def test_on_a_mirrored_axis_left_is_still_left_on_the_screen(
    recording: Volume, field: Field
) -> None:
    want, mirror = Wanted(), np.diag([1.0, 1, 1, -1, 1])
    layers = (
        image(recording, affine=mirror),
        image(recording.like(recording.data[:] + 9, recording.grid), affine=mirror),
    )
    array, _ = swipe(*map(Side, layers), 0.25, want)
    picture = drawn(array, want, (slice(1, 2), slice(2, 3)))[0, 0]
    assert np.array_equal(picture[:, 18:], recording.data[1, 2][:, 18:])
    assert np.allclose(picture[:, :18], recording.data[1, 2][:, :18] + 9)


def test_layers_that_do_not_overlap_are_told(recording: Volume, field: Field) -> None:
    near, far = image(recording), image(recording, "far", translate=(0, 0, 900, 0))
    assert overlap(near, near)
    assert not overlap(near, far)
    with pytest.raises(InputError, match="'cells' and 'far' do not overlap"):
        swipe(Side(near), Side(far), 0.5, Wanted())


def test_before_anything_is_fitted_that_is_told(recording: Volume) -> None:
    layer = shown(recording, preview(recording)[0])
    with pytest.raises(InputError, match="Nothing is fitted yet of 'cells'"):
        swipe(Side(layer), Side(layer, "linear"), 0.5, Wanted())


def test_previews_their_interpolations_and_pictures_are_offered(
    recording: Volume, field: Field
) -> None:
    layer = fitted(recording, field)
    array, place = swipe(Side(layer), Side(layer, "linear"), 0.5, Wanted())
    of_swipe = Image(array, name="swipe", multiscale=False, rgb=False, **place)
    labels = Labels(np.zeros((4, 6, 20, 24), int))
    colours = Image(np.zeros((20, 24, 3), np.uint8), rgb=True)
    flat = Image(np.zeros((20, 24)), name="flat")
    layers = [image(recording), layer, of_swipe, labels, colours, flat]
    assert [side.name for side in sides(layers)] == [
        "cells (nearest frame)",
        f"cells {SUFFIX}",
        "cells: linear interpolation",
        "cells: cubic interpolation",
        "flat",
    ]


def test_a_duplicate_of_a_swipe_has_a_line_of_its_own(recording: Volume, field: Field) -> None:
    layer = fitted(recording, field)
    array, _ = swipe(Side(layer), Side(layer, "linear"), 1.0, Wanted())
    other = copy.deepcopy(array)
    other.move(0.0)
    want = Wanted()
    array._want = want
    assert np.allclose(drawn(array, want, MIDDLE), field.on_grid(array.grid)[MIDDLE], atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_resampled_voxels_are_those_at_the_nearest_index_and_zero_beyond(data: Any) -> None:
    shape = tuple(data.draw(st.tuples(*[st.integers(1, 5)] * 4)))
    target = tuple(data.draw(st.tuples(*[st.integers(1, 5)] * 4)))
    numbers = st.integers(-8, 8).map(lambda n: n / 4)
    matrix = np.array([[data.draw(numbers) for _ in range(5)] for _ in range(4)])
    if data.draw(st.booleans()):
        matrix[:, :4] *= np.eye(4)
    values = np.arange(1.0, np.prod(shape) + 1).reshape(shape)
    out = Resampled(Plain(values), target, matrix)[...]
    for index in np.ndindex(target):
        at = np.floor(matrix @ [*index, 1] + 0.5).astype(int)
        inside = ((at >= 0) & (at < shape)).all()
        assert out[index] == (values[tuple(at)] if inside else 0)
