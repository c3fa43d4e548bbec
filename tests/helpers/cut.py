"""What of a dock is cut, hidden behind its edge, or hard to read."""

from __future__ import annotations

from collections.abc import Iterator

from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QStyle,
    QStyleOptionButton,
    QStyleOptionComboBox,
    QStyleOptionFrame,
    QWidget,
)

EDIT_MARGIN = 2
"""Pixels Qt leaves at each side of a field's text."""


def fields(dock: QWidget) -> list[QLineEdit]:
    """All visible fields for text and numbers, those of spin boxes too."""
    return [field for field in dock.findChildren(QLineEdit) if field.isVisible()]


def missing(field: QLineEdit) -> int:
    """Pixels a field lacks for its text; 0 or less where all of it is seen."""
    option = QStyleOptionFrame()
    option.initFrom(field)
    option.lineWidth = (
        field.style().pixelMetric(QStyle.PixelMetric.PM_DefaultFrameWidth, option, field)
        * field.hasFrame()
    )
    inner = field.style().subElementRect(QStyle.SubElement.SE_LineEditContents, option, field)
    room = inner.width() - 2 * EDIT_MARGIN
    parent = field.parentWidget()
    if isinstance(parent, QAbstractSpinBox):
        # The buttons lie over the field in some styles.
        room = min(room, parent.width() - field.x() - 2 * EDIT_MARGIN)
    return int(field.fontMetrics().horizontalAdvance(field.displayText()) - room)


def problems(dock: QWidget) -> list[str]:
    """One line for everything of a dock that cannot be seen whole without scrolling sideways."""
    window = dock.window()
    found = []
    whole = QRect(dock.mapTo(window, QPoint(0, 0)), dock.size())
    if not window.rect().contains(whole):
        found.append(f"the dock {whole} reaches beyond its window {window.rect()}")
    for widget in [dock, *dock.findChildren(QWidget)]:
        if widget.isVisible() and widget.window() is window:
            found += [f"{_called(widget)}: {words}" for words in _problems(widget)]
    return found


def _problems(widget: QWidget) -> Iterator[str]:
    if isinstance(widget, QAbstractScrollArea) and widget.horizontalScrollBar().maximum() > 0:
        yield f"scrolls sideways by {widget.horizontalScrollBar().maximum()} pixels"
    if isinstance(widget, QScrollArea) and widget.widget().width() > widget.viewport().width():
        yield "is wider than what shows of it"
    parent = widget.parentWidget()
    scrolled = parent is not None and isinstance(parent.parentWidget(), QAbstractScrollArea)
    if (
        parent is not None
        and not scrolled
        and (widget.x() < 0 or widget.x() + widget.width() > parent.width())
    ):
        yield f"reaches beyond {_called(parent)}"
    # What Qt places in a widget of its own (a header, the field of a combo box) does not follow its
    # hint.
    inner = isinstance(widget, QHeaderView) or isinstance(parent, QComboBox | QAbstractSpinBox)
    least = widget.minimumSizeHint()
    if not inner and (least.width() > widget.width() or least.height() > widget.height()):
        yield f"has {widget.size()} but needs {least}"
    wanted, has = _text(widget)
    if wanted > has:
        yield f"its text takes {wanted} pixels of {has}"


def _text(widget: QWidget) -> tuple[int, int]:
    """Pixels of a widget's text, and those it has for it."""
    style, metrics = widget.style(), widget.fontMetrics()
    if isinstance(widget, QLineEdit):
        return missing(widget), 0
    if isinstance(widget, QLabel) and widget.wordWrap():
        inner = widget.contentsRect().adjusted(widget.margin(), 0, -widget.margin(), 0)
        text = metrics.boundingRect(
            QRect(0, 0, inner.width(), 100_000), Qt.TextFlag.TextWordWrap, QLabel.text(widget)
        )
        return (
            (text.width(), inner.width())
            if text.width() > inner.width()
            else (text.height(), inner.height())
        )
    if isinstance(widget, QLabel):
        return metrics.horizontalAdvance(widget.text()), widget.contentsRect().width()
    if isinstance(widget, QPushButton):
        option = QStyleOptionButton()
        widget.initStyleOption(option)
        inner = style.subElementRect(QStyle.SubElement.SE_PushButtonContents, option, widget)
        return metrics.horizontalAdvance(widget.text()), inner.width()
    if isinstance(widget, QCheckBox | QRadioButton):
        return widget.sizeHint().width(), widget.width()
    if isinstance(widget, QComboBox):
        box = QStyleOptionComboBox()
        widget.initStyleOption(box)
        inner = style.subControlRect(
            QStyle.ComplexControl.CC_ComboBox, box, QStyle.SubControl.SC_ComboBoxEditField, widget
        )
        # A long name of a layer is shortened in its middle, and is the tooltip.
        shortened = (
            widget.currentText() in widget.toolTip().splitlines() and len(widget.currentText()) > 30
        )
        return 0 if shortened else metrics.horizontalAdvance(widget.currentText()), inner.width()
    return 0, 0


def _called(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, QAbstractButton | QLabel | QLineEdit) else ""
    return f"{type(widget).__name__} '{text[:40]}'"


def contrast(one: QColor, other: QColor) -> float:
    """Contrast of two colours by WCAG 2.2."""

    def luminance(colour: QColor) -> float:
        parts = (colour.redF(), colour.greenF(), colour.blueF())
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
