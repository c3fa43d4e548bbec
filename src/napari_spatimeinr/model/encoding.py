"""What the encoder makes of frames, by a compiled kernel, which makes one of both alone where that
is enough; :mod:`.encoder` is the same in torch.
"""

from __future__ import annotations

from collections.abc import Collection
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .compiled import compiled
from .convolution import SLOPE
from .encoder import Encoder


def kernels_of(encoder: nn.Module, device: torch.device) -> ModuleType | None:
    """The kernel for an encoder of two layers, as all presets have; None where torch computes."""
    fits = isinstance(encoder, Encoder) and len(encoder.convolutions) == 2
    return compiled("encoding", device) if fits else None


def encoded(
    kernels: ModuleType, encoder: Encoder, frames: Tensor, kinds: Collection[str]
) -> dict[str, Tensor]:
    """What is asked for of normalised frames ``(1, 1, Z, Y, X)``.

    ``kinds`` are of "denoised" ``(1, 1, ...)``, a third of the work of both, and "latents" ``(1, F,
    ...)``; both are ``reach`` smaller on each side.

    Raises
    ------
    ValueError
        For frames of another shape or type: a kernel checks nothing.
    """
    r = encoder.reach
    sizes = [n - 2 * r for n in frames.shape[2:]]
    if frames.shape[:2] != (1, 1) or frames.dtype != torch.float32 or min(sizes) < 1:
        raise ValueError(
            f"A block to encode is float32 and has {r} voxels around it, (1, 1, z, y, x); this one"
            f" came as {tuple(frames.shape)}, {frames.dtype}."
        )
    layers = [dict(layer.named_parameters()) for layer in encoder.convolutions]
    weights, biases = ([_plain(layer[name]) for layer in layers] for name in ("weight", "bias"))
    arguments = [weights[0], biases[0]]
    made: dict[str, NDArray[np.float32]] = {}
    for kind, outputs in (("denoised", slice(0, 1)), ("latents", slice(1, None))):
        some = outputs if kind in kinds else slice(0, 0)
        arguments += [weights[1][some], biases[1][some]]
        made[kind] = np.empty((len(biases[1][some]), *sizes), np.float32)
    frame = frames[0, 0].contiguous().numpy()
    kernels.encode(frame, *arguments, np.float32(SLOPE), made["denoised"], made["latents"])
    made["denoised"] += frame[tuple(slice(r, n - r) for n in frame.shape)]
    return {kind: torch.from_numpy(made[kind])[None] for kind in kinds}


def _plain(values: Tensor) -> NDArray[np.float32]:
    """Weights as a kernel takes them: an output's in one row."""
    flat = values.detach().float()
    return np.ascontiguousarray((flat.flatten(1) if flat.ndim > 1 else flat).numpy())
