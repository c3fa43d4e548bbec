"""A network from its saved arrays."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from ..config.options import Config
from .axial import Axial, InPlane
from .decoder import Decoder
from .encoder import Encoder
from .implicit import Published
from .motion import VelocityField
from .network import Network

PARTS = ("velocity", "encoder", "decoder", "axial", "in_plane", "published")


def finer_parts(network: Network) -> dict[str, Any]:
    """What cannot be told from the arrays of the parts that make voxels finer: plain values for
    :func:`build_network`.
    """
    axial, lateral = network.axial, network.in_plane
    return {
        "axial": None if axial is None else {"factor": axial.factor, "sharpen": axial.sharpen},
        "in_plane": None if lateral is None else {"factor": lateral.factor},
    }


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
    size = config.axial.channels, config.axial.layers
    if (axial := finer.get("axial")) is not None:
        network.axial = Axial(int(axial["factor"]), *size, bool(axial["sharpen"])).to(device)
        network.axial.load_state_dict(part("axial"))
        network.axial.requires_grad_(False)
    if (lateral := finer.get("in_plane")) is not None:
        network.in_plane = InPlane(int(lateral["factor"]), *size).to(device)
        network.in_plane.load_state_dict(part("in_plane"))
        network.in_plane.requires_grad_(False)
    if published := part("published"):
        if config.published is None:
            raise ValueError("it holds the published model without its options")
        count = len(published["heads"])
        model = Published(
            config.published,
            (count, *shape),
            precision,
            config.latents.enabled,
            config.render.hypercube,
        )
        model.features = torch.empty_like(published["features"])
        model.load_state_dict(published)
        network.published = model.to(device).requires_grad_(False)
    return network
