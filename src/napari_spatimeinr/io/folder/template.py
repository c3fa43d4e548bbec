"""Files of a folder by a template of their names, where these are known and others may lie beside
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import InputError
from .order import NAMED, Series


def pattern(template: str) -> re.Pattern[str]:
    """What the whole of a name must match, with the groups ``t`` and ``z``.

    Parameters
    ----------
    template : with ``{t:03}`` and ``{z:02}`` for numbers of at least so many digits, padded with
        zeros; everything else stands for itself, but for the case of the ending.

    Raises
    ------
    InputError
        If it has not one of each.
    """
    parts = re.split(r"\{([tz])(?::0?(\d+))?\}", template)
    if sorted(parts[1::3]) != ["t", "z"]:
        raise InputError(
            f"A template of slices has {{t:03}} and {{z:02}} in it, one of each, got {template!r}."
        )
    out = ""
    for k, part in enumerate(parts):
        if k % 3 == 0:
            out += re.escape(part)
        elif k % 3 == 1:
            width = int(parts[k + 1] or 1)
            # Longer numbers are not padded, so that no two names are of one number.
            out += rf"(?P<{part}>[0-9]{{{width}}}|[1-9][0-9]{{{width},8}})"
    stem, dot, end = out.rpartition(r"\.")
    return re.compile(rf"{stem}{dot}(?i:{end})" if dot else out)


def numbered(files: Iterable[Path], template: str) -> dict[tuple[int, int], Path]:
    """Files whose names are of a template, by the numbers (t, z) of time point and slice.

    Raises
    ------
    InputError
        If two have the same numbers.
    """
    names = pattern(template)
    out: dict[tuple[int, int], Path] = {}
    for file in files:
        found = names.fullmatch(file.name)
        if found is None:
            continue
        key = int(found["t"]), int(found["z"])
        if key in out:
            raise InputError(
                f"{out[key]} and {file} are both slice {key[1]} of time point {key[0]}; give the"
                " folder of one of them."
            )
        out[key] = file
    return out


def series_of(
    known: dict[tuple[int, int], Path],
    template: str,
    where: str,
    times: Sequence[int] | None = None,
    depth: int | None = None,
) -> Series:
    """The wanted files in order.

    Parameters
    ----------
    known : files by (t, z), at least one.
    template : of their names.
    where : what they are called in a message.
    times : numbers of the time points wanted, increasing; all from the first to the last if None.
    depth : number of slices there should be, where it is known.

    Raises
    ------
    InputError
        If a slice of a wanted time point is missing.
    """
    ts, zs = sorted({t for t, _ in known}), sorted({z for _, z in known})
    wanted = list(range(ts[0], ts[-1] + 1) if times is None else times)
    have = set(ts)
    absent = [t for t in wanted if t not in have]
    if absent:
        told = ", ".join(map(str, absent[:NAMED]))
        more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
        raise InputError(
            f"{where} lack time point {told}{more} (there are {ts[0]} to {ts[-1]}); add what is"
            " missing, or leave it out of time_point."
        )
    planes = range(zs[0], max(zs[-1], zs[0] - 1 + (depth or 0)) + 1)
    gaps = [(t, z) for t in wanted for z in planes if (t, z) not in known]
    if gaps:
        some = ", ".join(f"slice {z} of time point {t}" for t, z in gaps[:NAMED])
        more = f" and {len(gaps) - NAMED} more" if len(gaps) > NAMED else ""
        raise InputError(
            f"{where} lack {some}{more}; add what is missing, or leave the time point out of"
            " time_point."
        )
    files = [[known[t, z] for z in planes] for t in wanted]
    return Series(files, template, (wanted[0], planes[0]), (wanted[-1], planes[-1]))
