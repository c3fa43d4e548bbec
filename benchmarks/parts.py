"""Four parts of a rendering at once, killed at random and called again.

``python benchmarks/parts.py [--rounds 20] [--parts 4] [--kills 6] [--seed 0]``. In each round all parts
are started, and called again until each has ended by itself; meanwhile so many of them are killed
(SIGKILL), each after a random time. Then every chunk of every level is compared with what one process
writes, frame by frame. Chunks that differ or are not there are lost; a lost one makes the exit code 1.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import zarr

from napari_spatimeinr import fit, phantom

OPTIONS = (
    "--time-scale",
    "2",
    "--scale-yx",
    "8",
    "--dtype",
    "uint16",
    "--device",
    "cpu",
    "--quiet",
)
CHUNK = "1,4,64,64"
LEAST = {
    "motion": {"steps": 5, "points": 500, "smoothness": [0.02], "gradual": False},
    "hypotheses": {"steps": 4, "width": 4},
    "latents": {"steps": 4, "channels": 4, "layers": 2, "width": 8, "crop": [4, 8, 8]},
    "planes": {"enabled": False},
    "gate": False,
}


def start(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "napari_spatimeinr.cli", "render", *map(str, words), *OPTIONS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def one_round(model: Path, target: Path, parts: int, kills: int, rng: random.Random) -> int:
    """Render in parts, with so many kills; how many came while a part was running."""
    killed = 0
    left = {
        k: start(model, "-o", target, "--chunk", CHUNK, "--part", f"{k}/{parts}")
        for k in range(1, parts + 1)
    }
    began = time.monotonic()
    span = 2.0
    due = sorted(rng.uniform(0, span) for _ in range(kills))
    while left:
        time.sleep(0.01)
        for k, process in list(left.items()):
            if process.poll() is None:
                continue
            _, said = process.communicate()
            if process.returncode == 0:
                del left[k]
                continue
            if process.returncode > 0:
                raise SystemExit(f"part {k}/{parts} ended with {process.returncode}: {said}")
            left[k] = start(model, "-o", target, "--chunk", CHUNK, "--part", f"{k}/{parts}")
        # Time counts from the first chunk on: loading takes longer than rendering.
        if not target.with_name(target.name + ".parts").exists():
            began = time.monotonic()
        elif left and due and time.monotonic() - began > due[0]:
            due.pop(0)
            rng.choice(list(left.values())).kill()
            killed += 1
            if due and rng.random() < 0.5:  # wait until those that are called again are at it
                due = [at + rng.uniform(0, 6) for at in due]
    return killed


def lost(target: Path, whole: Path) -> tuple[int, int]:
    """Chunks that are not those of one process, and all of them."""
    wrong = total = 0
    with_parts, alone = (zarr.open_group(store=str(path), mode="r") for path in (target, whole))
    for name in sorted(alone.array_keys()):
        ours, theirs = with_parts[name], alone[name]
        for index in np.ndindex(
            *(-(-n // c) for n, c in zip(ours.shape, ours.chunks, strict=True))
        ):
            where = tuple(
                slice(i * c, (i + 1) * c) for i, c in zip(index, ours.chunks, strict=True)
            )
            file = target / name / ours.metadata.encode_chunk_key(index)
            total += 1
            wrong += not (file.is_file() and np.array_equal(ours[where], theirs[where]))
    return wrong, total


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("rounds", 20), ("parts", 4), ("kills", 6), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    all_lost = all_killed = 0
    with tempfile.TemporaryDirectory() as folder:
        model, whole = Path(folder, "m.spatimeinr"), Path(folder, "whole.ome.zarr")
        fit(phantom((4, 8, 48, 48), motion=2.0, seed=1)[0], config=LEAST, device="cpu").save(model)
        process = start(model, "-o", whole)
        if process.wait() != 0:
            raise SystemExit(process.communicate()[1])
        for number in range(asked.rounds):
            target = Path(folder, f"{number}.ome.zarr")
            began = time.monotonic()
            killed = one_round(model, target, asked.parts, asked.kills, rng)
            wrong, total = lost(target, whole)
            beside = sorted(
                set(os.listdir(folder))
                - {model.name, whole.name}
                - {f"{k}.ome.zarr" for k in range(number + 1)}
            )
            print(
                f"round {number + 1}: {killed} killed, {wrong} of {total} chunks lost, "
                f"{'bits equal' if not wrong else 'bits differ'}, left beside: {', '.join(beside) or 'nothing'}, "
                f"{time.monotonic() - began:.0f} s",
                flush=True,
            )
            all_lost, all_killed = all_lost + wrong, all_killed + killed
    print(
        f"{asked.rounds} rounds, {all_killed} killed, {all_lost} chunks lost, {'bits equal' if not all_lost else 'bits differ'}"
    )
    raise SystemExit(all_lost > 0)


if __name__ == "__main__":
    main()
