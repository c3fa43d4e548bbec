"""Small files that promise huge recordings are refused at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nibabel as nib

import odd_files as odd
from napari_spatimeinr.errors import FormatError
from napari_spatimeinr.io import write
from napari_spatimeinr.volume import Volume
from odd_files import DATA, dims, imagej, nifti, ome, store
from odd_rows import bad

ABSURD = [
    bad("nifti", lambda d: nifti(d / "a.nii.gz", kind=nib.Nifti2Header, dim=dims(4, 2**20, 2**20, 2**10, 9)), FormatError, "truncated"),
    bad("ome frames", lambda d: ome(d / "a.ome.tif", ('SizeT="3"', 'SizeT="20000000"')), FormatError, "promises"),
    bad("ome planes", lambda d: ome(d / "a.ome.tif", ('PlaneCount="12"', 'PlaneCount="900000000"')), FormatError, "promises"),
    bad("ome width", lambda d: ome(d / "a.ome.tif", ('SizeX="6"', 'SizeX="60000000"')), FormatError, "promises"),
    bad("imagej frames", lambda d: imagej(d / "a.tif", "images=80000000", "slices=4", "frames=20000000"), FormatError, "truncated"),
    bad("shape", lambda d: odd.described(d / "a.tif", '{"shape": [20000000, 4, 5, 6]}'), FormatError, "truncated"),
    bad("zarr", lambda d: store(d / "a.zarr", ("0/.zarray:shape", [2**40, 2**40, 5, 6])), FormatError, "impossible size"),
    bad("zarr chunks", lambda d: store(d / "a.zarr", ("0/.zarray:chunks", [0, 0, 0, 0])), FormatError, "."),
]  # fmt: skip

LIMITED = """
import resource, sys
from napari_spatimeinr.errors import FormatError
from napari_spatimeinr.io import read
usual, *paths = sys.argv[1:]
assert read(usual).data[:].any()  # imports what reads
used = 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1])
limit = used + 2**30  # what libraries reserve for their threads differs between machines
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in paths:
    try:
        print(read(path))
    except FormatError as error:
        print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_absurd_promises_cost_nothing(tmp_path: Path) -> None:
    """A small file that promises a huge recording is refused at once, and no memory is asked for."""
    paths = []
    for row in ABSURD:
        (tmp_path / row.name).mkdir()
        paths.append(str(row.make(tmp_path / row.name)))
    write(Volume(DATA), tmp_path / "usual.ome.zarr")
    call = [sys.executable, "-c", LIMITED, str(tmp_path / "usual.ome.zarr"), *paths]
    done = subprocess.run(call, capture_output=True, text=True, timeout=100)
    assert done.stderr == ""
    *sentences, more = done.stdout.splitlines()
    assert [
        row.name for row, text in zip(ABSURD, sentences, strict=True) if row.words not in text
    ] == []
    assert int(more) < 200_000, "kilobytes"
