"""``spatimeinr embryo``."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from commands import Done, command, environment, here, interrupted, refused, run
from napari_spatimeinr import load
from napari_spatimeinr.embryo.phantom import embryo_phantom

RUN, CSV = "running_Emb1.txt", "Emb1_CellTracing.csv"
FEW_STEPS = (
    *("--set", "motion.steps=8", "--set", "motion.points=600", "--set", "motion.levels=2"),
    *("--set", "motion.gradual=false", "--set", "motion.smoothness=[0.02]"),
    *("--set", "hypotheses.steps=4", "--set", "hypotheses.width=4"),
    *("--set", "latents.enabled=false", "--set", "planes.enabled=false"),
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    embryo_phantom(folder, shape=(3, 6, 24, 32), spacing=(90, 1.5, 0.5, 0.5), cells=(8, 10))
    return folder


@pytest.fixture
def raw(original: Path, tmp_path: Path) -> Path:
    """A folder of an embryo's files, to be spoilt."""
    return shutil.copytree(original, tmp_path / "raw")


def out_of(raw: Path) -> Path:
    return raw.parent / "out"


def asked(raw: Path, *more: object) -> list[object]:
    out = out_of(raw)
    where = ("--config_file", raw / RUN, "--nii_path", out / "NII", "--opdir", out)
    return ["embryo", *where, "--preset", "fast", *FEW_STEPS, *more]


def told(done: Done, code: int, *words: str) -> None:
    """Check that the last line says in a sentence what is wrong; before are warnings."""
    assert done.code == code, done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    assert "nexpected" not in done.err
    assert done.lines[-1].startswith("spatimeinr: ")
    for word in words:
        assert word in done.lines[-1]


@pytest.mark.slow
def test_a_command_that_was_killed_goes_on(raw: Path) -> None:
    out, arguments = out_of(raw), asked(raw, "--time-scale", 6, "--json")
    state = out / "run.json"
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()
    )
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if state.exists() and len(json.loads(state.read_text())["seconds"]) >= 2:
            break
        time.sleep(0.02)
    assert process.poll() is None
    process.kill()
    process.wait(20)
    done_before = [int(n) for n in json.loads(state.read_text())["seconds"]]
    assert 2 <= len(done_before) < 13
    assert not (out / "times.csv").exists()
    assert not (out / "GUIData" / "Emb1").exists()
    kept = [out / "Emb1.spatimeinr"]
    for n in done_before:
        kept += [out / f"result/Emb1_{n:03}.nii.gz", out / f"NII/Emb1_{n:03}.nii.gz"]
    before = [path.stat().st_mtime_ns for path in kept]

    done = run(*arguments)
    assert done.code == 0, done.err
    assert done.json["time_points"] == list(range(1, 14))
    assert done.json["made"] == 13 - len(done_before)
    assert done.json["seconds_per_time_point"] > 0
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert len((out / "times.csv").read_text().splitlines()) == 14
    for folder in ("RawMemb", "SegCell"):
        assert len(list((out / "GUIData/Emb1" / folder).iterdir())) == 13
    left = [p.name for p in out.rglob("*") if p.name.startswith(".") or "partial" in p.name]
    assert left == []


@pytest.mark.slow
def test_ctrl_c_during_the_fit_keeps_it_and_the_same_command_goes_on(raw: Path) -> None:
    long = (
        *("--set", "latents.enabled=true", "--set", "latents.steps=1000000"),
        *("--set", "gate=false", "--time-budget", 20),
    )
    arguments = asked(raw, *long, "--json")
    # The pause is for a snapshot, which is taken every half second.
    stopped, _ = interrupted(*arguments, until="latents:", pause=1.5)
    assert stopped.code == 130, stopped.err
    assert "Traceback" not in stopped.err
    last = stopped.lines[-1]
    assert "what the fit has learned is kept, and it goes on from there" in last
    kept = load(out_of(raw) / "Emb1.spatimeinr")
    assert not kept.provenance.complete

    done = run(*arguments)
    assert done.code == 0, done.err
    assert any("was stopped before its end; it goes on" in line for line in done.lines)
    field = load(out_of(raw) / "Emb1.spatimeinr")
    assert field.provenance.complete
    assert field.provenance.resumed_from_steps == kept.provenance.steps
    assert done.json["made"] == 3


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--z-first", 2), 2, ("--z-first", "0 or 1")),
        (("--time-scale", 0), 2, ("--time-scale",)),
        (("--xy", -1), 2, ("--xy",)),
        (("--dt", "nan"), 2, ("--dt",)),
        (("--device", "tpu"), 2, ("--device",)),
        (("--preset", "quick"), 2, ("preset",)),
        (("--model", "none.spatimeinr"), 1, ("none.spatimeinr",)),
    ],
)
def test_what_is_asked_wrongly_is_told_and_leaves_nothing(
    raw: Path, more: tuple[object, ...], code: int, words: tuple[str, ...]
) -> None:
    told(here(*asked(raw, *more)), code, *words)
    assert not (out_of(raw)).exists()


