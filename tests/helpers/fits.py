"""Options of fits that take about a second, in one place: for tests about anything but how well it
is learned.

A Field that was fitted with ``LEAST`` to the shared recording is the fixture ``every_part``.
"""

from __future__ import annotations

from typing import Any

Options = dict[str, Any]

OFF: Options = {"enabled": False}

ONE_FIELD: Options = {"gradual": False}
"""One velocity field for each weight."""

FEW_WEIGHTS: Options = {"steps": 4, "width": 4}
"""What blends them, hardly trained."""

PLANES_ALONE: Options = {"motion": OFF, "latents": OFF}
"""Finer planes, with the steps of the preset unless they are given too."""

INTERPOLATION: Options = {"motion": OFF, "latents": OFF, "planes": OFF}
"""Nothing is learned."""

PLAIN: Options = {**INTERPOLATION, "gate": False, "normalise_frames": False}
"""Nothing is learned, judged or evened out."""

MOTION: Options = {
    "motion": {
        **ONE_FIELD,
        "steps": 15,
        "points": 1000,
        "warps": 3,
        "levels": 3,
        "smoothness": [0.02],
    },
    "hypotheses": FEW_WEIGHTS,
    "latents": OFF,
    "planes": OFF,
}
"""Motion alone, learned well enough to be kept where there is some."""

GATED: Options = {
    "motion": {
        **ONE_FIELD,
        "steps": 12,
        "points": 600,
        "warps": 2,
        "levels": 2,
        "smoothness": [0.01],
    },
    "hypotheses": FEW_WEIGHTS,
    "latents": {"steps": 8, "channels": 4, "layers": 2, "width": 8, "crop": [6, 12, 12]},
    "planes": {"steps": 4, "channels": 4, "layers": 2},
    "precision": "float32",
}
"""Every part, and each is kept if the gates say so."""

KEPT: Options = {**GATED, "gate": False}
"""Every part is trained and kept."""

LEAST: Options = {
    "motion": {
        **ONE_FIELD,
        "steps": 3,
        "points": 300,
        "warps": 1,
        "levels": 2,
        "smoothness": [0.01],
    },
    "hypotheses": FEW_WEIGHTS,
    "latents": {"steps": 2, "channels": 4, "layers": 2, "width": 8, "crop": [4, 8, 8]},
    "planes": {"steps": 4, "channels": 4, "layers": 2},
    "precision": "float32",
    "gate": False,
}
"""Every part is there and kept, after as few steps as possible."""

PUBLISHED: Options = {
    "max_iter": 2,
    "save_iter": 1,
    "n_samples": 2,
    "n_imps": 1,
    "len_lz": 28,
    "rcan_max_iter": 1,
    "dataset": {"train": {"bsize": 64}, "eval": {"bsize": 4096, "scaleT": 1}},
    "rcan": {"n_resgroups": 1, "n_resblocks": 1, "n_feats": 8, "reduction": 4},
    "model": {"netD": 3, "netW": 8, "skips": [1], "max_freq": 3},
    "precision": "float32",
}
"""The published method, which learns nothing worth having in two steps."""


def arguments(*options: str) -> tuple[str, ...]:
    """A fit of the command line that takes a second, and more ``key=value`` for ``--set``."""
    steps = (
        "motion.steps=5",
        "hypotheses.steps=4",
        "latents.steps=5",
        "planes.steps=4",
        *options,
    )
    return ("--preset", "fast", "--device", "cpu", *(w for s in steps for w in ("--set", s)))


QUICK = arguments()
