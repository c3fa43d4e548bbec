"""Values as JSON can hold them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def plain(value: Any, finite: bool = True) -> Any:
    """A copy that :func:`json.dumps` takes.

    Parameters
    ----------
    value : anything. Keys become text, tuples lists, numpy's numbers and arrays Python's; what has
        no plain form becomes its text.
    finite : whether numbers that are not finite, which JSON does not know, become None.

    Raises
    ------
    RecursionError
        If it is nested too deeply.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(inner, finite) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner, finite) for inner in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist(), finite)
    if finite and isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def parsed(text: str) -> Any:
    """What JSON text says, with None for numbers that are not finite.

    Raises
    ------
    ValueError
        If it is no JSON.
    RecursionError
        If it is nested too deeply.
    """
    return json.loads(text, parse_constant=lambda _: None, parse_float=_finite)


def _finite(text: str) -> float | None:
    value = float(text)  # 1e999 is infinite
    return value if math.isfinite(value) else None
