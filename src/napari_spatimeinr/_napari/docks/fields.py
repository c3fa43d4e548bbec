"""Small widgets that never cut what they say: wrapped words, fields as wide as their numbers, a
scroll area.
"""

from __future__ import annotations

import re
from typing import Any

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QLabel,
    QLineEdit,
    QScrollArea,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)

BREAK = "\u200b"
"""A space without width: words may be broken there."""
TOGETHER = "\u00a0"
"""A space at which words are not broken."""
LONGEST_WORD = 14
"""Characters that are not broken where they are not separated."""
SPARE = 4
"""Pixels beside a number, for the cursor."""


class Words(QLabel):
    """Sentences, wrapped to whatever width there is; long names of files are broken as well.

    Takes no room while it says nothing.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)

    def setText(self, text: str | None) -> None:
        super().setText(re.sub(rf"\S{{{LONGEST_WORD},}}", _broken, text or ""))
        if self.parent() is not None:
            self.setVisible(bool(text))

    def text(self) -> str:
        return str(super().text()).replace(BREAK, "").replace(TOGETHER, " ")

    def event(self, event: QEvent | None) -> bool:
        """Show or hide once it is clear where."""
        placed = event is not None and event.type() == QEvent.Type.ParentChange
        if placed and self.parent() is not None:
            self.setVisible(bool(self.text()))
        return bool(super().event(event))


def _broken(word: re.Match[str]) -> str:
    separated = re.sub(r"([/\\_.,;:\-])(?=.)", rf"\1{BREAK}", word.group())
    pieces = re.split(BREAK, separated)
    cut = (
        piece[i : i + LONGEST_WORD] for piece in pieces for i in range(0, len(piece), LONGEST_WORD)
    )
    return BREAK.join(cut)


class NumberField(QLineEdit):
    """A field that is as wide as the text in it, in any font, and never narrower than ``room``."""

    def __init__(self, words: str, room: str = "00.00", most: int = 24) -> None:
        super().__init__()
        self._room = room
        self.setToolTip(words)
        self.setMaxLength(most)
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        self.textChanged.connect(lambda _: self.updateGeometry())

    def sizeHint(self) -> QSize:
        usual = super().sizeHint()
        # Qt's own hint has room for 17 letters x; the rest of it is the frame of this style.
        frame = usual.width() - 17 * self.fontMetrics().horizontalAdvance("x")
        text = max(self.fontMetrics().horizontalAdvance(text) for text in (self.text(), self._room))
        return QSize(text + frame + SPARE, usual.height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


class OneOf(QLabel):
    """A label that is as wide as the longest of the words it may show: what stands beside it stays
    where it is.
    """

    def __init__(self, *words: str) -> None:
        super().__init__(words[0])
        self._all = words

    def sizeHint(self) -> QSize:
        longest = max(map(self.fontMetrics().horizontalAdvance, self._all))
        return QSize(longest + 2 * SPARE, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


class _Roomy(QObject):
    """Keeps a spin box wide enough for its text: napari's style gives it less than its buttons
    leave.
    """

    def __init__(self, box: QAbstractSpinBox) -> None:
        super().__init__(box)
        edit = box.lineEdit()
        assert edit is not None
        self._box, self._edit = box, edit
        edit.textChanged.connect(self.widen)
        box.installEventFilter(self)
        self.widen()

    def widen(self) -> None:
        text = self._box.fontMetrics().horizontalAdvance(self._edit.text())
        # The buttons of napari's style, one at each side.
        wanted = text + 2 * BUTTON + 2 * SPARE
        if self._box.minimumWidth() != wanted:
            self._box.setMinimumWidth(wanted)

    def eventFilter(self, box: QObject | None, event: QEvent | None) -> bool:
        if event is not None and event.type() in (
            QEvent.Type.FontChange,
            QEvent.Type.StyleChange,
            QEvent.Type.Show,
        ):
            self.widen()
        return False


BUTTON = 22
"""Width of a spin box's button in napari's style, pixels, and of the gap beside it."""


def roomy(box: QAbstractSpinBox) -> None:
    """Keep a spin box as wide as its number from now on."""
    _Roomy(box)


class Choice(QComboBox):
    """A combo box that may be narrower than its longest entry; the chosen one is its
    tooltip then.
    """

    def __init__(self, words: str, shortest: int = 10) -> None:
        super().__init__()
        self._words = words
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(shortest)
        self.currentTextChanged.connect(self._on_text)
        self._on_text("")

    def paintEvent(self, event: object) -> None:
        """Leave out the middle of what is too long, and show that; Qt cuts its end off."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        style = self.style()
        assert style is not None
        room = style.subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        option.currentText = self.fontMetrics().elidedText(
            self.currentText(), Qt.TextElideMode.ElideMiddle, room.width() - SPARE
        )
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()

    def _on_text(self, text: str) -> None:
        self.setToolTip(f"{self._words}\n{text}" if text else self._words)


class Upright(QScrollArea):
    """Scrolls up and down only: it is never narrower than what is in it."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        self.setWidget(content)
        self._content = content

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._width(self._content.minimumSizeHint().width()), 60)

    def sizeHint(self) -> QSize:
        hint = self._content.sizeHint()
        return QSize(self._width(hint.width()), hint.height())

    def _width(self, content: int) -> int:
        style, bar = self.style(), self.verticalScrollBar()
        assert style is not None
        assert bar is not None
        usual = style.pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent, None, bar)
        return content + max(usual, bar.sizeHint().width()) + 2 * self.frameWidth() + 2
