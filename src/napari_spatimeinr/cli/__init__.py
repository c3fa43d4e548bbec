"""The command ``spatimeinr``."""

from .app import main

__all__ = ["main"]
