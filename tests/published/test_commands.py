"""The published method: its configuration and its two commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
import yaml

from napari_spatimeinr import Volume, fit
from napari_spatimeinr.cli.app import app
from napari_spatimeinr.config import former
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.config.published import READY
from napari_spatimeinr.errors import ConfigError, FormatError, InputError
from napari_spatimeinr.published import files
from published_fits import SMALL, changed


def test_the_shipped_file_says_the_defaults_and_all_of_them() -> None:
    said = yaml.safe_load(READY.read_text())
    config = make_config("published", READY)
    assert config == make_config("published")
    assert config.published is not None
    dumped = config.published.model_dump(mode="json")
    assert {k: v for k, v in said.items() if k not in ("cycle", "precision")} == dumped


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"max_itre": 3}, "max_iter"),
        ({"rcan": {"n_feat": 3}}, "n_feats"),
        ({"len_lz": 90}, "92"),
        ({"model": {"in_ch": 3}}, "in_ch"),
        ({"model": {"name": "other"}}, "SpatimeINR"),
        ({"model": {"skips": [10]}}, "skips"),
        ({"rcan": {"reduction": 64}}, "reduction"),
        ({"optim": {"betas": [0.9, 1.0]}}, "betas"),
        ({"dataset": {"train": {"downsample": 3}}}, "downsample"),
        ({"dataset": {"train": {"scale": 1.5}}}, "whole"),
        ({"max_iter": 0}, "max_iter"),
        ({"dataloader": {"eval": {"shuffle": True}}}, "eval.shuffle must be false"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_config("published", change)


def test_an_option_that_did_nothing_is_read_where_it_says_so() -> None:
    given = make_config("published", {"dataloader": {"eval": {"shuffle": False}}})
    assert given == make_config("published")
    header = {"config": given.model_dump(mode="json")}
    header["config"]["published"]["dataloader"]["eval"]["shuffle"] = True
    assert former.header(header)["config"] == given.model_dump(mode="json")


@pytest.mark.parametrize("name", ["in_channels", "out_channels"])
def test_channels_that_are_not_those_of_the_data_are_refused(recording: Volume, name: str) -> None:
    count = recording.shape[0]
    with pytest.raises(ConfigError, match=f"{name} is {count + 1}.*{count} time points"):
        fit(
            recording,
            "published",
            changed(SMALL, rcan={**SMALL["rcan"], name: count + 1}),
            device="cpu",
        )
    fit(
        recording,
        "published",
        changed(SMALL, max_iter=1, rcan={**SMALL["rcan"], name: count}),
        device="cpu",
    )


def run(*arguments: Any) -> int:
    return int(app([str(a) for a in arguments], standalone_mode=False) or 0)


@pytest.fixture
def folder(tmp_path: Path, recording: Volume) -> Path:
    recording.save(tmp_path / "data.nii.gz")
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(SMALL))
    return tmp_path


def test_train_and_infer_leave_the_published_files(
    folder: Path, recording: Volume, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (
        "--config",
        folder / "c.yaml",
        "--save_path",
        folder / "run",
        "--file",
        folder / "data.nii.gz",
        "--device",
        "cpu",
    )
    assert app([str(a) for a in ("train", *options, "--json")], standalone_mode=False) in (None, 0)
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert facts["steps"] == 12
    assert facts["rcan"]["steps"] == 6
    current = torch.load(folder / "run" / "current.pth", weights_only=True)
    latents = torch.load(folder / "run" / "latent_code.pt", weights_only=True)
    assert current["weights"]
    assert set(latents) == {"published.features", "published.heads"}
    app(
        [str(a) for a in ("infer", *options, "--scale", 1.5, "--scale_z", 2.5, "--scaleT", 2)],
        standalone_mode=False,
    )
    image = nibabel.load(folder / "run" / "output.nii.gz")
    t, z, y, x = recording.shape
    assert image.shape == (int(1.5 * x + 0.5), int(1.5 * y + 0.5), int(2.5 * z + 0.5), 2 * t - 1)
    source = nibabel.load(folder / "data.nii.gz")
    assert image.header.get_xyzt_units() == source.header.get_xyzt_units()
    zooms = source.header.get_zooms()
    assert image.header.get_zooms()[3] == pytest.approx(zooms[3] / 2)
    assert image.header.get_zooms()[0] == pytest.approx(zooms[0] * x / image.shape[0])
    assert np.isfinite(image.get_fdata()).all()


def test_train_goes_on_where_it_was_and_refuses_what_does_not_belong(
    folder: Path, recording: Volume, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ("train", "--save_path", folder / "run", "--device", "cpu")
    data = ("--file", folder / "data.nii.gz")
    (folder / "short.yaml").write_text(yaml.safe_dump(changed(SMALL, max_iter=12)))
    assert run(*base, *data, "--config", folder / "short.yaml") == 0
    capsys.readouterr()
    assert run(*base, *data, "--config", folder / "short.yaml") == 0
    assert "Going on from step 12" in capsys.readouterr().err
    (folder / "other.yaml").write_text(yaml.safe_dump(changed(SMALL, n_imps=1)))
    assert run(*base, *data, "--config", folder / "other.yaml") == 2
    assert "other options" in capsys.readouterr().err
    Volume(np.asarray(recording.data) + 1, recording.spacing).save(folder / "b.nii")
    for command in ("train", "infer"):
        arguments = (
            command,
            *base[1:],
            "--config",
            folder / "short.yaml",
            "--file",
            folder / "b.nii",
        )
        assert run(*arguments) == 1
        assert "another recording" in capsys.readouterr().err


def test_what_is_missing_or_damaged_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ("--config", folder / "c.yaml", "--device", "cpu")
    assert run("train", *config, "--file", folder / "data.nii.gz") == 2
    assert "--save_path" in capsys.readouterr().err
    assert (
        run("infer", *config, "--file", folder / "data.nii.gz", "--save_path", folder / "none") == 1
    )
    assert "spatimeinr train" in capsys.readouterr().err
    (folder / "bad").mkdir()
    for name in ("current.pth", "latent_code.pt"):
        (folder / "bad" / name).write_bytes(b"rubbish")
    assert (
        run("infer", *config, "--file", folder / "data.nii.gz", "--save_path", folder / "bad") == 1
    )
    told = capsys.readouterr().err
    assert "damaged" in told
    assert len(told.strip().splitlines()) == 1


def test_config_prints_the_ready_file(capsys: pytest.CaptureFixture[str]) -> None:
    app(["config", "published"], standalone_mode=False)
    assert capsys.readouterr().out == READY.read_text()
    app(["config", "published", "--set", "published.n_imps=3"], standalone_mode=False)
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["n_imps"] == 3
    assert make_config("published", printed).published.n_imps == 3


def test_errors_are_of_the_package(tmp_path: Path, recording: Volume) -> None:
    with pytest.raises(FormatError, match=r"current\.pth"):
        files.load(tmp_path, recording, "x", "cpu")
    field = fit(recording, "published", SMALL, device="cpu")
    files.save(field, tmp_path)
    with pytest.raises(InputError, match="another recording"):
        files.load(tmp_path, recording, "x", "cpu")
