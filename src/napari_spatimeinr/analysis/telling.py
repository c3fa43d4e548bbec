"""Progress of measurements that take several fits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from ..fitting import FitProgress


def telling(
    progress: Callable[[FitProgress], None] | None, about: str
) -> Callable[[FitProgress], None]:
    """Say what is measured before the stage."""

    def told(state: FitProgress) -> None:
        if progress is not None:
            progress(replace(state, stage=f"{about}, {state.stage}"))

    return told


def tell(progress: Callable[[FitProgress], None], stage: str, done: int, of: int) -> None:
    """Say what is done beside the fits."""
    progress(FitProgress(stage, done, of, math.nan, None, None, None))
