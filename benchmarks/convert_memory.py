"""Peak memory of ``spatimeinr info`` and ``convert`` for a recording of 4 GB: ``python
benchmarks/convert_memory.py --folder BIG``.

A recording of noise is streamed into the folder as NIfTI, described, and converted to every format,
each in a process of its own whose anonymous memory (what it cannot give back; not the mapped file)
is sampled. The last frame is compared, and the files are removed. Ends with 1 when the limit is
passed, torch was imported or a voxel is wrong.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np

LIMIT_MB = 500
SHAPE = (64, 32, 1024, 1024)
ENDINGS = (".nii", ".nii.gz", ".tif", ".ome.tif", ".ome.zarr")
COMMAND = """
import sys
from napari_spatimeinr.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code
assert "torch" not in sys.modules, "torch was imported"
"""


def make(path: Path, frames: int) -> None:
    """Stream frames of noise, each the first one rolled by its number, into a NIfTI file."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint16)
    header.set_data_shape((frames, *SHAPE[1:])[::-1])
    header["vox_offset"], header["magic"], header["xyzt_units"] = 352, b"n+1", 3 | 8
    header["pixdim"][1:5] = 0.1, 0.1, 0.3, 2
    with path.open("wb") as file:
        file.write(header.binaryblock + bytes(4))
        for k in range(frames):
            file.write(frame(k).tobytes())


def frame(k: int) -> np.ndarray:
    """Frame ``k``."""
    noise = np.random.default_rng(0).poisson(100, SHAPE[2:]).astype(np.uint16)
    return np.stack([np.roll(noise, (k, z), (0, 1)) for z in range(SHAPE[1])])


def anonymous(pid: int) -> int:
    """Anonymous resident kilobytes of a process; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), 0)


def measured(*arguments: object) -> tuple[float, float]:
    """Seconds and peak megabytes of a command."""
    began, peak = time.monotonic(), 0
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *map(str, arguments)], stdout=said, stderr=said
        )
        while process.poll() is None:
            peak = max(peak, anonymous(process.pid))
            time.sleep(0.01)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{arguments}: {said.read()}")
    return time.monotonic() - began, peak / 1e3


def main() -> None:
    """Parse the command line, convert, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--folder", type=Path, required=True, help="with 10 GB free; made, and removed at the end"
    )
    parser.add_argument("--frames", type=int, default=SHAPE[0])
    parser.add_argument("--ending", choices=ENDINGS, action="append")
    options = parser.parse_args()
    from napari_spatimeinr.io import read

    options.folder.mkdir(parents=True)
    try:
        needed = 2.1 * 2 * options.frames * np.prod(SHAPE[1:])
        if shutil.disk_usage(options.folder).free < needed:
            raise SystemExit(f"{options.folder} needs {needed / 1e9:.0f} GB of free space.")
        source = options.folder / "source.nii"
        make(source, options.frames)
        sizes = " x ".join(map(str, (options.frames, *SHAPE[1:])))
        print(
            f"| {sizes} uint16, {source.stat().st_size / 1e9:.1f} GB | s | peak MB |\n| --- | --- |"
            " --- |",
            flush=True,
        )
        peaks = []
        for ending in options.ending or ENDINGS:
            target = options.folder / f"target{ending}"
            rows = {
                f"convert to {ending}": ("convert", source, target),
                f"info of {ending}": ("info", target),
            }
            for name, arguments in rows.items():
                seconds, peak = measured(*arguments)
                peaks.append(peak)
                print(f"| {name} | {seconds:.0f} | {peak:.0f} |", flush=True)
            if ending != ".nii.gz":  # which is decompressed into memory
                last = options.frames - 1
                assert np.array_equal(read(target).data[last], frame(last)), f"{ending} differs"
            shutil.rmtree(target) if target.is_dir() else target.unlink()
    finally:
        shutil.rmtree(options.folder)
    raise SystemExit(f"The limit is {LIMIT_MB} MB." if max(peaks) > LIMIT_MB else 0)


if __name__ == "__main__":
    main()
