"""Which file of a folder is which time point, and which plane, told from the numbers in their
names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

from ...errors import InputError
from ..names import ending

TIME_WORDS = ("t", "tp", "time", "timepoint", "frame", "f", "tt")
PLANE_WORDS = ("z", "zp", "p", "s", "sl", "slice", "plane", "pl")
OTHER_WORDS = (
    "c",
    "ch",
    "chan",
    "channel",
    "w",
    "wave",
    "pos",
    "position",
    "xy",
    "well",
    "view",
    "angle",
    "v",
    "series",
)
"""Letters just before a number that say what it counts."""
NAMED = 3
"""So many missing files are named."""


@dataclass(frozen=True)
class Series:
    """Files in order.

    files : ``[t][z]``; one for each time point where a file holds all its planes.
    template : the names with ``{t}`` and ``{z}`` for the numbers that count; ``{t:03}`` where they
        are padded.
    first, last : the numbers (t, z) at both ends; z is None where files hold all planes.
    """

    files: list[list[Path]]
    template: str
    first: tuple[int, int | None]
    last: tuple[int, int | None]

    @property
    def is_sliced(self) -> bool:
        """Whether each file holds one plane of a time point."""
        return self.first[1] is not None


@dataclass(frozen=True)
class _Names:
    """Names taken apart: the words between the numbers, alike in all, and the numbers as they are
    written.
    """

    path: Path
    files: list[Path]
    words: tuple[str, ...]
    digits: list[list[str]]

    def column(self, k: int) -> list[int]:
        return [int(row[k]) for row in self.digits]

    def word(self, k: int) -> str:
        """The letters just before a number."""
        found = re.search(r"([^\W\d_]+)[^\w]*_?$", self.words[k])
        return found.group(1).lower() if found else ""

    def template(self, letters: dict[int, str]) -> str:
        """The first name with some of its numbers replaced."""
        out = self.words[0]
        for k, word in enumerate(self.words[1:]):
            text = self.digits[0][k]
            if k in letters:
                widths = {len(row[k]) for row in self.digits}
                padded = (len(widths) == 1 and len(text) > 1) or any(
                    row[k][0] == "0" and len(row[k]) > 1 for row in self.digits
                )
                text = f"{{{letters[k]}:0{min(widths)}}}" if padded else f"{{{letters[k]}}}"
            out += text + word
        return out + self.files[0].name[-len(ending(self.files[0])) :]


def in_order(path: Path, files: list[Path], single_planes: bool) -> Series:
    """Order files by the numbers that change in their names.

    Parameters
    ----------
    path : their folder, for messages.
    files : at least one, sorted.
    single_planes : whether a file holds one plane only, so that two numbers may count, time and
        planes.

    Raises
    ------
    InputError
        If the names are not of one series, or files are missing.
    """
    if len(files) == 1:
        return Series([files], files[0].name, (0, None), (0, None))
    names = _taken_apart(path, files)
    changing = [k for k in range(len(names.words) - 1) if len(set(names.column(k))) > 1]
    if single_planes:
        pair = _pair(names, changing)
        if pair is not None:
            return _grid(names, *pair)
        if len(changing) == 1 and names.word(changing[0]) in PLANE_WORDS:
            return _stack(names, changing[0])
    at = _counting(names, changing)
    ordered = sorted(zip(names.column(at), files, strict=True))
    for (n, one), (m, other) in pairwise(ordered):
        if n == m:
            raise InputError(
                f"{one.name} and {other.name} in {path} have the same number; move one of them"
                " away."
            )
    _check_gapless(path, ordered)
    return Series(
        [[file] for _, file in ordered],
        names.template({at: "t"}),
        (ordered[0][0], None),
        (ordered[-1][0], None),
    )


def _taken_apart(path: Path, files: list[Path]) -> _Names:
    parts = [re.split(r"([0-9]+)", file.name[: -len(ending(file))]) for file in files]
    words = Counter(tuple(part[::2]) for part in parts)
    usual, count = words.most_common(1)[0]
    odd = next(
        (file for file, part in zip(files, parts, strict=True) if tuple(part[::2]) != usual), None
    )
    if len(usual) < 2 or (odd is not None and count == 1):
        raise InputError(
            f"The files in {path} are not numbered; put the number of the time point into each"
            " name."
        )
    if odd is not None:
        series = next(
            f
            for f, part in zip(files, parts, strict=True)
            if f != odd and tuple(part[::2]) == usual
        )
        raise InputError(
            f"{odd.name} in {path} does not belong to the series of {series.name}; move it into"
            " another folder."
        )
    return _Names(path, files, usual, [part[1::2] for part in parts])


def _counting(names: _Names, changing: Sequence[int]) -> int:
    """The one number that counts the time points."""
    if len(changing) > 1:  # a clock beside the counter, say
        columns = {k: names.column(k) for k in changing}
        unique = [k for k, column in columns.items() if len(set(column)) == len(column)]
        changing = (
            unique
            if len(unique) == 1
            else [k for k in unique if max(columns[k]) - min(columns[k]) + 1 == len(columns[k])]
        )
    if len(changing) == 1:
        return changing[0]
    if not any(len(set(names.column(k))) > 1 for k in range(len(names.words) - 1)):
        return len(names.words) - 2
    raise InputError(
        f"Several numbers change in the names of {names.path} ({names.files[0].name} to"
        f" {names.files[-1].name}), and one has to count the time points (and, with one plane in a"
        " file, another the planes); put each channel or position into a folder of its own."
    )


def _pair(names: _Names, changing: Sequence[int]) -> tuple[int, int] | None:
    """The two numbers that count time points and planes; None where names do not tell such a pair.

    Every time point has every plane; where some are missing, letters before the numbers must say
    what these are.
    """
    count = len(names.files)
    whole, partly = [], []
    for pair in combinations(changing, 2):
        a, b = (names.column(k) for k in pair)
        if any(names.word(k) in OTHER_WORDS for k in pair):
            continue
        if len(set(zip(a, b, strict=True))) < count:
            continue
        if len(set(a)) * len(set(b)) == count:
            whole.append(pair)
        elif {names.word(pair[0]) in TIME_WORDS, names.word(pair[1]) in TIME_WORDS} == {
            True,
            False,
        } or any(names.word(k) in PLANE_WORDS for k in pair):
            partly.append(pair)
    found = whole or [
        pair for pair in partly if max(len(set(names.column(k))) for k in pair) < count
    ]
    if len(found) != 1:
        return None
    first, second = found[0]
    swapped = names.word(first) in PLANE_WORDS or names.word(second) in TIME_WORDS
    agreed = names.word(second) in PLANE_WORDS or names.word(first) in TIME_WORDS
    return (second, first) if swapped and not agreed else (first, second)


def _grid(names: _Names, time: int, plane: int) -> Series:
    ts, zs = names.column(time), names.column(plane)
    known = {(t, z): file for t, z, file in zip(ts, zs, names.files, strict=True)}
    times, planes = range(min(ts), max(ts) + 1), range(min(zs), max(zs) + 1)
    absent = (
        [(t, z) for t in times for z in planes if (t, z) not in known]
        if len(times) * len(planes) < 10**6
        else []
    )
    if absent or len(times) * len(planes) != len(known):
        told = [f"plane {z} of time point {t}" for t, z in absent[:NAMED]]
        more = len(times) * len(planes) - len(known) - len(told)
        which = ", ".join(told) + (f" and {more} more" if more else "")
        raise InputError(
            f"{names.path} lacks {which} (names are read as"
            f" {names.template({time: 't', plane: 'z'})}); add what is missing, or number the files"
            " without a gap."
        )
    files = [[known[t, z] for z in planes] for t in times]
    return Series(
        files,
        names.template({time: "t", plane: "z"}),
        (times[0], planes[0]),
        (times[-1], planes[-1]),
    )


def _stack(names: _Names, plane: int) -> Series:
    """One time point, a file for each plane."""
    ordered = sorted(zip(names.column(plane), names.files, strict=True))
    _check_gapless(names.path, ordered)
    return Series(
        [[file for _, file in ordered]],
        names.template({plane: "z"}),
        (0, ordered[0][0]),
        (0, ordered[-1][0]),
    )


def _check_gapless(path: Path, ordered: list[tuple[int, Path]]) -> None:
    (first, one), (last, other) = ordered[0], ordered[-1]
    gap = last - first + 1 - len(ordered)
    if gap:
        there = {n for n, _ in ordered}
        absent = [n for n in range(first, first + len(there) + NAMED) if n not in there][
            : min(gap, NAMED)
        ]
        more = f" and {gap - len(absent)} more" if gap > len(absent) else ""
        raise InputError(
            f"{path} lacks number {', '.join(map(str, absent))}{more} between {one.name} and"
            f" {other.name}; add what is missing, or number the files without a gap."
        )
