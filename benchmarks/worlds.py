"""The phantoms of the tables: options of each by its name there."""

from __future__ import annotations

from typing import Any

PHANTOMS: dict[str, dict[str, Any]] = {
    "slow": {"motion": 4.5},
    "fast": {"motion": 11},
    "accelerating": {"motion": 4.5, "accelerate": 0.2},
    "still": {"motion": 0},
    "division": {"motion": 4.5, "divide": 8},
    "low light": {"motion": 4.5, "photons": 30},
    "bleaching": {"motion": 4.5, "bleach": 0.1},
    "rotating and sliding, slow": {"motion": 4.5, "kind": "tumbling"},
    "rotating and sliding, fast": {"motion": 12, "kind": "tumbling"},
    "rotating, slow": {"motion": 4.5, "kind": "rotating"},
    "rotating, fast": {"motion": 11, "kind": "rotating"},
    "sliding, slow": {"motion": 4.5, "kind": "sliding"},
    "sliding, fast": {"motion": 11, "kind": "sliding"},
    "drifting": {"motion": 8, "kind": "drifting"},
    "stage jumps": {"motion": 4.5, "kind": "jumping"},
    "appearing and vanishing": {"motion": 4.5, "kind": "appearing"},
    "filaments": {"motion": 4.5, "kind": "filaments"},
}
"""Not among them: the kind "uneven", which has a table of its own."""
