"""The demonstration: a phantom is fitted, rendered finer, and compared with the truth behind it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .. import io
from ..config.options import Config
from ..data.grid import Grid
from ..errors import InputError, SaveError
from ..field import Field
from ..fitting import FitProgress, fit
from ..io.sidecar import sidecar
from ..phantoms import Truth, phantom
from ..volume import Volume

Array = NDArray[np.float32]

ORDERS: dict[str, Literal[1, 3]] = {"linear": 1, "cubic": 3}
"""Interpolation in all four dimensions, by the order of its spline."""
OURS = "SpatimeINR"
NATIVE, ISOTROPIC = "own voxels", "isotropic voxels"


@dataclass(frozen=True)
class Demonstration:
    """What the demonstration made and measured.

    Parameters
    ----------
    files : written, in the order of their making.
    psnr : dB per grid (own voxels, isotropic voxels) and method, of the frames in between against
        the noise-free truth, range 1 (the brightness of structure), mean over frames.
    seconds : of the whole demonstration.
    """

    files: tuple[Path, ...]
    psnr: dict[str, dict[str, float]]
    seconds: float

    def table(self) -> str:
        """The scores as text."""
        rows = [f"{'PSNR (dB) between frames':26}{''.join(f'{name:>18}' for name in self.psnr)}"]
        for method in (*ORDERS, OURS):
            rows.append(
                f"{method:26}{''.join(f'{scores[method]:18.2f}' for scores in self.psnr.values())}"
            )
        return "\n".join(rows)


def run(
    folder: Path,
    shape: tuple[int, ...] = (7, 32, 64, 64),
    config: Config | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: Callable[[FitProgress], None] | None = None,
) -> Demonstration:
    """Write a recording, its model, a rendering and ``demo.json`` (how that was made),
    ``comparison.png`` and ``scores.txt``.

    The picture is left out where matplotlib is not installed.

    Parameters
    ----------
    folder : made if it is not there; files of these names in it are replaced.
    shape : (T, Z, Y, X) of the phantom, at least two frames.
    config : options of the fit, the preset balanced when None.
    device, seed : of the fit; the seed is the phantom's as well.
    progress : called with the states of the fit.

    Raises
    ------
    InputError
        For a phantom of one frame, which has nothing in between.
    SaveError
        If the folder cannot be made.
    """
    if shape[0] < 2:
        raise InputError(
            f"The demonstration needs at least 2 frames to look between, got {shape[0]}."
        )
    begun = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SaveError(f"The folder {folder} cannot be made: {error.strerror}.") from error
    recording, truth = phantom(shape, seed=seed)  # type: ignore[arg-type]
    names = ("recording.nii.gz", "demo.spatimeinr", "demo.nii.gz", "comparison.png", "scores.txt")
    given, model, rendered, picture, scores = (folder / name for name in names)
    io.write(recording, given)
    field = fit(recording, config=config, device=device, seed=seed, progress=progress)
    field.save(model)
    if progress is not None:
        progress(FitProgress("rendering and comparing", 0, 1, math.nan, None, None, None))
    fine = field.render(time_scale=2, isotropic=True)
    io.write(fine, rendered)
    psnr, frames = compare(recording, truth, field, fine)
    files = [given, model, rendered, sidecar(rendered)]
    if can_draw():
        draw(picture, frames, fine, recording)
        files.append(picture)
    seconds = time.monotonic() - begun
    result = Demonstration((*files, scores), psnr, seconds)
    scores.write_text(f"{result.table()}\n", encoding="utf-8")
    return result


def compare(
    recording: Volume, truth: Truth, field: Field, fine: Volume
) -> tuple[dict[str, dict[str, float]], dict[str, Array]]:
    """Score the frames in between on the recording's own voxels and on isotropic ones.

    Parameters
    ----------
    recording, truth : the phantom.
    field : fitted to it.
    fine : the isotropic rendering at twice the frames.

    Returns
    -------
    PSNR per grid and method; the isotropic middle frame ``(Z, Y, X)`` of the truth and of every
    method.
    """
    lazy = field.lazy(time_scale=2)
    scores: dict[str, dict[str, float]] = {}
    coefficients = {method: _coefficients(recording, order) for method, order in ORDERS.items()}
    for name, rendered in ((NATIVE, field.wrap(lazy, lazy)), (ISOTROPIC, fine)):
        middle = _middle(rendered.grid)
        errors: dict[str, list[float]] = {method: [] for method in (*ORDERS, OURS)}
        for k in range(1, rendered.shape[0], 2):
            exact = truth.frame(float(rendered.grid.coordinates(0)[k]), rendered.grid)
            predicted = {
                method: _interpolated(coefficients[method], recording.grid, rendered.grid, k, order)
                for method, order in ORDERS.items()
            }
            predicted[OURS] = rendered.frame(k)
            for method, frame in predicted.items():
                errors[method].append(
                    float(-10 * np.log10(np.mean((frame.astype(np.float64) - exact) ** 2)))
                )
            if k == middle:
                frames = {"truth": exact, **predicted}
        scores[name] = {method: float(np.mean(values)) for method, values in errors.items()}
    return scores, frames


def can_draw() -> bool:
    """Whether the library for the picture is there (extra ``demo``)."""
    return find_spec("matplotlib") is not None


def draw(path: Path, frames: dict[str, Array], fine: Volume, recording: Volume) -> None:
    """Draw the truth, linear interpolation and the rendering, and the errors of both, as one
    picture.

    Parameters
    ----------
    path : of the PNG.
    frames : the middle frame ``(Z, Y, X)`` of the truth and of every method.
    fine : the rendering they belong to.
    recording : what was given.
    """
    from matplotlib.figure import Figure

    exact = frames["truth"]
    panels = [(name, frames[name], "gray", exact.max()) for name in ("truth", "linear", OURS)]
    panels += [
        (f"error of {name}", np.abs(frames[name] - exact), "magma", exact.max() / 2)
        for name in ("linear", OURS)
    ]
    time_unit, space_unit = fine.units
    z, y, x = (fine.grid.coordinates(axis) for axis in (1, 2, 3))
    plane, row_of_plane = len(z) // 2, len(y) // 2
    views: tuple[tuple[str, NDArray[np.float64], str, Any], ...] = (
        ("y", y, f"xy at z = {z[plane]:.3g} {space_unit}", (plane, slice(None))),
        ("z", z, f"xz at y = {y[row_of_plane]:.3g} {space_unit}", (slice(None), row_of_plane)),
    )
    figure = Figure(figsize=(15, 7), layout="constrained")
    axes = figure.subplots(len(views), len(panels), squeeze=False)
    for row, (letter, down, title, cut) in zip(axes, views, strict=True):
        edges = (_edges(x)[0], _edges(x)[1], _edges(down)[1], _edges(down)[0])
        for ax, (name, volume, colours, top) in zip(row, panels, strict=True):
            ax.imshow(
                volume[cut], cmap=colours, vmin=0, vmax=top, extent=edges, interpolation="nearest"
            )
            ax.set_title(f"{name}\n{title}", fontsize=9)
            ax.set_xlabel(f"x ({space_unit})", fontsize=8)
            ax.set_ylabel(f"{letter} ({space_unit})", fontsize=8)
            ax.tick_params(labelsize=7)
    when = fine.grid.coordinates(0)[_middle(fine.grid)]
    figure.suptitle(
        f"t = {when:g} {time_unit}, halfway between two recorded frames ({recording.spacing[0]:g}"
        f" {time_unit} apart, planes {recording.spacing[1]:g} {space_unit} apart)"
    )
    figure.savefig(path, dpi=100)


def _middle(grid: Grid) -> int:
    """The odd frame nearest to the middle; odd frames lie between the recorded ones."""
    return (grid.shape[0] // 2 - 1) | 1


def _edges(centres: NDArray[np.float64]) -> tuple[float, float]:
    half = (centres[1] - centres[0]) / 2 if len(centres) > 1 else 0.5
    return float(centres[0] - half), float(centres[-1] + half)


def _coefficients(recording: Volume, order: Literal[1, 3]) -> Array:
    data = np.asarray(recording.data, np.float32)
    return (
        data if order == 1 else ndimage.spline_filter(data, order, output=np.float32, mode="mirror")
    )


def _interpolated(
    coefficients: Array, source: Grid, target: Grid, k: int, order: Literal[1, 3]
) -> Array:
    """Frame ``k`` of the target grid, interpolated in (t, z, y, x)."""
    index = [source.to_index(target.coordinates(axis), axis) for axis in range(4)]
    points = np.stack(np.meshgrid(index[0][k], *index[1:], indexing="ij"))
    mode: Literal["nearest", "mirror"] = "nearest" if order == 1 else "mirror"
    return ndimage.map_coordinates(coefficients, points, np.float32, order, mode, prefilter=False)[
        0
    ]
