"""What happens in a fit and what came of it, in a user's words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..training.parts import STAGES
from ..training.parts.hypotheses import named_motion

WORDS = {
    "reading": "reading the frames",
    "hold-out": "testing on frames held out",
    "rendering cells": "rendering the cells to learn from",
}
"""What is done besides learning parts."""
LEARNED = ("motion", "latents")
"""The parts along time that are kept or not; how motion is blended is told by itself."""
SAME = 0.005
"""Errors that differ by a smaller share are called equal."""


def stage_words(stage: str) -> str:
    """What a stage of a fit does."""
    words = [part.words[stage] for part in STAGES.values() if stage in part.words]
    return words[0] if words else WORDS.get(stage, stage)


def part_words(name: str) -> str:
    """What people call a part."""
    return STAGES[name].label if name in STAGES else name


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def ordinal(number: int) -> str:
    """2 as ``2nd``."""
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number // 10 % 10 == 1 else endings.get(number % 10, 'th')}"


def amount(value: float) -> str:
    """A coordinate with three digits at least, ``12.5`` or ``1260``."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def error_of(gain_db: float) -> float:
    """RMS error as a share of the reference's, of a gain in dB."""
    return float(10 ** (-gain_db / 20))


def gain_words(gain_db: float, seen: str = "on frames it had not seen") -> str:
    """A gain over linear interpolation, ``34 % less RMS error than linear interpolation on ...
    (+3.6 dB)``.
    """
    if not math.isfinite(gain_db):
        return f"no error to compare with linear interpolation {seen}"
    change = 1 - error_of(gain_db)
    compared = f"{abs(100 * change):.0f} % {'less' if change > 0 else 'more'} RMS error than"
    if abs(change) < SAME:
        compared = "the same RMS error as"
    return f"{compared} linear interpolation {seen} ({gain_db:+.1f} dB)"


def gain_of(provenance: Mapping[str, Any]) -> float | None:
    """The gain of a fit over linear interpolation on frames held out, None where it is
    interpolation or none were.
    """
    chosen = provenance.get("chosen", {})
    gain = (provenance.get("hold_out") or {}).get("gain_over_linear_db")
    learned = any(chosen.get(name) for name in LEARNED)
    return float(gain) if learned and gain is not None and math.isfinite(gain) else None


def motion_features(provenance: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What the labels of a rendering of "hypothesis" mean, from 0 on: their number as ``index``, a
    ``motion`` in words, and how much it counts, where that is known.
    """
    told = (provenance.get("hypotheses") or {}).get("all", [])
    if told:
        every = [told[-1], *told[:-1]]
        named = {"motion": [named_motion(one) for one in every]}
        shares = {key: [one.get(key) for one in every] for key in ("share", "share_moving")}
        known = {key: some for key, some in shares.items() if None not in some}
        return {"index": list(range(len(every))), **named, **known}
    names = ["no motion", *(["motion"] if provenance.get("chosen", {}).get("motion") else [])]
    return {"index": list(range(len(names))), "motion": names}


def motion_names(provenance: Mapping[str, Any]) -> list[str]:
    """The same in words alone."""
    return list(motion_features(provenance)["motion"])


def labels_sentence(provenance: Mapping[str, Any]) -> str:
    """The same in words."""
    first, *others = motion_names(provenance)
    named = [f"{n} {name}" for n, name in enumerate(others, 1)]
    return "; ".join([f"0 is {first}, or a frame as it was acquired", *named]) + "."


def result_sentence(provenance: Mapping[str, Any], stopped: bool, go_on: str = "") -> str:
    """What a fit came to, and what was noticed on the way.

    Parameters
    ----------
    provenance : of the Field.
    stopped : whether it was ended before its time.
    go_on : a sentence on how to go on with it where it was stopped.
    """
    said = [outcome(provenance, stopped, go_on), *provenance.get("warnings", [])]
    return " ".join(words for words in said if words) or "Done."


def outcome(provenance: Mapping[str, Any], stopped: bool, go_on: str = "") -> str:
    """What a fit came to, without its warnings; nothing where they say it all."""
    stop = f"Stopped; what was learned is kept. {go_on}".strip()
    said = [stop if stopped else _judgement(provenance)]
    chosen = provenance.get("chosen", {})
    for name, part in STAGES.items():
        if chosen.get(name):
            said.append(part.told(provenance.get(name, {})))
    reasons = "; ".join(
        f"{part_words(name)}: {why}" for name, why in provenance.get("reasons", {}).items()
    )
    if reasons and not stopped:
        said.append(f"Switched off: {reasons}.")
    return " ".join(words for words in said if words)


def _judgement(provenance: Mapping[str, Any]) -> str:
    """What came of comparing the fit with interpolation; nothing where there was nothing to
    compare.
    """
    chosen = provenance.get("chosen", {})
    kept = " and ".join(name for name in LEARNED if chosen.get(name))
    gain = gain_of(provenance)
    if chosen.get("published"):
        return "Done, by the method as it was published."
    if gain is not None:
        return f"{gain_words(gain)}. Kept: {kept}."
    if kept:
        return (
            f"Done (kept: {kept}); too few frames to hold some out, checked on blocks it had not"
            " seen."
        )
    if provenance.get("decided"):
        return (
            f"Interpolation was better: using it ({chosen.get('interpolation', 'linear')} in time)."
        )
    return ""
