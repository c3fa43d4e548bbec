"""The dock's scrubber and napari's own time slider, kept together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..background.session import Session
from ..layers.placement import time_factor
from .scales_panel import ScalesPanel
from .source_panel import SourcePanel


class TimeLink:
    """Moves the one when the other was moved.

    Parameters
    ----------
    viewer : napari's viewer.
    source_panel, scales_panel : what is looked at, and the scrubber.
    session : gives what was fitted of it, None if nothing was.
    """

    def __init__(
        self,
        viewer: Any,
        source_panel: SourcePanel,
        scales_panel: ScalesPanel,
        session: Callable[[], Session | None],
    ) -> None:
        self._viewer, self._source_panel, self._scales_panel, self._session = (
            viewer,
            source_panel,
            scales_panel,
            session,
        )

    def to_viewer(self, index: float) -> None:
        """Show a (fractional) frame."""
        session, axis, source = self._session(), self._axis(), self._source_panel.source
        if axis is not None and source is not None:
            time = session.time_of(index) if session is not None else source.time_of(index)
            self._viewer.dims.set_point(
                axis, time * time_factor(source.placement, self._viewer.dims, axis)
            )

    def to_scrubber(self) -> None:
        """Move the scrubber to what is shown."""
        session, axis = self._session(), self._axis()
        if axis is not None and session is not None:
            time = float(self._viewer.dims.point[axis]) / time_factor(
                session.source.placement, self._viewer.dims, axis
            )
            self._scales_panel.set_index(session.index_of(time))

    def _axis(self) -> int | None:
        source = self._source_panel.source
        axis = (
            None
            if source is None or "t" not in source.axes
            else self._viewer.dims.ndim - len(source.axes)
        )
        return axis if axis is not None and axis >= 0 else None
