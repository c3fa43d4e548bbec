"""One recording in the dock: what was fitted, and its preview layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...config.options import Config
from ...data.grid import ROI
from ...field import Field
from ...fitting import FitRun
from ...volume import Volume
from ..layers.appearance import appearance
from ..layers.keys import RENDERED, SUFFIX
from ..layers.preview import PreviewArray, Want
from ..layers.scales import PREVIEW_STEPS, Scales
from ..layers.source import Source

ADDING = ("additive", "minimum", "multiplicative")
"""Blendings that would mix the recording and its preview on the screen."""


class Session:
    """A recording that was, is or will be fitted.

    Parameters
    ----------
    source : the layer.
    roi : the region that is fitted, None for all of it.
    want : asks the engine to draw.
    """

    def __init__(self, source: Source, roi: ROI | None, want: Want) -> None:
        self.scales = Scales()
        self.field: Field | None = None
        self.fitted_with: tuple[Config, int] | None = None
        self.left: FitRun | None = None
        self.said = ""
        self.layer: Any = None
        self.array: PreviewArray | None = None
        self._want = want
        self._hid = False
        self._is_of(source, roi)

    def _is_of(self, source: Source, roi: ROI | None) -> None:
        self.source, self.roi = source, roi
        self.volume: Volume = source.volume if roi is None else source.volume.crop(roi)

    @property
    def first_frame(self) -> int:
        """The frame of the layer that is frame 0 of the region."""
        return 0 if self.roi is None else self.roi[0][0]

    # -- the preview layer --------------------------------------------------------------

    def show(self, viewer: Any) -> None:
        """Add the preview layer beside the source, if it is not there."""
        if self.layer is not None and self.layer in viewer.layers:
            return
        self.array = self._array()
        original = self.source.layer
        style = appearance(original)
        self.layer = viewer.add_image(
            self.array,
            name=f"{self.source.name} {SUFFIX}",
            metadata={RENDERED: {"preview": True}},
            multiscale=False,
            rgb=False,
            **style,
            **self.source.placed(self.array.grid),
        )
        self._fill(self.array)
        if style["blending"] in ADDING and original in viewer.layers and original.visible:
            # Both would add up on the screen; channels still add to each other.
            original.visible, self._hid = False, True

    def hide(self, viewer: Any) -> None:
        """Remove the preview layer."""
        layer, self.layer = self.layer, None
        if layer is not None and layer in viewer.layers:
            viewer.layers.remove(layer)
        self.lost(viewer)

    def lost(self, viewer: Any) -> None:
        """The preview layer is gone: let go of it, and show what was hidden for it."""
        if self.array is not None:
            self.array.leave()
        self.layer = self.array = None
        if self._hid and self.source.layer in viewer.layers:
            self.source.layer.visible = True
        self._hid = False

    def rescale(self, scales: Scales) -> None:
        """Show the preview on another grid."""
        self.scales = scales
        if self.array is not None and scales.preview(self.volume.grid) != self.array.grid:
            self._replace()

    def _replace(self) -> None:
        """Give the layer other data, at the place of their grid."""
        if self.layer is None:
            return
        array = self._array()
        if self.array is not None:
            self.array.leave()
        self.array = array
        # Each of these makes napari look at the data, at planes it does not mean until the last
        # one.
        self.layer.data = array
        for name, value in self.source.placed(array.grid).items():
            setattr(self.layer, name, value)
        self._fill(array)

    def _array(self) -> PreviewArray:
        return PreviewArray(
            self.volume, self.scales.preview(self.volume.grid), self.source.axes, self._want
        )

    def _fill(self, array: PreviewArray) -> None:
        if self.field is not None:
            array.update(self.field, True)

    # -- what was fitted ----------------------------------------------------------------

    def begin(self, source: Source, roi: ROI | None) -> None:
        """From now on the results of a fit of this region are shown."""
        self._is_of(source, roi)
        self.field = self.left = None
        self.said = ""
        self._replace()

    def update(self, field: Field, final: bool) -> None:
        """Show a newer Field."""
        self.field = self._calibrated(field)
        if self.array is not None:
            self.array.update(self.field, final)

    def follow(self, source: Source) -> bool:
        """Go along when the layer of the same voxels was moved, scaled or renamed; whether it was
        the same voxels.

        Frames that are now said to lie at other times in proportion were never fitted.
        """
        if not source.is_same_data(self.source):
            return False
        if not _same_pace(source.volume, self.source.volume):
            self.begin(source, self.roi)
            return True
        moved = any(
            (a != b) if isinstance(a, tuple) else (a != b).any()
            for a, b in _pairs(source, self.source)
        )
        self._is_of(source, self.roi)
        if moved:
            if self.field is not None:
                self.field = self._calibrated(self.field)
            self._replace()
        return True

    def words(self) -> str:
        """What came of the last fit, with the layer's name; empty before there was one."""
        return f'"{self.source.name}": {self.said}' if self.said else ""

    def _calibrated(self, field: Field) -> Field:
        """The Field with the calibration the layer has now: what was fitted is in voxels and
        frames.
        """
        same = field.grid == self.volume.grid and field.units == self.volume.units
        if same or not _same_pace(field.volume, self.volume):
            return field
        return Field(
            self.volume,
            field.method,
            field.normalisation,
            field.config,
            field.device,
            field.interpolation,
            field.provenance,
        )

    # -- time ---------------------------------------------------------------------------

    def time_of(self, index: float) -> float:
        """Time of a fractional frame of the region, in the layer's unit."""
        return self.source.time_of(index + self.first_frame)

    def index_of(self, time: float) -> float:
        """Inverse of :meth:`time_of`, to the preview's steps."""
        index = self.source.index_of(time) - self.first_frame
        return (
            round(min(max(index, 0.0), self.volume.shape[0] - 1.0) * PREVIEW_STEPS) / PREVIEW_STEPS
        )


def _same_pace(one: Volume, other: Volume) -> bool:
    """Whether intervals between frames are in the same proportion."""
    return np.allclose(one.grid.clock, other.grid.clock, atol=1e-3)


def _pairs(one: Source, other: Source) -> list[tuple[Any, Any]]:
    a, b = one.placement, other.placement
    return [
        (getattr(a, name), getattr(b, name))
        for name in ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
    ]
