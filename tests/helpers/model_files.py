"""What the tests in tests/checkpoint share besides fixtures."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatimeinr import Volume, load, phantom
from napari_spatimeinr.errors import FormatError


def recording(dtype="u2") -> Volume:
    data = phantom((3, 4, 9, 10), motion=1.0)[0].data * 90 + 20
    orientation = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    extra = {"name": "näme", "affine": np.eye(4), "odd": {1: (np.float32(2), None)}}
    return Volume(
        data.clip(0, 127).astype(dtype),
        (3.0, 1.0, 0.5, 0.25),
        (1.0, 2.0, 3.0, 4.0),
        ("min", "nm"),
        orientation,
        extra,
    )


def refused(path, said: str = "") -> str:
    with pytest.raises(FormatError) as caught:
        load(path)
    text = str(caught.value)
    assert "\n" not in text
    assert said in text
    return text
