"""Hold-out runs: what a fit is worth on frames or planes it did not see, against what users have
now.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..compute.device import peak_memory
from ..config.options import Config, make_config
from ..data.grid import Grid
from ..errors import InputError
from ..field import Field
from ..fitting import FitProgress, fit
from ..volume import Volume, as_volume
from . import scores
from .ablation import OURS, variants
from .coverage import Coverage, coverage
from .report import Report
from .resolution import degraded


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
    seen: Callable[[Field], None] | None = None,
) -> Report:
    """Give every ``gap``-th frame (or plane), predict the rest, score it.

    The whole recording is read into memory. Frames 0, gap, 2 gap, ... are given; scored is every
    other frame between two given ones. Intensities are scaled by the percentiles of the whole
    recording for the scores only.

    ``progress`` is called in the fits, then before every pair of frames of a baseline and every
    scoring, with the method as its stage; what it raises ends the measurement. ``seen`` is called
    with the Field of all parts, which is not kept.

    Returns
    -------
    Report
        Rows "spatimeinr", the baselines, linear and flows under their best blur, and ablations.

    Raises
    ------
    InputError
        If it is no Volume, nothing could be scored, or a baseline or hold-out is unknown.
    """
    volume = as_volume(volume, "evaluate")
    _check(volume, hold_out, gap, baselines)
    began = time.monotonic()
    measurement = _Measurement(volume, hold_out, gap, progress)
    for name, variant in variants(make_config(preset, config), ablate).items():
        how = {"config": variant, "device": device, "seed": seed, "time_budget": time_budget}
        field = measurement.fit(name, **how)
        if seen is not None and name == OURS:
            seen(field)
    methods = measurement.rows(baselines)
    return Report(
        str(
            volume.metadata.get("name")
            or Path(str(volume.metadata.get("source", "recording"))).name
        ),
        hold_out,
        gap,
        methods,
        measurement.chosen,
        time.monotonic() - began,
        peak_memory(),
        measurement.predicted,
        measurement.warnings,
        measurement.coverage,
    )


class _Measurement:
    """Frames (or planes) that are given, those that are scored, and what predicts them."""

    def __init__(
        self,
        volume: Volume,
        hold_out: str,
        gap: int,
        progress: Callable[[FitProgress], None] | None,
    ) -> None:
        self.volume, self.gap, self.progress = volume, gap, progress
        self.axis = 0 if hold_out == "time" else 1
        raw = np.asarray(volume.data)
        nowhere = float(np.nanmin(raw)) if raw.dtype.kind == "f" else 0.0
        self.truth, self.low, self.span = scores.scaled(
            np.nan_to_num(raw.astype(np.float32), nan=nowhere)
        )
        self.given = _given(volume, raw, self.axis, gap)
        last = (self.given.shape[self.axis] - 1) * gap
        self.targets = [i for i in range(last) if i % gap]
        self.predicted: dict[str, dict[int, NDArray[np.float32]]] = {}
        self.degraded: dict[str, dict[int, NDArray[np.float32]]] = {}
        self.seconds: dict[str, float] = {}
        self.chosen: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.coverage: list[Coverage] = []

    def fit(self, name: str, **how: Any) -> Field:
        """Fit what is given, and predict by it what is not; the Field."""
        start = time.monotonic()
        model = fit(self.given, progress=self.progress, **how)
        if self.axis == 0:
            times = own_times(self.volume, self.gap)
            rendered = model.lazy(**times)
            self.predicted[name] = {t: self._scaled(rendered[t]) for t in self.targets}
            self._degrade(name, model, times)
        else:
            planes = model.on_grid(_fine(model.grid, self.volume))
            self.predicted[name] = {z: self._scaled(planes[:, z]) for z in self.targets}
        self.seconds[name] = time.monotonic() - start
        facts = model.provenance
        self.warnings += [words for words in facts.warnings if words not in self.warnings]
        if name == OURS:
            self.chosen = dict(facts.chosen)
            if self.axis == 0:
                how, raw = own_times(self.volume, self.gap), self.truth * self.span + self.low
                tell = partial(self._tell, "coverage")
                self.coverage = coverage(model, how, raw, self.gap, tell)
        return model

    def _degrade(self, name: str, model: Field, times: dict[str, Any]) -> None:
        """Predict with the finer voxels that were learned, if any, and make those given of them."""
        parts = [(part.factors[0], part.factors[1]) for part in model.network.finer]
        if not parts:
            return
        z, y = (max(factors) for factors in zip(*parts, strict=True))
        fine = model.lazy(**times, scale_z=z, scale_yx=y)
        self.degraded[name] = {
            t: self._scaled(degraded(fine[t], fine.grid, model.grid)) for t in self.targets
        }

    def rows(self, baselines: Sequence[str]) -> dict[str, dict[str, float]]:
        """Of all that was fitted, and of the baselines."""
        truth = self.truth
        if self.axis == 0:
            given = truth[:: self.gap]
        else:
            truth = np.ascontiguousarray(np.moveaxis(truth, 1, 0))
            given = np.ascontiguousarray(truth[:: self.gap])
        for name in baselines:
            if self.axis == 0 or name not in scores.WARPING:
                tell = partial(self._tell, name)
                clock = self.volume.grid.clock if self.axis == 0 else None
                self.predicted[name] = scores.baseline(name, given, self.gap, tell, clock)
        frames = self.predicted, self.degraded
        methods = _scored(*frames, truth, given, self.gap, self._tell)
        for name, value in self.seconds.items():
            methods[name]["seconds"] = value
        return methods

    def _scaled(self, image: Any) -> NDArray[np.float32]:
        """As the scores are computed."""
        low, span = np.float32(self.low), np.float32(self.span)
        return (np.asarray(image) - low) / span

    def _tell(self, stage: str, done: int, of: int) -> None:
        """Say what is done after the fits; whoever listens may stop it."""
        if self.progress is not None:
            self.progress(FitProgress(stage, done, of, math.nan, None, None, None))


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


def _scored(
    predicted: dict[str, dict[int, NDArray[np.float32]]],
    degraded: dict[str, dict[int, NDArray[np.float32]]],
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
        methods[name] = scores.score(frames, truth, given, gap, degraded.get(name))
    for number, name in enumerate(("linear", *scores.WARPING)):
        if name in predicted:
            tell("best blur", number, 1 + len(scores.WARPING))
            methods[f"{name} + best blur"] = scores.best_blur(predicted[name], truth)
    return methods


def own_times(volume: Volume, gap: int) -> dict[str, Any]:
    """The options by which a fit of every ``gap``-th frame of a recording is rendered when its own
    frames were taken, up to the last that was given.
    """
    times = volume.grid.times
    if times is None:
        return {"time_scale": gap}
    return {"times": times[: (volume.shape[0] - 1) // gap * gap + 1]}


def _given(volume: Volume, raw: NDArray[Any], axis: int, gap: int) -> Volume:
    data = raw[::gap] if axis == 0 else raw[:, ::gap]
    dt, dz, dy, dx = volume.spacing
    spacing = (dt * gap, dz, dy, dx) if axis == 0 else (dt, dz * gap, dy, dx)
    times = volume.grid.times
    times = times if times is None or axis else times[::gap]
    return volume.like(np.ascontiguousarray(data), Grid(data.shape, spacing, volume.origin, times))


def _fine(grid: Grid, volume: Volume) -> Grid:
    """The grid of a fit of some planes, with all planes of the recording."""
    return Grid(
        (grid.shape[0], volume.shape[1], *grid.shape[2:]),
        (grid.spacing[0], volume.spacing[1], *grid.spacing[2:]),
        volume.origin,
        grid.times,
    )
