"""NIfTI: one file, or one for each time point."""

from __future__ import annotations

from pathlib import Path

from ...data.record import Record
from ..format import Format, Holds
from ..options import ReadOptions, WriteOptions


class Nifti(Format):
    """NIfTI-1 and NIfTI-2, packed or not; Analyze is read."""

    name = "A NIfTI"
    family = "nifti"
    endings = (".nii", ".nii.gz", ".hdr", ".img")
    writable = (".nii", ".nii.gz")
    holds = Holds(uneven_times=True)
    in_series = True

    def read(self, path: Path, how: ReadOptions) -> Record:
        """See :func:`.nifti.read.read`."""
        from .read import read

        return read(path, how)

    def write(self, record: Record, path: Path, how: WriteOptions) -> Path:
        """See :func:`.nifti.write.write`."""
        from .write import write

        return write(record, path, how.dtype)
