"""What tests/napari/preview/test_indexing.py and tests/napari/preview/test_drawing.py share."""

from __future__ import annotations

from typing import Any

from napari_spatimeinr import Volume
from napari_spatimeinr._napari.layers.preview import PreviewArray
from napari_spatimeinr._napari.layers.scales import Scales


class Wanted:
    def __init__(self) -> None:
        self.keys: list[tuple[Any, bool]] = []

    def __call__(self, picture: Any, key: Any, later: bool = False) -> None:
        self.keys.append((key, later))

    def draw(self, picture: PreviewArray) -> None:
        while self.keys:
            picture.draw(self.keys.pop(0)[0], lambda: False)


def preview(
    recording: Volume, scales: Scales | None = None, axes: str = "tzyx"
) -> tuple[PreviewArray, Wanted]:
    want = Wanted()
    grid = (scales or Scales()).preview(recording.grid)
    return PreviewArray(recording, grid, axes, want), want
