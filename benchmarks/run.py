"""Measure quality, speed and memory; prints Markdown rows for docs/benchmarks.md.

    python benchmarks/run.py phantom [--seeds 0,1,2] [--preset balanced]
    python benchmarks/run.py planes [--seeds 0,1,2] [--data FOLDER]
    python benchmarks/run.py recordings --data FOLDER [--preset balanced]
    python benchmarks/run.py speed
    python benchmarks/run.py memory

Each part prints the machine it ran on. ``recordings`` takes the three real recordings of the
benchmark page from FOLDER; they are not part of this repository.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PHANTOMS: dict[str, dict[str, float]] = {
    "slow": {"motion": 4.5},
    "fast": {"motion": 11},
    "accelerating": {"motion": 4.5, "accelerate": 0.2},
    "none": {"motion": 0},
}
STACKS = (
    ("tribolium_lightsheet_crop_3d.tif", (1.0, 1.0, 1.0, 1.0), (2, 3, 4)),
    ("celegans_membrane_gif_3d.tif", (1.0, 0.225, 0.225, 0.225), (5, 8)),
)
SPACINGS = {
    "drosophila_nuclei_tgmm_crop_4d.tif": (1.0, 5.0, 1.0, 1.0),
    "droplet_small_4d.tif": (1.0, 1.0, 1.0, 1.0),
    "parhyale_nuclei_4d.tif": (1.0, 2.16, 0.277, 0.277),
}


def machine() -> str:
    """Processor, cores, torch."""
    import torch

    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.split(":")[1].strip()
                break
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.__version__}"


def phantom_rows(seeds: list[int], preset: str) -> None:
    """Time x2 on phantoms against the noise-free truth."""
    from napari_spatimeinr import fit, phantom
    from napari_spatimeinr.scores import psnr

    print("| phantom | seed | linear dB | SpatimeINR dB | gain dB | fit s |\n| --- | --- | --- | --- | --- | --- |")
    for name, options in PHANTOMS.items():
        gains = []
        for seed in seeds:
            volume, truth = phantom(seed=seed, **options)
            began = time.perf_counter()
            field = fit(volume, preset, seed=seed)
            seconds = time.perf_counter() - began
            rendered = field.render(time_scale=2)
            linear, ours = [], []
            for k in range(volume.shape[0] - 1):
                clean = truth.frame(float(rendered.grid.coordinates(0)[2 * k + 1]), volume.grid)
                linear.append(psnr((volume.data[k] + volume.data[k + 1]) / 2, clean))
                ours.append(psnr(rendered.data[2 * k + 1], clean))
            gains.append(np.mean(ours) - np.mean(linear))
            print(
                f"| {name} | {seed} | {np.mean(linear):.2f} | {np.mean(ours):.2f} | {gains[-1]:+.2f} | {seconds:.0f} |",
                flush=True,
            )
        print(f"| **{name}** | mean of {len(seeds)} | | | **{np.mean(gains):+.2f}** (spread {np.std(gains):.2f}) | |", flush=True)


def plane_rows(seeds: list[int], preset: str, folder: Path | None) -> None:
    """Planes x3 on phantoms whose PSF is known, against the truth as sharp along z as across it; stacks with planes held out."""
    from napari_spatimeinr import Volume, evaluate, fit, phantom
    from napari_spatimeinr.scores import psnr

    print("| phantom | seed | cubic dB | SpatimeINR dB | gain dB | fit s |\n| --- | --- | --- | --- | --- | --- |")
    gains: dict[str, list[float]] = {}
    for frames in (7, 1):
        for seed in seeds:
            shape = (frames, 32, 64, 64)
            volume, _ = phantom(shape, seed=seed)
            sharp = phantom(shape, seed=seed, psf=(0.2, 0.2, 0.2))[1]
            began = time.perf_counter()
            field = fit(volume, preset, {"psf": [0.5, 0.2, 0.2]}, seed=seed)
            seconds = time.perf_counter() - began
            for scale in (1, 2) if frames > 1 else (1,):
                name = f"{frames} frames, z x3" + (", time x2" if scale > 1 else "")
                ours, cubic = (f.lazy(time_scale=scale, scale_z=3) for f in (field, field.interpolated("cubic")))
                rows = []
                for i in range(scale - 1, ours.shape[0], scale):
                    truth = sharp.frame(float(ours.grid.coordinates(0)[i]), ours.grid)
                    rows.append([psnr(np.asarray(array[i]), truth) for array in (cubic, ours)])
                a, b = np.mean(rows, 0)
                gains.setdefault(name, []).append(b - a)
                print(f"| {name} | {seed} | {a:.2f} | {b:.2f} | {b - a:+.2f} | {seconds:.0f} |", flush=True)
    for name, values in gains.items():
        print(f"| **{name}** | mean of {len(values)} | | | **{np.mean(values):+.2f}** (spread {np.std(values):.2f}) | |")
    if folder is None:
        return
    print("\n| stack | given | linear | cubic | SpatimeINR | s |\n| --- | --- | --- | --- | --- | --- |")
    for file, spacing, gaps in STACKS:
        for gap in gaps:
            rows = evaluate(Volume.open(folder / file, axes="ZYX", spacing=spacing), "z", gap, preset).methods
            cells = [f"{rows[m]['psnr']:.2f} / {rows[m]['psnr_smoothed']:.2f}" for m in ("linear", "cubic", "spatimeinr")]
            print(f"| {file} | 1 of {gap} | {' | '.join(cells)} | {rows['spatimeinr']['seconds']:.0f} |", flush=True)


def recording_rows(folder: Path, preset: str) -> None:
    """Hold-out in time on real recordings."""
    from napari_spatimeinr import Volume, evaluate

    print("| recording | method | PSNR | smoothed | foreground | SSIM |\n| --- | --- | --- | --- | --- | --- |")
    for name, spacing in SPACINGS.items():
        report = evaluate(Volume.open(folder / name, axes="TZYX", spacing=spacing), preset=preset)
        for method, row in report.methods.items():
            cells = [row.get(key, float("nan")) for key in ("psnr", "psnr_smoothed", "psnr_foreground", "ssim")]
            print(f"| {name.split('_')[0]} | {method} | " + " | ".join(f"{c:.2f}" for c in cells) + " |", flush=True)
        print(f"| {name.split('_')[0]} | kept: {report.chosen} | {report.seconds:.0f} s | | | |", flush=True)


def speed_rows() -> None:
    """Fit time against size, rendering speed, latency of a plane."""
    from napari_spatimeinr import fit, phantom

    seconds = {}
    for shape in ((7, 32, 64, 64), (7, 32, 128, 128)):
        volume, _ = phantom(shape)
        for preset in ("fast", "balanced"):
            began = time.perf_counter()
            field = fit(volume, preset)
            seconds[shape, preset] = time.perf_counter() - began
            print(f"fit {preset} {shape}: {seconds[shape, preset]:.1f} s", flush=True)
    small, large = (seconds[s, "balanced"] for s in ((7, 32, 64, 64), (7, 32, 128, 128)))
    print(f"balanced, 4 x the voxels: {large / small:.2f} x the time")
    array = field.lazy(time_scale=2.5, scale_z=2)
    began = time.perf_counter()
    np.asarray(array)
    print(f"render {array.shape}: {array.size / (time.perf_counter() - began) / 1e6:.2f} million voxels/s")
    volume, _ = phantom((4, 16, 512, 512))
    field = fit(volume, "fast")
    array = field.lazy(time_scale=2)
    for number, (t, z) in enumerate(((1, 8), (1, 9), (3, 8), (3, 7))):
        began = time.perf_counter()
        array[t, z]
        print(f"plane 512 x 512, request {number} (t {t}, z {z}): {1000 * (time.perf_counter() - began):.0f} ms", flush=True)


def memory_rows() -> None:
    """Peak resident memory of fit and render of 10 x 40 x 512 x 512 uint16, in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "large.nii"
        make = (
            "import numpy as np; from napari_spatimeinr import phantom, Volume; v, _ = phantom((10, 10, 128, 128), motion=3);"
            "d = np.tile(np.clip(v.data * 1000 + 200, 0, 65535).astype(np.uint16), (1, 4, 4, 4));"
            f"Volume(d, v.spacing).save({str(source)!r})"
        )
        subprocess.run([sys.executable, "-c", make], check=True)
        model, output = Path(folder) / "model.spatimeinr", Path(folder) / "out.nii"
        for command in (["fit", source, "-o", model], ["render", model, "-o", output, "--time-scale", "1.5"]):
            code = (
                "import sys, resource; from napari_spatimeinr.cli import main\n"
                "try: main()\nexcept SystemExit as e: assert not e.code\n"
                "print('peak MB', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)"
            )
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", code, *map(str, command), "--quiet"]
                if command[0] == "fit"
                else [sys.executable, "-c", code, *map(str, command)],
                check=True,
            )
            print(f"{command[0]}: {time.perf_counter() - began:.0f} s; raw {210} MB, limit 4 x raw + 1 GB = 1839 MB", flush=True)


def main() -> None:
    """Parse the command line and run one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("phantom", "planes", "recordings", "speed", "memory"), nargs="?", default="phantom")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    print(f"machine: {machine()}\n", flush=True)
    if options.part == "phantom":
        phantom_rows([int(s) for s in options.seeds.split(",")], options.preset)
    elif options.part == "planes":
        plane_rows([int(s) for s in options.seeds.split(",")], options.preset, options.data)
    elif options.part == "recordings":
        if options.data is None:
            parser.error("recordings needs --data FOLDER")
        recording_rows(options.data, options.preset)
    elif options.part == "speed":
        speed_rows()
    else:
        memory_rows()


if __name__ == "__main__":
    main()
