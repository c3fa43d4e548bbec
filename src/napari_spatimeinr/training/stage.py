"""A part of the model as the stage of a fit that learns it, and the parts there are."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel

from ..config import groups
from ..config.options import Config
from ..field import Field
from ..model.part import PARTS, Part
from .job import FitProgress, Job, Steps


class Verdict(BaseModel):
    """Whether a part is kept.

    kept : it is in the job's network, and stays there.
    reason : why not, as the end of a sentence.
    report : JSON values for the provenance, where it stands under the part's name.
    """

    kept: bool
    reason: str | None = None
    report: dict[str, Any] = {}


class Cost(NamedTuple):
    """What learning a part takes: seconds on the machine of docs/benchmarks.md, and bytes."""

    seconds: float = 0.0
    bytes: int = 0


class Stage(Part):
    """Learns one part of the model; :func:`register` makes it one of every fit.

    A registered part has a group of options of its name in the configuration. It is learned after
    motion and latents, in the order of registration, and what it leaves as
    ``job.network.parts[name]`` takes part in rendering as :class:`.Network` says, and is in model
    files (:meth:`header`, :meth:`build`).
    """

    label: ClassVar[str]
    """What people read, ``finer planes``."""
    words: ClassVar[Mapping[str, str]] = {}
    """What is being done, for people, by the words of :meth:`.Job.progress`."""
    options: ClassVar[type[BaseModel]]
    """Its group of the configuration; one that may be left out has ``enabled``."""

    @abstractmethod
    def wanted(self, job: Job) -> bool:
        """Whether there is something to learn, and something to judge it by."""

    def unwanted(self, job: Job) -> None:
        """Say, where it was asked for, why it is not learned."""

    @abstractmethod
    def plan(self, job: Job) -> None:
        """Count its steps among those of the fit, ``job.schedule.planned``."""

    @abstractmethod
    def run(self, job: Job) -> Generator[FitProgress, None, Verdict]:
        """Learn it, judge it on what it has not seen, and leave it in ``job.network`` if it is
        kept.
        """

    def decided(self, old: Field) -> bool:
        """Whether the fit that is gone on from came to a verdict on this part."""
        return self.name in old.provenance

    def resume(self, job: Job, old: Field) -> Steps:
        """Take over what was decided; a part that is learned on does so here."""
        job.provenance[self.name] = copy.deepcopy(old.provenance[self.name])
        job.network.put(self.name, copy.deepcopy(old.network.parts.get(self.name)))
        yield from ()

    def cost(self, shape: Sequence[int], config: Config, spacing: Sequence[float] | None) -> Cost:
        """What a fit of a recording of ``(T, Z, Y, X)`` voxels and ``(dt, dz, dy, dx)`` takes for
        it.
        """
        return Cost()

    def ablation(self) -> dict[str, Any] | None:
        """What a fit without it has in its group of options; None where a hold-out does not show
        what it is worth.
        """
        return {"enabled": False}

    def told(self, report: Mapping[str, Any]) -> str:
        """A sentence for people about a part that was kept, with its report; may be empty."""
        return ""


STAGES: dict[str, Stage] = {}
"""All parts by name, in the order in which they are learned."""


def register(stage: Stage) -> None:
    """Make a part one of every fit, file, estimate and form from now on.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    ours = Config.kinds().get(stage.name) is stage.options
    if stage.name in STAGES or (stage.name in Config.model_fields and not ours):
        raise ValueError(f"There is a part or an option {stage.name!r} already.")
    if not ours:
        groups.add(stage.name, stage.options)
    STAGES[stage.name] = PARTS[stage.name] = stage


def unregister(name: str) -> None:
    """Take a part away that was registered."""
    del STAGES[name], PARTS[name]
    groups.remove(name)
