"""Lives and divisions: where cells are at any time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_spatimeinr.data.grid import Grid
from napari_spatimeinr.embryo import layers
from napari_spatimeinr.embryo.carried import along
from napari_spatimeinr.embryo.lineage import Life, Lineage, gaps
from napari_spatimeinr.errors import InputError


def line(name: str, frames: list[int], start: float = 0.0, step: float = 1.0) -> Life:
    """A cell that goes along x by ``step`` per time point."""
    x = start + step * np.array(frames, float)
    return Life(name, np.array(frames), np.stack([0 * x + 5, 0 * x + 6, x], -1))


def lineage() -> Lineage:
    """ABa lives at 1 to 3, its daughters from 4, a gap in one of them; P1 throughout."""
    return Lineage.of(
        [
            line("ABar", [4, 5, 6], 100),
            line("ABa", [1, 2, 3]),
            line("ABal", [4, 6], 50),
            line("P1", [1, 2, 3, 4, 5, 6], -20),
        ]
    )


def test_divisions_follow_from_the_names() -> None:
    (division,) = lineage().divisions
    assert (division.mother, division.daughters) == ("ABa", ("ABal", "ABar"))
    assert (division.after, division.before) == (3, 4)
    assert division.sentence() == (
        "ABa divides into ABal and ABar between the time points 3 and 4; it is shown as one cell"
        " until 3.5."
    )


def test_a_mother_is_there_until_the_middle_and_never_with_her_daughters() -> None:
    of = lineage()
    assert of.names_at(3) == ("ABa", "P1")
    assert of.names_at(3.49) == ("ABa", "P1")
    assert of.names_at(3.5) == ("ABal", "ABar", "P1")
    assert of.names_at(4) == ("ABal", "ABar", "P1")
    assert of.names_at(6) == ("ABal", "ABar", "P1")
    assert of.names_at(6.01) == ()
    assert of.names_at(3.5 - 1e-9) == of.names_at(3.5), "times come of seconds"
    assert of.names_at(6 + 1e-9) == of.names_at(6)
    assert of.names_at(0.99) == ()


@given(st.floats(3, 4))
def test_nobody_slides_from_mother_to_daughter(when: float) -> None:
    places = lineage().positions_at(when)
    expected = {"ABa": 3.0, "ABal": 54.0, "ABar": 104.0}
    for name, place in places.items():
        if name != "P1":
            assert place[2] == expected[name]


def test_in_between_is_said() -> None:
    of = lineage()
    assert [d.mother for d in of.dividing_at(3.2)] == ["ABa"]
    assert of.dividing_at(3) == ()
    assert of.dividing_at(4) == ()
    points = layers.points(of, [3.2, 5], first=1)
    assert points.names.tolist() == ["ABa", "P1", "ABal", "ABar", "P1"]
    assert points.dividing.tolist() == [True, False, False, False, False]


@given(st.floats(1, 6))
def test_within_a_life_places_follow_the_course(when: float) -> None:
    assert lineage().positions_at(when)["P1"] == pytest.approx([5, 6, when - 20])


def test_a_spline_bends_where_a_straight_line_would_cut_the_corner() -> None:
    frames = np.arange(1, 9)
    places = np.stack([np.cos(frames / 2), np.sin(frames / 2), 0 * frames], -1)
    at = Life("E", frames, places).at(4.5)
    assert np.hypot(*at[:2]) == pytest.approx(1, abs=2e-3)


def test_along_a_motion_both_sides_are_carried() -> None:
    def carry(points: np.ndarray, start: float, end: float) -> np.ndarray:
        return points + np.array([0, 2 * (end - start), 0])

    of = lineage()
    assert of.positions_at(2.25, carry)["P1"] == pytest.approx(
        [5, 6 + 0.75 * 0.5 - 0.25 * 1.5, -17.75]
    )
    assert of.positions_at(3.25, carry)["ABa"] == pytest.approx([5, 6.5, 3])
    assert of.positions_at(3.75, carry)["ABal"] == pytest.approx([5, 5.5, 54])


def test_tracks_hang_on_their_mothers() -> None:
    tracks = layers.tracks(lineage(), first=1)
    assert tracks.data.shape == (14, 5)
    name = dict(zip(tracks.data[:, 0], tracks.properties["name"], strict=True))
    assert {name[child]: [name[one] for one in of] for child, of in tracks.graph.items()} == {
        "ABal": ["ABa"],
        "ABar": ["ABa"],
    }
    row = tracks.data[tracks.properties["divides"]]
    assert row[:, 1:].tolist() == [[2, 5, 6, 3]]


def test_points_of_all_time_points() -> None:
    points = layers.points(lineage())
    assert sorted(set(points.data[:, 0])) == [0, 1, 2, 3, 4, 5]
    assert len(points.data) == 2 * 3 + 3 * 3
    assert layers.points(lineage(), [99]).data.shape == (0, 4)


def test_gaps_are_told() -> None:
    of = lineage()
    assert gaps(of.lives["ABal"]) == ((4, 6),)
    assert gaps(of.lives["P1"]) == ()


def test_a_division_seen_late_is_placed_in_the_middle_of_what_is_not_known() -> None:
    of = Lineage.of([line("E", [1, 2]), line("Ea", [5, 6])])
    assert of.divisions[0].middle == 3.5
    assert of.divisions[0].daughters == ("Ea",)
    assert of.names_at(3.4) == ("E",)


@pytest.mark.parametrize(
    ("lives", "words"),
    [
        (lambda: [line("E", [1, 2]), line("E", [3])], "twice"),
        (lambda: [line("E", [1, 2]), line("Ea", [2, 3])], "still traced at time point 2"),
        (lambda: [line("E", [2, 1])], "increasing"),
        (lambda: [Life("E", np.array([1]), np.full((1, 3), np.nan))], "finite"),
    ],
)
def test_impossible_lives_are_refused(lives, words) -> None:
    with pytest.raises(InputError, match=words):
        Lineage.of(lives())


def test_nuclei_follow_a_fitted_motion_in_the_time_of_the_recording() -> None:
    class Drift:
        """As a field whose motion is 0.1 um/s along x, of frames at 180 to 540 s."""

        grid = Grid((5, 2, 2, 2), (90.0, 1, 1, 1), (180.0, 0, 0, 0))

        def motion(self, points: np.ndarray, start: float, end: float) -> np.ndarray:
            assert 180 <= min(start, end) <= max(start, end) <= 540
            return points * 0 + np.array([0, 0, 0.1 * (end - start)])

    carry = along(Drift(), 90.0)
    assert lineage().positions_at(3.25, carry)["ABa"] == pytest.approx([5, 6, 3 + 0.25 * 9])
    assert lineage().positions_at(6, carry)["P1"] == pytest.approx([5, 6, -14])
    assert lineage().positions_at(1.5, carry)["ABa"][2] == pytest.approx(0.5 * 1 + 0.5 * 2)
