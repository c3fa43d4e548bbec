"""The whole journey of an embryo: files, numbering, going on, and what is refused."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from fits import GATED, MOTION
from napari_spatimeinr import Field, Volume, fit, load
from napari_spatimeinr.embryo.journey import Outcome, Plan, Progress, journey
from napari_spatimeinr.embryo.phantom import EmbryoPhantom, embryo_phantom
from napari_spatimeinr.embryo.recording import Embryo, open_embryo
from napari_spatimeinr.errors import InputError, SaveError

pytestmark = pytest.mark.slow
SMALL = {"shape": (3, 8, 30, 44), "spacing": (90, 1.5, 0.5, 0.5), "cells": (8, 12), "first": 9}
Where = dict[Path, tuple[int, bytes]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> EmbryoPhantom:
    return embryo_phantom(tmp_path_factory.mktemp("raw"), name="190311plc1mp1", **SMALL)


@pytest.fixture(scope="module")
def embryo(made: EmbryoPhantom) -> Embryo:
    return open_embryo(made.run_file)


@pytest.fixture(scope="module")
def field(embryo: Embryo) -> Field:
    return fit(Volume.of(embryo.record), "fast", MOTION, device="cpu")


def plan(folder: Path, field: Field | None, time_scale: float | None = 2) -> Plan:
    return Plan(folder, folder / "NII", time_scale, "fast", MOTION, "cpu", model=field)


def go(
    embryo: Embryo, plan: Plan, until: int | None = None
) -> tuple[list[Progress], Outcome | None]:
    """Go all the way, or until so many time points are done."""
    steps, seen = journey(embryo, plan), []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return seen, end.value
        if until is not None and seen[-1].point is not None and seen[-1].done == until:
            steps.close()
            return seen, None


@pytest.fixture(scope="module")
def gone(embryo: Embryo, field: Field, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    go(embryo, plan(folder, field))
    return folder


def table(path: Path) -> list[list[str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def files(folder: Path) -> Where:
    """All files with when they were written and what is in them."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder): (p.stat().st_mtime_ns, p.read_bytes()) for p in found}


def image(path: Path) -> tuple[np.ndarray, np.ndarray]:
    read = nibabel.load(path)
    return np.asarray(read.dataobj), read.affine


def test_time_points_are_numbered_anew_without_gaps(gone: Path) -> None:
    head, *rows = table(gone / "times.csv")
    assert head == ["number", "time_s", "acquired", "cells", "dividing"]
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [float(row[1]) for row in rows] == [810, 855, 900, 945, 990]
    assert [row[2] for row in rows] == ["9", "", "10", "", "11"]
    stems = [f"190311plc1mp1_{n:03}" for n in range(1, 6)]
    assert sorted(p.name for p in (gone / "NII").iterdir()) == [f"{s}.nii.gz" for s in stems]
    assert sorted(p.name for p in (gone / "result").iterdir()) == sorted(
        [*stems, *(f"{s}.nii.gz" for s in stems)]
    )


def test_without_a_time_scale_files_have_the_acquired_numbers(
    embryo: Embryo, field: Field, tmp_path: Path
) -> None:
    _, outcome = go(embryo, plan(tmp_path, field, None))
    assert [p.number for p in outcome.points] == [9, 10, 11]
    name = "190311plc1mp1"
    for folder in ("NII", "result", f"GUIData/{name}/SegCell", f"GUIData/{name}/RawMemb"):
        found = sorted(p.name for p in (tmp_path / folder).glob("*.nii.gz"))
        assert found == [f"{name}_{n:03}.nii.gz" for n in (9, 10, 11)]
    assert [row[0] for row in table(tmp_path / f"GUIData/{name}/{name}_volume.csv")[1:]] == [
        "9",
        "10",
        "11",
    ]


def test_volumes_lie_on_the_grid_of_data_shape_with_the_real_affine(
    gone: Path, made: EmbryoPhantom
) -> None:
    for folder in ("NII", "result", "GUIData/190311plc1mp1/SegCell"):
        data, affine = image(gone / folder / "190311plc1mp1_003.nii.gz")
        assert data.shape == (30, 44, 24)  # y, x, z
        assert np.diag(affine)[:3] == pytest.approx([0.5, 0.5, 0.5])
        assert affine[:3, 3] == pytest.approx([0, 0, -0.5])  # the first slice is 1.5 um thick
    raw = made.volume.data[1].astype(float)
    fine = image(gone / "NII" / "190311plc1mp1_003.nii.gz")[0].transpose(2, 0, 1)
    assert np.corrcoef(raw[4].ravel(), fine[13].ravel())[0, 1] > 0.9


