"""A rendering as a job array: the script, as text for people to change."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Sequence

from .estimate import Estimate

SPARE = 1.5
"""Times the seconds and bytes that were measured are asked for."""
GIB = 2**30


def script(command: Sequence[str], name: str, estimate: Estimate, pieces: str) -> str:
    """The text of an sbatch script whose tasks are the parts of a rendering.

    Parameters
    ----------
    command : what renders it, without ``--part``.
    name : of the job.
    estimate : what it takes.
    pieces : what its pieces are, in words.
    """
    parts = estimate.parts
    minutes = math.ceil(SPARE * estimate.left / parts / 60) + 5
    memory = max(1, math.ceil(SPARE * estimate.memory / GIB))
    call = shlex.join([*command, "--part"])
    lines = [
        "#!/bin/bash",
        f"#SBATCH --job-name={re.sub('[^A-Za-z0-9._-]', '_', name)}",
        f"#SBATCH --array=1-{parts}",
        f"#SBATCH --cpus-per-task={estimate.threads}",
        f"#SBATCH --mem={memory}G",
        f"#SBATCH --time={minutes // 60:02}:{minutes % 60:02}:00",
        *(f"# {line}" for line in words(estimate, pieces)),
        "# Submit it with sbatch, again if a task was lost: what is there is not done again.",
        "# Another number of parts is changed in both places.",
        "export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK",
        f'{call} "$SLURM_ARRAY_TASK_ID/{parts}"',
    ]
    return "\n".join(lines)


def words(estimate: Estimate, pieces: str) -> list[str]:
    """What a rendering takes, in words."""
    done = f", {estimate.done} of them there already" if estimate.done else ""
    one = estimate.left / estimate.parts
    threads = "one thread" if estimate.threads == 1 else f"{estimate.threads} threads"
    each = f", or {estimate.parts} parts of {duration(one)} each" if estimate.parts > 1 else ""
    return [
        f"{estimate.chunks} {pieces}{done}",
        f"{duration(estimate.seconds)} each on {threads} of the machine that was asked, at most"
        f" {size(estimate.memory)} of memory",
        f"{size(estimate.bytes)} in all, about {size(estimate.stored)} on the disk",
        f"{duration(estimate.left)} for one process{each}",
    ]


def duration(seconds: float) -> str:
    """Seconds in a unit that is read easily."""
    for unit, length in (("days", 86400), ("hours", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def size(count: int) -> str:
    """Bytes in a unit that is read easily."""
    for unit, length in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if count >= length:
            return f"{count / length:.3g} {unit}"
    return f"{count / 1000:.3g} kB"
