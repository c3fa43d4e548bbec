"""The parts of a network to and from their saved arrays."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from ..config.options import Config
from .finer import FinerPlanes, FinerVoxels
from .hypotheses import SIGMAS, Hypotheses
from .latents import Latents
from .motion import VelocityField
from .network import Network
from .part import PARTS, Part, Saved


class MotionPart(Part):
    """The velocity field: where things go."""

    name = "motion"

    def build(self, saved: Saved) -> nn.Module:
        """Its control grid has the shape of the saved one."""
        _, _, z, y, x = saved.arrays["nodes"].shape
        field = VelocityField(saved.arrays["times"], saved.shape, (z, y, x))
        return saved.into(field).requires_grad_(False)


class HypothesesPart(Part):
    """Further velocity fields, and what blends them."""

    name = "hypotheses"

    def header(self, module: nn.Module) -> dict[str, Any]:
        """How many further fields there are."""
        assert isinstance(module, Hypotheses)
        return {"fields": len(module.fields)}

    def build(self, saved: Saved) -> nn.Module:
        """The sizes are those of the saved arrays."""
        fields = []
        for i in range(int(saved.header["fields"])):
            _, _, z, y, x = saved.arrays[f"fields.{i}.nodes"].shape
            fields.append(VelocityField(saved.arrays[f"fields.{i}.times"], saved.shape, (z, y, x)))
        width = saved.arrays["layers.0.weight"].shape[0]
        return saved.into(Hypotheses(fields, width, torch.zeros(len(SIGMAS), 3))).requires_grad_(
            False
        )


class LatentsPart(Part):
    """Encoder and decoder: what things look like."""

    name = "latents"

    def build(self, saved: Saved) -> nn.Module:
        """Its sizes are those of the options."""
        return saved.into(Latents.of(saved.config.latents))


class PlanesPart(Part):
    """What makes finer planes."""

    name = "planes"

    def header(self, module: nn.Module) -> dict[str, Any]:
        """The factor, which may have been chosen by the voxel size, and whether it sharpens."""
        assert isinstance(module, FinerPlanes)
        return {"factor": module.factor, "sharpen": module.sharpen}

    def build(self, saved: Saved) -> nn.Module:
        """Its sizes are those of the options."""
        options, said = saved.config.planes, saved.header
        network = FinerPlanes(
            int(said["factor"]), options.channels, options.layers, bool(said["sharpen"])
        )
        return saved.into(network).requires_grad_(False)


class VoxelsPart(Part):
    """What makes finer voxels in the plane."""

    name = "voxels"

    def header(self, module: nn.Module) -> dict[str, Any]:
        """The factor."""
        assert isinstance(module, FinerVoxels)
        return {"factor": module.factor}

    def build(self, saved: Saved) -> nn.Module:
        """Its sizes are those of the options."""
        options = saved.config.voxels
        network = FinerVoxels(int(saved.header["factor"]), options.channels, options.layers)
        return saved.into(network).requires_grad_(False)


_KNOWN = (MotionPart(), HypothesesPart(), LatentsPart(), PlanesPart(), VoxelsPart())
PARTS |= {part.name: part for part in _KNOWN}


def headers(network: Network) -> dict[str, Any]:
    """What cannot be told from the arrays of the parts there are: plain values by part."""
    return {name: PARTS[name].header(module) for name, module in network.parts.items()}


def arrays(network: Network) -> dict[str, NDArray[Any]]:
    """The arrays of all parts, ``part.name``; :func:`build_network` is the inverse."""
    out: dict[str, NDArray[Any]] = {}
    for part, module in network.parts.items():
        for name, tensor in module.state_dict().items():
            out[f"{part}.{name}"] = tensor.detach().cpu().numpy()
    return out


def unknown_parts(said: dict[str, Any]) -> list[str]:
    """Parts in a file that are registered nowhere here, of what :func:`headers` told."""
    return sorted(set(said) - set(PARTS)) if isinstance(said, dict) else []


def build_network(
    weights: dict[str, NDArray[Any]],
    shape: tuple[int, int, int],
    config: Config,
    device: torch.device,
    precision: torch.dtype,
    said: dict[str, Any],
) -> Network:
    """A network from named arrays, ``part.name``; parts without arrays and header are missing.

    Parameters
    ----------
    shape : voxels (z, y, x) of a frame.
    precision : arithmetic of the networks.
    said : what :func:`headers` told.
    """
    by_part: dict[str, dict[str, torch.Tensor]] = {}
    for key, array in weights.items():
        owner, _, name = key.partition(".")
        by_part.setdefault(owner, {})[name] = torch.from_numpy(array)
    network = Network(precision=precision)
    for name, part in PARTS.items():
        if name in by_part or name in said:
            saved = Saved(
                said.get(name) or {}, by_part.get(name, {}), shape, config, device, precision
            )
            network.put(name, part.build(saved))
    return network
