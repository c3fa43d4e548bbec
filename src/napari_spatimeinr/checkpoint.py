"""A model in one file: weights, frames and a JSON header, in the safetensors format.

Nothing is unpickled. The header is readable without torch. Frames are streamed out one by one and
mapped in, so a model of a large recording needs no memory of its size.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from .errors import FormatError
from .io.atomic import replacing

FORMAT = 1
KEY = "spatimeinr"
_CODES = {"BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8", "I64": "<i8"}
_CODES |= {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
_NAMES = {np.dtype(code): name for name, code in _CODES.items()}
MOST_HEADER = 100_000_000


def write(path: str | Path, header: Mapping[str, Any], weights: Mapping[str, NDArray[Any]], frames: Any) -> Path:
    """Write a model atomically.

    Parameters
    ----------
    header : JSON-serialisable; ``format`` is added.
    weights : named arrays.
    frames : ``(T, Z, Y, X)`` array-like, read frame by frame.

    Raises
    ------
    SaveError
        If the file cannot be written; an earlier file stays as it was.
    """
    path = Path(path)
    dtype = np.dtype(frames.dtype).newbyteorder("<")
    entries: dict[str, Any] = {"__metadata__": {KEY: json.dumps({"format": FORMAT, **header})}}
    position = 0
    listed = {name: (np.dtype(a.dtype).newbyteorder("<"), a.shape) for name, a in weights.items()}
    for name, (kind, shape) in {**listed, "frames": (dtype, tuple(frames.shape))}.items():
        size = kind.itemsize * int(np.prod(shape, dtype=np.int64))
        entries[name] = {"dtype": _NAMES[kind], "shape": [int(n) for n in shape], "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, array in weights.items():
            file.write(np.ascontiguousarray(array, dtype=listed[name][0]).tobytes())
        for k in range(frames.shape[0]):
            file.write(np.ascontiguousarray(frames[k], dtype=dtype).tobytes())
    return path


def read_header(path: str | Path) -> dict[str, Any]:
    """The JSON header of a model file; does not import torch.

    Raises
    ------
    FormatError
        If the file is missing, truncated, no model, or of a newer format.
    """
    return _open(path)[0]


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]], NDArray[Any]]:
    """Header, weights (copied) and frames (memory-mapped, read-only) of a model file.

    Raises
    ------
    FormatError
        As :func:`read_header`.
    """
    header, entries, start = _open(path)
    shape = tuple(entries.get("frames", {}).get("shape", ()))
    if len(shape) != 4 or 0 in shape:
        raise FormatError(f"{path} is a model without frames; fit it again.")
    # The library maps tensors only as a whole copy, so the frames are mapped here.
    dtype = np.dtype(_CODES[entries["frames"]["dtype"]])
    frames: NDArray[Any] = np.memmap(path, dtype, "r", start + entries["frames"]["data_offsets"][0], shape)
    try:
        with safe_open(path, framework="numpy") as file:
            weights = {name: file.get_tensor(name) for name in entries if name != "frames"}
    except SafetensorError as error:
        raise FormatError(f"The model {path} is damaged or truncated; copy it again or fit it again.") from error
    return header, weights, frames


def _open(path: str | Path) -> tuple[dict[str, Any], dict[str, Any], int]:
    path = Path(path)
    not_a_model = f"{path} is not a SpatimeINR model; make one with 'spatimeinr fit'."
    damaged = f"The model {path} is damaged or truncated; copy it again or fit it again."
    if path.is_dir():
        raise FormatError(f"{path} is a folder, not a SpatimeINR model.")
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= MOST_HEADER:
                raise FormatError(not_a_model)
            text = file.read(min(length, max(size, 0)))
    except FileNotFoundError as error:
        raise FormatError(f"There is no file {path}.") from error
    except FormatError:
        raise
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not text.startswith(b"{"):
        raise FormatError(not_a_model)
    if len(text) < length:
        raise FormatError(damaged if KEY.encode() in text else not_a_model)
    try:
        entries = json.loads(text)
        header = json.loads(entries.pop("__metadata__")[KEY])
        form = header["format"]
        if not isinstance(form, int):
            raise FormatError(not_a_model)
        if form > FORMAT:
            raise FormatError(
                f"The model {path} was made by a newer version (format {form}, this one reads {FORMAT}); update napari-spatimeinr."
            )
        for entry in entries.values():
            begin, end = entry["data_offsets"]
            if any(not isinstance(n, int) or n < 0 for n in (begin, end, *entry["shape"])):
                raise FormatError(damaged)
            if end - begin != np.dtype(_CODES[entry["dtype"]]).itemsize * math.prod(entry["shape"]):
                raise FormatError(damaged)
            if 8 + length + end > size:
                raise FormatError(damaged)
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(not_a_model) from error
    return header, entries, 8 + length
