"""Reading a folder of files: one for each time point, or one for each plane of each time point."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ...data.grid import Grid
from ...data.record import Record
from ...errors import FormatError, InputError
from ..formats import in_series
from ..layout import check_axes
from ..names import ending
from ..nifti import series as nifti_series
from ..options import ReadOptions
from ..provenance import KEY
from .array import FolderArray
from .frame import read_frame
from .order import Series, in_order

MOST_CHECKED = 500
"""So many files are looked into when a folder is opened; in larger ones those whose size in bytes
differs."""


def read(path: Path, how: ReadOptions) -> Record:
    """Read a folder of TIFFs or of NIfTIs, in the order of the numbers that change in their names.

    Each is a time point ``(Z, Y, X)`` or ``(Y, X)``; or, of 2-D TIFFs with two numbers that count,
    each is one plane of one (``Emb1_030_p05.tif``). Planes come by rising number. Files are read
    when they are indexed. The first one states the voxel size; the frame interval is unknown unless
    it is given, or the files were written by this package, which leaves it in a file beside them.

    Parameters
    ----------
    path : the folder.
    how : what the user says about it; ``axes`` name those of a file, a T before them is dropped.

    Returns
    -------
    A record ``(T, Z, Y, X)``; its header holds ``template``, ``first`` and ``last`` numbers (t, z).

    Raises
    ------
    FormatError
        If there is no such file in it, or one is damaged.
    InputError
        If the names do not count without a gap, or the files differ in kind, size or number type.
    GridError
        If the first file states an impossible spacing and none is given.
    """
    nifti_series.recover(path)
    files, family = _files(path)
    axes = None if how.axes is None else check_axes(how.axes).replace("T", "")
    how = dataclasses.replace(how, axes=axes, part=True)
    if len(files) > 1 and axes is None and family == "tiff" and _is_plane(files[0], how):
        how = dataclasses.replace(how, axes="YX")
    series = in_order(path, files, single_planes=how.axes == "YX")
    record = read_series(series, how, str(path), f"{family}-folder")
    if family != "nifti":
        return record
    return _timed(record, nifti_series.shared(path, series.template, record.shape[0]), how)


def read_series(series: Series, how: ReadOptions, source: str, format: str) -> Record:
    """The record of files that are in order already.

    Parameters
    ----------
    series : the files.
    how : what the user says about each; ``part`` and ``axes`` set.
    source, format : for the metadata.

    Raises
    ------
    As :func:`read`, but for names.
    """
    flat = list(chain.from_iterable(series.files))
    first = read_frame(flat[0], how)
    metadata: dict[str, Any] = {**first.metadata, "source": source, "format": format}
    _check_files(flat, how, first, metadata["warnings"])
    count, depth = len(series.files), len(series.files[0]) if series.is_sliced else first.shape[1]
    metadata["header"] = {
        **metadata["header"],
        "template": series.template,
        "first": [*series.first],
        "last": [*series.last],
    }
    metadata["warnings"] += _questions(series, depth, metadata)
    grid = Grid((count, depth, *first.shape[2:]), first.spacing, first.origin)
    data = FolderArray(series, how, grid.shape, np.dtype(metadata["source_dtype"]))
    return Record(data, grid, first.units, first.orientation, metadata)


def _timed(record: Record, said: dict[str, Any], how: ReadOptions) -> Record:
    """With the times that the file beside a series states, unless the user gave others, and how it
    was made.
    """
    if not said:
        return record
    metadata = {**record.metadata, **({KEY: said[KEY]} if said[KEY] else {})}
    dt, origin, times = said["dt"], said["origin"], said["times"]
    given_dt, given_unit = how.given_spacing[0], how.given_units[0]
    unit = given_unit or said["unit"]
    if given_dt is not None:
        dt, origin, times = given_dt, origin * given_dt / dt, None
    else:
        stated = metadata["stated"]
        known = unit is not None or dt != 1.0
        metadata["stated"] = {
            "spacing": [dt if known else None, *stated["spacing"][1:]],
            "units": [unit, stated["units"][1]],
        }
        metadata["calibrated_by"] = {
            **metadata["calibrated_by"],
            "dt": "given" if given_unit else said["name"] if known else None,
        }
    spacing, start = (dt, *record.spacing[1:]), (origin, *record.origin[1:])
    grid = Grid(record.shape, spacing, start, times)
    units = (unit or record.units[0], record.units[1])
    return Record(record.data, grid, units, record.orientation, metadata)


def _files(path: Path) -> tuple[list[Path], str]:
    """The files of a recording, sorted by name, and which family of formats they are of.

    Raises
    ------
    FormatError
        If there are none.
    InputError
        If there are some of both families.
    """
    families = {}
    for file in sorted(path.iterdir()):
        format = in_series(file)
        if format is not None and file.name[0] != "." and file.is_file():
            families[file] = format.family
    # A header and its voxels are one file.
    halves = {f for f in families if ending(f) == ".img" and f.with_suffix(".hdr").is_file()}
    files = [file for file in families if file not in halves]
    if not files:
        what = "a folder without TIFFs and NIfTIs" if any(path.iterdir()) else "an empty folder"
        raise FormatError(
            f"{path} is {what}; give a recording, or a folder with one TIFF or NIfTI for each time"
            " point."
        )
    family, *others = {families[file] for file in files}
    if others:
        raise InputError(
            f"{path} holds TIFFs and NIfTIs; put the files of one recording into a folder of their"
            " own."
        )
    return files, family


def _is_plane(file: Path, how: ReadOptions) -> bool:
    """Whether a TIFF holds a single plane; one that is damaged is told about later."""
    try:
        return read_frame(file, dataclasses.replace(how, axes="YX")).shape[:2] == (1, 1)
    except (FormatError, InputError):
        return False


def _questions(series: Series, depth: int, metadata: dict[str, Any]) -> list[str]:
    if not series.is_sliced:
        return []
    count = len(series.files)
    out = [
        f"The names were read as {series.template}: {count} time points of {depth} planes; is that"
        " right?"
    ]
    if (
        metadata["stated"]["spacing"][1] is None
        and metadata["stated"]["spacing"][3] is not None
        and depth > 1
    ):
        unit = metadata["stated"]["units"][1]
        out.append(
            f"The files do not state the z step; 1 {unit} was assumed: what is it (--spacing"
            " DT,DZ,DY,DX)?"
        )
    return out


def _check_files(files: list[Path], how: ReadOptions, first: Record, warnings: list[str]) -> None:
    """Refuse files unlike the others, and ask about another calibration."""
    looked = files
    if len(files) > MOST_CHECKED:
        size = files[0].stat().st_size
        looked = [files[0], *[f for f in files[1:] if f.stat().st_size != size][: MOST_CHECKED - 1]]
    facts = [_facts(first), *(_facts(read_frame(file, how)) for file in looked[1:])]
    kinds = [(shape, dtype) for shape, dtype, _ in facts]
    usual = Counter(kinds).most_common(1)[0][0]
    for file, kind in zip(looked, kinds, strict=True):
        if kind != usual:
            got, expected = (
                f"{' x '.join(map(str, shape))} {dtype}" for shape, dtype in (kind, usual)
            )
            raise InputError(
                f"{file} holds {got} where the other files hold {expected} (z, y, x); export it"
                " again or move it away."
            )
    other = next(
        (file for file, fact in zip(looked, facts, strict=True) if fact[2] != facts[0][2]), None
    )
    if other is not None:
        warnings.append(
            f"{other.name} states another voxel size than {files[0].name}, whose was taken: is that"
            " right?"
        )


def _facts(frame: Record) -> tuple[Any, ...]:
    """What is compared between the files; the frame itself, and with it the open file,
    is let go.
    """
    return frame.shape[1:], frame.metadata["source_dtype"], frame.metadata["stated"]
