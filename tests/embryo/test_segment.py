"""Cells of a small embryo, found from its nuclei and membranes."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_spatimeinr.embryo.segment import segment
from napari_spatimeinr.errors import InputError
from small_embryo import SmallEmbryo

SPACING = (0.9, 0.3, 0.3)


def dice(found, true):
    """Of each true cell."""
    return {
        int(label): 2
        * np.count_nonzero((found == label) & (true == label))
        / (np.count_nonzero(found == label) + np.count_nonzero(true == label))
        for label in np.unique(true)
        if label
    }


@cache
def world(faint=1.0):
    """Eight cells; the first one's membrane to its nearest neighbour is faint."""
    embryo = SmallEmbryo.of(8, half=(6.0, 6.0, 9.0))
    near = int(cKDTree(embryo.places).query(embryo.places[0], k=2)[1][1])
    embryo = SmallEmbryo(embryo.places, embryo.half, weak=(0, near), faint=faint)
    pair = sorted(list(embryo.numbers.values())[n] for n in (0, near))
    return embryo, embryo.membranes(SPACING), embryo.labels(SPACING), tuple(pair)


def test_every_cell_is_found_with_its_own_label():
    embryo, frame, true, _ = world()
    found = segment(frame, SPACING, embryo.nuclei, embryo.numbers)
    assert found.labels.dtype == np.uint16
    assert found.said == []
    assert found.unseen == []
    scores = dice(found.labels, true)
    assert set(np.unique(found.labels)) == {0, *scores}
    assert np.mean(list(scores.values())) > 0.94
    assert min(scores.values()) > 0.9


def test_the_origin_moves_nuclei_and_voxels_together():
    embryo, frame, _, _ = world()
    at = segment(frame, SPACING, embryo.nuclei, embryo.numbers)
    origin = (5.0, -2.0, 1.0)
    moved = {name: tuple(np.add(place, origin)) for name, place in embryo.nuclei.items()}
    there = segment(frame, SPACING, moved, embryo.numbers, origin)
    np.testing.assert_array_equal(at.labels, there.labels)


def test_a_membrane_that_nobody_saw_is_marked_and_lies_between_both_nuclei():
    embryo, frame, true, pair = world(faint=0.0)
    found = segment(frame, SPACING, embryo.nuclei, embryo.numbers)
    assert found.unseen == [pair]
    assert 0 < found.unseen_share(pair[0]) < 0.5
    apart = set(embryo.numbers.values()) - set(pair)
    assert {found.unseen_share(label) for label in apart} == {0}
    assert min(dice(found.labels, true)[label] for label in pair) > 0.85


def test_where_intensities_are_uncertain_no_membrane_counts_as_seen():
    embryo, frame, _, _ = world()
    sure = segment(frame, SPACING, embryo.nuclei, embryo.numbers)
    unsure = np.zeros_like(frame)
    unsure[:, :, frame.shape[2] // 2 :] = frame.max()
    found = segment(frame, SPACING, embryo.nuclei, embryo.numbers, confidence=unsure)
    np.testing.assert_array_equal(found.labels, sure.labels)
    right = {embryo.numbers[n] for n, at in embryo.nuclei.items() if at[2] > 14}
    left = {embryo.numbers[n] for n, at in embryo.nuclei.items() if at[2] < 10}
    assert {label for pair in found.unseen for label in pair} >= right
    assert not any(set(pair) <= left for pair in found.unseen)


def test_an_embryo_that_the_volume_cuts_is_segmented_up_to_its_edge():
    embryo, frame, true, _ = world()
    part = (slice(None), slice(None), slice(0, 40))
    inside = {name: at for name, at in embryo.nuclei.items() if at[2] < 39 * 0.3}
    found = segment(frame[part], SPACING, inside, embryo.numbers)
    labels = np.where(np.isin(true[part], [embryo.numbers[n] for n in inside]), true[part], 0)
    assert np.mean(list(dice(found.labels, labels).values())) > 0.9
    assert found.said == []


def test_nuclei_that_cannot_be_are_told_and_leave_the_others_as_they_are():
    embryo, frame, true, _ = world()
    first = next(iter(embryo.nuclei))
    nuclei = {
        **embryo.nuclei,
        "P2": (99.0, 1.0, 1.0),
        "P3": embryo.nuclei[first],
        "P4": (0.9, 1.5, 1.5),
    }
    names = {**embryo.numbers, "P2": 101, "P3": 102, "P4": 103}
    found = segment(frame, SPACING, nuclei, names)
    assert found.said[0] == "No cell is found for P2: outside of the volume."
    assert found.said[1].startswith(
        f"No cell is found for P3: its nucleus is where that of {first}"
    )
    assert found.said[2].startswith("No cell is found for P4: no membrane was seen around")
    assert not np.isin(found.labels, [101, 102, 103]).any()
    assert np.mean(list(dice(found.labels, true).values())) > 0.93


def test_no_nuclei_are_no_cells_and_one_nucleus_is_one_cell():
    embryo = SmallEmbryo(np.array([[8.0, 8.0, 10.0], [99.0, 99.0, 99.0]]), (5.0, 5.0, 7.0))
    frame, true = embryo.membranes(SPACING), embryo.labels(SPACING)
    assert not segment(frame, SPACING, {}, {}).labels.any()
    found = segment(frame, SPACING, {"P0": (8.0, 8.0, 10.0)}, {"P0": 10})
    assert dice(found.labels, true)[10] > 0.94


@pytest.mark.parametrize("bad", [np.zeros((3, 3)), np.full((3, 3, 3), np.nan)])
def test_a_frame_that_is_none_is_refused(bad):
    with pytest.raises(InputError, match="finite and"):
        segment(bad, SPACING, {}, {})


def test_a_cell_without_a_label_is_refused():
    with pytest.raises(InputError, match="P2 have no labels"):
        segment(np.zeros((3, 3, 3)), SPACING, {"P2": (0, 0, 0)}, {})


@pytest.mark.parametrize("shape", [(1, 20, 20), (5, 1, 9), (2, 2, 2), (6, 30, 30)])
@pytest.mark.parametrize("bright", [0.0, 1.0])
def test_every_nucleus_has_a_cell_or_a_sentence_whatever_the_frame(shape, bright):
    rng = np.random.default_rng(0)
    extent = np.array(shape) * SPACING
    nuclei = {f"N{n}": tuple(rng.uniform(0, 0.9, 3) * extent) for n in range(4)}
    names = {name: n + 1 for n, name in enumerate(nuclei)}
    found = segment(bright * rng.random(shape), SPACING, nuclei, names)
    assert found.labels.shape == shape
    told = " ".join(found.said)
    for name, label in names.items():
        more = " more" in told
        assert label in found.labels or name in told or more
