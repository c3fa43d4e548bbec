"""``evaluate --gaps``: how many frames the recording needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, InputError
from . import options
from .jobs import Interrupt
from .output import Output

if TYPE_CHECKING:
    from ..config.options import Config
    from ..volume import Volume


def wanted(gaps: str | None, quality: float | None, picture: Path | None) -> tuple[int, ...]:
    """The gaps of ``--gaps``, none where it was not given; checks what belongs to it.

    Raises
    ------
    ConfigError
        If they are no whole numbers from 2 on, or options are missing that another needs.
    InputError
        If a picture is asked for and matplotlib is not there.
    """
    if gaps is None:
        for value, name in ((quality, "--quality"), (picture, "--picture")):
            if value is not None:
                raise ConfigError(f"{name} belongs to --gaps; add for example --gaps 2,3,4,6.")
        return ()
    values = options.numbers(gaps, None, "--gaps", "2,3,4,6")
    if min(values) < 2 or any(value != int(value) for value in values):
        raise ConfigError(f"--gaps takes whole numbers from 2 on, like 2,3,4,6, got {gaps!r}.")
    options.positive(quality, "--quality")
    if picture is not None:
        _drawable(picture)
    return tuple(int(value) for value in values)


def _drawable(picture: Path) -> None:
    from ..analysis.demo import can_draw

    if picture.suffix.lower() != ".png":
        raise ConfigError(f"--picture writes a PNG; give a name that ends in .png, got {picture}.")
    options.writable(picture)
    if not can_draw():
        raise InputError(
            "For the picture, pip install 'napari-spatimeinr[demo]' (matplotlib), or leave out"
            " --picture."
        )


def planned(
    volume: Volume,
    recording: Path,
    gaps: tuple[int, ...],
    quality: float | None,
    picture: Path | None,
    config: Config,
    device: str,
    seed: int,
    output: Output,
) -> None:
    """Measure, print and draw the plan."""
    from ..analysis.planner import plan

    with Interrupt(at_once=True) as interrupt, output.progress() as progress:
        shown = interrupt.before(progress.fit)
        found = plan(volume, gaps, quality, config.preset, config, device, seed, shown)
    for warning in found.warnings:
        output.note(f"warning: {warning}")
    output.say(found.table())
    output.say(found.sentence())
    values = {**found.to_json(), "input": str(recording)}
    if picture is not None:
        from ..analysis.plan_picture import draw

        draw(picture, found)
        output.say(str(picture))
        values["picture"] = str(picture)
    output.result(values)
