"""Names of cells as lineages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from napari_spatimeinr.embryo.names import (
    FOUNDERS,
    IRREGULAR,
    ancestors,
    daughters,
    in_order,
    is_lineage,
    mother,
    numbered,
)

REGULAR = st.tuples(st.sampled_from(FOUNDERS), st.text("alprdv", max_size=8)).map("".join)
NAMES = REGULAR | st.sampled_from([*IRREGULAR])


def test_a_daughter_has_a_letter_more_than_her_mother() -> None:
    assert mother("ABala") == "ABal"
    assert mother("MSa") == "MS"
    assert mother("Ep") == "E"


def test_the_first_cells_and_the_germ_line_have_names_of_their_own() -> None:
    assert ancestors("Z3") == ("P4", "P3", "P2", "P1", "P0")
    assert ancestors("MS") == ("EMS", "P1", "P0")
    assert mother("AB") == "P0"
    assert mother("D") == "P3"
    assert mother("P0") is None


def test_names_of_no_lineage_have_no_mother() -> None:
    for name in ("", "polar1", "Nuc12", "ABx", "EMSa", "P5", "abal", "ABal ", "P1a", "Z4"):
        assert not is_lineage(name), name
        assert mother(name) is None, name


@given(NAMES)
def test_every_name_of_the_lineage_leads_to_the_zygote(name: str) -> None:
    assert is_lineage(name)
    assert (name, *ancestors(name))[-1] == "P0"


@given(NAMES, st.lists(NAMES, max_size=20))
def test_daughters_are_those_who_have_the_mother(name: str, among: list[str]) -> None:
    found = daughters(name, among)
    assert set(found) == {one for one in among if mother(one) == name}


@given(st.sets(NAMES | st.sampled_from(["polar1", "Nuc3"]), max_size=30))
def test_mothers_come_before_daughters_and_strangers_last(names: set[str]) -> None:
    ordered = in_order(names)
    place = {name: k for k, name in enumerate(ordered)}
    assert set(ordered) == names
    for name in names:
        assert all(place[one] < place[name] for one in ancestors(name) if one in place)
        if not is_lineage(name):
            assert all(place[one] < place[name] for one in names if is_lineage(one))


@given(st.sets(NAMES, max_size=30))
def test_a_mother_and_all_her_descendants_stand_together(names: set[str]) -> None:
    ordered = in_order(names)
    for name in names:
        family = [k for k, one in enumerate(ordered) if one == name or name in ancestors(one)]
        assert family == list(range(family[0], family[-1] + 1))


def test_the_order_is_that_of_the_embryo_from_front_to_back() -> None:
    names = ["P4", "ABp", "D", "E", "C", "MS", "ABa", "AB", "ABal", "P1", "EMS"]
    assert in_order(names) == [
        *("AB", "ABa", "ABal", "ABp"),
        *("P1", "EMS", "MS", "E", "C", "D", "P4"),
    ]


@given(st.sets(NAMES), st.sets(NAMES))
def test_the_same_name_keeps_its_number(first: set[str], then: set[str]) -> None:
    known = numbered(first)
    assert sorted(known.values()) == list(range(1, len(first) + 1))
    both = numbered(then, known)
    assert all(both[name] == number for name, number in known.items())
    assert len(set(both.values())) == len(first | then)
