"""OME-Zarr 0.4 (Zarr v2) and 0.5 (Zarr v3)."""

from __future__ import annotations

from pathlib import Path

from ...data.record import Record
from ..format import Format, Holds
from ..options import ReadOptions, WriteOptions

METADATA = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
"""Files of which a Zarr folder holds at least one."""


def is_zarr(path: Path) -> bool:
    """Whether a folder holds Zarr metadata."""
    return any((path / name).is_file() for name in METADATA)


class OmeZarr(Format):
    """The folder of an OME-Zarr image."""

    name = "An OME-Zarr"
    endings = writable = (".zarr", ".ome.zarr")
    holds = Holds(uneven_times=True, levels=True)
    is_folder = True
    has_sidecar = False

    def sniff(self, path: Path) -> bool:
        """Whether it is called one, or is one under another name."""
        return self.claims(path) or is_zarr(path)

    def recovered(self, path: Path) -> Path:
        """See :func:`.staging.recover`; what is rendered in parts is refused until it is whole."""
        from ..staging import recover
        from .unfinished import refuse_unfinished

        found = recover(path) if self.claims(path) else path
        refuse_unfinished(found)
        return found

    def read(self, path: Path, how: ReadOptions) -> Record:
        """See :func:`.zarr.read.read`."""
        from .read import read

        return read(path, how)

    def write(self, record: Record, path: Path, how: WriteOptions) -> Path:
        """See :func:`.zarr.write.write`."""
        from .write import write

        return write(record, path, how.dtype, how.zarr_version)
