"""A fit that does what a test says: progress, snapshots, its end or an error, without training."""

from __future__ import annotations

import queue
from collections.abc import Generator
from typing import Any, NamedTuple

import torch

from napari_spatimeinr import Field, FitProgress, FitRun, Volume
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.model.network import Network
from napari_spatimeinr.training.normalisation import estimate_normalisation

STEPS = 10_000


class Begun(NamedTuple):
    """What a fit was begun with."""

    order: Any
    known: Field | None
    motion: Field | None


def untrained(volume: Volume, steps: int) -> Field:
    """A Field that interpolates and says that so many steps have made it."""
    normalisation = estimate_normalisation(volume.data)[0]
    provenance = {"steps": steps, "decided": True, "chosen": {"interpolation": "linear"}}
    config, cpu = make_config("fast"), torch.device("cpu")
    return Field(volume, Network(), normalisation, config, cpu, "linear", provenance)


class FakeFit:
    """Takes the place of :func:`.begin_fit`; its fits step on until they are told otherwise."""

    def __init__(self) -> None:
        self.begun: list[Begun] = []
        self._said: queue.Queue[Any] = queue.Queue()

    def begin(self, order: Any, known: Field | None, motion: Field | None) -> FitRun:
        self.begun.append(Begun(order, known, motion))
        return FitRun(self._steps(order), known)

    def learn(self) -> None:
        """The fit that runs, or begins next, has a snapshot."""
        self._said.put("learn")

    def end(self) -> None:
        """It comes to its end."""
        self._said.put("end")

    def fail(self, error: BaseException) -> None:
        """It breaks down."""
        self._said.put(error)

    def _steps(self, order: Any) -> Generator[FitProgress, None, Field]:
        volume = order.source.volume if order.roi is None else order.source.volume.crop(order.roi)
        step = 0
        while True:
            try:
                said = self._said.get(timeout=0.002)
            except queue.Empty:
                said = None
            if isinstance(said, BaseException):
                raise said
            if said == "end":
                return untrained(volume, step)
            step += 1
            field = untrained(volume, step) if said == "learn" else None
            yield FitProgress("motion", step, STEPS, 0.5, None, 1.0, field)
