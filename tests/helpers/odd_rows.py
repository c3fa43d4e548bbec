"""What tests/test_io_corpus.py and tests/test_io_promises.py share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_spatimeinr.errors import SpatimeINRError


@dataclass(frozen=True)
class Odd:
    """A row of the table: how the file is made in an empty folder, and the sentence or result
    expected.
    """

    name: str
    make: Callable[[Path], Path]
    kind: type[SpatimeINRError] | None = None
    words: str = ""
    data: Any = None
    spacing: tuple[float, ...] | None = None
    units: tuple[str, str] | None = None
    how: dict[str, Any] = field(default_factory=dict)


def bad(
    name: str, make: Callable[[Path], Path], kind: type[SpatimeINRError], words: str, **how: Any
) -> Odd:
    """A file that is refused with these words."""
    return Odd(name, make, kind, words, how=how)


def fine(name: str, make: Callable[[Path], Path], asked: str = "", **more: Any) -> Odd:
    """A file that is read as ``DATA`` or ``data``, with no question, or one with these words."""
    return Odd(name, make, None, asked, **more)
