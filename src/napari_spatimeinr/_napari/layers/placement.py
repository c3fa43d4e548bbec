"""Where a layer's voxels lie in the world, and where those of another grid of the same recording
do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.utils.transforms import Affine
from numpy.typing import NDArray

from ...data.grid import Grid
from ...errors import InputError
from ...io.lazy import LazyArray
from ...volume import Volume
from .clock import along, clock_of, times_of
from .keys import SOURCE

SPACE = {"nanometer": "nm", "micrometer": "um", "millimeter": "mm", "meter": "m"}
TIME = {"microsecond": "us", "millisecond": "ms", "second": "s", "minute": "min", "hour": "h"}
PIXEL = "pixel"
ORIENTATION = "orientation"
"""In a layer's metadata of its file: the direction matrix that the viewer does not show."""
_NAPARI = {short: long for long, short in {**SPACE, **TIME}.items()}


@dataclass(frozen=True)
class Placement:
    """A layer's transform: world = affine(rotate shear (scale index) + translate), and its words.

    All arrays have the layer's number of axes; ``units`` are napari's long names.
    """

    scale: NDArray[np.float64]
    translate: NDArray[np.float64]
    rotate: NDArray[np.float64]
    shear: NDArray[np.float64]
    affine: NDArray[np.float64]
    units: tuple[str, ...]
    axis_labels: tuple[str, ...]

    @classmethod
    def of(cls, layer: Any) -> Placement:
        """The placement of a napari layer."""
        affine = layer.affine.affine_matrix
        units = tuple(str(u) for u in layer.units)
        return cls(
            np.asarray(layer.scale, float),
            np.asarray(layer.translate, float),
            np.asarray(layer.rotate, float),
            np.asarray(layer.shear, float),
            np.asarray(affine, float),
            units,
            tuple(layer.axis_labels),
        )

    @classmethod
    def of_metadata(cls, meta: dict[str, Any], ndim: int) -> Placement:
        """The placement in the keyword arguments a writer is given."""
        affine = meta.get("affine")
        affine = (
            np.eye(ndim + 1)
            if affine is None
            else np.asarray(getattr(affine, "affine_matrix", affine), float)
        )
        if len(affine) != ndim + 1:
            affine = _grown(affine, ndim)
        rotate = meta.get("rotate")
        shear = meta.get("shear")
        units = meta.get("units")
        return cls(
            _filled(meta.get("scale"), ndim, 1.0),
            _filled(meta.get("translate"), ndim, 0.0),
            np.eye(ndim) if rotate is None or np.ndim(rotate) < 2 else np.asarray(rotate, float),
            np.zeros(ndim * (ndim - 1) // 2) if shear is None else np.asarray(shear, float),
            affine,
            (PIXEL,) * ndim if units is None else tuple(str(u) for u in units),
            tuple(meta.get("axis_labels") or [str(i - ndim) for i in range(ndim)]),
        )

    @property
    def turn(self) -> NDArray[np.float64]:
        """The rotation and shear alone, as a matrix."""
        n = len(self.scale)
        return np.asarray(
            Affine(
                scale=np.ones(n), translate=np.zeros(n), rotate=self.rotate, shear=self.shear
            ).linear_matrix
        )

    @property
    def world(self) -> NDArray[np.float64]:
        """Index to world, ``(n + 1, n + 1)``."""
        n = len(self.scale)
        inner = np.eye(n + 1)
        inner[:n, :n] = self.turn @ np.diag(self.scale)
        inner[:n, n] = self.translate
        return self.affine @ inner

    def moved(self, axes: str, old: Grid, new: Grid) -> dict[str, Any]:
        """Keyword arguments of a layer on another grid of the same recording.

        Parameters
        ----------
        axes : which of ``tzyx`` the layer has.
        old : grid of the layer this placement is of.
        new : grid of the other layer, in the same physical frame.
        """
        where = ["tzyx".index(a) for a in axes]
        step, first = along(old, new)
        ratios = step, *(b / a for a, b in zip(old.spacing[1:], new.spacing[1:], strict=True))
        shifts = first, *((new.origin[i] - old.origin[i]) / old.spacing[i] for i in (1, 2, 3))
        ratio, shift = np.array(ratios)[where], np.array(shifts)[where]
        return {
            "scale": self.scale * ratio,
            "translate": self.translate + self.turn @ (self.scale * shift),
            "rotate": self.rotate,
            "shear": self.shear,
            "affine": self.affine,
            "units": self.units,
            "axis_labels": self.axis_labels,
        }


def to_volume(data: Any, axes: str, placement: Placement, metadata: dict[str, Any]) -> Volume:
    """A layer's data as a calibrated recording.

    Parameters
    ----------
    data : array-like with the axes named.
    axes : ``"tzyx"``, ``"zyx"`` or ``"tyx"``.

    Raises
    ------
    InputError
        If time and space are mixed by a rotation, or a voxel has no size.
    """
    full = np.eye(5)
    where = ["tzyx".index(a) for a in axes]
    full[np.ix_([*where, 4], [*where, 4])] = placement.world
    space = full[1:4, 1:4]
    if np.any(np.abs(full[0, 1:4]) > 1e-9) or np.any(np.abs(full[1:4, 0]) > 1e-9):
        raise InputError(
            "This layer is rotated or sheared between time and space; give it a transform of space"
            " alone."
        )
    spacing = np.linalg.norm(space, axis=0)
    if (
        full[0, 0] <= 0
        or not np.isfinite(full).all()
        or not (spacing > 0).all()
        or abs(np.linalg.det(space / spacing)) < 1e-6
    ):
        raise InputError(
            "The scale of this layer is impossible (zero, or time runs backwards); set layer.scale."
        )
    direction = space / spacing
    origin = np.linalg.solve(direction, full[1:4, 4])
    units, factors = _units(axes, placement.units)
    turned = direction[::-1, ::-1]
    if metadata.get(ORIENTATION) is not None:
        turned = np.asarray(metadata[ORIENTATION], float) @ turned
    orientation = None if np.allclose(turned, np.eye(3), atol=1e-9) else turned
    dt, start = (float(v) * factors[0] for v in full[0, [0, 4]])
    times, metadata = times_of(metadata, data.shape[0] if "t" in axes else 1, start, dt)
    if len(axes) < 4:
        data = (
            data.reshape([data.shape[axes.index(a)] if a in axes else 1 for a in "tzyx"])
            if isinstance(data, np.ndarray)
            else _Expanded(data, axes)
        )
    return Volume(
        data,
        (dt, *(spacing * factors[1:]).tolist()),
        (start, *(origin * factors[1:]).tolist()),
        units,
        orientation,
        metadata,
        times,
    )


def from_volume(volume: Volume) -> dict[str, Any]:
    """Keyword arguments of a layer ``(t, z, y, x)`` that puts a recording where its file says.

    Mirrored axes are mirrored in the viewer. An oblique or permuted orientation, across which
    napari cannot slice, is left for the files: it is kept in the metadata and comes back in
    :func:`to_volume`.
    """
    said = {**volume.metadata, **clock_of(volume.grid, volume.spacing[0])}
    out: dict[str, Any] = {
        "scale": volume.spacing,
        "translate": volume.origin,
        "units": tuple(napari_unit(volume.units[min(i, 1)]) for i in range(4)),
        "axis_labels": ("t", "z", "y", "x"),
        "metadata": {SOURCE: said},
    }
    orientation = volume.orientation
    if orientation is not None and np.allclose(
        orientation, np.diag(np.diag(orientation)), atol=1e-4
    ):
        out["affine"] = np.diag([1.0, *np.sign(np.diag(orientation))[::-1], 1.0])
    elif orientation is not None:
        said[ORIENTATION] = orientation.tolist()
    return out


def napari_unit(unit: str) -> str:
    """The name in napari of one of :class:`.Volume`'s units."""
    return _NAPARI.get(unit, PIXEL)


def time_factor(placement: Placement, dims: Any, axis: int) -> float:
    """What a time in the layer's unit is multiplied with to be in the viewer's, whose
    axis this is.
    """
    units = getattr(dims, "units", None)
    if not units or PIXEL in (placement.units[0], str(units[axis])):
        return 1.0
    return factor(placement.units[0], str(units[axis]))


class _Expanded(LazyArray):
    """An array with axes of 1 put in where it has none; nothing is read before it is indexed."""

    def __init__(self, array: Any, axes: str) -> None:
        super().__init__(
            tuple(array.shape[axes.index(a)] if a in axes else 1 for a in "tzyx"), array.dtype
        )
        self._array, self._kept = array, ["tzyx".index(a) for a in axes]

    def _block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        part = tuple(
            slice(r.start, r.stop if r.stop >= 0 else None, r.step)
            for r in (ranges[i] for i in self._kept)
        )
        return np.asarray(self._array[part]).reshape([len(r) for r in ranges])


def _units(axes: str, units: tuple[str, ...]) -> tuple[tuple[str, str], NDArray[np.float64]]:
    """Units of time and of space, and the factors (t, z, y, x) that bring the layer's numbers to
    them.
    """
    by_axis = dict(zip(axes, units, strict=True))
    time = by_axis.get("t", PIXEL)
    space = next((by_axis[a] for a in "xyz" if a in by_axis), PIXEL)
    factors = np.ones(4)
    names = []
    for kind, unit, known, unknown, letters in (
        (0, time, TIME, "frame", "t"),
        (1, space, SPACE, "voxel", "zyx"),
    ):
        target = unit
        if unit == PIXEL or _quantity(unit) != ("[time]", "[length]")[kind]:
            names.append(unknown)
            continue
        if unit not in known:
            target = ("second", "micrometer")[kind]
        names.append(known[target])
        for letter in letters:
            if letter in by_axis:
                factors["tzyx".index(letter)] = factor(by_axis[letter], target)
    return (names[0], names[1]), factors


def _quantity(unit: str) -> str:
    import pint

    try:
        return str(pint.get_application_registry().Unit(unit).dimensionality)
    except (pint.PintError, ValueError, AttributeError):
        return ""


def factor(unit: str, target: str) -> float:
    """What a number in one of napari's units is multiplied with to be in another; 1 where they have
    nothing in common.
    """
    import pint

    try:
        return float(pint.get_application_registry().Quantity(1.0, unit).to(target).magnitude)
    except pint.PintError:
        return 1.0


def _filled(values: Any, n: int, missing: float) -> NDArray[np.float64]:
    given = [] if values is None else [float(v) for v in values]
    return np.array([missing] * (n - len(given)) + given[-n:] if n else [], float)


def _grown(affine: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    m = len(affine) - 1
    out = np.eye(n + 1)
    k = min(m, n)
    out[n - k : n, n - k : n] = affine[m - k : m, m - k : m]
    out[n - k : n, n] = affine[m - k : m, m]
    return out
