"""Fixtures: small recordings, and the command line in a process of its own or in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from napari_spatimeinr import Volume, phantom

QUICK = ("--preset", "fast", "--set", "motion.steps=5", "--set", "latents.steps=5", "--device", "cpu")
"""Options of a fit that takes seconds."""


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


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "napari_spatimeinr.cli", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb", **more}


def run(*arguments: object, cwd: Path | None = None) -> Done:
    """Run ``spatimeinr`` as a user does, in a process of its own."""
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=200, cwd=cwd, env=environment())
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def recording() -> Volume:
    return phantom((4, 6, 16, 16), seed=1)[0]


@pytest.fixture(scope="session")
def recording_file(recording: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording.save(tmp_path_factory.mktemp("recording") / "recording.nii.gz")


@pytest.fixture(scope="session")
def fitted(recording_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A model fitted by the command, and what the command said; not to be changed."""
    model = tmp_path_factory.mktemp("model") / "model.spatimeinr"
    return model, run("fit", recording_file, "-o", model, *QUICK, "--seed", 3, "--json")
