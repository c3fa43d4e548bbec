"""The command ``spatimeinr``, put together of its commands; each is a file beside this one.

Thin: options in, one call of the Python API, words out. Commands import what they need when they
run, so that ``info``, ``convert`` and ``config`` start without torch.
"""

from __future__ import annotations

from typing import Annotated

import typer

from .._version import __version__
from . import demo, embryo, evaluate, files, fit, phantom, presets, published, render
from .output import speak_plainly

app = typer.Typer(
    name="spatimeinr",
    help="Any time point and any voxel size from one 4D fluorescence recording.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for group in (demo, phantom, fit, render, embryo, evaluate, presets, files, published):
    app.add_typer(group.commands)


def main() -> None:
    """Run the command line; the process ends with its exit code."""
    speak_plainly()
    app(prog_name="spatimeinr")


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"spatimeinr {__version__}")
        raise typer.Exit
