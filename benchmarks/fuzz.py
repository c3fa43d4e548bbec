"""Feed damaged files to the readers: ``python benchmarks/fuzz.py --inputs 20000 --seed 0 [--reader
nifti|tiff|folder|zarr]``.

A damaged file is refused in one sentence, or read as a volume of a possible size. Anything else is
a finding, which is saved in ``--out`` with what happened: another exception, something printed,
more than a few seconds of computing, much memory, the end of the process. The readers run in
processes of their own, which are started again when they end. An input is made from the seed, the
reader and its number alone: ``--only N`` runs it again.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import multiprocessing
import os
import random
import resource
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fuzz_damage import damaged
from fuzz_judge import judged
from fuzz_samples import READERS, Sample, samples

PATIENCE = 30
"""Seconds after which a worker counts as hung."""
SLOW = 3.0
"""Seconds of computing that no small file may cost."""
ADDRESS_SPACE = 4 * 2**30
MUCH_MEMORY = 600 * 2**20
"""Bytes of resident memory that no small file may cost."""
SAVED_OF_A_KIND = 5


def main() -> None:
    """Parse the command line, run, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=20_000, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", choices=READERS, action="append")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--only", type=int, help="run one input again and save it")
    options = parser.parse_args()
    rows, kinds = [], []
    for reader in options.reader or READERS:
        began = time.monotonic()
        run = Run(reader, options.seed, options.inputs, options.only, options.out)
        run.go(options.jobs)
        refused, opened = run.counts["refused"], run.counts["opened"]
        found = sum(len(numbers) for numbers in run.findings.values())
        rows.append(
            f"| {reader} | {run.inputs} | {opened} | {refused} | {found} |"
            f" {time.monotonic() - began:.0f} |"
        )
        kinds += [
            f"- {reader}: {len(where)} x {kind} (first: {where[:3]})"
            for kind, where in run.findings.items()
        ]
    print(
        "| reader | inputs | opened | refused | findings | s |\n| --- | --- | --- | --- | --- |"
        " --- |",
        *rows,
        *kinds,
        sep="\n",
    )
    raise SystemExit(1 if kinds else 0)


class Run:
    """All inputs of one reader."""

    def __init__(self, reader: str, seed: int, inputs: int, only: int | None, out: Path) -> None:
        self.reader, self.seed, self.inputs, self.only, self.out = reader, seed, inputs, only, out
        self.counts: Counter[str] = Counter()
        self.findings: dict[str, list[int]] = {}
        self.lock = threading.Lock()

    def go(self, jobs: int) -> None:
        """Run to the end with so many processes."""
        with tempfile.TemporaryDirectory() as folder:
            corpus = samples(self.reader, Path(folder))
            # Negative numbers are the samples themselves, which must open.
            self.numbers = iter(
                range(-len(corpus), self.inputs) if self.only is None else [self.only]
            )
            threads = [
                threading.Thread(target=self._drive, args=(corpus, Path(folder) / f"worker{k}"))
                for k in range(jobs)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _next(self) -> Iterator[int]:
        while True:
            with self.lock:
                number = next(self.numbers, None)
            if number is None:
                return
            yield number

    def _drive(self, corpus: list[Sample], folder: Path) -> None:
        """Hand numbers to a process, and start another when it ends or hangs."""
        context = multiprocessing.get_context("spawn")
        process: Any = None
        for number in self._next():
            if process is None:
                folder.mkdir(exist_ok=True)
                connection, theirs = context.Pipe()
                process = context.Process(
                    target=work, args=(theirs, corpus, folder, self.reader, self.seed), daemon=True
                )
                process.start()
                theirs.close()
                connection.recv()
            result = self._ask(connection, process, number)
            self._note(number, result, folder)
            if result[0] not in ("opened", "refused"):
                process.kill()
                process.join()
                process = None
        if process is not None:
            connection.close()
            process.join()

    @staticmethod
    def _ask(connection: Connection, process: Any, number: int) -> tuple[str, str]:
        with contextlib.suppress(EOFError, OSError):
            connection.send(number)
            if not connection.poll(PATIENCE):
                return "hang", f"more than {PATIENCE} s"
            return connection.recv()
        process.join()
        code = process.exitcode
        return f"process ended ({signal.Signals(-code).name if code < 0 else code})", ""

    def _note(self, number: int, result: tuple[str, str], folder: Path) -> None:
        kind, text = result
        with self.lock:
            fine = kind in ("opened", "refused")
            if fine:
                self.counts[kind] += number >= 0
            else:
                self.findings.setdefault(kind, []).append(number)
                print(f"{self.reader} {number}: {kind}\n{text}", flush=True)
            if self.only is None and (fine or len(self.findings[kind]) > SAVED_OF_A_KIND):
                return
            place = self.out / f"{self.reader}-{self.seed}-{number}"
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(folder, place)
            (place / "finding.txt").write_text(
                f"{kind}\n{text}\n", encoding="utf-8", errors="backslashreplace"
            )
            if self.only is not None:
                print(f"{kind}: {text}\nsaved in {place}")


# -- the other process ------------------------------------------------------------------------


def work(
    connection: Connection, corpus: list[Sample], folder: Path, reader: str, seed: int
) -> None:
    """Make and read inputs until the connection is closed."""
    import napari_spatimeinr.io.folder.read
    import napari_spatimeinr.io.nifti.read
    import napari_spatimeinr.io.zarr.read  # noqa: F401  (what is imported now is not counted as memory of an input)

    said = folder / "said.txt"
    descriptor = os.open(said, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection.send("ready")
    while True:
        try:
            number = connection.recv()
        except EOFError:
            return
        place = folder / "input"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        valid = number < 0
        sample = (
            corpus[number] if valid else damaged(corpus, random.Random(f"{seed} {reader} {number}"))
        )
        path = sample.put(place)
        faulthandler.dump_traceback_later(PATIENCE - 2)
        before, began = memory(), time.process_time()
        result = judged(path)
        took = time.process_time() - began
        faulthandler.cancel_dump_traceback_later()
        if valid and result[0] == "refused":
            result = "valid file refused", result[1]
        if result[0] in ("opened", "refused"):
            if os.fstat(descriptor).st_size:
                result = "printed", said.read_text(errors="replace")
            elif took > SLOW:
                result = "slow", f"{took:.1f} s; {result}"
            elif memory() - before > MUCH_MEMORY:
                result = "memory", f"{(memory() - before) / 1e6:.0f} MB; {result}"
        connection.send(result)


def memory() -> int:
    """Peak resident bytes of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
