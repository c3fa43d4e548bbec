"""A folder with one file for each time point, or for each plane of each; NIfTIs of one are written
to a name with ``{t}`` in it.
"""

from __future__ import annotations

from pathlib import Path

from ...data.record import Record
from ..format import Format, Holds
from ..names import is_template
from ..options import ReadOptions, WriteOptions


class Folder(Format):
    """Many files that are one recording."""

    name = "A series of NIfTIs"
    holds = Holds(uneven_times=True)
    is_folder = True
    has_sidecar = False

    def claims(self, path: Path) -> bool:
        """Whether files of a series are in it; an empty folder is told so when it is read."""
        from ..formats import in_series

        if not path.is_dir():
            return False
        files = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
        return not files or any(in_series(file) for file in files)

    def sniff(self, path: Path) -> bool:
        """Whether it is a folder."""
        return path.is_dir()

    def read(self, path: Path, how: ReadOptions) -> Record:
        """See :func:`.folder.read.read`."""
        from .read import read

        return read(path, how)

    def writes(self, path: Path) -> bool:
        """Whether a name stands for several files."""
        return is_template(path)

    def write(self, record: Record, path: Path, how: WriteOptions) -> Path:
        """See :func:`.nifti.series.write`."""
        from ..nifti.series import write

        return write(record, path, how.dtype)

    def destination(self, path: Path) -> Path:
        """The folder."""
        return path.parent

    def check_free(self, path: Path) -> None:
        """See :func:`.nifti.series.check_free`."""
        from ..nifti.series import check_free

        check_free(path)

    def present(self, path: Path) -> list[Path]:
        """The files with any number."""
        from ..nifti.series import present

        return present(path)
