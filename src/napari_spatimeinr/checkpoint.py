"""A model in one file: weights, frames and a JSON header, in the safetensors format.

Nothing is unpickled. The header is readable without torch. Frames are streamed out one by one and
read where they are needed, so a model of a large recording needs no memory of its size; one that
refers to its recording (:mod:`.io.linked`) holds none. What is in the file is covered by BLAKE2
sums: header and weights are verified when it is opened, frames too where they are few bytes, else
each when it is first read. Files without sums, which earlier versions wrote, are read as they are.
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

from .config import former
from .errors import FormatError, InputError
from .io.atomic import WAIT, replacing
from .io.linked import frames_of
from .io.stored import StoredFile
from .io.summed import ModelFrames, digest_of, frame_sum

FORMAT = 2
"""2: parts are called planes and voxels; files of format 1 are read."""
LINKED = 3
"""3: that, but the frames are in the recording."""
KEY = "spatimeinr"
SUMS = "spatimeinr.blake2b"
_CODES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
}
_CODES |= {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
_NAMES = {np.dtype(code): name for name, code in _CODES.items()}
MOST_HEADER = 100_000_000
VERIFIED_AT_ONCE = 32 * 2**20
"""Bytes of frames up to which all are verified when a model is opened: some 30 ms."""


def write(
    path: str | Path,
    header: Mapping[str, Any],
    weights: Mapping[str, NDArray[Any]],
    frames: Any,
    wait: float = WAIT,
) -> Path:
    """Write a model atomically.

    Parameters
    ----------
    header : JSON-serialisable; ``format`` is added.
    weights : named arrays.
    frames : ``(T, Z, Y, X)`` array-like, read frame by frame; None where the header says of which
        ``recording`` they are.
    wait : seconds to wait for another writer of the same file.

    Raises
    ------
    SaveError
        If the file cannot be written; an earlier file stays as it was.
    """
    path = Path(path)
    form = LINKED if frames is None else FORMAT
    entries: dict[str, Any] = {"__metadata__": {KEY: json.dumps({"format": form, **header})}}
    position = 0
    arrays = dict(weights) if frames is None else {**weights, "frames": frames}
    listed = {
        name: (np.dtype(array.dtype).newbyteorder("<"), tuple(array.shape))
        for name, array in arrays.items()
    }
    count = 0 if frames is None else int(frames.shape[0])
    for name, (kind, shape) in listed.items():
        size = kind.itemsize * int(np.prod(shape, dtype=np.int64))
        entries[name] = {
            "dtype": _NAMES[kind],
            "shape": [int(n) for n in shape],
            "data_offsets": [position, position + size],
        }
        position += size
    sums: dict[str, Any] = {
        "header": _header_sum(entries),
        "weights": "0" * 32,
        "frames": ["0" * 32] * count,
    }
    with replacing(path, wait=wait) as temporary, open(temporary, "wb") as file:
        file.write(_head(entries, sums))
        digest = digest_of()
        for name, array in weights.items():
            block = np.ascontiguousarray(array, dtype=listed[name][0]).tobytes()
            digest.update(block)
            file.write(block)
        sums["weights"] = digest.hexdigest()
        for k in range(count):
            frame = np.ascontiguousarray(frames[k], dtype=listed["frames"][0])
            sums["frames"][k] = frame_sum(frame)
            file.write(frame.tobytes())
        file.seek(0)
        file.write(_head(entries, sums))  # sums are of one length, so it fits
    return path


def _head(entries: Mapping[str, Any], sums: Mapping[str, Any]) -> bytes:
    metadata = {**entries["__metadata__"], SUMS: json.dumps(sums)}
    text = json.dumps({**entries, "__metadata__": metadata}).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _header_sum(entries: Mapping[str, Any]) -> str:
    """Of what the header says: ours, and where the arrays are."""
    places = {name: entry for name, entry in entries.items() if name != "__metadata__"}
    return digest_of(
        json.dumps([entries["__metadata__"][KEY], places], sort_keys=True).encode()
    ).hexdigest()


def read_header(path: str | Path) -> dict[str, Any]:
    """The JSON header of a model file; does not import torch.

    Raises
    ------
    FormatError
        If the file is missing, truncated, no model, or of a newer format.
    """
    return _open(path)[0]


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]], ModelFrames | None]:
    """Header, weights (copied) and frames (read where they are indexed; None where the header says
    of which ``recording`` they are) of a model file.

    Raises
    ------
    FormatError
        As :func:`read_header`, and if weights or, where they are verified at once, frames are
        damaged.
    """
    path = Path(path)
    header, entries, start, sums = _open(path)
    is_linked = "recording" in header
    shape = tuple(entries.get("frames", {}).get("shape", ()))
    if not is_linked and (len(shape) != 4 or 0 in shape):
        raise FormatError(f"{path} is a model without frames; fit it again.")
    if sums is not None and len(sums["frames"]) != (0 if is_linked else shape[0]):
        raise FormatError(_damaged(path))
    frames = None
    try:
        weights, found = _weights(path, entries, start)
        if not is_linked:
            dtype, place = _CODES[entries["frames"]["dtype"]], entries["frames"]["data_offsets"][0]
            known = None if sums is None else sums["frames"]
            frames = ModelFrames(path, dtype, start + place, shape, known)
    except OSError as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path} cannot be read: {error.strerror or error}.") from error
    if sums is not None and found != sums["weights"]:
        raise FormatError(_damaged(path))
    if frames is not None and frames.nbytes <= VERIFIED_AT_ONCE:
        frames.verify(range(shape[0]))
    return header, former.arrays(weights), frames


def mend(path: str | Path, source: str | Path) -> None:
    """Write into a linked model where its recording is now, once that is the one it refers to.

    Raises
    ------
    FormatError
        If one of them cannot be read, or the recording is another.
    InputError
        If the model holds its frames itself.
    SaveError
        If the model cannot be written.
    """
    path = Path(path)
    header, weights, frames = read(path)
    if frames is not None:
        raise InputError(holds_frames(path))
    link = frames_of(header["recording"], path, source).link
    write(path, {**header, "recording": link.beside(path)}, weights, None)


def holds_frames(path: str | Path) -> str:
    """What is said where a recording is given to a model that needs none."""
    return f"The model {path} holds its frames; leave out the recording's path (--source)."


def _weights(
    path: Path, entries: dict[str, Any], start: int
) -> tuple[dict[str, NDArray[Any]], str]:
    """All arrays but the frames, and their sum."""
    weights, digest = {}, digest_of()
    file = StoredFile(path)
    for name, entry in entries.items():
        if name == "frames":
            continue
        begin, end = entry["data_offsets"]
        block = bytearray(end - begin)
        file.fill(memoryview(block), start + begin)
        digest.update(block)
        weights[name] = np.frombuffer(block, _CODES[entry["dtype"]]).reshape(entry["shape"])
    return weights, digest.hexdigest()


def _damaged(path: Path) -> str:
    return f"The model {path} is damaged or truncated; copy it again or fit it again."


def _not_a_model(path: Path) -> str:
    return f"{path} is not a SpatimeINR model; make one with 'spatimeinr fit'."


def _open(path: str | Path) -> tuple[dict[str, Any], dict[str, Any], int, dict[str, Any] | None]:
    """Header, where the arrays are, the byte these places count from, and the sums if there are
    any.
    """
    path = Path(path)
    text, length, size = _head_of(path)
    if len(text) < length:
        raise FormatError(_damaged(path) if KEY.encode() in text else _not_a_model(path))
    try:
        entries = json.loads(text)
        metadata = entries["__metadata__"]
        header = json.loads(metadata[KEY])
        _check_format(path, header["format"])
        sums = json.loads(metadata[SUMS]) if SUMS in metadata else None
        if sums is not None and not (
            isinstance(sums, dict)
            and set(sums) == {"header", "weights", "frames"}
            and isinstance(sums["frames"], list)
            and _header_sum(entries) == sums["header"]
        ):
            raise FormatError(_damaged(path))
        del entries["__metadata__"]
        if not all(_is_sound(entry, size - 8 - length) for entry in entries.values()):
            raise FormatError(_damaged(path))
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(_not_a_model(path)) from error
    return former.header(header), entries, 8 + length, sums


def _head_of(path: Path) -> tuple[bytes, int, int]:
    """The JSON text a model file begins with (as much of it as there is), how long it should be,
    and the bytes of the file.
    """
    if path.is_dir():
        raise FormatError(f"{path} is a folder, not a SpatimeINR model.")
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= MOST_HEADER:
                raise FormatError(_not_a_model(path))
            text = file.read(min(length, max(size, 0)))
    except FileNotFoundError as error:
        raise FormatError(f"There is no file {path}.") from error
    except FormatError:
        raise
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not text.startswith(b"{"):
        raise FormatError(_not_a_model(path))
    return text, length, size


def _check_format(path: Path, form: Any) -> None:
    """Refuse what is no format, or a newer one."""
    if not isinstance(form, int):
        raise FormatError(_not_a_model(path))
    if form > LINKED:
        raise FormatError(
            f"The model {path} was made by a newer version (format {form}, this one reads"
            f" {LINKED}); update napari-spatimeinr."
        )


def _is_sound(entry: dict[str, Any], room: int) -> bool:
    """Whether an array has the bytes of its type and shape, within the ``room`` bytes there are."""
    begin, end = entry["data_offsets"]
    if any(not isinstance(n, int) or n < 0 for n in (begin, end, *entry["shape"])):
        return False
    size = np.dtype(_CODES[entry["dtype"]]).itemsize * math.prod(entry["shape"])
    return bool(end - begin == size and end <= room)
