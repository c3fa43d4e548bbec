"""Run the tests that open windows in a process of their own; tox calls this.

Software OpenGL has been seen to crash the whole process in one of its own drawing calls, about once in
seven runs, with nothing of ours running. Such a death by a signal is announced, and the tests run once
more; a test that fails is never repeated.
"""

from __future__ import annotations

import subprocess
import sys


def main() -> int:
    command = [sys.executable, "-m", "pytest", "tests/napari", *sys.argv[1:]]
    code = subprocess.run(command).returncode
    if code < 0:
        print(f"The window tests were killed by signal {-code} (see the stack above); they run once more.", flush=True)
        code = subprocess.run(command).returncode
    return 1 if code else 0


if __name__ == "__main__":
    sys.exit(main())
