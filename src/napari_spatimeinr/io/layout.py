"""Which stored axis is which: from a file's axes to ``(t, z, y, x)`` of one channel."""

from __future__ import annotations

from typing import Any

from ..errors import InputError

LETTERS = "TZCYX"


def check_axes(axes: str) -> str:
    """Axes as the user writes them (``"TZYX"``), in upper case.

    Raises
    ------
    InputError
        If a letter is unknown or repeated, or Y or X is missing.
    """
    text = str(axes).strip().upper()
    if (
        not text
        or set(text) - set(LETTERS)
        or len(set(text)) != len(text)
        or not {"Y", "X"} <= set(text)
    ):
        raise InputError(
            f"Axes are letters of {LETTERS}, each once, with Y and X among them, got {axes!r}; for"
            " example TZYX or ZYX."
        )
    return text


def match_axes(axes: str, *shapes: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """Given axes with the first of the shapes that has as many sizes.

    Raises
    ------
    InputError
        If none has.
    """
    text = check_axes(axes)
    for shape in shapes:
        if len(shape) == len(text):
            return text, shape
    raise InputError(
        f"The axes {text} are {len(text)}, and the file has {len(shapes[0])}"
        f" ({' x '.join(map(str, shapes[0]))}); name each once."
    )


def choose_channel(
    axes: str, shape: tuple[int, ...], channel: int | None, any_channel: bool = False
) -> tuple[int, int]:
    """The channel to read and the number of channels.

    Parameters
    ----------
    axes, shape : of the stored array; C may be missing.
    channel : what the user chose, from 0, or None.
    any_channel : take the first instead of asking.

    Raises
    ------
    InputError
        If there are several and none was chosen, or the chosen one is not there.
    """
    count = shape[axes.index("C")] if "C" in axes else 1
    if channel is None:
        if count > 1 and not any_channel:
            raise InputError(
                f"The recording has {count} channels; choose one with channel=N (--channel N), 0 to"
                f" {count - 1}."
            )
        return 0, count
    if isinstance(channel, bool) or int(channel) != channel or not 0 <= int(channel) < count:
        raise InputError(
            f"There is no channel {channel}: the recording has {count}"
            f" channel{'s' if count > 1 else ''}; choose with channel=N (--channel N), N from 0 to"
            f" {count - 1}."
        )
    return int(channel), count


def to_tzyx(array: Any, axes: str, channel: int = 0) -> Any:
    """A view ``(T, Z, Y, X)`` of one channel of an array with ``axes`` (missing T, Z become size
    1).
    """
    if "C" in axes:
        array = array[(slice(None),) * axes.index("C") + (channel,)]
        axes = axes.replace("C", "")
    array = array.transpose([axes.index(letter) for letter in "TZYX" if letter in axes])
    if "Z" not in axes:
        array = array[:, None] if "T" in axes else array[None]
    return array if "T" in axes else array[None]


def name_axes(axes: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...], list[str]]:
    """Axes with the unnamed ones (Q, I) guessed, and the guesses in words.

    Parameters
    ----------
    axes, shape : as tifffile names them; unnamed axes and a samples axis (S) may be among them.

    Returns
    -------
    Axes out of ``TZCYX``, the shape without dropped axes of size 1, and warnings.

    Raises
    ------
    InputError
        For colour images and for axes that cannot be told.
    """
    pairs = list(zip(axes, shape, strict=True))
    if any(letter == "S" and size > 1 for letter, size in pairs):
        raise InputError("The file holds colour (RGB) images; split it into single channels first.")
    pairs = [(letter, size) for letter, size in pairs if letter in LETTERS or size > 1]
    if any(
        letter not in LETTERS for letter, _ in pairs
    ):  # an axis of size 1 may well be what the unnamed one is
        pairs = [(letter, size) for letter, size in pairs if letter in "YX" or size > 1]
        axes = "".join(letter for letter, _ in pairs)
    other = [letter for letter, _ in pairs if letter not in LETTERS]
    free = [letter for letter in "TZ" if letter not in axes]
    if len(other) > len(free) or set(other) - set("QIR") or not {"Y", "X"} <= set(axes):
        sizes = " x ".join(str(size) for _, size in pairs)
        raise InputError(
            f"The file does not say which of its axes ({sizes}) is which; say so with axes='...'"
            " (--axes), for example TCZYX."
        )
    # One unnamed axis is depth before it is time: a stack of pages is most often one volume.
    guessed = free if len(other) == len(free) else ["Z"]
    names = iter(guessed)
    named = "".join(letter if letter in LETTERS else next(names) for letter, _ in pairs)
    warnings = []
    if other:
        meaning = {"T": "time", "Z": "depth"}
        which = " and ".join(meaning[letter] for letter in guessed)
        warnings.append(
            f"The file does not name its axes: {named} was assumed ({which} first); is that right,"
            " or give axes (--axes)?"
        )
    return named, tuple(size for _, size in pairs), warnings
