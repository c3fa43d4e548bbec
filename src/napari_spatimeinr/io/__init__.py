"""Reading and writing recordings, as plain records; the ending of a file, or what is in a folder,
decides the format (:mod:`.formats` has the table).
"""

from __future__ import annotations

from .atomic import replacing
from .cast import convert_dtype
from .formats import WRITABLE
from .names import ending, is_template
from .reading import describe, read, readable
from .writing import check_free, checked, clash, destination, present, write

__all__ = [
    "WRITABLE",
    "check_free",
    "checked",
    "clash",
    "convert_dtype",
    "describe",
    "destination",
    "ending",
    "is_template",
    "present",
    "read",
    "readable",
    "replacing",
    "write",
]
