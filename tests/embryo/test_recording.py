"""A run file leads to the whole embryo."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_spatimeinr.embryo.phantom import EmbryoPhantom, embryo_phantom
from napari_spatimeinr.embryo.recording import open_embryo
from napari_spatimeinr.errors import FormatError, InputError

SMALL = {"shape": (3, 8, 30, 44), "spacing": (90.0, 1.5, 0.5, 0.5), "cells": (8, 12)}


@pytest.fixture
def made(tmp_path: Path) -> EmbryoPhantom:
    return embryo_phantom(tmp_path, **SMALL)


def test_everything_is_there_and_nothing_odd(made: EmbryoPhantom) -> None:
    embryo = open_embryo(made.run_file)
    assert embryo.name == "Emb1"
    assert embryo.warnings == ()
    assert embryo.record.shape == (3, 8, 30, 44)
    assert embryo.lineage.names == made.truth.lineage.names
    assert embryo.data_grid.shape == (3, 24, 30, 44)
    assert embryo.dt == 90
    assert all("as the run file says" in sentence for sentence in embryo.calibration.sentences)


@pytest.mark.parametrize("flip", [False, True])
def test_the_flip_is_seen_whatever_was_chosen(tmp_path: Path, flip: bool) -> None:
    made = embryo_phantom(tmp_path / "a", **SMALL, z_flip=flip)
    for chosen in (False, True):
        view = open_embryo(made.run_file, z_flip=chosen).flip()
        assert view.looks_flipped is flip


def test_some_time_points_and_other_voxels(made: EmbryoPhantom) -> None:
    text = made.run_file.read_text().replace("[1, 2, 3]", "[1, 3]")
    made.run_file.write_text(text)
    embryo = open_embryo(made.run_file, xy=0.09, z=0.42, dt=10, z_first=0)
    assert embryo.record.spacing == (20, 0.42, 0.09, 0.09)
    assert embryo.dt == 10
    assert embryo.lineage.positions_at(2), "the tracing knows what lies between"


def test_sizes_that_disagree_are_told(made: EmbryoPhantom) -> None:
    text = made.run_file.read_text().replace("(30,44,8)", "(30,40,8)")
    made.run_file.write_text(text)
    assert "the slices count" in open_embryo(made.run_file).warnings[0]


def test_what_is_missing_is_told_in_a_sentence(made: EmbryoPhantom) -> None:
    with pytest.raises(InputError, match="--z-first"):
        open_embryo(made.run_file, z_first=2)
    (made.slices / "Emb1_002_p05.tif").unlink()
    with pytest.raises(InputError, match="lack slice 5 of time point 2"):
        open_embryo(made.run_file)
    made.tracing.write_text("")
    with pytest.raises(FormatError, match="is empty"):
        open_embryo(made.run_file)
    made.tracing.unlink()
    with pytest.raises(FormatError, match=r"CD_file=Emb1_CellTracing\.csv, which does not exist"):
        open_embryo(made.run_file)
