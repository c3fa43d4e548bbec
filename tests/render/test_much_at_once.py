"""Devices that want much at once get it: the logic is that of a GPU, computed here by torch's
path.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from napari_spatimeinr import Field, fit, kernels, phantom
from napari_spatimeinr.compute import device
from napari_spatimeinr.model import boxes
from napari_spatimeinr.render import renderer, tiles

QUICK = {"gate": False, "motion": {"steps": 4}, "latents": {"steps": 4}, "planes": {"steps": 2}}


@pytest.fixture(scope="module")
def field() -> Field:
    return fit(phantom((3, 6, 40, 150))[0], "fast", QUICK)


def again(field: Field) -> Field:
    """The same model, nothing encoded."""
    known = field.normalisation, field.config, field.device, field.interpolation, field.provenance
    return Field(field.volume, field.network, *known)


@pytest.mark.parametrize("how", [{"time_scale": 2}, {"time_scale": 2, "scale_z": 2}])
def test_values_do_not_depend_on_how_much_is_computed_at_once(
    field: Field, how: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = np.asarray(again(field).lazy(**how))
    monkeypatch.setattr(kernels, "ready", lambda name: None)
    blocks: list[int] = []
    for module in (boxes, renderer, tiles):
        monkeypatch.setattr(module, "takes_much", lambda device: True)
    whole: Callable[..., np.ndarray] = renderer.Renderer.block

    def counted(self: renderer.Renderer, *arguments: object) -> np.ndarray:
        values = whole(self, *arguments)
        blocks.append(values.size)
        return values

    monkeypatch.setattr(renderer.Renderer, "block", counted)
    made = np.asarray(again(field).lazy(**how))
    assert set(blocks) == {made[0].size}  # a frame is one block
    np.testing.assert_allclose(made, expected, atol=2e-4 * np.ptp(expected))


def test_only_the_cpu_takes_little_at_once() -> None:
    assert [device.takes_much(torch.device(name)) for name in ("cpu", "cuda", "mps")] == [
        False,
        True,
        True,
    ]


def test_arrays_go_to_the_device_and_back() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    there = device.to_device(values, torch.device("cpu"))
    np.testing.assert_array_equal(device.to_host(there * 2), values * 2)
