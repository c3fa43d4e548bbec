"""Whether kernels or torch compute: the one place that chooses."""

from __future__ import annotations

from types import ModuleType

import torch

from .. import kernels

RENDERING = ("following", "rendering", "decoding", "encoding")
"""The kernels that a rendering is made by."""


def compiled(name: str, device: torch.device) -> ModuleType | None:
    """Kernels for a device; None where torch computes, for the time being or for good."""
    if device.type != "cpu":
        return None
    kernels.prepare()
    return kernels.ready(name)


def wait_for_rendering(device: torch.device) -> None:
    """Until the kernels of rendering are there, or known not to be."""
    if device.type == "cpu":
        kernels.settle(*RENDERING)
