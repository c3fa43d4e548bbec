"""Options of the published method: the keys of its YAML file with their meaning, checked.

The ready file is ``published.yaml`` beside this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

READY = Path(__file__).with_name("published.yaml")


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Cells(_Options):
    """Which cells are rendered: in training those compared with the recording, in evaluation those
    of the output.
    """

    radius: float = Field(0.5, gt=0, le=4, description="Half-width of the hypercube, in cells.")
    bsize: int = Field(2048, ge=1, le=10_000_000, description="Cells of one item of the loader.")
    scale: float = Field(
        1.0,
        gt=0,
        le=64,
        description=(
            "In training: cells per voxel along z, y, x, whose mean is compared; else of the"
            " output."
        ),
    )
    scaleT: float = Field(1.0, gt=0, le=64, description="The same along time.")
    downsample: int = Field(
        2,
        ge=1,
        le=8,
        description="Voxels of the recording per voxel of its degraded copy, along each axis.",
    )
    file: str | None = Field(
        None, description="The recording; the command line's --file goes first."
    )


class Dataset(_Options):
    """Cells in training and in evaluation."""

    train: Cells = Cells()
    eval: Cells = Cells(bsize=16_384, scale=2.0, scaleT=2.0)

    @model_validator(mode="after")
    def _one_copy(self) -> Self:
        if self.train.downsample != self.eval.downsample:
            raise ValueError(
                "the degraded copy is one: train.downsample and eval.downsample must be equal"
            )
        if self.train.scale != round(self.train.scale) or self.train.scaleT != round(
            self.train.scaleT
        ):
            raise ValueError(
                "in training, scale and scaleT are whole numbers of cells per voxel and per frame"
            )
        return self


class Loader(_Options):
    """How many items of cells make a step."""

    batch_size: int = Field(1, ge=1, le=1024, description="Items of a step.")
    shuffle: bool = Field(True, description="Cells in random order.")


class Loaders(_Options):
    """Loaders of training and evaluation."""

    train: Loader = Loader()
    eval: Loader = Loader(shuffle=False)

    @model_validator(mode="after")
    def _rendered_in_order(self) -> Self:
        if self.eval.shuffle:
            raise ValueError(
                "eval.shuffle must be false: an output is rendered in its own order, which changes"
                " nothing in it"
            )
        return self


class Rcan(_Options):
    """The residual channel-attention network that makes the latents."""

    n_resgroups: int = Field(3, ge=1, le=64, description="Groups.")
    n_resblocks: int = Field(4, ge=1, le=64, description="Blocks of a group.")
    n_feats: int = Field(32, ge=1, le=1024, description="Channels.")
    reduction: int = Field(16, ge=1, le=1024, description="Squeeze of the channel attention.")
    in_channels: int | None = Field(
        None, ge=1, description="Time points that go in; null takes those of the recording."
    )
    out_channels: int | None = Field(
        None, ge=1, description="Time points that come out; null takes those of the recording."
    )

    @model_validator(mode="after")
    def _squeezable(self) -> Self:
        if self.reduction > self.n_feats:
            raise ValueError("reduction cannot be larger than n_feats")
        return self


class Optim(_Options):
    """The optimiser."""

    name: Literal["Adam", "AdamW"] = "Adam"
    lr: float = Field(
        5e-4, gt=0, le=1, description="Of the latents' stage; the MLP follows lr_decay."
    )
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(1e-6, gt=0, le=1)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError("betas lie between 0 and 1")
        return self


class LrDecay(_Options):
    """Log-linear decay of the learning rate with a sine warm-up."""

    lr_init: float = Field(5e-4, gt=0, le=1)
    lr_final: float = Field(5e-6, gt=0, le=1)
    max_iter: int = Field(50_000, ge=1)
    lr_delay_steps: int = Field(1000, ge=0)
    lr_delay_mult: float = Field(0.01, ge=0, le=1)


class ClipGrad(_Options):
    """Limits of the gradients, by value and by norm."""

    max_val: float = Field(0.1, gt=0)
    max_norm: float = Field(0.1, gt=0)


class Mlp(_Options):
    """The MLP that a sample of the hypercube goes through."""

    name: Literal["SpatimeINR"] = "SpatimeINR"
    netD: int = Field(10, ge=1, le=64, description="Layers.")
    netW: int = Field(256, ge=1, le=8192, description="Width.")
    in_ch: Literal[4] = Field(4, description="Coordinates: t, z, y, x.")
    out_ch: Literal[2] = Field(2, description="Value and density.")
    skips: tuple[int, ...] = Field((5,), description="Layers that see the input again.")
    max_freq: int = Field(
        11, ge=0, le=32, description="Frequencies of the encoding, each twice the last."
    )
    p_fns: tuple[Literal["sin", "cos"], ...] = Field(
        ("sin", "cos"), description="Functions of the encoding."
    )

    @property
    def encoded(self) -> int:
        """Numbers a coordinate is encoded to, all axes together."""
        return self.in_ch * (1 + len(self.p_fns) * self.max_freq)

    @model_validator(mode="after")
    def _skips_inside(self) -> Self:
        if any(not 0 < skip < self.netD for skip in self.skips):
            raise ValueError(f"skips are numbers of layers between 1 and {self.netD - 1}")
        return self


class PublishedOptions(_Options):
    """The published method's configuration, and what had to be added (``rcan_*``,
    ``closed_share``).
    """

    max_iter: int = Field(20_000, ge=1, description="Steps of the MLP.")
    save_iter: int = Field(1000, ge=1, description="Steps between two checkpoints.")
    log_iter: int = Field(100, ge=1, description="Steps between two lines of the log.")
    n_samples: int = Field(16, ge=1, le=1024, description="Samples of a hypercube.")
    len_lz: int = Field(
        92, ge=1, description="Length of a latent; that of the encoding, which it is added to."
    )
    n_imps: int = Field(
        8, ge=0, le=1024, description="Samples drawn where the first ones weigh most."
    )
    threshold: float = Field(
        39.0, gt=0, description="PSNR (dB) at which the latents are good enough."
    )
    save_path: str | None = Field(
        None, description="Folder of the results; the command line's --save_path goes first."
    )
    dataset: Dataset = Dataset()
    dataloader: Loaders = Loaders()
    rcan: Rcan = Rcan()
    optim: Optim = Optim()
    lr_decay: LrDecay = LrDecay()
    clip_grad: ClipGrad = ClipGrad()
    model: Mlp = Mlp()
    rcan_max_iter: int = Field(
        3000, ge=1, description="Steps after which the latents are taken as they are."
    )
    rcan_share: float = Field(
        0.35, gt=0, lt=1, description="Share of a time budget for the latents."
    )

    closed_share: float = Field(
        0.8,
        ge=0,
        lt=1,
        description="Share of the MLP's schedule in which a hypercube is its centre.",
    )

    @model_validator(mode="after")
    def _latent_fits(self) -> Self:
        if self.len_lz != self.model.encoded:
            raise ValueError(
                f"len_lz must be the length of the encoding, {self.model.encoded}, to which the"
                " latent is added"
            )
        return self
