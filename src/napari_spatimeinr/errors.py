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
