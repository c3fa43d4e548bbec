"""Groups of options beside those that the configuration declares: one for each registered part."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, create_model

_groups: dict[str, type[BaseModel]] = {}
_Groups: type[BaseModel] = BaseModel


class Options(BaseModel):
    """A group of options: nothing but those declared, and none is changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def add(name: str, options: type[BaseModel]) -> None:
    """Make options, all of which have a default, a group of every configuration from now on."""
    _groups[name] = options
    _changed()


def remove(name: str) -> None:
    """Take a group away again."""
    _groups.pop(name, None)
    _changed()


def added() -> dict[str, type[BaseModel]]:
    """The groups that were added, by name."""
    return dict(_groups)


def checked(values: dict[str, Any]) -> dict[str, BaseModel]:
    """The added groups, from the values given for them.

    Raises
    ------
    pydantic.ValidationError
        For a value that is wrong, or of no group.
    """
    groups = _Groups.model_validate(values)
    return {name: getattr(groups, name) for name in _groups}


def _changed() -> None:
    global _Groups
    fields: dict[str, Any] = {name: (kind, kind()) for name, kind in _groups.items()}
    _Groups = create_model("Config", __base__=Options, **fields)


_changed()
