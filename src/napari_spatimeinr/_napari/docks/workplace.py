"""What the docks of one viewer share, and what has to be undone when docks and windows
are closed.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QCoreApplication, QEvent, QObject, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from ... import kernels
from ..background.ending import WAIT
from ..background.engine import acquire, connect_queued, release
from ..background.fitter import Fitter
from ..background.results import Results
from ..layers.appearance import refresh_showing
from .theme import Colours, colours

AFTER = 500
"""Milliseconds after which kernels are compiled: the dock is there by then."""


class Workplace(QObject):
    """Engine, fits and renderings of one viewer; they outlive a dock that is closed and end with
    the window.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._user = object()
        self.engine = acquire(self._user)
        # What imports competes with what builds and paints the dock.
        QTimer.singleShot(AFTER, kernels.prepare)
        self.fitter = Fitter(viewer, self.engine, self)
        self.results = Results(self.engine, self)
        connect_queued(self.engine.drawn, self._on_drawn)

        # napari holds methods weakly and functions strongly: this one keeps the workplace as long
        # as its viewer.
        def forget(event: Any) -> None:
            self.fitter.forget_missing()

        self._keeper = forget
        viewer.layers.events.removed.connect(self._keeper)
        self._finalizer = weakref.finalize(self, release, self._user)
        self._windows: list[int] = []

    def end_with(self, window: QWidget) -> None:
        """Close when a window is destroyed."""
        if id(window) not in self._windows:
            self._windows.append(id(window))
            window.destroyed.connect(partial(_end, id(_bare(self._viewer))))

    def close(self, wait: float = 0.0) -> None:
        """Stop everything."""
        self._viewer.layers.events.removed.disconnect(self._keeper)
        self._finalizer.detach()
        release(self._user, wait)

    def _on_drawn(self, picture: Any) -> None:
        refresh_showing(self._viewer, picture)


_WORKPLACES: weakref.WeakValueDictionary[int, Workplace] = weakref.WeakValueDictionary()


def workplace_of(viewer: Any) -> Workplace:
    """What the docks of a viewer share."""
    key = id(_bare(viewer))
    workplace = _WORKPLACES.get(key)
    if workplace is None:
        workplace = _WORKPLACES[key] = Workplace(viewer)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(partial(_end, key, wait=WAIT))
    return workplace


def _bare(viewer: Any) -> Any:
    """The viewer itself, where napari hands out a proxy."""
    return getattr(viewer, "__wrapped__", viewer)


def _end(key: int, *_: object, wait: float = 0.0) -> None:
    workplace = _WORKPLACES.pop(key, None)
    if workplace is not None:
        workplace.close(wait)


class Dock(QWidget):
    """A dock's widget: deleted when napari lets go of it, deaf from then on.

    Parameters
    ----------
    viewer : napari's viewer.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._docked = False
        # Where to put a dock is known once it is in the window.
        self._placing = QTimer(self)
        self._placing.setSingleShot(True)
        self._placing.timeout.connect(self._join_tabs)
        self.workplace = workplace_of(viewer)
        self.engine, self.fitter = self.workplace.engine, self.workplace.fitter

    def listen(self, pairs: list[tuple[Any, Callable[..., Any]]]) -> None:
        """Connect napari's events to callbacks until the widget is deleted."""
        for emitter, callback in pairs:
            emitter.connect(callback)
        self.destroyed.connect(partial(_disconnect, pairs))

    def end(self, results: Results) -> None:
        """End what is computed now, a result or the fit; what waits behind it goes on."""
        if results.running and (self.engine.runs(results.job) or not self.fitter.running):
            results.stop()
        else:
            self.fitter.stop()

    def set_colours(self, colours: Colours) -> None:
        """Paint with these from now on: napari's theme has changed."""

    def event(self, event: QEvent | None) -> bool:
        """Notice being put into a dock, being taken out of it (napari keeps a closed dock's widget
        alive), and a new theme.
        """
        kind = None if event is None else event.type()
        if kind == QEvent.Type.ParentChange:
            if self.parent() is not None and not self._docked:
                self._docked = True
                self._placing.start()
            elif self.parent() is None and self._docked:
                self.deleteLater()
        elif kind == QEvent.Type.Show and (window := self.window()) is not None:
            self.workplace.end_with(window)
        if kind in (QEvent.Type.Show, QEvent.Type.StyleChange) and self._docked:
            self.set_colours(colours(self._viewer))
        return bool(super().event(event))

    def _join_tabs(self) -> None:
        """Share the place of the other dock, as tabs: both below each other do not fit on a
        laptop's screen.
        """
        mine, window = _dock_of(self), self.window()
        if mine is None or mine.isFloating() or not isinstance(window, QMainWindow):
            return
        for other in map(_dock_of, window.findChildren(Dock)):
            if (
                other in (None, mine)
                or other.isFloating()
                or mine in window.tabifiedDockWidgets(other)
            ):
                continue
            if window.dockWidgetArea(other) == window.dockWidgetArea(mine):
                window.tabifyDockWidget(other, mine)
                mine.show()
                mine.raise_()
                return


def _dock_of(widget: QWidget) -> QDockWidget | None:
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent


def _disconnect(pairs: list[tuple[Any, Callable[..., Any]]], *_: object) -> None:
    for emitter, callback in pairs:
        emitter.disconnect(callback)
    pairs.clear()
