"""The user's preferences (File > Preferences > SpatimeINR)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..config.options import PRESETS


@dataclass(frozen=True)
class Settings:
    """What the docks start with."""

    preset: str = "balanced"
    device: str = "auto"
    time_budget: float = 0.0
    memory_gb: float = 2.0


def settings() -> Settings:
    """The preferences, or their defaults where napari has none."""
    from napari.settings import get_plugin_settings

    try:
        chosen: Any = get_plugin_settings("napari-spatimeinr").fit
    except (KeyError, AttributeError):
        return Settings()
    default = Settings()
    preset = str(getattr(chosen, "preset", default.preset))
    return Settings(
        preset if preset in PRESETS else default.preset,
        str(getattr(chosen, "device", default.device)),
        float(getattr(chosen, "time_budget", default.time_budget)),
        float(getattr(chosen, "memory_gb", default.memory_gb)),
    )
