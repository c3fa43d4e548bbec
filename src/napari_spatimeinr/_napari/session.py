"""One recording in the dock: what was fitted, and its preview layer."""

from __future__ import annotations

from typing import Any

from ..axes import ROI
from ..config import Config
from ..field import Field
from ..volume import Volume
from .keys import RENDERED
from .layers import look
from .preview import PreviewArray, Want
from .scales import PREVIEW_STEPS, Scales
from .source import Source

SUFFIX = "[SpatimeINR preview]"


class Session:
    """A recording that was, is or will be fitted.

    Parameters
    ----------
    source : the layer.
    roi : the region that is fitted, None for all of it.
    want : asks the engine to draw.
    """

    def __init__(self, source: Source, roi: ROI | None, want: Want) -> None:
        self.source = source
        self.roi = roi
        self.volume: Volume = source.volume if roi is None else source.volume.crop(roi)
        self.scales = Scales()
        self.field: Field | None = None
        self.fitted_with: tuple[Config, str, int] | None = None
        self.stopped = False
        self.layer: Any = None
        self.array: PreviewArray | None = None
        self._want = want

    @property
    def first_frame(self) -> int:
        """The frame of the layer that is frame 0 of the region."""
        return 0 if self.roi is None else self.roi[0][0]

    def show(self, viewer: Any) -> None:
        """Add the preview layer beside the source, if it is not there."""
        if self.layer is not None and self.layer in viewer.layers:
            return
        self.array = self._array()
        original = self.source.layer
        style = look(original)
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
        if style["blending"] in ("additive", "minimum", "multiplicative") and original in viewer.layers:
            # Both would add up on the screen; channels still add to each other.
            original.visible = False

    def hide(self, viewer: Any) -> None:
        """Remove the preview layer."""
        if self.layer is not None and self.layer in viewer.layers:
            viewer.layers.remove(self.layer)
        self.layer = self.array = None

    def update(self, field: Field, final: bool) -> None:
        """Show a newer Field."""
        self.field = field
        if self.array is not None:
            self.array.update(field, final)

    def rescale(self, scales: Scales) -> None:
        """Show the preview on another grid."""
        self.scales = scales
        if self.layer is None:
            return
        if self.array is not None and scales.preview(self.volume.grid) == self.array.grid:
            return
        array = self._array()
        place = self.source.placed(array.grid)
        self.array = array
        # Each of these makes napari look at the data, at planes it does not mean until the last one.
        self.layer.data = array
        self.layer.scale, self.layer.translate = place["scale"], place["translate"]
        self._fill(array)

    def time_of(self, index: float) -> float:
        """World time of a fractional frame of the region."""
        return self.source.time_of(index + self.first_frame)

    def index_of(self, time: float) -> float:
        """Inverse of :meth:`time_of`, to the preview's steps."""
        index = self.source.index_of(time) - self.first_frame
        return round(min(max(index, 0.0), self.volume.shape[0] - 1.0) * PREVIEW_STEPS) / PREVIEW_STEPS

    def _array(self) -> PreviewArray:
        return PreviewArray(self.volume, self.scales.preview(self.volume.grid), self.source.axes, self._want)

    def _fill(self, array: PreviewArray) -> None:
        if self.field is not None:
            array.update(self.field, True)
