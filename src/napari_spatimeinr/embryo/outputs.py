"""What a journey leaves, and where; how far an earlier one came."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.grid import Grid
from ..errors import FormatError, InputError
from ..io import replacing
from ..training.normalisation import fingerprint
from .finer import Finer
from .guidata.layout import is_embryo
from .masks import stem
from .recording import Embryo
from .sentences import listed
from .times import TimePoint, width
from .volumes import ENDING

WORDS = {
    "embryo": "the embryo",
    "recording": "the recording or its calibration",
    "tracing": "the tracing or how its slices are counted",
    "time_scale": "the time scale",
    "grid": "the voxels",
    "fit": "the fit",
}
"""What may differ from an earlier journey."""


class Places:
    """Where everything goes.

    Parameters
    ----------
    folder : of all results but the volumes.
    volumes : folder of the membranes, a NIfTI a time point.
    embryo : its name.
    points : the time points.
    """

    def __init__(
        self, folder: Path, volumes: Path, embryo: str, points: Sequence[TimePoint]
    ) -> None:
        self.folder, self.volumes, self.embryo = folder, volumes, embryo
        self.result, self.gui = folder / "result", folder / "GUIData"
        self.model = folder / f"{embryo}.spatimeinr"
        self.state = folder / "run.json"
        self.times = folder / "times.csv"
        self.cells = folder / f"{embryo}_cells.csv"
        self.divisions = folder / f"{embryo}_divisions.csv"
        self.picture = folder / f"{embryo}_volumes.png"
        self.flip = folder / f"{embryo}_flip.png"
        self._points, self._width = points, width(points)

    def stem(self, point: TimePoint) -> str:
        """How the names of a time point's files begin."""
        return stem(self.embryo, point.number, self._width)

    def volume(self, point: TimePoint) -> Path:
        """Its membranes."""
        return self.volumes / f"{self.stem(point)}{ENDING}"

    def labels(self, point: TimePoint) -> Path:
        """All of its cells; written after the masks of each."""
        return self.result / f"{self.stem(point)}{ENDING}"

    def are_there(self, point: TimePoint) -> bool:
        """Whether the files of a time point are."""
        masks = self.result / self.stem(point)
        return self.volume(point).is_file() and self.labels(point).is_file() and masks.is_dir()

    @property
    def complete(self) -> bool:
        """Whether an earlier journey came to its end; the folder of the GUI is its last step."""
        return is_embryo(self.gui / self.embryo) and self.times.is_file() and self.cells.is_file()

    def check_free(self) -> None:
        """Refuse to replace what an earlier journey, or something else, has left.

        Raises
        ------
        InputError
            If a file that would be written is there, or labels would go where volumes go.
        """
        files = [self.gui / self.embryo, self.times]
        for point in self._points:
            files += [self.volume(point), self.labels(point), self.result / self.stem(point)]
        there = [path for path in files if path.exists()]
        if there:
            raise InputError(
                f"{there[0]} is there already, and not of a run that could be gone on with; choose"
                " another folder, or move it away."
            )

    def check_apart(self) -> None:
        """Refuse one folder for volumes and labels, whose names are the same."""
        if self.volumes.resolve() == self.result.resolve():
            raise InputError(
                f"{self.volumes} is where labels go under the same names; give the volumes another"
                " folder."
            )


class State:
    """How far a journey is: ``run.json``.

    Parameters
    ----------
    places : of its files.
    settings : see :func:`settings_of`; what a journey is told by.
    unseen : whether a time point is done only if it is known what was unseen of its cells.

    Attributes
    ----------
    seconds : that each time point took, by number.
    unseen : share of the border of each cell that nobody saw, by number, where that was asked for.
    fit_seconds : of all tries at the fit together.
    slices : the folder they go to, noted before they are written.
    """

    def __init__(self, places: Places, settings: dict[str, Any], unseen: bool = False) -> None:
        self._places, self.settings, self._wants_unseen = places, settings, unseen
        self.seconds: dict[int, float] = {}
        self.unseen: dict[int, dict[str, float]] = {}
        self.fit_seconds: float | None = None
        self.slices: str | None = None
        path = places.state
        if not path.exists():
            places.check_free()
            return
        kept = _read(path)
        if odd := [word for key, word in WORDS.items() if kept[key] != settings[key]]:
            raise InputError(
                f"{places.folder} holds a run that differs in {listed(odd)}; choose another folder"
                f" (with --model {places.model} a fit of the same recording is used again), or move"
                " it away."
            )
        self.fit_seconds = kept.get("fit_seconds")
        self.seconds = {int(number): float(s) for number, s in kept["seconds"].items()}
        self.unseen = {int(number): shares for number, shares in kept.get("unseen", {}).items()}
        self.slices = kept.get("slices")

    def is_done(self, point: TimePoint) -> bool:
        """Whether a time point has been made, and its files are there."""
        known = not self._wants_unseen or point.number in self.unseen
        return point.number in self.seconds and known and self._places.are_there(point)

    def done(
        self, point: TimePoint, seconds: float, unseen: Mapping[str, float] | None = None
    ) -> None:
        """Note that a time point was made."""
        self.seconds[point.number] = round(seconds, 3)
        if unseen is not None:
            self.unseen[point.number] = dict(unseen)
        self.write()

    def check_slices(self, finer: Finer, raw: Path) -> None:
        """Refuse a folder of slices that is not free, unless this journey has begun to fill it.

        Parameters
        ----------
        raw : the folder of the raw slices.
        """
        finer.check_apart(raw)
        if self.slices != str(finer.folder.resolve()):
            finer.check_free()

    def begin_slices(self, finer: Finer) -> None:
        """Note where slices go, before anything is there."""
        self.slices = str(finer.folder.resolve())
        self.write()

    def write(self) -> None:
        """Write the file, whole or not at all."""
        note = {**self.settings, "fit_seconds": self.fit_seconds, "seconds": self.seconds}
        if self.unseen:
            note["unseen"] = self.unseen
        if self.slices is not None:
            note["slices"] = self.slices
        with replacing(self._places.state) as temporary:
            temporary.write_text(json.dumps(note, indent=1), encoding="utf-8")


def settings_of(
    embryo: Embryo, grid: Grid, time_scale: float | None, fit: Mapping[str, Any]
) -> dict[str, Any]:
    """What two journeys must have in common for one to go on where the other stopped; JSON values.

    Parameters
    ----------
    fit : what tells a fit from another.
    """
    clock = [round(float(t), 6) for t in embryo.record.grid.coordinates(0)]
    rows = [
        [name, life.frames.tolist(), life.positions.round(6).tolist()]
        for name, life in embryo.lineage.lives.items()
    ]
    return {
        "embryo": embryo.name,
        "recording": [fingerprint(embryo.record.data), *embryo.calibration.spacing, clock],
        "tracing": hashlib.sha256(json.dumps(rows).encode()).hexdigest(),
        "time_scale": time_scale,
        "grid": [list(grid.shape), [round(s, 9) for s in grid.spacing]],
        "fit": dict(fit),
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if not WORDS.keys() <= kept.keys() or not isinstance(kept["seconds"], dict):
            raise ValueError
    except (OSError, ValueError, AttributeError) as error:
        raise FormatError(
            f"{path} cannot be read, so that nothing can be gone on with; choose another folder."
        ) from error
    return kept
