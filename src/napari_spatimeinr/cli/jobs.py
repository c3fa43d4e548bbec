"""Reading and fitting as the commands do it: questions about the file told, Ctrl-C
leaves a model.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..errors import GridError, InputError
from .output import Output

if TYPE_CHECKING:
    from ..field import Field
    from ..fitting import FitProgress
    from ..volume import Volume


def read(
    path: Path, how: dict[str, Any], output: Output, uncalibrated: str = "the fit goes on in"
) -> Volume:
    """Read a recording, and say what its file leaves open."""
    from ..volume import Volume

    with blaming(how):
        volume = Volume.open(path, **how)
    for warning in volume.metadata.get("warnings", ()):
        output.note(f"warning: {warning}")
    unknown = [
        f"{what}s"
        for what, unit in zip(("frame", "voxel"), volume.units, strict=True)
        if unit == what
    ]
    if unknown and uncalibrated:
        missing = " and ".join(
            {"frames": "frame interval", "voxels": "voxel size"}[what] for what in unknown
        )
        output.note(
            f"warning: {path.name} does not state its {missing}; {uncalibrated}"
            f" {' and '.join(unknown)} (--spacing, --units)."
        )
    return volume


@contextmanager
def blaming(how: dict[str, Any]) -> Iterator[None]:
    """An impossible spacing is wrong use where --spacing gave it, and a fault of the file where it
    did not.
    """
    try:
        yield
    except GridError as error:
        if how["spacing"] is not None:
            raise
        raise InputError(str(error)) from error


def run_fit(steps: Generator[FitProgress, None, Field], output: Output) -> tuple[Field, bool]:
    """Run a fit to its end, or to the first usable model after Ctrl-C; a second Ctrl-C stops at
    once.

    Returns
    -------
    The Field, and whether Ctrl-C was pressed.
    """
    latest: Field | None = None
    with Interrupt() as interrupt, output.progress() as progress:
        try:
            while True:
                state = next(steps)
                progress.fit(state)
                latest = state.field if state.field is not None else latest
                if interrupt.asked and latest is not None:
                    steps.close()
                    return latest, True
                if interrupt.asked and not interrupt.told:
                    interrupt.told = True
                    output.note(
                        "Stopping at the first usable model; press Ctrl-C again to stop without"
                        " one."
                    )
        except StopIteration as done:
            field: Field = done.value
            return field, interrupt.asked
        except KeyboardInterrupt:
            if latest is None:
                raise
            return latest, True


class Interrupt:
    """While entered, Ctrl-C sets ``asked``; the second one, or with ``at_once`` the first, raises
    KeyboardInterrupt.

    Python loses a KeyboardInterrupt that is raised while an object is being destroyed, so who goes
    by ``at_once`` calls :meth:`check` now and then.
    """

    def __init__(self, at_once: bool = False) -> None:
        self.asked = self.told = False
        self.at_once = at_once

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self.asked:
            raise KeyboardInterrupt

    def __enter__(self) -> Interrupt:
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._before = signal.signal(signal.SIGINT, self._pressed)
        return self

    def __exit__(self, *_: object) -> None:
        if self._main:
            signal.signal(signal.SIGINT, self._before)

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        if self.asked or self.at_once:
            self.asked = True
            raise KeyboardInterrupt
        self.asked = True
