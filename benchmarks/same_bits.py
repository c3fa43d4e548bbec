"""Whether two states of the source compute the same bits: ``record DIR`` with each, then ``compare
DIR DIR``.

``python benchmarks/same_bits.py record before`` fits small phantoms by every preset (with few
steps, and without gates), with one to seven
frames, with and without a PSF, two seeds, on one thread, and keeps renderings, confidence,
disagreement, model files and provenance. ``compare before after`` tells every difference, bit by
bit; names that changed between the two states are those in NAMES. ``render DIR OTHER`` renders the
models in DIR with this state and compares with what is kept there: models written before open and
render the same.
"""

from __future__ import annotations

import argparse
import fnmatch
import itertools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

NAMES = {"axial": "planes", "in_plane": "voxels"}
"""What parts were called before, in configuration, provenance and files."""
ARRAYS = {
    "velocity.": "motion.",
    "encoder.": "latents.encoder.",
    "decoder.": "latents.decoder.",
    "axial.": "planes.",
    "in_plane.": "voxels.",
}
"""The same of arrays in model files."""
VARYING = ("seconds", "peak_memory_bytes", "threads")
"""What differs between equal runs."""
QUICK = {
    "motion": {"steps": 12, "points": 2000},
    "latents": {"steps": 16, "channels": 6, "width": 12, "crop": [6, 16, 16]},
    "axial": {"steps": 8, "channels": 6, "layers": 3},
}
PUBLISHED = {
    "max_iter": 12,
    "rcan_max_iter": 6,
    "rcan": {"n_feats": 16, "n_resgroups": 1, "n_resblocks": 1},
    "model": {"netD": 6, "netW": 16},
    "dataset": {"train": {"bsize": 128}},
    "dataloader": {"train": {"batch_size": 1}},
}
FRAMES = (1, 2, 3, 7)
PSF = (None, [0.6, 0.2, 0.2])


def cases() -> Iterator[tuple[str, str, int, list[float] | None, int]]:
    """Name, preset, frames, PSF and seed of every fit."""
    for preset, count, psf, seed in itertools.product(
        ("fast", "balanced", "ungated", "published"), FRAMES, PSF, (0, 1)
    ):
        yield f"{preset}-t{count}-{'psf' if psf else 'no'}-{seed}", preset, count, psf, seed
    for kind, seed in itertools.product(("kept", "resumed"), (0, 1)):
        yield f"{kind}-t7-no-{seed}", kind, 7, None, seed


def options(preset: str, psf: list[float] | None, seed: int) -> dict[str, Any]:
    """Few steps of a preset; of one seed, finer voxels in the plane too; enough to keep latents."""
    if preset in ("kept", "resumed"):
        return {"latents": {"crop": [8, 24, 24]}, "axial": {"steps": 20}}
    if preset == "published":
        return {"published": PUBLISHED, "psf": psf}
    return {**QUICK, "psf": psf, "in_plane": {"enabled": seed == 1}, "gate": preset != "ungated"}


def pictures(field: Any) -> dict[str, np.ndarray]:
    """What is compared of a Field."""
    some = {
        "time": field.render(time_scale=2.0),
        "space": field.render(scale_z=2.0, scale_yx=1.5),
        "coarse": field.render(scale=0.6),
        "source": field.render(time_scale=1.5, dtype="source", keep_acquired=True),
    }
    kinds = (
        ()
        if field.provenance.get("method", "").endswith("repaired")
        else ("disagreement", "confidence")
    )
    for what in kinds:
        try:
            some[what] = field.wrap(np.asarray(lazy := field.lazy(time_scale=2.0, what=what)), lazy)
        except ValueError:
            continue  # too few frames for it
    return {name: np.asarray(volume.data) for name, volume in some.items()}


def recording(preset: str, count: int, seed: int) -> Any:
    """A phantom; where latents shall be kept, one with little motion and light."""
    import napari_spatimeinr as sp

    if preset in ("kept", "resumed"):
        volume, _ = sp.phantom((count, 8, 40, 40), motion=1.0, seed=seed, photons=40)
    else:
        volume, _ = sp.phantom((count, 6, 32, 36), motion=2.0, seed=seed, psf=(0.4, 0.2, 0.2))
    return sp.Volume(volume.data, (30.0, 1.0, 0.5, 0.5))


