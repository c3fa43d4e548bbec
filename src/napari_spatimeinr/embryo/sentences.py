"""Words that several sentences on embryos share, and the text of a file or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import FormatError

NAMED = 3
"""So many of several things are named, the others counted."""


def listed(things: Sequence[object]) -> str:
    """Things by name: ``a``, ``a and b``, or ``a, b, c and 4 more``."""
    told = [str(thing) for thing in things[:NAMED]]
    more = len(things) - len(told)
    if more:
        return f"{', '.join(told)} and {more} more"
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def text_of(path: Path, wanted: str) -> str:
    """What a text file says.

    Raises
    ------
    FormatError
        If it is missing, cannot be read or is no text; says that ``wanted`` is to be given.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise FormatError(f"{path} does not exist; check the name and the folder.") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is no text; give {wanted}.") from error
    except OSError as error:
        raise FormatError(f"{path} cannot be read ({error.strerror or error}).") from error
