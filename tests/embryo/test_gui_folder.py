"""The folder of ITK-SNAP-CVE, read again with csv and nibabel."""

from __future__ import annotations

import csv

import nibabel as nib
import numpy as np
import pytest

from napari_spatimeinr.embryo import dictionary, guidata
from napari_spatimeinr.embryo.guidata.layout import Layout
from napari_spatimeinr.embryo.measure import measure
from napari_spatimeinr.errors import FormatError, InputError, SaveError
from napari_spatimeinr.io import staging

SPACING, ORIGIN = (0.5, 0.2, 0.3), (0.05, 0.02, 0.03)


def frames():
    """A mother, her two daughters beside a third cell, and the same with the daughters apart."""
    mother = np.zeros((16, 20, 24), np.uint16)
    mother[4:12, 4:16, 4:12], mother[4:12, 4:16, 12:20] = 1, 2
    after = mother.copy()
    after[mother == 1] = 3
    after[4:8, 4:16, 4:12] = 4
    apart = after.copy()
    apart[7:9, 4:16, 4:12] = 0
    return [mother, after, apart, after]


def named(folder):
    """Labels 1 to 4: those of the first frame come first."""
    dictionary.extend(folder / dictionary.FILE, ["ABa", "ABp"])
    return dictionary.extend(folder / dictionary.FILE, ["ABal", "ABar"])


def written(folder, last=4, **how):
    names = named(folder)
    with guidata.writing(folder, "Emb1", last, names, SPACING, ORIGIN, **how) as out:
        while out.following <= last:
            n = out.following
            labels = frames()[(n - 1) % 4]
            traced = ["ABa", "ABp"] if n == 1 else ["ABp", "ABal", "ABar", "ABa"]
            out.put(labels, labels * np.float32(0.5), traced, ["ABa"])
    return folder / "Emb1"


