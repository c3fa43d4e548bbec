"""What the commands print: results, remarks, progress and errors, each where it belongs.

Results go to standard output, or to standard error under ``--json``, whose object is then the
only thing on standard output. Remarks, progress and errors always go to standard error.
"""

from __future__ import annotations

import functools
import json
import logging
import math
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from ..data.plain import plain
from ..errors import ConfigError, GridError, one_line, sentence

if TYPE_CHECKING:
    from ..fitting import FitProgress

Command = TypeVar("Command", bound=Callable[..., None])

LOG_EVERY = 5.0
"""Seconds between two progress lines where standard error is not a terminal."""


class Output:
    """Where one command's words go."""

    def __init__(self, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json, self.quiet = as_json, quiet

    def say(self, text: str) -> None:
        """Print a result for people."""
        if not (self.as_json and self.quiet):
            print(text, file=sys.stderr if self.as_json else sys.stdout, flush=True)

    def note(self, text: str) -> None:
        """Print a remark on one line."""
        if not self.quiet:
            print(one_line(text), file=sys.stderr, flush=True)

    def result(self, value: dict[str, Any]) -> None:
        """Print the JSON object of the command, if it was asked for."""
        if self.as_json:
            # Not every encoding has every letter of a file's name.
            unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
            text = json.dumps(plain(value), ensure_ascii=not unicode)
            print(text.encode(errors="backslashreplace").decode(), file=sys.stdout, flush=True)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A bar on a terminal, lines in a log, nothing when quiet."""
        if self.quiet:
            yield Progress()
        elif sys.stderr.isatty():
            with _Bar() as bar:
                yield bar
        else:
            yield _Lines()


class Progress:
    """Takes the state of a job; this one keeps silent."""

    def show(self, stage: str, done: float, of: float, remark: str = "") -> None:
        """Show that ``done`` of ``of`` steps of a stage are over."""

    def fit(self, state: FitProgress) -> None:
        """Show the state of a fit."""
        parts = []
        if math.isfinite(state.loss):
            parts.append(f"loss {state.loss:.4g}")
        if state.gain_db is not None and math.isfinite(state.gain_db):
            parts.append(f"{state.gain_db:+.2f} dB over linear")
        if state.seconds_left is not None and math.isfinite(state.seconds_left):
            parts.append(f"{state.seconds_left:.0f} s left")
        self.show(state.stage, state.step, state.of, ", ".join(parts))


class _Lines(Progress):
    """One line now and then, and one for every new stage."""

    def __init__(self) -> None:
        self._stage, self._last = "", -math.inf

    def show(self, stage: str, done: float, of: float, remark: str = "") -> None:
        now = time.monotonic()
        if stage == self._stage and now - self._last < LOG_EVERY:
            return
        self._stage, self._last = stage, now
        print(
            f"{stage}: {done / max(of, 1):.0%}{f', {remark}' if remark else ''}",
            file=sys.stderr,
            flush=True,
        )


class _Bar(Progress):
    """A bar of rich."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f}%"),
            TimeElapsedColumn(),
        )
        self._bar = Progress(
            *columns,
            TextColumn("{task.fields[remark]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=None, remark="")

    def __enter__(self) -> _Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, stage: str, done: float, of: float, remark: str = "") -> None:
        self._bar.update(self._task, description=stage, completed=done, total=of, remark=remark)


def speak_plainly() -> None:
    """Write letters that the encoding of an output lacks (of a pipe on Windows, say) as their
    numbers, rather than fail.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def explain(error: BaseException) -> tuple[int, str]:
    """The exit code of an error, and the one line that says what is wrong and what to do."""
    if isinstance(error, KeyboardInterrupt):
        return 130, str(error) or "Interrupted; nothing was written."
    return 2 if isinstance(error, (ConfigError, GridError)) else 1, sentence(
        error, "run again with --debug to see where"
    )


def guarded(command: Command) -> Command:
    """A command whose errors end in one line on standard error and an exit code, with a traceback
    under --debug.
    """

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            with _libraries_silent(bool(options.get("debug")), bool(options.get("quiet"))):
                command(*args, **options)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except (Exception, KeyboardInterrupt) as error:
            code, line = explain(error)
            if options.get("debug"):
                traceback.print_exc()
            print(f"spatimeinr: {one_line(line)}", file=sys.stderr, flush=True)
            raise typer.Exit(code) from None

    return run  # type: ignore[return-value]


@contextmanager
def _libraries_silent(debug: bool, quiet: bool) -> Iterator[None]:
    """Show this package's own warnings as one line each, and other libraries' warnings and logs
    under --debug alone.
    """
    if debug:
        yield
        return
    here = str(Path(__file__).parent.parent)

    def show(
        message: Warning | str, category: type[Warning], filename: str, *_: Any, **__: Any
    ) -> None:
        if filename.startswith(here) and not quiet:
            print(f"warning: {one_line(str(message))}", file=sys.stderr, flush=True)

    # Without any handler, logging prints to standard error.
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = show
            yield
    finally:
        logging.getLogger().removeHandler(handler)
