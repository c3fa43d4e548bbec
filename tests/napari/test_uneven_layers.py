"""Frames at uneven times in layers: a layer's scale is even, its metadata say when they were taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fits import INTERPOLATION
from layer_data import CUBE
from napari.components import ViewerModel
from napari.layers import Image
from napari_spatimeinr import Volume, fit
from napari_spatimeinr._napari.background.session import Session
from napari_spatimeinr._napari.docks.recording_words import describe
from napari_spatimeinr._napari.docks.source_editor import calibrate
from napari_spatimeinr._napari.layers.appearance import add_rendered
from napari_spatimeinr._napari.layers.placement import from_volume
from napari_spatimeinr._napari.layers.source import understand
from napari_spatimeinr._napari.writers import write_image
from napari_spatimeinr.io import read

TIMES = (10.0, 40.0, 50.0, 80.0)


def uneven() -> Image:
    """A layer of a recording at these times."""
    return Image(CUBE, **from_volume(Volume(CUBE, (1, 1, 0.5, 0.5), times=TIMES)))


def test_uneven_times_of_a_file_are_those_of_its_layer() -> None:
    source = understand(uneven())
    assert source.volume.grid.times == TIMES
    assert (source.layer.scale[0], source.layer.translate[0]) == (30, 10)
    assert "frames 10 to 30 s apart" in describe(source.volume).replace("\u00a0", " ")
    fit(source.volume, config=INTERPOLATION, device="cpu")


def test_a_layer_that_is_moved_in_time_keeps_its_pace() -> None:
    layer = uneven()
    layer.translate = (110, 0, 0, 0)
    assert understand(layer).volume.grid.times == (110, 140, 150, 180)
    layer.units = ("minute", "um", "um", "um")
    assert understand(layer).volume.units[0] == "min"
    assert understand(layer).volume.grid.times == (110, 140, 150, 180)


def test_an_interval_that_is_given_makes_times_even() -> None:
    """One that is shown and given back does not."""
    layer = uneven()
    for interval, times in ((30.00001, TIMES), (20.0, None)):
        spacing = {"t": interval, "z": 1.0, "y": 0.5, "x": 0.5}
        calibrate(understand(layer), spacing, {"t": "s", "z": "um", "y": "um", "x": "um"})
        found = understand(layer).volume.grid.times
        assert found == (None if times is None else pytest.approx(times, abs=1e-3))


def test_a_preview_of_uneven_frames_lies_beside_them() -> None:
    """On the screen an interval is as wide as another; the preview knows how long it lasts."""
    source = understand(uneven())
    grid = source.volume.grid.refine(time_scale=4)
    placed = source.placed(grid)
    shown = placed["translate"][0] + placed["scale"][0] * np.arange(grid.shape[0])
    assert shown[::4] == pytest.approx(10 + 30 * np.arange(4))
    assert grid.coordinates(0)[::4] == pytest.approx(TIMES)
    part = source.volume.grid.crop(((1, 4), (0, 6), (0, 15), (0, 13))).refine(time_scale=2)
    assert source.placed(part)["translate"][0] == pytest.approx(40)
    assert source.placed(part)["scale"][0] == pytest.approx(15)


def test_a_rendering_of_uneven_frames_is_saved_with_its_times(tmp_path: Path) -> None:
    viewer, source = ViewerModel(), understand(uneven())
    volume = source.volume.like(
        np.zeros((7, *CUBE.shape[1:]), np.float32), source.volume.grid.refine(time_scale=2)
    )
    layer = add_rendered(viewer, source, volume, "fine")
    data, meta, _ = layer.as_layer_data_tuple()
    (path,) = write_image(str(tmp_path / "fine.nii"), data, meta)
    assert read(path).grid.times == pytest.approx((10, 25, 40, 45, 50, 65, 80))


def test_a_fit_is_of_the_times_it_was_made_with() -> None:
    """One that is running when they change is shown as it is."""
    layer = uneven()
    session = Session(understand(layer), None, lambda *_, **__: None)
    field = fit(session.volume, config=INTERPOLATION, device="cpu")
    session.update(field, True)
    layer.translate = (110, 0, 0, 0)
    assert session.follow(understand(layer))
    assert session.field is not None
    assert session.field.grid.times == (110, 140, 150, 180)
    units = {"t": "s", "z": "um", "y": "um", "x": "um"}
    calibrate(understand(layer), {"t": 20.0, "z": 1.0, "y": 0.5, "x": 0.5}, units)
    assert session.follow(understand(layer))
    assert session.field is None
    session.update(field, True)
    assert session.field is field
