"""Fit the published model: first the latents, from the degraded copy of the recording, then the
MLP, cell by cell.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Generator
from typing import Any

import torch

from ..compute.device import resolve_precision
from ..config.facts import Mlp, Rcan, Reasons
from ..config.options import Config
from ..config.published import PublishedOptions
from ..errors import ConfigError
from ..field import Field
from ..training.job import FitProgress, Job, Steps
from ..training.schedule import Plateau
from .method import PublishedMethod
from .model import Published, degraded
from .steps import train_latents, train_mlp

TRIAL_STEPS = 3
"""Steps on a copy that tell how many cells a step of a time budget can have."""
FEWEST = 256
"""Cells of a step, at least: many small steps lead further than few large ones, smaller ones cost
more than they bring."""
LATEST = 0.98
"""Share of a time budget after which no step begins."""


def run(job: Job) -> Generator[FitProgress, None, Field]:
    """Both stages; returns the final Field. Before the latents are there, snapshots interpolate.

    Raises
    ------
    ConfigError
        If numbers of channels do not fit the recording.
    """
    options = job.config.published
    assert options is not None
    job.provenance.chosen.interpolation = job.interpolation
    job.provenance.reasons = Reasons()
    yield job.progress("reading")
    check_channels(job.config, job.frames.count)
    job.provenance.method = "SpatimeINR as published, repaired"
    job.schedule.planned |= {"mlp": options.max_iter}
    old, done = job.resume, 0
    if old is not None and isinstance(old.method, PublishedMethod):
        model = copy.deepcopy(old.method.model).requires_grad_(True)
        job.provenance.rcan = copy.deepcopy(old.provenance.rcan)
        done = 0 if old.provenance.mlp is None else old.provenance.mlp.steps
    else:
        model = _begun(job, options)
        if job.config.latents.enabled:
            job.schedule.planned["rcan"] = options.rcan_max_iter
            yield from _fit_latents(job, model)
    job.method = PublishedMethod(model)
    yield from _fit_mlp(job, model, done)
    model.requires_grad_(False)
    job.provenance.chosen.update(job.method.parts())
    return job.snapshot()


def _begun(job: Job, options: PublishedOptions) -> Published:
    """A model as it is before training, by the seed."""
    precision = resolve_precision(job.config.precision, job.device, PublishedMethod.convolved)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        model = Published(
            options,
            job.volume.shape,
            precision,
            job.config.latents.enabled,
            job.config.render.hypercube,
        )
    return model.to(job.device)


def check_channels(config: Config, frames: int) -> None:
    """Refuse numbers of channels that do not fit the recording.

    Raises
    ------
    ConfigError
        If rcan.in_channels or rcan.out_channels is given and is not the number of frames.
    """
    assert config.published is not None
    rcan = config.published.rcan
    for name, given in (("in_channels", rcan.in_channels), ("out_channels", rcan.out_channels)):
        if given not in (None, frames):
            raise ConfigError(
                f"rcan.{name} is {given}, and the recording has {frames} time points; set it to"
                f" null or to {frames}."
            )


def _fit_latents(job: Job, model: Published) -> Steps:
    options = model.options
    frames = job.frames
    whole = torch.cat([degraded(frames.whole(k), model.factors) for k in range(frames.count)], 1)
    yield job.progress("latents")
    last: dict[str, Any] = {"steps": 0, "psnr": -math.inf, "ended": "max_iter"}
    # Steps of Adam on the whole recording jump for a while, and go on.
    plateau = Plateau(window=400)
    for step, loss in job.counted("rcan", train_latents(model, frames, whole, job.seed)):
        job.loss = loss
        last |= {"steps": step, "psnr": round(-10 * math.log10(max(loss, 1e-12)), 2)}
        yield job.progress("latents")
        if last["psnr"] >= options.threshold:
            last["ended"] = "threshold"
        elif plateau.reached(loss):
            last["ended"] = "plateau"
        elif job.schedule.late(options.rcan_share):
            last["ended"] = "budget"
        else:
            continue
        break
    job.schedule.planned["rcan"] = last["steps"]
    job.provenance.rcan = Rcan(**last)
    model.keep_features(whole)


def _fit_mlp(job: Job, model: Published, done: int) -> Steps:
    """With hypercubes closed to their centres, which costs little, then with open ones.

    From the start, open ones learn as much with a step and take 24 times as long.
    """
    state = job.provenance.mlp = Mlp(steps=done, ended="max_iter")
    part, most = model.options.dataset.train, model.options.max_iter
    full = part.bsize * model.options.dataloader.train.batch_size
    began = job.schedule.elapsed()
    end = math.inf if job.schedule.budget is None else LATEST * job.schedule.budget

    def share(step: int) -> float:
        """How far along the schedule a step is, by whichever of steps and time budget
        ends first.
        """
        passed = (job.schedule.elapsed() - began) / max(end - began, 1e-6)
        along = min(1.0, max(step / most, passed))
        if math.isfinite(end) and step > done and passed > 0.02:
            job.schedule.planned["mlp"] = min(most, done + round((step - done) / along)) - done
        return along

    def closed(step: int) -> bool:
        return bool(model.closed) and share(step) < model.options.closed_share

    while state["steps"] < most and state["ended"] != "budget":
        as_points = not model.hypercube or closed(state["steps"])
        if not as_points:
            model.closed.zero_()
        size = full if as_points else _affordable(job, model, full)
        state["cells"] = size
        steps = train_mlp(model, job.frames, job.config, job.seed + 1, share, state["steps"], size)
        for step, loss in job.counted("mlp", steps):
            job.loss, state["steps"] = loss, step
            yield job.progress("rendering cells")
            if job.schedule.late(LATEST):
                state["ended"] = "budget"
                break
            if as_points and model.hypercube and not closed(step):
                break


def _affordable(job: Job, model: Published, full: int) -> int:
    """Cells of a step: as many as are configured, fewer where a time budget would end after a part
    of the steps.
    """
    if job.schedule.budget is None or full <= FEWEST:
        return full
    began = job.schedule.elapsed()
    for _ in itertools.islice(
        train_mlp(copy.deepcopy(model), job.frames, job.config, job.seed), TRIAL_STEPS
    ):
        pass
    pace = (job.schedule.elapsed() - began) / TRIAL_STEPS
    left = max(0.0, LATEST * job.schedule.budget - job.schedule.elapsed())
    return round(max(FEWEST, full * min(1.0, left / max(pace, 1e-6) / model.options.max_iter)))
