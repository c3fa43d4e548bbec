"""One file of a folder."""

from __future__ import annotations

from pathlib import Path

from ...data.record import Record
from ...errors import FormatError, InputError
from ..formats import in_series
from ..options import ReadOptions


def read_frame(file: Path, how: ReadOptions) -> Record:
    """The time point, or the plane of one, in a file.

    Raises
    ------
    FormatError
        If it is empty or damaged.
    InputError
        If it holds several time points.
    """
    format = in_series(file)
    if format is None:
        raise FormatError(f"{file} is neither a TIFF nor a NIfTI; move it away.")
    if file.stat().st_size == 0:
        raise FormatError(f"{file} is empty (0 bytes); copy or export it again.")
    record = format.read(file, how)
    if record.shape[0] > 1:
        raise InputError(
            f"{file} holds {record.shape[0]} time points where one was expected; open it alone, or"
            " say that they are planes with axes='ZYX' (--axes ZYX)."
        )
    return record