def record(folder: Path, only: str = "*") -> None:
    """Fit every case and keep what it gives."""
    import torch

    import napari_spatimeinr as sp

    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for name, preset, count, psf, seed in cases():
        if not fnmatch.fnmatch(name, only):
            continue
        volume = recording(preset, count, seed)
        config = options(preset, psf, seed) | {"threads": 1}
        named = {"ungated": "balanced", "kept": "fast", "resumed": "fast"}.get(preset, preset)
        old = sp.load(folder / f"kept-t7-no-{seed}.spatimeinr") if preset == "resumed" else None
        field = sp.fit(volume, named, config, device="cpu", seed=seed, resume=old)
        field.save(folder / f"{name}.spatimeinr")
        np.savez(folder / f"{name}.npz", **pictures(field))
        again = sp.load(folder / f"{name}.spatimeinr", device="cpu")
        np.savez(folder / f"{name}.loaded.npz", **pictures(again))
        facts = (
            field.provenance if isinstance(field.provenance, dict) else field.provenance.to_dict()
        )
        (folder / f"{name}.json").write_text(json.dumps(facts, indent=1, default=str))
        print(name, flush=True)


def arrays(path: Path) -> dict[str, np.ndarray]:
    """The weights and frames of a model file, by the names they have now."""
    from safetensors.numpy import load_file

    out = {}
    for name, array in load_file(path).items():
        new = next((to for of, to in ARRAYS.items() if name.startswith(of)), None)
        old = next((of for of in ARRAYS if name.startswith(of)), "")
        out[name if new is None else new + name.removeprefix(old)] = array
    return out


def facts(value: Any) -> Any:
    """Provenance by the names of now, without what varies."""
    if isinstance(value, dict):
        kept = {NAMES.get(k, k): facts(v) for k, v in value.items() if k not in VARYING}
        return {k: v for k, v in kept.items() if v is not None and v != {}}
    return [facts(v) for v in value] if isinstance(value, (list, tuple)) else value


def told(name: str, one: Any, other: Any, where: str = "") -> list[str]:
    """Where two pieces of provenance differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [line for k in keys for line in told(name, one.get(k), other.get(k), f"{where}.{k}")]
    return [] if one == other else [f"{name}: provenance{where} was {one!r}, is {other!r}"]


def unequal(name: str, one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> list[str]:
    """Which arrays differ in any bit."""
    out = [f"{name}: {key} is in one of them alone" for key in sorted(set(one) ^ set(other))]
    for key in sorted(set(one) & set(other)):
        a, b = one[key], other[key]
        if a.dtype != b.dtype or a.shape != b.shape or a.tobytes() != b.tobytes():
            worst = np.abs(a.astype(float) - b).max() if a.shape == b.shape else "other shapes"
            out.append(f"{name}: {key} differs, by {worst} at most")
    return out


def compare(before: Path, after: Path) -> list[str]:
    """Every difference between two records."""
    found = []
    for name, *_ in cases():
        loaded = [dict(np.load(folder / f"{name}.loaded.npz")) for folder in (before, after)]
        found += unequal(f"{name}, loaded", *loaded)
        found += unequal(
            name, dict(np.load(before / f"{name}.npz")), dict(np.load(after / f"{name}.npz"))
        )
        found += unequal(
            name, arrays(before / f"{name}.spatimeinr"), arrays(after / f"{name}.spatimeinr")
        )
        old, new = (json.loads((folder / f"{name}.json").read_text()) for folder in (before, after))
        found += told(name, facts(old), facts(new))
    return found


def again(folder: Path) -> list[str]:
    """Every difference between kept renderings and those of the kept models by this state."""
    import torch

    import napari_spatimeinr as sp

    torch.set_num_threads(1)
    found = []
    for name, *_ in cases():
        field = sp.load(folder / f"{name}.spatimeinr", device="cpu")
        found += unequal(name, dict(np.load(folder / f"{name}.loaded.npz")), pictures(field))
    return found


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=("record", "compare", "render"))
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--only", default="*", help="names of the fits to record, like kept-*")
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if asked.task == "record":
        record(asked.folders[0], asked.only)
        return
    found = compare(*asked.folders) if asked.task == "compare" else again(asked.folders[0])
    print("\n".join(found) or "the same bits")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