def _no_run_file(raw: Path) -> None:
    (raw / RUN).unlink()


def _missing_slice(raw: Path) -> None:
    (raw / "Emb1_Raw" / "Emb1_002_p03.tif").unlink()


def _empty_csv(raw: Path) -> None:
    (raw / CSV).write_text("")


def _other_embryo(raw: Path) -> None:
    text = (raw / CSV).read_text().splitlines()
    rows = [line.split(",") for line in text[1:]]
    at = text[0].split(",").index("x")
    for row in rows:
        row[at] = "600"
    (raw / CSV).write_text("\n".join([text[0], *(",".join(row) for row in rows)]))


def _beyond(raw: Path) -> None:
    text = (raw / RUN).read_text()
    (raw / RUN).write_text(text.replace("[1, 2, 3]", "[1, 2, 3, 4]"))


def _no_lineage(raw: Path) -> None:
    head, *lines = (raw / CSV).read_text().splitlines()
    at = head.split(",").index("cell")
    rows = [line.split(",") for line in lines]
    for k, row in enumerate(rows):
        row[at] = f"Nuc{k}"
    (raw / CSV).write_text("\n".join([head, *(",".join(row) for row in rows)]))


def _names_alike(raw: Path) -> None:
    text = (raw / CSV).read_text()
    (raw / CSV).write_text(text.replace("ABar", "abal"))


def _name_with_slash(raw: Path) -> None:
    text = (raw / CSV).read_text()
    (raw / CSV).write_text(text.replace("ABar", "../../x"))


def _two_embryos(raw: Path) -> None:
    embryo_phantom(raw, "Emb2", shape=(1, 6, 24, 32), spacing=(90, 1.5, 0.5, 0.5), cells=(4, 4))
    text = (raw / RUN).read_text()
    text = text.replace("raw_path=Emb1_Raw", f"raw_path={raw}").replace(
        "rootname=Emb1_", "rootname=E"
    )
    (raw / RUN).write_text(text)


def _a_file_in_the_way(raw: Path) -> None:
    (out_of(raw)).write_text("mine")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_no_run_file, ("running_Emb1.txt", "does not exist")),
        (_missing_slice, ("time point 2",)),
        (_empty_csv, ("is empty",)),
        (_other_embryo, ("lie outside", "tracing of this embryo")),
        (_beyond, ("4",)),
        (_no_lineage, ("no cell of the lineage",)),
        (_names_alike, ("ABal and abal", "capital letters")),
        (_name_with_slash, ("../../x", "rename it")),
        (_two_embryos, ("those of Emb1_ and Emb2_", "check rootname")),
        (_a_file_in_the_way, ("out",)),
    ],
)
def test_bad_files_are_told_and_leave_nothing(
    raw: Path, spoil: object, words: tuple[str, ...]
) -> None:
    spoil(raw)  # type: ignore[operator]
    told(here(*asked(raw)), 1, *words)
    assert not (out_of(raw)).is_dir()


def test_options_that_are_lacking_are_wrong_use(raw: Path) -> None:
    done = here("embryo", "--config_file", (raw / RUN))
    assert done.code == 2


def test_nothing_is_taken_for_granted_in_silence(raw: Path) -> None:
    text = (raw / RUN).read_text().splitlines()
    (raw / RUN).write_text("\n".join(x for x in text if not x.startswith(("xy=", "z=", "dt="))))
    done = here(*asked(raw, "--model", "none.spatimeinr", "--xy", 0.5))
    said = "\n".join(done.lines)
    assert "The pixel is 0.5 um, as given." in said
    assert "The distance of slices is taken as 1.5 um" in said
    assert "The frame interval is taken as 90 s" in said
    refused_run = here(*asked(raw, "--z-first", 3))
    refused(refused_run, 2, "--z-first")
