"""Measure quality, speed and memory: ``python benchmarks/run.py PART [PART ...]``.

Parts: phantoms, uneven, planes, voxels, stacks, recordings, ablation, confidence, labels, nuclei,
axial, speed, sizes, memory, indexing, picture, and of the published method reproduced, published,
published-parts, published-speed; ``all`` is every one. ``--data FOLDER`` holds the real recordings,
which are not part of this repository; without it the parts that need them are left out. ``--page
docs/benchmarks.md`` puts each table, the machine and the command into the page, between ``<!-- PART
-->`` and ``<!-- /PART -->``.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cost
import downstream
import finer
import quality
import sizes
import uneven

import published

REAL = ("stacks", "recordings")
"""Parts that are nothing without real recordings."""
SEEDED = ("phantoms", "uneven", "planes", "voxels", "ablation", "labels", "nuclei", "axial")
"""Parts that are the means of several phantoms."""
UNSET = (
    "speed",
    "sizes",
    "memory",
    "indexing",
    "reproduced",
    "published",
    "published-parts",
    "published-speed",
)
"""Parts that choose their presets themselves."""


def machine() -> str:
    """Processor, cores, torch."""
    import torch

    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.split(":")[1].strip()
                break
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    return (
        f"{name}, {os.cpu_count()} cores{gpu}, Python {platform.python_version()}, torch"
        f" {torch.__version__}"
    )


def put(page: Path, part: str, text: str) -> None:
    """Replace a part's section of the page."""
    begin, end = f"<!-- {part} -->", f"<!-- /{part} -->"
    whole = page.read_text(encoding="utf-8")
    new, count = re.subn(
        f"{begin}.*?{end}", lambda _: f"{begin}\n{text}\n{end}", whole, flags=re.DOTALL
    )
    if count != 1:
        raise SystemExit(f"{page} needs {begin} and {end} once, they are there {count} times.")
    page.write_text(new, encoding="utf-8")


def main() -> None:
    """Parse the command line and run the parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", nargs="+")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    seeds = [int(s) for s in options.seeds.split(",")]
    preset, folder = options.preset, options.data

    def picture() -> Iterator[str]:
        path = (options.page or Path("docs/benchmarks.md")).with_name("benchmark-phantoms.png")
        quality.picture(path, preset)
        yield (
            "![The frame between two given ones: truth, linear, flow, SpatimeINR, and their"
            f" errors]({path.name})"
        )

    parts: dict[str, Callable[[], Iterator[str]]] = {
        "phantoms": lambda: quality.phantoms(seeds, preset),
        "uneven": lambda: uneven.uneven(seeds, preset),
        "planes": lambda: finer.planes(seeds, preset),
        "voxels": lambda: finer.voxels(seeds, preset, folder),
        "stacks": lambda: finer.stacks(folder, preset),
        "recordings": lambda: quality.recordings(folder, preset),
        "ablation": lambda: quality.ablation(seeds, preset, folder),
        "confidence": lambda: quality.confidence(preset, folder),
        "labels": lambda: downstream.labels(seeds, preset),
        "nuclei": lambda: downstream.nuclei(seeds, preset),
        "axial": lambda: downstream.axial(seeds, preset),
        "speed": cost.speed,
        "sizes": lambda: sizes.table(
            (options.page or Path("docs/benchmarks.md")).with_name("cost.png")
        ),
        "memory": cost.memory,
        "indexing": cost.indexing,
        "picture": picture,
        "reproduced": published.reproduced,
        "published": lambda: published.compared(folder),
        "published-parts": lambda: published.parts(seeds[:1]),
        "published-speed": published.speed,
    }
    wanted = list(parts) if "all" in options.part else options.part
    for part in wanted:
        if part not in parts:
            parser.error(f"there is no part {part!r}; choose from all, {', '.join(parts)}")
    if folder is None:
        if set(options.part) & set(REAL):
            parser.error(f"{' and '.join(REAL)} need --data FOLDER")
        wanted = [part for part in wanted if part not in REAL]
    for part in wanted:
        began = time.perf_counter()
        command = f"tox -e bench -- {part}"
        command += f" --seeds {options.seeds}" if part in SEEDED else ""
        command += (
            " --data FOLDER"
            if folder is not None
            and part in (*REAL, "voxels", "ablation", "confidence", "published")
            else ""
        )
        command += f" --preset {preset}" if part not in UNSET else ""
        print(f"\n{part}: {machine()}\n", flush=True)
        lines = []
        for line in parts[part]():
            print(line, flush=True)
            lines.append(line)
        minutes = (time.perf_counter() - began) / 60
        note = f"`{command}`; {machine()}; {minutes:.0f} min."
        if options.page is not None:
            put(options.page, part, f"{note}\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
