"""One NIfTI for each time point, and the file beside them that keeps what they cannot hold: the
frame interval.

Many files cannot be replaced in one step. They are written into a hidden folder among them, which
is marked when it is whole; from then on the new ones count, and whoever opens or writes the folder
next goes on with putting them in their places (:func:`recover`).
"""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import math
import re
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

from ...errors import FormatError, SaveError
from ...volume import Volume
from .. import NIFTI, TIFF, provenance
from ..atomic import ending, followed, in_a_sentence, replaced, swapping, synced
from ..calibration import TIME, parse_unit
from ..locks import alone
from ..names import check
from ..staging import MARKER, SWAP_WAIT, note_of, remove
from . import write as nifti_write

NUMBER = re.compile(r"\{t(?::0?([1-9]))?\}")
PARTIAL = ".series.partial"
"""The hidden folder in which a series is written."""
LOCKED = "series"
"""What is locked while a series is written: whatever its names, there is one in a folder."""
FORMAT_SAYS = "one NIfTI for each time point is named like Emb1_{t:03}.nii.gz"


def write(volume: Volume, template: Path, dtype: Any = None) -> Path:
    """Write a NIfTI ``(z, y, x)`` for each time point, numbered from 1, and a JSON file with what
    holds for all of them.

    All files take their places together at the end.

    Parameters
    ----------
    volume : the recording, ``(T, Z, Y, X)``.
    template : a name with ``{t}`` or, with as many digits at least, ``{t:03}``.
    dtype : see :func:`napari_spatimeinr.io.write`.

    Returns
    -------
    The folder, which can be read.

    Raises
    ------
    FormatError
        If the template is none.
    SaveError
        If other recordings are in the folder, which would be read along, or it cannot be written.
    """
    found = NUMBER.findall(template.name)
    rest = NUMBER.sub("", template.name)
    if len(found) != 1 or "{" in rest or "}" in rest or ending(template) not in (".nii", ".nii.gz"):
        raise FormatError(f"{template.name} cannot be written: {FORMAT_SAYS}.")
    count = volume.shape[0]
    digits = max(int(found[0] or 1), len(str(count)))
    files = [
        template.with_name(NUMBER.sub(f"{k:0{digits}}", template.name)) for k in range(1, count + 1)
    ]
    # A single file has no number that changes, from which a reader could tell the template.
    note_of_all = sidecar(template if count > 1 else files[0])
    for file in (*files, note_of_all):
        check(file)
    folder = template.parent
    with in_a_sentence(template), alone(folder / LOCKED, named=template):
        partial = _cleared(folder)
        _check_free(folder, files)
        said = _said(note_of_all, _shared(volume, template))
        partial.mkdir()
        try:
            _mark(partial, complete=False)
            for k, file in enumerate(files):
                nifti_write.put(_frame(volume, k), partial / file.name, dtype)
            (partial / note_of_all.name).write_text(
                json.dumps(said, indent=1) + "\n", encoding="utf-8"
            )
            synced(partial / note_of_all.name)
            _mark(partial, complete=True)
        except BaseException:
            with contextlib.suppress(OSError):
                remove(partial)
            raise
        _put_in_place(partial)
    return folder


def check_free(template: Path) -> None:
    """Raise the SaveError that writing a series would end in now, if its folder is the reason."""
    with in_a_sentence(template), alone(template.parent / LOCKED, named=template):
        pass


def recover(folder: Path) -> None:
    """Put the files of a series in their places, where a killed process had not got to the end of
    it.

    Raises
    ------
    FormatError
        If it cannot be done.
    """
    partial = folder / PARTIAL
    if note_of(partial).get("complete") is not True:
        return
    try:
        with alone(folder / LOCKED, SWAP_WAIT, folder):
            if note_of(partial).get("complete") is True:
                _put_in_place(partial)
    except OSError as error:
        raise FormatError(
            f"{folder} holds a series whose files are not yet all in their places, and that cannot"
            f" be mended ({error}); move what is in {partial} to {folder}."
        ) from error


def _cleared(folder: Path) -> Path:
    """The name of the hidden folder; a whole one that a killed process left is put in its place,
    another one removed.
    """
    partial = folder / PARTIAL
    if partial.exists():
        if not (partial / MARKER).is_file() and any(
            entry.name[0] != "." for entry in partial.iterdir()
        ):
            raise SaveError(
                f"{partial} is in the way and of another kind; move it away, or choose another"
                " folder."
            )
        if note_of(partial).get("complete") is True:
            _put_in_place(partial)
        else:
            remove(partial)
    return partial


