"""How many frames a recording needed, and where one more would help most."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fits import GATED, INTERPOLATION, OFF
from napari_spatimeinr import Volume, evaluate, fit, phantom
from napari_spatimeinr.analysis.evaluate import own_times
from napari_spatimeinr.analysis.expected import largest_error
from napari_spatimeinr.analysis.frame_plan import Plan, Tried
from napari_spatimeinr.analysis.planner import plan
from napari_spatimeinr.analysis.sentences import ordinal
from napari_spatimeinr.errors import InputError

pytestmark = pytest.mark.usefixtures("one_thread")


def tried(gap: int, psnr: float, linear: float = 0.0, coverage: float = 0.9) -> Tried:
    return Tried(gap, 60.0 * gap, 5, 4, psnr, psnr, linear, coverage)


def planned(rows: list[Tried], wanted: float, asked: bool = True) -> Plan:
    return Plan("cells", 60.0, ("s", "um"), tuple(rows), wanted, asked, None, 1.0)


@pytest.mark.parametrize(
    ("number", "words"),
    [(2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (113, "113th")],
)
def test_numbers_as_people_say_them(number: int, words: str) -> None:
    assert ordinal(number) == words


@given(st.lists(st.floats(0, 60), min_size=1, max_size=6), st.floats(0, 60))
def test_enough_is_the_longest_interval_up_to_which_all_were_good(
    psnr: list[float], wanted: float
) -> None:
    found = planned([tried(gap + 2, value) for gap, value in enumerate(psnr)], wanted)
    good = [value >= wanted for value in psnr]
    last = good.index(False) if False in good else len(good)
    assert found.enough == (found.tried[last - 1] if last else None)


def test_the_sentence_says_what_would_have_been_enough() -> None:
    rows = [tried(2, 38.0, 35.5), tried(3, 36.0, 33.0), tried(4, 33.0, 30.0)]
    words = planned(rows, 35.0).sentence()
    assert "Every 3rd frame would have been enough for 35.0 dB" in words
    assert "one each 180 s instead of 60 s, 33 % of the light." in words
    assert "Linear interpolation needs every 2nd." in words


def test_the_sentence_says_that_no_frame_could_have_been_left_out() -> None:
    words = planned([tried(2, 31.24), tried(3, 40.0)], 35.0).sentence()
    assert words == (
        "No frame could have been left out for 35.0 dB: every 2nd frame gives 31.2 dB."
    )


def test_the_sentence_says_what_was_wanted_where_nothing_was_asked_for() -> None:
    words = planned([tried(2, 31.0)], 30.0, asked=False).sentence()
    assert "for 30.0 dB (1 dB less than every 2nd gives)" in words
    assert "longer intervals were not tried" in words


def test_the_sentence_says_where_confidence_does_not_hold() -> None:
    assert (
        "should hold 90 % of the voxels, holds 61 %"
        in planned([tried(2, 36.0, coverage=0.61)], 35.0).sentence()
    )
    for coverage in (0.88, math.nan):
        assert "confidence" not in planned([tried(2, 36.0, coverage=coverage)], 35.0).sentence()


@pytest.mark.slow
def test_a_plan_has_the_scores_of_evaluate_and_names_what_was_not_tried() -> None:
    volume, _ = phantom((7, 6, 16, 16), motion=1.5, seed=1)
    states: list[str] = []
    found = plan(
        volume, (9, 3, 2), None, "fast", INTERPOLATION, progress=lambda s: states.append(s.stage)
    )
    assert [row.gap for row in found.tried] == [2, 3]
    assert [row.given for row in found.tried] == [4, 3]
    assert [row.scored for row in found.tried] == [3, 4]
    for row in found.tried:
        report = evaluate(volume, "time", row.gap, "fast", INTERPOLATION, baselines=("linear",))
        assert row.psnr == pytest.approx(report.methods["spatimeinr"]["psnr"])
        assert row.linear == pytest.approx(report.methods["linear"]["psnr"])
        assert row.interval == 60 * row.gap
    assert found.wanted == pytest.approx(found.tried[0].psnr - 1)
    assert found.left_out == (
        "Every 9th frame was not tried: it takes at least 10 frames, this recording has 7.",
    )
    assert found.left_out[0] in found.sentence()
    assert {words.split(",")[0] for words in states} == {
        "every 2nd frame",
        "every 3rd frame",
        "all frames",
    }


def test_a_plan_says_of_which_fit_a_warning_is() -> None:
    data = phantom((3, 4, 8, 8))[0].data.copy()
    data[0, 0, 0, :3] = np.nan
    found = plan(Volume(data), (2,), None, "fast", INTERPOLATION)
    assert [words.split(" of ")[0] for words in found.warnings] == [
        "With every 2nd frame: 3",
        "With all frames: 3",
    ]


@pytest.mark.slow
def test_a_plan_says_how_many_voxels_lie_within_confidence() -> None:
    volume, _ = phantom((9, 6, 20, 20), motion=1.5, seed=1)
    found = plan(volume, (2, 6), 20.0, "fast", {**GATED, "latents": OFF, "planes": OFF})
    assert 0.6 < found.tried[0].coverage < 1
    # Two given frames leave none to calibrate on.
    assert math.isnan(found.tried[1].coverage)
    values = found.to_json()
    assert values["gaps"][1]["coverage"] is None
    assert values["one_more_frame"]["calibrated"] is True
    assert "%" in found.table()


@pytest.mark.parametrize(
    ("frames", "gaps", "words"),
    [
        (2, (2, 3), "To try every 2nd frame takes at least 3 frames, this recording has 2."),
        (5, (1, 2), "Gaps are whole numbers from 2 on, got 1, 2."),
        (5, (), "Gaps are whole numbers"),
    ],
)
def test_what_cannot_be_tried_is_told(frames: int, gaps: tuple[int, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        plan(Volume(np.zeros((frames, 2, 4, 4), np.float32)), gaps)


@pytest.mark.slow
@pytest.mark.parametrize("gate", [True, False])
def test_one_more_frame_helps_most_where_and_when_something_changes(gate: bool) -> None:
    """Noise everywhere, and a spot that is elsewhere from frame 4 on."""
    rng = np.random.default_rng(0)
    data = rng.normal(0, 0.02, (8, 8, 32, 32))
    data += np.linspace(0, 1, 32)
    data[:4, 4:, 18:24, 2:6] += 1
    data[4:, 4:, 26:32, 2:6] += 1
    volume = Volume(data.astype(np.float32), (10, 1, 0.5, 0.5), (100, 0, 0, 50))
    spot = largest_error(fit(volume, "fast", {**INTERPOLATION, "gate": gate}, device="cpu"))
    assert spot is not None
    assert spot.calibrated is gate
    assert spot.frames == (3, 4)
    assert spot.times == (130, 140)
    (z0, z1), (y0, y1), (x0, x1) = spot.region
    assert z0 >= 3
    assert 7.5 <= y0 < y1 <= 16
    assert 49 < x0 < x1 <= 54
    assert spot.relative > 1.5
    assert "between frames 3 and 4 (130 to 140 s)" in spot.sentence(("s", "um"))


def test_where_nothing_changes_no_further_frame_helps() -> None:
    for frames in (1, 3):
        still = fit(Volume(np.ones((frames, 4, 6, 6), np.float32)), "fast", INTERPOLATION)
        assert largest_error(still) is None


@pytest.mark.parametrize("gap", [2, 3])
@pytest.mark.parametrize("times", [None, (0.0, 1.0, 4.0, 5.0, 9.0, 10.0, 12.0, 20.0)])
def test_frames_left_out_are_rendered_when_they_were_taken(
    times: tuple[float, ...] | None, gap: int
) -> None:
    data = np.random.default_rng(0).random((8, 3, 6, 6), np.float32)
    whole = Volume(data, times=times)
    taken = whole.grid.coordinates(0)
    part = Volume(data[::gap], (gap, 1.0, 1.0, 1.0), times=None if times is None else times[::gap])
    model = fit(part, config=INTERPOLATION, device="cpu")
    rendered = model.lazy(**own_times(whole, gap)).grid.coordinates(0)
    np.testing.assert_allclose(rendered, taken[: len(rendered)])
    assert len(rendered) == 7
