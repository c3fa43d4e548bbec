"""Whether kernels or torch compute: the one place that chooses."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import kernels

RENDERING = ("following", "rendering", "blending", "encoding", "between")
"""The kernels that a rendering is made by."""


def compiled(name: str, device: torch.device) -> ModuleType | None:
    """Kernels for a device; None where torch computes, for the time being or for good."""
    if device.type != "cpu":
        return None
    kernels.prepare()
    return kernels.ready(name)


def plain(numbers: Any) -> NDArray[np.float32]:
    """A tensor as a kernel takes it."""
    array: NDArray[np.float32] = numbers.detach().float().contiguous().numpy()
    return array


def wait_for_rendering(device: torch.device) -> None:
    """Until the kernels of rendering are there, or known not to be."""
    if device.type == "cpu":
        kernels.settle(*RENDERING)
