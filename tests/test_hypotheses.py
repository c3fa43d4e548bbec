"""Several velocity fields and no motion, blended."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fits import KEPT, MOTION, OFF
from napari_spatimeinr import Volume, fit, load, phantom
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.model.hypotheses import SIGMAS, Hypotheses, Seen, context_sigmas
from napari_spatimeinr.model.motion import VelocityField
from napari_spatimeinr.training.parts import STAGES
from napari_spatimeinr.training.parts.hypotheses_fit import Sample, learn
from napari_spatimeinr.training.parts.motion_fit import Kind, kinds

SHAPE = (4, 8, 8)


def field() -> VelocityField:
    return VelocityField(torch.arange(3.0), SHAPE, (2, 2, 2))


def blend(count: int, seed: int | None = None) -> Hypotheses:
    """What blends so many hypotheses, untrained, or with random weights."""
    module = Hypotheses([field() for _ in range(count - 2)], 8, torch.ones(len(SIGMAS), 3))
    if seed is not None:
        generator = torch.Generator().manual_seed(seed)
        for parameter in (module.prior, *module.layers.parameters()):
            parameter.data = torch.randn(parameter.shape, generator=generator)
    return module.requires_grad_(False)


def seen(values: list[float], contexts: list[float]) -> list[Seen]:
    return [
        Seen(torch.tensor([v]), None, torch.full((len(SIGMAS), 1), c))
        for v, c in zip(values, contexts, strict=True)
    ]


def test_untrained_the_hypothesis_that_aligns_the_frames_counts_most():
    before, after = seen([1.0, 0.2, 0.3], [0.5, 0.5, 0.5]), seen([1.0, 0.6, 0.9], [0.5, 0.8, 0.9])
    (a, _, _), (b, _, _) = blend(3).blended(before, after)
    assert float(a) > np.mean([1.0, 0.2, 0.3])
    assert float(b) > np.mean([1.0, 0.6, 0.9])


def test_where_all_hypotheses_say_the_same_that_is_the_value():
    sides = seen([0.7, 0.7], [0.4, 0.4]), seen([0.9, 0.9], [0.4, 0.4])
    (a, _, _), (b, _, _) = blend(2, seed=1).blended(*sides)
    assert float(a) == pytest.approx(0.7, abs=1e-6)
    assert float(b) == pytest.approx(0.9, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(1, 300), st.integers(0, 1000))
def test_weights_are_positive_and_sum_to_one(count, points, seed):
    generator = torch.Generator().manual_seed(seed)
    before, after = (torch.rand(count, len(SIGMAS), points, generator=generator) for _ in range(2))
    with torch.no_grad():
        weights = blend(count, seed).weights(before, after)
    assert weights.shape == (count, points)
    assert (weights > 0).all()
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-5)


def test_fields_that_are_blended_with_shared_weights_learn_together():
    one = blend(3)
    other = one.of([field()])
    with torch.no_grad():
        one.prior[0] += 1
    assert torch.equal(other.prior, one.prior)
    assert other.fields[0] is not one.fields[0]


def test_the_smoothing_along_z_is_less_where_planes_are_far_apart():
    near, far = context_sigmas((1.0, 1.0, 1.0)), context_sigmas((2.0, 1.0, 1.0))
    assert near[:, 0].tolist() == list(SIGMAS)
    assert (far[:, 0] == near[:, 0] / 2).all()
    assert (far[:, 1:] == near[:, 1:]).all()


def test_learning_finds_out_which_hypothesis_is_right():
    generator = torch.Generator().manual_seed(0)
    values, contexts = torch.rand(3, 4000, generator=generator), torch.zeros(3, len(SIGMAS), 4000)
    sample = Sample(values, contexts, contexts, values[1])
    module = blend(3).requires_grad_(True)
    options = make_config("fast", {"hypotheses": {"steps": 200, "learning_rate": 0.1}}).hypotheses
    for _ in learn(module, [[sample]], options, 0):
        pass
    with torch.no_grad():
        weights = module.weights(contexts, contexts)
    assert weights.mean(1).argmax() == 1
    assert float(weights[1].mean()) > 0.9


def test_a_field_of_each_weight_the_weak_ones_curved_and_a_gradual_one():
    options = make_config("balanced", {"motion": {"smoothness": [0.05, 0.002]}}).motion
    assert kinds(options) == [Kind(0.002, True), Kind(0.05, False), Kind(0.002, True, True)]
    assert kinds(options, several=False) == [Kind(0.05, False)]


def test_the_fields_are_told_by_how_much_they_count_no_motion_last():
    volume, _ = phantom((4, 8, 24, 24), motion=2, seed=1)
    provenance = fit(volume, config=MOTION, device="cpu").provenance
    assert provenance.chosen.hypotheses
    told = provenance.hypotheses.all
    assert [one.smoothness for one in told] == [0.02, None]
    assert sum(one.share for one in told) == pytest.approx(1, abs=1e-3)
    assert told[0].share > told[1].share
    assert sum(one.share_moving for one in told) == pytest.approx(1, abs=1e-3)
    assert told[0].share_moving > told[0].share


def test_where_nothing_moves_no_share_of_what_moves_is_told():
    volume = Volume(np.repeat(phantom((1, 8, 24, 24), seed=1)[0].data[:], 4, 0))
    told = fit(volume, config={**MOTION, "gate": False}, device="cpu").provenance.hypotheses.all
    assert [one.share_moving for one in told] == [None, None]


def test_people_are_told_what_is_blended():
    report = {"all": [{"smoothness": 0.02, "curved": True, "share": 0.7}, {"share": 0.3}]}
    said = STAGES["hypotheses"].told(report)
    assert said == "Motion is blended of smoothness 0.02 curved (70 %), no motion (30 %)."
    for one, share in zip(report["all"], (0.9, 0.1), strict=True):
        one["share_moving"] = share
    assert STAGES["hypotheses"].told(report) == (
        "Motion is blended of smoothness 0.02 curved (70 / 90 %), no motion (30 / 10 %)."
        " The second share is where something moves."
    )
    assert STAGES["hypotheses"].told({}) == ""


def test_one_field_alone_is_followed_where_nothing_is_to_be_blended():
    volume, _ = phantom((4, 8, 24, 24), motion=2, seed=1)
    one = fit(volume, config={**MOTION, "hypotheses": OFF}, device="cpu")
    assert one.network.hypotheses is None
    assert one.provenance.hypotheses is None
    assert not one.provenance.chosen.hypotheses
    assert one.provenance.smoothness == 0.02


def test_a_saved_blend_renders_the_same_bits(tmp_path):
    volume, _ = phantom((3, 8, 20, 20), motion=2, seed=2)
    several = {**KEPT["motion"], "smoothness": [0.01, 0.1], "gradual": True}
    field = fit(volume, config={**KEPT, "motion": several}, device="cpu")
    assert len(field.network.fields) == 4
    field.save(tmp_path / "m.spatimeinr")
    again = load(tmp_path / "m.spatimeinr", device="cpu")
    assert (again.render(time_scale=3).data == field.render(time_scale=3).data).all()


def test_two_frames_are_blended_without_anything_to_learn_from():
    volume, truth = phantom((2, 16, 32, 32), motion=3, seed=0)
    result = fit(volume, config={**MOTION, "hypotheses": {"steps": 50}}, device="cpu")
    exact = truth.frame(float(volume.grid.coordinates(0).mean()), volume.grid)
    between = result.render(time_scale=2).data[1]
    linear = np.asarray(volume.data).mean(0)
    assert np.mean((between - exact) ** 2) < np.mean((linear - exact) ** 2)


def test_what_goes_on_refines_every_field():
    volume, _ = phantom((4, 8, 24, 24), motion=2, seed=1)
    first = fit(volume, config=MOTION, device="cpu")
    more = fit(volume, config=MOTION, device="cpu", resume=first)
    assert len(more.network.fields) == len(first.network.fields)
    assert more.provenance.hypotheses == first.provenance.hypotheses
    assert not torch.equal(more.network.fields[0].nodes, first.network.fields[0].nodes)


def test_frames_that_do_not_move_stay_as_they_are_between():
    one = np.random.default_rng(0).random((1, 6, 20, 20), np.float32)
    still = Volume(np.repeat(one, 4, 0))
    out = fit(still, config=MOTION, device="cpu").render(time_scale=2).data
    assert np.abs(out - one).max() < 0.02
