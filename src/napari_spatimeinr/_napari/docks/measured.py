"""What is measured in the dock SpatimeINR Quality, in words."""

from __future__ import annotations

import math

from ...analysis.report import Report
from ...analysis.sentences import LEARNED, gain_words

METHODS = {
    "linear": "linear interpolation",
    "cubic": "cubic interpolation",
    "flow": "classical flow",
    "scoring": "the scores",
    "best blur": "the scores under a blur",
    "coverage": "the share within confidence",
    "expected errors": "the expected errors",
}
"""What is computed after the fit."""


def doing(stage: str) -> str:
    """What a stage of a measurement does; of several measurements, which of them it is for."""
    about, _, last = stage.rpartition(", ")
    words = METHODS.get(last, "the fit")
    return f"{words} ({about})" if about else words


def measured_words(name: str, report: Report) -> str:
    """What came of measuring on a layer."""
    gain = (
        report.methods["spatimeinr"]["psnr"] - report.methods["linear"]["psnr"]
        if "linear" in report.methods
        else math.nan
    )
    off = [part for part in LEARNED if not report.chosen.get(part)]
    what = "frames" if report.hold_out == "time" else "planes"
    words = (
        f'"{name}": {gain_words(gain, f"on {what} it had not seen")}, measured in'
        f" {report.seconds:.0f} s."
    )
    if off and report.hold_out == "time":
        words += (
            " Switched off because it did not help on data the fit had not seen:"
            f" {' and '.join(off)}."
        )
    return " ".join([words, *report.said])
