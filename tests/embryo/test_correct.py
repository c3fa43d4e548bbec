"""Corrections of labels carried to other times."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatimeinr.embryo.correct import carried
from napari_spatimeinr.errors import InputError

SPACING, ORIGIN = (1.0, 0.5, 0.5), (3.0, 0.0, -1.0)
PACE = np.array([0.0, 0.5, 1.0])
"""Everything moves by one row and two columns a minute."""


def moving(points, start, end):
    return points + (end - start) * PACE


def frame(minute, border=20, left=1, right=2):
    """Two cells side by side that move, the border between them at a column."""
    out = np.zeros((8, 40, 60), np.uint16)
    out[2:6, 10 + minute : 30 + minute, 10 + 2 * minute : border + 2 * minute] = left
    out[2:6, 10 + minute : 30 + minute, border + 2 * minute : 34 + 2 * minute] = right
    return out


@pytest.mark.parametrize("minute", [0, 1, 3, 5])
def test_a_border_that_was_moved_moves_with_the_cells_at_other_times(minute):
    before, after = frame(2), frame(2, border=24)
    out = carried(frame(minute), before, after, SPACING, moving, 2.0, float(minute), ORIGIN)
    np.testing.assert_array_equal(out, frame(minute, border=24))


def test_names_that_were_swapped_are_swapped_at_other_times():
    out = carried(frame(4), frame(2), frame(2, left=2, right=1), SPACING, moving, 2.0, 4.0)
    np.testing.assert_array_equal(out, frame(4, left=2, right=1))


def test_a_cell_that_is_not_there_does_not_come_back():
    later = frame(4, left=7, right=8)
    out = carried(later, frame(2), frame(2, border=24), SPACING, moving, 2.0, 4.0)
    np.testing.assert_array_equal(out, later)


def test_what_is_not_corrected_stays_and_nothing_is_written_to():
    labels, before = frame(3), frame(2)
    labels[7, 0, 0] = 9
    kept = labels.copy()
    out = carried(labels, before, frame(2, border=24), SPACING, moving, 2.0, 3.0)
    assert out[7, 0, 0] == 9
    np.testing.assert_array_equal(labels, kept)
    np.testing.assert_array_equal(carried(labels, before, before, SPACING, moving, 2, 3), labels)


def test_a_correction_that_leaves_the_volume_changes_nothing():
    far = lambda points, start, end: points + (end - start) * 1000.0  # noqa: E731
    out = carried(frame(3), frame(2), frame(2, border=24), SPACING, far, 2.0, 3.0)
    np.testing.assert_array_equal(out, frame(3))


def test_frames_of_different_shapes_are_refused():
    with pytest.raises(InputError, match="one grid"):
        carried(frame(1), frame(2), frame(2)[1:], SPACING, moving, 2.0, 1.0)
