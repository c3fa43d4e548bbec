"""The dock ``SpatimeINR``: fit in the background, look at it live, any scale, render, save."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QVBoxLayout

from ...analysis.sentences import gain_of
from ...errors import SpatimeINRError
from ..background.engine import connect_queued
from ..background.estimates import Estimator
from ..background.orders import Order
from ..background.session import Session
from ..layers.keys import MODEL
from ..layers.scales import Scales
from .about import About
from .fit_view import FitView
from .output import Output
from .source_panel import ASK
from .theme import Colours
from .time_link import TimeLink
from .words import in_the_dock
from .workplace import Dock


class FitWidget(Dock):
    """Everything from a layer to a rendering.

    Parameters
    ----------
    napari_viewer : napari's viewer.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.results = self.workplace.results
        self._about = About()
        self.view = view = FitView(napari_viewer)
        self.source_panel, self.method_panel = view.source_panel, view.method_panel
        self.progress_panel, self.scales_panel = view.progress_panel, view.scales_panel
        self.output_panel = view.output_panel
        self.fit_button, self.stop_button = view.fit_button, view.stop_button
        self.output = Output(napari_viewer, self.results, self.output_panel, self)
        self.estimator = Estimator(self.engine, self)
        self.time_link = TimeLink(napari_viewer, self.source_panel, self.scales_panel, self.session)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(view)
        self._connect_panels()
        self._connect_workers()
        self.source_panel.refresh()
        for layer in napari_viewer.layers:
            self._load_if_model(layer)
        if self.fitter.session is not None:
            self.progress_panel.start(f'Fitting "{self.fitter.session.source.name}"')
            self._refresh()

    def _connect_panels(self) -> None:
        self.fit_button.clicked.connect(self.start_fit)
        self.stop_button.clicked.connect(self.stop)
        self.source_panel.changed.connect(self._on_source)
        self.method_panel.changed.connect(self._show_estimate)
        self.scales_panel.changed.connect(self._on_scales)
        self.scales_panel.scrubbed.connect(self.time_link.to_viewer)
        output = self.output_panel
        output.asked.connect(self.render_to_layer)
        output.save.connect(self.save_rendering)
        output.save_model.clicked.connect(self.save_model)
        output.load_model.clicked.connect(self.output.open_model)
        output.preview.toggled.connect(self._on_preview)
        output.carry.clicked.connect(self.carry_annotations)
        connect_queued(self.progress_panel.said, self.view.show_message)

    def _connect_workers(self) -> None:
        for worker in (self.fitter, self.results):
            worker.began.connect(self._on_began)
            worker.ended.connect(self._on_ended)
        self.estimator.ready.connect(self._show_estimate)
        self.output.told.connect(self.message)
        self.fitter.progressed.connect(self._on_fit_progress)
        self.results.progressed.connect(self.progress_panel.show_share)
        connect_queued(self.engine.trouble, self.message)
        layers = self._viewer.layers.events
        self.destroyed.connect(self.source_panel.close_ears)
        self.listen(
            [
                (layers.inserted, self._on_inserted),
                (layers.removed, self._on_layers),
                (self._viewer.dims.events.point, self.time_link.to_scrubber),
            ]
        )

    # -- state --------------------------------------------------------------------------

    def session(self) -> Session | None:
        """What was fitted of the chosen layer, None if nothing was."""
        return self.fitter.session_of(self.source_panel.layer())

    def message(self, words: str) -> None:
        """Say something in the dock."""
        self.progress_panel.say(words)

    def set_colours(self, colours: Colours) -> None:
        """Follow napari's theme."""
        self.progress_panel.errors.set_colours(colours)
        self.source_panel.set_colours(colours)

    def order(self) -> Order | None:
        """What the dock asks for now, None without a usable layer; raises SpatimeINRError for a
        wrong option or region.
        """
        source, method = self.source_panel.source, self.method_panel
        if source is None:
            return None
        return Order(
            source,
            roi=self.source_panel.roi(),
            config=method.config(),
            device=method.device.currentText(),
            seed=method.seed.value(),
            time_budget=method.budget.value() or None,
            channels=method.chosen_channels(),
        )

    def _refresh(self) -> None:
        """Enable what applies, with the reason as a tooltip where it does not."""
        session = self.session()
        fitted = session is not None and session.field is not None
        shown = session is not None and session.layer is not None
        running = self.fitter.running
        self.fit_button.setEnabled(self.source_panel.source is not None and not running)
        self.fit_button.setToolTip(self._about_fitting())
        self.stop_button.setEnabled(running or self.results.running)
        self.output_panel.set_ready(fitted, self.results.running, shown)

    def _about_fitting(self) -> str:
        """What the fit button would do, or why it cannot."""
        if self.fitter.running:
            fitting = self.fitter.session
            named = "" if fitting is None else f' of "{fitting.source.name}"'
            return f"A fit{named} is running; stop it first"
        try:
            order = self.order()
        except SpatimeINRError as error:
            return str(error)
        if order is None:
            return self.source_panel.summary.text()
        if self.fitter.can_resume(order):
            return "Go on from what was learned (change an option or the region to begin anew)"
        return "Fit an implicit neural representation to this recording alone"

    # -- fit ----------------------------------------------------------------------------

    def start_fit(self) -> None:
        """Fit the chosen layer, or go on with its fit."""
        if self.fitter.running or self.source_panel.source is None:
            return
        if self.source_panel.must_ask():
            self.message(ASK)
            return
        try:
            order = self.order()
            assert order is not None
            self.fitter.start(order, self.scales_panel.scales())
        except SpatimeINRError as error:
            self.message(str(error))
            return
        self._on_source()

    def stop(self) -> None:
        """End what is running; what waits behind it goes on."""
        self.end(self.results)
        self._refresh()

    def _on_began(self, words: str) -> None:
        self.progress_panel.start(words)
        self._refresh()

    def _on_fit_progress(self, state: Any) -> None:
        fitting = self.fitter.session
        if fitting is None:
            return
        self.progress_panel.show_fit(fitting.source.name, state)
        if fitting is self.session():
            self.progress_panel.show_gain(state.gain_db)
        if fitting.field is not None and not self.output_panel.to_layer.isEnabled():
            self._refresh()

    def _on_ended(self, words: str) -> None:
        self.progress_panel.end(words)
        self._on_source()

    def _forget_others(self) -> None:
        """What is said is about the chosen layer as it is now: words and bars about another, or
        about what it was, go.
        """
        source, session = self.source_panel.source, self.session()
        changed = self._about.changed(self.source_panel.layer(), source)
        if source is None or (session is not None and not session.source.is_same_data(source)):
            session = None
        if changed and not (self.fitter.running or self.results.running):
            self.message("" if session is None else session.words())
        if session is None or session.field is None:
            self.progress_panel.show_gain(None)
        elif session is not self.fitter.session:
            self.progress_panel.show_gain(gain_of(session.field.provenance))

    # -- preview ------------------------------------------------------------------------

    def _on_scales(self, scales: Scales) -> None:
        session = self.session()
        if session is not None:
            try:
                session.rescale(scales)
            except SpatimeINRError as error:
                self.message(str(error))

    def _on_preview(self, on: bool) -> None:
        session = self.session()
        if session is not None and on and session.layer is None:
            session.show(self._viewer)
        elif session is not None and not on and session.layer is not None:
            session.hide(self._viewer)
        self._refresh()

    # -- results ------------------------------------------------------------------------

    def render_to_layer(self, what: str = "intensity") -> None:
        """Render a quantity at the chosen scales into a new layer, in the background."""
        self.output.to_layer(self.session(), self.scales_panel.scales(), what)

    def carry_annotations(self) -> None:
        """Carry the active Labels, Points or Tracks layer to the rendered times."""
        self.output.carried(
            self.session(), self.scales_panel.scales(), self._viewer.layers.selection.active
        )

    def save_rendering(self, path: Path) -> None:
        """Render at the chosen scales into a file, in the background."""
        self.output.to_file(self.session(), self.scales_panel.scales(), path)

    def save_model(self) -> None:
        """Write the model to a file."""
        self.output.model(self.session())

    # -- layers come and go --------------------------------------------------------------

    def _on_source(self) -> None:
        source = self.source_panel.source
        if source is not None:
            self.fitter.follow(source)
        session = self.session()
        self.method_panel.set_channels(source, list(self._viewer.layers))
        volume = None if source is None else source.volume
        if session is not None:
            volume = session.volume
        self.scales_panel.set_recording(volume)
        if session is not None:
            self.scales_panel.set_scales(session.scales)
            self.time_link.to_scrubber()
        self._forget_others()
        self._show_estimate()

    def _on_layers(self) -> None:
        self.fitter.forget_missing()
        self.source_panel.refresh()
        self._refresh()

    def _on_inserted(self, event: Any) -> None:
        self._on_layers()
        self._load_if_model(event.value)

    def _load_if_model(self, layer: Any) -> None:
        path = layer.metadata.get(MODEL)
        if path is not None and self.fitter.session_of(layer) is None:
            self.source_panel.select(layer)
            self.fitter.load(layer, path)

    def _show_estimate(self) -> None:
        try:
            words = self.estimator.words(self.order(), self.session() is None)
        except SpatimeINRError as error:
            words = str(error)
        self.method_panel.estimate.setText(in_the_dock(words))
        self._refresh()
