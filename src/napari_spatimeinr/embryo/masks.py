"""A mask for each cell, and all of them as labels: ``Emb1_030/Emb1_030_ABal.nii.gz``,
``Emb1_030.nii.gz``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..io.staging import building
from .dictionary import by_label, checked_name, extended
from .volumes import ENDING, Stored, Triple, read_volume, write_volume

FOLDER = re.compile(r".+_\d{3,}")


def stem(root: str, number: int, width: int = 3) -> str:
    """How the files of a time point begin: ``Emb1_030``.

    Parameters
    ----------
    root : as a run file has it, with or without the last ``_``.
    width : digits of the number, see :func:`.volumes.digits`.
    """
    return f"{root.rstrip('_')}_{number:0{width}}"


def write_masks(
    folder: Path,
    stem: str,
    labels: NDArray[Any],
    names: Mapping[str, int],
    spacing: Triple,
    origin: Triple = (0.0, 0.0, 0.0),
) -> list[Path]:
    """Write ``folder/stem/stem_<cell>.nii.gz`` for each cell, all or none, then
    ``folder/stem.nii.gz``.

    Parameters
    ----------
    folder : exists.
    labels : ``(Z, Y, X)``; each label but 0 has a name.
    names : name -> label.
    spacing, origin : (z, y, x), um.

    Returns
    -------
    The masks written, in order of their labels.

    Raises
    ------
    SaveError
        If they cannot be written.
    """
    called = by_label(names)
    there = [int(label) for label in np.unique(labels) if label]
    written = []
    with building(folder / stem, None, is_masks) as build:
        for label in there:
            file = f"{stem}_{checked_name(called[label])}{ENDING}"
            mask = (labels == label).astype(np.uint8)
            write_volume(build.folder / file, mask, spacing, origin)
            written.append(folder / stem / file)
    write_volume(folder / f"{stem}{ENDING}", labels.astype(np.uint16), spacing, origin)
    return written


def is_masks(folder: Path) -> bool:
    """Whether a folder holds the masks of a time point."""
    return FOLDER.fullmatch(folder.name.removesuffix(".partial").removesuffix(".old")) is not None


def read_masks(
    folder: Path, names: Mapping[str, int] | None = None
) -> tuple[Stored, dict[str, int]]:
    """The masks of a time point as labels.

    Parameters
    ----------
    folder : like ``Emb1_030``; its files are called ``Emb1_030_<cell>.nii.gz``.
    names : labels to use, name -> label; further names get the next ones.

    Returns
    -------
    labels : where masks overlap, the smaller cell has the voxel.
    names : name -> label, of all known.

    Raises
    ------
    FormatError
        If there are none, or they are of different shapes.
    """
    begin = f"{folder.name}_"
    files = {
        file.name[len(begin) : -len(ENDING)]: file
        for file in sorted(folder.glob(f"*{ENDING}"))
        if file.name.startswith(begin)
    }
    if not files:
        raise FormatError(f"{folder} has no masks like {begin}ABal{ENDING}.")
    labels = extended(names or {}, files)
    masks = {name: read_volume(file) for name, file in files.items()}
    first = next(iter(masks.values()))
    out = np.zeros(first.data.shape, np.uint16)
    by_size = sorted(masks.items(), key=lambda item: -np.count_nonzero(item[1].data))
    for name, mask in by_size:
        if mask.data.shape != out.shape:
            raise FormatError(
                f"{files[name]} has {mask.data.shape} voxels (z, y, x), others {out.shape}; masks"
                " of one time point have one shape."
            )
        out[mask.data > 0] = labels[name]
    return Stored(out, first.spacing, first.origin), labels
