"""What the tests in tests/published share besides fixtures."""

from __future__ import annotations

from typing import Any

SMALL: dict[str, Any] = {
    "max_iter": 12,
    "save_iter": 5,
    "log_iter": 4,
    "n_samples": 4,
    "n_imps": 2,
    "len_lz": 28,
    "rcan_max_iter": 6,
    "closed_share": 0.5,
    "dataset": {"train": {"bsize": 64}, "eval": {"bsize": 4096}},
    "rcan": {"n_resgroups": 1, "n_resblocks": 1, "n_feats": 8, "reduction": 4},
    "model": {"netD": 3, "netW": 24, "skips": [1], "max_freq": 3},
    "precision": "float32",
}


def changed(base: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**base, **more}
