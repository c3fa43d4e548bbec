"""The command demo: a phantom, fitted and rendered finer, beside the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .output import Output, guarded
from .presets import configured

commands = typer.Typer()


@commands.command()
@guarded
def demo(
    folder: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the results.")
    ] = Path("demo-output"),
    shape: Annotated[
        str, typer.Option("--shape", metavar="T,Z,Y,X", help="Size of the phantom.")
    ] = "7,32,64,64",
    preset: options.Preset = "balanced",
    settings: options.Settings = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Fit a phantom, render it finer, and compare with the truth: a NIfTI, a picture
    and a table.
    """
    output = Output(as_json, quiet)
    sizes = tuple(int(n) for n in options.numbers(shape, 4, "--shape", "7,32,64,64 (T,Z,Y,X)"))
    config = configured(preset, None, settings)
    options.device(device)
    from ..analysis.demo import can_draw, run

    with output.progress() as progress:
        result = run(folder, sizes, config, device, seed, progress=progress.fit)
    output.say(result.table())
    if not can_draw():
        output.note(
            "warning: the picture was left out; for it, pip install 'napari-spatimeinr[demo]'"
            " (matplotlib)."
        )
    output.say("\n".join(str(path) for path in result.files))
    output.result(
        {
            "output": str(folder),
            "files": [str(path) for path in result.files],
            "psnr": result.psnr,
            "seconds": result.seconds,
        }
    )
