"""What the docks say: gains as errors, one thing at a time, and nothing stale."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_spatimeinr import Volume
from napari_spatimeinr.analysis.sentences import gain_words, result_sentence

from .conftest import Wait, add, begun, fitted

PREVIEW = "cells [SpatimeINR preview]"


# -- words ---------------------------------------------------------------------------------
def test_gains_are_said_as_errors() -> None:
    assert (
        gain_words(3.6)
        == "34 % less RMS error than linear interpolation on frames it had not seen (+3.6 dB)"
    )
    assert gain_words(-1.0).startswith("12 % more RMS error than")
    assert gain_words(0.01).startswith("the same RMS error as")


def test_a_constant_recording_says_one_thing(
    viewer: Any, dock: Any, wait: Wait, small: Volume, click: Any
) -> None:
    add(
        viewer,
        Volume(np.full(small.shape, 7.0, np.float32), small.spacing, units=small.units),
        contrast_limits=(0, 10),
    )
    fitted(dock, click, wait)
    words = dock.progress_panel.message.text()
    assert words.startswith('"cells": All intensities are equal')
    assert words.count(".") == 1
    assert not dock.progress_panel.errors.isVisible()


def test_one_frame_is_not_judged_against_interpolation_in_time() -> None:
    said = {
        "chosen": {"motion": False, "latents": False, "planes": True},
        "reasons": {"motion": "one time point: nothing moves"},
    }
    assert "Interpolation was better" not in result_sentence(said, False)


# -- nothing stale -------------------------------------------------------------------------
def test_words_and_bars_go_with_their_layer(
    viewer: Any, dock: Any, click: Any, wait: Wait, small: Volume
) -> None:
    layer = add(viewer, small)
    fitted(dock, click, wait)
    message, errors = dock.progress_panel.message, dock.progress_panel.errors
    words = message.text()
    assert words.startswith('"cells": ')
    assert errors.isVisible()
    other = add(viewer, small)
    other.name = "others"
    assert message.text() == words
    dock.source_panel.select(other)
    assert message.text() == ""
    assert not errors.isVisible()
    dock.source_panel.select(layer)
    assert message.text() == words
    assert errors.isVisible()
    layer.data = np.asarray(small.data)[:, :4]
    assert message.text() == ""
    assert not errors.isVisible()
    dock.message("something about what is there")
    viewer.layers.clear()
    assert message.text() == ""
    assert not errors.isVisible()
    assert "Open a recording" in dock.source_panel.summary.text()


def test_a_question_that_is_answered_goes(
    viewer: Any, dock: Any, click: Any, small: Volume
) -> None:
    viewer.add_image(np.asarray(small.data), name="cells")
    click(dock.fit_button)
    assert "does not say" in dock.progress_panel.message.text()
    dock.source_panel.interval.setText("60")
    dock.source_panel.time_unit.setCurrentText("s")
    click(dock.source_panel.apply)
    assert dock.progress_panel.message.text() == ""


def test_what_is_fitted_is_named_while_another_layer_is_chosen(
    viewer: Any,
    dock: Any,
    click: Any,
    wait: Wait,
    small: Volume,
) -> None:
    add(viewer, small)
    begun(dock, click, wait)
    other = add(viewer, small)
    other.name = "others"
    dock.source_panel.select(other)
    told: list[str] = []
    dock.fitter.progressed.connect(lambda state: told.append(dock.progress_panel.message.text()))
    wait(lambda: len(told) > 2)
    assert all(words.startswith('Fitting "cells"') for words in told)
    assert 'A fit of "cells" is running' in dock.fit_button.toolTip()
    assert not dock.progress_panel.errors.isVisible()
    viewer.layers.remove(viewer.layers["cells"])
    wait(lambda: len(told) > 5)
    assert told[-1].startswith('Fitting "cells"')
    click(dock.stop_button)
    wait(lambda: not dock.fitter.running)
    dock.source_panel.select(viewer.layers[0])
    assert PREVIEW in viewer.layers
