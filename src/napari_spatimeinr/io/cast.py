"""Conversion of intensities between number types: rounded and clipped, never wrapped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

NAMES = ("source", "float32", "uint16", "uint8")
"""What ``dtype=`` and ``--dtype`` may say."""


def resolve_dtype(dtype: str | np.dtype[Any] | None, source_dtype: Any) -> np.dtype[Any]:
    """The native number type meant by ``dtype``.

    Parameters
    ----------
    dtype : one of ``NAMES``, a numpy number type, or None to keep ``source_dtype``.
    source_dtype : what ``"source"`` and None mean.

    Raises
    ------
    InputError
        For any other name.
    """
    out: np.dtype[Any]
    if dtype is None or (isinstance(dtype, str) and dtype == "source"):
        out = np.dtype(source_dtype).newbyteorder("=")
        return out
    if isinstance(dtype, str) and dtype not in NAMES:
        raise InputError(f"The data type is one of {', '.join(NAMES)}, got {dtype!r}.")
    try:
        out = np.dtype(dtype).newbyteorder("=")
    except TypeError as error:
        raise InputError(f"The data type is one of {', '.join(NAMES)}, got {dtype!r}.") from error
    if out.kind not in "biuf":
        raise InputError(
            f"Intensities are real numbers and cannot be stored as {out}; choose one of"
            f" {', '.join(NAMES)}."
        )
    return out


def convert_dtype(
    frame: Any, dtype: str | np.dtype[Any] | None, source_dtype: Any = None
) -> NDArray[Any]:
    """Intensities as another number type.

    Parameters
    ----------
    frame : real numbers of any shape.
    dtype : ``"source"``, ``"float32"``, ``"uint16"``, ``"uint8"``, a numpy number type, or None
        for the frame's own.
    source_dtype : what ``"source"`` means; the frame's own type when None.

    Returns
    -------
    The same shape, native byte order; values outside the range of the type are clipped, halves go
    to the even neighbour, and not-a-number becomes 0 in an integer type. A view where nothing
    changes.

    Raises
    ------
    InputError
        For an unknown type.
    """
    values: NDArray[Any] = np.asarray(frame)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    own = source_dtype if dtype is not None and source_dtype is not None else values.dtype
    target = resolve_dtype(dtype, own)
    if values.dtype == target or values.dtype.kind == "b":
        return values.astype(target, copy=False)
    if target.kind == "f":
        if values.dtype.kind == "f" and target.itemsize >= values.dtype.itemsize:
            return values.astype(target)
        top = np.finfo(target).max
        if float(top) < (
            float(np.finfo(values.dtype).max) if values.dtype.kind == "f" else 2.0**64
        ):
            finite = np.clip(values, -float(top), float(top))
            values = np.where(np.isfinite(values), finite, values)
        return values.astype(target)
    low, high = (
        (0, 1) if target.kind == "b" else (int(np.iinfo(target).min), int(np.iinfo(target).max))
    )
    if values.dtype.kind in "iu":
        own_range = np.iinfo(values.dtype)
        values = np.clip(values, max(low, int(own_range.min)), min(high, int(own_range.max)))
        return values.astype(target)
    rounded = np.rint(
        np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    )
    # The float nearest to the largest 64-bit integer lies above it, so that end is set by hand.
    above, below = rounded >= float(high), rounded <= float(low)
    out = np.where(above | below, 0.0, rounded).astype(target)
    out[above], out[below] = high, low
    return np.asarray(out)