def table(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def test_every_file_of_the_format_is_there_and_no_other(tmp_path):
    place = written(tmp_path)
    expected = {"Emb1_lifescycle.csv", "Emb1_volume.csv", "Emb1_surface.csv", "Emb1_Stat.csv"}
    for n in range(1, 5):
        expected |= {
            f"RawMemb/Emb1_00{n}.nii.gz",
            f"SegCell/Emb1_00{n}.nii.gz",
            f"TPCell/Emb1_00{n}_cells.txt",
            f"GuiNeighbor/Emb1_00{n}_guiNeighbor.txt",
            f"DivisionCell/Emb1_00{n}_division.txt",
            f"LostCell/Emb1_00{n}_lostCell.txt",
        }
    there = {str(p.relative_to(place).as_posix()) for p in place.rglob("*") if p.is_file()}
    assert there == expected
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Emb1", "name_dictionary.csv"]


def test_volumes_have_the_axes_y_x_z_and_the_real_affine(tmp_path):
    place = written(tmp_path)
    for kind in ("RawMemb", "SegCell"):
        image = nib.load(place / kind / "Emb1_002.nii.gz")
        assert image.shape == (20, 24, 16)
        np.testing.assert_allclose(image.affine[:3, :3], np.diag([0.2, 0.3, 0.5]), atol=1e-6)
        np.testing.assert_allclose(image.affine[:3, 3], [0.02, 0.03, 0.05], atol=1e-6)
        assert image.header.get_xyzt_units()[0] == "micron"
    labels = nib.load(place / "SegCell" / "Emb1_002.nii.gz")
    assert labels.get_data_dtype() == np.uint16
    np.testing.assert_array_equal(np.asarray(labels.dataobj).transpose(2, 0, 1), frames()[1])


def test_lines_of_text_files_are_labels(tmp_path):
    place = written(tmp_path)
    read = lambda kind, end, n: (place / kind / f"Emb1_00{n}{end}.txt").read_text()  # noqa: E731
    assert read("TPCell", "_cells", 1) == "1,2\n"
    assert read("TPCell", "_cells", 2) == "2,3,4\n"
    assert read("GuiNeighbor", "_guiNeighbor", 1) == "1,2\n2,1\n"
    assert read("GuiNeighbor", "_guiNeighbor", 3) == "2,3,4\n3,2\n4,2\n"
    assert read("DivisionCell", "_division", 1) == "1\n"
    assert read("DivisionCell", "_division", 2) == "\n"
    assert read("LostCell", "_lostCell", 1) == "\n"
    assert read("LostCell", "_lostCell", 2) == "1\n"


def test_tables_over_time_agree_with_the_labels(tmp_path):
    place = written(tmp_path)
    assert table(place / "Emb1_lifescycle.csv") == [
        ["1", "1"], ["2", "1", "2", "3", "4"], ["3", "2", "3", "4"], ["4", "2", "3", "4"],
    ]  # fmt: skip
    head, *rows = table(place / "Emb1_volume.csv")
    assert head == ["", "ABa", "ABp", "ABal", "ABar"]
    for n, (row, labels) in enumerate(zip(rows, frames(), strict=True), 1):
        voxels = [np.count_nonzero(labels == label) for label in (1, 2, 3, 4)]
        assert row[0] == str(n)
        assert row[1:] == [f"{v * 0.03:.4f}" if v else "" for v in voxels]
    head, *rows = table(place / "Emb1_surface.csv")
    first = measure(frames()[0], SPACING)
    assert rows[0][1:] == [f"{first.cells[1].surface:.4f}", f"{first.cells[2].surface:.4f}", "", ""]


def test_contacts_are_empty_before_they_begin_and_0_where_cells_part_between(tmp_path):
    place = written(tmp_path)
    head, *rows = table(place / "Emb1_Stat.csv")
    assert head == ["cell1", "cell2", "1", "2", "3", "4"]
    by_pair = {(row[0], row[1]): row[2:] for row in rows}
    assert by_pair.keys() == {("ABa", "ABp"), ("ABp", "ABal"), ("ABp", "ABar"), ("ABal", "ABar")}
    assert by_pair["ABa", "ABp"][1:] == ["", "", ""]
    sisters = by_pair["ABal", "ABar"]
    assert sisters[0] == ""
    assert sisters[2] == "0"
    assert float(sisters[1]) == float(sisters[3]) > 1


def test_numbers_beyond_999_have_four_digits_in_all_files(tmp_path):
    layout = Layout(tmp_path, "Emb1", 1200)
    assert layout.at("SegCell", 7).name == "Emb1_0007.nii.gz"
    assert layout.at("TPCell", 1200).name == "Emb1_1200_cells.txt"
    assert Layout(tmp_path, "Emb1", 999).at("RawMemb", 7).name == "Emb1_007.nii.gz"


def killed_after_two(folder, names):
    with guidata.writing(folder, "Emb1", 4, names, SPACING, ORIGIN, {"run": 1}) as out:
        out.put(frames()[0], frames()[0], ["ABa", "ABp"], ["ABa"])
        out.put(frames()[1], frames()[1])
        raise KeyboardInterrupt


def test_a_killed_export_leaves_no_folder_and_is_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "MARK_EVERY", 0.0)
    names = named(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        killed_after_two(tmp_path, names)
    assert not (tmp_path / "Emb1").exists()
    assert guidata.embryos(tmp_path) == []
    with guidata.writing(tmp_path, "Emb1", 4, names, SPACING, ORIGIN, {"run": 1}) as out:
        assert out.following == 3
        out.put(frames()[2], frames()[2])
        out.put(frames()[3], frames()[3])
    (tmp_path / "other").mkdir()
    whole = written(tmp_path / "other")
    for kind in ("lifescycle", "volume", "surface", "Stat"):
        name = f"Emb1_{kind}.csv"
        assert (tmp_path / "Emb1" / name).read_text() == (whole / name).read_text()


def test_a_folder_with_missing_time_points_is_not_written(tmp_path):
    names = dictionary.extend(tmp_path / dictionary.FILE, ["ABa", "ABp"])
    with (
        pytest.raises(InputError, match="Time points 2 to 3 have not been written"),
        guidata.writing(tmp_path, "Emb1", 3, names, SPACING) as out,
    ):
        out.put(frames()[0], frames()[0])
    assert [p.name for p in tmp_path.iterdir()] == [dictionary.FILE]


def test_labels_without_names_shapes_that_differ_and_foreign_folders_are_refused(tmp_path):
    names = {"ABa": 1}
    with (
        pytest.raises(InputError, match="The labels 2 have no names"),
        guidata.writing(tmp_path, "Emb1", 1, names, SPACING) as out,
    ):
        out.put(frames()[0], frames()[0])
    with (
        pytest.raises(InputError, match="both are of one grid"),
        guidata.writing(tmp_path, "Emb1", 1, names, SPACING) as out,
    ):
        out.put(frames()[0], frames()[0][1:])
    with (
        pytest.raises(InputError, match="The cells MS have no labels"),
        guidata.writing(tmp_path, "Emb1", 1, names, SPACING) as out,
    ):
        out.put(np.minimum(frames()[0], 1), frames()[0], ["MS"])
    (tmp_path / "Emb1").mkdir()
    (tmp_path / "Emb1" / "thesis.txt").write_text("mine")
    with (
        pytest.raises(SaveError, match="in the way"),
        guidata.writing(tmp_path, "Emb1", 1, names, SPACING),
    ):
        pass
    assert (tmp_path / "Emb1" / "thesis.txt").read_text() == "mine"


def test_what_was_written_is_read_as_labels_with_names(tmp_path):
    place = written(tmp_path)
    for folder, embryo in ((tmp_path, None), (place, None), (tmp_path, "Emb1")):
        found = guidata.open_folder(folder, embryo)
        assert (found.embryo, found.numbers) == ("Emb1", [1, 2, 3, 4])
        assert found.names == {1: "ABa", 2: "ABp", 3: "ABal", 4: "ABar"}
        assert found.spacing == pytest.approx(SPACING)
    np.testing.assert_array_equal(found.labels[...], frames())
    np.testing.assert_array_equal(found.labels[1, 3, :, 2:9], frames()[1][3, :, 2:9])
    np.testing.assert_array_equal(found.membranes[2], frames()[2] * 0.5)
    assert found.listed("GuiNeighbor", 1) == [[1, 2], [2, 1]]
    assert found.listed("LostCell", 1) == []


def test_a_folder_of_another_tool_with_floats_and_identity_affine_is_read(tmp_path):
    for kind in ("SegCell", "RawMemb"):
        (tmp_path / "Emb5" / kind).mkdir(parents=True)
        for n in (9, 10):
            data = np.zeros((4, 5, 3), np.float32)
            data[1, 2, 1] = 7
            nib.save(
                nib.Nifti1Image(data, np.eye(4)), tmp_path / "Emb5" / kind / f"Emb5_{n:03}.nii.gz"
            )
    (tmp_path / "name_dictionary.csv").write_text(",0\n7.0,ABal\n")
    found = guidata.open_folder(tmp_path)
    assert found.numbers == [9, 10]
    assert found.labels.dtype == np.uint16
    assert found.labels[0][1, 1, 2] == 7
    assert found.names == {7: "ABal"}


def test_folders_that_are_none_or_ambiguous_get_a_sentence(tmp_path):
    with pytest.raises(FormatError, match="it has none"):
        guidata.open_folder(tmp_path)
    written(tmp_path)
    (tmp_path / "Emb2" / "SegCell").mkdir(parents=True)
    (tmp_path / "Emb2" / "RawMemb").mkdir()
    with pytest.raises(FormatError, match="it has Emb1 and Emb2; say which"):
        guidata.open_folder(tmp_path)
    with pytest.raises(FormatError, match="has no files like"):
        guidata.open_folder(tmp_path, "Emb2")
    (tmp_path / "Emb1" / "RawMemb" / "Emb1_003.nii.gz").unlink()
    with pytest.raises(FormatError, match="alone at the time points 3"):
        guidata.open_folder(tmp_path, "Emb1")
