"""The options of the parts of a model, one group each."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .groups import Options

Size = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0)]


class MotionOptions(Options):
    """The velocity field: where things go."""

    enabled: bool = Field(
        True, description="Estimate motion; off means plain interpolation in time."
    )
    node_voxels: float = Field(
        4.0, gt=0, le=64, description="Distance of the velocity field's control nodes, voxels."
    )
    levels: int = Field(4, ge=1, le=6, description="Levels of the coarse-to-fine start.")
    warps: int = Field(6, ge=1, le=50, description="Updates of the start on each level.")
    steps: int = Field(
        80, ge=0, le=100_000, description="Optimisation steps of the continuous field."
    )
    points: int = Field(12_000, ge=256, le=1_000_000, description="Random points per step.")
    smoothness: tuple[NotNegative, ...] = Field(
        (0.002, 0.05),
        min_length=1,
        description="Smoothness weights: one velocity field each; they are blended.",
    )
    gradual: bool = Field(
        True,
        description="One more field, of the least weight, fitted to ever finer frames from rest.",
    )
    acceleration: float = Field(0.1, ge=0, description="Weight of smoothness in time.")
    two_interval: float = Field(
        0.5, ge=0, description="Weight of the term that spans two frame intervals."
    )
    max_voxels: int = Field(
        48_000_000,
        ge=10_000,
        description="Voxels (all frames) motion is estimated on; larger recordings are binned.",
    )


class HypothesesOptions(Options):
    """The blend of velocity fields: which of them to believe where."""

    enabled: bool = Field(
        True,
        description="Blend several velocity fields and no motion; off means one field is fitted.",
    )
    width: int = Field(16, ge=2, le=256, description="Width of the network that weighs them.")
    steps: int = Field(300, ge=0, le=100_000, description="Training steps.")
    learning_rate: float = Field(5e-3, gt=0, le=1)


class LatentOptions(Options):
    """Encoder and decoder: what things look like."""

    enabled: bool = Field(
        True,
        description="Learn latents that remove noise; off means frames are sampled as they are.",
    )
    channels: int = Field(16, ge=2, le=128, description="Channels of the encoder.")
    layers: int = Field(2, ge=1, le=8, description="3-D convolutions of the encoder.")
    features: int = Field(4, ge=1, le=64, description="Latent channels handed to the decoder.")
    width: int = Field(32, ge=4, le=512, description="Width of the decoder.")
    steps: int = Field(400, ge=0, le=1_000_000, description="Training steps.")
    crop: tuple[Size, Size, Size] = Field(
        (16, 40, 40), description="Voxels (z, y, x) of one training block."
    )
    blocks: int = Field(1, ge=1, le=64, description="Training blocks per step.")
    learning_rate: float = Field(3e-3, gt=0, le=1)


class PlanesOptions(Options):
    """Finer planes: what the lateral planes teach about what lies between planes."""

    enabled: bool = Field(
        True, description="Learn from the lateral planes; off means planes are interpolated."
    )
    factor: int = Field(
        0, ge=0, le=16, description="Planes made of one; 0 chooses by the voxel size."
    )
    channels: int = Field(32, ge=2, le=256, description="Channels of the network.")
    layers: int = Field(5, ge=2, le=12, description="3 x 3 convolutions of the network.")
    steps: int = Field(500, ge=1, le=1_000_000, description="Training steps.")
    learning_rate: float = Field(4e-3, gt=0, le=1)
    sharpen: bool = Field(
        False,
        description="Undo the extra blur along z too; its width is that of the PSF, or estimated.",
    )


class VoxelsOptions(Options):
    """Finer voxels in the plane: what the planes teach at a coarser scale."""

    enabled: bool = Field(
        False,
        description=(
            "Learn finer voxels from the planes made coarser; off means they are interpolated."
        ),
    )
    factor: int = Field(2, ge=2, le=4, description="Voxels made of one, along y and along x.")
    channels: int = Field(32, ge=2, le=256, description="Channels of the network.")
    layers: int = Field(5, ge=2, le=12, description="3 x 3 convolutions of the network.")
    steps: int = Field(500, ge=1, le=1_000_000, description="Training steps.")
    learning_rate: float = Field(3e-3, gt=0, le=1)
