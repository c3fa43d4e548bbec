"""Every error has one line and a code; JSON holds what it can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from napari_spatimeinr.cli.output import explain, guarded, plain
from napari_spatimeinr.errors import (
    MEMORY,
    ConfigError,
    DeviceError,
    FormatError,
    GridError,
    InputError,
)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConfigError("no such option"), 2, "no such option"),
        (GridError("too large"), 2, "too large"),
        (InputError("no recording"), 1, "no recording"),
        (FormatError("damaged"), 1, "damaged"),
        (DeviceError("not there"), 1, "not there"),
        (MemoryError(), 1, MEMORY),
        (
            RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"
                " bytes"
            ),
            1,
            MEMORY,
        ),
        (OSError(28, "No space left on device", "out.nii"), 1, "No space left on device: out.nii"),
        (KeyboardInterrupt(), 130, "nterrupted"),
        (ZeroDivisionError("division\nby zero"), 1, "run again with --debug"),
    ],
)
def test_every_error_has_a_line_and_a_code(
    error: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(error)[0] == code

    @guarded
    def failing(debug: bool = False) -> None:
        raise error

    with pytest.raises(typer.Exit) as end:
        failing(debug=False)
    said = capsys.readouterr()
    assert end.value.exit_code == code
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert words in said.err


def test_json_holds_what_json_can_hold() -> None:
    value: dict[Any, Any] = {
        "a": np.float32(1.5),
        "b": np.arange(2),
        "c": (float("nan"), None, True),
        3: Path("x"),
    }
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == {
        "a": 1.5,
        "b": [0, 1],
        "c": [None, None, True],
        "3": "x",
    }
