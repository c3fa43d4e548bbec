"""A napari layer as a recording: what it is, or why it cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.grid import ROI, Grid
from ...errors import InputError
from ...volume import Volume
from .keys import SOURCE
from .placement import PIXEL, Placement, to_volume
from .preview import PreviewArray


@dataclass(frozen=True)
class Source:
    """A layer understood.

    layer : the napari layer.
    volume : its data, calibrated, ``(T, Z, Y, X)``.
    axes : which of ``tzyx`` the layer's axes are.
    placement : where it lies in the world.
    raw : its array as the layer holds it.
    """

    layer: Any
    volume: Volume
    axes: str
    placement: Placement
    raw: Any

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    def placed(self, grid: Grid) -> dict[str, Any]:
        """Keyword arguments of a layer on another grid of this recording."""
        return self.placement.moved(self.axes, self.volume.grid, grid)

    def time_of(self, index: float) -> float:
        """World coordinate along the time axis, in the layer's unit, of a (fractional) frame of
        this recording.
        """
        world = self.placement.world
        return float(world[0, 0] * index + world[0, -1]) if "t" in self.axes else 0.0

    def index_of(self, time: float) -> float:
        """Inverse of :meth:`time_of`."""
        world = self.placement.world
        return (time - float(world[0, -1])) / float(world[0, 0]) if "t" in self.axes else 0.0

    def is_same_data(self, other: Source) -> bool:
        """Whether another understanding is of the same voxels, read along the same axes."""
        return self.raw is other.raw and self.axes == other.axes


def candidate_axes(layer: Any) -> list[str]:
    """The ways a layer's axes can be read, the likeliest first; one for four axes."""
    ndim = layer.ndim
    if ndim == 4:
        return ["tzyx"]
    if ndim != 3:
        return []
    first = str(layer.axis_labels[0]).lower()
    time_like = first.startswith("t") or str(layer.units[0]) in (
        "second",
        "millisecond",
        "minute",
        "hour",
        "microsecond",
    )
    return ["tyx", "zyx"] if time_like else ["zyx", "tyx"]


def why_not(layer: Any) -> str | None:
    """One sentence on why a layer cannot be fitted, None if it can."""
    kind = layer.__class__.__name__
    name = f"'{layer.name}'"
    if kind != "Image":
        return f"{name} is a {kind} layer; choose the Image layer it was made from."
    if getattr(layer, "rgb", False):
        return (
            f"{name} is an RGB picture; split it into its channels first (right click on the layer"
            " > Split RGB) and choose one."
        )
    data = _data(layer)
    if isinstance(data, PreviewArray):
        return f"{name} is a preview; choose the recording it was made from."
    if layer.ndim < 3:
        return f"{name} has two axes only; a recording has (t, z, y, x), (z, y, x) or (t, y, x)."
    if layer.ndim > 4:
        return (
            f"{name} has {layer.ndim} axes; split its channels first (right click on the layer >"
            " Split Stack) and choose one."
        )
    if np.dtype(data.dtype).kind not in "biuf":
        return f"{name} holds {data.dtype} numbers; real intensities are needed."
    if min(data.shape) < 1:
        return f"{name} is empty."
    return None


def is_calibrated(layer: Any) -> bool:
    """Whether a layer says its units, or has a scale somebody set."""
    return any(str(u) != PIXEL for u in layer.units) or not np.allclose(np.abs(layer.scale), 1)


def understand(layer: Any, axes: str | None = None) -> Source:
    """A layer as a recording.

    Raises
    ------
    InputError
        If it cannot be used, with the reason.
    """
    reason = why_not(layer)
    if reason is not None:
        raise InputError(reason)
    chosen = axes if axes is not None and len(axes) == layer.ndim else candidate_axes(layer)[0]
    placement = Placement.of(layer)
    metadata = {**_file(layer), **dict(layer.metadata.get(SOURCE, {})), "name": str(layer.name)}
    raw = _data(layer)
    return Source(layer, to_volume(raw, chosen, placement, metadata), chosen, placement, raw)


def _file(layer: Any) -> dict[str, Any]:
    """The file a layer was read from, by whatever reader; whether it holds these voxels is looked
    at where it matters.
    """
    path = getattr(layer.source, "path", None)
    return {"source": path} if isinstance(path, str) and path else {}


def _data(layer: Any) -> Any:
    """The layer's array; of a multiscale layer the finest."""
    return layer.data[0] if getattr(layer, "multiscale", False) else layer.data


def rectangle(source: Source, shapes: Any) -> ROI:
    """The box of the selected (or only) rectangle of a Shapes layer, in indices of the recording.

    Raises
    ------
    InputError
        If there is no rectangle, several, or it lies beside the recording.
    """
    chosen = sorted(shapes.selected_data) or list(range(len(shapes.data)))
    if len(chosen) != 1:
        raise InputError(
            "Draw one rectangle in the Shapes layer, or select one of its shapes, to say which"
            " region to fit."
        )
    corners = np.asarray(shapes.data[chosen[0]], float)
    world = np.array([shapes.data_to_world(corner) for corner in corners])
    n = len(source.axes)
    inverse = np.linalg.inv(source.placement.world)
    full = np.zeros((len(world), n))
    k = min(n, world.shape[1])
    full[:, n - k :] = world[:, -k:]
    index = full @ inverse[:n, :n].T + inverse[:n, n]
    # A rectangle says something about the axes it was drawn in.
    ranges = {
        a: index[:, i] for i, a in enumerate(source.axes) if a != "t" and np.ptp(index[:, i]) > 0.5
    }
    if not ranges:
        raise InputError(
            "The selected shape is smaller than a voxel; draw a rectangle over the region to fit."
        )
    return _box(source, ranges)


def visible(source: Source) -> ROI:
    """The part of the recording inside the canvas, in indices of the recording."""
    layer = source.layer
    corners = np.asarray(layer.corner_pixels, float)
    shown = corners[1] > corners[0]
    if getattr(layer, "multiscale", False):
        # They are those of the level that is shown.
        factors = np.asarray(layer.downsample_factors[layer.data_level], float)
        corners = corners * factors + np.stack([np.zeros_like(factors), factors - 1])
    ranges = {a: corners[:, i] for i, a in enumerate(source.axes) if a in "yx" and shown[i]}
    if not ranges:
        raise InputError(
            "The canvas shows nothing of this layer in its y-x plane; move the view onto it."
        )
    return _box(source, ranges)


def _box(source: Source, ranges: dict[str, Any]) -> ROI:
    """The voxels whose centres lie inside ranges of indices; all along the other axes."""
    out = []
    for letter, n in zip("tzyx", source.volume.shape, strict=True):
        if letter not in ranges:
            out.append((0, n))
            continue
        values = ranges[letter]
        low = max(0, int(np.ceil(values.min() - 1e-6)))
        high = min(n, int(np.floor(values.max() + 1e-6)) + 1)
        if high <= low:
            raise InputError(
                f"The region lies beside the recording along {letter}; move it onto the layer."
            )
        out.append((low, high))
    return tuple(out)  # type: ignore[return-value]
