"""What has to be undone when a dock is closed or the program ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QCoreApplication
from qtpy.QtWidgets import QWidget

from .engine import Engine, acquire, release

QUIT_WAIT = 10.0
"""Seconds the program waits for the computing thread when it ends."""


def engine_for(widget: QWidget) -> Engine:
    """The shared engine, given back when the widget is destroyed or the program ends."""
    user = object()
    engine = acquire(user)
    widget.destroyed.connect(partial(_release, user))
    application = QCoreApplication.instance()
    if application is not None:
        application.aboutToQuit.connect(partial(release, user, QUIT_WAIT))
    return engine


def listen(widget: QWidget, pairs: list[tuple[Any, Callable[..., Any]]]) -> None:
    """Connect napari's events to callbacks until the widget is destroyed."""
    for emitter, callback in pairs:
        emitter.connect(callback)
    widget.destroyed.connect(partial(_disconnect, pairs))


def _release(user: object, *_: object) -> None:
    release(user)


def _disconnect(pairs: list[tuple[Any, Callable[..., Any]]], *_: object) -> None:
    for emitter, callback in pairs:
        emitter.disconnect(callback)
    pairs.clear()
