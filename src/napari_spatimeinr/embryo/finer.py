"""An embryo written again with more time points and smaller voxels, in the files it came in: what
reads the raw recording, the published program too, reads these.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.record import Record
from ..errors import SaveError
from .lineage import Carry
from .placing import Raw, tracing_of
from .recording import Embryo
from .runfile import write_runfile
from .slices import write_slices
from .tracing import write_tracing

WHITE = 255.0
"""The largest intensity of the slices, 8 bits each."""


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
    SaveError
        If a file is there already, or cannot be written.
    """
    folder = Path(folder)
    name = embryo.name
    slices, csv = folder / f"{name}_Raw", folder / f"{name}_CellTracing.csv"
    run_file = folder / f"running_{name}.txt"
    for file in (slices, csv, run_file):
        if file.exists():
            raise SaveError(f"{file} is there already; choose another folder.")
    grid = rendered.grid
    _, z, y, x = grid.shape
    times = {k: float(t) / embryo.dt for k, t in enumerate(grid.coordinates(0), 1)}
    write_slices(slices, f"{name}_", _whites(rendered, embryo.run.scale))
    raw = Raw((z, y, x), grid.spacing[1:], tuple(times), origin=grid.origin[1:])
    write_tracing(csv, tracing_of(embryo.lineage, raw, times, embryo.tracing.columns, carry))
    run = replace(
        embryo.run,
        rootname=f"{name}_",
        cd_file=csv.name,
        raw_path=slices.name,
        time_points=tuple(times),
        ori_shape=(y, x, z),
        data_shape=embryo.run.data_shape or (y, x, z),
        scale=WHITE,
        xy=grid.spacing[2],
        z=grid.spacing[1],
        dt=grid.spacing[0],
    )
    return write_runfile(run_file, run)


def _whites(rendered: Record, scale: float) -> Iterator[NDArray[Any]]:
    """Frames in 8 bits, of which ``scale`` of the recording is the brightest."""
    for k in range(rendered.shape[0]):
        white = rendered.frame(k) * (WHITE / scale)
        yield np.clip(np.rint(white), 0, WHITE).astype(np.uint8)
