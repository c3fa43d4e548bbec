"""Frames as they are stored: of which number type, one at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.record import Record
from ..errors import SaveError
from .cast import convert_dtype, resolve_dtype


def stored_dtype(record: Record, dtype: Any = None) -> np.dtype[Any]:
    """The number type a recording is written with.

    Parameters
    ----------
    record : to write.
    dtype : see :func:`napari_spatimeinr.io.write`; None keeps the recording's own.

    Raises
    ------
    InputError
        If it is unknown.
    """
    of_source = isinstance(dtype, str) and dtype == "source"
    return storable(resolve_dtype(dtype, source_dtype(record) if of_source else record.dtype))


def source_dtype(record: Record) -> np.dtype[Any]:
    """The number type of the file a recording comes from."""
    dtype: np.dtype[Any] = np.dtype(record.metadata.get("source_dtype") or record.dtype)
    return dtype


def storable(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The nearest type files know: bool as uint8, float16 as float32, long double as float64."""
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        return np.dtype(np.float32 if dtype.itemsize == 2 else np.float64)
    return dtype


def frame_of(record: Record, k: int, dtype: np.dtype[Any]) -> Any:
    """Frame ``k`` in a stored type, ``(Z, Y, X)``, C order; rounded and clipped where needed.

    Raises
    ------
    SaveError
        If the data are not as large as they say.
    """
    frame = convert_dtype(np.asarray(record.data[k]), dtype)
    if frame.shape != record.shape[1:]:
        raise SaveError(
            f"Frame {k} has shape {frame.shape} where {record.shape[1:]} was expected (z, y, x);"
            " check the data of the volume."
        )
    return np.ascontiguousarray(frame)
