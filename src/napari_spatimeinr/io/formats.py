"""The table of file formats, and which of them a path is of.

To add a format: one module with a :class:`.format.Format`, and one line in :data:`FORMATS`.
"""

from __future__ import annotations

from pathlib import Path

from .folder import Folder
from .format import Format
from .names import ending
from .nifti import Nifti
from .tiff import ImageJTiff, OmeTiff
from .zarr import OmeZarr

FORMATS: tuple[Format, ...] = (
    Nifti(),
    ImageJTiff(),
    OmeTiff(),
    OmeZarr(),
    Folder(),
)
"""In the order in which they are tried, and their endings told; a folder without an ending of its
own comes last.
"""

ENDINGS = tuple(kind for format in FORMATS for kind in format.endings)
"""Of recordings."""
WRITABLE = tuple(kind for format in FORMATS for kind in format.writable)
"""Endings that are written."""


def claiming(path: Path) -> Format | None:
    """The format of a name, whatever is there."""
    return next((format for format in FORMATS if format.claims(path)), None)


def recovered(path: Path) -> Path:
    """Where a recording lies, once what a killed process left of it is put right."""
    for format in FORMATS:
        path = format.recovered(path)
    return path


def sniffed(path: Path) -> Format | None:
    """The format of what is there."""
    return next((format for format in FORMATS if format.sniff(path)), None)


def writing(path: Path) -> Format | None:
    """The format that is written to a name."""
    return next((format for format in FORMATS if format.writes(path)), None)


def in_series(path: Path) -> Format | None:
    """The format of a file that may be one of many in a folder, by its ending."""
    kind = ending(path)
    return next((format for format in FORMATS if format.in_series and kind in format.endings), None)