def test_each_cell_alive_has_a_mask_and_the_label_of_its_name(gone: Path) -> None:
    stem = "190311plc1mp1"
    names = {name: int(label) for label, name in table(gone / "GUIData/name_dictionary.csv")[1:]}
    for number, _, _, cells, _ in table(gone / "times.csv")[1:]:
        time_point = f"{stem}_{int(number):03}"
        labels = image(gone / "result" / f"{time_point}.nii.gz")[0]
        shown = image(gone / f"GUIData/{stem}/SegCell/{time_point}.nii.gz")[0]
        assert np.array_equal(labels, shown)
        assert {names[cell] for cell in cells.split(";")} == set(np.unique(labels)) - {0}
        masks = {p.name: p for p in (gone / "result" / time_point).iterdir()}
        assert set(masks) == {f"{time_point}_{cell}.nii.gz" for cell in cells.split(";")}
        for cell in cells.split(";"):
            mask = image(masks[f"{time_point}_{cell}.nii.gz"])[0]
            assert np.array_equal(mask > 0, labels == names[cell])


def test_a_division_lies_between_its_two_frames_and_no_mother_is_left(
    gone: Path, made: EmbryoPhantom
) -> None:
    alive = {float(row[1]) / 90: row for row in table(gone / "times.csv")[1:]}
    rows = {row[0]: row for row in table(gone / "190311plc1mp1_divisions.csv")[1:]}
    true = made.truth.divisions
    assert set(rows) == set(true)
    for mother, (_, daughters, after, before, placed, last, first) in rows.items():
        assert int(after) < true[mother] / 90 < int(before)
        assert float(placed) / 90 == (int(after) + int(before)) / 2
        assert int(first) == int(last) + 1
        for when, row in alive.items():
            cells = row[3].split(";")
            assert (mother in cells) == (when < float(placed) / 90)
            for one in daughters.split(";"):
                assert (one in cells) == (when >= float(placed) / 90)
            assert (mother in row[4].split(";")) == (int(after) < when < int(before))


