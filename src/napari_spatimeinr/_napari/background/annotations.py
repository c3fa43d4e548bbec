"""Labels, points and tracks drawn on acquired frames, carried along the motion to
rendered times.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...analysis.propagate import propagate_labels, propagate_nearest_points, propagate_tracks
from ...errors import InputError, OutOfMemoryError
from ..layers.keys import RENDERED
from ..layers.placement import PIXEL, Placement, factor
from ..layers.scales import Scales
from .jobs import Share, Tick
from .session import Session

KINDS = ("Labels", "Points", "Tracks")


class Annotation:
    """What is drawn in an annotation layer of a fitted recording now, and the times it is wanted
    at.

    What becomes of that layer later does not matter. The result has the recording's own voxels;
    only time is finer.

    Raises
    ------
    InputError
        If the layer is of another kind, does not fit the recording, or nothing was drawn.
    """

    def __init__(self, layer: Any, session: Session, scales: Scales) -> None:
        assert session.field is not None
        self.kind = "" if layer is None else layer.__class__.__name__
        if self.kind not in KINDS:
            raise InputError(
                "Select a Labels, Points or Tracks layer in the layer list: it is carried to the"
                " rendered times."
            )
        self.session, self.field = session, session.field
        self.source, self.roi, self.name = session.source, session.roi, str(layer.name)
        axes = session.source.axes
        if layer.ndim != len(axes) or "t" not in axes or self.field.grid.shape[0] < 2:
            raise InputError(
                f"'{layer.name}' has {layer.ndim} axes; only annotations with the axes"
                f" ({', '.join(axes)}) of '{session.source.name}', a recording of several frames,"
                " can be carried through time."
            )
        self.time_scale = scales.rendering(self.field.grid)["time_scale"]
        self.grid = self.field.grid.refine(self.time_scale)
        if self.kind == "Labels" and tuple(layer.data.shape) != tuple(session.source.raw.shape):
            raise InputError(
                f"'{layer.name}' has shape {tuple(layer.data.shape)}, '{session.source.name}'"
                f" {tuple(session.source.raw.shape)}; only labels on the recording's own voxels can"
                " be carried."
            )
        if self.kind != "Labels" and not len(layer.data):
            raise InputError(f"'{layer.name}' is empty; draw on an acquired frame first.")
        # Labels of a movie are large: their array is kept, not copied, and painting meanwhile may
        # show.
        self.data = layer.data if self.kind == "Labels" else np.array(layer.data, float)
        self.placement = Placement.of(layer)
        kept = {"Labels": ("colormap",), "Points": (), "Tracks": ("tail_width", "graph")}[self.kind]
        self.appearance = {name: getattr(layer, name) for name in ("opacity", *kept)}
        if self.kind == "Points":
            self.each = {
                name: np.array(getattr(layer, name))
                for name in ("size", "symbol", "face_color", "border_color")
            }
            self.features = layer.features.copy()

    def carried(self, tick: Tick) -> Any:
        """What :meth:`add` makes a layer of; runs in the engine."""
        times = self.grid.coordinates(0)
        if self.kind == "Labels":
            return self._labels(times, tick)
        data = self.data
        if self.kind == "Points":
            points, rows = propagate_nearest_points(self.field, self._physical(data), times)
            return self._index(points), rows
        tracks = propagate_tracks(
            self.field, np.column_stack([data[:, 0], self._physical(data[:, 1:])]), times
        )
        if not len(tracks):
            raise InputError(
                f"No track of '{self.name}' lasts over a rendered time; tracks need vertices in two"
                " frames."
            )
        return np.column_stack([tracks[:, 0], self._index(tracks[:, 1:])])

    def add(self, viewer: Any, result: Any) -> str:
        """Add the layer, looking as the one it was made from, where the recording lies now; its
        name.
        """
        source = (
            self.session.source if self.session.source.is_same_data(self.source) else self.source
        )
        volume = source.volume if self.roi is None else source.volume.crop(self.roi)
        placed = source.placed(volume.grid.refine(self.time_scale))
        common = {
            "name": f"{self.name} carried",
            "metadata": {RENDERED: {"carried": True}},
            **placed,
            **self.appearance,
        }
        if self.kind == "Labels":
            return str(viewer.add_labels(result, **common).name)
        if self.kind == "Tracks":
            return str(viewer.add_tracks(result, **common).name)
        points, rows = result
        each = {name: values[rows] for name, values in self.each.items()}
        return str(
            viewer.add_points(points, features=self.features.iloc[rows], **each, **common).name
        )

    def _labels(self, times: NDArray[np.float64], tick: Tick) -> NDArray[Any]:
        axes, roi = self.source.axes, self.roi
        data = np.asarray(self.data).reshape(self.source.volume.shape)
        if roi is not None:
            data = data[tuple(slice(a, b) for a, b in roi)]
        drawn = [k for k, frame in enumerate(data) if frame.any()]
        try:
            out = np.empty((len(times), *data.shape[1:]), data.dtype)
        except MemoryError as error:
            raise OutOfMemoryError(
                "The carried labels do not fit in memory; choose a smaller time scale."
            ) from error
        for n, t in enumerate(times):
            out[n] = propagate_labels(self.field, data, [t], drawn)[0]
            tick(Share(n + 1, len(times)))
        return out[tuple(slice(None) if a in axes else 0 for a in "tzyx")]

    def _physical(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        """Indices ``(N, ndim)`` of the layer to physical (t, z, y, x) of the recording."""
        source, own = self.source, self.placement
        pairs = zip(own.units, source.placement.units, strict=True)
        factors = np.array([1.0 if PIXEL in (a, b) else factor(a, b) for a, b in pairs])
        n = len(source.axes)
        world = (index @ own.world[:n, :n].T + own.world[:n, n]) * factors
        inverse = np.linalg.inv(source.placement.world)
        full = np.zeros((len(index), 4))
        full[:, ["tzyx".index(a) for a in source.axes]] = world @ inverse[:n, :n].T + inverse[:n, n]
        return source.volume.grid.to_physical(full)

    def _index(self, physical: NDArray[np.float64]) -> NDArray[np.float64]:
        """Physical (t, z, y, x) to indices of the new layer."""
        return self.grid.to_index(physical)[:, ["tzyx".index(a) for a in self.source.axes]]
