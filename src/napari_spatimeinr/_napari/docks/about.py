"""What the words in a dock are about."""

from __future__ import annotations

from typing import Any

from ..layers.source import Source


class About:
    """Remembers which recording something was said about."""

    def __init__(self) -> None:
        self._key: tuple[Any, ...] = ()

    def changed(self, layer: Any, source: Source | None) -> bool:
        """Whether it is another layer now, or the same with other voxels, axes or calibration."""
        key: tuple[Any, ...] = (id(layer),)
        if source is not None:
            key += (id(source.raw), source.axes, source.volume.spacing, source.volume.units)
        before, self._key = self._key, key
        return key != before
