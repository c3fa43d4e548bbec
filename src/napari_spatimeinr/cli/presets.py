"""The command config: presets as YAML, and how the other commands put theirs together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..config.options import Config, apply_settings, make_config
from ..errors import ConfigError
from . import options, published
from .output import guarded

commands = typer.Typer()


@commands.command()
@guarded
def config(
    preset: Annotated[
        str, typer.Argument(metavar="PRESET", help="fast, balanced, best or published.")
    ],
    settings: options.Settings = None,
    debug: options.Debug = False,
) -> None:
    """Print a preset as YAML, to be edited and given to fit (or, published, to train) with
    --config.
    """
    made = configured(preset, None, settings)
    print(
        made.to_yaml() if made.published is None else published.ready(made, bool(settings)),
        end="",
    )


def configured(
    preset: str, file: Path | None, settings: list[str] | None, psf: str | None = None
) -> Config:
    """Preset, then file, then --set, then --psf."""
    changes = list(settings or [])
    if psf is not None:
        widths = options.numbers(psf, 3, "--psf", "0.5,0.2,0.2 (SZ,SY,SX)")
        if min(widths) < 0:
            raise ConfigError(
                f"--psf takes standard deviations, which are not negative, got {psf!r}."
            )
        changes.append(f"psf={list(widths)}")
    return apply_settings(make_config(preset, file), changes)
