"""Two recordings, each with half of what one recording knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from ..data.grid import Grid
from ..errors import InputError
from ..model.frames import Frames
from ..model.sampling import gaussian
from ..training.noise import Noise, estimate, nothing_to_remove
from ..training.normalisation import estimate_normalisation
from ..training.parts.thinned import SMOOTH
from ..volume import Volume

Kind = Literal["noise", "frames"]
LEAST_FRAMES = 4
"""Two in each half, so that both have something between frames."""
WORDS = {
    "noise": "two copies of every frame, of independent noise",
    "frames": "even and odd frames",
}


@dataclass(frozen=True)
class Halves:
    """Two recordings that have no noise in common.

    kind : "noise": copies of every frame that were thinned; "frames": even and odd frames.
    pair : both, ``(T', Z, Y, X)``.
    shared : numbers of the frames whose times both of them span.
    span : range of the recording's intensities, as fits take it.
    why : why frames were taken where nobody asked for them, else nothing.
    """

    kind: Kind
    pair: tuple[Volume, Volume]
    shared: range
    span: float
    why: str = ""


def halves(volume: Volume, kind: Kind | None, seed: int) -> Halves:
    """Noise halves where the noise of the recording is known, else even and odd frames.

    Parameters
    ----------
    volume : the recording; it is read into memory.
    kind : which, None for the above.
    seed : of the noise that is added.

    Raises
    ------
    InputError
        If all intensities are equal, the noise cannot be estimated, or frames are too few.
    """
    if kind not in (None, "noise", "frames"):
        raise InputError(f"Halves are of 'noise' or of 'frames', got {kind!r}.")
    normalisation, _, constant = estimate_normalisation(volume.data)
    if constant:
        raise InputError("All intensities are equal; there is nothing that two fits could show.")
    if kind == "frames":
        return _alternate(volume, normalisation.scale)
    frames = Frames(volume.data, normalisation, torch.device("cpu"))
    noise = estimate(frames, seed)
    why = nothing_to_remove(noise)
    if noise is not None and why is None:
        return _thinned(volume, frames, noise, seed)
    if kind == "noise":
        raise InputError(f"There are no halves of this recording's noise: {why}; try frames.")
    return _alternate(volume, normalisation.scale, f"of its noise there are no halves: {why}")


def _alternate(volume: Volume, span: float, why: str = "") -> Halves:
    """Even and odd frames, at their own times."""
    count = volume.shape[0]
    if count < LEAST_FRAMES:
        raise InputError(
            f"Even and odd frames take at least {LEAST_FRAMES} frames, this recording has {count}"
            + (f"; {why}." if why else ".")
        )
    data, (dt, *voxel), (_, *first) = np.asarray(volume.data), volume.spacing, volume.origin
    pair = []
    for start in (0, 1):
        part, at = np.ascontiguousarray(data[start::2]), volume.grid.coordinates(0)[start::2]
        times = None if volume.grid.times is None else tuple(at)
        grid = Grid(part.shape, (2 * dt, *voxel), (float(at[0]), *first), times)  # type: ignore[arg-type]
        pair.append(volume.like(part, grid))
    return Halves("frames", (pair[0], pair[1]), range(1, count - 1), span, why)


def _thinned(volume: Volume, frames: Frames, noise: Noise, seed: int) -> Halves:
    """Every frame with as much noise added as it has, and with the same subtracted.

    The noise of the two is not correlated (:mod:`..training.parts.thinned`, with equal shares).
    """
    generator = torch.Generator().manual_seed(seed)
    pair = np.empty((2, *volume.shape), np.float32)
    for k in range(volume.shape[0]):
        deviation = noise.variance(gaussian(frames.whole(k), SMOOTH)).sqrt()
        drawn = torch.randn(deviation.shape, generator=generator)
        added = (frames.normalisation.scale * deviation * drawn)[0, 0].numpy()
        frame = volume.frame(k)
        pair[0, k], pair[1, k] = frame + added, frame - added
    first, second = (volume.like(data, volume.grid) for data in pair)
    return Halves("noise", (first, second), range(volume.shape[0]), frames.normalisation.scale)
