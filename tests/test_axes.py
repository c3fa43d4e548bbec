"""Grids: the rules of docs/conventions.md, and the orders of other libraries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr.data.grid import MAX_VOXELS, Grid, check_roi, parse_roi
from napari_spatimeinr.data.orders import from_nifti_affine, nifti_affine
from napari_spatimeinr.errors import GridError, SpatimeINRError

sizes = st.integers(1, 40)
steps = st.floats(1e-3, 1e3)
places = st.floats(-1e3, 1e3)
grids = st.builds(Grid, st.tuples(*[sizes] * 4), st.tuples(*[steps] * 4), st.tuples(*[places] * 4))
factors = st.one_of(st.floats(0.05, 12), st.sampled_from([0.5, 1.0, 2.0, 2.5, 3.0, 4.7, 1 / 3]))
quick = settings(max_examples=80, deadline=None)


def extent(grid: Grid, axis: int) -> tuple[float, float]:
    """Outer edges of the voxels along one axis."""
    centres = grid.coordinates(axis)
    return centres[0] - grid.spacing[axis] / 2, centres[-1] + grid.spacing[axis] / 2


@quick
@given(grids, factors, factors)
def test_spatial_scale_covers_exactly_the_same_extent(grid: Grid, fz: float, fyx: float) -> None:
    """``N' = max(1, floor(N F + 0.5))`` voxels within the very same edges."""
    new = grid.refine(scale_z=fz, scale_yx=fyx)
    for axis, factor in ((1, fz), (2, fyx), (3, fyx)):
        assert new.shape[axis] == max(1, math.floor(grid.shape[axis] * factor + 0.5))
        tolerance = 1e-9 * (abs(grid.origin[axis]) + grid.spacing[axis] * grid.shape[axis])
        assert extent(new, axis) == pytest.approx(extent(grid, axis), abs=tolerance)
        shift = (new.spacing[axis] - grid.spacing[axis]) / 2
        assert new.origin[axis] - grid.origin[axis] == pytest.approx(shift, abs=tolerance)
    assert (new.shape[0], new.spacing[0], new.origin[0]) == (
        grid.shape[0],
        grid.spacing[0],
        grid.origin[0],
    )


@quick
@given(grids, factors)
def test_time_scale_starts_at_the_first_frame_and_never_passes_the_last(
    grid: Grid, factor: float
) -> None:
    """Frames at ``t0 + i dt / F``; nothing is extrapolated."""
    new = grid.refine(time_scale=factor)
    old, fine = grid.coordinates(0), new.coordinates(0)
    assert new.shape[0] == math.floor((grid.shape[0] - 1) * factor + 1e-6) + 1
    assert fine[0] == old[0]
    assert fine[-1] <= old[-1] + 2e-6 * grid.spacing[0] / min(factor, 1)
    assert fine[-1] + new.spacing[0] > old[-1]
    assert new.shape[1:] == grid.shape[1:]
    assert new.origin == grid.origin


@quick
@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_time_scale_hits_the_last_frame_when_it_can(frames: int, above: int, below: int) -> None:
    """The last acquired frame is hit when (T - 1) F is whole, rounding of F notwithstanding."""
    grid = Grid((frames, 1, 1, 1), (0.1, 1, 1, 1), (3, 0, 0, 0))
    new = grid.refine(time_scale=above / below)
    whole = (frames - 1) * above % below == 0
    assert (abs(new.coordinates(0)[-1] - grid.coordinates(0)[-1]) < 1e-6 * 0.1) == whole


@quick
@given(grids, st.floats(0.2, 5))
def test_exact_voxels_are_centred_within_the_extent(grid: Grid, relative: float) -> None:
    """Exact spacings cover the extent to within half a voxel on each side, and no more than it."""
    voxel = tuple(s * relative for s in grid.spacing[1:])
    new = grid.refine(voxel=voxel)
    assert new.spacing[1:] == voxel
    for axis in (1, 2, 3):
        (a, b), (c, d) = extent(grid, axis), extent(new, axis)
        tolerance = 1e-6 * (voxel[axis - 1] + b - a) + 1e-9 * abs(grid.origin[axis])
        assert c + d == pytest.approx(a + b, abs=2 * tolerance)
        if b - a >= voxel[axis - 1]:
            assert a - tolerance <= c <= a + voxel[axis - 1] / 2 + tolerance


