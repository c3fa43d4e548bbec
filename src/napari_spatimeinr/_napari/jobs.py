"""What the engine is given to do: functions that call ``tick`` often and know nothing of windows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..config import Config
from ..errors import OutOfMemoryError
from ..field import Field
from ..fit import FitProgress, fit_steps
from ..rendered import RenderedArray
from ..volume import Volume
from .engine import Stopped

Tick = Callable[[Any], None]


class FitState(NamedTuple):
    """Where a fit stands, and the newest usable Field (None at first)."""

    progress: FitProgress
    field: Field | None


class FitResult(NamedTuple):
    """A Field, and whether the fit was stopped before its end."""

    field: Field
    stopped: bool


class Share(NamedTuple):
    """How much of a rendering is done."""

    done: int
    of: int


def fit_work(
    volume: Volume,
    config: Config,
    device: str,
    seed: int,
    time_budget: float | None,
    resume: Field | None,
    motion: Field | None,
) -> Callable[[Tick], FitResult]:
    """Fit a recording; stopping it keeps what was learned, if there is anything yet."""

    def work(tick: Tick) -> FitResult:
        steps = fit_steps(volume, config.preset, config, device, seed, time_budget, resume, motion)
        latest = resume
        try:
            while True:
                state = next(steps)
                latest = state.field or latest
                tick(FitState(state, latest))
        except StopIteration as end:
            return FitResult(end.value, False)
        except Stopped:
            steps.close()
            if latest is None:
                raise
            return FitResult(latest, True)

    return work


def _watched(rendered: RenderedArray, tick: Tick) -> RenderedArray:
    done = 0

    def seen(voxels: int) -> None:
        nonlocal done
        done += voxels
        tick(Share(min(done, rendered.size), rendered.size))

    rendered.watch = seen
    return rendered


def render_work(field: Field, how: dict[str, Any]) -> Callable[[Tick], Volume]:
    """Render into memory, the options of :meth:`.Field.lazy`."""

    def work(tick: Tick) -> Volume:
        rendered = _watched(field.lazy(**how), tick)
        try:
            out = np.empty(rendered.shape, rendered.dtype)
        except MemoryError as error:
            raise OutOfMemoryError(
                f"This rendering takes {rendered.nbytes / 1e9:.3g} GB; choose smaller scales or save it to a file."
            ) from error
        for t in range(len(out)):
            out[t] = rendered[t]
        return field.wrap(out, rendered)

    return work


def save_work(field: Field, how: dict[str, Any], path: Path, name: str) -> Callable[[Tick], Path]:
    """Render into a file as it is written; it appears only once it is complete."""

    def work(tick: Tick) -> Path:
        rendered = _watched(field.lazy(**how), tick)
        volume = field.wrap(rendered, rendered)
        volume.metadata["name"] = name
        return volume.save(path)

    return work
