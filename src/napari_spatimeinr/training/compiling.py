"""Waiting for kernels: the bits of a fit do not depend on when they are there, and they save more
than the seconds that compiling takes the first time.
"""

from __future__ import annotations

from .. import kernels
from .job import Job, Steps
from .schedule import ENDS

LOOK_AGAIN = 0.1
"""Seconds between two looks; the preview is drawn in between."""


def until_compiled(job: Job, kernel: str, part: str, kind: str) -> Steps:
    """Wait for a kernel that a part is about to use, no longer than its ``kind`` of steps may."""
    while job.device.type == "cpu" and not kernels.decided(kernel, LOOK_AGAIN):
        yield job.progress(part)
        if job.schedule.late(ENDS[kind]):
            return
