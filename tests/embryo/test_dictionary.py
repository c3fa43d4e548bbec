"""The name dictionary: two columns, extended and never renumbered."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_spatimeinr.embryo import dictionary
from napari_spatimeinr.errors import FormatError, InputError

names = st.lists(st.text("ABCDEMSPalprvd1234", min_size=1, max_size=8), max_size=20)


@given(names, names)
def test_labels_once_given_stay_and_are_one_for_each_name(first, second):
    known = dictionary.extended({}, first)
    more = dictionary.extended(known, second)
    assert known.items() <= more.items()
    assert sorted(more.values()) == list(range(1, len({*first, *second}) + 1))


def test_the_file_is_label_and_name_under_a_line_that_pandas_tools_expect(tmp_path):
    path = tmp_path / "name_dictionary.csv"
    dictionary.extend(path, ["AB", "P1"])
    dictionary.extend(path, ["P1", "EMS"])
    with open(path, newline="") as file:
        assert list(csv.reader(file)) == [["", "0"], ["1", "AB"], ["2", "P1"], ["3", "EMS"]]


def test_a_dictionary_that_has_all_names_is_left_as_it_is(tmp_path):
    path = tmp_path / "name_dictionary.csv"
    path.write_bytes(b"\xef\xbb\xbflabel,name\r\n7.0,ABal\r\n\r\n3.0,P2\r\n")
    before = path.read_bytes()
    assert dictionary.extend(path, ["ABal"]) == {"ABal": 7, "P2": 3}
    assert path.read_bytes() == before
    assert dictionary.extend(path, ["MS"]) == {"ABal": 7, "P2": 3, "MS": 8}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (",0\n1,AB\n1,P1\n", "ambiguous about P1"),
        (",0\n1,AB\n2,AB\n", "ambiguous about AB"),
        (",0\n1,AB\nP1\n", "the line 'P1'"),
        (",0\n1,AB\n-2,P1\n", "the line '-2,P1'"),
    ],
)
def test_a_damaged_dictionary_is_refused_in_a_sentence(tmp_path, text, said):
    path = tmp_path / "name_dictionary.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match=said):
        dictionary.extend(path, ["EMS"])
    assert path.read_text() == text


@pytest.mark.parametrize("name", ["", "a/b", "a,b", " AB", "../AB", "a\nb"])
def test_a_name_that_no_file_can_have_is_refused(name):
    with pytest.raises(InputError, match="rename it in the tracing"):
        dictionary.extended({}, [name])


def test_labels_fit_into_sixteen_bits():
    with pytest.raises(InputError, match="65535"):
        dictionary.extended({"AB": 65535}, ["P1"])
