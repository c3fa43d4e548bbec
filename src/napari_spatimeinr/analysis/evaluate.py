"""Hold-out runs: what a fit is worth on frames or planes it did not see, against what users have
now.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ..compute.device import peak_memory
from ..config.options import Config, make_config
from ..data.grid import Grid
from ..errors import InputError
from ..fitting import FitProgress, fit
from ..training.parts import STAGES
from ..volume import Volume, check_volume
from . import scores

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


@dataclass
class Report:
    """Scores per method; ``frames`` maps method and frame (or plane) number to the predicted,
    scaled image.

    ``peak_bytes`` is the most memory the whole process took so far, ``warnings`` are those of the
    fits of the given frames (or planes), counted among these.
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
        return target.getvalue()


def evaluate(
    volume: Volume,
    hold_out: Literal["time", "z"] = "time",
    gap: int = 2,
    preset: str = "balanced",
    config: Config | dict[str, Any] | str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    baselines: Sequence[str] = ("linear", "cubic", "flow"),
    ablate: bool = False,
    progress: Callable[[FitProgress], None] | None = None,
    time_budget: float | None = None,
) -> Report:
    """Give every ``gap``-th frame (or plane), predict the rest, score it.

    The whole recording is read into memory. Frames 0, gap, 2 gap, ... are given; scored is every
    other frame between two given ones. Intensities are scaled by the percentiles of the whole
    recording for the scores only.

    ``progress`` is called in the fits, then before every pair of frames of a baseline and every
    scoring, with the method as its stage; what it raises ends the measurement.

    Returns
    -------
    Report
        Rows "spatimeinr", the baselines, linear and flows under their best blur, and ablations.

    Raises
    ------
    InputError
        If it is no Volume, nothing could be scored, or a baseline or hold-out is unknown.
    """
    check_volume(volume, "evaluate")
    _check(volume, hold_out, gap, baselines)
    axis = 0 if hold_out == "time" else 1
    began = time.monotonic()
    raw = np.asarray(volume.data)
    truth, low, span = scores.scaled(
        np.nan_to_num(
            raw.astype(np.float32), nan=float(np.nanmin(raw)) if raw.dtype.kind == "f" else 0.0
        )
    )
    given = _given(volume, raw, axis, gap)
    predicted: dict[str, dict[int, NDArray[np.float32]]] = {}
    chosen: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    warnings: list[str] = []

    def tell(stage: str, done: int, of: int) -> None:
        """Say what is done after the fits; whoever listens may stop it."""
        if progress is not None:
            progress(FitProgress(stage, done, of, math.nan, None, None, None))

    last = (given.shape[axis] - 1) * gap
    targets = [i for i in range(last) if i % gap]
    for name, variant in _variants(make_config(preset, config), ablate).items():
        start = time.monotonic()
        model = fit(
            given,
            config=variant,
            device=device,
            seed=seed,
            time_budget=time_budget,
            progress=progress,
        )
        if axis == 0:
            rendered = model.lazy(time_scale=gap)
            predicted[name] = {
                t: (np.asarray(rendered[t]) - np.float32(low)) / np.float32(span) for t in targets
            }
        else:
            predicted[name] = _planes(model, volume, targets, low, span)
        seconds[name] = time.monotonic() - start
        warnings += [
            words for words in model.provenance.get("warnings", ()) if words not in warnings
        ]
        if name == "spatimeinr":
            chosen = dict(model.provenance.get("chosen", {}))
    scaled_given = (
        truth[::gap] if axis == 0 else np.ascontiguousarray(np.moveaxis(truth, 1, 0)[::gap])
    )
    scaled_truth = truth if axis == 0 else np.ascontiguousarray(np.moveaxis(truth, 1, 0))
    for name in baselines:
        if axis == 1 and name in scores.FLOWS:
            continue
        predicted[name] = scores.baseline(name, scaled_given, gap, partial(tell, name))
    methods = _scored(predicted, scaled_truth, scaled_given, gap, tell)
    for name, value in seconds.items():
        methods[name]["seconds"] = value
    label = str(
        volume.metadata.get("name") or Path(str(volume.metadata.get("source", "recording"))).name
    )
    return Report(
        label,
        hold_out,
        gap,
        methods,
        chosen,
        time.monotonic() - began,
        peak_memory(),
        predicted,
        warnings,
    )


def _check(volume: Volume, hold_out: str, gap: int, baselines: Sequence[str]) -> None:
    """Refuse what cannot be measured."""
    if hold_out not in ("time", "z"):
        raise InputError(f"hold_out is 'time' or 'z', got {hold_out!r}.")
    for name in baselines:
        if name not in scores.BASELINES:
            raise InputError(
                f"There is no baseline {name!r}; choose from {', '.join(scores.BASELINES)}."
            )
    axis, what = (0, "frames") if hold_out == "time" else (1, "planes")
    if gap < 2 or volume.shape[axis] < gap + 1:
        raise InputError(
            f"A hold-out in {hold_out} with gap {gap} needs gap >= 2 and at least {gap + 1} {what},"
            f" this recording has {volume.shape[axis]}."
        )


def _variants(options: Config, ablate: bool) -> dict[str, Config]:
    """What is fitted, by name: all parts and, for an ablation, all but one."""
    variants = {"spatimeinr": options}
    for name, change in ablations().items() if ablate else ():
        if options.published is None or set(change) <= set(PUBLISHED_GROUPS):
            variants[name] = Config.model_validate(_changed(options.model_dump(), change))
    return variants


def _scored(
    predicted: dict[str, dict[int, NDArray[np.float32]]],
    truth: NDArray[np.float32],
    given: NDArray[np.float32],
    gap: int,
    tell: Callable[[str, int, int], None],
) -> dict[str, dict[str, float]]:
    """The scores of every method, and of interpolation and flow under the blur that suits them
    best.
    """
    methods = {}
    for number, (name, frames) in enumerate(predicted.items()):
        tell("scoring", number, len(predicted))
        methods[name] = scores.score(frames, truth, given, gap)
    for number, name in enumerate(("linear", *scores.FLOWS)):
        if name in predicted:
            tell("best blur", number, 1 + len(scores.FLOWS))
            methods[f"{name} + best blur"] = scores.best_blur(predicted[name], truth)
    return methods


def _given(volume: Volume, raw: NDArray[Any], axis: int, gap: int) -> Volume:
    data = raw[::gap] if axis == 0 else raw[:, ::gap]
    dt, dz, dy, dx = volume.spacing
    spacing = (dt * gap, dz, dy, dx) if axis == 0 else (dt, dz * gap, dy, dx)
    return volume.like(np.ascontiguousarray(data), Grid(data.shape, spacing, volume.origin))


def _planes(
    model: Any, volume: Volume, targets: list[int], low: float, span: float
) -> dict[int, NDArray[np.float32]]:
    """The held-out planes ``(T, Y, X)`` of every acquired frame, at their own z."""
    grid = model.grid
    fine = Grid(
        (grid.shape[0], volume.shape[1], *grid.shape[2:]),
        (grid.spacing[0], volume.spacing[1], *grid.spacing[2:]),
        volume.origin,
    )
    array = model.on_grid(fine)
    return {z: (np.asarray(array[:, z]) - np.float32(low)) / np.float32(span) for z in targets}


def _changed(values: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return {k: {**v, **change[k]} if k in change else v for k, v in values.items()}
