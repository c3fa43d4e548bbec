"""Pictures that an engine draws, and what it says of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any


def heard(signal: Any) -> list[Any]:
    values: list[Any] = []
    signal.connect(lambda *v: values.append((*v, threading.current_thread())))
    return values


class Picture:
    def __init__(self) -> None:
        self.drawn: list[Any] = []

    def draw(self, key: Any, superseded: Any) -> bool:
        self.drawn.append((key, threading.current_thread()))
        return bool(key)

    def ahead(self) -> Iterator[None]:
        yield from ()
