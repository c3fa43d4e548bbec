"""The name dictionary: the same cell has the same label in all files of all embryos.

``name_dictionary.csv`` has two columns, label and name. Tools that read it with pandas look the
names up in the column ``0``, so the first line is ``,0``; any other first line is read as well.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import FormatError, InputError
from ..io.atomic import WAIT, in_a_sentence, swapping
from ..io.locks import alone
from .names import numbered

FILE = "name_dictionary.csv"
HEAD = ("", "0")
LARGEST = 2**16 - 1
"""Labels are stored as 16-bit numbers."""
REFUSED = frozenset('/\\:*?"<>|,\r\n\t')
"""Characters that names of files or lines of tables cannot have."""


def checked_name(name: str) -> str:
    """A cell's name itself, once it can stand in tables and in names of files.

    Raises
    ------
    InputError
        If it cannot.
    """
    if not name or name != name.strip() or name.startswith(".") or REFUSED & set(name):
        raise InputError(
            f"A cell cannot be called {name!r}, which is no name for a file; rename it in the"
            " tracing."
        )
    return name


def extended(known: Mapping[str, int], names: Iterable[str]) -> dict[str, int]:
    """Labels of cells: those known stay as they are, further names get the next ones.

    Parameters
    ----------
    known : name -> label.
    names : each counts once; new ones are numbered in the order of their lineage.

    Raises
    ------
    InputError
        If a name cannot be one of a file, or labels would not fit into 16 bits.
    """
    out = numbered(names, known)
    new = out.keys() - known.keys()
    for name in new:
        checked_name(name)
    if new and max(out.values()) > LARGEST:
        raise InputError(
            f"Labels of cells go up to {LARGEST}, and the dictionary would need"
            f" {max(out.values())}; begin a new one in another folder."
        )
    return out


def read(path: Path) -> dict[str, int]:
    """Labels of cells by name, from a ``name_dictionary.csv``.

    Raises
    ------
    FormatError
        If it is missing, is no such table, or gives a name two labels or two names one label.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file) if any(field.strip() for field in line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(
            f"{path} cannot be read as a name dictionary: a text of two columns, label and name."
        ) from error
    out: dict[str, int] = {}
    taken: dict[int, str] = {}
    for number, line in enumerate(lines):
        label = _label(line[0]) if len(line) >= 2 else None
        name = line[1].strip() if len(line) >= 2 else ""
        if label is None or not name:
            if number == 0:
                continue  # the names of the columns, whatever they are
            raise FormatError(
                f"{path} has the line {','.join(line)!r}, which is no label and name; correct it."
            )
        if out.get(name, label) != label or taken.get(label, name) != name:
            raise FormatError(
                f"{path} is ambiguous about {name} and the label {label}; each name has one label,"
                " and each label one name."
            )
        out[name], taken[label] = label, name
    return out


def extend(path: Path, names: Iterable[str]) -> dict[str, int]:
    """Write a dictionary with further names, or a new one; what it has already stays.

    Parameters
    ----------
    path : of the file. It is untouched when all names are in it.
    names : as of :func:`extended`.

    Returns
    -------
    Labels by name, of all.

    Raises
    ------
    FormatError, InputError
        As :func:`read` and :func:`extended`.
    SaveError
        If it cannot be written; an earlier file stays as it was.
    """
    with in_a_sentence(path), alone(path, WAIT):
        known = read(path) if path.exists() else {}
        out = extended(known, names)
        if len(out) > len(known) or not path.exists():
            with (
                swapping(path) as temporary,
                open(temporary, "w", encoding="utf-8", newline="") as file,
            ):
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(HEAD)
                rows.writerows((label, name) for name, label in out.items())
    return out


def by_label(labels: Mapping[str, int]) -> dict[int, str]:
    """Names by label."""
    return {label: name for name, label in labels.items()}


def _label(text: str) -> int | None:
    """A label as it is written, ``12`` or ``12.0``; None for anything else."""
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() and number > 0 else None
