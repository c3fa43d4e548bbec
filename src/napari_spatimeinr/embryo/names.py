"""Names of cells of *C. elegans* as lineages: whose daughter a cell is can be read from its name.

A founder's descendants add a letter for each division: ``ABala`` is the anterior daughter of
``ABal``. The first cells, and those that become the germ line, have names of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

ZYGOTE = "P0"
IRREGULAR: dict[str, tuple[str, str]] = {
    "P0": ("AB", "P1"),
    "P1": ("EMS", "P2"),
    "EMS": ("MS", "E"),
    "P2": ("C", "P3"),
    "P3": ("D", "P4"),
    "P4": ("Z2", "Z3"),
}
"""Daughters whose names do not follow from their mother's, the anterior one first."""
FOUNDERS = ("AB", "MS", "E", "C", "D", "Z2", "Z3")
"""Cells whose descendants carry their name."""
LETTERS = "aldprv"
"""Anterior, left, dorsal before posterior, right, ventral."""

_MOTHERS = {daughter: mother for mother, pair in IRREGULAR.items() for daughter in pair}
_REGULAR = re.compile(rf"({'|'.join(FOUNDERS)})([{LETTERS}]+)")


def is_lineage(name: str) -> bool:
    """Whether a name is that of a cell of the lineage."""
    return name == ZYGOTE or name in _MOTHERS or _REGULAR.fullmatch(name) is not None


def mother(name: str) -> str | None:
    """The name of a cell's mother: ``ABal`` for ``ABala``, ``P1`` for ``EMS``.

    Returns
    -------
    None for the zygote ``P0``, and for names of no lineage.
    """
    if name in _MOTHERS:
        return _MOTHERS[name]
    return name[:-1] if _REGULAR.fullmatch(name) else None


def daughters(name: str, among: Iterable[str]) -> tuple[str, ...]:
    """The daughters of a cell that are ``among`` some names, in their order of lineage."""
    return tuple(in_order(one for one in set(among) if mother(one) == name))


def ancestors(name: str) -> tuple[str, ...]:
    """All mothers of a cell up to ``P0``, the nearest first."""
    out: list[str] = []
    above = mother(name)
    while above is not None:
        out.append(above)
        above = mother(above)
    return tuple(out)


def in_order(names: Iterable[str]) -> list[str]:
    """Names in the order of their lineage: a mother before her daughters, these before her
    sister, anterior before posterior. Names of no lineage come last.
    """
    return sorted(names, key=_place)


def numbered(names: Iterable[str], known: Mapping[str, int] | None = None) -> dict[str, int]:
    """A number for each name, from 1 in the order of their lineage.

    Parameters
    ----------
    names : of cells; each counts once.
    known : numbers that are given already, which stay; further names get those after the largest.
    """
    out = dict(known or {})
    following = max(out.values(), default=0) + 1
    for number, name in enumerate(in_order(set(names) - set(out)), following):
        out[name] = number
    return out


def _place(name: str) -> tuple[bool, tuple[int, ...], str]:
    """What names are sorted by: the way from ``P0``, a number for each division."""
    if not is_lineage(name):
        return True, (), name
    line = (name, *ancestors(name))
    return False, tuple(_turn(one) for one in reversed(line) if one != ZYGOTE), name


def _turn(name: str) -> int:
    above = _MOTHERS.get(name)
    # P4's daughters and the like: 0 and 1; both lie within the range of letters.
    return LETTERS.index(name[-1]) if above is None else IRREGULAR[above].index(name)
