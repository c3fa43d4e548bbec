"""The plugin's readers and writers: layers to files and back; no window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile

from layer_data import CUBE
from napari.layers import Image
from napari_spatimeinr import Volume, fit
from napari_spatimeinr._napari.layers.placement import from_volume
from napari_spatimeinr._napari.layers.preview import PreviewArray
from napari_spatimeinr._napari.readers import get_reader
from napari_spatimeinr._napari.writers import write_image
from napari_spatimeinr.errors import FormatError, SaveError


def opened(path: Path) -> list[Image]:
    reader = get_reader(str(path))
    assert reader is not None
    return [Image(data, **options) for data, options, kind in reader(str(path)) if kind == "image"]


@pytest.mark.parametrize("name", ["a.nii", "b.nii.gz", "c.ome.tif", "d.ome.tiff", "e.ome.zarr"])
def test_a_layer_written_is_the_layer_read(name: str, tmp_path: Path) -> None:
    volume = Volume(CUBE, (2.0, 0.5, 0.25, 0.25), (0, 1, 2, 3), ("s", "um"))
    layer = Image(CUBE, name="cells", **{**from_volume(volume), "metadata": {}})
    data, meta, _ = layer.as_layer_data_tuple()
    assert write_image(str(tmp_path / name), data, meta) == [str(tmp_path / name)]
    (again,) = opened(tmp_path / name)
    assert np.array_equal(np.asarray(again.data), CUBE)
    assert np.allclose(again.scale, layer.scale)
    assert again.units == layer.units
    assert tuple(again.axis_labels) == tuple("tzyx")
    if "tif" not in name:
        assert np.allclose(again.translate, layer.translate)


def test_an_oblique_file_keeps_its_affine_through_a_layer(tmp_path: Path) -> None:
    affine = np.diag([-0.25, 0.25, 0.5, 1.0])
    affine[:2, :2] = np.array([[0.8, -0.6], [0.6, 0.8]]) @ affine[:2, :2]
    affine[:3, 3] = (5, 6, 7)
    image = nibabel.Nifti1Image(CUBE.transpose(3, 2, 1, 0), affine)
    image.header.set_zooms((0.25, 0.25, 0.5, 2.0))
    image.header.set_xyzt_units("micron", "sec")
    nibabel.save(image, tmp_path / "in.nii")
    (layer,) = opened(tmp_path / "in.nii")
    data, meta, _ = layer.as_layer_data_tuple()
    write_image(str(tmp_path / "out.nii"), data, meta)
    again = nibabel.load(tmp_path / "out.nii")
    assert np.allclose(again.affine, affine, atol=1e-5)
    assert np.array_equal(np.asarray(again.dataobj), np.asarray(image.dataobj))


def test_channels_become_layers(tmp_path: Path) -> None:
    data = np.stack([CUBE, CUBE + 1], 2)
    tifffile.imwrite(tmp_path / "two.tif", data, imagej=True, metadata={"axes": "TZCYX"})
    one, other = opened(tmp_path / "two.tif")
    assert np.array_equal(np.asarray(one.data), CUBE)
    assert np.array_equal(np.asarray(other.data), CUBE + 1)
    assert one.name != other.name
    assert one.blending == "additive"
    assert one.colormap.name != other.colormap.name


def test_a_folder_of_tiffs_is_one_recording(tmp_path: Path) -> None:
    folder = tmp_path / "movie"
    folder.mkdir()
    for t, frame in enumerate(CUBE):
        tifffile.imwrite(folder / f"t{t}.tif", frame, metadata={"axes": "ZYX"})
    (layer,) = opened(folder)
    assert np.array_equal(np.asarray(layer.data), CUBE)


def test_what_is_not_ours_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").touch()
    for name in ("a.png", "b.csv", "pictures"):
        assert get_reader(str(tmp_path / name)) is None
    assert get_reader([str(tmp_path / "a.tif"), str(tmp_path / "b.tif")]) is None
    assert get_reader([str(tmp_path / "a.tif")]) is not None


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    reader = get_reader(str(tmp_path))
    assert reader is not None
    with pytest.raises(FormatError, match="empty"):
        reader(str(tmp_path))


@pytest.mark.parametrize("name", ["x.nii", "x.tif", "x.spatimeinr"])
def test_damaged_files_are_told(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"nothing of the kind")
    reader = get_reader(str(tmp_path / name))
    assert reader is not None
    with pytest.raises(FormatError) as caught:
        reader(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    meta: dict[str, Any] = {"name": "cells"}
    array = PreviewArray(Volume(CUBE), Volume(CUBE).grid, "tzyx", lambda *_, **__: None)
    for data, more, words in (
        (array, {}, "Save as"),
        (np.zeros((4, 4)), {}, "2 axes"),
        (np.zeros((4, 4, 3)), {"rgb": True}, "RGB"),
        (CUBE, {"scale": (-1, 1, 1, 1)}, "runs backwards"),
    ):
        with pytest.raises(SaveError, match=words):
            write_image(str(tmp_path / "a.nii"), data, {**meta, **more})
    with pytest.raises(SaveError, match=r"folder|directory"):
        write_image(str(tmp_path / "no" / "a.nii"), CUBE, meta)
    assert not list(tmp_path.iterdir())


def test_a_name_without_ending_becomes_nifti_and_multiscale_is_written_finely(
    tmp_path: Path,
) -> None:
    (written,) = write_image(
        str(tmp_path / "a"),
        [CUBE, CUBE[:, :, ::2, ::2]],
        {"multiscale": True, "scale": (1, 2, 1, 1)},
    )
    assert written.endswith("a.nii.gz")
    assert nibabel.load(written).shape == (24, 20, 6, 4)
    (three,) = write_image(str(tmp_path / "b.nii"), CUBE[0], {"scale": (2, 1, 1)})
    assert nibabel.load(three).shape == (24, 20, 6)


def test_a_model_opens_as_its_recording(tmp_path: Path) -> None:
    volume = Volume(CUBE, (2.0, 0.5, 0.25, 0.25))
    fit(
        volume, "fast", {"motion": {"steps": 2}, "latents": {"steps": 2}, "planes": {"steps": 2}}
    ).save(tmp_path / "m.spatimeinr")
    (layer,) = opened(tmp_path / "m.spatimeinr")
    assert np.array_equal(np.asarray(layer.data), CUBE)
    assert np.allclose(layer.scale, volume.spacing)
    assert Path(layer.metadata["spatimeinr_model"]) == tmp_path / "m.spatimeinr"
