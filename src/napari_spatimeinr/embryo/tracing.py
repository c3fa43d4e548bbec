"""A CellTracing csv: which cell's nucleus is where at which time point, read and written.

Two layouts are known, AceTree's with thirteen columns and the short one of five. ``x`` is the
column and ``y`` the row of the raw image, from 0; ``z`` is a slice, fractional.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, InputError
from ..io.atomic import replacing
from . import names as _names
from .sentences import listed, text_of

Array = NDArray[np.float64]

LONG = (
    *("cellTime", "cell", "time", "none", "global", "local", "blot", "cross"),
    *("z", "x", "y", "size", "gweight"),
)
"""AceTree's columns."""
SHORT = ("cell", "time", "z", "x", "y")
"""What is needed of them."""


@dataclass(frozen=True, eq=False)
class Tracing:
    """Rows of a tracing, one for each cell and time point.

    Parameters
    ----------
    cells : ``(n,)`` names.
    frames : ``(n,)`` numbers of time points, as the csv counts them.
    places : ``(n, 3)``: slice, row and column of the raw recording, as the csv counts them.
    columns : of the csv, in their order.
    others : what the csv says in the columns that are not in ``SHORT``, ``(n,)`` for each.
    source : the file, for messages.
    warnings : a sentence for each thing that was odd and how it was taken.
    """

    cells: tuple[str, ...]
    frames: NDArray[np.int64]
    places: Array
    columns: tuple[str, ...] = LONG
    others: dict[str, tuple[str, ...]] = field(default_factory=dict)
    source: str = "The tracing"
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.cells)

    def only(self, kept: NDArray[np.bool_], *warnings: str) -> Tracing:
        """The rows that are kept, ``(n,)``, and why others are not."""
        chosen = np.flatnonzero(kept)
        return replace(
            self,
            cells=tuple(self.cells[k] for k in chosen),
            frames=self.frames[chosen],
            places=self.places[chosen],
            others={name: tuple(c[k] for k in chosen) for name, c in self.others.items()},
            warnings=(*self.warnings, *warnings),
        )


def read_tracing(path: str | os.PathLike[str]) -> Tracing:
    """Read a CellTracing csv in either layout, whatever its line ends and the order of its columns.

    Rows that say the same twice count once; of rows that give a cell two places at a time the first
    counts. Both are told in the warnings, as are names of no lineage.

    Raises
    ------
    FormatError
        If the file cannot be read, is empty, lacks a column, or a row has no number where one is
        needed.
    """
    path = Path(path)
    rows, header = _table(path)
    lacking = [name for name in SHORT if name not in header]
    if lacking:
        raise FormatError(
            f"{path} lacks the column{'s' if len(lacking) > 1 else ''} {listed(lacking)}; a cell"
            f" tracing has {','.join(SHORT)}, or {','.join(LONG)}."
        )
    if not rows:
        raise FormatError(f"{path} holds no row; export the tracing again.")
    at = {name: header.index(name) for name in header}
    parsed = [_row(path, line, row, at) for line, row in rows]
    others = {
        name: tuple(row[at[name]] if at[name] < len(row) else "" for _, row in rows)
        for name in header
        if name and name not in (*SHORT, "cellTime")
    }
    tracing = Tracing(
        tuple(cell for cell, _, _ in parsed),
        np.array([frame for _, frame, _ in parsed], dtype=np.int64),
        np.array([place for _, _, place in parsed], dtype=np.float64),
        tuple(name for name in header if name),
        others,
        str(path),
    )
    return _named(_single(tracing))


