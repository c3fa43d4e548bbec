"""Run files: key=value, time points, and paths of any system."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr.embryo.runfile import (
    RunFile,
    found,
    read_runfile,
    time_points,
    write_runfile,
)
from napari_spatimeinr.errors import FormatError, InputError

TEXT = """rootname=Emb1_
CD_file=confs/Emb1_CellTracing.csv
time_point=[30]
ori_shape=(512,712,68)
raw_path=data/Emb1_Raw
data_shape=(256,356,160)
scale=255.0
"""


def tree(path: Path) -> Path:
    """The folders of the published example, and its run file."""
    (path / "data" / "Emb1_Raw").mkdir(parents=True)
    (path / "confs").mkdir()
    (path / "confs" / "Emb1_CellTracing.csv").write_text("x")
    file = path / "confs" / "running_Emb1.txt"
    file.write_text(TEXT)
    return file


def test_the_published_run_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tree(tmp_path)
    run = read_runfile(file)
    assert run.rootname == "Emb1_"
    assert run.time_points == (30,)
    assert run.ori_shape == (512, 712, 68)
    assert run.data_shape == (256, 356, 160)
    assert run.scale == 255
    assert (run.xy, run.z, run.dt) == (None, None, None)
    for folder in (tmp_path, tmp_path / "confs", Path(os.sep)):
        monkeypatch.chdir(folder)
        assert run.slices().samefile(tmp_path / "data" / "Emb1_Raw")
        assert run.tracing().samefile(tmp_path / "confs" / "Emb1_CellTracing.csv")


@pytest.mark.parametrize(
    "written",
    [
        "data/Emb1_Raw",
        "data\\Emb1_Raw",
        ".\\data\\Emb1_Raw\\",
        "./data/Emb1_Raw/",
        '"data/Emb1_Raw"',
    ],
)
def test_slashes_of_either_kind(tmp_path: Path, written: str) -> None:
    file = tree(tmp_path)
    assert found(written, tmp_path / "running.txt", "raw_path").is_dir()
    assert found(written, file, "raw_path").is_dir(), "from the folder above that of the run file"


def test_paths_that_lead_nowhere_or_to_two_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tree(tmp_path)
    with pytest.raises(FormatError, match=r"raw_path=raw, which does not exist, neither in"):
        found("raw", file, "raw_path")
    with pytest.raises(FormatError, match=r"which does not exist; correct it\."):
        found(str(tmp_path / "raw"), file, "raw_path")
    (tmp_path / "raw").mkdir()
    (tmp_path / "confs" / "raw").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError, match="there twice"):
        found("raw", file, "raw_path")


def test_a_path_of_a_drive_is_told_where_there_are_none() -> None:
    words = "which does not exist" if os.name == "nt" else "a path of Windows"
    with pytest.raises(FormatError, match=words):
        found("C:\\data\\Emb1_Raw", None, "raw_path")


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("[30]", (30,)),
        ("30", (30,)),
        ("[3, 1,2,]", (1, 2, 3)),
        ("1,2", (1, 2)),
        ("(5,6)", (5, 6)),
        ("1-4", (1, 2, 3, 4)),
        ("[1:3, 7]", (1, 2, 3, 7)),
        ("1..3", (1, 2, 3)),
        ("range(1, 4)", (1, 2, 3)),
        ("list(range(1,8,3))", (1, 4, 7)),
        ("range(3)", None),
        ("[]", None),
        ("", None),
        ("4-1", None),
        ("1.5", None),
        ("a", None),
        ("1-999999999", None),
    ],
)
def test_time_points_as_list_or_range(text: str, points: tuple[int, ...] | None) -> None:
    if points is None:
        with pytest.raises(InputError, match="time_point"):
            time_points(text)
    else:
        assert time_points(text) == points


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("rootname=Emb1_\n", ""), "does not say rootname"),
        (("time_point=[30]", "time_point=thirty"), "time_point is a list"),
        (("(512,712,68)", "(512,712)"), "ori_shape is three sizes"),
        (("(256,356,160)", "(256,356,0)"), "at least 1"),
        (("scale=255.0", "scale=-1"), "scale is a positive number"),
        (("scale=255.0", "scale=255\nscale=1"), "says scale twice"),
        (("scale=255.0", "255.0"), "Line 7"),
    ],
)
def test_what_is_no_run_file_is_refused_in_a_sentence(tmp_path: Path, change, words) -> None:
    file = tree(tmp_path)
    file.write_text(TEXT.replace(*change))
    with pytest.raises(FormatError) as caught:
        read_runfile(file)
    assert words in str(caught.value)
    assert str(file) in str(caught.value)
    assert str(caught.value).endswith(".")


def test_comments_blanks_and_further_keys(tmp_path: Path) -> None:
    file = tree(tmp_path)
    file.write_text("# a comment\n\n" + TEXT.replace("=", " = ") + "xy=0.3 # um\nlambda=2\n")
    run = read_runfile(file)
    assert run.xy == 0.3
    assert run.others == {"lambda": "2"}


NAMES = st.text("abcEmb_190plc", min_size=1, max_size=12)
SHAPES = st.none() | st.tuples(*[st.integers(1, 2000)] * 3)


@settings(max_examples=50, deadline=None)
@given(
    NAMES,
    st.sets(st.integers(0, 1200), min_size=1, max_size=30),
    SHAPES,
    SHAPES,
    st.none() | st.floats(1e-3, 1e3),
)
def test_what_is_written_is_read_again(name, points, ori, data, xy) -> None:
    given = RunFile(name, "a\\b.csv", f"data/{name}", tuple(sorted(points)), ori, data, 255.0, xy)
    with tempfile.TemporaryDirectory() as folder:
        found_again = read_runfile(write_runfile(Path(folder) / "running.txt", given))
    assert found_again.cd_file == "a/b.csv"
    for key in ("rootname", "time_points", "ori_shape", "data_shape", "scale", "xy", "raw_path"):
        assert getattr(found_again, key) == getattr(given, key), key
