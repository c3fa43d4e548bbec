"""Facts: typed attributes that are also the dictionary which files and scripts know."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr, StrictFloat, StrictInt

from ..data.plain import plain
from . import former

Number = StrictInt | StrictFloat
"""A number as it was given: a whole one stays whole."""


class Facts(BaseModel, MutableMapping[str, Any]):
    """Named facts, as attributes and as a dictionary of those that were set, in that order.

    What was never set has its default as an attribute and is no key. Keys that are no attribute of
    the class are kept as they are; former names of parts mean those of now.
    """

    model_config = ConfigDict(extra="allow", validate_assignment=True)

    _order: tuple[str, ...] = PrivateAttr(())

    def __init__(self, /, **said: Any) -> None:
        said = former.keys(said)
        super().__init__(**said)
        self._order = tuple(said)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if not name.startswith("_") and name not in self._order:
            self._order += (name,)

    def __getitem__(self, key: str) -> Any:
        name = former.PARTS.get(key, key)
        if name not in self._names():
            raise KeyError(key)
        return getattr(self, name) if name in type(self).model_fields else self._others()[name]

    def __setitem__(self, key: str, value: Any) -> None:
        if key.startswith("_"):
            raise KeyError(f"{key}: names of facts do not begin with an underscore")
        setattr(self, former.PARTS.get(key, key), value)

    def __delitem__(self, key: str) -> None:
        name = former.PARTS.get(key, key)
        if name not in self._names():
            raise KeyError(key)
        if name in type(self).model_fields:
            self.__dict__[name] = self._default(name)
            self.model_fields_set.discard(name)
        else:
            del self._others()[name]
        self._order = tuple(other for other in self._order if other != name)

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]  # keys, as of a dictionary
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __eq__(self, other: object) -> bool:
        return dict(self) == dict(other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __or__(self, other: Mapping[str, Any]) -> Self:
        """A copy with what another says; what is nested is shared, as in a dictionary's."""
        out = copy.copy(self)
        out.update(other)
        return out

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        """A dictionary with what another says, and what these facts say in place of it."""
        return {**other, **self}

    def __ior__(self, other: Mapping[str, Any]) -> Self:
        self.update(other)
        return self

    def copy(self) -> Self:  # type: ignore[override]  # as of a dictionary
        """Another with the same facts; what is nested is shared."""
        return copy.copy(self)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """What a key says, set before if it said nothing: the very object that is kept."""
        if key not in self:
            self[key] = default
        return self[key]

    def to_dict(self) -> dict[str, Any]:
        """What was set, in that order, as JSON values; changing them changes nothing here."""
        return {key: plain(value, finite=False) for key, value in self.items()}

    def _names(self) -> list[str]:
        """What was set, and what was put into a default since (a warning into no warnings)."""
        filled = (
            name
            for name in type(self).model_fields
            if name not in self._order and getattr(self, name) != self._default(name)
        )
        return [*self._order, *filled]

    def _others(self) -> dict[str, Any]:
        return self.__pydantic_extra__ or {}

    def _default(self, name: str) -> Any:
        return type(self).model_fields[name].get_default(call_default_factory=True)