def write_tracing(path: str | os.PathLike[str], tracing: Tracing) -> Path:
    """Write a tracing in its own layout, with CRLF, whole or not at all.

    Raises
    ------
    SaveError
        If the file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(tracing.columns)
    for k, (cell, frame) in enumerate(zip(tracing.cells, tracing.frames, strict=True)):
        z, y, x = (number(value) for value in tracing.places[k])
        known = {"cell": cell, "time": str(frame), "z": z, "x": x, "y": y}
        known["cellTime"] = f"{cell}:{frame}"
        writer.writerow(
            [
                known[name] if name in known else tracing.others.get(name, _none(len(tracing)))[k]
                for name in tracing.columns
            ]
        )
    with replacing(path) as temporary:
        temporary.write_bytes(text.getvalue().encode("utf-8"))
    return Path(path)


def number(value: float) -> str:
    """The shortest decimal number that is read as the same value, ``12.3`` or ``12``."""
    return np.format_float_positional(float(value), trim="-")


def check_names(cells: Iterable[str], source: str) -> str | None:
    """A sentence on names that belong to no lineage, or None where all do."""
    strange = _names.in_order({cell for cell in cells if not _names.is_lineage(cell)})
    if not strange:
        return None
    return (
        f"{source} names {listed(strange)}, which {'are' if len(strange) > 1 else 'is'} in no"
        f" lineage; {'they are' if len(strange) > 1 else 'it is'} kept, without mother or"
        " daughters."
    )


def _none(n: int) -> Sequence[str]:
    return ("",) * n


def _table(path: Path) -> tuple[list[tuple[int, list[str]]], list[str]]:
    """The rows of a csv with the numbers of their lines, and its header."""
    text = text_of(path, "the csv of a cell tracing")
    if not text.strip():
        raise FormatError(f"{path} is empty; export the tracing again.")
    first = text.lstrip().splitlines()[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise FormatError(f"{path} is no csv ({error}); export the tracing again.") from error
    rows = [(line, row) for line, row in rows if any(row)]
    return rows[1:], rows[0][1]


def _row(
    path: Path, line: int, row: list[str], at: dict[str, int]
) -> tuple[str, int, tuple[float, ...]]:
    """Cell, time point and (slice, row, column)."""
    cell = row[at["cell"]] if at["cell"] < len(row) else ""
    if not cell:
        raise FormatError(f"Line {line} of {path} names no cell; correct or remove it.")
    values = {}
    for name in ("time", "z", "y", "x"):
        text = row[at[name]] if at[name] < len(row) else ""
        try:
            values[name] = float(text)
        except ValueError:
            values[name] = math.nan
        # Beyond what a float counts exactly there is no recording.
        if not math.isfinite(values[name]) or abs(values[name]) > 1e9:
            raise FormatError(
                f"Line {line} of {path} has no number for {name} of {cell} ({text!r}); correct or"
                " remove it."
            )
    if values["time"] != round(values["time"]):
        raise FormatError(
            f"Line {line} of {path} has a fractional time point ({values['time']:g}) for {cell};"
            " time points are counted in whole numbers."
        )
    return cell, int(values["time"]), (values["z"], values["y"], values["x"])


def _single(tracing: Tracing) -> Tracing:
    """One row for each cell and time point, in the order of the file."""
    seen: dict[tuple[str, int], int] = {}
    kept = np.ones(len(tracing), dtype=bool)
    twice: list[str] = []
    elsewhere: list[str] = []
    for k, key in enumerate(zip(tracing.cells, tracing.frames.tolist(), strict=True)):
        first = seen.setdefault(key, k)
        if first == k:
            continue
        kept[k] = False
        same = np.array_equal(tracing.places[first], tracing.places[k])
        (twice if same else elsewhere).append(f"{key[0]} at {key[1]}")
    told = []
    if twice:
        told.append(f"{tracing.source} says twice where {listed(twice)} is; once was taken.")
    if elsewhere:
        told.append(
            f"{tracing.source} gives two places for {listed(elsewhere)}; the first was taken."
        )
    return tracing.only(kept, *told) if told else tracing


def _named(tracing: Tracing) -> Tracing:
    """With a warning where names are of no lineage.

    Raises
    ------
    InputError
        If none is, so that the file is something else.
    """
    if not any(_names.is_lineage(cell) for cell in set(tracing.cells)):
        some = listed(sorted(set(tracing.cells)))
        raise InputError(
            f"{tracing.source} names no cell of the lineage, only {some}; give a tracing with names"
            " such as ABal and MSa."
        )
    told = check_names(tracing.cells, tracing.source)
    return tracing if told is None else replace(tracing, warnings=(*tracing.warnings, told))
