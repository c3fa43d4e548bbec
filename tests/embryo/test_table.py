"""The tidy table of an embryo."""

from __future__ import annotations

import csv
from importlib.util import find_spec

import pytest

from napari_spatimeinr.embryo import table
from napari_spatimeinr.embryo.measure import Cell, Measures

MEASURED = {
    1: Measures({1: Cell(100.0, 120.0, (1.0, 2.0, 3.0))}),
    2: Measures(
        {2: Cell(48.0, 70.5, (1.0, 2.0, 2.0)), 3: Cell(52.0, 75.0, (1.0, 2.0, 4.0))},
        {(2, 3): 12.25},
    ),
}
NAMES = {1: "ABa", 2: "ABal", 3: "ABar"}


def test_there_is_a_row_for_each_cell_and_time(tmp_path):
    path = tmp_path / "Emb1_cells.csv"
    table.write_table(path, table.rows("Emb1", MEASURED, NAMES, {1: 0.0, 2: 45.0}))
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["time_point"], row["cell"]) for row in rows] == [
        ("1", "ABa"), ("2", "ABal"), ("2", "ABar"),
    ]  # fmt: skip
    last = rows[2]
    assert last["embryo"] == "Emb1"
    assert float(last["time_s"]) == 45
    assert float(last["volume_um3"]) == 52
    assert float(last["surface_um2"]) == 75
    assert [float(last[f"{axis}_um"]) for axis in "zyx"] == [1, 2, 4]
    assert (last["neighbours"], last["contact_um2"]) == ("1", "12.25")


def test_what_nobody_saw_has_a_column_where_it_is_known(tmp_path):
    path, times = tmp_path / "Emb1_cells.csv", {1: 0.0, 2: 45.0}
    table.write_table(path, table.rows("Emb1", MEASURED, NAMES, times, {2: {"ABar": 0.25}}))
    with open(path, newline="") as file:
        assert [row["unseen"] for row in csv.DictReader(file)] == ["", "", "0.25"]
    table.write_table(path, table.rows("Emb1", MEASURED, NAMES, times))
    assert "unseen" not in path.read_text()


@pytest.mark.beside
def test_volumes_are_drawn_over_time_where_matplotlib_is(tmp_path):
    path = tmp_path / "volumes.png"
    rows = table.rows("Emb1", MEASURED, NAMES, {1: 0.0, 2: 45.0})
    if find_spec("matplotlib") is None:
        with pytest.raises(ImportError):
            table.draw_volumes(path, rows, {1})
        return
    table.draw_volumes(path, rows, {1})
    assert path.read_bytes().startswith(b"\x89PNG")
