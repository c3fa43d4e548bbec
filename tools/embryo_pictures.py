"""Make the pictures of docs/embryo.md: the phantom embryo through ``spatimeinr embryo``.

``python tools/embryo_pictures.py docs [--model MODEL]``; takes matplotlib.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from napari_spatimeinr.embryo.phantom import embryo_phantom

SCALE = 4
SHOWN = (9, 11, 13)
"""Numbers of the time points whose planes are shown: acquired, in between, acquired."""


def volume(path: Path) -> tuple[Any, Any]:
    """Voxels (y, x, z) and their spacing."""
    image = nibabel.load(path)
    return np.asarray(image.dataobj), np.diag(image.affine)[:3]


def draw_plane(out: Path, path: Path) -> None:
    """Draw a plane of three time points with the cells found in it, and their names."""
    with open(out / "GUIData/name_dictionary.csv", encoding="utf-8", newline="") as file:
        names = {int(label): name for label, name in list(csv.reader(file))[1:]}
    with open(out / "times.csv", encoding="utf-8", newline="") as file:
        times = {int(row["number"]): row for row in csv.DictReader(file)}
    figure = Figure(figsize=(11, 5), layout="constrained")
    rows = figure.subplots(2, len(SHOWN))
    for column, number in zip(rows.T, SHOWN, strict=True):
        membranes, (dy, dx, _) = volume(out / f"NII/Emb1_{number:03}.nii.gz")
        labels, _ = volume(out / f"result/Emb1_{number:03}.nii.gz")
        middle = membranes.shape[2] // 2
        plane, cells = membranes[..., middle], labels[..., middle]
        edges = (-dx / 2, (plane.shape[1] - 0.5) * dx, (plane.shape[0] - 0.5) * dy, -dy / 2)
        row = times[number]
        acquired = f"acquired ({row['acquired']})" if row["acquired"] else "in between"
        title = f"{number}: {float(row['time_s']) / 60:g} min, {acquired}"
        for axes in column:
            axes.imshow(plane, cmap="gray", extent=edges, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
        column[0].set_title(title, fontsize=10)
        shade = colormaps["tab20"](cells % 20)
        shade[..., 3] = np.where(cells > 0, 0.45, 0)
        column[1].imshow(shade, extent=edges, interpolation="nearest")
        for label in np.unique(cells)[1:]:
            y, x = np.argwhere(cells == label).mean(0)
            column[1].text(
                x * dx, y * dy, names[int(label)], color="white", fontsize=7, ha="center"
            )
    figure.savefig(path, dpi=100)


def main() -> None:
    """Make all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", help="of the phantom embryo, instead of a fit")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        made = embryo_phantom(place)
        out = Path(place) / "out"
        where = ["--config_file", made.run_file, "--nii_path", out / "NII", "--opdir", out]
        more = ["--time-scale", SCALE, *(["--model", wanted.model] if wanted.model else [])]
        command = [sys.executable, "-m", "napari_spatimeinr.cli", "embryo", *where, *more]
        subprocess.run([str(part) for part in command], check=True)
        shutil.copy(out / "Emb1_volumes.png", wanted.folder / "embryo-volumes.png")
        shutil.copy(out / "Emb1_flip.png", wanted.folder / "embryo-flip.png")
        draw_plane(out, wanted.folder / "embryo-plane.png")


if __name__ == "__main__":
    main()
