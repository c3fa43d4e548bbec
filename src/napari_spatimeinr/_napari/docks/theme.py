"""Colours that can be read on the background of napari's theme, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qtpy.QtGui import QColor

TEXT = 4.5
"""Least contrast of text (WCAG 2.2, level AA)."""
SHAPES = 3.0
"""Least contrast of bars and lines."""


@dataclass(frozen=True)
class Colours:
    """What the docks paint with: text, a warning, bars of the fit and of what it is
    compared with.
    """

    background: QColor
    text: QColor
    warning: QColor
    fit: QColor
    other: QColor


def colours(viewer: Any) -> Colours:
    """The colours of the viewer's theme, moved until they stand out from its background."""
    from napari.utils.theme import get_theme

    theme = get_theme(viewer.theme)
    background = _colour(theme.background)
    return Colours(
        background,
        readable(_colour(theme.text), background, TEXT),
        readable(_colour(theme.warning), background, TEXT),
        readable(_colour(theme.current), background, SHAPES),
        readable(_colour(theme.secondary), background, SHAPES),
    )


def contrast(one: QColor, other: QColor) -> float:
    """How much two colours differ in lightness by WCAG 2.2: 1 (alike) to 21 (black and white)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def readable(colour: QColor, background: QColor, least: float) -> QColor:
    """A colour mixed with black or white until its contrast to ``background`` is at least
    ``least``.
    """
    end = max((QColor("black"), QColor("white")), key=lambda c: contrast(c, background))
    for share in range(0, 101, 4):
        mixed = _mixed(colour, end, share / 100)
        if contrast(mixed, background) >= least:
            return mixed
    return end


def _mixed(one: QColor, other: QColor, share: float) -> QColor:
    pairs = ((one.red(), other.red()), (one.green(), other.green()), (one.blue(), other.blue()))
    return QColor(*(round(a + share * (b - a)) for a, b in pairs))


def _luminance(colour: QColor) -> float:
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in (colour.redF(), colour.greenF(), colour.blueF())
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _colour(value: Any) -> QColor:
    return QColor(*value.as_rgb_tuple(alpha=False))
