"""What the tests in tests/cli share besides fixtures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
