"""A part that the package does not know: one class and one registration make it one of every
fit, file, estimate, ablation and resumed fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from napari_spatimeinr import Field, Volume, evaluate, fit, fit_steps, load, make_config
from napari_spatimeinr.analysis.estimate import estimate
from napari_spatimeinr.errors import ConfigError, FormatError
from napari_spatimeinr.training.parts import STAGES
from napari_spatimeinr.training.stage import register, unregister
from toy_part import OffsetPart

pytestmark = pytest.mark.usefixtures("one_thread")

PLAIN = {
    "motion": {"enabled": False},
    "latents": {"enabled": False},
    "planes": {"enabled": False},
    "normalise_frames": False,
    "gate": False,
}
BEND = 6.0
"""What every frame lies above the mean of its neighbours, raw intensities."""


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    register(OffsetPart())
    yield
    if OffsetPart.name in STAGES:
        unregister(OffsetPart.name)


def recording(count: int = 8) -> Volume:
    """A structure that gets brighter, ever more slowly."""
    structure = np.random.default_rng(0).uniform(0, 200, (3, 12, 14))
    brighter = [BEND * k * (2 * count - k) for k in range(count)]
    return Volume(np.stack([structure + b for b in brighter]).astype(np.float32))


@pytest.fixture
def field(registered: None) -> Field:
    return fit(recording(), config=PLAIN, device="cpu")


def test_it_is_learned_and_kept_where_frames_not_seen_need_it(field: Field) -> None:
    assert field.provenance["chosen"]["offset"] is True
    assert field.provenance["offset"]["error_left"] < 0.02
    assert "offset" not in field.provenance["reasons"]
    assert "offset" in repr(field)


def test_it_is_rejected_where_they_do_not() -> None:
    noise = np.random.default_rng(1).normal(100, 10, (8, 3, 12, 14)).astype(np.float32)
    field = fit(Volume(noise), config=PLAIN, device="cpu")
    assert field.provenance["chosen"]["offset"] is False
    assert field.provenance["reasons"]["offset"] == "other frames did not need it"


def test_it_changes_what_is_rendered(field: Field) -> None:
    plain = fit(recording(), config={**PLAIN, "offset": {"enabled": False}}, device="cpu")
    assert plain.provenance["chosen"]["offset"] is False
    with_it, without = (f.render(time_scale=2).data for f in (field, plain))
    assert np.allclose(with_it - without, BEND, atol=0.1)


def test_it_is_saved_and_loaded(field: Field, tmp_path: Path) -> None:
    path = field.save(tmp_path / "m.spatimeinr")
    with safe_open(path, "numpy") as file:
        assert "offset.value" in set(file.keys())
    again = load(path, device="cpu")
    assert again.config.group("offset") == field.config.group("offset")
    assert np.array_equal(again.render(time_scale=2).data, field.render(time_scale=2).data)


def test_a_file_with_it_is_refused_in_words_where_it_is_not_known(
    field: Field, tmp_path: Path
) -> None:
    path = field.save(tmp_path / "m.spatimeinr")
    unregister("offset")
    with pytest.raises(FormatError, match="'offset'"):
        load(path, device="cpu")


def test_its_options_are_a_group_of_the_configuration() -> None:
    config = make_config(config={"offset": {"steps": 7}})
    assert config.group("offset").steps == 7
    assert "offset:\n  enabled: true\n  steps: 7" in config.to_yaml()
    with pytest.raises(ConfigError, match=r"no option 'offset\.stepz'; the nearest is"):
        make_config(config={"offset": {"stepz": 7}})
    with pytest.raises(ConfigError, match=r"offset\.steps is wrong"):
        make_config(config={"offset": {"steps": 0}})
    unregister("offset")
    with pytest.raises(ConfigError, match="no option 'offset'"):
        make_config(config={"offset": {"steps": 7}})


def test_it_counts_in_an_estimate() -> None:
    shape = (8, 3, 12, 14)
    with_it = estimate(shape, make_config(config=PLAIN), "cpu")
    without = estimate(shape, make_config(config={**PLAIN, "offset": {"enabled": False}}), "cpu")
    assert with_it.seconds is not None
    assert without.seconds is not None
    assert with_it.seconds > without.seconds


def test_an_ablation_leaves_it_out() -> None:
    report = evaluate(recording(9), config=PLAIN, device="cpu", baselines=("linear",), ablate=True)
    psnr = {name: row["psnr"] for name, row in report.methods.items()}
    assert psnr["without offset"] == pytest.approx(psnr["linear"], abs=0.01)
    assert psnr["spatimeinr"] == psnr["without motion"]
    assert abs(psnr["spatimeinr"] - psnr["linear"]) > 1


def test_a_fit_that_goes_on_keeps_it(field: Field) -> None:
    states = list(fit_steps(recording(), config=PLAIN, device="cpu", resume=field))
    assert "offset" not in [state.stage for state in states], "it is decided"
    again = fit(recording(), config=PLAIN, device="cpu", resume=field)
    assert again.provenance["chosen"]["offset"] is True
    assert again.provenance["offset"] == field.provenance["offset"]
    assert np.array_equal(again.render(time_scale=2).data, field.render(time_scale=2).data)


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="'offset' already"):
        register(OffsetPart())

    class Named(OffsetPart):
        name = "gate"

    with pytest.raises(ValueError, match="'gate' already"):
        register(Named())
