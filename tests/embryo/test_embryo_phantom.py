"""The phantom embryo: its files are read as those of a real one, and its truth is one."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_spatimeinr import embryo_phantom
from napari_spatimeinr.embryo.calibration import calibrated, data_grid
from napari_spatimeinr.embryo.names import mother
from napari_spatimeinr.embryo.phantom import EmbryoPhantom, EmbryoTruth, made_embryo
from napari_spatimeinr.embryo.placing import Raw, lineage_of
from napari_spatimeinr.embryo.runfile import read_runfile
from napari_spatimeinr.embryo.slices import read_slices
from napari_spatimeinr.embryo.tracing import LONG, SHORT, read_tracing
from napari_spatimeinr.errors import InputError, SaveError

SMALL = {"shape": (6, 8, 30, 44), "spacing": (90.0, 1.5, 0.5, 0.5), "cells": (4, 12)}


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> EmbryoPhantom:
    return embryo_phantom(tmp_path_factory.mktemp("embryo") / "new", **SMALL, first=7, seed=3)


@pytest.fixture(scope="module")
def truth(phantom: EmbryoPhantom) -> EmbryoTruth:
    return phantom.truth


def test_other_libraries_read_the_files(phantom: EmbryoPhantom) -> None:
    files = sorted(file.name for file in phantom.slices.iterdir())
    assert len(files) == 6 * 8
    assert (files[0], files[-1]) == ("Emb1_007_p01.tif", "Emb1_012_p08.tif")
    assert np.array_equal(
        tifffile.imread(phantom.slices / "Emb1_009_p03.tif"), phantom.volume.data[2, 2]
    )
    assert phantom.tracing.read_bytes().count(b"\r\n") == phantom.tracing.read_bytes().count(b"\n")
    with phantom.tracing.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == LONG
    assert {int(row["time"]) for row in rows} == set(range(7, 13))
    assert all(row["cellTime"] == f"{row['cell']}:{row['time']}" for row in rows)


def test_the_files_are_read_as_those_of_a_real_embryo(phantom: EmbryoPhantom) -> None:
    run = read_runfile(phantom.run_file)
    calibration = calibrated(run)
    assert calibration.spacing == (90, 1.5, 0.5, 0.5)
    assert run.ori_shape is not None
    record = read_slices(run.slices(), run.rootname, calibration, run.time_points, run.ori_shape[2])
    assert np.array_equal(record.data[:], phantom.volume.data)
    assert record.grid == phantom.volume.grid
    assert data_grid(record.grid, run.data_shape).spacing[1:] == pytest.approx((0.5, 0.5, 0.5))
    raw = Raw(record.shape[1:], record.spacing[1:], run.time_points)
    lineage, told = lineage_of(read_tracing(run.tracing()), raw, run.rootname)
    assert told == []
    true = phantom.truth.lineage
    assert lineage.names == true.names
    assert lineage.divisions == true.divisions
    for t in run.time_points:
        near, exact = lineage.positions_at(t), phantom.truth.centres(t * 90.0)
        assert set(near) == set(exact)
        for name, place in near.items():
            assert np.all(np.abs(place - exact[name]) <= np.array([0.08, 0.26, 0.26])), "rounded"


def test_the_ratio_of_the_run_file_gives_the_distance_of_slices(phantom: EmbryoPhantom) -> None:
    run = read_runfile(phantom.run_file)
    text = phantom.run_file.read_text()
    bare = phantom.run_file.with_name("bare.txt")
    bare.write_text(
        "".join(line + "\n" for line in text.splitlines() if line[:2] not in ("xy", "z="))
    )
    assert calibrated(read_runfile(bare), xy=0.5).spacing[1] == pytest.approx(run.z)


def test_every_division_lies_between_two_frames_with_the_right_names(truth: EmbryoTruth) -> None:
    assert len(truth.names_at(7 * 90.0)) == 4
    assert len(truth.names_at(12 * 90.0)) == 12
    assert list(truth.divisions) == ["ABa", "ABp", "EMS", "P2", "ABal", "ABar", "ABpl", "ABpr"]
    for division in truth.lineage.divisions:
        when = truth.divisions[division.mother] / 90
        assert division.before == division.after + 1
        assert division.after < when < division.before
        assert all(mother(name) == division.mother for name in division.daughters)
        before, after = (truth.names_at((when + d) * 90) for d in (-1e-6, 1e-6))
        assert set(before) - set(after) == {division.mother}
        assert set(after) - set(before) == set(division.daughters)


def test_daughters_are_traced_apart_and_near_their_mother(truth: EmbryoTruth) -> None:
    for division in truth.lineage.divisions:
        at = truth.lineage.lives[division.mother].positions[-1]
        one, other = (truth.lineage.lives[name].positions[0] for name in division.daughters)
        assert np.linalg.norm(one - other) > 1.5
        assert max(np.linalg.norm(one - at), np.linalg.norm(other - at)) < 6


def test_no_voxel_is_of_a_mother_after_her_division(truth: EmbryoTruth) -> None:
    for name, when in truth.divisions.items():
        labels = truth.label_frame(when + 0.5)
        assert truth.numbers[name] not in labels
        before = truth.label_frame(when - 0.5) == truth.numbers[name]
        daughters = [n for d in truth.lineage.divisions if d.mother == name for n in d.daughters]
        halves = np.isin(labels, [truth.numbers[one] for one in daughters])
        both = np.count_nonzero(before & halves) / np.count_nonzero(before | halves)
        assert both > 0.85, "her daughters begin in her place"


def test_nuclei_lie_in_their_cells_and_volumes_fill_the_shell(truth: EmbryoTruth) -> None:
    shell = 4 / 3 * np.pi * truth.body.half.prod()
    for t in (7 * 90.0, 8.3 * 90, 12 * 90.0):
        centres = truth.centres(t)
        z, y, x = np.stack(list(centres.values()), -1)
        assert truth.labels(t, z, y, x).tolist() == [truth.numbers[name] for name in centres]
        volumes = truth.volumes(t, 0.5)
        assert set(volumes) == set(centres)
        assert min(volumes.values()) > 0.2 * shell / len(centres)
        assert sum(volumes.values()) == pytest.approx(shell, rel=0.02)


def test_membranes_are_bright_where_labels_change(truth: EmbryoTruth) -> None:
    t = 7 * 90.0
    fine = truth.grid.refine(voxel=0.4)
    labels, light = truth.label_frame(t, fine), truth.frame(t, fine, psf=False)
    edge = np.zeros(labels.shape, bool)
    for axis in range(3):
        edge |= labels != np.roll(labels, 1, axis)
    inner = np.zeros_like(edge)
    inner[1:-1, 1:-1, 1:-1] = True
    assert light[edge & inner].mean() > 4 * light[~edge & inner & (labels > 0)].mean()


def test_the_membrane_between_sisters_is_weak_at_first(truth: EmbryoTruth) -> None:
    division = truth.lineage.divisions[0]
    when = truth.divisions[division.mother]

    def between(t: float) -> float:
        centres = truth.centres(t)
        one, other = (centres[name] for name in division.daughters)
        share = np.linspace(0, 1, 41)[:, None]
        return float(truth(t, *(one + share * (other - one)).T, psf=False).max())

    assert between(when + 20) < 0.35 * between(when + 150)


@pytest.mark.slow
def test_light_bleaches_and_noise_is_of_photons() -> None:
    plain, _ = made_embryo(**SMALL, photons=0, background=0, read=0, bleach=0.2, seed=1)
    steady, _ = made_embryo(**SMALL, photons=0, background=0, read=0, bleach=0, seed=1)
    noisy, _ = made_embryo(**SMALL, bleach=0.2, seed=1)
    ratio = (plain.data[-1].astype(float) - 200).sum() / (steady.data[-1].astype(float) - 200).sum()
    assert ratio == pytest.approx(0.8**5, rel=0.02)
    assert np.std(noisy.data.astype(float) - plain.data) > 20


@pytest.mark.slow
def test_the_pace_follows_motion_and_the_seed_decides() -> None:
    def moved(motion: float, seed: int = 0) -> np.ndarray:
        _, truth = made_embryo((4, 8, 30, 44), (90, 1.5, 0.5, 0.5), (6, 6), motion, seed)
        a, b = (truth.centres(k * 90.0) for k in (1, 4))
        return np.array([b[name] - a[name] for name in a])

    slow, fast = (np.linalg.norm(moved(motion), axis=1).mean() for motion in (1.0, 4.0))
    assert fast > 2 * slow
    assert np.array_equal(moved(1.0), moved(1.0))
    assert not np.array_equal(moved(1.0), moved(1.0, 1))


def test_a_flipped_tracing_of_five_columns(tmp_path: Path, phantom: EmbryoPhantom) -> None:
    made = embryo_phantom(
        tmp_path, **SMALL, first=7, seed=3, name="190311plc1mp1", z_flip=True, short=True
    )
    assert np.array_equal(made.volume.data, phantom.volume.data)
    tracing, plain = read_tracing(made.tracing), read_tracing(phantom.tracing)
    assert tracing.columns == SHORT
    assert tracing.places[:, 0] == pytest.approx(8 + 1 - plain.places[:, 0], abs=0.11)
    assert (made.slices / "190311plc1mp1_007_p01.tif").is_file()
    with pytest.raises(SaveError, match="there already"):
        embryo_phantom(tmp_path, **SMALL, name="190311plc1mp1")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"cells": (4, 3)}, "no fewer at its end"),
        ({"cells": (4, 25)}, "1 to 24 cells"),
        ({"shape": (3, 8, 30, 44), "cells": (1, 24)}, "too many divisions"),
        ({"shape": (1, 8, 30, 44)}, "at least two"),
        ({"shape": (2, 1, 30, 44), "cells": (4, 4)}, "more voxels"),
        ({"bleach": 1.0}, "bleach"),
    ],
)
def test_impossible_embryos_leave_nothing(tmp_path: Path, wrong: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        embryo_phantom(tmp_path / "a", **{**SMALL, **wrong})
    assert not (tmp_path / "a").exists()
