"""The raw recording: one TIFF for each slice of each time point, ``Emb1_030_p05.tif``."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import tifffile
from numpy.typing import NDArray

from ..data.grid import Grid
from ..data.record import Record
from ..errors import FormatError, InputError, SaveError, SpatimeINRError
from ..io.folder.read import read_series
from ..io.folder.template import numbered, pattern, series_of
from ..io.options import ReadOptions
from .calibration import Calibration
from .sentences import listed

TEMPLATES = ("{t:03}_p{z:02}.tif", "_L1-t{t:03}-p{z:02}.tif")
"""What follows the rootname."""
ENDINGS = (".tif", ".tiff")


def template_of(rootname: str, files: Sequence[Path]) -> str | None:
    """The template of the slices of an embryo, as :mod:`.io.folder.template` knows it.

    Parameters
    ----------
    rootname : with or without the ``_`` at its end.
    files : TIFFs.

    Returns
    -------
    The one that most names are of; None where none is.
    """
    best, most = None, 0
    for root in dict.fromkeys((rootname, rootname.rstrip("_"), f"{rootname.rstrip('_')}_")):
        for tail in TEMPLATES:
            for end in ("", "f"):
                template = f"{root}{tail}{end}"
                names = pattern(template)
                count = sum(names.fullmatch(file.name) is not None for file in files)
                if count > most:
                    best, most = template, count
    return best


def rootnames(files: Sequence[Path]) -> list[str]:
    """What the names of slices begin with, sorted; numbers within it are part of it."""
    found = set()
    names = []
    for tail in TEMPLATES:
        # Digits just before the time point would belong to it.
        root = r"(?:.*[^0-9])?" if tail.startswith("{") else ".*"
        names += [re.compile(f"(?P<root>{root}){pattern(tail + end).pattern}") for end in ("", "f")]
    for file in files:
        for name in names:
            match = name.fullmatch(file.name)
            if match:
                found.add(match["root"])
    return sorted(found)


def read_slices(
    folder: str | os.PathLike[str],
    rootname: str | None,
    calibration: Calibration,
    times: Sequence[int] | None = None,
    depth: int | None = None,
) -> Record:
    """The raw recording of an embryo; slices are read when they are indexed.

    Parameters
    ----------
    folder : with its slices, or of a tree with those of several embryos.
    rootname : what the names begin with; may be None where there is one embryo only.
    calibration : of the raw recording.
    times : numbers of the time points wanted, increasing; all if None. Others may be incomplete.
    depth : number of slices there should be (``ori_shape``), where it is known.

    Returns
    -------
    ``(T, Z, Y, X)`` in s and um; the first wanted time point is at its number times dt from that of
    number 0, so that times keep their places whichever are read. Its header has the ``template``
    and the numbers ``time_points``.

    Raises
    ------
    FormatError
        If the folder or its slices are not there, or one is damaged.
    InputError
        If slices are missing or there twice, or there are several embryos and none is named.
    """
    folder = Path(folder)
    files = _files(folder)
    if rootname is None:
        rootname = _only_root(folder, files)
    template = template_of(rootname, files)
    if template is None:
        roots = rootnames(files)
        others = f"; there are those of {listed(roots)}" if roots else ""
        raise FormatError(
            f"{folder} holds no slices such as {rootname}001_p01.tif{others}; check rootname and"
            " raw_path."
        )
    known = numbered(files, template)
    series = series_of(known, template, f"The slices {template} in {folder}", times, depth)
    wanted = list(times) if times is not None else sorted({t for t, _ in known})
    how = ReadOptions(axes="YX", spacing=calibration.spacing, units=("s", "um"), part=True)
    record = read_series(series, how, str(folder), "tiff-folder")
    metadata = {
        **record.metadata,
        "name": rootname.rstrip("_"),
        "header": {**record.metadata["header"], "time_points": wanted},
        # What was asked of the names is known here.
        "warnings": [w for w in record.metadata["warnings"] if "names were read" not in w],
    }
    grid = _timed(record.shape, wanted, calibration)
    return Record(record.data, grid, ("s", "um"), None, metadata)


def _timed(
    shape: tuple[int, int, int, int], wanted: Sequence[int], calibration: Calibration
) -> Grid:
    """The grid on which the time point n is at n dt; even where the wanted ones are."""
    dt = calibration.spacing[0]
    apart = {b - a for a, b in pairwise(wanted)}
    step = min(apart, default=1)
    uneven = tuple(dt * t for t in wanted) if len(apart) > 1 else None
    spacing = (dt * step, *calibration.spacing[1:])
    return Grid(shape, spacing, (dt * wanted[0], 0.0, 0.0, 0.0), uneven)


def write_slices(
    folder: str | os.PathLike[str], rootname: str, frames: Iterable[NDArray[Any]], first: int = 1
) -> Path:
    """Write a TIFF for each slice of each frame, ``Emb1_001_p01.tif``; the folder has its name only
    once all are there.

    Parameters
    ----------
    folder : made; must not be there.
    rootname : what the names begin with.
    frames : ``(Z, Y, X)`` each, in order.
    first : number of the first one.

    Raises
    ------
    SaveError
        If the folder is there already, or a slice cannot be written.
    """
    for _ in slice_steps(folder, rootname, frames, first):
        pass
    return Path(folder)


def slice_steps(
    folder: str | os.PathLike[str], rootname: str, frames: Iterable[NDArray[Any]], first: int = 1
) -> Iterator[int]:
    """The same as :func:`write_slices`, frame by frame: yields how many are written. Closed before
    its end, it leaves nothing.
    """
    folder = Path(folder)
    if folder.exists():
        raise SaveError(f"{folder} is there already; choose another folder.")
    partial = folder.with_name(f"{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for t, frame in enumerate(frames, first):
            for z, plane in enumerate(frame, 1):
                name = rootname + TEMPLATES[0].format(t=t, z=z)
                tifffile.imwrite(partial / name, plane, photometric="minisblack")
            yield t - first + 1
        partial.rename(folder)
    except OSError as error:
        if isinstance(error, SpatimeINRError):
            raise
        raise SaveError(f"{folder} cannot be written ({error.strerror or error}).") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    """All TIFFs of a folder and those below, sorted."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise FormatError(f"{folder} {what}; give the folder of the slices.")
    found = [
        Path(place) / name
        for place, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(ENDINGS) and not name.startswith(".")
    ]
    if not found:
        raise FormatError(f"{folder} holds no TIFF; give the folder of the slices.")
    return sorted(found)


def _only_root(folder: Path, files: Sequence[Path]) -> str:
    roots = rootnames(files)
    if len(roots) == 1:
        return roots[0]
    if roots:
        raise InputError(
            f"{folder} holds the slices of {listed(roots)}; say which embryo with rootname."
        )
    raise FormatError(
        f"{folder} holds no slices such as Emb1_001_p01.tif, but {files[0].name}; check the folder."
    )