def test_the_tables_say_what_the_files_hold(gone: Path) -> None:
    with open(gone / "190311plc1mp1_cells.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    head, *wide = table(gone / "GUIData/190311plc1mp1/190311plc1mp1_volume.csv")
    for row in rows:
        labels = image(gone / "result" / f"190311plc1mp1_{int(row['time_point']):03}.nii.gz")[0]
        volume = np.count_nonzero(labels == int(row["label"])) * 0.125
        assert float(row["volume_um3"]) == pytest.approx(volume, rel=1e-4)
        at = wide[int(row["time_point"]) - 1][head.index(row["cell"])]
        assert float(at) == pytest.approx(volume, rel=1e-3)


def test_the_same_again_does_nothing(gone: Path, embryo: Embryo, field: Field) -> None:
    def but_notes(found: Where) -> Where:
        return {path: what for path, what in found.items() if path.suffix not in (".json", ".png")}

    before = but_notes(files(gone))
    seen, outcome = go(embryo, plan(gone, field))
    assert outcome.made == 0
    assert all(step.point is None for step in seen)
    assert but_notes(files(gone)) == before


def test_a_journey_that_was_stopped_goes_on_and_makes_lost_files_again(
    embryo: Embryo, field: Field, gone: Path, tmp_path: Path
) -> None:
    go(embryo, plan(tmp_path, field), until=2)
    assert not (tmp_path / "times.csv").exists()
    assert not (tmp_path / "GUIData/190311plc1mp1").exists()
    before = files(tmp_path)
    seen, outcome = go(embryo, plan(tmp_path, field))
    assert outcome.made == 3
    assert [step.seconds is None for step in seen if step.point] == [True, True] + [False] * 3
    after = files(tmp_path)
    kept = [p for p in before if p.parts[0] in ("NII", "result") or p.suffix == ".spatimeinr"]
    assert len(kept) > 20
    assert all(after[path] == before[path] for path in kept)
    whole = files(gone)
    assert after.keys() == whole.keys()
    for path in (p for p in whole if p.suffix == ".csv" or p.parts[0] in ("NII", "result")):
        assert after[path][1] == whole[path][1], path
    lost = tmp_path / "NII" / "190311plc1mp1_002.nii.gz"
    lost.unlink()
    assert go(embryo, plan(tmp_path, field))[1].made == 1
    assert lost.read_bytes() == whole[Path("NII") / lost.name][1]
    assert not list(tmp_path.glob("GUIData/*.partial"))


def test_another_run_in_the_same_folder_is_refused(
    embryo: Embryo, made: EmbryoPhantom, field: Field, gone: Path
) -> None:
    before = files(gone)
    with pytest.raises(InputError, match="differs in the time scale"):
        go(embryo, plan(gone, field, 3))
    with pytest.raises(InputError, match="how its slices are counted"):
        go(open_embryo(made.run_file, z_flip=True), plan(gone, field))
    assert files(gone) == before


def test_what_somebody_else_left_is_not_replaced(
    embryo: Embryo, field: Field, tmp_path: Path
) -> None:
    (tmp_path / "NII").mkdir()
    (tmp_path / "NII" / "190311plc1mp1_001.nii.gz").write_bytes(b"mine")
    with pytest.raises(InputError, match="is there already"):
        go(embryo, plan(tmp_path, field))
    assert [*files(tmp_path)] == [Path("NII/190311plc1mp1_001.nii.gz")]


def test_volumes_and_labels_do_not_share_a_folder(
    embryo: Embryo, field: Field, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="where labels go"):
        go(embryo, Plan(tmp_path / "out", tmp_path / "out" / "result", 2, model=field))
    assert not (tmp_path / "out").exists()


def test_a_model_of_another_recording_is_refused(
    embryo: Embryo, every_part: Field, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="another recording"):
        go(embryo, plan(tmp_path / "out", every_part))
    assert not (tmp_path / "out").exists()


def test_labels_of_an_earlier_dictionary_stay(embryo: Embryo, field: Field, tmp_path: Path) -> None:
    (tmp_path / "GUIData").mkdir()
    (tmp_path / "GUIData" / "name_dictionary.csv").write_text(",0\n7,E\n500,MS\n")
    go(embryo, plan(tmp_path, field, None))
    names = {
        name: int(label) for label, name in table(tmp_path / "GUIData/name_dictionary.csv")[1:]
    }
    assert (names["E"], names["MS"]) == (7, 500)
    labels = image(tmp_path / "result" / "190311plc1mp1_009.nii.gz")[0]
    assert {7, 500} <= set(np.unique(labels))


def test_a_single_time_point_is_a_journey_too(tmp_path: Path) -> None:
    made = embryo_phantom(tmp_path / "raw", **{**SMALL, "shape": (1, 8, 30, 44), "cells": (8, 8)})
    _, outcome = go(open_embryo(made.run_file), plan(tmp_path / "out", None, None))
    assert [p.number for p in outcome.points] == [9]
    assert len(list((tmp_path / "out/result/Emb1_009").iterdir())) == 8
    state = json.loads((tmp_path / "out/run.json").read_text(encoding="utf-8"))
    assert state["embryo"] == "Emb1"
    assert set(state["seconds"]) == {"9"}


# -- a fit that was stopped ----------------------------------------------------------------
LONG = {**MOTION, "latents": {**GATED["latents"], "steps": 100_000}, "gate": False}


def test_a_fit_that_was_stopped_is_kept_and_gone_on_with(embryo: Embryo, tmp_path: Path) -> None:
    how = replace(plan(tmp_path, None), config=LONG, time_budget=6.0)
    steps = journey(embryo, how)
    while not next(steps).goes_on:
        pass
    # A snapshot is taken every half second.
    while (state := next(steps)).fit is None or state.fit.field is None:
        pass
    steps.close()
    kept = load(tmp_path / f"{embryo.name}.spatimeinr")
    assert not kept.provenance.complete
    first = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["fit_seconds"]
    assert first > 0
    seen, outcome = go(embryo, how)
    assert any("was stopped before its end; it goes on" in said for s in seen for said in s.said)
    field = load(outcome.places.model)
    assert field.provenance.complete
    assert field.provenance.resumed_from_steps == kept.provenance.steps
    assert field.provenance.steps > kept.provenance.steps
    assert outcome.fit_seconds > first
    assert outcome.made == 5
    again, _ = go(embryo, how)
    assert all(step.fit is None for step in again)


def test_a_fit_that_was_stopped_too_early_begins_anew(
    embryo: Embryo, field: Field, tmp_path: Path
) -> None:
    model = field.save(tmp_path / f"{embryo.name}.spatimeinr")
    early = load(model)
    early.provenance.complete = early.provenance.decided = False
    early.save(model)
    seen, outcome = go(embryo, plan(tmp_path, None, None))
    assert any("too early to go on from; it begins anew" in one for s in seen for one in s.said)
    field = load(outcome.places.model)
    assert field.provenance.complete
    assert field.provenance.resumed_from_steps is None


def test_a_given_model_counts_as_it_is(embryo: Embryo, field: Field, tmp_path: Path) -> None:
    given = load(field.save(tmp_path / "given.spatimeinr"))
    given.provenance.complete = False
    seen, outcome = go(embryo, plan(tmp_path / "out", given, None))
    assert all(step.fit is None for step in seen)
    assert outcome.fit_seconds is None
    (tmp_path / "out" / "times.csv").unlink()
    seen, _ = go(embryo, plan(tmp_path / "out", given, None))
    assert all(step.fit is None for step in seen)


# -- slices --------------------------------------------------------------------------------
def sliced(folder: Path, field: Field, slices: Path) -> Plan:
    return replace(plan(folder, field), slices=slices)


def test_slices_are_written_too_also_when_all_else_is_done(
    embryo: Embryo, field: Field, gone: Path, tmp_path: Path
) -> None:
    seen, outcome = go(embryo, sliced(gone, field, tmp_path))
    assert outcome.made == 0
    assert outcome.slices == tmp_path / "running_190311plc1mp1.txt"
    assert [(s.done, s.of) for s in seen if s.stage == "slices"] == [(k, 5) for k in range(1, 6)]
    finer = open_embryo(outcome.slices)
    assert finer.record.shape == (5, 24, 30, 44)
    assert finer.record.spacing == pytest.approx((45, 0.5, 0.5, 0.5))
    assert finer.lineage.names == embryo.lineage.names
    stored = image(gone / "NII" / "190311plc1mp1_003.nii.gz")[0].transpose(2, 0, 1)
    shown = finer.record.frame(2) * (embryo.run.scale / 255)
    assert np.abs(shown - np.minimum(stored, embryo.run.scale)).max() <= embryo.run.scale / 255
    before = files(tmp_path)
    # What a killed one left is completed; what is there stays.
    outcome.slices.unlink()
    _, outcome = go(embryo, sliced(gone, field, tmp_path))
    after = files(tmp_path)
    assert {path: what for path, (_, what) in after.items()} == {
        path: what for path, (_, what) in before.items()
    }
    assert len([path for path in before if after[path] == before[path]]) == len(before) - 1


def test_slices_that_were_stopped_leave_nothing_half_written(
    embryo: Embryo, field: Field, gone: Path, tmp_path: Path
) -> None:
    steps = journey(embryo, sliced(gone, field, tmp_path))
    while next(steps).stage != "slices":
        pass
    steps.close()
    assert files(tmp_path) == {}
    assert [path.name for path in tmp_path.iterdir()] == []
    _, outcome = go(embryo, sliced(gone, field, tmp_path))
    assert open_embryo(outcome.slices).record.shape[0] == 5


def test_slices_that_would_meet_others_are_refused_before_anything_is_done(
    embryo: Embryo, made: EmbryoPhantom, tmp_path: Path
) -> None:
    before = files(made.folder)
    out = tmp_path / "out"
    for folder, error, words in (
        (made.folder, SaveError, "is there already"),
        (made.slices, InputError, "where the raw slices are"),
        (made.slices / "finer", InputError, "where the raw slices are"),
    ):
        with pytest.raises(error, match=words):
            next(journey(embryo, replace(plan(out, None), slices=folder)))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "190311plc1mp1_CellTracing.csv").write_bytes(b"mine")
    with pytest.raises(SaveError, match="is there already"):
        next(journey(embryo, replace(plan(out, None), slices=mine)))
    assert not out.exists()
    assert files(made.folder) == before
    assert [*files(mine)] == [Path("190311plc1mp1_CellTracing.csv")]


