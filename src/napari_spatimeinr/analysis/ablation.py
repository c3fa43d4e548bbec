"""What a fit is worth without one of its parts, or without something else that can be left out."""

from __future__ import annotations

from typing import Any

from ..config.options import Config
from ..training.parts import STAGES

OURS = "spatimeinr"
"""What a report calls a fit of all parts."""
OTHER_ABLATIONS: dict[str, dict[str, Any]] = {
    "without cycle": {"cycle": {"temporal": 0.0, "spatial": 0.0}},
    "without 4D rendering": {"render": {"hypercube": False}},
}
"""What can be left out besides a part."""
PUBLISHED_GROUPS = ("latents", "cycle", "render")
"""Groups of options that the published method has too."""


def ablations() -> dict[str, dict[str, Any]]:
    """What is changed in the configuration to leave something out, by what a report calls it."""
    of_parts = {}
    for name, stage in reversed(STAGES.items()):
        change = stage.ablation()
        if change is not None:
            of_parts[f"without {stage.label}"] = {name: change}
    return {**of_parts, **OTHER_ABLATIONS}


def variants(options: Config, ablate: bool) -> dict[str, Config]:
    """What is fitted, by name: all parts and, for an ablation, all but one."""
    variants = {OURS: options}
    for name, change in ablations().items() if ablate else ():
        if options.published is None or set(change) <= set(PUBLISHED_GROUPS):
            variants[name] = _changed(options, change)
    return variants


def _changed(options: Config, change: dict[str, dict[str, Any]]) -> Config:
    """The options with other values in some groups."""
    values = options.model_dump()
    for group, inner in change.items():
        values[group] = {**values[group], **inner}
    return Config.model_validate(values)
