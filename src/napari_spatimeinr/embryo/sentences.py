"""Words that several sentences on embryos share."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 3
"""So many of several things are named, the others counted."""


def listed(things: Sequence[object]) -> str:
    """Things by name: ``a``, ``a and b``, or ``a, b, c and 4 more``."""
    told = [str(thing) for thing in things[:NAMED]]
    more = len(things) - len(told)
    if more:
        return f"{', '.join(told)} and {more} more"
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
