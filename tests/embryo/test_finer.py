"""An embryo written again, finer, in the files it came in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_spatimeinr.data.record import Record
from napari_spatimeinr.embryo.finer import write_finer
from napari_spatimeinr.embryo.phantom import embryo_phantom
from napari_spatimeinr.embryo.recording import open_embryo
from napari_spatimeinr.errors import SaveError


def test_the_finer_embryo_is_opened_like_the_raw_one(tmp_path: Path) -> None:
    made = embryo_phantom(
        tmp_path / "raw",
        shape=(3, 8, 30, 44),
        spacing=(90, 1.5, 0.5, 0.5),
        cells=(8, 12),
        z_flip=True,
    )
    embryo = open_embryo(made.run_file, z_flip=True)
    fine = embryo.data_grid.refine(time_scale=2)
    data = np.stack([1000 * made.truth.frame(t, fine) for t in fine.coordinates(0)])
    run_file = write_finer(tmp_path / "fine", embryo, Record(data, fine))
    again = open_embryo(run_file)
    assert again.warnings == ()
    assert again.record.shape == (5, 24, 30, 44)
    assert again.record.spacing == pytest.approx((45, 0.5, 0.5, 0.5))
    assert np.abs(again.record.data[2] * (embryo.run.scale / 255) - data[2]).max() <= (
        embryo.run.scale / 255 * 0.5001
    )
    assert again.lineage.names == embryo.lineage.names
    shift = np.array(fine.origin[1:])
    for number in range(1, 6):
        when = 1 + (number - 1) / 2
        here, there = again.lineage.positions_at(number), embryo.lineage.positions_at(when)
        assert set(here) == set(there)
        for name, place in here.items():
            assert place + shift == pytest.approx(there[name], abs=1e-6)
    for division in again.lineage.divisions:
        assert division.before == division.after + 1
    with pytest.raises(SaveError, match="there already"):
        write_finer(tmp_path / "fine", embryo, Record(data, fine))


def test_what_cannot_be_rendered_leaves_no_slices(tmp_path: Path) -> None:
    made = embryo_phantom(
        tmp_path / "raw", shape=(2, 8, 30, 44), spacing=(90, 1.5, 0.5, 0.5), cells=(8, 9)
    )
    embryo = open_embryo(made.run_file)

    class Broken(Record):
        def frame(self, k: int, dtype: object = np.float32) -> np.ndarray:
            raise ArithmeticError("not a number")

    with pytest.raises(ArithmeticError):
        write_finer(tmp_path / "fine", embryo, Broken(embryo.record.data, embryo.record.grid))
    assert list((tmp_path / "fine").iterdir()) == []
