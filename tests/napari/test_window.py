"""The docks on a small laptop's screen: nothing cut, nothing beyond it, everything readable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dock_states import SCREEN, walk
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QLabel

from cut import contrast, fields, missing, problems
from napari_spatimeinr import Volume
from napari_spatimeinr._napari.docks.fields import NumberField

from .conftest import Wait, add

NUMBERS = ("0.222", "0.15", "1234.5", "1e-05", "1.235e-05", "123456.789", "-0.0123457")


@pytest.fixture
def appearance() -> Any:
    """Theme and font size of napari's preferences, as they were afterwards."""
    from napari.settings import get_settings

    chosen = get_settings().appearance
    before = chosen.theme, chosen.font_size
    yield chosen
    chosen.theme, chosen.font_size = before


Settle = Callable[[Callable[[], list[str]]], list[str]]


@pytest.fixture
def settle(qtbot: Any) -> Settle:
    """What a check finds once the window had time to lay itself out."""

    def found(check: Callable[[], list[str]]) -> list[str]:
        for _ in range(60):
            qtbot.wait(10)
            words = check()
            if not words:
                break
        return words

    return found


def unreadable(dock: Any) -> list[str]:
    """Words and bars of a dock with too little contrast to what is behind them."""
    picture = dock.grab().toImage()
    background = picture.pixelColor(1, picture.height() // 2)
    found = []
    for label in dock.findChildren(QLabel):
        colour = label.palette().color(label.foregroundRole())
        if label.isVisible() and label.isEnabled() and contrast(colour, background) < 4.5:
            found.append(f"'{label.text()}': {contrast(colour, background):.1f}")
    errors = dock.progress_panel.errors if hasattr(dock, "progress_panel") else dock.scores.errors
    if errors.isVisible():
        bars = errors.grab().toImage()
        line = bars.height() / bars.devicePixelRatio() / (len(errors.rows) + 1)
        names = max(errors.fontMetrics().horizontalAdvance(row.name) for row in errors.rows)
        for k, row in enumerate(errors.rows, 1):
            colour = bars.pixelColor(names + 20, round((k + 0.5) * line))
            if contrast(colour, background) < 3:
                found.append(f"the bar of {row.name}: {contrast(colour, background):.1f}")
    return found


def test_no_state_of_the_docks_is_cut_or_beyond_a_small_screen(
    viewer: Any, wait: Wait, settle: Settle, appearance: Any
) -> None:
    """Every state of tools/dock_states.py, in dark; those with colours of ours in light as well."""
    viewer.window.resize(*SCREEN)
    found, seen = [], 0
    for name, docks in walk(viewer, wait):
        seen += 1
        window = docks[0].window()
        in_light = name in ("odd voxels, edit open", "fitted", "quality measured")
        for theme in ("dark", "light") if in_light else ("dark",):
            appearance.theme = theme
            for dock in docks:
                words = settle(lambda dock=dock: [*problems(dock), *unreadable(dock)])
                found += [f"{name}, {theme}: {line}" for line in words]
            if (window.width(), window.height()) != SCREEN:
                found.append(f"{name}: the window has {window.size()}")
            least = window.minimumSizeHint()
            if least.width() > SCREEN[0] or least.height() > SCREEN[1]:
                found.append(f"{name}: the window needs {least}")
    assert seen > 20
    assert not found, "\n".join(found)


def test_warnings_are_readable_in_both_themes(
    viewer: Any, dock: Any, settle: Settle, small: Volume, appearance: Any
) -> None:
    add(viewer, small, scale=(60, 0.1, 0.5, 0.5))
    assert "smaller than the pixel" in dock.source_panel.questions.text()
    assert dock.source_panel.questions.isVisible()
    colours = set()
    for theme in ("light", "dark"):
        appearance.theme = theme
        assert not settle(lambda: unreadable(dock))
        colours.add(dock.source_panel.questions.palette().windowText().color().name())
    assert len(colours) == 2, "they follow the theme"


def test_no_digit_is_cut_at_any_font_size_and_dock_width(
    viewer: Any, dock: Any, settle: Settle, small: Volume, appearance: Any
) -> None:
    viewer.window.resize(*SCREEN)
    add(viewer, small)
    dock.source_panel.edit.setChecked(True)
    dock.method_panel.more.set_open(True)
    holder, found = _holder(dock), []
    for size, width in ((7, 100), (9, 450), (14, 100), (20, 100), (20, 700), (9, 100)):
        appearance.font_size = size
        dock.window().resizeDocks([holder], [width], Qt.Orientation.Horizontal)
        for number in NUMBERS:
            for field in fields(dock):
                if isinstance(field, NumberField):
                    field.setText(number)
            dock.source_panel.voxel.setText(f"{number}, {number}, {number}")
            dock.method_panel.seed.setValue(2**31 - 1)
            dock.method_panel.budget.setValue(123456.78)
            cut = settle(
                lambda: [f"{f.text()} lacks {missing(f)}" for f in fields(dock) if missing(f) > 0]
            )
            found += [f"{words} in {width} with font {size}" for words in cut]
        assert dock.width() <= SCREEN[0]
    assert not found
    assert {
        dock.scales_panel.dt,
        dock.source_panel.interval,
        dock.method_panel.seed.lineEdit(),
    } <= set(fields(dock))


def _holder(widget: Any) -> QDockWidget:
    while not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget


def test_large_recordings_are_described_whole(viewer: Any, dock: Any, settle: Settle) -> None:
    class Large:
        shape, dtype, ndim, size = (1000, 300, 12345, 12345), np.dtype("uint16"), 4, 2

        def __getitem__(self, key: Any) -> Any:
            return np.zeros(
                [len(range(*k.indices(n))) for k, n in zip(key, self.shape, strict=False)],
                np.uint16,
            )

    viewer.window.resize(*SCREEN)
    viewer.add_image(
        Large(),
        name="large",
        multiscale=False,
        contrast_limits=(0, 1),
        scale=(0.222, 0.15, 0.0667, 0.0667),
        units=("s", "um", "um", "um"),
    )
    assert "1000 x 300 x 12345 x 12345" in dock.source_panel.summary.text()
    assert not settle(lambda: problems(dock))


def test_the_second_dock_comes_as_a_tab_in_front_and_what_was_folded_stays_folded(
    viewer: Any, dock: Any, wait: Wait
) -> None:
    section = dock.scales_panel.parentWidget().parentWidget()
    assert dock.scales_panel.isVisible()
    section.header.click()
    assert not dock.scales_panel.isVisible()
    assert dock.source_panel.isVisible()
    _, quality = viewer.window.add_plugin_dock_widget("napari-spatimeinr", "SpatimeINR Quality")
    wait(lambda: _holder(quality) in dock.window().tabifiedDockWidgets(_holder(dock)))
    wait(lambda: not quality.visibleRegion().isEmpty())
    assert dock.visibleRegion().isEmpty()
    viewer.window.remove_dock_widget(dock)
    _, again = viewer.window.add_plugin_dock_widget("napari-spatimeinr", "SpatimeINR")
    wait(lambda: not again.source_panel.visibleRegion().isEmpty())
    assert again is not dock
    assert not again.scales_panel.isVisible()
    assert _holder(again) in again.window().tabifiedDockWidgets(_holder(quality))


def test_sliders_say_what_they_do(dock: Any, viewer: Any, small: Volume) -> None:
    add(viewer, small)
    panel = dock.scales_panel

    def said() -> list[str]:
        return [f"{row.name.text()} {row.factor.text()} {row.words.text()}" for row in panel.rows]

    panel.time.setValue(2.5)
    panel.z.setValue(2)
    assert said() == ["time: 2.5 x more frames", "z: 2 x finer", "y, x: 1 x, as recorded"]
    panel.rows[2].factor.setText("0.5")
    panel.rows[2].factor.editingFinished.emit()
    assert panel.yx.value() == 0.5
    assert said()[2] == "y, x: 0.5 x as fine"
    panel.isotropic.setChecked(True)
    assert said()[1] == "z: 1 x, as recorded"
    assert panel.dz.text() == "0.5"
