"""Measures of cells, against shapes whose measures are known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatimeinr.embryo.measure import measure
from small_embryo import SmallEmbryo


def ball(radius: float, spacing: tuple[float, float, float]):
    """A ball in the middle of a volume, in um."""
    axes = [np.arange(-radius - 2, radius + 2, step) for step in spacing]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return (z**2 + y**2 + x**2 < radius**2).astype(np.uint16), tuple(a[0] for a in axes)


@pytest.mark.parametrize(
    ("spacing", "within"),
    [((0.3, 0.3, 0.3), 0.02), ((0.9, 0.3, 0.3), 0.05), ((0.2, 0.4, 0.4), 0.05)],
)
def test_a_ball_has_its_volume_surface_place_and_shape(spacing, within):
    labels, origin = ball(4.0, spacing)
    cell = measure(labels, spacing, origin).cells[1]
    assert cell.volume == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.02)
    assert cell.surface == pytest.approx(4 * np.pi * 4**2, rel=within)
    assert cell.place == pytest.approx((0, 0, 0), abs=0.1)
    assert cell.sphericity == pytest.approx(1, abs=within)


def test_two_halves_of_a_box_touch_over_their_common_side_and_know_it_of_each_other():
    labels = np.zeros((30, 50, 50), np.uint16)
    labels[5:25, 5:45, 5:25], labels[5:25, 5:45, 25:45] = 5, 9
    found = measure(labels, (1.0, 0.5, 0.5))
    assert set(found.contacts) == {(5, 9)}
    assert found.contacts[5, 9] == pytest.approx(20 * 20, rel=0.1)
    assert found.neighbours(5) == {9: found.contacts[5, 9]}
    assert found.neighbours(9) == {5: found.contacts[5, 9]}


def test_cells_apart_have_no_contact_and_tiny_cells_have_measures():
    labels = np.zeros((9, 9, 9), np.uint16)
    labels[2, 2, 2], labels[6:8, 6:8, 6:8] = 1, 2
    found = measure(labels, (1.0, 1.0, 1.0))
    assert not found.contacts
    assert [cell.volume for cell in found.cells.values()] == [1, 8]
    assert all(cell.surface > 0 for cell in found.cells.values())


def test_nothing_is_measured_of_an_empty_frame():
    assert measure(np.zeros((3, 3, 3), np.uint16), (1.0, 1.0, 1.0)).cells == {}


def test_cells_of_an_embryo_measure_the_same_on_coarser_voxels():
    embryo = SmallEmbryo.of(8, half=(5.0, 5.0, 8.0))
    fine, coarse = (
        measure(embryo.labels(spacing), spacing) for spacing in ((0.25,) * 3, (0.75, 0.25, 0.25))
    )
    assert fine.cells.keys() == coarse.cells.keys()
    ratio = [coarse.cells[k].surface / fine.cells[k].surface for k in fine.cells]
    assert np.median(ratio) == pytest.approx(1, abs=0.05)
    common = len(fine.contacts.keys() & coarse.contacts.keys())
    assert 2 * common / (len(fine.contacts) + len(coarse.contacts)) > 0.92


def test_rows_name_cells_and_count_their_neighbours():
    labels = np.zeros((10, 10, 10), np.uint16)
    labels[2:8, 2:8, 2:5], labels[2:8, 2:8, 5:8] = 1, 4
    first, second = measure(labels, (1.0, 1.0, 1.0)).named({1: "AB"})
    assert (first["cell"], second["cell"]) == ("AB", "4")
    assert first["neighbours"] == second["neighbours"] == 1
    assert first["contact_um2"] == second["contact_um2"] > 0
