"""What was made most recently is kept, up to so many bytes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from cachetools import LRUCache

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Values by their keys, least recently used thrown away first; safe for threads.

    The newest is kept whatever its size.

    Parameters
    ----------
    most : bytes kept.
    size : bytes of a value.
    """

    def __init__(self, most: int, size: Callable[[Value], int]) -> None:
        self.most = most
        # One that is larger than all that is kept counts as all of it: it takes the place of all
        # others, where the library would refuse it.
        self._kept: LRUCache[Key, Value] = LRUCache(most, lambda value: min(size(value), most))
        self._making: dict[tuple[int, Key], Future[Value]] = {}
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """Bytes kept now."""
        with self._lock:
            return int(self._kept.currsize)

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value, made where it is not kept: by one thread, while others that ask wait."""
        while True:
            with self._lock:
                value = self._kept.get(key)
                if value is not None:
                    return value
                # A forked process has no thread that would finish what its parent makes.
                made = self._making.get((os.getpid(), key))
                if made is None:
                    mine = self._making[os.getpid(), key] = Future()
                    break
            if made.exception() is None:
                return made.result()
        try:
            value = make()
            with self._lock:
                self._kept[key] = value
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(value)
        finally:
            with self._lock:
                del self._making[os.getpid(), key]
        return value

    def is_made(self, key: Key) -> bool:
        """Whether another thread is making the value now."""
        with self._lock:
            return (os.getpid(), key) in self._making

    def find(self, key: Key) -> Value | None:
        """The value, now the most recently used one, None where it is not kept."""
        with self._lock:
            return self._kept.get(key)

    def keep(self, key: Key, value: Value) -> None:
        """Keep a value, in place of what was kept for the key."""
        with self._lock:
            self._kept[key] = value
