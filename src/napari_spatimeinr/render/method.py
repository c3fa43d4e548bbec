"""A fitted method as a Field sees it, and ours: motion-aligned latents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar, Self

import torch
from numpy.typing import NDArray

from ..compute.device import Convolved
from ..config.options import Config, RenderOptions
from ..model.build import arrays, build_network, headers
from ..model.frames import Frames
from ..model.network import Network
from ..model.part import PARTS
from .blocks import Blocks
from .renderer import Renderer


class Method(ABC):
    """What was fitted to a recording: it renders any grid and goes into files and other processes.

    A Field holds one and asks nothing else of it; ``fitting.METHODS`` lists those that can be
    fitted and loaded.

    Attributes
    ----------
    name : the method's, in the header of model files.
    PARTS : what it can consist of, by the names that provenance (``chosen``) gives them.
    convolved : what its networks convolve, by which their precision is chosen.
    precision : arithmetic of its networks.
    """

    name: ClassVar[str]
    PARTS: ClassVar[Collection[str]]
    convolved: ClassVar[Convolved]
    precision: torch.dtype

    @abstractmethod
    def renderer(
        self,
        frames: Frames,
        options: RenderOptions,
        interpolation: str = "linear",
        linear: Collection[int] = (),
    ) -> Blocks:
        """What renders its intensities.

        Parameters
        ----------
        frames : the recording, ``(t, z, y, x)``.
        options : how cells are integrated.
        interpolation : "linear" or "cubic" in time, where it has no parts.
        linear : intervals between frames that are interpolated linearly whatever there is.
        """

    @abstractmethod
    def parts(self) -> dict[str, bool]:
        """Which of ``PARTS`` there are."""

    @abstractmethod
    def header(self) -> dict[str, Any]:
        """What :meth:`build` needs and cannot tell from the weights, as JSON values."""

    @abstractmethod
    def weights(self) -> dict[str, NDArray[Any]]:
        """All arrays, ``part.name``."""

    @abstractmethod
    def copy(self) -> Self:
        """The same values, independent of further training."""

    @classmethod
    @abstractmethod
    def build(
        cls,
        header: dict[str, Any],
        weights: dict[str, NDArray[Any]],
        shape: tuple[int, int, int],
        config: Config,
        device: torch.device,
        precision: torch.dtype,
    ) -> Self:
        """The inverse of :meth:`header` and :meth:`weights`.

        Parameters
        ----------
        header : of the model file; keys of others are not looked at.
        weights : its named arrays.
        shape : voxels (z, y, x) of a frame.
        precision : arithmetic of the networks.

        Raises
        ------
        ValueError, LookupError, TypeError, RuntimeError
            What comes of a header or of weights that are none.
        """


class Aligned(Method):
    """Ours: frames aligned along their motion, and what their latents make of them.

    Parameters
    ----------
    network : velocity field, encoder, decoder and finer voxels, each of which may be missing.
    """

    name = "aligned"
    convolved = "planes"
    PARTS = PARTS

    def __init__(self, network: Network) -> None:
        self.network = network

    @property
    def precision(self) -> torch.dtype:  # type: ignore[override]
        """Arithmetic of the networks."""
        return self.network.precision

    def renderer(
        self,
        frames: Frames,
        options: RenderOptions,
        interpolation: str = "linear",
        linear: Collection[int] = (),
    ) -> Renderer:
        """See :class:`Renderer`."""
        return Renderer(self.network, frames, options, interpolation, linear)

    def parts(self) -> dict[str, bool]:
        """Which parts were kept."""
        return {name: name in self.network.parts for name in PARTS}

    def header(self) -> dict[str, Any]:
        """What the arrays of parts do not tell."""
        return {"parts": headers(self.network)}

    def weights(self) -> dict[str, NDArray[Any]]:
        """The arrays of all parts."""
        return arrays(self.network)

    def copy(self) -> Aligned:
        """Another with a network of its own."""
        return Aligned(self.network.copy())

    @classmethod
    def build(
        cls,
        header: dict[str, Any],
        weights: dict[str, NDArray[Any]],
        shape: tuple[int, int, int],
        config: Config,
        device: torch.device,
        precision: torch.dtype,
    ) -> Aligned:
        """See :func:`.model.build.build_network`."""
        return cls(build_network(weights, shape, config, device, precision, header["parts"]))
