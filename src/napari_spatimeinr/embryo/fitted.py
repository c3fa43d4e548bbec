"""The model that an embryo's membranes are rendered with: fitted, given, or there already."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config.options import Config, make_config
from ..errors import InputError
from ..field import Field
from ..fitting import fit_run, load
from ..published.method import PublishedMethod
from ..training.job import FitProgress
from ..training.normalisation import fingerprint
from ..volume import Volume
from .carried import along
from .lineage import Carry
from .outputs import Places, State
from .recording import Embryo
from .times import TimePoint

LEAST_BUDGET = 1.0
"""Seconds that a fit that goes on has at least."""


@dataclass(frozen=True, eq=False)
class Corrected:
    """Cells of a time that somebody looked at.

    Parameters
    ----------
    labels : ``(Z, Y, X)`` on ``embryo.data_grid``.
    names : name -> label.
    """

    labels: NDArray[Any]
    names: Mapping[str, int]

    def named(self, wanted: Mapping[str, int]) -> NDArray[np.uint16]:
        """The same by another dictionary, which has all of their names."""
        most = max(int(self.labels.max()), *self.names.values(), 0)
        new = np.zeros(most + 1, np.uint16)
        for name, label in self.names.items():
            new[label] = wanted[name]
        return new[self.labels]


@dataclass(frozen=True, eq=False)
class Plan:
    """What to make of an embryo, and where.

    Parameters
    ----------
    folder : of the results; made where it is not there.
    volumes : folder of the super-resolved membranes; made where it is not there.
    time_scale : frames per acquired one, numbered anew from 1; None for the acquired ones alone,
        which keep their numbers.
    preset, config, device, seed, time_budget : of the fit, see :func:`napari_spatimeinr.fit`.
    model : a Field or model file of the recording to take instead of a fit.
    corrected : cells to take instead of segmenting, by time in acquired time points.
    slices : folder for the membranes as slices, with tracing and run file; None for none.
    unseen : whether to find out, by the confidence of the fit too, which borders nobody saw.
    """

    folder: Path
    volumes: Path
    time_scale: float | None = None
    preset: str = "balanced"
    config: Config | dict[str, Any] | None = None
    device: str = "auto"
    seed: int = 0
    time_budget: float | None = None
    model: Field | str | Path | None = None
    corrected: Mapping[float, Corrected] = field(default_factory=dict)
    slices: Path | None = None
    unseen: bool = False

    def identity(self) -> dict[str, Any]:
        """What tells corrected cells from others; nothing where there are none."""
        sums = {
            f"{when:.6g}": hashlib.sha256(np.ascontiguousarray(one.labels).tobytes()).hexdigest()
            for when, one in sorted(self.corrected.items())
        }
        return {"corrected": sums} if sums else {}


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a journey stands.

    Parameters
    ----------
    stage : what is being done, in words.
    done, of : steps of this stage.
    fit : state of the fit, while it is fitted.
    goes_on : whether the fit, stopped now, would be gone on with.
    point : the time point that was finished just now.
    seconds : it took; None where it had been done before.
    said : sentences on what was found or could not be.
    """

    stage: str
    done: int
    of: int
    fit: FitProgress | None = None
    point: TimePoint | None = None
    seconds: float | None = None
    said: tuple[str, ...] = ()
    goes_on: bool = False


def given_model(embryo: Embryo, plan: Plan) -> tuple[Field | None, dict[str, Any]]:
    """The model to take, and what tells the fit from another."""
    config = make_config(plan.preset, plan.config)
    if plan.model is None:
        how = {"config": config.model_dump(mode="json"), "seed": plan.seed}
        return None, {**how, "time_budget": plan.time_budget, **plan.identity()}
    model = plan.model
    if isinstance(model, (str, Path)):
        field = load(model, plan.device, Volume.of(embryo.record))
    else:
        field = model
    _check_model(embryo, field, "The model" if isinstance(model, Field) else f"The model {model}")
    return field, {"model": field.state(), **plan.identity()}


def _check_model(embryo: Embryo, field: Field, who: str) -> None:
    grid, own = field.grid, embryo.record.grid
    same = (
        grid.shape == own.shape
        and np.allclose(grid.spacing[1:], own.spacing[1:], rtol=1e-6)
        and np.allclose(grid.coordinates(0), own.coordinates(0), atol=1e-3)
        and field.provenance.input.sha256 == fingerprint(embryo.record.data)
    )
    if not same:
        raise InputError(
            f"{who} was fitted to another recording, or to this one with another calibration; leave"
            " it out, so that this one is fitted."
        )


def fitted_model(
    embryo: Embryo, plan: Plan, given: Field | None, places: Places, state: State
) -> Generator[Progress, None, Field]:
    """The model of an earlier try, the one that was given, or a fit.

    A fit that is stopped, by Ctrl-C or by closing this, leaves what it has learned as the model;
    the next try goes on with it.
    """
    kept = None
    if places.model.is_file():
        kept = load(places.model, plan.device, Volume.of(embryo.record))
        _check_model(embryo, kept, f"The model {places.model}")
        if given is not None or kept.provenance.complete:
            return kept
        if not _goes_on(kept) or kept.config != make_config(plan.preset, plan.config):
            words = "was stopped too early to go on from; it begins anew"
            kept = None
        else:
            words = "was stopped before its end; it goes on"
        yield Progress("the model", 0, 1, said=(f"The fit in {places.model} {words}.",))
    if given is None:
        given = yield from _fitted(embryo, plan, kept, places, state)
    given.save(places.model)
    return given


def _fitted(
    embryo: Embryo, plan: Plan, kept: Field | None, places: Places, state: State
) -> Generator[Progress, None, Field]:
    """A fit, or the rest of one; its seconds are added to those of earlier tries."""
    before, begun = state.fit_seconds or 0.0, time.monotonic()
    budget = plan.time_budget
    if budget is not None and kept is not None:
        budget = max(budget - before, LEAST_BUDGET)
    run = fit_run(
        Volume.of(embryo.record),
        plan.preset,
        plan.config,
        plan.device,
        plan.seed,
        budget,
        kept,
    )
    with contextlib.closing(run):
        try:
            for fit in run:
                stage = f"fitting: {fit.stage}"
                on = kept is not None or _goes_on(run.field)
                yield Progress(stage, fit.step, fit.of, fit=fit, goes_on=on)
        except (KeyboardInterrupt, GeneratorExit):
            # What an earlier try left to go on from is not replaced by less.
            if run.field is not None and (kept is None or _goes_on(run.field)):
                run.field.save(places.model)
            raise
        finally:
            state.fit_seconds = round(before + time.monotonic() - begun, 2)
            state.write()
    return run.result()


def _goes_on(field: Field | None) -> bool:
    """Whether a fit can go on from a model: before its motion is decided it would begin anew."""
    return field is not None and (
        field.provenance.decided or isinstance(field.method, PublishedMethod)
    )


def carry_of(field: Field, dt: float) -> Carry | None:
    """What carries nuclei: the motion of a fit; None, so that a spline does, where it has none.

    Parameters
    ----------
    dt : s per time point.
    """
    return None if field.network.motion is None else along(field, dt)
