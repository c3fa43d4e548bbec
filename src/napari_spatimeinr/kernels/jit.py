"""How a kernel is compiled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

LOG = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])


def compiled(*signatures: str) -> Callable[[F], F]:
    """A function as machine code that runs beside Python's other threads.

    It is compiled at once for the signatures, and read from numba's cache where there is one; one
    without a signature is part of those that call it. It checks no bounds: callers do. Sums are
    done in the order they are written in, so that the bits depend on nothing but the values;
    products may be fused with sums. No ``parallel``: its threads abort the process on concurrent
    calls, or are missing.
    """

    def decorated(function: F) -> F:
        options: dict[str, Any] = {
            "nogil": True,
            "fastmath": {"contract"},
            "error_model": "numpy",
        }
        if not signatures:
            return cast(F, numba.njit(**options)(function))
        try:
            return cast(F, numba.njit(list(signatures), cache=True, **options)(function))
        # RuntimeError where no folder of a cache can be written, OSError where one is full.
        except (OSError, RuntimeError) as error:
            LOG.info("numba keeps no cache: %s", error)
            return cast(F, numba.njit(list(signatures), **options)(function))

    return decorated
