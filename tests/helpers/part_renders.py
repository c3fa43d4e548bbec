"""What the tests in tests/cluster share besides fixtures: a rendering of many small chunks with
coarser levels.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from commands import Done, command, environment, run
from napari_spatimeinr import Field
from napari_spatimeinr.cluster.plan import Rendering
from napari_spatimeinr.io.zarr.image import Tiling
from napari_spatimeinr.io.zarr.unfinished import RENDERED

CHUNK = (1, 3, 128, 128)
SCALES: dict[str, Any] = {"time_scale": 2.0, "scale_yx": 20.0, "dtype": "uint16"}
OPTIONS = ("--time-scale", 2, "--scale-yx", 20, "--dtype", "uint16", "--device", "cpu")
CHUNKS = 7 * 2 * 3 * 3
"""Of the recording that the tests share, at these scales."""


def rendering(field: Field, target: Path, version: str = "0.4", **how: Any) -> Rendering:
    """The rendering, as the options say it."""
    tiling = Tiling(how.pop("chunk", CHUNK), how.pop("shard", None))
    return Rendering(field, field.lazy(**{**SCALES, **how}), target, version, tiling)


def options(model: Path, target: Path, part: str) -> tuple[object, ...]:
    """The words of ``spatimeinr render`` for a part."""
    chunk = ",".join(map(str, CHUNK))
    return ("render", model, "-o", target, *OPTIONS, "--chunk", chunk, "--part", part, "--json")


def part(model: Path, target: Path, part: str) -> Done:
    """Render a part as a user does, to its end."""
    return run(*options(model, target, part), "--quiet")


@contextmanager
def started(*parts: tuple[Path, Path, str]) -> Iterator[list[subprocess.Popen[str]]]:
    """Parts that are rendered at once, each by a process of its own."""
    processes = [
        subprocess.Popen(
            command(*options(*each), "--quiet"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(OMP_NUM_THREADS="1"),
        )
        for each in parts
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def files(folder: Path) -> dict[str, bytes]:
    """All files of an image, but for our note of what it is a rendering of."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.relative_to(folder) != RENDERED
    }


def levels(folder: Path) -> list[Any]:
    """The arrays of an image, read by the library alone."""
    group = zarr.open_group(store=str(folder), mode="r")
    return [np.asarray(group[str(i)][...]) for i in range(len(list(group.array_keys())))]


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))
