"""The run file of an embryo: ``key=value`` lines that name slices, tracing and sizes."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ..errors import FormatError, InputError
from ..io.atomic import replacing
from .sentences import text_of

MOST = 1_000_000
"""More time points than this are a slip of the pen."""
KEYS = ("rootname", "CD_file", "time_point", "ori_shape", "raw_path", "data_shape", "scale")
OWN_KEYS = ("xy", "z", "dt")
"""Voxel size in um and frame interval in s of the raw recording; an addition of this package."""


@dataclass(frozen=True)
class RunFile:
    """What a run file says.

    Parameters
    ----------
    rootname : what the names of the slices begin with, ``Emb1_``.
    cd_file, raw_path : the tracing and the folder of slices, as they are written.
    time_points : numbers, increasing.
    ori_shape, data_shape : (Y, X, Z) of the raw recording and of what is made of it; None where it
        does not say.
    scale : the largest intensity of the slices.
    xy, z, dt : um, um and s of the raw recording, None where it does not say.
    others : further keys, which are kept.
    path : the file.
    """

    rootname: str
    cd_file: str
    raw_path: str
    time_points: tuple[int, ...]
    ori_shape: tuple[int, int, int] | None = None
    data_shape: tuple[int, int, int] | None = None
    scale: float = 255.0
    xy: float | None = None
    z: float | None = None
    dt: float | None = None
    others: dict[str, str] = field(default_factory=dict)
    path: Path | None = None

    def tracing(self) -> Path:
        """The file of the tracing; see :func:`found`."""
        return found(self.cd_file, self.path, "CD_file")

    def slices(self) -> Path:
        """The folder of slices; see :func:`found`."""
        return found(self.raw_path, self.path, "raw_path")


def read_runfile(path: str | os.PathLike[str]) -> RunFile:
    """Read a run file: a ``key=value`` a line, in any order; what follows a ``#`` is a comment.

    Raises
    ------
    FormatError
        If it cannot be read, a line is no ``key=value``, a key is missing or stands there twice, or
        a value is not what it should be.
    """
    path = Path(path)
    values = _values(path)
    lacking = [key for key in (*KEYS[:3], "raw_path") if not values.get(key)]
    if lacking:
        raise FormatError(f"{path} does not say {' and '.join(lacking)}; add a line {lacking[0]}=.")
    try:
        points = time_points(values["time_point"])
        shapes: dict[str, Any] = {
            key: _shape(values[key], key) for key in ("ori_shape", "data_shape") if key in values
        }
        numbers: dict[str, Any] = {
            key: _positive(values[key], key) for key in ("scale", *OWN_KEYS) if values.get(key)
        }
    except InputError as error:
        raise FormatError(f"{path}: {error}") from error
    others = {key: value for key, value in values.items() if key not in (*KEYS, *OWN_KEYS)}
    return RunFile(
        values["rootname"],
        values["CD_file"],
        values["raw_path"],
        points,
        others=others,
        path=path,
        **shapes,
        **numbers,
    )


def write_runfile(path: str | os.PathLike[str], run: RunFile) -> Path:
    """Write a run file, whole or not at all; paths with ``/``, which every system reads.

    Raises
    ------
    SaveError
        If the file cannot be written.
    """
    values: dict[str, object] = {
        "rootname": run.rootname,
        "CD_file": run.cd_file.replace("\\", "/"),
        "time_point": f"[{', '.join(map(str, run.time_points))}]",
        "ori_shape": run.ori_shape and f"({','.join(map(str, run.ori_shape))})",
        "raw_path": run.raw_path.replace("\\", "/"),
        "data_shape": run.data_shape and f"({','.join(map(str, run.data_shape))})",
        "scale": run.scale,
        **{key: getattr(run, key) for key in OWN_KEYS},
        **run.others,
    }
    lines = [f"{key}={value}\n" for key, value in values.items() if value is not None]
    with replacing(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")
    return Path(path)


def time_points(text: str) -> tuple[int, ...]:
    """Numbers of time points, increasing, each once.

    Parameters
    ----------
    text : a number, a list ``[30, 31]`` or ``30,31``, a range with both ends ``30-39`` or
        ``30:39``, these mixed, or Python's ``range(30, 40)`` without its end.

    Raises
    ------
    InputError
        If it is none of these.
    """
    wrong = InputError(
        f"time_point is a list such as [30,31], or a range such as 30-39, got {text!r}."
    )
    plain = re.sub(r"\s", "", text)
    python = re.fullmatch(r"(?:list\()?range\((\d+),(\d+)(?:,(\d+))?\)\)?", plain)
    if python:
        begin, end, step = (int(part) if part else 1 for part in python.groups())
        out: set[int] = set(_limited(range(begin, end, step or 1)))
    else:
        out = set()
        for part in plain.strip("[]()").rstrip(",").split(","):
            pair = re.fullmatch(r"(\d{1,9})(?:(?:-|:|\.\.)(\d{1,9}))?", part)
            if not pair:
                raise wrong
            begin, end = int(pair[1]), int(pair[2] or pair[1])
            out |= set(_limited(range(begin, end + 1)))
    if not out:
        raise wrong
    return tuple(sorted(out))


def found(text: str, runfile: Path | None, key: str) -> Path:
    """The file or folder that a run file names, with either kind of slashes.

    A relative path is looked for from the working folder, from the folder of the run file, and from
    the one above that, in which ``confs`` and ``data`` often lie side by side.

    Raises
    ------
    FormatError
        If nothing is there, or another thing from the working folder than from the run file.
    """
    plain = text.strip().strip("\"'")
    who = runfile or "The run file"
    windows = PureWindowsPath(plain)
    if windows.drive and os.name != "nt":
        raise FormatError(
            f"{who} names {key}={plain}, which is a path of Windows; write it"
            " relative to the run file."
        )
    parts = windows.parts if "\\" in plain else PurePosixPath(plain).parts
    wanted = Path(*parts) if parts else Path()
    beside = [] if runfile is None else [runfile.parent]
    there = [place / wanted for place in (Path(), *beside) if (place / wanted).exists()]
    if len(there) > 1 and not there[0].samefile(there[1]):
        raise FormatError(
            f"{who} names {key}={plain}, which is there twice, as {there[0].resolve()} and as"
            f" {there[1].resolve()}; write the whole path."
        )
    there += [place / ".." / wanted for place in beside if (place / ".." / wanted).exists()]
    if not there:
        where = ", neither in the working folder nor beside it" if not wanted.is_absolute() else ""
        raise FormatError(f"{who} names {key}={plain}, which does not exist{where}; correct it.")
    return Path(os.path.normpath(there[0]))


def _values(path: Path) -> dict[str, str]:
    text = text_of(path, "a run file")
    values: dict[str, str] = {}
    for n, line in enumerate(text.splitlines(), 1):
        plain = re.sub(r"(^|\s)#.*", "", line).strip()
        if not plain:
            continue
        key, equals, value = (part.strip() for part in plain.partition("="))
        if not equals or not key:
            raise FormatError(f"Line {n} of {path} is no key=value: {plain!r}.")
        if key in values:
            raise FormatError(f"{path} says {key} twice; remove one of the lines.")
        values[key] = value.strip("\"'")
    return values


def _limited(numbers: range) -> range:
    if len(numbers) > MOST:
        raise InputError(f"time_point has {len(numbers)} numbers; give the acquired ones.")
    return numbers


def _shape(text: str, key: str) -> tuple[int, int, int]:
    try:
        values: Sequence[int] = ast.literal_eval(text)
        y, x, z = (int(value) for value in values)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise InputError(f"{key} is three sizes (y,x,z), got {text!r}.") from error
    if min(y, x, z) < 1:
        raise InputError(f"{key} is three sizes of at least 1, got {text!r}.")
    return y, x, z


def _positive(text: str, key: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise InputError(f"{key} is a positive number, got {text!r}.")
    return value
