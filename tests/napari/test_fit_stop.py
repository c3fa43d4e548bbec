"""Fits that are really stopped and gone on with, and what is refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spatimeinr import Volume
from napari_spatimeinr.config.options import PRESETS

from .conftest import Wait, add, begun, drawn, fitted, save_as


def test_stop_keeps_a_usable_preview_and_fit_goes_on(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    session = begun(dock, click, wait, 60)
    click(dock.stop_button)
    wait(lambda: not dock.fitter.running)
    assert "Stopped" in dock.progress_panel.message.text()
    assert dock.progress_panel.bar.isHidden()
    steps = session.field.provenance["steps"]
    assert steps > 0
    wait(lambda: drawn(viewer))
    click(dock.output_panel.to_layer)
    wait(lambda: len(viewer.layers) == 3)
    assert "Go on from what was learned" in dock.fit_button.toolTip()
    done = []
    dock.fitter.progressed.connect(lambda state: done.append(state.step))
    fitted(dock, click, wait)
    # The same fit, from the step where it was stopped, to its end.
    assert dock.session() is session
    assert min(done) >= steps
    assert session.field.provenance["complete"]


def test_the_published_preset_fits_within_its_budget_previews_and_renders(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    add(viewer, small)
    panel = dock.method_panel
    panel.presets.button(list(PRESETS).index("published")).click()
    assert "min" in panel.estimate.text(), "all of its steps take long"
    panel.budget.setValue(6)
    assert panel.estimate.text().startswith("about 5 s")
    session = fitted(dock, click, wait)
    field = session.field
    assert field.provenance["mlp"]["ended"] == "budget"
    assert field.provenance["mlp"]["steps"] > 0
    assert field.provenance["rcan"]["steps"] > 0
    assert field.provenance["chosen"]["published"]
    wait(lambda: drawn(viewer))
    click(dock.output_panel.to_layer)
    wait(lambda: len(viewer.layers) == 3)
    assert np.isfinite(np.asarray(viewer.layers[-1].data)).all()


def test_a_stopped_rendering_leaves_nothing(
    viewer: Any, dock: Any, click: Any, wait: Wait, answer: Any, tmp_path: Path, small: Volume
) -> None:
    add(viewer, small)
    fitted(dock, click, wait)
    answer(tmp_path / "a.nii")
    save_as(dock, "NIfTI")
    dock.stop()
    wait(lambda: not dock.results.running)
    assert not list(tmp_path.iterdir())
    assert "Stopped" in dock.progress_panel.message.text()


def test_a_recording_of_nan_is_refused_in_words(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    add(
        viewer,
        Volume(np.full((4, 6, 20, 24), np.nan, np.float32)),
        contrast_limits=(0, 1),
        units=("s", "um", "um", "um"),
    )
    click(dock.fit_button)
    wait(lambda: not dock.fitter.running)
    assert "no finite intensity" in dock.progress_panel.message.text()
    assert len(viewer.layers) == 1


@pytest.mark.parametrize("what", ["labels", "rgb", "2D", "none"])
def test_what_cannot_be_fitted_says_why(what: str, viewer: Any, dock: Any) -> None:
    if what == "labels":
        viewer.add_labels(np.zeros((4, 6, 8, 8), int))
    elif what == "rgb":
        viewer.add_image(np.zeros((8, 8, 3)), rgb=True)
    elif what == "2D":
        viewer.add_image(np.zeros((8, 8)))
    assert not dock.fit_button.isEnabled()
    expected = {
        "labels": "Labels layer",
        "rgb": "RGB",
        "2D": "two axes",
        "none": "Open a recording",
    }[what]
    assert expected in dock.source_panel.summary.text()


def test_wrong_options_are_told(viewer: Any, dock: Any, click: Any, small: Volume) -> None:
    add(viewer, small)
    dock.method_panel.form.editors[("psf",)].setText("nonsense")
    click(dock.fit_button)
    assert "psf needs numbers" in dock.progress_panel.message.text()
    assert not dock.fitter.running
    dock.method_panel.form.editors[("psf",)].setText("")
    dock.method_panel.device.setCurrentText("tpu")
    dock.method_panel.changed.emit()
    assert "tpu" in dock.method_panel.estimate.text()


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            ),
            "not enough",
        ),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "broke down in a computation"),
    ],
)
def test_an_error_in_the_fit_is_told_and_the_next_fit_works(
    raised: Exception,
    words: str,
    viewer: Any,
    dock: Any,
    click: Any,
    wait: Wait,
    small: Volume,
    monkeypatch: Any,
) -> None:
    from napari_spatimeinr.training import stages

    add(viewer, small)

    def broken(*_: Any) -> Any:
        raise raised

    with monkeypatch.context() as patch:
        patch.setattr(stages, "motion_data", broken)
        click(dock.fit_button)
        wait(lambda: not dock.fitter.running)
    assert words in dock.progress_panel.message.text()
    assert dock.progress_panel.bar.isHidden()
    fitted(dock, click, wait)
