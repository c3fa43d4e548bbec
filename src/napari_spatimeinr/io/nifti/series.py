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
import re
import shutil
from pathlib import Path
from typing import Any

from ...data.grid import Grid
from ...data.record import Record
from ...errors import FormatError, SaveError
from ..atomic import followed, in_a_sentence, replaced, swapping, synced
from ..formats import in_series
from ..locks import alone
from ..names import check, ending
from ..provenance import KEY
from ..sidecar import series_facts, series_of, series_said
from ..staging import MARKER, SWAP_WAIT, note_of, remove
from . import write as nifti_write

NUMBER = re.compile(r"\{t(?::0?([1-9]))?\}")
PARTIAL = ".series.partial"
"""The hidden folder in which a series is written."""
LOCKED = "series"
"""What is locked while a series is written: whatever its names, there is one in a folder."""
FORMAT_SAYS = "one NIfTI for each time point is named like Emb1_{t:03}.nii.gz"


def write(record: Record, template: Path, dtype: Any = None) -> Path:
    """Write a NIfTI ``(z, y, x)`` for each time point, numbered from 1, and a JSON file with what
    holds for all of them.

    All files take their places together at the end.

    Parameters
    ----------
    record : the recording, ``(T, Z, Y, X)``.
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
    files = _files(template, record.shape[0])
    # A single file has no number that changes, from which a reader could tell the template.
    note = sidecar(template if len(files) > 1 else files[0])
    for file in (*files, note):
        check(file)
    folder = template.parent
    with in_a_sentence(template), alone(folder / LOCKED, named=template):
        partial = _cleared(folder)
        _check_free(folder, files)
        said = series_said(note, series_facts(record, template.name))
        partial.mkdir()
        try:
            _mark(partial, complete=False)
            for k, file in enumerate(files):
                nifti_write.put(_frame(record, k), partial / file.name, dtype)
            (partial / note.name).write_text(said, encoding="utf-8")
            synced(partial / note.name)
            _mark(partial, complete=True)
        except BaseException:
            with contextlib.suppress(OSError):
                remove(partial)
            raise
        _put_in_place(partial)
    return folder


def _files(template: Path, count: int) -> list[Path]:
    """The names that a template stands for.

    Raises
    ------
    FormatError
        If it is none.
    """
    found = NUMBER.findall(template.name)
    rest = NUMBER.sub("", template.name)
    if len(found) != 1 or "{" in rest or "}" in rest or ending(template) not in (".nii", ".nii.gz"):
        raise FormatError(f"{template.name} cannot be written: {FORMAT_SAYS}.")
    digits = max(int(found[0] or 1), len(str(count)))
    numbers = (f"{k:0{digits}}" for k in range(1, count + 1))
    return [template.with_name(NUMBER.sub(number, template.name)) for number in numbers]


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
    """What the file beside a series says of all of them, see :func:`.sidecar.series_of`."""
    return series_of(sidecar(folder / template), frames)


def _frame(record: Record, k: int) -> Record:
    """One frame as a recording of its own, at its time; how it was made is told beside the series,
    once.
    """
    origin = (float(record.grid.coordinates(0)[k]), *record.origin[1:])
    data = record.data[k : k + 1]
    grid = Grid(tuple(data.shape), record.spacing, origin)
    metadata = {key: value for key, value in record.metadata.items() if key != KEY}
    return Record(data, grid, record.units, record.orientation, metadata)


def _check_free(folder: Path, files: list[Path]) -> None:
    """Refuse a folder with other recordings in it, which would be read along."""
    ours = {file.name for file in files}
    for other in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if other.name not in ours and not other.name.startswith(".") and in_series(other):
            raise SaveError(
                f"{other} is there already and none of the {len(files)} files that would be"
                " written, but would be read along with them; move it away, or make a folder for"
                " them."
            )
