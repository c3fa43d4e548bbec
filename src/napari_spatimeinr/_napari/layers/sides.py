"""What a swipe can show on a side: a layer as it is, or a fitted recording interpolated; and how
two of them lie on one grid.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.grid import Grid
from ...errors import InputError
from ...field import Field
from ...volume import Volume
from .keys import INTERPOLATION, RENDERED, SUFFIX
from .pieces import Drawable
from .placement import Placement, factor, to_volume
from .preview import PreviewArray, Want
from .swipe import Plain, Resampled, SwipeArray, Swiped

BASELINES = ("linear", "cubic")
AXES = "tzyx"
NEAREST = "nearest frame"
NO_TERM = 1e-6
"""Voxels by which something may lie elsewhere and is still taken to lie there."""


@dataclass(frozen=True)
class Side:
    """A layer as it is, or of a preview its recording by ``interpolation``."""

    layer: Any
    interpolation: str = ""

    @property
    def name(self) -> str:
        """What it is called in a list."""
        if self.interpolation:
            return f"{self.recording}: {self.interpolation} interpolation"
        return f"{self.layer.name} ({NEAREST})" if self._is_recorded() else str(self.layer.name)

    @property
    def word(self) -> str:
        """What it is called beside another of the same recording."""
        if self.interpolation or is_preview(self.layer):
            return self.interpolation or "SpatimeINR"
        return NEAREST if self._is_recorded() else self.name

    @property
    def recording(self) -> str:
        """The name of what was fitted, or of the layer."""
        return str(self.layer.name).split(f" {SUFFIX}")[0]

    @property
    def field(self) -> Field | None:
        """What was fitted; None where nothing was."""
        field = self.layer.data.field if is_preview(self.layer) else None
        if field is None or not self.interpolation:
            return field
        return field.interpolated(self.interpolation)

    def _is_recorded(self) -> bool:
        """Whether between its frames the nearest of them is shown."""
        return RENDERED not in self.layer.metadata and self.layer.ndim == len(AXES)


def is_preview(layer: Any) -> bool:
    """Whether a layer is a preview of a fit, or of interpolation."""
    data = getattr(layer, "data", None)
    return isinstance(data, PreviewArray) and not isinstance(data, SwipeArray)


def sides(layers: Iterable[Any]) -> list[Side]:
    """All that can be compared, in the order of the layers."""
    found = []
    for layer in layers:
        fitted = is_preview(layer) and INTERPOLATION not in layer.metadata.get(RENDERED, {})
        if fitted or _is_picture(layer):
            found.append(Side(layer))
        if fitted:
            found += [Side(layer, name) for name in BASELINES]
    return found


def overlap(one: Any, other: Any) -> bool:
    """Whether two layers have something of the world in common."""
    n = min(one.ndim, other.ndim)
    low, high = _extent(one)[:, -n:]
    factors = _factors(Placement.of(one), Placement.of(other))[-n:]
    least, most = _extent(other)[:, -n:]
    return bool(((low * factors < most) & (least < high * factors)).all())


def swipe(left: Side, right: Side, share: float, want: Want) -> tuple[SwipeArray, dict[str, Any]]:
    """An array with one left of a line and the other right of it, and where its layer lies.

    It has the voxels of the one that has more axes, or smaller voxels; of the other the nearest are
    shown. Both are kept as they are now, whatever becomes of their layers.

    Raises
    ------
    InputError
        If they do not overlap, nothing was fitted yet, or a layer cannot be placed.
    """
    if not overlap(left.layer, right.layer):
        raise InputError(
            f"'{left.layer.name}' and '{right.layer.name}' do not overlap; move one onto the other"
            " to compare them."
        )
    pictures = _picture(left), _picture(right)
    base, other = sorted(pictures, key=lambda p: p.coarseness(pictures[0]))
    placed = {id(base): base.array, id(other): _on(base, other)}
    x = base.placement.world[-2, -2]
    one, two = (placed[id(p)] for p in pictures)
    swiped = Swiped(one, two, share, mirrored=bool(x < 0))
    array = SwipeArray(base.volume, base.grid, base.axes, want, swiped)
    return array, base.placement.moved(base.axes, base.grid, base.grid)


class _Picture(NamedTuple):
    """Voxels ``(T, Z, Y, X)`` on a grid, and where the layer's ``axes`` of them lie."""

    array: Drawable
    volume: Volume
    grid: Grid
    axes: str
    placement: Placement

    def coarseness(self, reference: _Picture) -> tuple[int, float]:
        """The less, the more axes it has, and the smaller voxels in the reference's units; equal
        up to rounding.
        """
        n = len(self.axes)
        factors = _factors(self.placement, reference.placement)
        size = abs(np.linalg.det(self.placement.world[:n, :n])) * factors.prod()
        return -n, round(math.log(size), 6)


