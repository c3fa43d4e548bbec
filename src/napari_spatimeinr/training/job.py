"""What the stages of a fit share: the state, its progress and its snapshots."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..compute.device import resolve_precision
from ..config.facts import Provenance
from ..config.options import Config
from ..errors import FitError
from ..field import Field
from ..model.frames import Frames, Normalisation
from ..model.network import Network
from ..render.method import Aligned, Method
from ..volume import Volume
from .gate import HeldOut
from .schedule import Plateau, Schedule

if TYPE_CHECKING:
    from ..model.motion import VelocityField
    from .parts.motion_fit import MotionData

SNAPSHOT_EVERY = 0.5


@dataclass(frozen=True)
class FitProgress:
    """Where a fit stands.

    stage : what is being done, in words.
    step, of : steps done and planned in the whole fit.
    loss : of the last step.
    gain_db : gain over linear interpolation on frames it had not seen, once known.
    seconds_left : estimate, None at first.
    field : a usable snapshot, at most every half second; else None.
    """

    stage: str
    step: int
    of: int
    loss: float
    gain_db: float | None
    seconds_left: float | None
    field: Field | None


Steps = Generator[FitProgress, None, None]


@dataclass
class Job:
    """Everything the stages share.

    Attributes
    ----------
    constant : all intensities are equal.
    resume : what the fit goes on from.
    shared_motion : whose motion is used.
    moving : the frames that motion is estimated on, once they are read.
    fields : the velocity fields of all frames, once they are fitted.
    held_out : the frames kept back by the hold-out; None where there were none.
    held_out_fields : the velocity fields without them.
    held_out_network : these, blended as those of all frames.
    judged : errors on each frame held out, and what they depend on: see :func:`.confidence.judged`.
    taught : 1 at voxels of held-out frames that the blend has learned from, ``(1, 1, Z, Y, X)``.
    """

    volume: Volume
    config: Config
    device: torch.device
    seed: int
    normalisation: Normalisation
    constant: bool
    provenance: Provenance
    schedule: Schedule
    resume: Field | None
    shared_motion: Field | None
    method: Method = field(default_factory=lambda: Aligned(Network()))
    moving: MotionData | None = None
    fields: list[VelocityField] = field(default_factory=list)
    held_out: HeldOut | None = None
    held_out_fields: list[VelocityField] = field(default_factory=list)
    held_out_network: Network | None = None
    judged: list[Tensor] = field(default_factory=list)
    taught: Tensor | None = None
    interpolation: str = "linear"
    gain: float | None = None
    loss: float = math.nan
    shown: float = -math.inf

    def __post_init__(self) -> None:
        if isinstance(self.method, Aligned):
            self.network = self.method.network

    @property
    def network(self) -> Network:
        """The parts of our method, where that is what is fitted."""
        assert isinstance(self.method, Aligned)
        return self.method.network

    @network.setter
    def network(self, network: Network) -> None:
        # The arithmetic of a model that is loaded: what is fitted renders the same bits.
        network.precision = resolve_precision(self.config.precision, self.device, Aligned.convolved)
        self.method = Aligned(network)

    @property
    def frames(self) -> Frames:
        """The recording, normalised."""
        clock = self.volume.grid.clock
        return Frames(self.volume.data, self.normalisation, self.device, clock)

    def decide(self) -> None:
        """What is learned along time is decided: a fit that is stopped goes on from it."""
        self.provenance.decided = True

    def snapshot(self) -> Field:
        """A Field of what there is by now, independent of further training."""
        method = self.method.copy()
        provenance = copy.deepcopy(self.provenance)
        provenance.steps = self.schedule.trained
        provenance.seconds = round(self.schedule.elapsed(), 2)
        return Field(
            self.volume,
            method,
            self.normalisation,
            self.config,
            self.device,
            self.interpolation,
            provenance,
        )

    def progress(self, stage: str) -> FitProgress:
        """The state, with a snapshot when half a second has passed since the last."""
        now = time.monotonic()
        snapshot = None
        if now - self.shown >= SNAPSHOT_EVERY:
            snapshot, self.shown = self.snapshot(), now
        s = self.schedule
        return FitProgress(stage, s.steps, s.total, self.loss, self.gain, s.left(), snapshot)

    def drive(
        self,
        stage: str,
        kind: str,
        steps: Iterator[tuple[int, float]],
        part: float = 1.0,
        ends: str | None = None,
    ) -> Steps:
        """Run optimisation steps until they end, stop improving, or have had their time.

        Parameters
        ----------
        stage : what is being done, in the progress.
        kind : of the steps, as they were planned.
        part : of the time that ``ends`` in :data:`.schedule.ENDS` has (``stage``, by default).
        """
        plateau = Plateau()
        until = part * self.schedule.end(ends or stage, kind)
        for _, loss in self.counted(kind, steps):
            yield self.progress(stage)
            if self.schedule.late(until) or plateau.reached(loss):
                self.schedule.planned[kind] = self.schedule.done.get(kind, 0)
                break

    def counted(self, kind: str, steps: Iterator[tuple[int, float]]) -> Iterator[tuple[int, float]]:
        """The same steps, each counted and timed; what is done between two of them is not.

        Raises
        ------
        FitError
            If the loss is no longer a number.
        """
        before = time.monotonic()
        for step, loss in steps:
            self.schedule.tick(kind, time.monotonic() - before)
            if not math.isfinite(loss):
                raise FitError(
                    "The fit diverged (the loss is not a number); check the recording for extreme"
                    " values or lower the learning rate."
                )
            self.loss = loss
            yield step, loss
            before = time.monotonic()
