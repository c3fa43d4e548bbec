"""CellTracing csv: read in both layouts, written again, and put into its recording."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr.embryo.placing import Raw, lineage_of, tracing_of
from napari_spatimeinr.embryo.tracing import LONG, SHORT, Tracing, read_tracing, write_tracing
from napari_spatimeinr.errors import FormatError, InputError, SaveError

RAW = Raw((10, 40, 60), (0.9, 0.3, 0.3), tuple(range(1, 7)))
ROWS = (
    "ABa,1,3.5,20,10\r\nABa,2,3.6,21,10\r\nABal,3,3,25,10\r\nABar,3,4,16,10\r\n"
    "ABal,4,3,26,10\r\nABar,4,4,15,10\r\nP1,1,5,40,12.5\r\nP1,2,5,41,12\r\n"
)
LONG_ROWS = (
    "ABa:1,ABa,1,0,25000,25100,25000,0,3.5,20,10,40,9\r\n"
    "ABa:2,ABa,2,0,25001,25101,25000,0,3.6,21,10,41,8\r\n"
)


def written(path: Path, text: str | bytes, name: str = "Emb1_CellTracing.csv") -> Path:
    file = path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_the_short_layout(tmp_path: Path) -> None:
    tracing = read_tracing(written(tmp_path, "cell,time,z,x,y\r\n" + ROWS))
    assert len(tracing) == 8
    assert tracing.cells[:3] == ("ABa", "ABa", "ABal")
    assert tracing.places[0].tolist() == [3.5, 10, 20], "slice, row, column"
    assert tracing.frames.tolist()[:3] == [1, 2, 3]
    assert tracing.warnings == ()


def test_the_long_layout_keeps_what_else_it_says(tmp_path: Path) -> None:
    file = written(tmp_path, ",".join(LONG) + "\r\n" + LONG_ROWS)
    tracing = read_tracing(file)
    assert tracing.others["gweight"] == ("9", "8")
    again = write_tracing(tmp_path / "again.csv", tracing)
    assert again.read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    "text",
    [
        "cell,time,z,x,y\n" + ROWS.replace("\r\n", "\n"),
        "\ufeffcell,time,z,x,y\r\n" + ROWS + "\r\n\r\n",
        "cell, time, z, x, y\r\n" + ROWS.replace(",", " , "),
        "cell;time;z;x;y\r\n" + ROWS.replace(",", ";"),
        "cell,time,z,x,y,\r\n" + ROWS.replace("\r\n", ",\r\n"),
        "cell,time,z,x,y\r\n" + ROWS.rstrip(),
        "cell,time,z,x,y\r\n" + ROWS.replace(",1,", ",1.0,"),
    ],
)
def test_line_ends_blanks_and_separators_do_not_matter(tmp_path: Path, text: str) -> None:
    plain = read_tracing(written(tmp_path, "cell,time,z,x,y\r\n" + ROWS))
    other = read_tracing(written(tmp_path, text, "other.csv"))
    assert other.cells == plain.cells
    assert np.array_equal(other.places, plain.places)
    assert np.array_equal(other.frames, plain.frames)


def test_the_order_of_columns_does_not_matter(tmp_path: Path) -> None:
    tracing = read_tracing(written(tmp_path, "y,x,z,time,cell\r\n10,20,3.5,1,ABa\r\n"))
    assert tracing.places.tolist() == [[3.5, 10, 20]]
    assert write_tracing(tmp_path / "w.csv", tracing).read_bytes() == (
        b"y,x,z,time,cell\r\n10,20,3.5,1,ABa\r\n"
    )


CELLS = st.sampled_from(["AB", "ABala", "EMS", "MSap", "P4", "Z2", "Cpapaa"])
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda v: v + 0.0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(CELLS, st.integers(1, 1200), NUMBERS, NUMBERS, NUMBERS),
        min_size=1,
        max_size=20,
        unique_by=lambda row: row[:2],
    ),
    st.sampled_from([LONG, SHORT]),
)
def test_what_is_written_is_read_again_bit_for_bit(rows, columns) -> None:
    cells, frames, *places = zip(*rows, strict=True)
    given = Tracing(cells, np.array(frames), np.array(places).T, columns)
    with tempfile.TemporaryDirectory() as folder:
        file = write_tracing(Path(folder) / "a.csv", given)
        with file.open(newline="") as text:
            plain = list(csv.DictReader(text))
        found = read_tracing(file)
    assert [(row["cell"], int(row["time"])) for row in plain] == [row[:2] for row in rows]
    assert [tuple(float(row[k]) for k in "zyx") for row in plain] == [row[2:] for row in rows]
    assert all("e" not in row[k] for row in plain for k in "zyx")
    assert (found.cells, found.columns) == (given.cells, given.columns)
    assert np.array_equal(found.frames, given.frames)
    assert np.array_equal(found.places, given.places)


def refused(kind: type[Exception], file: Path) -> str:
    with pytest.raises(kind) as caught:
        read_tracing(file)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert str(file) in text
    return text


HEAD = "cell,time,z,x,y\r\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (" \r\n\r\n", "is empty"),
        (HEAD, "holds no row"),
        ("cell,time,x\r\nABa,1,2\r\n", "lacks the columns z and y"),
        ("cell,time,z,x\r\nABa,1,2,3\r\n", "lacks the column y"),
        (HEAD + "ABa,1,3,20,10\r\nABa,2,3,,10\r\n", "Line 3"),
        (HEAD + "ABa,1,3,20\r\n", "no number for y of ABa"),
        (HEAD + "ABa,1,nan,20,10\r\n", "no number for z"),
        (HEAD + "ABa,1.5,3,20,10\r\n", "fractional time point"),
        (HEAD + ",1,3,20,10\r\n", "names no cell"),
        (b"\xff\xfe\x00\x01", "no text"),
        ("t,a,b\r\n1,2,3\r\n", "lacks the columns cell, time, z and 2 more"),
    ],
)
def test_what_is_no_tracing_is_refused_in_a_sentence(tmp_path: Path, text, words) -> None:
    assert words in refused(FormatError, written(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "does not exist" in refused(FormatError, tmp_path / "a.csv")
    refused(FormatError, tmp_path)


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    text = HEAD + "Nuc1,1,3,20,10\r\nNuc2,1,3,20,10\r\n"
    assert "no cell of the lineage, only Nuc1 and Nuc2" in refused(
        InputError, written(tmp_path, text)
    )


def test_duplicates_count_once_and_are_told(tmp_path: Path) -> None:
    text = HEAD + "ABa,1,3,20,10\r\nABa,1,3,20,10\r\nP1,1,5,40,12\r\nP1,1,6,40,12\r\n"
    tracing = read_tracing(written(tmp_path, text))
    assert tracing.cells == ("ABa", "P1")
    assert tracing.places[1, 0] == 5
    assert "says twice where ABa at 1 is" in tracing.warnings[0]
    assert "two places for P1 at 1; the first" in tracing.warnings[1]


def test_strangers_are_kept_and_told(tmp_path: Path) -> None:
    text = HEAD + "ABa,1,3,20,10\r\npolar1,1,3,21,10\r\n"
    tracing = read_tracing(written(tmp_path, text))
    assert tracing.cells == ("ABa", "polar1")
    assert "polar1, which is in no lineage" in tracing.warnings[0]


def test_nothing_is_half_written(tmp_path: Path) -> None:
    tracing = read_tracing(written(tmp_path, HEAD + ROWS))
    with pytest.raises(SaveError):
        write_tracing(tmp_path / "no" / "a.csv", tracing)
    assert [file.name for file in tmp_path.iterdir()] == ["Emb1_CellTracing.csv"]


# -- in the recording ------------------------------------------------------------------


def in_recording(path: Path, rows: str, raw: Raw = RAW, rootname: str | None = "Emb1_"):
    return lineage_of(read_tracing(written(path, HEAD + rows)), raw, rootname)


def test_places_are_physical_and_slices_count_from_one(tmp_path: Path) -> None:
    lineage, told = in_recording(tmp_path, ROWS)
    assert lineage.lives["ABa"].positions[0] == pytest.approx([2.5 * 0.9, 3.0, 6.0])
    assert [d.mother for d in lineage.divisions] == ["ABa"]
    assert told == [
        "%s has no cell at the time points 5 and 6." % (tmp_path / "Emb1_CellTracing.csv")
    ]


@given(
    st.lists(st.tuples(*[st.floats(0, 100)] * 3), min_size=1),
    st.booleans(),
    st.sampled_from([0, 1]),
)
def test_places_in_um_go_back_to_the_csv(places, flip, first) -> None:
    raw = Raw(RAW.shape, RAW.spacing, RAW.frames, first, flip)
    assert raw.to_places(raw.to_um(np.array(places))) == pytest.approx(np.array(places), abs=1e-9)


def test_a_flip_counts_slices_from_the_other_end() -> None:
    flipped = Raw(RAW.shape, RAW.spacing, RAW.frames, z_flip=True)
    assert flipped.to_um(np.array([[1.0, 2, 3]]))[0] == pytest.approx([9 * 0.9, 0.6, 0.9])
    assert flipped.to_um(np.array([[10.0, 2, 3]]))[0, 0] == 0


def test_rows_that_cannot_be_right_are_left_out_and_told(tmp_path: Path) -> None:
    rows = ROWS + "P1,9,5,40,12\r\nP1,3,5,400,12\r\nABa,3,3,20,10\r\nP1,6,5,40,12\r\n"
    lineage, told = in_recording(tmp_path, rows, rootname="Emb2_")
    said = "\n".join(told)
    assert "name of Emb1 while the slices are of Emb2" in said
    assert "1 row at time points beyond the recording (1 to 6)" in said
    assert "P1 at 3 outside of the slices (10 x 40 x 60; z, y, x)" in said
    assert "still has ABa at 3 where a daughter is there" in said
    assert "lacks P1 at 3" in said
    assert lineage.lives["ABa"].last == 2
    assert lineage.lives["P1"].frames.tolist() == [1, 2, 6]


def test_the_tracing_of_another_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"time points 1 to 4 and the recording has 50 to 60"):
        in_recording(tmp_path, ROWS, Raw(RAW.shape, RAW.spacing, tuple(range(50, 61))))
    with pytest.raises(InputError, match=r"of 8 places .* outside of the slices \(10 x 8 x 8"):
        in_recording(tmp_path, ROWS, Raw((10, 8, 8), RAW.spacing, RAW.frames))


def test_a_mother_known_only_beside_her_daughters_is_left_out(tmp_path: Path) -> None:
    lineage, told = in_recording(tmp_path, "Ea,1,2,3,4\r\nE,2,2,3,4\r\nEa,2,2,3,4\r\n")
    assert lineage.names == ("Ea",)
    assert "E at 2" in told[0]


@pytest.mark.parametrize("flip", [False, True])
def test_a_lineage_is_written_as_the_same_tracing(tmp_path: Path, flip: bool) -> None:
    raw = Raw(RAW.shape, RAW.spacing, (1, 2, 3, 4), z_flip=flip)
    lineage, _ = in_recording(tmp_path, ROWS, raw)
    tracing = tracing_of(lineage, raw, columns=SHORT)
    found = {
        (cell, frame): place
        for cell, frame, place in zip(tracing.cells, tracing.frames, tracing.places, strict=True)
    }
    assert len(found) == 8
    assert found["ABar", 4] == pytest.approx([4, 10, 15])
    finer = tracing_of(lineage, raw, {n: 1 + (n - 1) / 2 for n in range(1, 8)})
    assert finer.frames.tolist().count(4) == 2, "at 2.5 the daughters are there, and not the mother"
    again = read_tracing(write_tracing(tmp_path / "finer.csv", finer))
    assert again.columns == LONG
