"""The picture of a plan: quality and coverage against the frame interval."""

from __future__ import annotations

from pathlib import Path

from ..model.confidence import LEVEL
from .frame_plan import Plan


def draw(path: Path, plan: Plan) -> None:
    """Draw PSNR of the fit and of linear interpolation, the wanted quality, and coverage.

    Takes matplotlib (extra ``demo``).

    Parameters
    ----------
    path : of the PNG.
    plan : what was found.
    """
    from matplotlib.figure import Figure

    intervals = [row.interval for row in plan.tried]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    quality, inside = figure.subplots(1, 2)
    quality.plot(intervals, [row.psnr for row in plan.tried], "o-", label="SpatimeINR")
    quality.plot(intervals, [row.linear for row in plan.tried], "s--", label="linear")
    quality.axhline(plan.wanted, color="gray", linestyle=":", label=f"{plan.wanted:.1f} dB")
    quality.set_ylabel("PSNR of frames left out (dB)")
    quality.legend(fontsize=8)
    inside.plot(intervals, [100 * row.coverage for row in plan.tried], "o-")
    inside.axhline(100 * LEVEL, color="gray", linestyle=":", label="stated")
    inside.set_ylim(0, 102)
    inside.set_ylabel("voxels within confidence (%)")
    inside.legend(fontsize=8)
    for axes in (quality, inside):
        axes.set_xlabel(f"frame interval ({plan.units[0]}); recorded: {plan.interval:g}")
        axes.set_xticks(intervals)
    figure.suptitle(plan.input, fontsize=10)
    figure.savefig(path, dpi=100)
