"""``spatimeinr evaluate --two-fits``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from commands import here, refused, run
from fits import QUICK, arguments
from napari_spatimeinr import Volume, phantom

FAST = arguments("motion.enabled=false", "latents.enabled=false", "planes.enabled=false")


@pytest.mark.slow
def test_evaluate_two_fits_writes_the_map_and_says_what_it_shows(tmp_path: Path) -> None:
    volume = phantom((4, 8, 24, 24), photons=60, seed=1)[0]
    path, target = volume.save(tmp_path / "cells.nii.gz"), tmp_path / "map.nii.gz"
    done = run("evaluate", path, *QUICK, "--two-fits", target, "--json")
    assert done.code == 0, done.err
    result = done.json
    assert (result["input"], result["output"]) == (str(path), str(target))
    assert (result["halves"], result["why"]) == ("noise", "")
    assert result["sentence"] in done.err
    assert 0 <= result["dark"] < result["bright"] <= 1
    written = Volume.open(target)
    assert written.shape == volume.shape
    np.testing.assert_allclose(written.spacing, volume.spacing, rtol=1e-6)
    assert written.units == volume.units
    assert np.abs(np.asarray(written.data)).max() <= 1


@pytest.mark.parametrize("name", ["map.ome.tif", "map.ome.zarr", "map.nii"])
def test_evaluate_two_fits_of_frames_in_every_format(
    recording_file: Path, tmp_path: Path, name: str
) -> None:
    target = tmp_path / name
    how = ("--two-fits", target, "--halves", "frames")
    done = here("evaluate", recording_file, *FAST, *how, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert "even and odd frames" in done.out
    written, whole = Volume.open(target), Volume.open(recording_file)
    assert written.shape == (2, *whole.shape[1:])
    np.testing.assert_allclose(written.grid.coordinates(0), whole.grid.coordinates(0)[1:3])


def test_wrong_use_of_two_fits_is_2(recording_file: Path, tmp_path: Path) -> None:
    given = ("--two-fits", tmp_path / "map.nii")
    for wrong, words in (
        (("--halves", "frames"), "--halves belongs to --two-fits"),
        (("--two-fits", tmp_path / "map.png"), "ends in .nii.gz, .ome.tif or .zarr"),
        (("--two-fits", recording_file), "choose another name"),
        ((*given, "--gaps", "2"), "one at a time"),
        ((*given, "--hold-out", "z"), "leave out --hold-out z"),
        ((*given, "--downstream"), "--downstream"),
    ):
        refused(here("evaluate", recording_file, *wrong), 2, words)
    assert here("evaluate", recording_file, *given, "--halves", "planes").code == 2
    assert not (tmp_path / "map.nii").exists()


def test_what_two_fits_cannot_be_made_of_is_1(tmp_path: Path) -> None:
    short = phantom((3, 6, 16, 16))[0].save(tmp_path / "short.nii")
    still = Volume(np.ones((4, 4, 8, 8), np.float32)).save(tmp_path / "still.nii")
    uneven = phantom((4, 6, 16, 16), kind="uneven")[0].save(tmp_path / "uneven.ome.tif")
    for path, name, words in (
        (short, "map.nii", "at least 4 frames, this recording has 3"),
        (still, "map.nii", "All intensities are equal"),
        (uneven, "map.tif", "cannot hold frames at irregular times"),
        (short, "missing/map.nii", "There is no folder"),
    ):
        how = ("--two-fits", tmp_path / name, "--halves", "frames", "--quiet")
        refused(here("evaluate", path, *how), 1, words)
