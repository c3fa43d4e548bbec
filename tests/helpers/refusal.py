"""What every refusal of a file must look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_spatimeinr import SpatimeINRError
from napari_spatimeinr.io import describe, read


def refused(kind: type[SpatimeINRError], path: Path, **how: Any) -> str:
    """The one sentence with which ``read`` and ``describe`` refuse a file or folder."""
    for function in (read, describe):
        with pytest.raises(kind) as caught:
            function(path, **how)  # type: ignore[operator]
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert "Traceback" not in text
    return text
