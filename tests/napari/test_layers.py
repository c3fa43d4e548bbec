"""Which layers can be used, regions, the manifest, options as widgets; no window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
from npe2 import PluginManifest

from layer_data import CUBE
from napari.components import ViewerModel
from napari.layers import Image, Labels, Points, Shapes, Tracks
from napari_spatimeinr import Volume, fit, make_config
from napari_spatimeinr._napari.docks.options_form import OptionsForm
from napari_spatimeinr._napari.layers.preview import PreviewArray
from napari_spatimeinr._napari.layers.source import (
    candidate_axes,
    is_calibrated,
    rectangle,
    understand,
    visible,
    why_not,
)
from napari_spatimeinr._napari.samples import embryo, moving_membranes
from napari_spatimeinr._napari.settings import Settings, settings
from napari_spatimeinr.config.options import PRESETS, Config
from napari_spatimeinr.errors import ConfigError, InputError

ROOT = Path(__file__).parents[2]


# -- which layers --------------------------------------------------------------------------
def test_each_unusable_layer_is_refused_in_words() -> None:
    grid = Volume(CUBE).grid
    cases = {
        "Labels layer": Labels(CUBE.astype(int)),
        "Points layer": Points(np.zeros((2, 4))),
        "RGB": Image(np.zeros((8, 8, 3)), rgb=True),
        "two axes only": Image(np.zeros((8, 8))),
        "5 axes": Image(np.zeros((2, 2, 2, 8, 8))),
        "is a preview": Image(
            PreviewArray(Volume(CUBE), grid, "tzyx", lambda *_, **__: None),
            contrast_limits=(0, 1),
            multiscale=False,
            rgb=False,
        ),
    }
    for words, layer in cases.items():
        reason = why_not(layer)
        assert reason is not None
        assert words in reason
        with pytest.raises(InputError, match=words):
            understand(layer)


@pytest.mark.parametrize("kind", ["numpy", "dask", "multiscale", "bool"])
def test_usable_layers(kind: str) -> None:
    layer = {
        "numpy": lambda: Image(CUBE),
        "dask": lambda: Image(
            dask.array.from_array(CUBE, chunks=(1, 6, 10, 24)), contrast_limits=(0, 1000)
        ),
        "multiscale": lambda: Image(
            [CUBE, CUBE[:, :, ::2, ::2]], multiscale=True, contrast_limits=(0, 1000)
        ),
        "bool": lambda: Image(CUBE > 500),
    }[kind]()
    assert why_not(layer) is None
    volume = understand(layer).volume
    assert volume.shape == CUBE.shape
    field = fit(
        volume,
        "fast",
        {"motion": {"steps": 2}, "latents": {"steps": 2}, "planes": {"steps": 2}, "gate": False},
    )
    assert np.isfinite(np.asarray(field.lazy()[1, 2])).all()


def test_axes_of_three_are_guessed_from_names_and_units() -> None:
    assert candidate_axes(Image(CUBE)) == ["tzyx"]
    assert candidate_axes(Image(CUBE[0]))[0] == "zyx"
    assert candidate_axes(Image(CUBE[0], axis_labels=("t", "y", "x")))[0] == "tyx"
    assert candidate_axes(Image(CUBE[0], units=("second", "um", "um")))[0] == "tyx"


def test_calibration_is_known_by_units_or_scale() -> None:
    assert not is_calibrated(Image(CUBE))
    assert is_calibrated(Image(CUBE, scale=(1, 2, 1, 1)))
    assert is_calibrated(Image(CUBE, units=("s", "um", "um", "um")))


# -- regions -------------------------------------------------------------------------------
def test_a_rectangle_is_a_region_whatever_the_scales() -> None:
    source = understand(Image(CUBE, scale=(2, 1, 0.5, 0.5), translate=(0, 0, 10, 20)))
    box = np.array([[12.0, 22], [12, 26], [17, 26], [17, 22]])
    assert rectangle(source, Shapes([box])) == ((0, 4), (0, 6), (4, 15), (4, 13))
    in_4d = Shapes([np.column_stack([np.zeros((4, 2)), box])])
    assert rectangle(source, in_4d) == ((0, 4), (0, 6), (4, 15), (4, 13))
    outside = Shapes([box + 100])
    with pytest.raises(InputError, match="beside the recording"):
        rectangle(source, outside)
    with pytest.raises(InputError, match="one rectangle"):
        rectangle(source, Shapes([box, box]))
    with pytest.raises(InputError, match="one rectangle"):
        rectangle(source, Shapes())


def test_a_rectangle_drawn_in_another_view_is_a_region_there() -> None:
    source = understand(Image(CUBE))
    corners = np.array([[0.0, 1, 9, 2], [0, 1, 9, 8], [0, 4, 9, 8], [0, 4, 9, 2]])
    assert rectangle(source, Shapes([corners])) == ((0, 4), (1, 5), (0, 20), (2, 9))


def test_the_visible_region_of_a_coarse_level_is_that_of_the_finest() -> None:
    layer = Image([CUBE, CUBE[:, :, ::2, ::2]], multiscale=True, contrast_limits=(0, 1000))
    layer._data_level = 1
    layer.corner_pixels = np.array([[0, 0, 0, 0], [0, 0, 9, 11]])
    assert visible(understand(layer)) == ((0, 4), (0, 6), (0, 20), (0, 24))
    layer.corner_pixels = np.zeros((2, 4), int)
    with pytest.raises(InputError, match="shows nothing"):
        visible(understand(layer))


def test_the_visible_region_lies_in_the_plane() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(CUBE)
    layer.corner_pixels = np.array([[0, 0, 3, 4], [0, 0, 11, 14]])
    assert visible(understand(layer)) == ((0, 4), (0, 6), (3, 12), (4, 15))


# -- manifest, sample, settings, options ---------------------------------------------------
def test_the_manifest_is_valid_and_everything_in_it_exists() -> None:
    manifest = PluginManifest.from_file(ROOT / "napari.yaml")
    manifest.validate_imports()
    contributions = manifest.contributions
    assert {w.display_name for w in contributions.widgets or []} == {
        "SpatimeINR",
        "SpatimeINR Quality",
        "SpatimeINR Embryo",
    }
    assert {c.command for c in contributions.readers or []} == {"napari-spatimeinr.read"}
    assert contributions.menus
    assert contributions.submenus
    assert contributions.configurations
    properties = contributions.configurations["fit"].properties
    assert {key: p.default for key, p in properties.items()} == {
        "preset": Settings().preset,
        "device": Settings().device,
        "time_budget": Settings().time_budget,
        "memory_gb": Settings().memory_gb,
    }
    assert tuple(properties["preset"].enum or ()) == PRESETS
    assert settings().preset in PRESETS


def test_the_sample_is_calibrated() -> None:
    ((data, options, kind),) = moving_membranes()
    layer = Image(data, **options)
    assert kind == "image"
    assert is_calibrated(layer)
    assert understand(layer).volume.units == ("s", "um")


def test_the_sample_embryo_is_membranes_tracks_that_divide_and_named_nuclei() -> None:
    (data, how, _), (lines, of_tracks, kind), (spots, of_points, other) = embryo()
    assert (kind, other) == ("tracks", "points")
    image, tracks, points = (
        Image(data, **how),
        Tracks(lines, **of_tracks),
        Points(spots, **of_points),
    )
    assert understand(image).volume.units == ("s", "um")
    assert len(tracks.graph) == 2 * 16, "from 8 to 24 cells"
    assert {*tracks.properties["name"]} == {*points.properties["name"]}
    first, last = (points.data_to_world(spots[k]) for k in (0, -1))
    assert first[0] == image.data_to_world((0, 0, 0, 0))[0]
    assert last[0] == image.data_to_world((len(data) - 1, 0, 0, 0))[0]
    for layer in (tracks, points):
        assert layer.extent.world[0] == pytest.approx(
            np.maximum(layer.extent.world[0], image.extent.world[0])
        )
        assert layer.extent.world[1] == pytest.approx(
            np.minimum(layer.extent.world[1], image.extent.world[1])
        )


def test_every_option_has_a_widget_and_comes_back(qtbot: Any) -> None:
    form = OptionsForm()
    qtbot.addWidget(form)

    def leaves(model: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
        out = set()
        for name, info in model.model_fields.items():
            inner = info.annotation
            out |= (
                leaves(inner, (*path, name)) if hasattr(inner, "model_fields") else {(*path, name)}
            )
        return out

    assert set(form.editors) == leaves(Config) - {("preset",), ("published",)}
    for preset in PRESETS:
        form.set_preset(preset)
        assert form.config() == make_config(preset)
        assert form.note.isHidden() == (preset != "published"), "the published options have a file"
        assert form.editors["latents", "steps"].native.isVisibleTo(form) == (preset != "published")
    form.set_preset("balanced")
    form.editors["latents", "steps"].value = 7
    form.editors["psf",].setText("0.5, 0.1, 0.1")
    assert form.config().latents.steps == 7
    assert form.config().psf == (0.5, 0.1, 0.1)
    form.editors["psf",].setText("0.5, many")
    with pytest.raises(ConfigError, match="psf needs numbers"):
        form.config()
    form.editors["psf",].setText("0.5")
    with pytest.raises(ConfigError, match="psf"):
        form.config()
