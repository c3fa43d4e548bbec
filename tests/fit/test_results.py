"""Fitting: constants, parts, provenance, sharing motion, regions, switches, and how much is read."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from fits import GATED, KEPT
from fitted_fields import parts, same
from napari_spatimeinr import Volume, fit, load, phantom
from napari_spatimeinr.errors import ConfigError

pytestmark = pytest.mark.usefixtures("one_thread")


class Lazy:
    """A recording that counts what is read of it and refuses to be read whole."""

    def __init__(self, data: np.ndarray) -> None:
        self._data = data
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim
        self.most = 0
        self.total = 0
        self.lock = threading.Lock()

    def __getitem__(self, key):
        out = self._data[key]
        with self.lock:
            self.most = max(self.most, out.size)
            self.total += out.size
        return out

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("the whole recording was read at once")


@pytest.mark.parametrize("value", [0.0, 37.0, -4.5, 1e6])
def test_constant_in_constant_out(value):
    data = np.full((4, 4, 9, 11), value, np.float32)
    field = fit(Volume(data), config=GATED, device="cpu")
    assert field.provenance["constant"] is True
    assert field.provenance["reasons"] == {}
    (note,) = field.provenance["warnings"]
    assert "equal" in note
    out = field.render(time_scale=2.5, scale_z=2, scale_yx=1.3).data
    np.testing.assert_allclose(out, value, rtol=1e-5, atol=1e-5)


def test_a_constant_stays_constant_when_every_part_is_trained(volume):
    # Trained on a moving scene, then shown a constant one with its motion and without latents.
    moving = fit(volume, config=KEPT, device="cpu")
    flat = Volume(np.full(volume.shape, 12.0, np.float32), volume.spacing)
    shared = fit(flat, config={**KEPT, "latents": {"enabled": False}}, motion=moving, device="cpu")
    np.testing.assert_allclose(shared.render(time_scale=2, scale=1.5).data, 12.0, rtol=1e-5)


def test_frames_all_equal_give_that_frame_between(volume):
    one = np.asarray(volume.data[:1])
    still = Volume(np.repeat(one, 4, 0))
    field = fit(still, config={**GATED, "latents": {"enabled": False}}, device="cpu")
    out = field.render(time_scale=2).data
    contrast = float(np.ptp(one))
    np.testing.assert_allclose(out, np.repeat(one, 7, 0), atol=0.02 * contrast)


def test_every_part_is_there_without_gates(field):
    assert field.provenance["chosen"] == {
        "motion": True,
        "hypotheses": True,
        "latents": True,
        "planes": True,
        "voxels": False,
        "published": False,
        "interpolation": "linear",
    }
    assert {k.split(".")[0] for k in parts(field)} == {"motion", "hypotheses", "latents", "planes"}


def test_provenance_says_what_was_done(field, volume):
    p = field.provenance
    assert p["seed"] == 3
    assert p["complete"] is True
    assert p["device"] == "cpu"
    assert p["warnings"] == []
    assert p["steps"] == 12 + 4 + 8 + 4
    assert p["seconds"] > 0
    assert p["peak_memory_bytes"] > 1e7
    assert len(p["input"]["sha256"]) == 64
    assert p["input"]["name"] == "phantom membranes"
    other = Volume(volume.data + 1, volume.spacing)
    assert (
        fit(
            other, config={**KEPT, "motion": {"enabled": False}, "latents": {"enabled": False}}
        ).provenance["input"]["sha256"]
        != p["input"]["sha256"]
    )


def test_shared_motion_is_the_other_channels(volume, field):
    other = Volume(np.asarray(volume.data) ** 2, volume.spacing, units=volume.units)
    second = fit(other, config={**KEPT, "latents": {"enabled": False}}, device="cpu", motion=field)
    assert torch.equal(parts(second)["motion.nodes"], parts(field)["motion.nodes"])
    assert second.provenance["chosen"]["motion"] is True
    place = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(second.motion(place, 0, 60), field.motion(place, 0, 60))


def test_a_region_is_fitted_as_if_it_were_the_recording(volume):
    roi = ((1, 4), None, (2, 15), (3, 20))
    part = fit(volume, config=KEPT, device="cpu", roi=roi)
    assert part.grid.shape == (3, 7, 13, 17)
    dt, dz, dy, dx = volume.spacing
    assert part.grid.origin == pytest.approx((dt, 0, 2 * dy, 3 * dx))
    alone = fit(
        Volume(np.ascontiguousarray(volume.data[1:4, :, 2:15, 3:20]), volume.spacing),
        config=KEPT,
        device="cpu",
    )
    assert same(part, alone)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"motion": {"enabled": False}}, (False, True)),
        ({"latents": {"enabled": False}}, (True, False)),
        ({"motion": {"enabled": False}, "latents": {"enabled": False}}, (False, False)),
        ({"cycle": {"temporal": 0, "spatial": 0}}, (True, True)),
        ({"render": {"hypercube": False, "exposure": 0.5}}, (True, True)),
        ({"motion": {"steps": 0}}, (True, True)),
        ({"latents": {"steps": 1}}, (True, True)),
        ({"latents": {"steps": 0}}, (True, True)),
        ({"latents": {"layers": 1}}, (True, True)),
        ({"latents": {"crop": [1, 1, 1]}}, (True, True)),
        ({"motion": {"two_interval": 0, "acceleration": 0, "smoothness": [0]}}, (True, True)),
        ({"motion": {"max_voxels": 10_000}}, (True, True)),
        ({"precision": "bfloat16"}, (True, True)),
    ],
)
def test_each_component_can_be_switched(volume, change, expected):
    config = {
        k: ({**v, **change.get(k, {})} if isinstance(v, dict) else change.get(k, v))
        for k, v in {**KEPT, "cycle": {}, "render": {}}.items()
    }
    field = fit(volume, config=config, device="cpu")
    assert (field.network.motion is not None, field.network.latents is not None) == expected
    chosen = field.provenance["chosen"]
    assert (chosen["motion"], chosen["latents"]) == expected
    out = field.render(time_scale=2).data
    assert np.isfinite(out).all()
    low, high = volume.data.min(), volume.data.max()
    assert out.min() > low - (high - low)
    assert out.max() < high + (high - low)


def test_what_is_fitted_and_what_is_loaded_compute_alike(volume, tmp_path):
    """Without latents too: finer planes then are the only network."""
    config = {**KEPT, "latents": {"enabled": False}, "precision": "bfloat16"}
    field = fit(volume, config=config, device="cpu")
    assert field.network.planes is not None
    field.save(tmp_path / "one.spatimeinr")
    again = load(tmp_path / "one.spatimeinr", "cpu")
    assert again.method.precision == field.method.precision == torch.bfloat16
    ours, loaded = (f.render(scale_z=2).data for f in (field, again))
    np.testing.assert_array_equal(ours, loaded)


def test_an_unknown_option_stops_before_anything_is_read():
    class Unread:
        shape, dtype, ndim = (3, 4, 5, 6), np.dtype(np.uint8), 4

        def __getitem__(self, key):
            raise AssertionError("was read")

    with pytest.raises(ConfigError, match=r"latents\.steps"):
        fit(Volume(Unread()), config={"latents": {"stepz": 3}})


@pytest.mark.slow
@pytest.mark.parametrize("gated", [True, False])
def test_a_lazy_recording_is_read_frame_by_frame_and_in_blocks(volume, gated):
    data = np.ascontiguousarray(volume.data)
    lazy = Lazy(data)
    field = fit(Volume(lazy, volume.spacing), config={**GATED, "gate": gated}, device="cpu")
    assert lazy.total > 0
    assert lazy.most <= data[0].size
    lazy.most = 0
    out = field.render(time_scale=2, scale_z=2).data
    assert 0 < lazy.most <= data[0].size
    eager = (
        fit(volume, config={**GATED, "gate": gated}, device="cpu")
        .render(time_scale=2, scale_z=2)
        .data
    )
    assert np.array_equal(out, eager)


@pytest.mark.slow
def test_rendering_a_little_reads_a_little():
    data = phantom((4, 64, 40, 40), motion=1.0)[0].data
    lazy = Lazy(data)
    field = fit(
        Volume(lazy),
        config={"motion": {"enabled": False}, "latents": {"enabled": False}},
        device="cpu",
    )
    lazy.total = 0
    field.lazy(time_scale=2)[3, 4, :10, :10]
    assert 0 < lazy.total < data[0].size
