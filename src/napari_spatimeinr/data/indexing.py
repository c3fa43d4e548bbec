"""What an index asks for: integers, slices of any step and an ellipsis, taken as NumPy does."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

Ranges = tuple[tuple[int, int], ...]
"""Half-open ranges of indices, one for each axis."""


class Asked(NamedTuple):
    """What an index asks for.

    ranges : the indices along each axis; steps may be negative, ranges empty.
    dropped : the axes that an integer takes away, in order.
    """

    ranges: tuple[range, ...]
    dropped: tuple[int, ...]

    @property
    def kept(self) -> tuple[slice | int, ...]:
        """The index that takes the dropped axes, of length 1, out of what lies in the ranges."""
        return tuple(0 if axis in self.dropped else slice(None) for axis in range(len(self.ranges)))


def resolve(key: Any, shape: Sequence[int]) -> Asked:
    """What an index asks of an array of a shape.

    Raises
    ------
    IndexError
        If it is anything but integers, slices and one ellipsis, has more of them than there are
        axes, or an integer lies outside.
    """
    keys = _of_all_axes(list(key) if isinstance(key, tuple) else [key], len(shape))
    ranges, dropped = [], []
    for axis, (k, n) in enumerate(zip(keys, shape, strict=True)):
        if isinstance(k, slice):
            ranges.append(range(n)[k])
            continue
        i = _integer(k)
        if not -n <= i < n:
            raise IndexError(f"Index {i} is out of range for axis {axis} of size {n}.")
        ranges.append(range(i % n, i % n + 1))
        dropped.append(axis)
    return Asked(tuple(ranges), tuple(dropped))


def as_slice(r: range) -> slice:
    """The slice that takes the indices of a range."""
    stop = r.stop if r.stop >= 0 else None
    return slice(r.start, stop, r.step)


def within(outer: Any, inner: Ranges) -> Ranges:
    """The part ``inner`` of a part ``outer`` (None for all) in indices of the whole."""
    first = [0] * len(inner) if outer is None else [a for a, _ in outer]
    return tuple((a + f, b + f) for (a, b), f in zip(inner, first, strict=True))


def _of_all_axes(keys: list[Any], axes: int) -> list[Any]:
    """One integer or slice for each axis: the ellipsis, and what is left out at the end, become
    slices.
    """
    dots = [i for i, k in enumerate(keys) if k is Ellipsis]
    if len(dots) > 1:
        raise IndexError("An index can have one ellipsis only.")
    if dots:
        keys[dots[0] : dots[0] + 1] = [slice(None)] * (axes - len(keys) + 1)
    if len(keys) > axes:
        raise IndexError(f"Too many indices: the array has {axes} axes, got {len(keys)}.")
    return keys + [slice(None)] * (axes - len(keys))


def _integer(key: Any) -> int:
    try:
        return operator.index(key)
    except TypeError:
        raise IndexError(
            f"An index is made of integers, slices and an ellipsis, got {key!r}."
        ) from None