def _picture(side: Side) -> _Picture:
    layer = side.layer
    if is_preview(layer):
        field, data = side.field, layer.data
        if field is None:
            raise InputError(f"Nothing is fitted yet of '{side.recording}'; wait for the fit.")
        array = field.picture(data.grid)
        return _Picture(array, data.volume, data.grid, data.axes, Placement.of(layer))
    data = layer.data[0] if layer.multiscale else layer.data
    axes = AXES[-layer.ndim :]
    # In voxels: it is the layer's placement that says where these lie.
    volume = to_volume(data, axes, Placement.of_metadata({}, len(axes)), {})
    return _Picture(Plain(volume.data), volume, volume.grid, axes, Placement.of(layer))


def _on(base: _Picture, other: _Picture) -> Drawable:
    """One picture on the grid of another; itself where it is on that grid."""
    matrix = _matrix(base, other)
    shape = base.grid.shape
    if other.grid.shape == shape and np.allclose(matrix, np.eye(4, 5), rtol=0, atol=NO_TERM):
        return other.array
    return Resampled(other.array, shape, matrix)


def _matrix(base: _Picture, other: _Picture) -> NDArray[np.float64]:
    """From an index (t, z, y, x, 1) of one picture to one of another, ``(4, 5)``; the layers' last
    axes are the same, as in napari.
    """
    n, m = len(base.axes), len(other.axes)
    given = np.eye(5)[[*map(AXES.index, base.axes), 4]]
    # The world's last m axes, in the other's units.
    shared = np.eye(n + 1)[n - m :]
    shared[range(m), range(n - m, n)] = _factors(base.placement, other.placement)[-m:]
    found = np.linalg.inv(other.placement.world) @ shared @ base.placement.world @ given
    matrix = np.zeros((4, 5))
    matrix[list(map(AXES.index, other.axes))] = found[:m]
    # What would move nothing by more than that is left out: separable axes stay so.
    reach = np.abs(matrix) * [*base.grid.shape, 1]
    matrix[reach < NO_TERM] = 0
    return matrix


def _factors(one: Placement, other: Placement) -> NDArray[np.float64]:
    """What coordinates of one are multiplied with to be in the other's units; of its axes that the
    other lacks, 1.
    """
    lacking = len(one.units) - len(other.units)
    units = [*one.units[:lacking], *other.units] if lacking >= 0 else other.units[-lacking:]
    return np.array([factor(a, b) for a, b in zip(one.units, units, strict=True)])


def _extent(layer: Any) -> NDArray[np.float64]:
    """Lowest and highest world coordinates of a layer's voxels, ``(2, n)``."""
    data = layer.data[0] if layer.multiscale else layer.data
    corners = np.array(list(itertools.product(*((-0.5, n - 0.5) for n in data.shape))))
    world = Placement.of(layer).world
    places = corners @ world[:-1, :-1].T + world[:-1, -1]
    return np.stack([places.min(0), places.max(0)])


def _is_picture(layer: Any) -> bool:
    """Whether a layer's voxels are intensities that can be shown beside others."""
    if layer.__class__.__name__ != "Image" or layer.rgb or not 2 <= layer.ndim <= len(AXES):
        return False
    data = layer.data[0] if layer.multiscale else layer.data
    kind = np.dtype(data.dtype).kind
    return kind in "biuf" and min(data.shape) > 0 and not isinstance(data, SwipeArray)
