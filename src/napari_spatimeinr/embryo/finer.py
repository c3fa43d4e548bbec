"""An embryo written again with more time points and smaller voxels, in the files it came in: what
reads the raw recording, the published program too, reads these.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.record import Record
from ..errors import InputError, SaveError
from ..io.atomic import in_a_sentence
from .lineage import Carry
from .placing import Raw, tracing_of
from .recording import Embryo
from .runfile import write_runfile
from .slices import slice_steps
from .tracing import write_tracing

WHITE = 255.0
"""The largest intensity of the slices, 8 bits each."""


@dataclass(frozen=True)
class Finer:
    """The files of an embryo written again.

    Parameters
    ----------
    folder : of all of them.
    name : of the embryo.
    """

    folder: Path
    name: str

    @property
    def slices(self) -> Path:
        """The folder of slices."""
        return self.folder / f"{self.name}_Raw"

    @property
    def tracing(self) -> Path:
        """The csv."""
        return self.folder / f"{self.name}_CellTracing.csv"

    @property
    def run_file(self) -> Path:
        """The run file, which is written last."""
        return self.folder / f"running_{self.name}.txt"

    @property
    def complete(self) -> bool:
        """Whether all of them are there."""
        return all(file.exists() for file in (self.slices, self.tracing, self.run_file))

    def check_free(self) -> None:
        """Refuse to replace what is there.

        Raises
        ------
        SaveError
            If one of the files is.
        """
        for file in (self.slices, self.tracing, self.run_file):
            if file.exists():
                raise SaveError(f"{file} is there already; choose another folder.")

    def check_apart(self, raw: Path) -> None:
        """Refuse a place among the slices of the raw recording, which is read with all that is
        below: what is written there would be taken for it.

        Parameters
        ----------
        raw : their folder.

        Raises
        ------
        InputError
            If the folder is that one, or in it.
        """
        own, raw = self.folder.resolve(), raw.resolve()
        if raw == own or raw in own.parents:
            raise InputError(
                f"{self.folder} is where the raw slices are ({raw}), and what is written there"
                " would be read as theirs; choose another folder."
            )


def write_finer(
    folder: str | os.PathLike[str], embryo: Embryo, rendered: Record, carry: Carry | None = None
) -> Path:
    """Write a rendering as slices, with the tracing at its times and a run file.

    ``Emb1_Raw``, ``Emb1_CellTracing.csv`` in the layout of the one given, and ``running_Emb1.txt``;
    time points are numbered anew from 1.

    Parameters
    ----------
    folder : made where it is not there; files of these names must not be.
    embryo : what was rendered.
    rendered : ``(T, Z, Y, X)`` in the physical coordinates of ``embryo.record``, read frame by
        frame.
    carry : along which nuclei are between traced time points, by a spline if None.

    Returns
    -------
    The run file.

    Raises
    ------
    InputError
        If the folder is among the raw slices.
    SaveError
        If a file is there already, or cannot be written.
    """
    finer = Finer(Path(folder), embryo.name)
    finer.check_apart(embryo.run.slices())
    finer.check_free()
    for _ in finer_steps(finer, embryo, rendered, carry):
        pass
    return finer.run_file


def finer_steps(
    finer: Finer, embryo: Embryo, rendered: Record, carry: Carry | None = None
) -> Iterator[int]:
    """The same as :func:`write_finer`, frame by frame: yields how many are written. What is there
    already, each whole, an earlier try has left, and stays.
    """
    grid = rendered.grid
    _, z, y, x = grid.shape
    times = {k: float(t) / embryo.dt for k, t in enumerate(grid.coordinates(0), 1)}
    with in_a_sentence(finer.folder):
        finer.folder.mkdir(parents=True, exist_ok=True)
    if not finer.slices.exists():
        whites = _whites(rendered, embryo.run.scale)
        yield from slice_steps(finer.slices, f"{embryo.name}_", whites)
    if not finer.tracing.exists():
        raw = Raw((z, y, x), grid.spacing[1:], tuple(times), origin=grid.origin[1:])
        traced = tracing_of(embryo.lineage, raw, times, embryo.tracing.columns, carry)
        write_tracing(finer.tracing, traced)
    if not finer.run_file.exists():
        run = replace(
            embryo.run,
            rootname=f"{embryo.name}_",
            cd_file=finer.tracing.name,
            raw_path=finer.slices.name,
            time_points=tuple(times),
            ori_shape=(y, x, z),
            data_shape=embryo.run.data_shape or (y, x, z),
            scale=WHITE,
            xy=grid.spacing[2],
            z=grid.spacing[1],
            dt=grid.spacing[0],
        )
        write_runfile(finer.run_file, run)


def _whites(rendered: Record, scale: float) -> Iterator[NDArray[Any]]:
    """Frames in 8 bits, of which ``scale`` of the recording is the brightest."""
    for k in range(rendered.shape[0]):
        white = rendered.frame(k) * (WHITE / scale)
        yield np.clip(np.rint(white), 0, WHITE).astype(np.uint8)
