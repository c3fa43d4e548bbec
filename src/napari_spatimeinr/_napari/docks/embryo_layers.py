"""The layers of the embryo that is open in the dock, and the time they show."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject

from ...embryo.layers import tracks
from ...field import Field
from ..background.asked import Asked
from ..background.cells import Opened, motion_of
from ..background.engine import Engine
from ..layers.embryo import add_nuclei, add_recording, add_tracks, show_nuclei
from ..layers.placement import time_factor
from ..layers.scales import PREVIEW_STEPS
from ..layers.source import Source, understand


class EmbryoLayers(QObject):
    """Recording, tracks and nuclei of one embryo; none before one is shown.

    Parameters
    ----------
    viewer : napari's viewer.
    engine : computes where nuclei are along the motion.
    parent : the dock.
    """

    def __init__(self, viewer: Any, engine: Engine, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.opened: Opened | None = None
        self.source: Source | None = None
        self._tracks: Any = None
        self._nuclei: Any = None
        self._placed = Asked(engine, self)
        self._placed.ready.connect(self._on_placed)

    def show(self, opened: Opened) -> None:
        """Show an embryo in the place of another."""
        self.forget()
        name = opened.embryo.name
        layer = add_recording(self._viewer, opened.volume, name)
        self.source = understand(layer, "tzyx")
        self._nuclei = add_nuclei(self._viewer, self.source, f"{name} nuclei")
        self.show_lineage(opened)

    def forget(self) -> None:
        """Remove the layers of the embryo; cells, which may be corrected, stay."""
        mine = [None if self.source is None else self.source.layer, self._tracks, self._nuclei]
        self.opened = self.source = self._tracks = self._nuclei = None
        for layer in mine:
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def show_lineage(self, opened: Opened) -> None:
        """Take an embryo whose recording is shown, and show its tracks, below the nuclei."""
        assert self.source is not None
        self.opened = opened
        layers = self._viewer.layers
        if self._tracks is not None and self._tracks in layers:
            layers.remove(self._tracks)
        drawn = tracks(opened.embryo.lineage, 0)
        drawn.data[:, 1] = opened.frame_of(drawn.data[:, 1])
        name = f"{opened.embryo.name} tracks"
        self._tracks = add_tracks(self._viewer, self.source, drawn, name)
        if self._nuclei in layers:
            layers.move(layers.index(self._tracks), layers.index(self._nuclei))
            layers.selection.active = self._nuclei

    def put_below(self, layer: Any) -> None:
        """Let nuclei and tracks stay over a layer that was added on top of them."""
        layers = self._viewer.layers
        over = [layers.index(one) for one in (self._tracks, self._nuclei) if one in layers]
        if layer in layers and over:
            layers.move(layers.index(layer), min(over))

    # -- time ---------------------------------------------------------------------------

    def frame(self) -> float | None:
        """The (fractional) frame that the viewer shows, None without an embryo."""
        axis = self._viewer.dims.ndim - 4
        if self.source is None or self.opened is None or axis < 0:
            return None
        time = float(self._viewer.dims.point[axis]) / self._factor(self.source, axis)
        frame = min(max(self.source.index_of(time), 0.0), self.opened.volume.shape[0] - 1.0)
        return round(frame * PREVIEW_STEPS) / PREVIEW_STEPS

    def set_frame(self, frame: float) -> None:
        """Let the viewer show a (fractional) frame."""
        axis = self._viewer.dims.ndim - 4
        if self.source is not None and axis >= 0:
            time = self.source.time_of(frame) * self._factor(self.source, axis)
            self._viewer.dims.set_point(axis, time)

    def place(self, frame: float, fitted: Field | None) -> None:
        """Put the nuclei where they are at a (fractional) frame: by a spline at once, and along the
        motion, where there is one, as soon as that is known.
        """
        if self.opened is None:
            return
        number, lineage = self.opened.number_of(frame), self.opened.embryo.lineage
        carry = motion_of(self.opened, fitted)
        self._placed.forget()
        self._on_placed((frame, lineage.positions_at(number)))
        if carry is not None and not self.opened.is_acquired(number):
            self._placed.ask(lambda: (frame, lineage.positions_at(number, carry)))

    def _factor(self, source: Source, axis: int) -> float:
        return time_factor(source.placement, self._viewer.dims, axis)

    def _on_placed(self, placed: Any) -> None:
        if self._nuclei is not None and self._nuclei in self._viewer.layers:
            show_nuclei(self._nuclei, *placed)