# -- what nobody saw -----------------------------------------------------------------------
def test_the_table_says_how_much_of_a_border_nobody_saw(
    embryo: Embryo, field: Field, gone: Path, tmp_path: Path
) -> None:
    wanted = replace(plan(tmp_path, field), unseen=True)
    _, outcome = go(embryo, wanted, until=2)
    _, outcome = go(embryo, wanted)
    assert outcome.made == 3
    head, *rows = table(tmp_path / "190311plc1mp1_cells.csv")
    assert head[-1] == "unseen"
    shares = {(int(row[1]), row[3]): float(row[-1]) for row in rows}
    assert len(shares) == len(rows)
    assert all(0 <= share <= 1 for share in shares.values())
    between = [share for (number, _), share in shares.items() if number in (2, 4)]
    acquired = [share for (number, _), share in shares.items() if number in (1, 3, 5)]
    assert np.mean(between) > np.mean(acquired)
    # The cells are those that are found without it.
    plain = table(gone / "190311plc1mp1_cells.csv")
    assert [row[:-1] for row in (head, *rows)] == plain


def test_what_nobody_saw_is_found_out_later_too(
    embryo: Embryo, field: Field, tmp_path: Path
) -> None:
    _, first = go(embryo, plan(tmp_path, field, None))
    _, second = go(embryo, replace(plan(tmp_path, field, None), unseen=True))
    assert (first.made, second.made) == (3, 3)
    assert table(tmp_path / "190311plc1mp1_cells.csv")[0][-1] == "unseen"
    _, third = go(embryo, replace(plan(tmp_path, field, None), unseen=True))
    assert third.made == 0
