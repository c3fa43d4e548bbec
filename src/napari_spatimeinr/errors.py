"""Errors a user can act on: one base class, every kind also the matching builtin.

Messages are one sentence that says what is wrong and what to do about it.
"""

from __future__ import annotations


class SpatimeINRError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(SpatimeINRError, ValueError):
    """The recording, or what was said about it, cannot be used as it is."""


class ConfigError(SpatimeINRError, ValueError):
    """An option does not exist or its value is out of range."""


class GridError(SpatimeINRError, ValueError):
    """A requested grid is empty, absurdly large, or outside the recording."""


class FormatError(SpatimeINRError, OSError):
    """A file is missing, damaged, or not what its name says."""


class SaveError(SpatimeINRError, OSError):
    """A result could not be written; nothing that existed before was changed."""


class DeviceError(SpatimeINRError, ValueError):
    """The requested compute device is not there."""


class OutOfMemoryError(SpatimeINRError, MemoryError):
    """The job does not fit; the message names what would."""


class FitError(SpatimeINRError, ArithmeticError):
    """The fit broke down (for example: not a number)."""


MEMORY = (
    "There is not enough memory; choose a smaller region (--roi), bin the recording, or use a"
    " smaller scale."
)


def one_line(text: str) -> str:
    """Text with its line breaks and runs of blanks turned into single blanks."""
    return " ".join(text.split())


def sentence(error: BaseException, where: str) -> str:
    """One line for a user that says what is wrong and what to do.

    Parameters
    ----------
    error : anything that was raised.
    where : what to do to see more of an error nobody expected, for example "run again with --debug
        to see where".
    """
    text = str(error)
    if isinstance(error, SpatimeINRError):
        return one_line(text)
    # torch says it with a RuntimeError of its own name (GPU) or with these words (CPU).
    starved = isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "not enough memory" in text
    )
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or starved:
        return MEMORY
    if isinstance(error, OSError) and error.strerror:
        return one_line(f"{error.strerror}{f': {error.filename}' if error.filename else ''}.")
    return one_line(f"Unexpected error: {type(error).__name__}: {text or 'no message'}; {where}.")
