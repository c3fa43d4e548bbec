"""What a file format is to this package: one object, which the table in :mod:`.formats` lists."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from ..data.record import Record
from . import atomic
from .locks import MOMENT
from .names import ending, is_template
from .options import ReadOptions, WriteOptions

ALL = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8")
"""Number types that any file is written with, see :func:`.frames.storable`."""


@dataclass(frozen=True)
class Holds:
    """What files of a format can hold.

    dtypes : number types.
    uneven_times : frames that are not evenly spaced in time.
    channels : more than one, of which one is read.
    orientation : the direction matrix.
    levels : coarser resolutions beside the full one.
    """

    dtypes: tuple[str, ...] = ALL
    uneven_times: bool = False
    channels: bool = True
    orientation: bool = True
    levels: bool = False


class Format(ABC):
    """A file format; a subclass imports the modules that do the work inside its methods, so that
    the libraries of a format are loaded with its first file.

    A new one is one module with a subclass, and one line in :data:`.formats.FORMATS`.

    name : as sentences name one: "An OME-Zarr".
    family : of formats whose files may lie in one folder.
    endings : of files or folders that are read.
    writable : those of them that are written.
    holds : what it can hold.
    refusal : what is said of a number type that it cannot, with what to do.
    is_folder : whether it is a folder, and not a file.
    has_sidecar : whether a JSON file beside it says more.
    in_series : whether a folder with one for each time point is a recording.
    """

    name: str
    family = ""
    endings: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    holds = Holds()
    refusal = "{name} cannot hold {dtype}; choose another type (--dtype) or save as NIfTI."
    is_folder = False
    has_sidecar = True
    in_series = False

    @abstractmethod
    def read(self, path: Path, how: ReadOptions) -> Record:
        """The recording in a file; see :func:`napari_spatimeinr.io.read`."""

    @abstractmethod
    def write(self, record: Record, path: Path, how: WriteOptions) -> Path:
        """Write a recording; see :func:`napari_spatimeinr.io.write`.

        Returns
        -------
        What can be read: the path, or the folder of a series.
        """

    def claims(self, path: Path) -> bool:
        """Whether a path is of this format by its name."""
        return ending(path) in self.endings

    def sniff(self, path: Path) -> bool:
        """Whether what is there is to be read as this format."""
        return self.claims(path) and not path.is_dir()

    def writes(self, path: Path) -> bool:
        """Whether a name is one to write this format to."""
        return ending(path) in self.writable and not is_template(path)

    def recovered(self, path: Path) -> Path:
        """Where the recording lies, once what a killed process left is put right."""
        return path

    def destination(self, path: Path) -> Path:
        """What is there once it is written, and is read back."""
        return path

    def check_free(self, path: Path) -> None:
        """Raise the SaveError that writing would end in, as far as that can be told before."""
        atomic.check_free(path, MOMENT)

    def present(self, path: Path) -> list[Path]:
        """What is there already under a name that is written to."""
        return [path] if path.exists() else []
