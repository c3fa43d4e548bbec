"""Whether the wheel holds what it must and nothing else: ``python tools/wheel_contents.py DIST``.

Looks at the newest wheel in DIST: the files that are no Python must be there, every module of
``src`` too, and neither tests nor tools nor anything outside the package and its metadata.
"""

from __future__ import annotations

import sys
from pathlib import Path
from zipfile import ZipFile

PACKAGE = "napari_spatimeinr"
SOURCE = Path(__file__).parents[1] / "src"
DATA = (".yaml", ".typed")
"""Endings of files of the package that are no Python."""


def expected() -> set[str]:
    """Names in the wheel of all files of the package."""
    files = (file for file in (SOURCE / PACKAGE).rglob("*") if file.suffix in (".py", *DATA))
    return {file.relative_to(SOURCE).as_posix() for file in files}


def complaints(wheel: Path) -> list[str]:
    """What is missing from a wheel, and what should not be in it."""
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        points = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
        points_to = archive.read(points[0]).decode() if points else ""
    inside = {name for name in names if name.split("/")[0] == PACKAGE}
    outside = {name for name in names - inside if ".dist-info/" not in name}
    wanted = expected()
    found = [f"{name} is missing" for name in sorted(wanted - inside)]
    found += [f"{name} does not belong there" for name in sorted((inside - wanted) | outside)]
    for needed in ("napari.yaml", "published.yaml", "py.typed"):
        if not any(name.endswith(f"/{needed}") for name in inside):
            found.append(f"{needed} is missing")
    if not any(name.endswith("/licenses/LICENSE") for name in names):
        found.append("LICENSE is missing")
    for group in ("napari.manifest", "console_scripts"):
        if f"[{group}]" not in points_to:
            found.append(f"the entry point {group} is missing")
    return found


def main() -> int:
    """Look at the newest wheel of a folder."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "dist")
    wheels = sorted(folder.glob("*.whl"), key=lambda file: file.stat().st_mtime)
    if not wheels:
        print(f"There is no wheel in {folder}; run python -m build first.")
        return 1
    found = complaints(wheels[-1])
    for line in found or ["complete, and nothing else in it"]:
        print(f"{wheels[-1].name}: {line}.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
