"""``spatimeinr evaluate --gaps``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from commands import here, refused
from fits import arguments
from napari_spatimeinr import phantom

FAST = arguments("motion.enabled=false", "latents.enabled=false", "planes.enabled=false")


def test_evaluate_gaps_says_which_frames_would_have_been_enough(
    recording_file: Path, tmp_path: Path
) -> None:
    drawn = find_spec("matplotlib") is not None
    picture = tmp_path / "plan.png"
    how = ("--picture", picture) if drawn else ()
    done = here(
        "evaluate", recording_file, *FAST, "--gaps", "3,2,9", "--quality", 5, *how, "--json"
    )
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 1
    result = done.json
    assert result["input"] == str(recording_file)
    assert [row["gap"] for row in result["gaps"]] == [2, 3]
    assert result["enough"] == {"gap": 3, "interval": 180.0, "light": pytest.approx(1 / 3)}
    assert (result["wanted_db"], result["asked"]) == (5.0, True)
    assert "Every 3rd frame would have been enough for 5.0 dB" in result["sentence"]
    assert result["sentence"] in done.err
    assert "Every 9th frame was not tried" in result["left_out"][0]
    assert result["one_more_frame"]["frames"][1] == result["one_more_frame"]["frames"][0] + 1
    if drawn:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert result["picture"] == str(picture)


def test_wrong_use_of_gaps_is_2(recording_file: Path, tmp_path: Path) -> None:
    for wrong, words in (
        (("--gaps", "1,2"), "whole numbers from 2"),
        (("--gaps", "2.5"), "whole numbers from 2"),
        (("--gaps", "two"), "2,3,4,6"),
        (("--gaps", "2", "--quality", "-3"), "--quality must be a positive"),
        (("--quality", "30"), "--quality belongs to --gaps"),
        (("--picture", "a.png"), "--picture belongs to --gaps"),
        (("--gaps", "2", "--picture", tmp_path / "a.jpg"), "ends in .png"),
        (("--gaps", "2", "--hold-out", "z"), "leave out --hold-out z"),
        (("--gaps", "2", "--downstream"), "--downstream"),
    ):
        refused(here("evaluate", recording_file, *wrong), 2, words)


def test_too_few_frames_for_every_gap_is_1(tmp_path: Path) -> None:
    path = phantom((2, 6, 16, 16))[0].save(tmp_path / "two.nii")
    refused(here("evaluate", path, "--gaps", "2,3"), 1, "this recording has 2")
