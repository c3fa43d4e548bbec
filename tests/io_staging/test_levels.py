"""OME-Zarr is written beside its name: levels, going on."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr.cli.app import app
from napari_spatimeinr.errors import InputError, SaveError
from napari_spatimeinr.io import describe, read, write
from napari_spatimeinr.io.pyramid import coarser, factors
from napari_spatimeinr.volume import Volume
from other_packages import needed
from refusal import refused
from staged import MADE, SMALL

VERSIONS = ("0.4", "0.5")


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[st.integers(1, 5000)] * 4), st.tuples(*[st.floats(0.05, 20)] * 3))
def test_levels_halve_planes_until_they_are_small(shape: Any, voxel: Any) -> None:
    levels = factors(shape, (1.0, *voxel))
    assert levels[0] == (1, 1, 1)
    for before, after in zip(levels, levels[1:], strict=False):
        assert max(n // f for n, f in zip(shape[2:], before[1:], strict=True)) > 256
        assert all(b in (a, 2 * a) for a, b in zip(before, after, strict=True))
        assert (
            after[1:]
            == tuple(2 * f if n // f > 1 else f for f, n in zip(before[1:], shape[2:], strict=True))
            or min(shape[2:]) == 1
        )
        # z is halved only while its voxels are not the longer ones.
        assert after[0] == before[0] or before[0] * voxel[0] <= before[2] * voxel[2] * 1.001
    assert max(n // f for n, f in zip(shape[2:], levels[-1][1:], strict=True)) <= 256


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(1, 7)] * 3),
    st.tuples(*[st.sampled_from([1, 2])] * 3),
    st.sampled_from(["u1", "u2", "f4"]),
)
def test_a_coarser_frame_holds_means_of_blocks(shape: Any, steps: Any, dtype: str) -> None:
    if any(n < s for n, s in zip(shape, steps, strict=True)):
        return
    frame = (np.random.default_rng(0).random(shape) * 200).astype(dtype)
    out = coarser(frame, steps)
    assert out.dtype == frame.dtype
    assert out.shape == tuple(n // s for n, s in zip(shape, steps, strict=True))
    for at in np.ndindex(*out.shape):
        block = frame[tuple(slice(i * s, (i + 1) * s) for i, s in zip(at, steps, strict=True))]
        assert out[at] == pytest.approx(
            block.mean(dtype=np.float64), abs=0.5 if dtype[0] == "u" else 1e-4
        )


@pytest.fixture(scope="module")
def large() -> Volume:
    data = np.random.default_rng(1).integers(0, 255, (2, 6, 300, 520)).astype("u1")
    return Volume(
        data, (10, 0.2, 0.2, 0.2), (5, 1, 2, 3), ("s", "um"), metadata={"channel": "GFP", **MADE}
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_every_level_lies_where_the_recording_is(
    tmp_path: Path, large: Volume, version: str
) -> None:
    path = write(large, tmp_path / "a.ome.zarr", zarr_version=version)
    shapes = [[2, 6, 300, 520], [2, 3, 150, 260], [2, 1, 75, 130]]
    assert describe(path)["levels"] == shapes
    for level, shape in enumerate(shapes):
        found = read(path, level=level)
        f = 2**level
        assert list(found.shape) == shape
        assert found.units == ("s", "um")
        assert found.spacing == pytest.approx((10, 0.2 * f, 0.2 * f, 0.2 * f))
        # The first voxel covers the first f voxels: its centre is the mean of theirs.
        assert found.origin == pytest.approx(
            (5, 1 + 0.1 * (f - 1), 2 + 0.1 * (f - 1), 3 + 0.1 * (f - 1))
        )
        block = np.asarray(large.data)[:, :f, :f, :f].mean((1, 2, 3))
        assert np.asarray(found.data)[:, 0, 0, 0] == pytest.approx(block, abs=level)
    told = refused(InputError, path, level=3)
    assert "has 3" in told
    assert "0 to 2" in told
    assert read(path).metadata["spatimeinr"] == MADE["spatimeinr"]


@pytest.mark.beside
@pytest.mark.parametrize("version", VERSIONS)
def test_ome_zarr_reads_every_level(tmp_path: Path, large: Volume, version: str) -> None:
    needed("ome_zarr")
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    path = write(large, tmp_path / "a.ome.zarr", zarr_version=version)
    (node,) = list(Reader(parse_url(str(path)))())
    assert [tuple(level.shape) for level in node.data] == [
        (2, 6, 300, 520),
        (2, 3, 150, 260),
        (2, 1, 75, 130),
    ]
    scales = [steps[0]["scale"] for steps in node.metadata["coordinateTransformations"]]
    assert scales[2] == pytest.approx([10, 0.8, 0.8, 0.8])
    assert np.array_equal(np.asarray(node.data[0]), large.data)


def test_other_formats_have_one_level(tmp_path: Path) -> None:
    path = write(Volume(SMALL), tmp_path / "a.nii")
    assert read(path, level=0).shape == SMALL.shape
    assert describe(path)["levels"] is None
    assert "--level" in refused(InputError, path, level=1)


def test_levels_and_versions_on_the_command_line(
    tmp_path: Path, large: Volume, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(large, tmp_path / "a.ome.zarr")
    for version, format_ in (("0.4", 2), ("0.5", 3)):
        out = tmp_path / f"{version}.ome.zarr"
        assert not app(
            ["convert", str(path), str(out), "--level", "1", "--zarr-version", version],
            standalone_mode=False,
        )
        assert zarr.open_group(str(out), mode="r").metadata.zarr_format == format_
        assert read(out).shape == (2, 3, 150, 260)
    capsys.readouterr()
    app(["info", str(path), "--level", "2", "--json"], standalone_mode=False)
    facts = json.loads(capsys.readouterr().out)
    assert facts["shape"] == [2, 1, 75, 130]
    assert facts["levels"][0] == [2, 6, 300, 520]


class Frames:
    """Frames of SMALL, told when asked for; ``stop`` is raised at the fourth."""

    shape, dtype, ndim = SMALL.shape, SMALL.dtype, 4

    def __init__(self, stop: BaseException | None = None) -> None:
        self.stop, self.asked = stop, []

    def __getitem__(self, k: Any) -> Any:
        self.asked.append(k)
        if self.stop is not None and k == 3:
            raise self.stop
        return SMALL[k]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_the_same_again_goes_on(
    tmp_path: Path, marked: None, stop: BaseException, version: str
) -> None:
    target = tmp_path / "a.zarr"
    write(Volume(SMALL + 1), target)
    kind = SaveError if isinstance(stop, OSError) else KeyboardInterrupt
    with pytest.raises(kind) as told:
        write(Volume(Frames(stop), metadata=MADE), target, zarr_version=version)
    assert kind is KeyboardInterrupt or ("goes on" in str(told.value) and "full" in str(told.value))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "a.zarr.partial"]
    assert np.array_equal(read(target).data[:], SMALL + 1)
    frames = Frames()
    write(Volume(frames, metadata=MADE), target, zarr_version=version)
    assert frames.asked == [2, 3, 4, 5]  # the last one that is there is compared
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    write(Volume(SMALL, metadata=MADE), tmp_path / "whole.zarr", zarr_version=version)
    assert contents(target) == contents(tmp_path / "whole.zarr")


def test_anything_else_starts_anew(tmp_path: Path, marked: None) -> None:
    target = tmp_path / "a.zarr"
    for other in ({"spatimeinr": {"seed": 4}}, {}, MADE):
        with pytest.raises(KeyboardInterrupt):
            write(Volume(Frames(KeyboardInterrupt()), metadata=MADE), target)
        assert (tmp_path / "a.zarr.partial").is_dir()
        frames = Frames()
        spacing = (1.0, 2.0, 1.0, 1.0) if other == MADE else (1.0,) * 4
        write(Volume(frames, spacing, metadata=other), target)
        assert frames.asked == [0, 1, 2, 3, 4, 5]
        shutil.rmtree(target)


def test_what_calls_itself_the_same_and_is_not_is_refused(tmp_path: Path, marked: None) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(Volume(Frames(KeyboardInterrupt()), metadata=MADE), tmp_path / "a.zarr")
    with pytest.raises(SaveError, match="other values"):
        write(Volume(SMALL + 1, metadata=MADE), tmp_path / "a.zarr")


def test_a_conversion_goes_on_unless_its_source_changed(tmp_path: Path, marked: None) -> None:
    write(Volume(SMALL), tmp_path / "a.nii")
    volume = read(tmp_path / "a.nii")
    for change in (False, True):
        with pytest.raises(KeyboardInterrupt):
            write(
                Volume(Frames(KeyboardInterrupt()), metadata=volume.metadata), tmp_path / "b.zarr"
            )
        if change:
            os.utime(tmp_path / "a.nii", (1, 1))
        frames = Frames()
        write(Volume(frames, metadata=volume.metadata), tmp_path / "b.zarr")
        assert frames.asked[0] == (0 if change else 2)
