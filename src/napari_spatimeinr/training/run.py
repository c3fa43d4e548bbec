"""A fit as an object: iterate it, stop it, go on with it, and take what it has learned."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Self

from ..compute.memory import give_back
from ..errors import FitError
from ..field import Field
from .job import FitProgress


class FitRun(Iterator[FitProgress]):
    """A fit under way; iterating it trains, one :class:`.FitProgress` a step.

    The Python call, the commands and the dock all go through this one loop::

        run = fit_run(volume)
        for state in run:
            if state.gain_db is not None and state.gain_db > 3:
                run.stop()
        field = run.result()

    An error of the fit is raised where it is iterated; :attr:`field` keeps what was learned until
    then. Only :meth:`stop` may be called from another thread than the one that iterates.

    Parameters
    ----------
    steps : what trains, begun or not, see :func:`.fit_steps`; its return value is the final Field.
    field : what there is already, where an earlier fit is trained further.
    """

    def __init__(
        self, steps: Generator[FitProgress, None, Field], field: Field | None = None
    ) -> None:
        self._steps = steps
        self._field = field
        self._complete = False
        self._stopped = False

    @property
    def field(self) -> Field | None:
        """The latest usable snapshot, at the end the final Field; None before there is one."""
        return self._field

    @property
    def complete(self) -> bool:
        """Whether the fit has come to its end, so that :attr:`field` is the final one."""
        return self._complete

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop, and not to go on since."""
        return self._stopped

    def __next__(self) -> FitProgress:
        if self._stopped or self._complete:
            raise StopIteration
        try:
            state = next(self._steps)
        except StopIteration as end:
            # A generator that was closed, or that raised an error before, returns nothing.
            if end.value is not None:
                self._field, self._complete = end.value, True
            give_back()
            raise StopIteration from None
        if state.field is not None:
            self._field = state.field
        return state

    def stop(self) -> None:
        """End at the next step and keep what was learned; any thread may call this."""
        self._stopped = True

    def resume(self) -> Self:
        """Go on from the step where it was stopped; the same run, to be iterated again."""
        self._stopped = False
        return self

    def close(self) -> None:
        """Let go of what is being trained; :attr:`field` stays, going on is no longer possible."""
        self._steps.close()
        give_back()

    def result(self) -> Field:
        """What was learned: the final Field, or of a run that ended early its latest snapshot.

        Raises
        ------
        FitError
            If there is none yet.
        """
        if self._field is None:
            raise FitError(
                "The fit was stopped before there was anything to keep; let it run for longer."
            )
        return self._field
