"""Learn on lateral planes how structure goes on between planes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...config.parts import PlanesOptions, VoxelsOptions
from ...model.differentiable import apart
from ...model.finer import FinerPlanes
from ...model.sampling import gaussian, mirrored

MOST_PLANES = 64
LARGEST_CROP = 192
PLANES_OF_A_SAMPLE = 12
"""Coarse planes of a training sample, and its width in voxels."""
WIDTH_OF_A_SAMPLE = 48
BATCH = 8
PIECES = 2
"""Parts of a batch that are computed at once."""
STEP_SECONDS = 0.009
"""Of a training step of 5 layers of 32 channels, on the machine of docs/benchmarks.md."""
MOST_BLUR = 1.5
"""The extra blur along z is looked for up to this many distances between planes."""


@dataclass(frozen=True)
class Lateral:
    """Lateral planes to learn from.

    planes : ``(N, Y, X)``, normalised.
    above : the planes that follow them along z, ``(N, Y, X)``.
    """

    planes: Tensor
    above: Tensor


def step_seconds(options: PlanesOptions | VoxelsOptions) -> float:
    """Seconds of a training step of a network that makes lines finer."""
    return STEP_SECONDS * (0.4 + 0.6 * (options.channels / 32) ** 2 * options.layers / 5)


def lateral_planes(
    read: Callable[[int, int, int, int, int], Tensor],
    count: int,
    shape: tuple[int, int, int],
    seed: int,
    every: int = 1,
) -> Lateral:
    """Random crops of planes that hold something.

    ``read(k, z, y, x, size)`` gives two planes ``(2, h, w)`` from ``z`` and ``z + every`` of frame
    ``k``; only every ``every``-th plane is used.
    """
    pairs = [(k, z) for k in range(count) for z in range(0, shape[0] - every, every)]
    both = lively_crops(
        lambda k, z, y, x: read(k, z, y, x, LARGEST_CROP), pairs, (shape[1], shape[2]), seed
    )
    return Lateral(both[:, 0], both[:, 1])


def lively_crops(
    read: Callable[[int, int, int, int], Tensor],
    places: Sequence[tuple[int, int]],
    shape: tuple[int, int],
    seed: int,
) -> Tensor:
    """Half of the random crops that ``read(k, z, y, x)`` gives, ``(n, h, w)`` each, those with the
    most in the first plane: ``(N, n, h, w)``.

    Background teaches nothing. ``places`` are the frames and planes to choose from, ``shape`` is
    (y, x) of a plane.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(places), generator=generator).tolist()
    found = []
    for n in range(2 * MOST_PLANES):
        k, z = places[order[n % len(order)]]
        y, x = (
            int(torch.randint(0, max(1, m - LARGEST_CROP + 1), (1,), generator=generator))
            for m in shape
        )
        if n >= len(order) and max(shape) <= LARGEST_CROP:
            break
        found.append(read(k, z, y, x))
    crops = torch.stack(found)
    most = max(1, -(-len(crops) // 2), min(len(crops), MOST_PLANES // 2))
    return crops[crops[:, 0].flatten(1).std(1).argsort(descending=True)[:most]]


def noise_of(planes: Tensor) -> float:
    """Standard deviation of pixelwise noise (Immerkaer 1996, 'Fast noise variance estimation', with
    a median).
    """
    kernel = planes.new_tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])
    if min(planes.shape[1:]) < 3:
        return 0.0
    response = F.conv2d(planes[:, None], kernel[None, None]).abs()
    return float(response.flatten()[:: max(1, response.numel() // 500_000)].median()) / (6 * 0.6745)


def _kernel(sigma: float, like: Tensor) -> Tensor:
    radius = math.ceil(3 * sigma)
    taps = torch.exp(
        -0.5 * (torch.arange(-radius, radius + 1, device=like.device) / max(sigma, 1e-6)) ** 2
    )
    return taps / taps.sum()


def blurred(planes: Tensor, sigma: float) -> Tensor:
    """Planes ``(N, A, B)`` blurred along A, ends mirrored."""
    return gaussian(planes[None, None], (0, sigma, 0))[0, 0]


def kept_noise(sigma: float, like: Tensor) -> float:
    """Share of the variance of white noise that is left after blur along one axis."""
    return float((_kernel(sigma, like) ** 2).sum()) if sigma > 0 else 1.0


def correlation(a: Tensor, b: Tensor) -> float:
    """Correlation coefficient of two tensors of one shape."""
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (a.square().sum() * b.square().sum()).sqrt().clamp(min=1e-12))


def blur_along_z(lateral: Lateral, step: int) -> float:
    """Blur along one lateral axis, as a standard deviation in voxels, that makes it as smooth as z
    is.

    Fine detail (what a Gaussian of ``step / 2`` voxels along the other lateral axis takes away) of
    two planes ``step`` voxels apart is correlated to some degree; so is that of two lines ``step``
    apart within a plane, the more so the more the plane is blurred across them. Correlation does
    not depend on how bright or deep a plane is.
    """
    if min(lateral.planes.shape[1:]) <= step:
        return 0.0

    def detail(planes: Tensor) -> Tensor:
        return planes - blurred(planes.transpose(1, 2), max(1.0, step / 2)).transpose(1, 2)

    def turned(planes: Tensor) -> tuple[Tensor, Tensor]:
        return planes, planes.transpose(1, 2)

    fine = [detail(planes) for planes in turned(lateral.planes)]
    above = [detail(planes) for planes in turned(lateral.above)]
    wanted = sum(correlation(a, b) for a, b in zip(fine, above, strict=True)) / 2

    def enough(sigma: float) -> bool:
        # Detail along one axis of what is blurred along the other is the blurred detail.
        soft = [blurred(planes, sigma) for planes in fine]
        return sum(correlation(s[:, step:], s[:, :-step]) for s in soft) / 2 >= wanted

    if enough(0.0):
        return 0.0
    low, high = 0.0, MOST_BLUR * step
    for _ in range(5):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def blurs_to_learn(estimate: float) -> list[float]:
    """Blurs to train with: the estimate is coarse, and errs to the wide side; less than 0.7 voxels
    leaves pixel noise.
    """
    least = max(estimate / 2, min(estimate, 0.7))
    return [least, (least + estimate) / 2, estimate] if estimate > least else [estimate]


def train_planes(
    network: FinerPlanes,
    lateral: Lateral,
    step: int,
    blurs: Sequence[float],
    steps: int,
    learning_rate: float,
    seed: int,
    precision: torch.dtype = torch.float32,
) -> Iterator[tuple[int, float]]:
    """Train in place; yields (step, loss).

    Lateral planes are blurred along one axis as z is and sampled every ``step`` voxels; the target
    are lines ``step / factor`` apart: blurred too, or as they are where the network sharpens.
    """
    planes, fine = lateral.planes, step // network.factor
    bank = []
    # Blur along one axis takes noise away that planes along z have.
    noise = noise_of(planes) if network.sharpen else 0.0
    for blur in blurs:
        lost = math.sqrt(1 - kept_noise(blur, planes)) * noise
        for turned in (planes, planes.transpose(1, 2)):
            soft = blurred(turned, blur)
            bank.append((soft, turned if network.sharpen else soft, lost))
    yield from train_lines(network, bank, step, fine, steps, learning_rate, seed, precision)


Bank = Sequence[tuple[Tensor, Tensor, float]]
"""What lines are learned from: planes ``(N, A, B)`` given and wanted, and the noise that is added
to the given."""


def train_lines(
    network: FinerPlanes,
    bank: Bank,
    step: int,
    fine: int,
    steps: int,
    learning_rate: float,
    seed: int,
    precision: torch.dtype = torch.float32,
) -> Iterator[tuple[int, float]]:
    """Train in place to make of every ``step``-th line of planes every ``fine``-th one; yields
    (step, loss).
    """
    device, reach = bank[0][0].device, network.reach
    generator = torch.Generator().manual_seed(seed)
    # In some hundred steps the usual 0.999 remembers the first gradients for too long.
    optimiser = torch.optim.AdamW(
        network.parameters(),
        lr=learning_rate,
        betas=(0.9, 0.99),
        fused=True if device.type == "cpu" else None,
    )
    for number in range(steps):
        for group in optimiser.param_groups:
            warm = min(1.0, (number + 1) / 30)
            group["lr"] = learning_rate * warm * (0.02 + 0.98 * (1 - number / steps))
        soft, sharp, lost = bank[number % len(bank)]
        where = _random_parts(soft, step, generator)
        given = soft[where][:, ::step]
        if lost > 0:
            given = given + lost * torch.randn(given.shape, generator=generator).to(device)
        _, count, width = given.shape
        z = mirrored(torch.arange(-reach[0], count + reach[0], device=device), count)
        x = mirrored(torch.arange(-reach[2], width + reach[2], device=device), width)
        parts = given[:, z][:, :, x].chunk(PIECES)
        made = apart(lambda part: (network.upright(part, precision),), parts, network.parameters())
        out = torch.cat([piece for (piece,) in made])
        loss = ((out - sharp[where][:, ::fine]) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        yield number + 1, float(loss.detach())


def _random_parts(
    planes: Tensor, step: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Indices of random parts of planes ``(N, A, B)``, turned round at random, that are long enough
    for every ``step``-th line to be a sample: they index ``(batch, length, width)``.
    """
    count = min(PLANES_OF_A_SAMPLE, (planes.shape[1] - 1) // step + 1)
    length, width = (count - 1) * step + 1, min(WIDTH_OF_A_SAMPLE, planes.shape[2])
    n = torch.randint(0, len(planes), (BATCH,), generator=generator)
    a = torch.randint(0, planes.shape[1] - length + 1, (BATCH,), generator=generator)
    b = torch.randint(0, planes.shape[2] - width + 1, (BATCH,), generator=generator)
    flips = torch.rand(BATCH, 2, generator=generator) < 0.5
    rows = torch.arange(length) + a[:, None]
    rows = torch.where(flips[:, :1], rows.flip(1), rows)
    columns = torch.arange(width) + b[:, None]
    columns = torch.where(flips[:, 1:], columns.flip(1), columns)
    device = planes.device
    return (
        n[:, None, None].to(device),
        rows[:, :, None].to(device),
        columns[:, None, :].to(device),
    )
