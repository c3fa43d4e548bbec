"""Which motion carries a rendering where: labels."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fits import KEPT, MOTION, OFF
from napari_spatimeinr import Field, Volume, fit, load, phantom
from napari_spatimeinr.analysis.sentences import labels_sentence, motion_names
from napari_spatimeinr.config.facts import ConfidenceTable
from napari_spatimeinr.errors import GridError
from napari_spatimeinr.model.confidence import LEVELS
from napari_spatimeinr.model.network import Network


@pytest.fixture(scope="module")
def blended() -> Field:
    """Three fields and no motion."""
    several = {**KEPT["motion"], "smoothness": [0.01, 0.1], "gradual": True}
    volume, _ = phantom((3, 8, 18, 24), motion=2, seed=2)
    return fit(volume, config={**KEPT, "motion": several}, device="cpu")


def of(field: Field, volume: Volume | None = None, network: Network | None = None) -> Field:
    """Another Field with the same provenance."""
    volume, network = volume or field.volume, network or field.network
    how = field.normalisation, field.config, field.device, field.interpolation
    return Field(volume, network, *how, field.provenance)


def test_labels_are_whole_numbers_of_the_motions_that_are_blended(blended):
    labels = blended.lazy(time_scale=2, what="hypothesis")
    assert labels.dtype == np.uint8
    assert len(motion_names(blended.provenance)) == 4
    between = np.asarray(labels[1::2])
    assert between.max() <= 3
    assert len(np.unique(between)) > 1
    assert not np.asarray(labels[::2]).any()


def test_the_label_is_that_of_the_largest_weight(blended):
    module = blended.network.copy()
    hypotheses = module.hypotheses
    for number in range(4):
        hypotheses.prior.data[:] = 0
        hypotheses.prior.data[number] = 100
        labels = of(blended, network=module).render(time_scale=2, what="hypothesis").data[1]
        assert (labels == (number + 1) % 4).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 7), st.integers(1, 8), st.integers(0, 17), st.integers(1, 18))
def test_labels_are_the_same_whatever_they_are_indexed_with(blended, z, depth, y, rows):
    whole = np.asarray(blended.lazy(time_scale=4, what="hypothesis")[1])
    box = slice(z, z + depth), slice(y, y + rows)
    part = blended.lazy(time_scale=4, what="hypothesis")[(1, *box)]
    np.testing.assert_array_equal(part, whole[box])


def trusting(field: Field) -> Field:
    """A Field that says to trust what is spread by less than a hundredth of the range."""
    found = of(field)
    found.provenance = copy.deepcopy(found.provenance)
    widths = [[[0.0, 0.0], [1.0, 1.0]]] * len(LEVELS)
    found.provenance.confidence = ConfidenceTable(
        levels=list(LEVELS), edges=[[0.01], [0.5]], widths=widths, frames=[1]
    )
    return found


@pytest.mark.parametrize("what", ["hypothesis", "trust"])
def test_labels_of_coarse_voxels_are_those_at_their_centres_not_means(blended, what):
    field = trusting(blended)
    fine = np.asarray(field.lazy(time_scale=2, what=what)[1])
    coarse = np.asarray(field.lazy(time_scale=2, scale_yx=1 / 3, what=what)[1])
    assert len(np.unique(fine)) > 1
    np.testing.assert_array_equal(coarse, fine[:, 1::3, 1::3])


def test_one_motion_alone_is_label_one_and_interpolation_is_zero():
    volume, _ = phantom((4, 8, 24, 24), motion=2, seed=1)
    one = fit(volume, config={**MOTION, "hypotheses": OFF}, device="cpu")
    assert (one.render(time_scale=2, what="hypothesis").data[1::2] == 1).all()
    assert motion_names(one.provenance) == ["no motion", "motion"]
    linear = one.interpolated()
    assert not linear.render(time_scale=2, what="hypothesis").data.any()
    assert motion_names(linear.provenance) == ["no motion"]


def test_intervals_left_to_linear_interpolation_have_no_motion(blended):
    guarded = of(blended)
    guarded.provenance.guard.linear = [0]
    guarded = of(guarded)
    labels = guarded.render(time_scale=2, what="hypothesis").data
    assert not labels[1].any()
    assert labels[3].any()


def test_a_saved_model_has_the_same_labels_and_their_names(blended, tmp_path):
    again = load(blended.save(tmp_path / "m.spatimeinr"), device="cpu")
    labels = [f.render(time_scale=2, what="hypothesis").data for f in (blended, again)]
    np.testing.assert_array_equal(*labels)
    assert motion_names(again.provenance) == motion_names(blended.provenance)


def test_labels_are_told_in_words():
    several = {"all": [{"smoothness": 0.02, "curved": True}, {"smoothness": 0.1}, {}]}
    assert labels_sentence({"hypotheses": several}) == (
        "0 is no motion, or a frame as it was acquired; 1 smoothness 0.02 curved; 2 smoothness 0.1"
        " straight."
    )


def test_acquired_frames_are_kept_among_intensities_only(blended):
    with pytest.raises(GridError, match="Acquired frames hold intensities"):
        blended.lazy(time_scale=2, keep_acquired=True, what="hypothesis")
    with pytest.raises(GridError, match="trusted, got 'motion'"):
        blended.lazy(what="motion")
