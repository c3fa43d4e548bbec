"""A part of a network as its model file holds it: named arrays, and plain values that these do
not tell.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..config.options import Config


@dataclass(frozen=True)
class Saved:
    """What a file says of a part, and what it is built for.

    header : plain values, what :meth:`Part.header` told.
    arrays : the part's state, without the part's name before theirs.
    shape : voxels (z, y, x) of a frame.
    config : the options of the fit.
    device, precision : where and in which arithmetic the network computes.
    """

    header: dict[str, Any]
    arrays: dict[str, Tensor]
    shape: tuple[int, int, int]
    config: Config
    device: torch.device
    precision: torch.dtype

    def into(self, module: nn.Module) -> nn.Module:
        """The module with the arrays as its state, on the device."""
        module = module.to(self.device)
        module.load_state_dict(self.arrays)
        return module


class Part(ABC):
    """A kind of part that a network may have; those known are in :data:`PARTS`."""

    name: ClassVar[str]
    """One word, in the configuration, in files and in provenance."""

    def header(self, module: nn.Module) -> dict[str, Any]:
        """What the arrays of a module do not tell, as JSON values."""
        return {}

    @abstractmethod
    def build(self, saved: Saved) -> nn.Module:
        """The module that a file holds; raises what comes of a file that is damaged."""


PARTS: dict[str, Part] = {}
"""The parts a network may have, by name, in the order in which they are learned and run."""
