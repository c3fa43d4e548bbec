"""A mask for each cell, as the published tool leaves them."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from napari_spatimeinr.embryo.masks import read_masks, stem, write_masks
from napari_spatimeinr.errors import FormatError, InputError

NAMES = {"ABal": 3, "ABar": 7, "MS": 9}


def labels():
    out = np.zeros((4, 6, 5), np.uint16)
    out[1:3, 1:3, 1:4], out[1:3, 3:5, 1:4] = 3, 7
    return out


def test_each_cell_has_a_mask_and_all_have_one_file_of_labels(tmp_path):
    name = stem("Emb1_", 30)
    write_masks(tmp_path, name, labels(), NAMES, (0.4, 0.2, 0.1))
    files = {str(p.relative_to(tmp_path).as_posix()) for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {
        "Emb1_030.nii.gz",
        "Emb1_030/Emb1_030_ABal.nii.gz",
        "Emb1_030/Emb1_030_ABar.nii.gz",
    }
    mask = nib.load(tmp_path / "Emb1_030" / "Emb1_030_ABar.nii.gz")
    assert mask.get_data_dtype() == np.uint8
    np.testing.assert_allclose(mask.affine, np.diag([0.2, 0.1, 0.4, 1]), atol=1e-6)
    np.testing.assert_array_equal(np.asarray(mask.dataobj).transpose(2, 0, 1), labels() == 7)
    whole = np.asarray(nib.load(tmp_path / "Emb1_030.nii.gz").dataobj)
    np.testing.assert_array_equal(whole.transpose(2, 0, 1), labels())


def test_masks_are_read_as_labels_by_known_names_and_new_ones_for_others(tmp_path):
    write_masks(tmp_path, "190311plc1mp1_190", labels(), NAMES, (0.4, 0.2, 0.1))
    found, names = read_masks(tmp_path / "190311plc1mp1_190", {"ABar": 7, "P2": 8})
    assert names == {"ABar": 7, "P2": 8, "ABal": 9}
    np.testing.assert_array_equal(found.data, np.where(labels() == 3, 9, labels()))
    assert found.spacing == pytest.approx((0.4, 0.2, 0.1))


def test_masks_of_an_earlier_time_are_replaced_as_a_whole(tmp_path):
    write_masks(tmp_path, "Emb1_001", labels(), NAMES, (1.0, 1.0, 1.0))
    write_masks(tmp_path, "Emb1_001", np.where(labels() == 7, 9, 0), NAMES, (1.0, 1.0, 1.0))
    assert [p.name for p in (tmp_path / "Emb1_001").iterdir()] == ["Emb1_001_MS.nii.gz"]


def test_names_that_no_file_can_have_leave_nothing_behind(tmp_path):
    with pytest.raises(InputError, match="cannot be called"):
        write_masks(tmp_path, "Emb1_001", labels(), {"a/b": 3, "c": 7}, (1.0, 1.0, 1.0))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_masks_or_of_two_shapes_gets_a_sentence(tmp_path):
    with pytest.raises(FormatError, match="has no masks"):
        read_masks(tmp_path)
    write_masks(tmp_path, "Emb1_001", labels(), NAMES, (1.0, 1.0, 1.0))
    odd = nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    nib.save(odd, tmp_path / "Emb1_001" / "Emb1_001_MS.nii.gz")
    with pytest.raises(FormatError, match="have one shape"):
        read_masks(tmp_path / "Emb1_001")
