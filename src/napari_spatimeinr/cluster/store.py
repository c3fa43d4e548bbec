"""The folder in which an image lies while many processes write it.

It is made once, by whoever comes first: under a name of its own, then renamed. Each file of the
image is written under another name, waited for until it is on the disk and renamed, and its marker
after it, so a piece with a marker is whole. Two processes that happen to do the same piece put the
same bytes in its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..errors import SaveError
from ..io import names
from ..io.atomic import WAIT, followed, replaced, synced
from ..io.locks import alone
from ..io.staging import check_kind, recover
from ..io.zarr import is_zarr
from ..io.zarr.unfinished import DONE, IMAGE, PLAN, RENDERED, folder_of, noted
from .plan import Piece, Rendering

NEW, CLAIMS = "new", "claims"
"""Files that are being written, and locks of pieces that are being computed."""
WORDS = {"zarr_version": "version of OME-Zarr", "program": "version of this program"}


class Store:
    """The folder of a rendering that was begun.

    Parameters
    ----------
    rendering : what is rendered.
    """

    def __init__(self, rendering: Rendering) -> None:
        self.rendering = rendering
        self.folder = folder_of(rendering.target)
        self.image = self.folder / IMAGE

    def done(self) -> set[str]:
        """The names of all pieces with a marker."""
        return {entry.name for entry in os.scandir(self.folder / DONE)}

    def is_done(self, piece: Piece) -> bool:
        """Whether a piece has its marker."""
        return (self.folder / DONE / piece.name).exists()

    def is_stored(self, piece: Piece) -> bool:
        """Whether a piece has its file."""
        return self.file(piece).is_file()

    def file(self, piece: Piece) -> Path:
        """The file of a piece."""
        return self.image / self.rendering.levels[piece.level].file(piece.place)

    def put(self, piece: Piece, values: NDArray[Any]) -> None:
        """Store the voxels of a piece, then its marker."""
        content = self.rendering.levels[piece.level].encoded(values)
        # What lies above the image is never made here: it is gone once the image is complete.
        inside = self.file(piece).parent.relative_to(self.image)
        for parent in [*reversed(inside.parents), inside]:
            if parent != Path():
                (self.image / parent).mkdir(exist_ok=True)
        self._place(content, self.file(piece))
        self._place(b"", self.folder / DONE / piece.name)

    def forget(self, piece: Piece) -> None:
        """Remove the marker of a piece that is not there."""
        (self.folder / DONE / piece.name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def claimed(self, piece: Piece) -> Iterator[bool]:
        """Whether no other process is at a piece; others are kept from it meanwhile."""
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(alone(self.folder / CLAIMS / piece.name, wait=0))
                ours = True
            except SaveError:
                ours = False
            yield ours

    def _place(self, content: bytes, file: Path) -> None:
        temporary = self.folder / NEW / uuid.uuid4().hex
        try:
            temporary.write_bytes(content)
            synced(temporary)
            replaced(temporary, file)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def is_complete(rendering: Rendering) -> bool:
    """Whether the image is there, all of it."""
    return noted(followed(rendering.target) / RENDERED) == rendering.facts


def opened(rendering: Rendering) -> Store | None:
    """The folder of a rendering, begun where it is not; None where the image is complete.

    Raises
    ------
    SaveError
        If it was begun as another rendering, cannot be written, or something is in the way.
    """
    recover(rendering.target)
    store = Store(rendering)
    if not (store.folder / PLAN).is_file() or not store.image.is_dir() or is_complete(rendering):
        with alone(store.folder, WAIT, rendering.target):
            if is_complete(rendering):
                if (store.folder / PLAN).is_file():
                    discard(store.folder)
                return None
            if not store.image.is_dir():
                _begin(store)
    _check_same(rendering, store.folder)
    return store


def discard(folder: Path) -> None:
    """Remove the folder of a rendering; what is left of it on the way is in nobody's way."""
    aside = _aside(folder)
    replaced(folder, aside)
    shutil.rmtree(aside, ignore_errors=True)


def _aside(folder: Path) -> Path:
    return names.hidden(folder, uuid.uuid4().hex)


def _begin(store: Store) -> None:
    """Make the folder with all metadata, complete from the first moment."""
    rendering, folder = store.rendering, store.folder
    check_kind(rendering.target, is_zarr)
    for entry in list(os.scandir(folder.parent)):
        if entry.name.startswith(names.hidden(folder, "").name) and entry.is_dir():
            shutil.rmtree(entry.path, ignore_errors=True)
    if folder.exists():
        if not (folder / PLAN).is_file():
            raise SaveError(f"{folder} is in the way; move it away, or choose another name.")
        discard(folder)
    made = _aside(folder)
    try:
        for name in (IMAGE, DONE, NEW, CLAIMS):
            (made / name).mkdir(parents=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rendering.image.create(made / IMAGE, rendering.record)
        (made / IMAGE / RENDERED).write_text(json.dumps(rendering.facts), encoding="utf-8")
        note = {"chunks": len(rendering.pieces), "rendering": rendering.facts}
        (made / PLAN).write_text(json.dumps(note), encoding="utf-8")
        for file in made.rglob("*"):
            if file.is_file():
                synced(file)
        os.rename(made, folder)
    except BaseException as error:
        shutil.rmtree(made, ignore_errors=True)
        # Where the file system has no locks, another process may have been first.
        if not (isinstance(error, OSError) and (folder / PLAN).is_file()):
            raise


def _check_same(rendering: Rendering, folder: Path) -> None:
    """Refuse to go on with another rendering."""
    begun, now = noted(folder / PLAN).get("rendering"), rendering.facts
    if begun == now:
        return
    then = begun if isinstance(begun, dict) else {}
    other = [key for key in now if then.get(key) != now[key]]
    told = ", ".join(_difference(key, then.get(key), now[key]) for key in other)
    raise SaveError(
        f"{rendering.target} was begun in parts as another rendering ({told}); call it as then,"
        f" choose another name, or remove {folder.name} to begin anew."
    )


def _difference(key: str, then: Any, now: Any) -> str:
    word = WORDS.get(key, key.replace("_", " "))
    if key == "model" or len(f"{then}{now}") > 80:
        return f"another {word}"
    return f"{word} {_short(then)}, now {_short(now)}"


def _short(value: Any) -> str:
    return " x ".join(f"{v:g}" for v in value) if isinstance(value, list) else str(value)
