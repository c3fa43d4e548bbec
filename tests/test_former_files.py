"""Model files that earlier versions wrote open, render the same, and are saved as those of now."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_spatimeinr import checkpoint, load
from napari_spatimeinr.checkpoint import read_header

pytestmark = pytest.mark.usefixtures("one_thread")

FORMAT_1 = Path(__file__).parent / "data" / "format1.spatimeinr"
"""Fitted by version 0.1.0 before parts had their names of now: all four of them, without gates."""
RENDERED = FORMAT_1.with_suffix(".npy")
"""Its planes 1, 3, ... between the frames 1 and 2, at twice the planes and 1.5 times the voxels."""


def rendering(path: Path) -> np.ndarray:
    return load(path, device="cpu").render(time_scale=2, scale_z=2, scale_yx=1.5).data[3, 1::2]


def test_a_file_of_format_1_opens_with_all_its_parts() -> None:
    field = load(FORMAT_1, device="cpu")
    assert list(field.network.parts) == ["motion", "latents", "planes", "voxels"]
    chosen = field.provenance["chosen"]
    assert [name for name, on in chosen.items() if on is True] == list(field.network.parts)
    assert field.config.planes.steps == field.config.voxels.steps == 6


def test_a_file_of_format_1_renders_the_same() -> None:
    assert np.allclose(rendering(FORMAT_1), np.load(RENDERED), rtol=0, atol=1e-3)


def test_a_file_of_format_1_is_saved_as_one_of_now(tmp_path: Path) -> None:
    path = load(FORMAT_1, device="cpu").save(tmp_path / "again.spatimeinr")
    assert read_header(path)["format"] == checkpoint.FORMAT
    assert set(checkpoint.read(path)[1]) == set(checkpoint.read(FORMAT_1)[1])
    assert np.array_equal(rendering(path), rendering(FORMAT_1))
