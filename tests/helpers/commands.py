"""What the tests in tests/cli share besides fixtures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from napari_spatimeinr.cli.app import app


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out.splitlines()[-1])

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


Fitted = tuple[Path, Done]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "napari_spatimeinr.cli", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb", **more}


def run(*arguments: object, cwd: Path | None = None) -> Done:
    """Run ``spatimeinr`` as a user does, in a process of its own."""
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=200, cwd=cwd, env=environment()
    )
    return Done(done.returncode, done.stdout, done.stderr)


def interrupted(
    *arguments: object, until: str, wait: float = 120, pause: float = 0
) -> tuple[Done, float]:
    """Press Ctrl-C ``pause`` seconds after a line of standard error holds ``until``; what came out,
    and the seconds it took to end.
    """
    process = subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    said = ""
    try:
        begun = time.monotonic()
        while until not in said and time.monotonic() - begun < wait:
            line = process.stderr.readline()
            assert line, f"ended before it could be interrupted: {said}"
            said += line
        time.sleep(pause)
        pressed = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    return Done(process.returncode, out, said + err), time.monotonic() - pressed


def here(*arguments: object) -> Done:
    """Run a command in this process."""
    done = CliRunner().invoke(
        app, [str(a) for a in arguments], prog_name="spatimeinr", catch_exceptions=False
    )
    return Done(done.exit_code, done.stdout, done.stderr)


def refused(done: Done, code: int, *words: str) -> None:
    """Check that a command said in exactly one line why it did nothing."""
    assert done.code == code, done.err
    assert done.out == ""
    assert len(done.lines) == 1, done.err
    assert done.err.startswith("spatimeinr: ")
    assert "Traceback" not in done.err
    assert "nexpected" not in done.err
    for word in words:
        assert word in done.err
