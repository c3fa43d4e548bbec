"""A part of a dock that folds away under its title."""

from __future__ import annotations

from qtpy.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

_FOLDED: dict[str, bool] = {}
"""Which sections were folded in this session, by their names: a dock that is opened again looks as
it did."""

HEADER = (
    "QPushButton, QPushButton:checked { font-weight: bold; text-align: left; background: none;"
    " padding: 1px 0px; }QPushButton:hover { text-decoration: underline; }"
)


def forget_folded() -> None:
    """Sections made from now on start as they do in a new session."""
    _FOLDED.clear()


class Section(QWidget):
    """A title, and widgets that show while it is open.

    Parameters
    ----------
    title : what it says.
    tip : the title's tooltip.
    folded : whether it starts folded, unless it was left otherwise in this session.
    """

    def __init__(self, title: str, *contents: QWidget, tip: str = "", folded: bool = False) -> None:
        super().__init__()
        self._title = title
        self.header = QPushButton()
        self.header.setCheckable(True)
        self.header.setToolTip(f"{tip}\nClick to fold or unfold".strip())
        self.header.setStyleSheet(HEADER)
        self.header.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.content = QWidget()
        inner = QVBoxLayout(self.content)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(4)
        for widget in contents:
            inner.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.header)
        layout.addWidget(self.content)
        self.header.toggled.connect(self._show)
        self.set_open(not _FOLDED.get(title, folded))
        self._show(self.is_open())

    def is_open(self) -> bool:
        """Whether the contents show."""
        return bool(self.header.isChecked())

    def set_open(self, on: bool) -> None:
        """Unfold or fold."""
        self.header.setChecked(on)

    def _show(self, on: bool) -> None:
        _FOLDED[self._title] = not on
        self.header.setText(f"{'▾' if on else '▸'} {self._title}")
        self.content.setVisible(on)