def _mark(partial: Path, complete: bool) -> None:
    with swapping(partial / MARKER) as temporary:
        temporary.write_text(json.dumps({"complete": complete}), encoding="utf-8")


def _put_in_place(partial: Path) -> None:
    """Move each file to its place, the marker last; what a link leads to is replaced, the link
    stays.
    """
    for file in sorted(partial.iterdir()):
        if file.name.startswith("."):
            continue
        target = followed(partial.parent / file.name)
        try:
            replaced(file, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with swapping(target) as temporary:  # a link leads to another disk
                shutil.copyfile(file, temporary)
            file.unlink()
    remove(partial)


def sidecar(template: Path) -> Path:
    """The JSON file of a series: ``Emb1_{t:03}.nii.gz`` -> ``Emb1.json``; ``series.json`` where
    nothing else is in the name.
    """
    name = NUMBER.sub("", template.name)[: -len(ending(template))].strip(" _-.")
    return template.with_name(f"{name or 'series'}.json")


def present(template: Path) -> list[Path]:
    """The files of a series that are there, with any number."""
    name = NUMBER.sub("\0", template.name)
    return sorted(template.parent.glob(glob.escape(name).replace("\0", "[0-9]*")))


def shared(folder: Path, template: str, frames: int) -> dict[str, Any]:
    """What the file beside a series says of all of them: its ``name``, ``dt``, ``unit``,
    ``origin``, ``times`` and provenance; {} if none does.
    """
    try:
        said = json.loads(sidecar(folder / template).read_text(encoding="utf-8"))["series"]
        dt, origin = float(said["dt"]), float(said["origin"])
        times = tuple(float(t) for t in said["times"]) if said.get("times") else None
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return {}
    known = parse_unit(said.get("unit"), TIME)
    possible = (
        math.isfinite(dt) and dt > 0 and math.isfinite(origin) and said.get("frames") == frames
    )
    if times is not None:
        possible &= (
            len(times) == frames
            and all(map(math.isfinite, times))
            and all(a < b for a, b in pairwise(times))
        )
    if not possible:
        return {}
    return {
        "name": sidecar(folder / template).name,
        "dt": dt,
        "unit": None if known is None else known[0],
        "origin": origin,
        "times": times,
        provenance.KEY: provenance.plain(said.get(provenance.KEY)),
    }


def _said(note: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """What the file beside a series is to hold: the facts, and what else it holds already."""
    old = {} if not note.exists() else provenance.content(note)
    if old is None:
        raise SaveError(
            f"What is to be said of the series belongs into {note}, which is not a JSON object;"
            " move it away first."
        )
    return {**old, **facts}


def _shared(volume: Volume, template: Path) -> dict[str, Any]:
    unit = None if parse_unit(volume.units[0], TIME) is None else volume.units[0]
    times = volume.grid.times
    facts: dict[str, Any] = {
        "template": template.name,
        "frames": volume.shape[0],
        "dt": volume.spacing[0],
        "unit": unit,
    }
    facts |= {"origin": volume.origin[0], "times": None if times is None else list(times)}
    made = provenance.provenance(volume)
    return {"series": facts | ({} if made is None else {provenance.KEY: made})}


def _frame(volume: Volume, k: int) -> Volume:
    """One frame as a recording of its own, at its time; how it was made is told beside the series,
    once.
    """
    origin = (float(volume.grid.coordinates(0)[k]), *volume.origin[1:])
    metadata = {key: value for key, value in volume.metadata.items() if key != provenance.KEY}
    return Volume(
        volume.data[k : k + 1], volume.spacing, origin, volume.units, volume.orientation, metadata
    )


def _check_free(folder: Path, files: list[Path]) -> None:
    """Refuse a folder with other recordings in it, which would be read along."""
    ours = {file.name for file in files}
    names = sorted(entry.name for entry in folder.iterdir())
    for name in names:
        if name not in ours and not name.startswith(".") and ending(name) in (*NIFTI, *TIFF):
            raise SaveError(
                f"{folder / name} is there already and none of the {len(files)} files that would be"
                " written, but would be read along with them; move it away, or make a folder for"
                " them."
            )
