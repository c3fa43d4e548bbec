"""What a fit says of itself, typed: what it was given, what it chose and why, what it measured.

Written through attributes, which are checked; read through attributes or, as the dictionary that
files and other people's scripts know, by key.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, StrictBool, StrictInt, ValidationError

from . import former
from .record import Facts, Number


class Input(Facts):
    """The recording that was fitted."""

    name: str = ""
    """Of its file or layer; empty where it has none."""
    sha256: str = ""
    """Of its frames."""


class Chosen(Facts):
    """Which parts the model has, and how it interpolates in time; parts registered by others stand
    beside ours by their names.
    """

    __pydantic_extra__: dict[str, StrictBool]

    motion: StrictBool = False
    hypotheses: StrictBool = False
    latents: StrictBool = False
    interpolation: str = "linear"
    """``linear`` or ``cubic``, where no part says more."""
    planes: StrictBool = False
    voxels: StrictBool = False
    published: StrictBool = False
    """The published method instead of ours."""


class Reasons(Facts):
    """Why parts are not there, in words, by the names of the parts."""

    __pydantic_extra__: dict[str, str]


class HoldOut(Facts):
    """How well frames are predicted that the fit had not seen; gains in dB, of squared error."""

    frames: list[StrictInt] = Field(default_factory=list)
    """Those held out."""
    method: str = ""
    """The best: ``linear``, ``cubic``, ``latents`` or a motion that was tried."""
    gain_over_linear_db: Number | None = None
    gain_over_cubic_db: Number | None = None
    gain_over_linear_moving_db: Number | None = None
    """Where something moves."""
    all: dict[str, Number] = Field(default_factory=dict)
    """Gain over linear interpolation of each method tried."""
    all_smoothed: dict[str, Number] = Field(default_factory=dict)
    """The same after smoothing, which takes most noise away."""
    note: str = ""


class Hypothesis(Facts):
    """One answer to where things go, and how much it counts."""

    smoothness: Number | None = None
    """Weight of its smoothness; none of no motion."""
    curved: StrictBool = False
    """Whether its trajectories may bend between two frames."""
    gradual: StrictBool = False
    """Whether it was fitted to ever finer frames, from rest."""
    share: Number | None = None
    """Its mean weight halfway between frames."""
    share_moving: Number | None = None
    """The same where something moves, None where nothing does."""


class Hypotheses(Facts):
    """The answers that are blended, the motion first, no motion last."""

    all: list[Hypothesis] = Field(default_factory=list)


class LatentsGate(Facts):
    """Whether latents predict blocks they were not trained on better than the frames do."""

    gain_db: Number | None = None
    on: str = ""
    """What it was measured on."""


class ConfidenceTable(Facts):
    """Half-widths of an interval for an error, by disagreement and predicted intensity."""

    edges: list[list[Number]] = Field(default_factory=list)
    """Between the bins of both, normalised intensities."""
    widths: list[list[Number]] = Field(default_factory=list)
    """``(disagreement, intensity)``, normalised intensities."""
    coverage: list[Number] = Field(default_factory=list)
    """Share inside the interval on each held-out frame, calibrated on the others."""
    level: Number | None = None
    """Share of errors inside the interval it is made for."""
    frames: list[StrictInt] = Field(default_factory=list)
    """Those held out."""
    disagreement: Number | None = None
    """Mean square of it on these."""
    share_of_disagreement: Number | None = None
    """Of that, what is left at the recording's own interval."""


class Guard(Facts):
    """Intervals between frames, by the first of the two, that are left to linear interpolation."""

    linear: list[StrictInt] = Field(default_factory=list)
    """All of them."""
    jumps: list[StrictInt] = Field(default_factory=list)
    """Those across which the recording jumps."""


class PlanesHoldOut(Facts):
    """How well planes are predicted that were held out."""

    method: str = ""
    gain_over_linear_db: dict[str, Number] = Field(default_factory=dict)
    """Of each method."""
    note: str = ""


class Planes(Facts):
    """What was learned, or not, about what lies between planes."""

    planes_per_plane: StrictInt | None = None
    sharpened: StrictBool = False
    """Whether the extra blur along z is undone."""
    hold_out: PlanesHoldOut | None = None
    blur_voxels: list[Number] = Field(default_factory=list)
    """Extra blur along z that was learned to undo, lateral voxels."""


class VoxelsHoldOut(Facts):
    """How well voxels are predicted that were kept back."""

    gain_over_cubic_db: Number | None = None
    note: str = ""


class Voxels(Facts):
    """What was learned, or not, about what lies between voxels of a plane."""

    voxels_per_voxel: StrictInt | None = None
    blur_voxels: Number | None = None
    """Blur after which coarser planes look like the acquired ones, voxels."""
    hold_out: VoxelsHoldOut | None = None


class Rcan(Facts):
    """How the latents of the published method were trained."""

    steps: StrictInt = 0
    psnr: Number | None = None
    """Of what they reconstruct, dB."""
    ended: str = ""
    """By ``threshold``, ``plateau``, ``budget`` or ``max_iter``."""


class Mlp(Facts):
    """How the MLP of the published method was trained."""

    steps: StrictInt = 0
    ended: str = ""
    """By ``budget`` or ``max_iter``."""
    cells: StrictInt | None = None
    """Of the last step."""


class Provenance(Facts):
    """What a fit was given, what it chose and why, what it measured."""

    method: str = ""
    version: str = ""
    """Of this package."""
    seed: StrictInt = 0
    device: str = ""
    input: Input = Field(default_factory=Input)
    warnings: list[str] = Field(default_factory=list)
    """Sentences for whoever uses the result."""
    steps: StrictInt = 0
    """Trained, all parts together."""
    threads: list[StrictInt] = Field(default_factory=list)
    """Numbers of threads that were used on a CPU."""
    chosen: Chosen = Field(default_factory=Chosen)
    reasons: Reasons = Field(default_factory=Reasons)
    constant: StrictBool = False
    """Every voxel of the recording is the same; nothing was fitted."""
    confidence: ConfidenceTable | None = None
    hold_out: HoldOut | None = None
    hypotheses: Hypotheses | None = None
    latents_gate: LatentsGate | None = None
    decided: StrictBool = False
    """Whether motion and latents were decided on: a resumed fit goes on from there."""
    smoothness: Number | None = None
    """Weight of smoothness of the motion."""
    curved: StrictBool = False
    """Whether trajectories may bend between two frames."""
    guard: Guard = Field(default_factory=Guard)
    planes: Planes | None = None
    voxels: Voxels | None = None
    rcan: Rcan | None = None
    mlp: Mlp | None = None
    resumed_from_steps: StrictInt | None = None
    seconds: Number | None = None
    peak_memory_bytes: StrictInt | None = None
    complete: StrictBool = False
    """Whether the fit came to its end; a snapshot has not."""

    @classmethod
    def of(cls, said: Any) -> Self:
        """Provenance from a mapping of any version, independent of it.

        Raises
        ------
        ValueError
            If it is no mapping, or one of its known keys says something that it cannot.
        """
        if not isinstance(said, Mapping) or not all(isinstance(key, str) for key in said):
            raise ValueError("its provenance is not a dictionary")
        try:
            return cls(**copy.deepcopy(former.provenance(said)))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(step) for step in first["loc"])
            raise ValueError(f"its provenance is wrong in {where}: {first['msg']}") from error
