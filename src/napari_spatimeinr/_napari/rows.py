"""Widgets in a row."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QWidget


def beside(*widgets: QWidget) -> QWidget:
    """One widget that shows several beside each other, without margins."""
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget)
    return box
