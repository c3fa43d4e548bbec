"""Run the tests that open windows in a process of their own; tox calls this.

Software OpenGL sometimes crashes the whole process in one of its own drawing calls (vispy's
glDrawArrays), while nothing of ours runs; why is not known yet. Such a death by a signal is announced,
and the tests run again; a test that fails is never repeated.
"""

from __future__ import annotations

import subprocess
import sys

ATTEMPTS = 3


def main() -> int:
    command = [sys.executable, "-m", "pytest", "tests/napari", *sys.argv[1:]]
    for attempt in range(1, ATTEMPTS + 1):
        code = subprocess.run(command).returncode
        if code >= 0:
            return code
        print(
            f"The window tests were killed by signal {-code} (see the stack above), attempt {attempt} of {ATTEMPTS}.", flush=True
        )
    return 1


if __name__ == "__main__":
    sys.exit(main())
