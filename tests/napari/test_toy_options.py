"""A part that the package does not know is in the dock: its options, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from napari_spatimeinr._napari.docks.options_form import OptionsForm
from napari_spatimeinr.analysis.sentences import result_sentence, stage_words
from napari_spatimeinr.training.stage import register, unregister
from toy_part import OffsetPart


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    register(OffsetPart())
    yield
    unregister(OffsetPart.name)


@pytest.fixture
def form(qtbot: Any) -> OptionsForm:
    form = OptionsForm()
    qtbot.addWidget(form)
    return form


def test_its_options_are_in_the_form(form: OptionsForm) -> None:
    assert form.editors["offset", "steps"].value == 60
    form.editors["offset", "steps"].value = 7
    assert form.config().group("offset").steps == 7
    form.set_preset("best")
    assert form.editors["offset", "steps"].value == 60


def test_the_published_method_does_not_show_them(form: OptionsForm) -> None:
    form.set_preset("published")
    assert form.editors["offset", "steps"].native.parentWidget().isHidden()
    form.set_preset("fast")
    assert not form.editors["offset", "steps"].native.parentWidget().isHidden()


def test_it_is_told_in_its_own_words() -> None:
    assert stage_words("offset") == "learning an offset"
    kept = {"chosen": {"offset": True}, "offset": {"error_left": 0.1}}
    assert "An offset was learned." in result_sentence(kept, False)
    rejected = {"reasons": {"offset": "other frames did not need it"}}
    assert "offset: other frames did not need it" in result_sentence(rejected, False)
