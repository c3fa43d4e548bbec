"""Numbers and sentences of the core as the docks say them."""

from __future__ import annotations

import re


def plain(value: float) -> str:
    """A number of four digits, without a power of ten where people would write none."""
    text = f"{value:.4g}"
    return f"{value:.0f}" if "e+" in text and abs(value) < 1e9 else text


def in_the_dock(words: str) -> str:
    """A sentence of the core with its options of the command line said as the dock has them."""
    words = re.sub(r"--device (\w+)", r"device \1 (under 'more')", words)
    words = re.sub(r", for example --roi \S+,", " ('Fit' under 'edit'),", words)
    words = words.replace("leave out --z-flip", "uncheck 'z flip'")
    words = words.replace("give --z-flip", "check 'z flip'")
    words = words.replace("with --spacing DT,DZ,DY,DX", "under 'edit'")
    return re.sub(r",? \(--[^)]*\)", "", words)
