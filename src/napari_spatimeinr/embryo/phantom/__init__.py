"""A phantom embryo: all the files of a recording, and the truth behind them at any time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.grid import Grid
from ...errors import InputError, SaveError
from ...phantoms.recording import recorded
from ...volume import Volume
from .. import names as _names
from ..placing import Raw, tracing_of
from ..runfile import RunFile, write_runfile
from ..slices import write_slices
from ..tracing import LONG, SHORT, Tracing, write_tracing
from . import body as _body
from .course import Course, courses
from .schedule import ORDER, daughters_of, schedule
from .truth import EmbryoTruth

__all__ = ["EmbryoPhantom", "EmbryoTruth", "embryo_phantom", "made_embryo"]

BRIGHTNESS = 1000.0
"""Stored value of brightness 1, above ``DARK``."""
DARK = 200.0
TRIES = 3


@dataclass(frozen=True, eq=False)
class EmbryoPhantom:
    """The files of a phantom embryo, and what they show.

    Parameters
    ----------
    folder, slices, tracing, run_file : where they are.
    volume : the recording, as it is in the slices.
    truth : at any time.
    raw : how the tracing sees the recording.
    """

    folder: Path
    slices: Path
    tracing: Path
    run_file: Path
    volume: Volume
    truth: EmbryoTruth
    raw: Raw


def embryo_phantom(
    folder: str | os.PathLike[str],
    name: str = "Emb1",
    first: int = 1,
    z_flip: bool = False,
    short: bool = False,
    **options: Any,
) -> EmbryoPhantom:
    """Write the slices, the tracing and the run file of an embryo whose truth is known.

    ``<name>_Raw/<name>_001_p01.tif`` and so on, ``<name>_CellTracing.csv`` with places rounded as
    those of AceTree, and ``running_<name>.txt``, which also states the voxel.

    Parameters
    ----------
    folder : made where it is not there; files of these names must not be.
    name : of the embryo.
    first : number of the first time point.
    z_flip : whether the tracing counts slices from the other end.
    short : whether the tracing has five columns instead of thirteen.
    options : ``shape``, ``cells``, ``motion``, ``seed`` and what else :func:`made_embryo` takes.

    Raises
    ------
    InputError
        If an option is out of its range.
    SaveError
        If a file is there already, or cannot be written.
    """
    folder = Path(folder)
    slices, csv = folder / f"{name}_Raw", folder / f"{name}_CellTracing.csv"
    run_file = folder / f"running_{name}.txt"
    for file in (slices, csv, run_file):
        if file.exists():
            raise SaveError(f"{file} is there already; choose another folder or name.")
    volume, truth = made_embryo(first=first, **options)
    numbers = tuple(range(first, first + volume.shape[0]))
    raw = Raw(volume.shape[1:], volume.spacing[1:], numbers, z_flip=z_flip)
    write_slices(slices, f"{name}_", volume.data, first)
    write_tracing(csv, _rounded(tracing_of(truth.lineage, raw, columns=SHORT if short else LONG)))
    write_runfile(run_file, _run(name, numbers, volume))
    return EmbryoPhantom(folder, slices, csv, run_file, volume, truth, raw)


def made_embryo(
    shape: tuple[int, int, int, int] = (9, 16, 64, 96),
    spacing: tuple[float, float, float, float] = (90.0, 0.9, 0.3, 0.3),
    cells: tuple[int, int] = (8, 24),
    motion: float = 2.0,
    seed: int = 0,
    first: int = 1,
    photons: float = 150,
    background: float = 8,
    read: float = 0.01,
    psf: tuple[float, float, float] = (0.6, 0.2, 0.2),
    bleach: float = 0.02,
    deform: float = 0.06,
) -> tuple[Volume, EmbryoTruth]:
    """A recording of an embryo and its truth, without files.

    Parameters
    ----------
    shape, spacing : (T, Z, Y, X), and (dt, dz, dy, dx) in s and um.
    cells : how many there are at the first and the last time point, 1 to 24.
    motion : about the 95th percentile of the displacement of cells, pixels per frame, divisions
        apart; what divides moves its neighbours a little at 0 too.
    seed : the same seed gives the same embryo.
    first : number of the first time point, which lies at so many times dt.
    photons, background, read, psf, bleach : see :func:`napari_spatimeinr.phantom`.
    deform : how much the shell changes, relative.

    Returns
    -------
    uint16 ``(T, Z, Y, X)`` in s and um, and the truth at any time between its first frame and its
    last.

    Raises
    ------
    InputError
        If an option is out of its range.
    """
    if (
        not 0 <= bleach < 1
        or not 0 <= deform < 0.3
        or min(motion, photons, background, read, *psf) < 0
    ):
        raise InputError(
            "bleach must lie in [0, 1), deform in [0, 0.3), and motion, light and psf must not be"
            " negative."
        )
    grid = Grid(shape, spacing, (first * spacing[0], 0.0, 0.0, 0.0))
    truth = _truth(grid, cells, motion, seed, np.asarray(psf, float) ** 2, deform)
    data = recorded(truth, grid, (photons, background, read), bleach, seed)
    stored = np.clip(np.rint(BRIGHTNESS * data + DARK), 0, 65535).astype(np.uint16)
    named = {"name": "phantom embryo", "channel": "membranes", "calibrated_by": "phantom"}
    return Volume(stored, spacing, grid.origin, ("s", "um"), metadata={**named}), truth


def _truth(
    grid: Grid,
    cells: tuple[int, int],
    motion: float,
    seed: int,
    variance: NDArray[np.float64],
    deform: float,
) -> EmbryoTruth:
    """Cells that move at the pace asked for: the flow that gives it is found in a few tries."""
    frames, voxel = grid.shape[0], np.asarray(grid.spacing[1:])
    rng = np.random.default_rng([seed, 10])
    there, events = schedule(rng, cells, frames)
    body = _body.drawn(rng, np.asarray(grid.shape[1:]) * voxel, voxel, deform)
    if np.min(2 * body.half / voxel) < 4:
        raise InputError("A phantom embryo needs more voxels, 5 along each axis at least.")
    pace = flow = motion * float(voxel[1:].mean())
    for _ in range(TRIES):
        found = courses(seed, body, there, events, frames, flow)
        moved = _pace(found, body, frames)
        if pace == 0 or moved == 0:
            break
        flow *= float(np.clip(pace / moved, 0.3, 3.0))
    everyone = ("P0", *(one for mother in ORDER for one in daughters_of(mother)))
    bright = dict(zip(everyone, rng.uniform(0.75, 1.25, len(everyone)), strict=True))
    return EmbryoTruth(body, found, tuple(events), _names.numbered(found), bright, grid, variance)


def _run(name: str, numbers: tuple[int, ...], volume: Volume) -> RunFile:
    """What the run file says of the recording, with a cubic voxel of its pixel's edge."""
    dt, dz, dy, _ = volume.spacing
    _, z, y, x = volume.shape
    _, fine_z, fine_y, fine_x = volume.grid.refine(isotropic=True).shape
    return RunFile(
        f"{name}_",
        f"{name}_CellTracing.csv",
        f"{name}_Raw",
        numbers,
        (y, x, z),
        (fine_y, fine_x, fine_z),
        float(volume.data.max()),
        dy,
        dz,
        dt,
    )


def _pace(found: dict[str, Course], body: _body.Body, frames: int) -> float:
    """The 95th percentile of displacement from frame to frame, um, of cells that have been there
    for a frame.
    """
    moved = []
    for course in found.values():
        for k in range(frames - 1):
            if course.begin + 1 <= k and k + 1 <= course.end:
                a, b = (body.forth(course.at(j)[None, :3], j)[0] for j in (k, k + 1))
                moved.append(float(np.linalg.norm(b - a)))
    return float(np.percentile(moved, 95)) if moved else 0.0


def _rounded(tracing: Tracing) -> Tracing:
    """Places as AceTree gives them: whole pixels, tenths of slices."""
    tracing.places[:, 0] = np.round(tracing.places[:, 0], 1)
    tracing.places[:, 1:] = np.round(tracing.places[:, 1:])
    return tracing