@quick
@given(grids)
def test_isotropic_takes_the_smaller_of_y_and_x(grid: Grid) -> None:
    """``isotropic`` never follows z."""
    bounded = Grid(grid.shape, (1, 2.0, *(0.5 + s / 1e3 for s in grid.spacing[2:])))
    assert bounded.refine(isotropic=True).spacing[1:] == (min(bounded.spacing[2:]),) * 3


@quick
@given(grids)
def test_scale_one_changes_nothing(grid: Grid) -> None:
    """The identity rendering has the recording's own grid, to the last bit."""
    new = grid.refine(time_scale=1, scale=1)
    assert new == grid
    assert grid.refine(voxel=grid.spacing[1:]) == grid


@quick
@given(grids, st.integers(0, 3), st.floats(-5, 50))
def test_index_and_physical_are_inverse(grid: Grid, axis: int, index: float) -> None:
    """``to_index`` undoes ``to_physical``, per axis and for points."""
    assert grid.to_index(grid.to_physical(np.float64(index), axis), axis) == pytest.approx(
        index, abs=1e-6
    )
    point = np.full(4, index)
    assert grid.to_index(grid.to_physical(point)) == pytest.approx(point, abs=1e-6)


def rotation(angles: tuple[float, float, float], mirror: bool) -> np.ndarray:
    """A rotation about three axes, mirrored in x on demand."""
    out = np.eye(3)
    for k, angle in enumerate(angles):
        i, j = [a for a in range(3) if a != k]
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = math.cos(angle)
        turn[i, j], turn[j, i] = -math.sin(angle), math.sin(angle)
        out = out @ turn
    return out @ np.diag([-1.0 if mirror else 1.0, 1, 1])


@quick
@given(grids, st.tuples(*[st.floats(-3, 3)] * 3), st.booleans())
def test_affines_round_trip_oblique_and_mirrored(
    grid: Grid, angles: tuple[float, float, float], mirror: bool
) -> None:
    """Grid and orientation come back from the affine they make."""
    spacing, origin, orientation = from_nifti_affine(nifti_affine(grid, rotation(angles, mirror)))
    assert spacing == pytest.approx(grid.spacing[1:], rel=1e-9)
    again = nifti_affine(Grid(grid.shape, (1, *spacing), (0, *origin)), orientation)
    # Directions within 1e-6 of the axes count as the axes.
    assert np.allclose(
        again,
        nifti_affine(grid, rotation(angles, mirror)),
        rtol=1e-5,
        atol=1e-5 * max(grid.spacing),
    )


@quick
@given(grids, factors, st.tuples(*[st.floats(-3, 3)] * 3))
def test_affine_of_a_scaled_grid_is_a_diag(
    grid: Grid, factor: float, angles: tuple[float, float, float]
) -> None:
    """``A' = A diag(N / N')``, and the first centre moves by half the difference of voxels through
    A.
    """
    direction = rotation(angles, False)
    affine, new = nifti_affine(grid, direction), grid.refine(scale=factor)
    ratio = np.array([n / m for n, m in zip(grid.shape[:0:-1], new.shape[:0:-1], strict=True)])
    expected = affine.copy()
    expected[:3, :3] = affine[:3, :3] @ np.diag(ratio)
    expected[:3, 3] += affine[:3, :3] @ ((ratio - 1) / 2)
    assert np.allclose(nifti_affine(new, direction), expected, rtol=1e-9, atol=1e-6)


def test_identity_affine_has_no_orientation() -> None:
    """Axis-aligned files stay simple."""
    grid = Grid((1, 2, 3, 4), (1, 3.0, 2.0, 1.0), (0, 7, 8, 9))
    assert from_nifti_affine(nifti_affine(grid)) == ((3.0, 2.0, 1.0), (7.0, 8.0, 9.0), None)


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.ones((4, 4))])
def test_useless_affines_are_errors(bad: np.ndarray) -> None:
    """Not invertible means one sentence with the way out."""
    with pytest.raises(GridError, match="--spacing"):
        from_nifti_affine(bad)


