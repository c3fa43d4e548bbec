"""Every option of a fit as a widget, generated from the configuration's own models."""

from __future__ import annotations

from typing import Any, Literal, get_origin

from magicgui.widgets import create_widget
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from qtpy.QtWidgets import QAbstractSpinBox, QFormLayout, QGroupBox, QLineEdit, QVBoxLayout, QWidget

from ...config import groups
from ...config.options import Config, make_config
from ...errors import ConfigError
from ...training.parts import STAGES
from .fields import NumberField, Words, roomy

HIDDEN = ("preset", "published")
"""What has a widget of its own elsewhere, and the published options, which have a file."""
PUBLISHED_NOTE = (
    "The published method has its own options: print them with 'spatimeinr config published', "
    "and fit with the changed file by 'spatimeinr fit --config'."
)


class OptionsForm(QWidget):
    """A form of all options; :meth:`config` gives what was entered, checked."""

    def __init__(self) -> None:
        super().__init__()
        self.editors: dict[tuple[str, ...], Any] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.note = Words(PUBLISHED_NOTE)
        layout.addWidget(self.note)
        self._boxes: dict[str, QGroupBox] = {}
        self._add(layout, "general", Config, ())
        for name, options in groups.added().items():
            self._add(layout, name, options, (name,))
        self._preset = "balanced"
        self.set_preset(self._preset)

    def _add(
        self, layout: QVBoxLayout, title: str, model: type[BaseModel], path: tuple[str, ...]
    ) -> None:
        box = self._boxes[title] = QGroupBox(title)
        form = QFormLayout(box)
        inner = []
        for name, info in model.model_fields.items():
            if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
                inner.append((name, info.annotation))
            elif name not in HIDDEN:
                editor = _editor(info)
                self.editors[(*path, name)] = editor
                native = editor if isinstance(editor, QWidget) else editor.native
                if isinstance(native, QAbstractSpinBox):
                    roomy(native)
                native.setToolTip(info.description or name.replace("_", " "))
                form.addRow(name.replace("_", " "), native)
        layout.addWidget(box)
        for name, annotation in inner:
            self._add(layout, name, annotation, (*path, name))

    def set_preset(self, preset: str) -> None:
        """Show the values of a preset."""
        self._preset = preset
        published = preset == "published"
        self.note.setVisible(published)
        for name in STAGES:  # parts that the published method does not have
            self._boxes[name].setVisible(not published)
        values = make_config(preset).model_dump()
        for path, editor in self.editors.items():
            value: Any = values
            for key in path:
                value = value[key]
            if isinstance(editor, QLineEdit):
                editor.setText("" if value is None else ", ".join(f"{v:g}" for v in value))
            else:
                editor.value = value

    def config(self) -> Config:
        """What was entered.

        Raises
        ------
        ConfigError
            If a value is out of range or no number.
        """
        changes: dict[str, Any] = {}
        for path, editor in self.editors.items():
            node = changes
            for key in path[:-1]:
                node = node.setdefault(key, {})
            node[path[-1]] = (
                _numbers(editor.text(), path) if isinstance(editor, QLineEdit) else editor.value
            )
        return make_config(self._preset, changes)


def _editor(info: FieldInfo) -> Any:
    if info.annotation in (bool, int, float) or get_origin(info.annotation) is Literal:
        options: dict[str, Any] = {}
        if info.annotation in (int, float):
            for limit in info.metadata:
                low, high = (
                    getattr(limit, "ge", getattr(limit, "gt", None)),
                    getattr(limit, "le", None),
                )
                if low is not None:
                    options["min"] = low
                if high is not None:
                    options["max"] = high
            options.setdefault("max", 2_000_000_000 if info.annotation is int else 1e6)
            options.setdefault("min", 0)
            options["step"] = 1 if info.annotation is int else 0.001
        return create_widget(annotation=info.annotation, options=options)
    return NumberField("", most=60)


def _numbers(text: str, path: tuple[str, ...]) -> list[float] | None:
    if not text.strip():
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"The option {'.'.join(path)} needs numbers separated by commas, got {text!r}."
        ) from None
