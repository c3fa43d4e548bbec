"""Kernels of the CPU, compiled in the background.

Each is a module of this room that imports numba and compiles as it is imported, which takes
seconds the first time and less than one when it is read from numba's cache. That happens in one
thread of its own, begun by :func:`prepare`; whoever could use a kernel asks :func:`ready` and
computes with torch until it is there, or for good where numba is missing or cannot compile.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

LOG = logging.getLogger(__name__)
NAMES: tuple[str, ...] = (
    "alignment",
    "following",
    "rendering",
    "blending",
    "decoding",
    "encoding",
    "between",
    "sampling",
)
"""The modules, in the order in which they are compiled: what is needed first comes first."""
SWITCH = "SPATIMEINR_KERNELS"
"""The variable by which users say ``off``."""

_READY: dict[str, ModuleType] = {}
_FAILED: dict[str, str] = {}
_DECIDED: dict[str, threading.Event] = {}
_LOCK = threading.Lock()
_RESTING: list[bool] = []
"""While the garbage collector rests, whether it was on before."""


def prepare() -> None:
    """Begin to compile in the background, once; returns at once."""
    if os.environ.get(SWITCH, "").lower() == "off":
        return
    with _LOCK:
        if not _DECIDED:
            _DECIDED.update({name: threading.Event() for name in NAMES})
            threading.Thread(target=_compile, name="kernels", daemon=True).start()


def ready(name: str) -> ModuleType | None:
    """A module of kernels, None while it is not compiled."""
    return _READY.get(name)


def decided(name: str, seconds: float) -> bool:
    """Wait so long at most until a module is compiled, or known not to be."""
    prepare()
    one = _DECIDED.get(name)
    return one is None or one.wait(seconds)


def settle(*names: str) -> dict[str, str]:
    """Wait until modules, all without a name, are compiled; which are not, and why."""
    prepare()
    for name, one in dict(_DECIDED).items():
        if not names or name in names:
            one.wait()
    return dict(_FAILED)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Without Python's garbage collector: so much is imported that it would look at every object
    there is, with every thread of the process waiting for it (150 to 250 ms).

    What was made meanwhile is handed to the oldest generation as it is (frozen and unfrozen, which
    takes no time), or the next look at the youngest would be as long.
    """
    was_on = gc.isenabled()
    gc.disable()
    _RESTING.append(was_on)
    try:
        yield
    finally:
        _RESTING.clear()
        if was_on and not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
        if was_on:
            gc.enable()


def _compile() -> None:
    for name, one in _DECIDED.items():
        try:
            with _nothing_collected():
                _READY[name] = importlib.import_module(f"{__name__}.{name}")
        # Whatever an installation of numba comes up with, torch computes the same.
        except Exception as error:
            _FAILED[name] = f"{type(error).__name__}: {error}"
            LOG.info("kernels of %s are not compiled, torch computes: %s", name, error)
        finally:
            one.set()


def _forget() -> None:
    """A forked process has no thread that would go on compiling."""
    global _LOCK
    _LOCK = threading.Lock()
    if any(_RESTING):
        gc.enable()
    _RESTING.clear()
    if not all(one.is_set() for one in _DECIDED.values()):
        _DECIDED.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
