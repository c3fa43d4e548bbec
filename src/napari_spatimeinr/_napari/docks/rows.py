"""Widgets beside and below each other."""

from __future__ import annotations

from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QWidget


def beside(*widgets: QWidget) -> QWidget:
    """One widget that shows several beside each other, without margins."""
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget)
    return box


def below(*rows: tuple[str, QWidget]) -> QWidget:
    """One widget that shows several below each other, each after its name, without margins."""
    box = QWidget()
    form = QFormLayout(box)
    form.setContentsMargins(0, 0, 0, 0)
    form.setVerticalSpacing(4)
    for words, widget in rows:
        form.addRow(words, widget)
    return box
