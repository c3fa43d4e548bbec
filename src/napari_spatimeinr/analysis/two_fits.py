"""Two fits, each of half of what a recording knows, and the map of where they agree."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config.options import Config, make_config
from ..fitting import FitProgress, fit
from ..volume import Volume, as_volume
from .agreement import agreement
from .halves import WORDS, Halves, Kind, halves
from .resolution import resolution_scaled, resolved
from .telling import tell, telling

SAME = 0.5
"""Agreement from which on both show the same: there is more structure than noise."""
BRIGHT, DARK = 90, 50
"""Percentiles: voxels above the one, below the other."""
FAINT = 1e-3
"""Structure weaker than this share of the recording's range is none."""


@dataclass(frozen=True)
class TwoFits:
    """What two fits of halves agree on.

    map : agreement ``(T', Z, Y, X)``, -1 to 1, at acquired times and voxels; NaN where nothing
        was recorded.
    kind, why : which halves, and why frames were taken (see :class:`.halves.Halves`).
    bright, dark : share of the brightest tenth and of the darker half of the voxels where agreement
        is at least ``SAME``.
    rse, rsp : of a frame of the second against the first, means over frames; intensities of the
        recording.
    across, along_z : the finest detail that both show, in its units (see :func:`.resolved`).
    warnings : of both fits.
    """

    input: str
    map: Volume
    kind: Kind
    why: str
    bright: float
    dark: float
    rse: float
    rsp: float
    across: float
    along_z: float
    seconds: float
    warnings: tuple[str, ...] = ()

    def sentence(self) -> str:
        """For people."""
        why = f" ({self.why})" if self.why else ""
        said = (
            f"Two fits, of {WORDS[self.kind]}{why}, show the same (agreement {SAME:g} or more) in"
            f" {100 * self.bright:.0f} % of the brightest tenth of the voxels and"
            f" {100 * self.dark:.0f} % of the darker half;"
            f" what only one of them shows, the recording does not decide."
        )
        rsp = f"RSP {self.rsp:.3f}, " if math.isfinite(self.rsp) else ""
        return f"{said} {self._detail()} {rsp}RSE {self.rse:.4g}."

    def _detail(self) -> str:
        unit = self.map.units[1]
        some = (("across", self.across), ("along z", self.along_z))
        told = [f"{size:.3g} {unit} {where}" for where, size in some if math.isfinite(size)]
        if told:
            return f"Detail down to {' and '.join(told)} is in both (Fourier shells, 1/7)."
        return "No detail of a known size is in both (Fourier shells, 1/7)."

    def to_json(self) -> dict[str, Any]:
        """Plain values; what could not be computed is null."""
        numbers = ("bright", "dark", "rse", "rsp", "across", "along_z")
        return {
            "input": self.input,
            "halves": self.kind,
            "why": self.why,
            **{name: _plain(getattr(self, name)) for name in numbers},
            "units": list(self.map.units),
            "shape": list(self.map.shape),
            "sentence": self.sentence(),
            "seconds": round(self.seconds, 2),
            "warnings": list(self.warnings),
        }


def two_fits(
    volume: Volume,
    kind: Kind | None = None,
    preset: str = "balanced",
    config: Config | dict[str, Any] | str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: Callable[[FitProgress], None] | None = None,
) -> TwoFits:
    """Fit two halves of a recording, and say where both show the same.

    Parameters
    ----------
    volume : the recording; it is read into memory.
    kind : "noise": copies of every frame whose noise is independent; "frames": even and odd frames,
        compared between the second and the last but one; None: noise where it can be estimated.
    preset, config, device : of both fits.
    seed : of the first fit; the second has the next one, so that nothing is shared by chance.
    progress : called in both fits and in the comparison; what it raises ends the work.

    Raises
    ------
    InputError
        If it is no Volume, is constant, or has no such halves.
    """
    volume = as_volume(volume, "two_fits")
    began = time.monotonic()
    options = make_config(preset, config)
    parts = halves(volume, kind, seed)
    rendered, warnings = [], []
    for number, (name, half) in enumerate(zip(("first", "second"), parts.pair, strict=True)):
        shown = telling(progress, f"{name} half")
        field = fit(half, config=options, device=device, seed=seed + number, progress=shown)
        warnings += [f"In the fit of the {name} half: {w}" for w in field.provenance.warnings]
        times = volume.grid.coordinates(0)[list(parts.shared)]
        rendered.append(field.render(times=times).data)
    told = telling(progress, "two fits")
    return _compared(volume, parts, rendered[0], rendered[1], warnings, told, began)


def _compared(
    volume: Volume,
    parts: Halves,
    first: NDArray[Any],
    second: NDArray[Any],
    warnings: list[str],
    progress: Callable[[FitProgress], None],
    began: float,
) -> TwoFits:
    """The map of two renderings of the shared frames, and what it says in numbers."""
    shared, (_, *voxel) = parts.shared, volume.spacing
    recorded = volume.crop(((shared.start, shared.stop), *((0, n) for n in volume.shape[1:])))
    faint, out, scores = FAINT * parts.span, np.empty(first.shape, np.float32), []
    for k, (one, other) in enumerate(zip(first, second, strict=True)):
        tell(progress, "agreement", k, len(shared))
        out[k] = agreement(one, other, voxel, faint)
        out[k][~np.isfinite(recorded.frame(k))] = np.nan
        scores.append(resolution_scaled(other, one))
    rse, rsp = (_mean([score[i] for score in scores]) for i in (0, 1))
    bright, dark = _shares(out, (first + second) / 2)
    name = volume.metadata.get("name") or Path(str(volume.metadata.get("source", "recording"))).name
    return TwoFits(
        str(name),
        recorded.like(out, recorded.grid, {"name": f"{name}, agreement of two fits"}),
        parts.kind,
        parts.why,
        bright,
        dark,
        rse,
        rsp,
        resolved(first, second, (2, 3), voxel[1:]),
        resolved(first, second, (1,), voxel[:1]),
        time.monotonic() - began,
        tuple(warnings),
    )


def _shares(values: NDArray[np.float32], brightness: NDArray[Any]) -> tuple[float, float]:
    """Share of voxels that agree, of bright and of dark ones; NaN where there are none."""
    known = np.isfinite(values)
    high, low = np.percentile(brightness[known], (BRIGHT, DARK)) if known.any() else (0.0, 0.0)
    same = values[known] >= SAME
    where = brightness[known] >= high, brightness[known] <= low
    bright, dark = (float(same[w].mean()) if w.any() else math.nan for w in where)
    return bright, dark


def _mean(values: list[float]) -> float:
    """Of those that could be computed."""
    known = [value for value in values if math.isfinite(value)]
    return float(np.mean(known)) if known else math.nan


def _plain(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
