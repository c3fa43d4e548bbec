"""Plots as the docks want them: without menus, mouse and buttons, gone with their parent."""

from __future__ import annotations

import pyqtgraph
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMenu


def make_plot(height: int, words: str) -> pyqtgraph.PlotWidget:
    """A plot of a height in pixels, with ``words`` as its tooltip."""
    plot = pyqtgraph.PlotWidget(background=None, enableMenu=False)
    plot.setFixedHeight(height)
    plot.setToolTip(words)
    plot.hideButtons()
    plot.setMouseEnabled(x=False, y=False)
    # pyqtgraph makes its context menu even when it is off, as a window of its own that nobody would delete.
    menu: QMenu = plot.getPlotItem().ctrlMenu
    menu.setParent(plot, Qt.WindowType.Popup)
    for name in ("left", "bottom"):
        plot.getAxis(name).enableAutoSIPrefix(False)
    return plot