@pytest.mark.parametrize(
    "how",
    [
        {"time_scale": 0},
        {"time_scale": math.nan},
        {"scale": -1},
        {"scale": math.inf},
        {"scale": 1e12},
        {"time_scale": 1e14},
        {"voxel": 1e-12},
        {"voxel": (1, 2)},
        {"scale": 2, "voxel": 1},
        {"scale": 2, "scale_z": 2},
        {"isotropic": True, "scale": 2},
        {"dt": 1, "time_scale": 2},
        {"dt": -1},
        {"times": []},
        {"times": [0, 0]},
        {"times": [-1, 0]},
        {"times": [0, 99]},
        {"times": [0, math.nan]},
    ],
)
def test_impossible_requests_are_grid_errors(how: dict[str, object]) -> None:
    """Never a grid that is empty, absurd or outside the recording."""
    with pytest.raises(GridError) as caught:
        Grid((3, 4, 5, 6)).refine(**how)  # type: ignore[arg-type]
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, SpatimeINRError)


def test_whole_grid_has_a_limit() -> None:
    """Each axis may pass where their product does not."""
    with pytest.raises(GridError, match="TB"):
        Grid((100, 100, 1000, 1000)).refine(scale=30)
    assert MAX_VOXELS > 1e12


def test_times_make_even_or_uneven_grids() -> None:
    """Even times become a plain grid, uneven ones are kept."""
    grid = Grid((5, 1, 1, 1), (2, 1, 1, 1), (1, 0, 0, 0))
    even = grid.refine(times=[1, 4, 7])
    assert (even.shape[0], even.spacing[0], even.origin[0], even.times) == (3, 3, 1, None)
    uneven = grid.refine(times=[1, 2, 9])
    assert uneven.times == (1, 2, 9)
    assert uneven.coordinates(0).tolist() == [1, 2, 9]
    assert grid.refine(dt=0.5).coordinates(0)[-1] == 9


@pytest.mark.parametrize(
    "bad",
    [
        {"shape": (0, 1, 1, 1)},
        {"shape": (1, 1, 1)},
        {"spacing": (1, 1, 1, 0)},
        {"spacing": (1, 1, math.nan, 1)},
        {"spacing": (1, 1, 1)},
        {"spacing": 3},
        {"spacing": "abcd"},
        {"origin": (0, math.inf, 0, 0)},
        {"times": (0, 1)},
        {"shape": (2, 1, 1, 1), "times": (1, 1)},
    ],
)
def test_impossible_grids_are_errors(bad: dict[str, object]) -> None:
    """What cannot be a grid is refused when it is made."""
    with pytest.raises(GridError):
        Grid(**{"shape": (1, 1, 1, 1), **bad})  # type: ignore[arg-type]


def test_regions() -> None:
    """Half-open ranges, open ends, text, and what is refused."""
    shape = (4, 5, 6, 7)
    assert check_roi(None, shape) == ((0, 4), (0, 5), (0, 6), (0, 7))
    assert check_roi(parse_roi("1:3,:,2:,:5"), shape) == ((1, 3), (0, 5), (2, 6), (0, 5))
    assert check_roi((slice(1, 2), None, slice(None), (0, 1)), shape) == (
        (1, 2),
        (0, 5),
        (0, 6),
        (0, 1),
    )
    for bad in ("1:1,:,:,:", "0:9,:,:,:", "-1:2,:,:,:", ":,:,:"):
        with pytest.raises(GridError):
            check_roi(parse_roi(bad), shape)
    for text in ("", "1,2,3,4", "a:b,:,:,:"):
        with pytest.raises(GridError, match="t0:t1"):
            parse_roi(text)
    with pytest.raises(GridError, match="skip"):
        check_roi((slice(0, 4, 2), None, None, None), shape)
    crop = Grid(shape, (2, 1, 1, 0.5), (1, 0, 0, 3)).crop(((1, 3), (0, 5), (2, 6), (4, 7)))
    assert (crop.shape, crop.origin) == ((2, 5, 4, 3), (3, 0, 2, 5))


def test_torch_grid_of_a_single_plane_is_finite() -> None:
    """A size of 1 divides by nothing."""
    import torch

    from napari_spatimeinr.data.orders import to_torch_grid

    out = to_torch_grid(torch.tensor([[0.0, 0.0, 0.0], [0.0, 4.0, 5.0]]), (1, 5, 6))
    assert out.tolist() == [[-1, -1, -1], [1, 1, -1]]
