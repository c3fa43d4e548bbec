"""SpatimeINR: any time point and any voxel size from one 4D fluorescence recording.

``layer or file -> Volume -> fit -> Field -> render -> Volume -> layer or file``, in physical
coordinates, axis order ``(t, z, y, x)``. Names are imported when they are first used: importing
the package alone loads neither torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .compute.threads import wait_briefly as _wait_briefly

if TYPE_CHECKING:
    from .analysis.evaluate import evaluate
    from .analysis.propagate import (
        propagate_labels,
        propagate_nearest_points,
        propagate_points,
        propagate_tracks,
    )
    from .analysis.propagate import (
        propagate_labels as carry_labels,
    )
    from .analysis.propagate import (
        propagate_nearest_points as carry_nearest_points,
    )
    from .analysis.propagate import (
        propagate_points as carry_points,
    )
    from .analysis.propagate import (
        propagate_tracks as carry_tracks,
    )
    from .analysis.report import Report
    from .config.options import Config, make_config
    from .data.grid import Grid
    from .embryo.phantom import embryo_phantom
    from .errors import SpatimeINRError
    from .field import Field
    from .fitting import FitProgress, FitRun, fit, fit_run, fit_steps, load
    from .phantoms import phantom
    from .render.array import RenderedArray
    from .volume import Volume

__all__ = [
    "Config",
    "Field",
    "FitProgress",
    "FitRun",
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
    "embryo_phantom",
    "evaluate",
    "fit",
    "fit_run",
    "fit_steps",
    "load",
    "make_config",
    "phantom",
    "propagate_labels",
    "propagate_nearest_points",
    "propagate_points",
    "propagate_tracks",
]

_HOMES = {
    "Config": "config.options",
    "Field": "field",
    "FitProgress": "fitting",
    "FitRun": "fitting",
    "Grid": "data.grid",
    "RenderedArray": "render.array",
    "Report": "analysis.report",
    "SpatimeINRError": "errors",
    "Volume": "volume",
    "embryo_phantom": "embryo.phantom",
    "evaluate": "analysis.evaluate",
    "fit": "fitting",
    "fit_run": "fitting",
    "fit_steps": "fitting",
    "load": "fitting",
    "make_config": "config.options",
    "phantom": "phantoms",
    "propagate_labels": "analysis.propagate",
    "propagate_nearest_points": "analysis.propagate",
    "propagate_points": "analysis.propagate",
    "propagate_tracks": "analysis.propagate",
}


_FORMER = {name.replace("propagate", "carry"): name for name in _HOMES if "propagate" in name}
"""Names of earlier versions, which go on for a release."""


def __getattr__(name: str) -> Any:
    now = _FORMER.get(name, name)
    if now not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[now]}", __name__), now)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


_wait_briefly()
