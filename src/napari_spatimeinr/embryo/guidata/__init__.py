"""The folder that ITK-SNAP-CVE shows: written whole, and read."""

from __future__ import annotations

from .read import GuiFolder, embryos, open_folder
from .write import GuiWriter, writing

__all__ = ["GuiFolder", "GuiWriter", "embryos", "open_folder", "writing"]
