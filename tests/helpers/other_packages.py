"""Packages beside which some tests are run, and which are missing where only the core is tested."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

BESIDE = find_spec("napari") is not None
"""Whether this is where other packages are: there none of them may be missing."""


def needed(name: str) -> Any:
    """A module of another package; the test is left out where only the core is tested."""
    return import_module(name) if BESIDE else pytest.importorskip(name)
