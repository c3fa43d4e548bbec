"""From a run file to named, segmented, measured cells at any time: the whole journey.

One generator does it, for the command and the dock: :func:`journey`. What is done stays; the same
journey into the same folder goes on where it was stopped, however that was.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..analysis.demo import can_draw
from ..data.grid import Grid
from ..data.record import Record
from ..errors import GridError, InputError
from ..field import Field
from ..io import replacing
from ..io.atomic import check_free, in_a_sentence
from ..io.locks import alone
from . import dictionary, flip, guidata
from .finer import Finer, finer_steps
from .fitted import Plan, Progress, carry_of, fitted_model, given_model
from .guidata import GuiWriter
from .lineage import DIGITS
from .masks import write_masks
from .outputs import Places, State, settings_of
from .recording import Embryo
from .segment import Segmentation, segment
from .table import draw_volumes, rows, write_table
from .times import TimePoint, time_points, write_divisions, write_times
from .volumes import Series, Triple, read_volume, write_volume

__all__ = ["SLICES", "Outcome", "Plan", "Progress", "journey"]

SLICES = "slices"
"""The stage in which these are written."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a journey came to.

    Parameters
    ----------
    places : of all files.
    points : the time points.
    fit_seconds : it took; None where a model was given.
    seconds : that each time point took, by number; of earlier tries too.
    made : how many time points were made by this one.
    said : all sentences.
    slices : the run file of the membranes as slices; None where they were not asked for.
    """

    places: Places
    points: tuple[TimePoint, ...]
    fit_seconds: float | None
    seconds: dict[int, float]
    made: int
    said: tuple[str, ...]
    slices: Path | None = None

    @property
    def seconds_per_time_point(self) -> float:
        """The mean."""
        return float(np.mean([*self.seconds.values()]))


def journey(embryo: Embryo, plan: Plan) -> Generator[Progress, None, Outcome]:
    """Fit the membranes, and for each time point render, segment, measure and write.

    Closing the generator, or a kill, leaves whole time points and the model; the same journey goes
    on from there. ``GUIData/<embryo>`` and the tables are there once all of it is.

    Parameters
    ----------
    embryo : of :func:`.open_embryo`.
    plan : what to make, and where.

    Raises
    ------
    InputError
        If the folder holds another run, the model is of another recording, slices would go among
        the raw ones, or a cell's name cannot be one of a file; nothing is written then.
    SaveError
        If another process is at it, slices are there already, or something cannot be written.
    ConfigError, GridError, DeviceError, FitError, OutOfMemoryError
        See :func:`napari_spatimeinr.fit`.
    """
    scale = 1.0 if plan.time_scale is None else plan.time_scale
    grid = embryo.data_grid.refine(time_scale=scale)
    points = time_points(embryo, grid, plan.time_scale is not None)
    places = Places(plan.folder, plan.volumes, dictionary.checked_name(embryo.name), points)
    places.check_apart()
    given, identity = given_model(embryo, plan)
    names = _names(embryo, places)
    state = State(places, settings_of(embryo, grid, plan.time_scale, identity), plan.unseen)
    finer = None if plan.slices is None else Finer(plan.slices, places.embryo)
    if finer is not None:
        state.check_slices(finer, embryo.run.slices())
    _make_folders(places, finer)
    with in_a_sentence(plan.folder), alone(plan.folder / embryo.name, named=plan.folder):
        state.write()
        said, made = list(_flip(embryo, places)), 0
        yield Progress("nuclei and membranes", 1, 1, said=tuple(said))
        done = places.complete and all(map(state.is_done, points))
        sliced = finer is None or finer.complete
        if not (done and sliced):
            field = yield from fitted_model(embryo, plan, given, places, state)
            yield Progress("the model", 1, 1)
        if not done:
            maker = _Maker(embryo, grid, field, places, names, state, plan)
            yield from maker.all_of(points)
            said, made = said + maker.said, maker.made
        if finer is not None and not sliced:
            state.begin_slices(finer)
            rendered = Record(Series([places.volume(point) for point in points]), grid)
            for k in finer_steps(finer, embryo, rendered, carry_of(field, embryo.dt)):
                yield Progress(SLICES, k, len(points))
            said += _uneven(finer, grid)
    if not can_draw():
        said.append("Pictures are left out; for them, pip install matplotlib.")
    seconds = {point.number: state.seconds[point.number] for point in points}
    run_file = None if finer is None else finer.run_file
    return Outcome(places, points, state.fit_seconds, seconds, made, tuple(said), run_file)


def _make_folders(places: Places, finer: Finer | None) -> None:
    """Make what files go into, so that what cannot be written to is found before the fit."""
    more = [] if finer is None else [finer.folder]
    for folder in (places.folder, places.volumes, places.result, places.gui, *more):
        with in_a_sentence(folder):
            folder.mkdir(parents=True, exist_ok=True)
    if finer is not None:
        check_free(finer.run_file)


def _uneven(finer: Finer, grid: Grid) -> list[str]:
    """What a run file cannot tell."""
    if grid.times is None:
        return []
    return [
        f"{finer.run_file} states one interval while those of the recording differ: its time points"
        " are right in their order only, times.csv has their times."
    ]


def _names(embryo: Embryo, places: Places) -> dict[str, int]:
    """Labels of all cells, those of an earlier dictionary as they are.

    Raises
    ------
    InputError
        If the files of two cells would be one where case does not count.
    """
    alike: dict[str, str] = {}
    for name in embryo.lineage.names:
        if (other := alike.setdefault(name.casefold(), name)) != name:
            raise InputError(
                f"The cells {other} and {name} differ only in small and capital letters, and their"
                " files would be one on some systems; rename one in the tracing."
            )
    path = places.gui / dictionary.FILE
    return dictionary.extended(dictionary.read(path) if path.exists() else {}, embryo.lineage.names)


def _flip(embryo: Embryo, places: Places) -> list[str]:
    """Which end slices are counted from: what the brightness says, and a picture."""
    if not embryo.lineage.names_at(embryo.raw.frames[-1]):
        return []
    view = embryo.flip()
    if can_draw():
        with replacing(places.flip) as temporary:
            flip.draw(temporary, view, f"{embryo.name}: which way do nuclei lie inside of cells?")
    return [view.sentence(embryo.raw.z_flip)]


class _Maker:
    """Makes the files of time points, one after the other, and the tables of all."""

    def __init__(
        self,
        embryo: Embryo,
        grid: Grid,
        field: Field,
        places: Places,
        names: Mapping[str, int],
        state: State,
        plan: Plan,
    ) -> None:
        self._corrected = {round(when, DIGITS): one for when, one in plan.corrected.items()}
        self._embryo, self._places, self._names, self._state = embryo, places, names, state
        self._rendered = field.on_grid(grid, "source")
        self._spacing: Triple = grid.spacing[1:]
        self._origin: Triple = grid.origin[1:]
        self._carry = carry_of(field, embryo.dt)
        self.made = 0
        self.said: list[str] = []
        self._wants_unseen, self._unsure = plan.unseen, None
        if plan.unseen:
            try:
                self._unsure = field.on_grid(grid, what="confidence")
            except GridError:  # nothing was held out
                self.said.append(
                    "The model has no confidence: which borders nobody saw is told by the membranes"
                    " alone."
                )

    def all_of(self, points: Sequence[TimePoint]) -> Generator[Progress, None, None]:
        """Make the time points that are not there yet, give all to the folder of the GUI, and write
        the tables.
        """
        places = self._places
        dictionary.extend(places.gui / dictionary.FILE, self._names)
        numbers = [point.number for point in points]
        with guidata.writing(
            places.gui,
            places.embryo,
            len(points),
            self._names,
            self._spacing,
            self._origin,
            self._state.settings,
            numbers,
        ) as gui:
            for k, point in enumerate(points):
                begun, seconds = time.monotonic(), None
                found = None if self._state.is_done(point) else self._make(k, point)
                self._show(gui, point)
                said: list[str] = []
                if found is not None:
                    seconds = time.monotonic() - begun
                    self._state.done(point, seconds, self._unseen(found))
                    self.made += 1
                    said = [f"{places.stem(point)}: {sentence}" for sentence in found.said]
                self.said += said
                yield Progress("cells", k + 1, len(points), None, point, seconds, tuple(said))
            self._tables(points, gui)

    def _make(self, k: int, point: TimePoint) -> Segmentation:
        """Write the volume, masks and labels of a time point."""
        membranes = np.asarray(self._rendered[k])
        places, spacing, origin = self._places, self._spacing, self._origin
        write_volume(places.volume(point), membranes, spacing, origin)
        corrected = self._corrected.get(round(point.when, DIGITS))
        if corrected is not None:
            found = Segmentation(corrected.named(self._names))
        else:
            nuclei = self._embryo.lineage.positions_at(point.when, self._carry)
            unsure = None if self._unsure is None else np.asarray(self._unsure[k])
            found = segment(membranes, spacing, nuclei, self._names, origin, confidence=unsure)
        stem = places.stem(point)
        write_masks(places.result, stem, found.labels, self._names, spacing, origin)
        return found

    def _unseen(self, found: Segmentation) -> dict[str, float] | None:
        """Share of the border of each cell that nobody saw; None where it was not asked for."""
        if not self._wants_unseen:
            return None
        labels = {label for pair in found.borders for label in pair}
        return {
            name: round(found.unseen_share(label), 4)
            for name, label in self._names.items()
            if label in labels
        }

    def _show(self, gui: GuiWriter, point: TimePoint) -> None:
        """Give a time point to the folder of the GUI, where an earlier try has not."""
        if gui.following > point.number:
            return
        files = self._places.labels(point), self._places.volume(point)
        labels, membranes = (read_volume(file).data for file in files)
        gui.put(labels, membranes, point.cells, point.parting)

    def _tables(self, points: Sequence[TimePoint], gui: GuiWriter) -> None:
        """Write the tables and the figure of volumes."""
        places, embryo = self._places, self._embryo
        times = {point.number: point.time for point in points}
        called = dictionary.by_label(self._names)
        table = rows(embryo.name, gui.measured, called, times, self._state.unseen)
        write_times(places.times, points)
        write_table(places.cells, table)
        write_divisions(places.divisions, embryo.lineage.divisions, points, embryo.dt)
        if can_draw():
            acquired = [point.number for point in points if point.acquired is not None]
            draw_volumes(places.picture, table, acquired, f"{embryo.name}: volumes of cells")
