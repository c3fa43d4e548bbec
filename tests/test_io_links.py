"""Links as inputs and outputs: what they lead to is read and replaced, and they stay links."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_spatimeinr import checkpoint
from napari_spatimeinr.errors import FormatError, SaveError
from napari_spatimeinr.io import describe, read, write
from napari_spatimeinr.io.atomic import replaced
from napari_spatimeinr.volume import Volume

NAMES = ["a.nii", "a.nii.gz", "a.tif", "a.ome.tif", "a.ome.zarr"]
SMALL = np.random.default_rng(0).integers(0, 60000, (3, 2, 5, 6)).astype("u2")
MADE = {"spatimeinr": {"seed": 3}}


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of the real things, and one of links."""
    for name in ("real", "links"):
        (tmp_path / name).mkdir()
    return tmp_path / "real", tmp_path / "links"


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_what_a_link_leads_to_is_replaced(
    places: tuple[Path, Path], name: str, relative: bool
) -> None:
    real, links = places
    link = links / f"link{name[1:]}"
    write(Volume(SMALL, metadata=MADE), real / name)
    link.symlink_to(Path("..", "real", name) if relative else real / name)
    whole = names(real)
    assert np.array_equal(read(link).data[:], SMALL)
    assert read(link).metadata["spatimeinr"] == MADE["spatimeinr"]
    new = {"spatimeinr": {"seed": 4, "seconds": 2.5}}
    write(Volume(SMALL + 1, metadata=new), link)
    assert link.is_symlink()
    assert not (real / name).is_symlink()
    for path in (link, real / name):
        found = read(path)
        assert np.array_equal(found.data[:], SMALL + 1)
        assert found.metadata["spatimeinr"]["seed"] == 4
        assert "zarr" in name or found.metadata["spatimeinr"]["seconds"] == 2.5, (
            "the file beside is found from both"
        )
    assert names(links) == [link.name]
    assert names(real) == whole


@pytest.mark.parametrize("name", NAMES)
def test_a_link_that_leads_to_nothing_yet(places: tuple[Path, Path], name: str) -> None:
    real, links = places
    (links / name).symlink_to(real / name)
    with pytest.raises(FormatError, match="does not exist"):
        read(links / name)
    write(Volume(SMALL), links / name)
    assert (links / name).is_symlink()
    assert names(real) == [name]
    assert np.array_equal(read(links / name).data[:], SMALL)


@pytest.mark.parametrize("name", NAMES)
def test_links_that_lead_nowhere(places: tuple[Path, Path], name: str) -> None:
    real, links = places
    (links / name).symlink_to(real / "missing" / name)
    with pytest.raises(
        SaveError,
        match=rf"{name} cannot be written because the folder .*real/missing does not exist",
    ):
        write(Volume(SMALL), links / name)
    (links / name).unlink()
    (links / name).symlink_to(links / f"b{name}")
    (links / f"b{name}").symlink_to(links / name)
    with pytest.raises(SaveError, match="leads back to itself"):
        write(Volume(SMALL), links / name)
    with pytest.raises(FormatError):
        read(links / name)
    assert names(links) == sorted([name, f"b{name}"])
    assert names(real) == []


def test_frame_times_are_found_from_the_file_and_from_a_link_to_it(
    places: tuple[Path, Path],
) -> None:
    real, links = places
    (links / "b.nii").symlink_to(real / "a.nii")
    write(Volume(SMALL, (1, 1, 2, 2), times=(0.0, 1.0, 5.0)), links / "b.nii")
    assert read(real / "a.nii").grid.times == (0.0, 1.0, 5.0) == read(links / "b.nii").grid.times
    assert names(real) == ["a.json", "a.nii"]
    assert names(links) == ["b.nii"]


def test_a_file_beside_a_link_goes_before_the_one_beside_the_file(
    places: tuple[Path, Path],
) -> None:
    """As in data sets whose files are links into a store."""
    real, links = places
    write(Volume(SMALL, (1, 1, 2, 2)), real / "0f3a.nii")
    (links / "b.nii").symlink_to(real / "0f3a.nii")
    (links / "b.json").write_text('{"times": [0, 2, 3]}')
    assert read(links / "b.nii").grid.times == (0.0, 2.0, 3.0)
    write(Volume(SMALL, (1, 1, 2, 2), times=(0.0, 1.0, 5.0)), links / "b.nii")
    assert read(links / "b.nii").grid.times == (0.0, 1.0, 5.0)
    assert names(real) == ["0f3a.nii"]


def test_a_link_to_a_folder_is_no_file(places: tuple[Path, Path]) -> None:
    real, links = places
    for name in ("a.nii", "a.tif"):
        (links / name).symlink_to(real)
        with pytest.raises(SaveError, match="is a folder"):
            write(Volume(SMALL), links / name)
    (links / "a.spatimeinr").symlink_to(real)
    with pytest.raises(SaveError, match="is a folder"):
        checkpoint.write(links / "a.spatimeinr", {}, {}, SMALL)
    assert names(real) == []


def test_a_series_in_a_folder_that_is_a_link(places: tuple[Path, Path]) -> None:
    real, links = places
    (links / "frames").symlink_to(real)
    write(Volume(SMALL), links / "frames" / "e_{t}.nii")
    assert names(real) == ["e.json", "e_1.nii", "e_2.nii", "e_3.nii"]
    assert (links / "frames").is_symlink()
    assert np.array_equal(read(links / "frames").data[:], SMALL)


@pytest.mark.parametrize("on_another_disk", [False, True])
def test_files_of_a_series_that_are_links(
    places: tuple[Path, Path], on_another_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, links = places
    write(Volume(SMALL), links / "e_{t}.nii")
    (links / "e_2.nii").rename(real / "two.nii")
    (links / "e_2.nii").symlink_to(real / "two.nii")
    if on_another_disk:

        def other_disk(source: Path, target: Path) -> None:
            if source.parent.parent == links and target.parent == real:
                raise OSError(18, "Invalid cross-device link")
            replaced(source, target)

        monkeypatch.setattr("napari_spatimeinr.io.nifti.series.replaced", other_disk)
    write(Volume(SMALL + 1), links / "e_{t}.nii")
    assert (links / "e_2.nii").is_symlink()
    assert names(real) == ["two.nii"]
    assert np.array_equal(read(links).data[:], SMALL + 1)
    assert np.array_equal(read(real / "two.nii").data[0], SMALL[1] + 1)
    assert names(links) == ["e.json", "e_1.nii", "e_2.nii", "e_3.nii"]


def test_models_through_links(places: tuple[Path, Path]) -> None:
    real, links = places
    (links / "m.spatimeinr").symlink_to(real / "model.spatimeinr")
    for seed in (1, 2):
        checkpoint.write(links / "m.spatimeinr", {"seed": seed}, {}, SMALL)
        assert checkpoint.read_header(real / "model.spatimeinr")["seed"] == seed
        assert checkpoint.read_header(links / "m.spatimeinr")["seed"] == seed
    assert (links / "m.spatimeinr").is_symlink()
    assert names(links) == ["m.spatimeinr"]
    assert names(real) == ["model.spatimeinr"]


def test_a_folder_of_links_is_read(places: tuple[Path, Path]) -> None:
    real, links = places
    write(Volume(SMALL), real / "e_{t}.nii")
    for k in (1, 2, 3):
        (links / f"t{k}.nii").symlink_to(real / f"e_{k}.nii")
    assert np.array_equal(read(links).data[:], SMALL)
    assert describe(links)["shape"] == [3, 2, 5, 6]
