"""Tables of an embryo over time, and the lines of its text files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...io import replacing
from ..measure import Measures

Measured = Mapping[int, Measures]
Row = list[Any]


def put_lines(path: Path, rows: Iterable[Row]) -> None:
    """Write rows with commas between, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def neighbours(measures: Measures) -> list[Row]:
    """For each cell its label, and those of its neighbours."""
    return [[label, *measures.neighbours(label)] for label in measures.cells]


def lives(measured: Measured) -> list[Row]:
    """For each cell its label, and the numbers of the time points it is seen at."""
    seen: dict[int, Row] = {}
    for number, measures in sorted(measured.items()):
        for label in measures.cells:
            seen.setdefault(label, [label]).append(number)
    return [seen[label] for label in sorted(seen)]


def over_time(measured: Measured, names: Mapping[int, str], what: str) -> list[Row]:
    """A column for each cell, a row for each time point; empty where a cell is not there.

    Parameters
    ----------
    what : ``volume`` or ``surface``.
    """
    labels = sorted({label for measures in measured.values() for label in measures.cells})
    head: Row = ["", *(names[label] for label in labels)]
    rows = [
        [number, *(_value(measures, label, what) for label in labels)]
        for number, measures in sorted(measured.items())
    ]
    return [head, *rows]


def _value(measures: Measures, label: int, what: str) -> str:
    cell = measures.cells.get(label)
    return "" if cell is None else f"{getattr(cell, what):.4f}"


def contacts(measured: Measured, names: Mapping[int, str]) -> list[Row]:
    """For each pair of cells that ever touch the area at each time point.

    Before their first and after their last contact, or where one is not there, it is empty; 0 where
    they part between.
    """
    numbers = sorted(measured)
    pairs = sorted({pair for measures in measured.values() for pair in measures.contacts})
    rows: list[Row] = [["cell1", "cell2", *numbers]]
    for pair in pairs:
        areas = [measured[n].contacts.get(pair) for n in numbers]
        touching = [k for k, area in enumerate(areas) if area is not None]
        both = [set(pair) <= measured[n].cells.keys() for n in numbers]
        row: Row = [names[label] for label in pair]
        for k, area in enumerate(areas):
            apart = touching[0] < k < touching[-1] and both[k]
            row.append(f"{area:.4f}" if area is not None else "0" if apart else "")
        rows.append(row)
    return rows
