"""Frames are read in one place: nothing is encoded twice, and parts that make voxels finer are
chained whatever they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_spatimeinr import Field, Volume, fit, phantom
from napari_spatimeinr.model.finer import FinerPlanes, FinerVoxels
from napari_spatimeinr.model.frames import Frames
from napari_spatimeinr.model.source import FrameSource, factors
from napari_spatimeinr.render.tiles import TiledSource, kept

CONFIG = {
    "motion": {"steps": 8, "points": 600, "warps": 2, "levels": 2, "smoothness": [0.01]},
    "latents": {"steps": 6, "channels": 4, "layers": 2, "width": 8, "crop": [6, 8, 12]},
    "planes": {"steps": 4, "channels": 4, "layers": 2, "factor": 2},
    "gate": False,
    "precision": "float32",
}
TABLE = {"levels": [0.9], "edges": [[0.05], [0.2]], "widths": [[[0.1, 0.2], [0.3, 0.4]]]}

pytestmark = pytest.mark.usefixtures("one_thread")


class Counting(nn.Module):
    """An encoder that counts how often it is called."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.calls = encoder, 0
        self.reach = encoder.reach

    def forward(self, *args: Any) -> Any:
        self.calls += 1
        return self.encoder(*args)


class Doubled(nn.Module):
    """Rows repeated: a part that makes voxels finer along y alone."""

    factors, reach, overshoots = (1, 2, 1), (1, 1, 0), False

    def wanted(self, cell: tuple[float, float, float, float]) -> bool:
        return cell[2] < 1

    def forward(self, voxels: Tensor, precision: torch.dtype) -> Tensor:
        inner = voxels[:, :, 1:-1, 1:-1]
        return inner.repeat_interleave(2, 3)[:, :, :, :-1]


@pytest.fixture(scope="module")
def field() -> Field:
    volume = Volume(phantom((4, 8, 24, 28), motion=2.0, seed=5)[0].data, (30.0, 1.0, 0.5, 0.5))
    made = fit(volume, config=CONFIG, device="cpu")
    assert made.network.motion is not None
    assert made.network.latents is not None
    return made


def rendered(field: Field, what: str, **how: Any) -> np.ndarray[Any, Any]:
    return np.asarray(field.lazy(what=what, **how))


def counted(field: Field) -> tuple[Field, Counting]:
    """The same model with nothing kept, and its encoder."""
    network = field.network.copy()
    encoder = Counting(network.latents.encoder)
    network.latents.encoder = encoder
    provenance = field.provenance | {"confidence": TABLE}
    parts = field.normalisation, field.config, field.device, "linear", provenance
    return Field(field.volume, network, *parts), encoder


@pytest.mark.parametrize("how", [{"time_scale": 2}, {"time_scale": 2, "scale_z": 2}], ids=str)
@pytest.mark.parametrize("what", ["confidence", "disagreement"])
def test_after_a_rendering_another_quantity_encodes_nothing(field, what, how):
    model, encoder = counted(field)
    rendered(model, "intensity", **how)
    before = encoder.calls
    assert before > 0
    found = rendered(model, what, **how)
    assert encoder.calls == before
    fresh, other = counted(field)
    assert np.array_equal(found, rendered(fresh, what, **how))
    assert other.calls > 0


def test_quantities_of_a_model_share_one_memory(field):
    model, _ = counted(field)
    for what in ("intensity", "confidence", "disagreement"):
        assert model._quantity(what).sampler is model._renderer.sampler


def sources(network: Any, frames: Frames) -> list[FrameSource]:
    return [FrameSource(network, frames), TiledSource(network, frames, kept(10**8))]


def frames_of(field: Field) -> Frames:
    return Frames(field.volume.data, field.normalisation, field.device)


BOXES = [((2, 5), (3, 9), (0, 28)), ((-3, 4), (-2, 3), (20, 31)), ((0, 8), (0, 24), (0, 28))]


@pytest.mark.parametrize("box", BOXES, ids=str)
def test_direct_and_tiled_reading_agree(field, box):
    direct, tiled = sources(field.network, frames_of(field))
    for read in ("raw", "denoised", "smooth", "coefficients"):
        torch.testing.assert_close(
            getattr(direct, read)(1, box), getattr(tiled, read)(1, box), atol=1e-2, rtol=0
        )
    inner = ((2, 5), (8, 14), (9, 20))
    one, other = direct.encoded(1, inner), tiled.encoded(1, inner)
    torch.testing.assert_close(one.coefficients, other.coefficients, atol=1e-4, rtol=0)
    torch.testing.assert_close(one.latents, other.latents, atol=1e-2, rtol=1e-2)


def test_denoised_voxels_come_with_latents_and_latents_only_where_they_are_asked_for(field):
    box = ((2, 5), (3, 9), (0, 28))
    _, tiled = sources(field.network, frames_of(field))
    reads = []
    read = tiled.raw
    tiled.raw = lambda k, box: reads.append(k) or read(k, box)
    tiled.latents(1, box)
    assert reads
    reads.clear()
    tiled.denoised(1, box)
    assert not reads
    tiled.denoised(2, box)
    assert all(tiled.tiles.find(tile) is None for tile in tiled.touched("latents", 2, box))
    assert all(tiled.tiles.find(tile) is not None for tile in tiled.touched("denoised", 2, box))


@pytest.mark.parametrize(
    "parts",
    [("planes",), ("voxels",), ("planes", "voxels"), ("planes", "voxels", "doubled"), ("doubled",)],
    ids="+".join,
)
def test_parts_that_make_voxels_finer_are_chained(field, parts):
    torch.manual_seed(0)
    known = {"planes": FinerPlanes(2, 4, 2), "voxels": FinerVoxels(3, 4, 2), "doubled": Doubled()}
    finer = tuple(known[name] for name in parts)
    for part in finer:
        for value in part.parameters():
            torch.nn.init.normal_(value.data, std=0.1)
    sizes = {"planes": (2, 1, 1), "voxels": (1, 3, 3), "doubled": (1, 2, 1)}
    z, y, x = np.prod([sizes[name] for name in parts], axis=0)
    assert factors(finer) == (z, y, x)
    direct, tiled = sources(field.network.plain(), frames_of(field))
    shape = direct.fine_shape(finer)
    assert shape == (7 * z + 1, 23 * y + 1, 27 * x + 1)
    whole = ((0, shape[0]), (0, shape[1]), (0, shape[2]))
    box = ((-2, 5), (3 * y + 1, 9 * y), (11 * x, shape[2] + 4))
    for area in (whole, box):
        one, other = (source.fine(1, area, finer) for source in (direct, tiled))
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    # Acquired voxels keep their places (parts that change nothing there, their values).
    acquired = direct.fine(1, whole, finer)[:, :, ::z, ::y, ::x]
    torch.testing.assert_close(acquired, frames_of(field).whole(1), atol=0.05, rtol=0)


def test_a_part_says_which_cells_gain_by_it():
    planes, sharp, lateral = FinerPlanes(2, 4, 2), FinerPlanes(1, 4, 2, True), FinerVoxels(2, 4, 2)
    assert planes.wanted((1, 0.5, 1, 1))
    assert not planes.wanted((0.5, 1, 0.5, 0.5))
    assert sharp.wanted((1, 1, 1, 1))
    assert lateral.wanted((1, 1, 1, 0.5))
    assert not lateral.wanted((1, 0.5, 1, 1))
    assert [part.overshoots for part in (planes, sharp, lateral)] == [False, True, False]
