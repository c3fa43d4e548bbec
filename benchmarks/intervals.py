"""Confidence: whether intervals hold what they state, and how wide they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from quality import RECORDINGS, Lines, head

from napari_spatimeinr import Volume, evaluate, phantom

CONFIDENCE: dict[str, dict[str, Any]] = {
    "membranes, motion 2.25 per frame": {"motion": 2.25},
    "membranes, motion 5.5": {"motion": 5.5},
    "membranes, motion 2.25, bleaching 5 %": {"motion": 2.25, "bleach": 0.05},
    "membranes, motion 2.25, 30 photons": {"motion": 2.25, "photons": 30},
    "nuclei, motion 2": {"motion": 2, "kind": "nuclei"},
    "appearing and vanishing, motion 2.25": {"motion": 2.25, "kind": "appearing"},
    "sliding, motion 5.5": {"motion": 5.5, "kind": "sliding"},
    "rotating and sliding, motion 6": {"motion": 6, "kind": "tumbling"},
    "filaments, motion 2.25": {"motion": 2.25, "kind": "filaments"},
    "drifting, motion 4": {"motion": 4, "kind": "drifting"},
}


def confidence(preset: str, folder: Path | None) -> Lines:
    """How many noisy voxels of frames used for nothing lie in the stated intervals, and how wide
    these are.
    """
    levels = ("50 %", "80 %", "95 %")
    yield head("recording", "90 %: whole frame", "moving foreground", "mean half-width", *levels)
    cases = {
        name: phantom((11, 24, 56, 56), seed=4, **options)[0]
        for name, options in CONFIDENCE.items()
    }
    for file, spacing in RECORDINGS.items() if folder is not None else ():
        assert folder is not None
        cases[file.split("_")[0]] = Volume.open(folder / file, axes="TZYX", spacing=spacing)
    for name, volume in cases.items():
        report = evaluate(volume, "time", 2, preset, {"planes": {"enabled": False}}, baselines=())
        found = {one.level: one for one in report.coverage}
        at = found[0.9]
        moving = f"{100 * at.moving:.1f} +- {100 * at.moving_error:.1f} %"
        row = [
            f"{100 * at.whole:.1f} +- {100 * at.whole_error:.1f} %",
            moving if np.isfinite(at.moving) else "",
            f"{at.width:.3f}",
            *(
                f"{100 * found[k].whole:.1f} / {100 * found[k].moving:.1f} %"
                for k in (0.5, 0.8, 0.95)
            ),
        ]
        yield f"| {name} | {' | '.join(row)} |"
