"""Look for the Debian packages that windows under Xvfb need, and install them where that is
allowed.

Run by tox before the tests. Missing packages are installed (announced) by root where there is
apt; otherwise the one line to run is printed and the tests go on, because only tests that open
a window need them. With ``CI`` set, a package that is still missing is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PACKAGES = (
    "xvfb",
    "xauth",
    "libegl1",
    "libgl1",
    "libxkbcommon-x11-0",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-keysyms1",
    "libxcb-shape0",
    "libdbus-1-3",
    "libfontconfig1",
    "libglib2.0-0",
)


def installed(package: str) -> bool:
    """Whether dpkg has a package, also by the name it has since the 64-bit time transition."""
    for name in (package, f"{package}t64"):
        query = subprocess.run(
            ["dpkg-query", "-W", "-f=${db:Status-Status}", name], capture_output=True, text=True
        )
        if query.returncode == 0 and query.stdout.strip() == "installed":
            return True
    return False


def install(packages: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update"],
        ["apt-get", "install", "-y", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            print(
                f"{' '.join(command[:2])} failed: {said[-1] if said else 'no reason given'}",
                flush=True,
            )


def main() -> int:
    if not shutil.which("dpkg-query"):
        print(
            "Not a Debian system: tests that open a window need Xvfb, OpenGL and the xcb libraries"
            " of Qt."
        )
        return 0
    missing = [package for package in PACKAGES if not installed(package)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        print(
            f"Installing Debian packages for the tests that open a window: {' '.join(missing)}",
            flush=True,
        )
        install(missing)
        missing = [package for package in missing if not installed(package)]
    if not missing:
        print("Debian packages for the tests that open a window: all there.")
        return 0
    sudo = "" if os.geteuid() == 0 else "sudo "
    print(
        "Tests that open a window need more Debian packages; to install them run\n   "
        f" {sudo}apt-get install -y {' '.join(missing)}"
    )
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
