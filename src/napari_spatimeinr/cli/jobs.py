"""Reading and fitting as the commands do it: questions about the file told, Ctrl-C
leaves a model.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, GridError, InputError
from .output import Output

if TYPE_CHECKING:
    from ..fitting import FitProgress, FitRun
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


def timed(volume: Volume, times: tuple[float, ...]) -> Volume:
    """A recording with frames at these times.

    Raises
    ------
    ConfigError
        If they are not an increasing one for each frame.
    """
    from ..data.grid import Grid

    try:
        grid = Grid(volume.shape, volume.spacing, volume.origin, times)
    except GridError as error:
        raise ConfigError(f"--times: {error}") from error
    return volume.like(volume.data, grid)


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


def run_fit(run: FitRun, output: Output) -> bool:
    """Run a fit to its end, or to the first usable model after Ctrl-C; a second Ctrl-C stops at
    once. Whether Ctrl-C was pressed.
    """
    told: list[str] = []

    def wait_for_a_model() -> None:
        if not told:
            told.append(
                "Stopping at the first usable model; press Ctrl-C again to stop without one."
            )
            output.note(told[0])

    with output.progress() as progress:
        return follow(run, progress.fit, lambda: run.field is not None, wait_for_a_model)


def follow(
    run: FitRun,
    seen: Callable[[FitProgress], None],
    usable: Callable[[], bool],
    too_early: Callable[[], None],
) -> bool:
    """Run a fit to its end or, after Ctrl-C, until what was learned is usable.

    Parameters
    ----------
    run : the fit; it is closed in the end.
    seen : called with every state.
    usable : whether what ``run.field`` is now is worth keeping.
    too_early : called after each step while Ctrl-C was pressed and nothing is usable.

    Returns
    -------
    Whether Ctrl-C was pressed.

    Raises
    ------
    KeyboardInterrupt
        At a second Ctrl-C, if nothing is usable by then.
    """
    with Interrupt() as interrupt:
        try:
            for state in run:
                seen(state)
                if interrupt.asked and usable():
                    run.stop()
                elif interrupt.asked:
                    too_early()
        except KeyboardInterrupt:
            if not usable():
                raise
        run.close()
        return interrupt.asked


class Interrupt:
    """While entered, Ctrl-C sets ``asked``; the second one, or with ``at_once`` the first, raises
    KeyboardInterrupt.

    Python loses a KeyboardInterrupt that is raised while an object is being destroyed, so who goes
    by ``at_once`` calls :meth:`check` now and then.
    """

    def __init__(self, at_once: bool = False) -> None:
        self.asked = False
        self.at_once = at_once

    def before(self, tell: Callable[[Any], None]) -> Callable[[Any], None]:
        """``tell`` as a callback that ends the work instead where Ctrl-C was pressed."""

        def told(state: Any) -> None:
            self.check()
            tell(state)

        return told

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
