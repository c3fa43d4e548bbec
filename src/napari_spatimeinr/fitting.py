"""Fit a Field to one recording: in one call, as an object, or as a generator of progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ._version import __version__
from .compute.device import free_memory, peak_memory
from .compute.threads import steps_on
from .config.facts import Chosen, Input, Provenance
from .config.options import Config, make_config
from .data.grid import check_roi
from .errors import FitError, FormatError, InputError, OutOfMemoryError, SpatimeINRError
from .field import Field
from .header import opened
from .model.trusted import trusted_device, warned_device
from .published import training as published
from .published.method import PREFIX, PublishedMethod
from .render.method import Aligned, Method
from .training import stages
from .training.job import FitProgress, Job
from .training.normalisation import estimate_normalisation, fingerprint
from .training.run import FitRun
from .training.schedule import Schedule
from .volume import Volume, as_volume

__all__ = ["METHODS", "FitProgress", "FitRun", "fit", "fit_run", "fit_steps", "load"]


class Fitted(NamedTuple):
    """A method: what a Field holds of it, and what fits it."""

    method: type[Method]
    run: Callable[[Job], Generator[FitProgress, None, Field]]


METHODS = {
    kind.method.name: kind
    for kind in (Fitted(Aligned, stages.run), Fitted(PublishedMethod, published.run))
}
"""All methods, by the names that headers of model files give them: ours first."""


def fit(
    volume: Volume,
    preset: str = "balanced",
    config: Config | dict[str, Any] | str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    time_budget: float | None = None,
    resume: Field | str | Path | None = None,
    motion: Field | None = None,
    roi: Any = None,
    progress: Callable[[FitProgress], None] | None = None,
) -> Field:
    """Fit a Field to a recording and nothing else.

    Parameters
    ----------
    volume : the recording, ``(T, Z, Y, X)``.
    preset : "fast", "balanced", "best" or "published" (the method as it was published).
    config : changes on top of the preset: nested dict, YAML file, or a whole Config.
    device : "auto", "cpu", "cuda", "cuda:N" or "mps".
    seed : the same seed gives the same result on CPU with a fixed number of threads, the same
        precision and no time budget.
    time_budget : seconds the fit may take; it ends with what it has by then.
    resume : a Field or model file of the same recording to go on from.
    motion : another Field whose motion is shared (channels of one recording).
    roi : half-open source indices to fit, ``((t0, t1), (z0, z1), (y0, y1), (x0, x1))``.
    progress : called with each FitProgress.

    Raises
    ------
    InputError, ConfigError, GridError, DeviceError, OutOfMemoryError, FitError
    """
    run = fit_run(volume, preset, config, device, seed, time_budget, resume, motion, roi)
    for state in run:
        if progress is not None:
            progress(state)
    return run.result()


def fit_run(
    volume: Volume,
    preset: str = "balanced",
    config: Config | dict[str, Any] | str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    time_budget: float | None = None,
    resume: Field | str | Path | None = None,
    motion: Field | None = None,
    roi: Any = None,
) -> FitRun:
    """The same as :func:`fit`, as an object: ``for state in run``, ``run.field``, ``run.stop()``.

    Nothing is computed, or refused, before it is iterated.
    """
    return FitRun(fit_steps(volume, preset, config, device, seed, time_budget, resume, motion, roi))


def fit_steps(
    volume: Volume,
    preset: str = "balanced",
    config: Config | dict[str, Any] | str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    time_budget: float | None = None,
    resume: Field | str | Path | None = None,
    motion: Field | None = None,
    roi: Any = None,
) -> Generator[FitProgress, None, Field]:
    """The same as :func:`fit`, step by step; :func:`fit_run` makes it an object.

    Closing the generator cancels; the last ``FitProgress.field`` stays usable. Its return value is
    the Field.
    """
    began = time.monotonic()
    volume = as_volume(volume, "fit")
    if roi is not None:
        volume = volume.crop(check_roi(roi, volume.shape))
    options = make_config(preset, config)
    where, why = trusted_device(device)
    if time_budget is not None and not time_budget > 0:
        raise InputError(
            f"The time budget must be a positive number of seconds, got {time_budget!r}."
        )
    if isinstance(resume, (str, Path)):
        resume = load(resume, device, volume)
    _check_others(volume, resume, motion)
    _check_memory(volume)
    job = _job(volume, options, where, seed, Schedule(began, time_budget), resume, motion)
    if why is not None:
        job.provenance.warnings.append(why)
    # Of what is constant there is nothing to learn, by any method.
    as_published = options.published is not None and not job.constant
    if as_published and volume.grid.times is not None:
        raise InputError(
            "The published method takes evenly spaced frames only, and those of this recording are"
            " not; choose another preset."
        )
    run = METHODS[PublishedMethod.name if as_published else Aligned.name].run
    with _in_a_sentence(volume, where):
        if where.type == "cpu":
            threads = job.provenance.setdefault("threads", [])
            field = yield from steps_on(options.threads, run(job), threads)
        else:
            field = yield from run(job)
    for part in _parts():
        field.provenance.chosen.setdefault(part, False)
    field.provenance.seconds = round(job.schedule.elapsed(), 2)
    field.provenance.peak_memory_bytes = peak_memory()
    field.provenance.complete = True
    return field


def _parts() -> list[str]:
    """The parts that models of any method can have."""
    return [part for kind in METHODS.values() for part in kind.method.PARTS]


def _job(
    volume: Volume,
    options: Config,
    where: torch.device,
    seed: int,
    schedule: Schedule,
    resume: Field | None,
    motion: Field | None,
) -> Job:
    """The state that a fit begins with, and what its provenance says from the start."""
    seed = int(seed)  # NumPy's are taken too
    sha256 = fingerprint(volume.data)
    if resume is not None and resume.provenance.input.sha256 != sha256:
        raise InputError(
            "The model to resume was fitted to another recording, or another region of this one;"
            " fit it anew."
        )
    normalisation, notes, constant = estimate_normalisation(volume.data)
    name = str(volume.metadata.get("name") or volume.metadata.get("source") or "")
    provenance = Provenance(
        method="SpatimeINR, motion-aligned latents",
        version=__version__,
        seed=seed,
        device=str(where),
        input=Input(name=name, sha256=sha256),
        warnings=notes,
        steps=0,
        chosen=Chosen(**dict.fromkeys(_parts(), False)),
    )
    return Job(
        volume, options, where, seed, normalisation, constant, provenance, schedule, resume, motion
    )


def load(
    path: str | Path, device: str = "auto", source: str | Path | Volume | None = None
) -> Field:
    """Read a model written by :meth:`.Field.save`; frames stay on disk until they are needed.

    Parameters
    ----------
    path : the model file.
    device : "auto", "cpu", "cuda", "cuda:N" or "mps".
    source : where the recording is now that the model refers to, if that has moved; or what was
        fitted of it, as a Volume, of which a model that holds its frames has no need.

    Raises
    ------
    FormatError
        If the file is missing, damaged, not a model, of a newer format, or of an unknown method; or
        the recording it refers to is missing or another.
    InputError
        If a path is given as ``source``, and the model refers to no recording.
    DeviceError
        If the device is not there.
    """

    def method_of(header: dict[str, Any], weights: dict[str, NDArray[Any]]) -> type[Method]:
        # Headers of earlier versions name no method.
        of_published = any(name.startswith(PREFIX) for name in weights)
        name = header.get("method", PublishedMethod.name if of_published else Aligned.name)
        if not isinstance(name, str) or name not in METHODS:
            raise FormatError(
                f"The model {path} is of a method that this version does not know ({name}); update"
                " napari-spatimeinr."
            )
        return METHODS[name].method

    return opened(Field, path, method_of, warned_device(device), None, source)


def _check_others(volume: Volume, resume: Field | None, motion: Field | None) -> None:
    """Refuse Fields of recordings of another shape, or whose frames lie at other times."""
    if resume is not None and tuple(resume.grid.shape) != tuple(volume.shape):
        raise InputError(
            f"The model to resume was fitted to a recording of shape {resume.grid.shape}, this one"
            f" has {volume.shape}; fit it anew."
        )
    if motion is not None and tuple(motion.grid.shape) != tuple(volume.shape):
        raise InputError(
            f"The motion to share is of a recording of shape {motion.grid.shape}, this one has"
            f" {volume.shape}."
        )
    for other in (resume, motion):
        if other is not None and not np.allclose(other.grid.clock, volume.grid.clock, atol=1e-3):
            raise InputError(
                "The frames of the model to resume or share motion with lie at other times than"
                " those of this recording, evenly or not; fit it anew."
            )


@contextmanager
def _in_a_sentence(volume: Volume, where: torch.device) -> Iterator[None]:
    """Make what breaks down in a computation an error of this package."""
    try:
        yield
    except SpatimeINRError:
        raise
    except MemoryError as error:
        raise OutOfMemoryError(_too_large(volume, "memory")) from error
    except RuntimeError as error:
        # torch raises RuntimeError for out of memory and for everything else.
        if "out of memory" in str(error).lower() or "can't allocate memory" in str(error).lower():
            raise OutOfMemoryError(_too_large(volume, f"memory on {where}")) from error
        raise FitError(
            f"The fit broke down in a computation ({str(error).splitlines()[0]}); try another"
            " preset or device."
        ) from error


def _check_memory(volume: Volume) -> None:
    """A single frame, as float32 with its smoothed copies, must fit; the rest is read in blocks."""
    _, z, y, x = volume.shape
    needed, free = 6 * 4 * z * y * x + 400 * 2**20, free_memory()
    if needed > free:
        raise OutOfMemoryError(
            _too_large(
                volume, f"free memory ({needed / 1e9:.2g} GB needed, {free / 1e9:.2g} GB free)"
            )
        )


def _too_large(volume: Volume, what: str) -> str:
    _, z, y, x = volume.shape
    room = max(1, (free_memory() // 2) // (24 * max(1, z)))
    side = max(16, min(int(room**0.5), y, x))
    if side >= min(y, x):
        side = max(16, min(y, x) // 2)
    return (
        f"There is not enough {what} for frames of {z} x {y} x {x} voxels; fit a region, for"
        f" example --roi :,:,0:{min(side, y)},0:{min(side, x)}, or bin the recording first."
    )
