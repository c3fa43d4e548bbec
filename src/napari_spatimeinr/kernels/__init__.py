"""Kernels of the CPU, compiled in the background.

Each is a module of this room that imports numba and compiles as it is imported, which takes
seconds the first time and less than one when it is read from numba's cache. That happens in one
thread of its own, begun by :func:`prepare`; whoever could use a kernel asks :func:`ready` and
computes with torch until it is there, or for good where numba is missing or cannot compile.
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
from types import ModuleType

LOG = logging.getLogger(__name__)
NAMES: tuple[str, ...] = ("following", "rendering", "decoding")
"""The modules, in the order in which they are compiled: what is needed first comes first."""
SWITCH = "SPATIMEINR_KERNELS"
"""The variable by which users say ``off``."""

_READY: dict[str, ModuleType] = {}
_FAILED: dict[str, str] = {}
_LOCK = threading.Lock()
_THREADS: list[threading.Thread] = []


def prepare() -> None:
    """Begin to compile in the background, once; returns at once."""
    if os.environ.get(SWITCH, "").lower() == "off":
        return
    with _LOCK:
        if not _THREADS:
            _THREADS.append(threading.Thread(target=_compile, name="kernels", daemon=True))
            _THREADS[0].start()


def ready(name: str) -> ModuleType | None:
    """A module of kernels, None while it is not compiled."""
    return _READY.get(name)


def settle() -> dict[str, str]:
    """Wait until nothing is compiled any more; what failed, and why."""
    prepare()
    for thread in _THREADS:
        thread.join()
    return dict(_FAILED)


def _compile() -> None:
    for name in NAMES:
        try:
            _READY[name] = importlib.import_module(f"{__name__}.{name}")
        # Whatever an installation of numba comes up with, torch computes the same.
        except Exception as error:
            _FAILED[name] = f"{type(error).__name__}: {error}"
            LOG.info("kernels of %s are not compiled, torch computes: %s", name, error)


def _forget() -> None:
    """A forked process has no thread that would go on compiling."""
    global _LOCK
    _LOCK = threading.Lock()
    _THREADS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
