"""Options: presets, nested changes, YAML both ways, and errors that name the nearest key."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr.config.options import (
    PRESETS,
    Config,
    apply_settings,
    load_yaml,
    make_config,
)
from napari_spatimeinr.errors import ConfigError, SpatimeINRError


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_survive_yaml(preset, tmp_path):
    config = make_config(preset)
    assert config.preset == preset
    path = tmp_path / "a.yaml"
    path.write_text(config.to_yaml())
    assert make_config(config=path) == config
    assert make_config("balanced", load_yaml(path)) == config


def test_presets_differ_in_effort():
    fast, balanced, best = (make_config(p) for p in ("fast", "balanced", "best"))
    assert fast.latents.steps < balanced.latents.steps < best.latents.steps
    assert fast.motion.steps < balanced.motion.steps < best.motion.steps


def test_changes_go_on_top_of_the_preset():
    config = make_config("fast", {"motion": {"steps": 7}, "gate": False})
    assert config.motion.steps == 7
    assert config.gate is False
    assert config.latents == make_config("fast").latents
    assert config.motion.smoothness == make_config("fast").motion.smoothness


def test_a_whole_config_is_taken_as_it_is():
    config = make_config("best")
    assert make_config("fast", config) is config


def test_a_preset_inside_the_changes_counts():
    assert make_config("balanced", {"preset": "fast"}).latents == make_config("fast").latents


@pytest.mark.parametrize(
    ("changes", "nearest"),
    [
        ({"motion": {"step": 3}}, "motion.steps"),
        ({"motoin": {}}, "motion"),
        ({"latents": {"chanels": 3}}, "latents.channels"),
        ({"cycle": {"temporall": 1}}, "cycle.temporal"),
        ({"gates": False}, "gate"),
        ({"normalize_frames": False}, "normalise_frames"),
    ],
)
def test_an_unknown_key_names_the_nearest(changes, nearest):
    with pytest.raises(ConfigError, match=f"nearest is '{nearest}'"):
        make_config(config=changes)


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'balanced'"):
        make_config("balancd")
    with pytest.raises(ConfigError, match="fast, balanced, best"):
        make_config("zzz")


@pytest.mark.parametrize(
    "changes",
    [
        {"motion": {"steps": -1}},
        {"motion": {"steps": "many"}},
        {"motion": {"smoothness": []}},
        {"motion": {"node_voxels": 0}},
        {"latents": {"learning_rate": float("nan")}},
        {"latents": {"learning_rate": 0}},
        {"latents": {"crop": [1, 2]}},
        {"latents": {"crop": [0, 16, 16]}},
        {"latents": {"crop": [8, -16, 16]}},
        {"motion": {"smoothness": [-1.0]}},
        {"motion": {"smoothness": [float("inf")]}},
        {"psf": [-0.1, 0.2, 0.2]},
        {"cycle": {"spatial": -0.5}},
        {"render": {"exposure": 2}},
        {"precision": "float8"},
        {"psf": [0.1]},
        {"motion": 3},
        {"motion": None},
    ],
)
def test_a_value_out_of_range_is_one_sentence(changes):
    with pytest.raises(ConfigError) as caught:
        make_config(config=changes)
    (section,) = changes
    assert section in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_are_yaml_on_top():
    config = apply_settings(
        make_config("fast"),
        [
            "motion.steps=5",
            "latents.enabled=false",
            "motion.smoothness=[0.1, 0.2]",
            "psf=[1, 2, 3]",
        ],
    )
    assert config.motion.steps == 5
    assert config.latents.enabled is False
    assert config.motion.smoothness == (0.1, 0.2)
    assert config.psf == (1, 2, 3)


@pytest.mark.parametrize(
    "setting",
    [
        "motion.steps",
        "=3",
        "motion.steps=[",
        "nothing.at.all=3",
        "motion.steps.more=3",
        "motion.steps=x",
    ],
)
def test_wrong_settings(setting):
    with pytest.raises(ConfigError):
        apply_settings(make_config(), [setting])


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.text(max_size=12), st.text(max_size=12))
def test_no_setting_ends_in_another_error(key, value):
    try:
        config = apply_settings(make_config(), [f"{key}={value}"])
    except SpatimeINRError as error:
        assert str(error)
    else:
        assert isinstance(config, Config)


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "a: [", "3", "\x00"])
def test_files_that_are_no_configuration(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        make_config(config=path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="no configuration file"):
        make_config(config=tmp_path / "missing.yaml")
    with pytest.raises(ConfigError):
        make_config(config=tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"preset: \xff\xfe")
    with pytest.raises(ConfigError):
        make_config(config=tmp_path / "latin.yaml")
    (tmp_path / "empty.yaml").write_text("")
    assert make_config(config=tmp_path / "empty.yaml") == make_config()


def test_names_of_now_go_before_those_of_then_whatever_is_said_first() -> None:
    for said in (
        ["voxels.steps=900", "axial.steps=5"],
        ["axial.steps=5", "voxels.steps=900"],
    ):
        config = apply_settings(make_config("fast"), said)
        assert config.voxels.steps == 900
        assert config.planes.steps == 5
