"""A network from its saved arrays."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from ..config.options import Config
from .decoder import Decoder
from .encoder import Encoder
from .finer import FinerPlanes, FinerVoxels
from .motion import VelocityField
from .network import Network

PARTS = ("velocity", "encoder", "decoder", "planes", "voxels")


def finer_parts(network: Network) -> dict[str, Any]:
    """What cannot be told from the arrays of the parts that make voxels finer: plain values for
    :func:`build_network`.
    """
    planes, lateral = network.planes, network.voxels
    return {
        "planes": None if planes is None else {"factor": planes.factor, "sharpen": planes.sharpen},
        "voxels": None if lateral is None else {"factor": lateral.factor},
    }


def weights_of(network: Network) -> dict[str, NDArray[Any]]:
    """The arrays of all parts, ``part.name``; :func:`build_network` is the inverse."""
    weights: dict[str, NDArray[Any]] = {}
    for part in PARTS:
        module = getattr(network, part)
        if module is not None:
            weights |= {
                f"{part}.{name}": tensor.detach().cpu().numpy()
                for name, tensor in module.state_dict().items()
            }
    return weights


def build_network(
    weights: dict[str, NDArray[Any]],
    shape: tuple[int, int, int],
    config: Config,
    device: torch.device,
    precision: torch.dtype,
    finer: dict[str, Any],
) -> Network:
    """A network from named arrays, ``part.name``; parts without arrays are missing.

    Parameters
    ----------
    shape : voxels (z, y, x) of a frame.
    precision : arithmetic of the networks.
    finer : what :func:`finer_parts` told; further keys are not looked at.
    """

    def part(name: str) -> dict[str, torch.Tensor]:
        return {
            k.removeprefix(f"{name}."): torch.from_numpy(v)
            for k, v in weights.items()
            if k.startswith(f"{name}.")
        }

    network = Network(precision=precision)
    velocity, encoder, decoder = part("velocity"), part("encoder"), part("decoder")
    options = config.latents
    if velocity:
        nodes = velocity["nodes"].shape
        network.velocity = VelocityField(velocity["times"], shape, (nodes[2], nodes[3], nodes[4]))
        network.velocity.load_state_dict(velocity)
        network.velocity.to(device).requires_grad_(False)
    if encoder and decoder:
        network.encoder = Encoder(options.channels, options.layers, options.features).to(device)
        network.encoder.load_state_dict(encoder)
        network.decoder = Decoder(options.features, options.width).to(device)
        network.decoder.load_state_dict(decoder)
    if (planes := finer.get("planes")) is not None:
        network.planes = FinerPlanes(
            int(planes["factor"]),
            config.planes.channels,
            config.planes.layers,
            bool(planes["sharpen"]),
        ).to(device)
        network.planes.load_state_dict(part("planes"))
        network.planes.requires_grad_(False)
    if (lateral := finer.get("voxels")) is not None:
        network.voxels = FinerVoxels(
            int(lateral["factor"]), config.voxels.channels, config.voxels.layers
        ).to(device)
        network.voxels.load_state_dict(part("voxels"))
        network.voxels.requires_grad_(False)
    return network
