"""What lies where in a folder of ITK-SNAP-CVE.

```
GUIData/name_dictionary.csv
GUIData/Emb1/RawMemb/Emb1_001.nii.gz                      membranes
GUIData/Emb1/SegCell/Emb1_001.nii.gz                      labels, as many files
GUIData/Emb1/TPCell/Emb1_001_cells.txt                    one line: labels that are there
GUIData/Emb1/GuiNeighbor/Emb1_001_guiNeighbor.txt         a line a cell: its label, its neighbours'
GUIData/Emb1/DivisionCell/Emb1_001_division.txt           one line: labels of those that divide
GUIData/Emb1/LostCell/Emb1_001_lostCell.txt               one line: labels traced, not segmented
GUIData/Emb1/Emb1_lifescycle.csv                          a line a cell: its label, its time points
GUIData/Emb1/Emb1_volume.csv, Emb1_surface.csv            a row a time point, a column a cell
GUIData/Emb1/Emb1_Stat.csv                                cell1, cell2, a column a time point; um^2
```
"""

from __future__ import annotations

from pathlib import Path

from ..volumes import ENDING, digits

RAW, SEG = "RawMemb", "SegCell"
TEXTS = {
    "TPCell": "_cells.txt",
    "GuiNeighbor": "_guiNeighbor.txt",
    "DivisionCell": "_division.txt",
    "LostCell": "_lostCell.txt",
}
FOLDERS = {RAW: ENDING, SEG: ENDING, **TEXTS}
LIFE, VOLUME, SURFACE, CONTACT = "lifescycle", "volume", "surface", "Stat"


class Layout:
    """Names of an embryo's files.

    Parameters
    ----------
    folder : of the embryo, where they lie (now).
    embryo : its name.
    last : the largest number of a time point, which decides how many digits all have.
    """

    def __init__(self, folder: Path, embryo: str, last: int) -> None:
        self.folder, self.embryo, self.width = folder, embryo, digits(last)

    def at(self, kind: str, number: int) -> Path:
        """The file of a time point in one of ``FOLDERS``."""
        return self.folder / kind / f"{self.embryo}_{number:0{self.width}}{FOLDERS[kind]}"

    def all_of(self, number: int) -> list[Path]:
        """The files of a time point."""
        return [self.at(kind, number) for kind in FOLDERS]

    def table(self, kind: str) -> Path:
        """One of the tables."""
        return self.folder / f"{self.embryo}_{kind}.csv"


def is_embryo(folder: Path) -> bool:
    """Whether a folder is that of an embryo."""
    return (folder / SEG).is_dir() and (folder / RAW).is_dir()
