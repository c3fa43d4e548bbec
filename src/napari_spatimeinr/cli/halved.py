"""``evaluate --two-fits``: the map of what two fits of halves agree on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.arrays import watched
from ..errors import ConfigError
from . import options
from .jobs import Interrupt
from .output import Output

if TYPE_CHECKING:
    from ..analysis.halves import Kind
    from ..config.options import Config
    from ..volume import Volume


def check(target: Path | None, halves: Kind | None, recording: Path) -> None:
    """Check ``--two-fits`` and what belongs to it before anything is read.

    Raises
    ------
    ConfigError
        If ``--halves`` is alone, or the map would replace the recording.
    FormatError, SaveError
        If the map cannot be written.
    """
    if target is None:
        if halves is not None:
            raise ConfigError(
                "--halves belongs to --two-fits; add for example --two-fits map.nii.gz."
            )
        return
    if not options.is_recording(target):
        raise ConfigError(
            f"--two-fits writes a map; give a name that ends in .nii.gz, .ome.tif or .zarr, got"
            f" {target}."
        )
    options.writable(target, recording)


def halved(
    volume: Volume,
    recording: Path,
    target: Path,
    halves: Kind | None,
    config: Config,
    device: str,
    seed: int,
    output: Output,
) -> None:
    """Fit both halves, write the map, and print what it says."""
    from .. import io
    from ..analysis.two_fits import two_fits

    # Before the fits rather than after them.
    io.checked(volume, target, "float32")
    with Interrupt(at_once=True) as interrupt, output.progress() as progress:
        shown = interrupt.before(progress.fit)
        found = two_fits(volume, halves, config.preset, config, device, seed, shown)
        found.map.data = watched(found.map.data, partial(progress.show, "writing"))
        io.write(found.map, target)
    for warning in found.warnings:
        output.note(f"warning: {warning}")
    output.say(found.sentence())
    output.say(f"{target}: agreement of two fits, -1 to 1")
    output.result({**found.to_json(), "input": str(recording), "output": str(target)})
