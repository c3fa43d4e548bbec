"""``spatimeinr render --part``: processes that render at once, are killed, and are called again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from commands import Done, command, environment, here, refused
from fits import LEAST
from napari_spatimeinr import Field, Volume, fit
from part_renders import (
    CHUNK,
    CHUNKS,
    OPTIONS,
    files,
    levels,
    names,
    options,
    part,
    rendering,
    started,
)

pytestmark = pytest.mark.slow


def same_as(whole: Path, target: Path) -> None:
    """Every level has the bits that one process rendered, read by the library alone."""
    ours, theirs = levels(target), levels(whole)
    assert len(ours) == len(theirs) == 2
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def ended(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=200)
    return Done(process.returncode, out, err)


def done_in(target: Path) -> int:
    """How many pieces have markers; 0 before there is anything."""
    try:
        return len(os.listdir(target.with_name(target.name + ".parts") / "done"))
    except FileNotFoundError:
        return 0


def until(target: Path, number: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many pieces have markers."""
    while done_in(target) < number:
        assert process.poll() is None
        time.sleep(0.005)


def test_three_parts_at_once_are_one_image(model: Path, whole: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.ome.zarr"
    with started(*[(model, target, f"{k}/3") for k in (1, 2, 3)]) as processes:
        ends = [ended(process) for process in processes]
    assert [end.code for end in ends] == [0, 0, 0], [end.err for end in ends]
    assert sum(end.json["rendered"] for end in ends) == CHUNKS
    assert sum(end.json["chunks"] for end in ends) == CHUNKS
    assert any(end.json["complete"] for end in ends)
    assert names(tmp_path) == ["a.ome.zarr"]
    same_as(whole, target)
    assert Volume.open(target).metadata["spatimeinr"] == Volume.open(whole).metadata["spatimeinr"]


def test_a_part_that_was_killed_is_called_again(model: Path, whole: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.ome.zarr"
    other = part(model, target, "2/2")
    assert other.code == 0, other.err
    assert other.json["left"] == CHUNKS // 2
    for more in (3, 6):
        before = done_in(target)
        with started((model, target, "1/2")) as (process,):
            until(target, before + more, process)
            process.kill()
    there = done_in(target) - CHUNKS // 2
    again = part(model, target, "1/2")
    assert again.code == 0, again.err
    assert again.json["rendered"] == CHUNKS // 2 - there
    assert again.json["complete"]
    assert names(tmp_path) == ["a.ome.zarr"]
    same_as(whole, target)


def test_two_of_the_same_part_share_it(model: Path, whole: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.ome.zarr"
    with started((model, target, "1/1"), (model, target, "1/1")) as processes:
        ends = [ended(process) for process in processes]
    assert [end.code for end in ends] == [0, 0], [end.err for end in ends]
    # What one was at when the other had nothing else left may be done by both.
    assert CHUNKS <= sum(end.json["rendered"] for end in ends) <= CHUNKS + 1
    assert any(end.json["complete"] for end in ends)
    assert names(tmp_path) == ["a.ome.zarr"]
    same_as(whole, target)


def test_the_script_of_a_plan_renders_all(
    every_part: Field, model: Path, whole: Path, tmp_path: Path
) -> None:
    """Run as an array by a shell, with ``spatimeinr`` a command that it finds."""
    target = tmp_path / "a b.ome.zarr"
    chunk = ",".join(map(str, CHUNK))
    done = here("render", model, "-o", target, *OPTIONS, "--chunk", chunk, "--plan", "--json")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 1
    assert names(tmp_path) == []
    facts = done.json
    text = facts["script"]
    assert text in done.err
    assert facts["chunks"] == CHUNKS == len(rendering(every_part, target).pieces)
    assert f"# {CHUNKS} chunks of 1 x 3 x 128 x 128" in text
    assert f"#SBATCH --array=1-{facts['parts']}\n" in text
    assert text.endswith(f'"$SLURM_ARRAY_TASK_ID/{facts["parts"]}"')
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "spatimeinr"
    program.write_text(f'#!/bin/sh\nexec {" ".join(command())} "$@"\n')
    program.chmod(0o755)
    (tmp_path / "job.sh").write_text(text)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    for k in range(1, facts["parts"] + 1):
        how = environment(PATH=path, SLURM_ARRAY_TASK_ID=str(k), SLURM_CPUS_PER_TASK="1")
        subprocess.run(["bash", tmp_path / "job.sh"], check=True, env=how, timeout=200)
    same_as(whole, target)


HOSTILE = [
    (["--part", "0/4"], "like 1/4, got '0/4'"),
    (["--part", "5/4"], "like 1/4, got '5/4'"),
    (["--part", "a/b"], "like 1/4, got 'a/b'"),
    (["--part", "-1/4"], "like 1/4, got '-1/4'"),
    (["--part", "1/4", "--plan"], "leave out one of them"),
    (["--chunk", "1,6,64,64"], "add for example --part 1/1"),
    (["--part", "1/4", "--chunk", "1,6,64"], "--chunk takes numbers"),
    (["--part", "1/4", "--chunk", "1,6,64,0.5"], "whole numbers from 1 on"),
    (["--part", "1/4", "--shard", "1,32,256,512"], "no shards"),
    (
        ["--plan", "--zarr-version", "0.5", "--chunk", "1,6,64,64", "--shard", "1,6,100,128"],
        "would split a shard",
    ),
    (["--part", "1/4", "--trust", "b.ome.zarr"], "render it by itself with --quantity"),
]


@pytest.mark.parametrize(("wrong", "said"), HOSTILE)
def test_wrong_use_is_2_and_one_sentence(
    wrong: list[str], said: str, model: Path, tmp_path: Path
) -> None:
    refused(here("render", model, "-o", tmp_path / "a.ome.zarr", *wrong, "--quiet"), 2, said)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["a.nii.gz", "a.ome.tif", "a_{t}.nii"])
@pytest.mark.parametrize("how", [["--part", "1/2"], ["--plan"]])
def test_other_formats_have_no_parts(
    name: str, how: list[str], model: Path, tmp_path: Path
) -> None:
    done = here("render", model, "-o", tmp_path / name, *how)
    refused(done, 2, f"{how[0]} is for OME-Zarr")


def test_other_options_than_it_was_begun_with_are_1(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.ome.zarr"
    words = options(model, target, "1/9")
    assert here(*words).code == 0
    before = files(tmp_path)
    done = here(*(8 if word == "uint16" else word for word in words), "--quiet")
    assert done.code == 2
    done = here(*("uint8" if word == "uint16" else word for word in words), "--quiet")
    refused(done, 1, "was begun in parts as another rendering (dtype uint16, now uint8)")
    assert files(tmp_path) == before


@pytest.mark.skipif(
    not os.path.isdir("/sys/kernel"), reason="needs a folder that is read-only even for root"
)
def test_a_place_that_cannot_be_written_is_1(model: Path, tmp_path: Path) -> None:
    read_only = Path("/sys/kernel/a.ome.zarr")
    refused(here(*options(model, read_only, "1/2"), "--quiet"), 1, str(read_only), "choose another")
    missing = tmp_path / "none" / "a.ome.zarr"
    refused(here(*options(model, missing, "1/2"), "--quiet"), 1, "There is no folder")


SMALL_DISK = """
mount -t tmpfs -o size=300k tmpfs "$1" || exit 77
shift; rest=$1; shift
"$@" > /dev/null 2> "$rest/said"; echo $? >> "$rest/said"
mount -o remount,size=50m "$OLDPWD" && "$@" && cp -r "$OLDPWD/a.ome.zarr" "$rest"
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs a small disk")
def test_a_disk_that_was_full_loses_nothing(model: Path, whole: Path, tmp_path: Path) -> None:
    """One sentence; once there is room, the same call does the rest."""
    disk, rest = tmp_path / "disk", tmp_path / "rest"
    disk.mkdir()
    rest.mkdir()
    call = command(*options(model, disk / "a.ome.zarr", "1/1"), "--quiet")
    script = SMALL_DISK.replace("$OLDPWD", str(disk))
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", str(disk), str(rest), *call],
        capture_output=True,
        text=True,
        timeout=200,
        env=environment(),
    )
    if not (rest / "said").exists():
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    sentence, code = (rest / "said").read_text().splitlines()
    assert code == "1"
    assert "disk is full" in sentence
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout)["rendered"] < CHUNKS
    same_as(whole, rest / "a.ome.zarr")


def test_a_linked_model_renders_in_parts_and_not_over_its_recording(
    recording: Volume, tmp_path: Path
) -> None:
    source = recording.save(tmp_path / "recording.ome.zarr")
    model = fit(Volume.open(source), config=LEAST, device="cpu").save(
        tmp_path / "m.spatimeinr", link=True
    )
    before = files(source)
    refused(here(*options(model, source, "1/1"), "--quiet"), 2, "is read from")
    assert files(source) == before
    assert here(*options(model, tmp_path / "a.ome.zarr", "1/99")).code == 0
    moved = source.rename(tmp_path / "moved.ome.zarr")
    rest = options(model, tmp_path / "a.ome.zarr", "1/1")
    done = here(*rest, "--source", moved)
    assert done.code == 0, done.err
    assert done.json["complete"]
