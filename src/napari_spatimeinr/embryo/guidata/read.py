"""Reading the folder of an embryo: labels with their names, membranes, and who divides."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import FormatError
from ...io.staging import recover
from .. import dictionary
from ..sentences import listed
from ..volumes import Series, Triple, numbered
from .layout import RAW, SEG, TEXTS, is_embryo


@dataclass(frozen=True)
class GuiFolder:
    """An embryo that was read.

    Parameters
    ----------
    embryo : its name.
    numbers : of its time points.
    labels : ``(T, Z, Y, X)``, read when indexed.
    membranes : the same; None where there are none.
    names : label -> name.
    files : by number, those of the labels.
    """

    embryo: str
    numbers: list[int]
    labels: Series
    membranes: Series | None
    names: dict[int, str]
    files: dict[int, Path]

    @property
    def spacing(self) -> Triple:
        """Of the voxels, (z, y, x) as the files have it."""
        return self.labels.spacing

    def listed(self, kind: str, number: int) -> list[list[int]]:
        """The lines of a text file of a time point, labels each.

        Parameters
        ----------
        kind : ``TPCell``, ``GuiNeighbor``, ``DivisionCell`` or ``LostCell``.

        Raises
        ------
        FormatError
            If it is missing or holds other things than labels.
        """
        file = self.files[number]
        stem = file.name.split(".")[0]
        path = file.parent.parent / kind / f"{stem}{TEXTS[kind]}"
        try:
            with open(path, encoding="utf-8", newline="") as opened:
                return [[int(float(label)) for label in row] for row in csv.reader(opened) if row]
        except (OSError, ValueError) as error:
            raise FormatError(
                f"{path} cannot be read: lines of labels with commas between."
            ) from error


def embryos(folder: Path) -> list[str]:
    """The names of the embryos in a folder."""
    return sorted(entry.name for entry in folder.iterdir() if _counts(entry))


def _counts(entry: Path) -> bool:
    return is_embryo(entry) and not entry.name.endswith((".partial", ".old"))


def open_folder(folder: Path, embryo: str | None = None) -> GuiFolder:
    """Open a GUIData folder, or that of an embryo in one.

    Parameters
    ----------
    folder : either.
    embryo : which of several.

    Raises
    ------
    FormatError
        If there is no embryo, or several and none is named, or labels and membranes are not of the
        same time points, or the dictionary is damaged.
    """
    if _counts(folder):
        folder, embryo = folder.parent, folder.name
    there = embryos(folder) if folder.is_dir() else []
    if embryo is None and len(there) == 1:
        embryo = there[0]
    if embryo is None or not is_embryo(place := recover(folder / embryo)):
        said = f"it has {listed(there)}; say which" if there else "it has none"
        wanted = f"the embryo {embryo}" if embryo else "one embryo, with RawMemb and SegCell"
        raise FormatError(f"{folder} should have {wanted}; {said}.")
    files = numbered(place / SEG)
    labels = Series(list(files.values()), np.uint16)
    membranes = None
    if any((place / RAW).glob("*.nii*")):
        raw = numbered(place / RAW)
        if raw.keys() != files.keys():
            odd = sorted(raw.keys() ^ files.keys())
            raise FormatError(
                f"{place} has labels or membranes alone at the time points"
                f" {listed(odd)}; there is a file of each at all of them."
            )
        membranes = Series(list(raw.values()))
    path = folder / dictionary.FILE
    names = dictionary.by_label(dictionary.read(path)) if path.exists() else {}
    return GuiFolder(embryo, list(files), labels, membranes, names, files)
