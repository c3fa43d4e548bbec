"""The dock ``SpatimeINR Quality``: hold-out scores against what users have now, and comparisons to
look at.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtWidgets import QComboBox, QPushButton, QSpinBox, QVBoxLayout, QWidget

from ...analysis.evaluate import Report, evaluate
from ...analysis.frame_plan import Plan
from ...analysis.planner import plan
from ...config.options import PRESETS
from ...errors import SpatimeINRError
from ...fitting import FitProgress
from ...volume import Volume
from ..background.jobs import Share
from ..background.results import Results
from ..layers.keys import RENDERED
from ..layers.source import understand, why_not
from ..settings import settings
from .compare_panel import ComparePanel
from .fields import Choice, Upright, Words, roomy
from .measured import doing, measured_words
from .planner_panel import PlannerPanel
from .rows import below, beside
from .scores_view import TIP, ScoresView
from .section import Section
from .theme import Colours, colours
from .workplace import Dock


class QualityWidget(Dock):
    """Measure on a recording; compare on its preview.

    Parameters
    ----------
    napari_viewer : napari's viewer.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.results = Results(self.engine, self)
        self._measured_of: Any = None
        self._measured_about: tuple[int, int] | None = None
        self._measured_words = ""
        self._about: tuple[Any, ...] = ()
        self._doing, self._running = "", ""
        self.comparisons = ComparePanel(napari_viewer, self.engine.want, self.results)
        panel = self.comparisons
        self.left, self.right, self.swipe = panel.left, panel.right, panel.swipe
        self.compare, self.side, self.motion = panel.compare, panel.side, panel.motion
        self.recording, self.gap = Choice("The recording to measure on"), QSpinBox()
        self.hold_out, self.preset = QComboBox(), QComboBox()
        self.hold_out.addItems(["time", "z"])
        self.gap.setRange(2, 16)
        self.gap.setPrefix("one of ")
        roomy(self.gap)
        self.preset.addItems(PRESETS)
        self.preset.setCurrentText(settings().preset)
        self.measure, self.stop_button = QPushButton("Measure on hold-out"), QPushButton("Stop")
        self.message, self.scores = Words(), ScoresView(colours(napari_viewer))
        self.table = self.scores.table
        self.planner = PlannerPanel(colours(napari_viewer))
        self._tips()
        self._lay_out()
        self.measure.clicked.connect(self.start)
        self.planner.button.clicked.connect(self.start_plan)
        self.stop_button.clicked.connect(self.results.stop)
        self.comparisons.told.connect(self.message.setText)
        self.results.began.connect(self._on_words)
        self.results.ended.connect(self._on_words)
        self.results.progressed.connect(self._on_progress)
        layers = napari_viewer.layers.events
        self._heard: Any = None
        self.destroyed.connect(partial(self._hear, None))
        self.listen(
            [
                (event, self._on_layers)
                for event in (layers.inserted, layers.removed, layers.renamed)
            ]
        )
        # What is measured is of no use without the dock, and would keep fits waiting.
        self.destroyed.connect(self.results.stop)
        for box in (self.recording, self.left):
            box.currentIndexChanged.connect(self._on_choice)
        self._on_layers()

    def _tips(self) -> None:
        self.hold_out.setToolTip("Leave out frames (time) or planes (z)")
        self.gap.setToolTip("2: every second frame or plane is given, the others are scored")
        self.preset.setToolTip("Quality of the fits that are measured")
        self.measure.setToolTip(TIP)
        self.stop_button.setToolTip("End the measurement")

    def _lay_out(self) -> None:
        choices = (
            ("Recording", self.recording),
            ("Hold out in", self.hold_out),
            ("Given", self.gap),
            ("Quality", self.preset),
        )
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(6)
        layout.addWidget(
            Section(
                "Measure",
                below(*choices),
                tip="How well frames or planes that were held out are predicted",
            )
        )
        layout.addWidget(beside(self.measure, self.stop_button))
        layout.addWidget(self.message)
        layout.addWidget(self.scores)
        tip = "How many frames the next recording needs"
        self.plan_section = Section("Plan", self.planner, tip=tip, folded=True)
        layout.addWidget(self.plan_section)
        layout.addWidget(
            Section("Compare", self.comparisons, tip="Look at any two of what there is")
        )
        layout.addStretch(1)
        self._scroll = Upright(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._scroll)

    def set_colours(self, colours: Colours) -> None:
        """Follow napari's theme."""
        self.scores.errors.set_colours(colours)
        self.planner.view.set_colours(colours)

    # -- hold-out -----------------------------------------------------------------------

    def start(self) -> None:
        """Measure on the chosen recording, in the background."""
        hold_out, gap = self.hold_out.currentText(), self.gap.value()
        how = self._how()
        self._begin(
            lambda volume, progress: evaluate(volume, hold_out, gap, **how, progress=progress),  # type: ignore[arg-type]
            "Measuring",
            self._measured,
        )

    def start_plan(self) -> None:
        """Try frame intervals on the chosen recording, in the background."""
        try:
            gaps, quality = self.planner.asked()
        except SpatimeINRError as error:
            self.message.setText(str(error))
            return
        how = self._how()
        self._begin(
            lambda volume, progress: plan(volume, gaps, quality, **how, progress=progress),
            "Planning",
            self._planned,
        )

    def _how(self) -> dict[str, Any]:
        return {"preset": self.preset.currentText(), "device": settings().device}

    def _begin(
        self,
        job: Callable[[Volume, Callable[[FitProgress], None]], Any],
        words: str,
        then: Callable[[Any, Any], str],
    ) -> None:
        """Do a job on the chosen recording in the background, then ``then(layer, result)``."""
        layer = self.recording.currentData()
        if layer is None:
            self.message.setText("Open a recording first.")
            return
        try:
            volume = understand(layer).volume
        except SpatimeINRError as error:
            self.message.setText(str(error))
            return

        def work(tick: Any) -> Any:
            def progress(state: FitProgress) -> None:
                self._doing = doing(state.stage)
                tick(Share(state.step, state.of))

            return job(volume, progress)

        if self.results.run(work, f'{words} on "{layer.name}"', partial(then, layer)):
            self.scores.clear()
            self.planner.view.clear()
            self._running = words
            self._measured_of, self._measured_about, self._measured_words = layer, _same(layer), ""

    def _planned(self, layer: Any, found: Plan) -> str:
        self.planner.view.show_plan(found)
        first, *rest = found.sentences()
        self._measured_words = "\n".join([f'"{layer.name}": {first}', *rest, *found.warnings])
        return self._measured_words

    def _measured(self, layer: Any, report: Report) -> str:
        self.scores.show_report(report)
        self._measured_words = measured_words(layer.name, report)
        return self._measured_words

    # -- slots --------------------------------------------------------------------------

    def _on_progress(self, done: int, of: int) -> None:
        percent = 100 * done // max(of, 1)
        self.message.setText(
            f'{self._running} on "{self._measured_of.name}": {percent} % of {self._doing}'
        )

    def _on_words(self, words: str) -> None:
        self.message.setText(words)
        for button in (self.measure, self.planner.button):
            button.setEnabled(not self.results.running)
        self.stop_button.setEnabled(self.results.running)
        if not self.results.running:
            self._forget_missing()

    def _forget_missing(self) -> None:
        """Scores of what was removed or changed while it was measured are about nothing that is
        there.
        """
        layer = self._measured_of
        if layer is not None and (
            layer not in self._viewer.layers or _same(layer) != self._measured_about
        ):
            self._forget()
            self.message.setText(
                f'"{layer.name}" was removed or changed while it was measured; measure again.'
            )

    def _forget(self) -> None:
        self.scores.clear()
        self.planner.view.clear()
        self._measured_of, self._measured_about, self._measured_words = None, None, ""

    def _on_layers(self) -> None:
        box = self.recording
        chosen = box.currentData()
        box.blockSignals(True)
        box.clear()
        for layer in filter(_is_recording, self._viewer.layers):
            box.addItem(layer.name, layer)
            if layer == chosen:
                box.setCurrentIndex(box.count() - 1)
        box.blockSignals(False)
        self.comparisons.offer()
        self._on_choice()

    def _on_choice(self) -> None:
        """What is said and scored is about what is chosen: when that is another, it goes."""
        self.stop_button.setEnabled(self.results.running)
        recording, left = self.recording.currentData(), self.left.currentData()
        self._hear(recording)
        about = (_same(recording), None if left is None else (left, id(left.layer.data)))
        changed, self._about = about != self._about, about
        if not changed or self.results.running:
            return
        if recording is None or about[0] != self._measured_about:
            self._forget()
        self.message.setText(self._measured_words)

    def _hear(self, layer: Any = None, *_: object) -> None:
        """Notice when a layer's voxels change; of none, listen to nothing."""
        if self._heard is not None and self._heard != layer:
            self._heard.events.data.disconnect(self._on_choice)
        if layer is not None and self._heard != layer:
            layer.events.data.connect(self._on_choice)
        self._heard = layer


def _same(layer: Any) -> tuple[int, int] | None:
    """Equal as long as a layer holds the same voxels."""
    return None if layer is None else (id(layer), id(layer.data))


def _is_recording(layer: Any) -> bool:
    return RENDERED not in layer.metadata and why_not(layer) is None
