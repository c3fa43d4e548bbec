"""The published method as a Field holds it."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

import torch
from numpy.typing import NDArray

from ..config.options import Config, RenderOptions
from ..model.frames import Frames
from ..render.method import Method
from .model import Published
from .rendering import PublishedRenderer

PREFIX = "published."
"""What the names of its arrays begin with, in model files and in those of the published command."""


class PublishedMethod(Method):
    """The published model of a recording.

    Parameters
    ----------
    model : latents and MLP.
    """

    name = "published"
    convolved = "volumes"
    PARTS = ("published",)

    def __init__(self, model: Published) -> None:
        self.model = model

    @property
    def precision(self) -> torch.dtype:  # type: ignore[override]
        """Arithmetic of RCAN and MLP."""
        return self.model.precision

    def renderer(
        self,
        frames: Frames,
        options: RenderOptions,
        interpolation: str = "linear",
        linear: Collection[int] = (),
    ) -> PublishedRenderer:
        """Hypercubes the size of the output's cells; its own options say how they are sampled, and
        it interpolates nothing.
        """
        return PublishedRenderer(self.model, frames, options)

    def parts(self) -> dict[str, bool]:
        """It is one."""
        return {"published": True}

    def header(self) -> dict[str, Any]:
        """Nothing: sizes are in the configuration and the arrays."""
        return {}

    def weights(self) -> dict[str, NDArray[Any]]:
        """All arrays of the model."""
        return {PREFIX + name: tensor.numpy() for name, tensor in self.state().items()}

    def state(self) -> dict[str, torch.Tensor]:
        """The same as tensors, by the model's own names."""
        return {name: t.detach().cpu() for name, t in self.model.state_dict().items()}

    def copy(self) -> PublishedMethod:
        """Another with a model of its own."""
        return PublishedMethod(copy.deepcopy(self.model))

    @classmethod
    def build(
        cls,
        header: dict[str, Any],
        weights: dict[str, NDArray[Any]],
        shape: tuple[int, int, int],
        config: Config,
        device: torch.device,
        precision: torch.dtype,
    ) -> PublishedMethod:
        """From arrays that are named as :meth:`weights` names them, and the configuration."""
        if config.published is None:
            raise ValueError("it holds the published model without its options")
        state = {
            name.removeprefix(PREFIX): torch.from_numpy(array)
            for name, array in weights.items()
            if name.startswith(PREFIX)
        }
        model = Published(
            config.published,
            (len(state["heads"]), *shape),
            precision,
            config.latents.enabled,
            config.render.hypercube,
        )
        model.features = torch.empty_like(state["features"])
        model.load_state_dict(state)
        return cls(model.to(device).requires_grad_(False))
