"""What came of reading a damaged file, for ``fuzz.py``."""

from __future__ import annotations

import json
import traceback
import warnings
from pathlib import Path
from typing import Any

LONG_SENTENCE = 1000
MAX_VOXELS = 2**50


def judged(path: Path) -> tuple[str, str]:
    """What came of reading one input: (kind, text)."""
    from napari_spatimeinr.errors import SpatimeINRError
    from napari_spatimeinr.io import describe, read

    outcomes = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for function in (described, opened):
            try:
                outcomes.append(function(describe if function is described else read, path))
            except SpatimeINRError as error:
                text = str(error)
                if (
                    not text.endswith((".", "?"))
                    or "\n" in text
                    or len(text) > LONG_SENTENCE
                    or "Unexpected error" in text
                ):
                    return "no sentence", text
                outcomes.append(("refused", text))
            except AssertionError as error:
                return f"impossible: {error}", traceback.format_exc()
            except BaseException as error:
                frames = traceback.extract_tb(error.__traceback__)
                ours = next(
                    (f for f in reversed(frames) if "napari_spatimeinr" in f.filename), frames[-1]
                )
                return (
                    f"{type(error).__name__} at {Path(ours.filename).name}:{ours.name}",
                    traceback.format_exc(),
                )
    if caught:
        first = caught[0]
        return (
            f"warning at {Path(first.filename).name}:{first.lineno}",
            f"{first.message}\n{outcomes[-1]}",
        )
    return outcomes[-1]


def described(describe: Any, path: Path) -> tuple[str, str]:
    """Describe a recording; what is said must be JSON."""
    found = describe(path)
    json.dumps(found, allow_nan=False)
    assert all(n > 0 for n in found["shape"]), "size"
    return "opened", ""


def opened(read: Any, path: Path) -> tuple[str, str]:
    """Read a recording and its first, last and middle voxels."""
    import numpy as np

    volume = read(path, channel=0)
    assert (
        len(volume.shape) == 4
        and all(n > 0 for n in volume.shape)
        and volume.grid.voxels < MAX_VOXELS
    ), "shape"
    assert (
        all(np.isfinite(s) and s > 0 for s in volume.spacing) and np.isfinite(volume.origin).all()
    ), "calibration"
    json.dumps(volume.metadata, allow_nan=False)
    for place in ([0] * 4, [n - 1 for n in volume.shape], [n // 2 for n in volume.shape]):
        t, z, y, x = place
        piece = np.asarray(volume.data[t, z : z + 2, y : y + 9, x : x + 9])
        assert piece.ndim == 3 and piece.size and piece.dtype == volume.dtype, "piece"
    return "opened", ""
