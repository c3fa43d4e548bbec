"""TIFF: OME-TIFF, ImageJ hyperstacks and plain stacks of pages; what a file holds decides how it is
read, its ending how it is written.
"""

from __future__ import annotations

from pathlib import Path

from ...data.record import Record
from ..format import ALL, Format, Holds
from ..options import ReadOptions, WriteOptions


class _Tiff(Format):
    """What both have in common."""

    name = "A TIFF"
    family = "tiff"
    in_series = True

    def read(self, path: Path, how: ReadOptions) -> Record:
        """See :func:`.tiff.read.read`."""
        from .read import read

        return read(path, how)

    def write(self, record: Record, path: Path, how: WriteOptions) -> Path:
        """See :func:`.tiff.write.write`."""
        from .write import write

        return write(record, path, how.dtype)


class ImageJTiff(_Tiff):
    """ImageJ hyperstacks."""

    endings = writable = (".tif", ".tiff")
    holds = Holds(dtypes=("u1", "u2", "f4"), orientation=False)
    refusal = (
        "An ImageJ TIFF cannot hold {dtype}; choose uint8, uint16 or float32 (--dtype) or save as"
        " .ome.tif or NIfTI."
    )


class OmeTiff(_Tiff):
    """OME-TIFF, packed and tiled."""

    endings = writable = (".ome.tif", ".ome.tiff")
    holds = Holds(dtypes=tuple(kind for kind in ALL if kind not in ("u8", "i8")), uneven_times=True)
    refusal = (
        "OME-TIFF cannot hold {dtype}; choose another type (--dtype float32) or save as NIfTI."
    )
