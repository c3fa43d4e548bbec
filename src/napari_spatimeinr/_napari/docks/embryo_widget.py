"""The dock ``SpatimeINR Embryo``: from slices and a tracing to named cells at any time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QVBoxLayout

from ...analysis.sentences import gain_of
from ...errors import SpatimeINRError
from ..background.asked import Asked
from ..background.cells import Opened, open_work
from ..background.engine import connect_queued
from ..background.estimates import Estimator
from ..background.orders import Order
from ..background.results import Results
from ..background.session import Session
from ..layers.scales import Scales
from ..layers.source import Source
from .embryo_layers import EmbryoLayers
from .embryo_view import EmbryoView
from .found_cells import BUSY, FoundCells
from .theme import Colours
from .words import in_the_dock
from .workplace import Dock

CHOOSE = "Choose the run file of an embryo first: it names the slices and the tracing."


class EmbryoWidget(Dock):
    """Everything from a run file to measured cells.

    Parameters
    ----------
    napari_viewer : napari's viewer.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.results = Results(self.engine, self)
        self.view = view = EmbryoView(napari_viewer)
        self.fit_button, self.stop_button = view.fit_button, view.stop_button
        self.shown = EmbryoLayers(napari_viewer, self.engine, self)
        self._turned = Asked(self.engine, self)
        self.found = FoundCells(napari_viewer, self.results, view.cells, self.shown, self)
        self.estimator = Estimator(self.engine, self)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(view)
        self._connect_panels()
        self._connect_workers()
        self._refresh()

    def _connect_panels(self) -> None:
        view = self.view
        view.run.asked.connect(self.open)
        view.flip.box.toggled.connect(self._on_flip)
        view.method.changed.connect(self._show_estimate)
        self.fit_button.clicked.connect(self.start_fit)
        self.stop_button.clicked.connect(self.stop)
        view.time.scrubbed.connect(self.shown.set_frame)
        view.cells.this_time.clicked.connect(self.segment)
        view.cells.carry.clicked.connect(self.carry)
        view.cells.all_times.clicked.connect(self.segment_all)
        view.cells.save_table.clicked.connect(self.found.save_table)
        connect_queued(view.progress.said, view.show_message)

    def _connect_workers(self) -> None:
        for worker in (self.fitter, self.results):
            worker.began.connect(self._on_began)
            worker.ended.connect(self._on_ended)
        self.fitter.progressed.connect(self._on_fit_progress)
        self.results.progressed.connect(self.view.progress.show_share)
        self.estimator.ready.connect(self._show_estimate)
        self.found.told.connect(self.message)
        self._turned.ready.connect(self._on_turned)
        connect_queued(self.engine.trouble, self.message)
        # What waits for this dock is of no use without it.
        self.destroyed.connect(self.results.stop)
        self.listen(
            [
                (self._viewer.layers.events.removed, self._on_removed),
                (self._viewer.dims.events.point, self._on_point),
            ]
        )

    # -- state --------------------------------------------------------------------------

    @property
    def opened(self) -> Opened | None:
        """The embryo that is open."""
        return self.shown.opened

    @property
    def source(self) -> Source | None:
        """Its recording."""
        return self.shown.source

    def session(self) -> Session | None:
        """What was fitted of the embryo, None if nothing was."""
        return None if self.source is None else self.fitter.session_of(self.source.layer)

    def message(self, words: str) -> None:
        """Say something in the dock."""
        self.view.progress.say(words)

    def set_colours(self, colours: Colours) -> None:
        """Follow napari's theme."""
        self.view.set_colours(colours)

    def number(self) -> float:
        """The number of the time point that is shown, as the tracing counts."""
        assert self.opened is not None
        return self.opened.number_of(self.view.time.frame())

    def order(self) -> Order | None:
        """The fit the dock asks for now, None before there is an embryo; raises SpatimeINRError for
        a wrong option.
        """
        method = self.view.method
        if self.source is None:
            return None
        device, seed = method.device.currentText(), method.seed.value()
        budget = method.budget.value() or None
        return Order(self.source, None, method.config(), device, seed, budget, [])

    def _field(self) -> Any:
        session = self.session()
        return None if session is None else session.field

    def _refresh(self) -> None:
        """Enable what applies, with the reason as a tooltip where it does not."""
        running = self.fitter.running
        self.fit_button.setEnabled(self.source is not None and not running)
        tip = "Fit an implicit neural representation to the membranes of this embryo alone"
        self.fit_button.setToolTip(CHOOSE if self.source is None else tip)
        self.stop_button.setEnabled(running or self.results.running)
        self.view.run.open.setEnabled(not self.results.running)
        busy = running or self.results.running
        fitted = self._field() is not None
        self.view.cells.set_ready(fitted, busy, bool(self.found.numbers))

    def _show_estimate(self) -> None:
        try:
            words = self.estimator.words(self.order(), self.session() is None)
        except SpatimeINRError as error:
            words = str(error)
        self.view.method.estimate.setText(in_the_dock(words))
        self._refresh()

    # -- open ---------------------------------------------------------------------------

    def open(self) -> None:
        """Open the run file that was chosen, in the background."""
        path = self.view.run.path.text().strip()
        if not path:
            self.message(CHOOSE)
            return
        try:
            how = {**self.view.run.how(), "z_flip": self.view.flip.box.isChecked()}
        except SpatimeINRError as error:
            self.message(str(error))
            return
        work = open_work(path, **how)
        if not self.results.run(work, f"Opening {Path(path).name}", self._on_opened):
            self.message(BUSY)

    def _on_opened(self, opened: Opened) -> str:
        self.shown.show(opened)
        self.view.run.show_embryo(opened)
        self.view.flip.show_view(opened.flip)
        self.view.flip_section.set_open(True)
        self.found.forget()
        self._on_lineage()
        self._show_estimate()
        return f"{opened.embryo.name} is open. Check the flip, then fit."

    def _on_lineage(self) -> None:
        self.view.time.set_embryo(self.opened)
        self._on_point()

    def _on_flip(self, on: bool) -> None:
        opened = self.opened
        if opened is not None:
            self._turned.ask(lambda: opened.turned(on))

    def _on_turned(self, opened: Opened) -> None:
        if self.source is not None:
            self.shown.show_lineage(opened)
            self.found.turn()
            self._on_lineage()
            self._refresh()

    # -- fit ----------------------------------------------------------------------------

    def start_fit(self) -> None:
        """Fit the membranes, or go on with their fit."""
        if self.fitter.running or self.source is None:
            return
        try:
            order = self.order()
            assert order is not None
            session = self.fitter.start(order, Scales(isotropic=True))
        except SpatimeINRError as error:
            self.message(str(error))
            return
        self.shown.put_below(session.layer)
        # What was looked at makes room for what comes next.
        self.view.flip_section.set_open(False)
        self._refresh()

    def stop(self) -> None:
        """End what is running; what waits behind it goes on."""
        self.end(self.results)
        self._refresh()

    def _on_began(self, words: str) -> None:
        self.view.progress.start(words)
        self._refresh()

    def _on_fit_progress(self, state: Any) -> None:
        fitting = self.fitter.session
        if fitting is not None:
            self.view.progress.show_fit(fitting.source.name, state)
            self.view.progress.show_gain(state.gain_db)

    def _on_ended(self, words: str) -> None:
        self.view.progress.end(words)
        fitted = self._field()
        self.view.progress.show_gain(None if fitted is None else gain_of(fitted.provenance))
        self._show_estimate()
        self._on_point()

    # -- time ---------------------------------------------------------------------------

    def _on_point(self) -> None:
        """Show what is known of the time that the viewer shows."""
        frame, opened = self.shown.frame(), self.opened
        if frame is None or opened is None:
            return
        self.view.time.set_frame(frame)
        self.found.show(opened.number_of(frame))
        self.shown.place(frame, self._field())

    # -- cells --------------------------------------------------------------------------

    def segment(self) -> None:
        """Find the cells at the time that is shown, into a Labels layer."""
        fitted = self._field()
        if fitted is not None:
            self.found.segment(fitted, self.number())

    def carry(self) -> None:
        """Carry what was corrected in the active layer to the times around."""
        fitted = self._field()
        if fitted is not None:
            self.found.carry(fitted, self._viewer.layers.selection.active)

    def segment_all(self) -> None:
        """Find the cells at all times, into a folder."""
        fitted = self._field()
        if fitted is not None:
            self.found.all_times(fitted)

    def _on_removed(self, event: Any) -> None:
        if self.source is not None and event.value == self.source.layer:
            self.shown.forget()
            self.view.run.show_embryo(None)
            self.view.flip.show_view(None)
            self.view.time.set_embryo(None)
            self.found.forget()
        else:
            self.found.show(None if self.opened is None else self.number())
        self._refresh()
