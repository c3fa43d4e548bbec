"""How many frames a recording needed: quality and coverage against the frame interval, and where
one more frame would help most.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..config.options import Config, make_config
from ..errors import InputError
from ..fitting import FitProgress, fit
from ..model.confidence import LEVEL
from ..volume import Volume, as_volume
from .ablation import OURS
from .evaluate import evaluate
from .expected import largest_error
from .frame_plan import LOSS_DB, Plan, Tried
from .report import Report
from .sentences import ordinal
from .telling import tell, telling

GAPS = (2, 3, 4, 6)


def plan(
    volume: Volume,
    gaps: Sequence[int] = GAPS,
    quality: float | None = None,
    preset: str = "balanced",
    config: Config | dict[str, Any] | str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: Callable[[FitProgress], None] | None = None,
) -> Plan:
    """Give every n-th frame for several n, and score what is predicted of the others; then fit all
    frames to see where the next one would help most.

    Parameters
    ----------
    volume : the recording; it is read into memory.
    gaps : every how-manieth frame is given; those that leave too few frames are left out, and
        named.
    quality : PSNR that is wanted on frames that were left out, dB of the recording's range, noise
        included; ``LOSS_DB`` below that of the smallest gap when None.
    preset, config, device, seed : of all fits.
    progress : called in all fits and scorings, with what is measured in its stage; what it raises
        ends the work.

    Raises
    ------
    InputError
        If it is no Volume, a gap is below 2, or no gap leaves enough frames.
    """
    volume = as_volume(volume, "plan")
    began = time.monotonic()
    possible, left_out = _possible(gaps, volume.shape[0])
    options = make_config(preset, config)
    tried, warnings = [], []
    for gap in possible:
        shown = telling(progress, f"every {ordinal(gap)} frame")
        row, said = _try(volume, gap, shown, options, device, seed)
        tried.append(row)
        warnings += said
    shown = telling(progress, "all frames")
    whole = fit(volume, config=options, device=device, seed=seed, progress=shown)
    warnings += [f"With all frames: {words}" for words in whole.provenance.warnings]
    spot = largest_error(whole, lambda done, of: tell(shown, "expected errors", done, of))
    wanted = tried[0].psnr - LOSS_DB if quality is None else float(quality)
    name = volume.metadata.get("name") or Path(str(volume.metadata.get("source", "recording"))).name
    return Plan(
        str(name),
        volume.spacing[0],
        volume.units,
        tuple(tried),
        wanted,
        quality is not None,
        spot,
        time.monotonic() - began,
        tuple(left_out),
        tuple(warnings),
    )


def _possible(gaps: Sequence[int], frames: int) -> tuple[list[int], list[str]]:
    """The gaps that leave a frame between two given ones, in order, and what is said of others."""
    wanted = sorted({int(gap) for gap in gaps})
    if not wanted or wanted[0] < 2:
        raise InputError(f"Gaps are whole numbers from 2 on, got {', '.join(map(str, gaps))}.")
    possible = [gap for gap in wanted if gap < frames]
    left_out = [
        f"Every {ordinal(gap)} frame was not tried: it takes at least {gap + 1} frames, this"
        f" recording has {frames}."
        for gap in wanted
        if gap >= frames
    ]
    if not possible:
        raise InputError(
            f"To try every {ordinal(wanted[0])} frame takes at least {wanted[0] + 1} frames, this"
            f" recording has {frames}."
        )
    return possible, left_out


def _try(
    volume: Volume,
    gap: int,
    progress: Callable[[FitProgress], None],
    options: Config,
    device: str,
    seed: int,
) -> tuple[Tried, list[str]]:
    """One gap, and the warnings of its fit."""
    report = evaluate(
        volume,
        "time",
        gap,
        options.preset,
        options,
        device,
        seed,
        baselines=("linear",),
        progress=progress,
    )
    said = [f"With every {ordinal(gap)} frame: {words}" for words in report.warnings]
    return _tried(report, volume, gap), said


def _tried(report: Report, volume: Volume, gap: int) -> Tried:
    ours, linear = report.methods[OURS], report.methods["linear"]
    given = -(-volume.shape[0] // gap)
    scored = len(report.frames[OURS])
    coverage = next((one.whole for one in report.coverage if one.level == LEVEL), math.nan)
    how = given, scored, ours["psnr"], ours["psnr_smoothed"], linear["psnr"], coverage
    return Tried(gap, gap * volume.spacing[0], *how)
