"""What the engine is given to do: functions that call ``tick`` often and know nothing
of windows.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...data.arrays import watched
from ...errors import OutOfMemoryError
from ...field import Field
from ...fitting import FitProgress
from ...volume import Volume
from .engine import Stopped

Tick = Callable[[Any], None]


class FitState(NamedTuple):
    """Where a fit stands, and the newest usable Field (None at first)."""

    progress: FitProgress
    field: Field | None


Steps = Generator[FitProgress, None, Field]


class FitResult(NamedTuple):
    """A Field, and the steps that are left if the fit was stopped before its end."""

    field: Field
    left: Steps | None


class Share(NamedTuple):
    """How much of a rendering is done."""

    done: int
    of: int


def fit_work(steps: Steps, latest: Field | None) -> Callable[[Tick], FitResult]:
    """Do the steps of a fit; stopped, it keeps what was learned, if there is anything yet, and can
    go on later.

    Parameters
    ----------
    steps : of :func:`.fit_steps`, begun or not.
    latest : what there is already.
    """

    def work(tick: Tick) -> FitResult:
        newest = latest
        try:
            while True:
                state = next(steps)
                newest = state.field or newest
                tick(FitState(state, newest))
        except StopIteration as end:
            return FitResult(end.value, None)
        except Stopped:
            if newest is None:
                raise
            return FitResult(newest, steps)

    return work


def render_work(field: Field, how: dict[str, Any]) -> Callable[[Tick], Volume]:
    """Render into memory, the options of :meth:`.Field.lazy`."""

    def work(tick: Tick) -> Volume:
        rendered = field.lazy(**how)
        watched(rendered, lambda done, of: tick(Share(done, of)))
        try:
            out = np.empty(rendered.shape, rendered.dtype)
        except MemoryError as error:
            raise OutOfMemoryError(
                f"This rendering takes {rendered.nbytes / 1e9:.3g} GB; choose smaller scales or"
                " save it to a file."
            ) from error
        for t in range(len(out)):
            out[t] = rendered[t]
        return field.wrap(out, rendered)

    return work


def save_work(field: Field, how: dict[str, Any], path: Path, name: str) -> Callable[[Tick], Path]:
    """Render into a file as it is written; it appears only once it is complete."""

    def work(tick: Tick) -> Path:
        rendered = field.lazy(**how)
        watched(rendered, lambda done, of: tick(Share(done, of)))
        volume = field.wrap(rendered, rendered)
        volume.metadata["name"] = name
        return volume.save(path)

    return work
