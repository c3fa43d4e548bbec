"""Pieces of work on several threads of our own, torch on one thread in each of them.

Threads of OpenMP wait for the slowest of them after each operation; these take the next piece. They
sleep while there is none.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import TypeVar

from .threads import stay_alone

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOCK = threading.Lock()
_POOL: list[ThreadPoolExecutor] = []


def spread(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    threads: int,
    done: Callable[[Item, Result], None] | None = None,
) -> None:
    """Do ``work`` on all items, on so many threads; several callers at once have them in turn.

    ``done`` is told of each item and what came of it, as it comes, by the caller's thread. What
    either raises is raised here, after what had begun has ended; the rest is not begun.
    """
    # Also one item alone is not computed here unless torch has one thread here, too: sums of
    # convolutions depend on how many there are.
    if threads == 1:
        for item in items:
            result = work(item)
            if done is not None:
                done(item, result)
        return
    left, ended = deque(items), threading.Event()
    lock = threading.Lock()
    made: SimpleQueue[tuple[Item, Result] | BaseException] = SimpleQueue()

    def go_on() -> None:
        while not ended.is_set():
            with lock:
                if not left:
                    return
                item = left.popleft()
            try:
                made.put((item, work(item)))
            except BaseException as error:
                made.put(error)

    several = [_pool().submit(go_on) for _ in range(min(threads, len(items)))]
    try:
        for _ in items:
            one = made.get()
            if isinstance(one, BaseException):
                raise one
            if done is not None:
                done(*one)
    finally:
        ended.set()
        wait(several)


def _pool() -> ThreadPoolExecutor:
    with _LOCK:
        if not _POOL:
            count = os.cpu_count() or 1
            _POOL.append(ThreadPoolExecutor(count, "pieces", initializer=stay_alone))
        return _POOL[0]


def _forget() -> None:
    """A forked process has none of the threads."""
    global _LOCK
    _LOCK = threading.Lock()
    _POOL.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
