"""Model files with a flipped bit, or truncated while they are used, are told or change nothing."""

from __future__ import annotations

import struct
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_files import recording, refused
from napari_spatimeinr import checkpoint, load
from napari_spatimeinr.errors import FormatError, SpatimeINRError

pytestmark = pytest.mark.usefixtures("one_thread")


class Model:
    """Bytes with a short name in hypothesis' messages."""

    def __init__(self, content: bytes) -> None:
        self.content = content


@pytest.fixture(scope="module")
def model(saved) -> Model:
    return Model(saved)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1), value=st.integers(0, 255))
def test_a_flipped_byte_in_the_header_never_ends_in_another_error(model, tmp_path, place, value):
    saved = model.content
    length = struct.unpack("<Q", saved[:8])[0]
    broken = bytearray(saved)
    broken[int(place * (8 + length - 1))] = value
    path = tmp_path / "x.spatimeinr"
    path.write_bytes(broken)
    try:
        again = load(path, device="cpu")
    except SpatimeINRError as error:
        assert isinstance(error, FormatError)
        assert "\n" not in str(error)
    else:
        assert again.grid.shape[0] == again.volume.data.shape[0]


def same(one, other) -> bool:
    """Whether two readings of a model are the same."""
    (header, weights, frames), (header2, weights2, frames2) = one, other
    arrays = [(weights[k], weights2.get(k)) for k in weights] + [(frames[...], frames2[...])]
    equal = (
        b is not None and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in arrays
    )
    return header == header2 and list(weights) == list(weights2) and all(equal)


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [True, False])
def test_a_flipped_bit_anywhere_is_told_or_changes_nothing(saved, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(checkpoint, "VERIFIED_AT_ONCE", 10**9 if at_once else 0)
    path = tmp_path / "x.spatimeinr"
    path.write_bytes(saved)
    whole = checkpoint.read(path)
    told = 0
    places = range(0, len(saved), 5 if at_once else 23)
    for n in places:
        broken = bytearray(saved)
        broken[n] ^= 1 << n % 8
        path.write_bytes(broken)
        try:
            assert same(whole, checkpoint.read(path)), (
                f"byte {n} of {len(saved)} changed the model unseen"
            )
        except FormatError as error:
            assert "\n" not in str(error)
            assert str(path) in str(error)
            told += 1
    assert told > 0.95 * len(places)  # blanks after the header, and the like, may change


def test_a_damaged_frame_is_told_when_it_is_first_read(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "VERIFIED_AT_ONCE", 0)
    path = tmp_path / "x.spatimeinr"
    path.write_bytes(saved[:-1] + bytes([saved[-1] ^ 1]))
    field = load(path, device="cpu")
    assert field.volume.data[1, 2, 3, 4] == recording().data[1, 2, 3, 4]
    with pytest.raises(FormatError, match="Frame 2 in the model"):
        field.volume.data[2, 0, 0, 0]
    with pytest.raises(FormatError, match="Frame 2 in the model"):
        field.render(time_scale=2)


def test_edited_units_are_told(saved, tmp_path):
    path = tmp_path / "x.spatimeinr"
    edited = saved.replace(b'\\"min\\", \\"nm\\"', b'\\"min\\", \\"um\\"')
    assert edited != saved
    assert len(edited) == len(saved)
    path.write_bytes(edited)
    refused(path, "damaged")


TRUNCATED = """
import os, sys
from napari_spatimeinr import load
from napari_spatimeinr.errors import FormatError
lazy = load(sys.argv[1], device="cpu").lazy(time_scale=2)
lazy[0, 0]
os.truncate(sys.argv[1], 1000)
try:
    lazy[3]
except FormatError as error:
    assert "\\n" not in str(error)
    print("said:", error)
"""


@pytest.mark.slow
def test_a_model_truncated_while_it_is_rendered_is_one_sentence(saved, tmp_path):
    path = tmp_path / "x.spatimeinr"
    path.write_bytes(saved)
    done = subprocess.run(
        [sys.executable, "-c", TRUNCATED, str(path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert "said:" in done.stdout
    assert "open it again" in done.stdout
