"""A model as plain values and arrays, and back: what its file holds, what tells it from another,
and the Field of a file, in any process.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from . import checkpoint
from .compute.device import resolve_precision
from .config.facts import Provenance
from .config.options import Config, make_config
from .data.plain import plain
from .data.record import Record
from .errors import FormatError, InputError
from .io.lazy import Source
from .io.linked import frames_of
from .io.provenance import without_varying
from .model.build import unknown_parts
from .model.frames import Normalisation
from .model.trusted import trusted_device
from .render.method import Method
from .volume import Volume

if TYPE_CHECKING:
    from .field import Field

MethodOf = Callable[[dict[str, Any], dict[str, NDArray[Any]]], type[Method]]
"""Which method a model is of, by its header and arrays."""


def header_of(
    volume: Volume,
    method: Method,
    normalisation: Normalisation,
    config: Config,
    interpolation: str,
    provenance: Provenance,
) -> dict[str, Any]:
    """All of a model but its weights and frames, as JSON values."""
    grid = volume.grid
    return {
        "grid": {
            "shape": list(grid.shape),
            "spacing": list(grid.spacing),
            "origin": list(grid.origin),
            **({} if grid.times is None else {"times": list(grid.times)}),
        },
        "units": list(volume.units),
        "orientation": None if volume.orientation is None else volume.orientation.tolist(),
        "metadata": plain(volume.metadata, finite=False),
        "normalisation": asdict(normalisation),
        "interpolation": interpolation,
        "method": method.name,
        **method.header(),
        "config": config.model_dump(mode="json"),
        "provenance": provenance.to_dict(),
    }


def token(header: dict[str, Any], weights: dict[str, NDArray[Any]], sums: Sequence[str]) -> str:
    """Equal for equal models, whatever file they are in and how long they took; ``sums`` are those
    of the frames.
    """
    return state_of({**header, "provenance": without_varying(header["provenance"])}, weights, sums)


def state_of(
    header: dict[str, Any], weights: dict[str, NDArray[Any]], sums: Sequence[str] = ()
) -> str:
    """Equal as long as nothing of a model changes."""
    digest = hashlib.sha256(json.dumps([header, list(sums)], sort_keys=True).encode())
    for name, array in weights.items():
        digest.update(
            f"{name} {array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes()
        )
    return digest.hexdigest()


# -- back -----------------------------------------------------------------------------------


def volume_of(header: dict[str, Any], frames: Any) -> Volume:
    """The recording a header tells of; raises what comes of a header that is none."""
    grid = header["grid"]
    spacing, origin = tuple(grid["spacing"]), tuple(grid["origin"])
    rest = header["units"], header["orientation"], header["metadata"]
    return Volume(frames, spacing, origin, *rest, grid.get("times"))


def normalisation_of(header: dict[str, Any], count: int) -> Normalisation:
    """The normalisation of ``count`` frames a header tells of; raises what comes of a header
    that is none.
    """
    raw = header["normalisation"]
    ranges = tuple((float(low), float(high)) for low, high in raw.get("ranges", ()))
    normalisation = Normalisation(
        float(raw["offset"]), float(raw["scale"]), tuple(float(g) for g in raw["gains"]), ranges
    )
    if (
        len(normalisation.gains) != count
        or len(ranges) not in (0, count)
        or not min(normalisation.scale, *normalisation.gains) > 0
    ):
        raise ValueError("its intensity normalisation does not fit its frames")
    return normalisation


def config_of(header: dict[str, Any]) -> Config:
    """The options of the fit a header tells of; raises what comes of a header that is none."""
    return make_config(config=Config.model_validate(header["config"]))


def interpolation_of(header: dict[str, Any]) -> str:
    """The interpolation in time a header tells of; raises what comes of a header that is none."""
    said = header["interpolation"]
    if said not in ("linear", "cubic"):
        raise ValueError("its interpolation in time is unknown")
    return str(said)


@contextmanager
def damage_in_a_sentence(path: str | Path) -> Iterator[None]:
    """Make what comes of a damaged header or of damaged weights a FormatError."""
    try:
        yield
    except (
        LookupError,
        ValueError,
        TypeError,
        ArithmeticError,
        AttributeError,
        RuntimeError,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".: ")
        raise FormatError(
            f"The model {path} is damaged ({reason}); copy it again or fit it again."
        ) from error


def opened(
    cls: Callable[..., Field],
    path: str | Path,
    method_of: MethodOf,
    device: torch.device,
    precision: torch.dtype | None,
    recording: str | Path | Record | None = None,
) -> Field:
    """The Field of a model file; frames stay on disk until they are needed.

    Parameters
    ----------
    cls : Field itself, on which this module does not stand.
    path : the file.
    method_of : tells the method from header and arrays.
    device : where it computes.
    precision : arithmetic of the networks; None for what the model's configuration says.
    recording : where the recording is that it refers to, or that itself; None looks where the model
        says.

    Raises
    ------
    FormatError
        If the file is missing, damaged, not a model, or of a newer format, or the recording is
        missing or another.
    InputError
        If a path is given, and the model refers to no recording.
    """
    header, weights, held = checkpoint.read(path)
    if held is not None and isinstance(recording, (str, Path)):
        raise InputError(checkpoint.holds_frames(path))
    method = method_of(header, weights)
    if unknown := unknown_parts(header["parts"]):
        raise FormatError(
            f"The model {path} has a part {unknown[0]!r} that is not known here; import the package"
            " that registers it, or fit it again."
        )
    with damage_in_a_sentence(path):
        found = None if held is not None else frames_of(header["recording"], Path(path), recording)
        frames = held if found is None else found.data
        config, volume = config_of(header), volume_of(header, frames)
        if found is not None:
            volume.metadata["source"] = str(found.link.path)
        precision = precision or resolve_precision(config.precision, device, method.convolved)
        field = cls(
            volume,
            method.build(header, weights, volume.grid.shape[1:], config, device, precision),
            normalisation_of(header, volume.shape[0]),
            config,
            device,
            interpolation_of(header),
            header["provenance"],
        )
        if held is not None:
            field.refer_to(held.source, field.state())
        elif found is not None and not isinstance(recording, Record):
            link = found.link
            where = Source.of(Path(path), None), field.state(), Source.of(link.path, link.how)
            field.refer_to(*where, list(link.sums))
    return field


def loaded(
    cls: type[Field],
    source: Source,
    recording: Source | None,
    device: str,
    precision: torch.dtype,
    method: type[Method],
) -> Field:
    """The model of a file that another process referred to, each time a Field of its own.

    One array is often sent many times, so weights, frames and what was rendered of them are kept
    and shared.
    """
    source.checked()
    if recording is not None:
        recording.checked()
    # mypy takes the __hash__ of Fields for that of their class.
    kept = _kept(cls, source, recording, device, precision, method)  # type: ignore[arg-type]
    field = object.__new__(cls)
    field.__dict__.update(kept.__dict__)
    field.volume = kept.volume.like(kept.volume.data, kept.grid)
    field.volume.metadata, field.provenance = copy.deepcopy((kept.volume.metadata, kept.provenance))
    return field


@functools.lru_cache(maxsize=1)
def _kept(
    cls: Callable[..., Field],
    source: Source,
    recording: Source | None,
    device: str,
    precision: torch.dtype,
    method: type[Method],
) -> Field:
    where = trusted_device(device).device
    place = None if recording is None else recording.path
    return opened(cls, source.path, lambda header, weights: method, where, precision, place)
