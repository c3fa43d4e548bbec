"""What a hold-out run found."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from .coverage import Coverage


@dataclass
class Report:
    """Scores per method; ``frames`` maps method and frame (or plane) number to the predicted,
    scaled image.

    ``peak_bytes`` is the most memory the whole process took so far, ``warnings`` are those of the
    fits of the given frames (or planes), counted among these. ``coverage`` says of each interval
    of confidence how many of the recorded voxels left out it holds; none without one.
    """

    input: str
    hold_out: str
    gap: int
    methods: dict[str, dict[str, float]]
    chosen: dict[str, Any]
    seconds: float
    peak_bytes: int = 0
    frames: dict[str, dict[int, NDArray[np.float32]]] = field(default_factory=dict, repr=False)
    warnings: list[str] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain values; what could not be computed is null."""
        methods = {
            name: {
                key: round(value, 4) if math.isfinite(value) else None for key, value in row.items()
            }
            for name, row in self.methods.items()
        }
        return {
            "input": self.input,
            "hold_out": self.hold_out,
            "gap": self.gap,
            "methods": methods,
            "chosen": self.chosen,
            "seconds": round(self.seconds, 2),
            "peak_bytes": self.peak_bytes,
            "warnings": self.warnings,
            "coverage": [one.to_json() for one in self.coverage],
        }

    @property
    def said(self) -> list[str]:
        """The warnings as sentences that say what was fitted."""
        given = "frames" if self.hold_out == "time" else "planes"
        return [f"In the fit of the given {given}: {warning}" for warning in self.warnings]

    def table(self) -> str:
        """A table for people."""
        cost = f"{self.seconds:.0f} s and {self.peak_bytes / 1e9:.1f} GB in all"
        table = Table(
            title=f"{self.input}: hold-out in {self.hold_out}, 1 of {self.gap} given; {cost}"
        )
        columns = list(dict.fromkeys(key for row in self.methods.values() for key in row))
        table.add_column("method")
        for column in columns:
            table.add_column(column, justify="right")
        for name, row in self.methods.items():
            table.add_row(
                name,
                *(
                    "" if not math.isfinite(row.get(c, math.nan)) else f"{row[c]:.3f}"
                    for c in columns
                ),
            )
        target = io.StringIO()
        Console(file=target, width=110).print(table)
        return "\n".join([target.getvalue().rstrip(), *map(str, self.coverage)])
