"""What a Field has of being saved: its file, the recording that file may refer to, and how it comes
into other processes.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Self

import torch

from . import checkpoint
from .config.facts import Provenance
from .config.options import Config
from .errors import InputError
from .header import header_of, loaded, state_of, token
from .io.atomic import WAIT
from .io.lazy import Source
from .io.linked import LINKED_ABOVE, link_of
from .io.summed import frame_sums
from .model.frames import Normalisation
from .render.method import Method
from .volume import Volume


class Saved:
    """The part of :class:`.Field` that writes it, and knows which file holds it."""

    volume: Volume
    method: Method
    normalisation: Normalisation
    config: Config
    device: torch.device
    interpolation: str
    provenance: Provenance

    _file: Source | None = None
    _in_file = ""
    """The state that the file holds."""
    _recording: Source | None = None
    """What the file refers to."""
    _why_held = ""
    """Why the file holds frames that it would else refer to."""
    _sums: list[str] | None = None

    def describe(self) -> dict[str, Any]:
        """Plain values that say what this model is."""
        fitted = self.method, self.normalisation, self.config, self.interpolation
        return header_of(self.volume, *fitted, self.provenance)

    def save(self, path: str | Path, wait: float = WAIT, link: bool | None = None) -> Path:
        """Write the model to one file, completely or not at all.

        Parameters
        ----------
        path : the file.
        wait : seconds to wait for another writer of the same file.
        link : True refers to the recording in its file, False holds the frames; None refers to it
            where these are more than 2 GB and it can (:attr:`recording` says whether it did).

        Raises
        ------
        InputError
            If it is told to refer to a recording and cannot; the sentence says why.
        SaveError
            If the file cannot be written or another process writes it; an earlier file stays as it
            was.
        """
        state, header, frames, recording = self.state(), self.describe(), self.volume.data, None
        self._why_held = ""
        if link or (link is None and is_large(self.volume)):
            try:
                found = link_of(self.volume)
                header["recording"] = found.beside(Path(path))
                frames, recording = None, Source.of(found.path, found.how)
            except InputError as error:
                if link:
                    raise
                self._why_held = str(error)
        saved = checkpoint.write(path, header, self.method.weights(), frames, wait)
        self.refer_to(Source.of(saved, None), state, recording)
        return saved

    @property
    def recording(self) -> Path | None:
        """The recording that its file refers to; None where there is no file, or one that holds
        the frames.
        """
        return None if self._recording is None else self._recording.path

    @property
    def frames_said(self) -> str:
        """Where the frames of its file are, in a sentence; empty where it holds them as usual."""
        if self.recording is not None:
            return f"The model needs the frames of {self.recording}, to which it refers."
        return self._why_held

    def state(self) -> str:
        """Equal as long as nothing of the model changes."""
        return state_of(self.describe(), self.method.weights())

    def refer_to(
        self,
        file: Source | None,
        state: str,
        recording: Source | None = None,
        sums: list[str] | None = None,
    ) -> None:
        """As long as the model is in that state, it is what the file holds.

        Parameters
        ----------
        file : the model file.
        state : of the model.
        recording : what the file refers to.
        sums : what tells its voxels from others, where those are not all to be read.
        """
        self._file, self._in_file, self._recording = file, state, recording
        self._sums = sums or self._sums

    # -- other processes -----------------------------------------------------------------

    def __reduce__(self) -> tuple[Any, ...]:
        """A reference to the file it was loaded from or saved to, as long as that (and what it
        refers to) and the model are unchanged; else all of it.
        """
        files = [file for file in (self._file, self._recording) if file is not None]
        unchanged = self._file is not None and all(file.is_unchanged() for file in files)
        if unchanged and self.state() == self._in_file:
            how = str(self.device), self.method.precision, type(self.method)
            return loaded, (type(self), self._file, self._recording, *how)
        return type(self), self._parts()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        other = type(self)(*copy.deepcopy(self._parts(), memo))
        sums = None if self._recording is None else self._sums
        other.refer_to(self._file, self._in_file, self._recording, sums)
        return other

    def _parts(self) -> tuple[Any, ...]:
        return (
            self.volume,
            self.method,
            self.normalisation,
            self.config,
            self.device,
            self.interpolation,
            self.provenance,
        )

    def __dask_tokenize__(self) -> Any:
        """What dask tells Fields apart by: equal for equal weights, frames and options, saved or
        not, in any process; of a model that refers to its recording, for equal blocks of frames.
        """
        if self._sums is None:
            self._sums = frame_sums(self.volume.data)
        same = token(self.describe(), self.method.weights(), self._sums)
        return "Field", same, self.device.type, str(self.method.precision)


def is_large(volume: Volume) -> bool:
    """Whether models of a recording refer to it where they can, and nothing else was said."""
    size = volume.grid.voxels * volume.dtype.itemsize
    return bool(size > LINKED_ABOVE)
