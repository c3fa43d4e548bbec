"""SpatimeINR: any time point and any voxel size from one 4D fluorescence recording.

``layer or file -> Volume -> fit -> Field -> render -> Volume -> layer or file``, in physical
coordinates, axis order ``(t, z, y, x)``. Names are imported when they are first used: importing
the package alone loads neither torch nor Qt.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .compute.threads import wait_briefly as _wait_briefly

if TYPE_CHECKING:
    from .analysis.evaluate import Report, evaluate
    from .analysis.propagate import carry_labels, carry_nearest_points, carry_points, carry_tracks
    from .config.options import Config, make_config
    from .data.grid import Grid
    from .errors import SpatimeINRError
    from .field import Field, load
    from .fit import FitProgress, fit, fit_steps
    from .phantoms import phantom
    from .render.array import RenderedArray
    from .volume import Volume

__all__ = [
    "Config",
    "Field",
    "FitProgress",
    "Grid",
    "RenderedArray",
    "Report",
    "SpatimeINRError",
    "Volume",
    "__version__",
    "carry_labels",
    "carry_nearest_points",
    "carry_points",
    "carry_tracks",
    "evaluate",
    "fit",
    "fit_steps",
    "load",
    "make_config",
    "phantom",
]

_HOMES = {
    "Config": "config",
    "Field": "field",
    "FitProgress": "fit",
    "Grid": "axes",
    "RenderedArray": "rendered",
    "Report": "evaluate",
    "SpatimeINRError": "errors",
    "Volume": "volume",
    "carry_labels": "carry",
    "carry_nearest_points": "carry",
    "carry_points": "carry",
    "carry_tracks": "carry",
    "evaluate": "evaluate",
    "fit": "fit",
    "fit_steps": "fit",
    "load": "field",
    "make_config": "config",
    "phantom": "phantom",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """The package itself, keeping its functions under their names.

    ``fit``, ``evaluate`` and ``phantom`` are functions and the modules they live in. Python binds
    a submodule in its package when it is imported; here that binding gives the function instead,
    so that ``napari_spatimeinr.fit(...)`` works whatever was imported before. The modules stay
    importable as such: ``from napari_spatimeinr.fit import fit_steps``.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if _HOMES.get(name) == name and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


_wait_briefly()
sys.modules[__name__].__class__ = _Package
