"""Several writers at once to one name, some killed: ``python benchmarks/attack_writers.py --rounds
50 [--kind zarr] [--seed 0]``.

After each round the name must hold one whole recording, of one of the writers or the earlier one; a
writer that said it was done must not be followed by the earlier one; who was refused must have been
told who writes; what belongs to others must be untouched; and one more writing must leave nothing
but the recording. Anything else is a finding, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr  # noqa: F401, so that the forked processes have it

from napari_spatimeinr import checkpoint
from napari_spatimeinr.errors import SaveError
from napari_spatimeinr.io import read, staging, write
from napari_spatimeinr.io.nifti import series as nifti_series  # noqa: F401
from napari_spatimeinr.io.tiff import write as tiff_write  # noqa: F401
from napari_spatimeinr.io.zarr import write as zarr_write  # noqa: F401
from napari_spatimeinr.volume import Volume

NAMES = {
    "zarr": "a.ome.zarr",
    "series": "e_{t}.nii",
    "nifti": "a.nii.gz",
    "tiff": "a.ome.tif",
    "model": "m.spatimeinr",
}
SHAPE = (6, 2, 24, 25)
LATEST = 0.35
"""Seconds after which a writer that is to be killed is killed at the latest."""
REFUSED = 3


class Slow:
    """Frames that say whose they are, each after a while."""

    shape, ndim, dtype = SHAPE, 4, np.dtype("u2")

    def __init__(self, number: int, wait: float) -> None:
        self.number, self.wait = number, wait

    def __getitem__(self, key: Any) -> Any:
        k = key.start if isinstance(key, slice) else key
        time.sleep(self.wait)
        frame = np.random.default_rng((self.number, k)).integers(0, 60000, SHAPE[1:]).astype("u2")
        return frame[None] if isinstance(key, slice) else frame


def save(path: Path, number: int, wait: float) -> int:
    """Write the recording of a number, slowly; 0, as a process that has done its work."""
    data = Slow(number, wait)
    if path.suffix == ".spatimeinr":
        checkpoint.write(path, {"number": number}, {"w": np.full(5, number, "f4")}, data)
    else:
        write(
            Volume(data, (number + 1, 2, 1, 1), metadata={"spatimeinr": {"number": number}}), path
        )
    return 0


def found(path: Path) -> int:
    """The number of what is at a name, all of which must be of that one."""
    if path.suffix == ".spatimeinr":
        header, weights, data = checkpoint.read(path)
        number = int(header["number"])
        assert np.all(weights["w"] == number), "weights of another"
    else:
        volume = read(path.parent if "{" in path.name else path)
        number, data = int(volume.metadata["spatimeinr"]["number"]), np.asarray(volume.data)
        assert volume.spacing[0] == number + 1, "metadata of another"
        assert not volume.metadata["warnings"], volume.metadata["warnings"]
    assert np.array_equal(data, np.stack([Slow(number, 0)[k] for k in range(SHAPE[0])])), (
        f"voxels not all of {number}"
    )
    return number


def forked(work: Callable[[], int], said: Path) -> int:
    """Run work in a process of its own; what it returns is its exit code, and what it raises is
    written to a file.
    """
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        code = work()
    except SaveError as error:
        said.write_text(str(error))
        code = REFUSED
    except BaseException as error:
        said.write_text(f"{type(error).__name__}: {error}")
    finally:
        os._exit(code)


def alone(work: Callable[[], int], said: Path) -> tuple[int, str]:
    """Run it in a process of its own, to its end."""
    said.unlink(missing_ok=True)
    code = os.waitstatus_to_exitcode(os.waitpid(forked(work, said), 0)[1])
    return code, said.read_text() if said.exists() else ""


class Attack:
    """Rounds of writers to one name."""

    def __init__(self, kind: str, folder: Path, seed: int) -> None:
        self.rng, self.path, self.notes = (
            random.Random(f"{kind} {seed}"),
            folder / "place" / NAMES[kind],
            folder / "said",
        )
        self.path.parent.mkdir()
        self.notes.mkdir()
        self.kind, self.number, self.counts, self.findings = kind, 0, Counter[str](), list[str]()
        place = self.path.parent
        other = NAMES[kind].replace("a.", "b.").replace("e_", "f_").replace("m.", "n.")
        foreign = [
            place / f".{other}.0123456789ab.nii",
            place / f".{self.path.name}.notes.txt",
            place / "notes.txt",
        ]
        foreign += [
            place / f"{other}.partial" / "0" / "0",
            place / f".{other}.lock",
            place / ".11d472b25a09.json",
        ]
        for file in foreign:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"foreign {file.name}")
        self._saved(0)
        self.foreign = {file: file.read_bytes() for file in foreign}
        self.whole = sorted(entry.name for entry in place.iterdir())
        self.last = 0

    def _saved(self, number: int) -> None:
        code, said = alone(lambda: save(self.path, number, 0.0), self.notes / "0")
        if code:
            self.finding(f"writing {number} alone: {code} {said}")

    def finding(self, text: str) -> None:
        """Note something that must not be."""
        self.findings.append(text)
        print("FINDING", text, flush=True)

    def round(self) -> None:
        """Two to four writers at once, some killed, and a look at what is there."""
        equal = self.rng.random() < 0.4
        numbers = []
        for _ in range(self.rng.randint(2, 4)):
            self.number += 0 if equal and numbers else 1
            numbers.append(self.number)
        writers: dict[int, tuple[int, Path]] = {}
        kills: list[tuple[float, int]] = []
        begun = time.monotonic()
        for i, number in enumerate(numbers):
            said, wait = self.notes / f"{i}", self.rng.choice((0.0, 0.02, 0.06))
            said.unlink(missing_ok=True)
            child = forked(partial(save, self.path, number, wait), said)
            writers[child] = number, said
            if self.rng.random() < 0.6:
                kills.append((self.rng.uniform(0, LATEST), child))
            time.sleep(self.rng.choice((0.0, 0.0, 0.05, 0.15)))
        for at, child in sorted(kills):
            time.sleep(max(0.0, begun + at - time.monotonic()))
            os.kill(child, signal.SIGKILL)
        done = self._ends(writers)
        self._look(numbers, done)
        if self.rng.random() < 0.3:
            self.number += 1
            self._saved(self.number)
            self._look([self.number], [self.number])
            if (left := sorted(entry.name for entry in self.path.parent.iterdir())) != self.whole:
                self.finding(f"left over: {set(left) ^ set(self.whole)}")

    def _ends(self, writers: dict[int, tuple[int, Path]]) -> list[int]:
        """The numbers of the writers that said they were done."""
        done = []
        for child, (number, said) in writers.items():
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            text = said.read_text() if said.exists() else ""
            self.counts[{0: "done", -9: "killed", REFUSED: "refused"}.get(code, "failed")] += 1
            if code == 0:
                done.append(number)
            elif (
                code == REFUSED
                and "is being written by process" not in text
                and "written by another process" not in text
            ):
                self.finding(f"refused with: {text}")
            elif code not in (REFUSED, -signal.SIGKILL):
                self.finding(f"ended with {code}: {text}")
        return done

    def _look(self, numbers: list[int], done: list[int]) -> None:
        code, said = alone(self._report, self.notes / "look")
        if code:
            self.finding(f"what is there is not whole after {numbers}: {said}")
            return
        now = int((self.notes / "found").read_text())
        if now not in (*numbers, self.last) or (
            done and now == self.last and self.last not in numbers
        ):
            self.finding(
                f"{now} is there, of {numbers} {done} said they were done, and it was {self.last}"
            )
        self.counts["new" if now != self.last else "earlier"] += 1
        self.last = now
        for file, content in self.foreign.items():
            if not file.exists() or file.read_bytes() != content:
                self.finding(f"{file} was changed or removed")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)

    def _report(self) -> int:
        (self.notes / "found").write_text(str(found(self.path)))
        return 0


def main() -> int:
    """Attack each kind of file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=list(NAMES), action="append")
    options = parser.parse_args()
    staging.MARK_EVERY = 0.01  # so that there is something to go on with
    findings = 0
    for kind in options.kind or NAMES:
        with tempfile.TemporaryDirectory() as folder:
            attack, begun = Attack(kind, Path(folder), options.seed), time.monotonic()
            for _ in range(options.rounds):
                attack.round()
            findings += len(attack.findings)
            counts = ", ".join(
                f"{attack.counts[key]} {key}"
                for key in ("done", "refused", "killed", "failed", "new", "earlier")
            )
            took = time.monotonic() - begun
            print(
                f"{kind}: {options.rounds} rounds in {took:.0f} s: {counts}; {len(attack.findings)}"
                " findings",
                flush=True,
            )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
