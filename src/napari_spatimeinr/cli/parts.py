"""``render --part`` and ``--plan``: a rendering by many processes."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ..errors import ConfigError, SaveError
from . import options
from .files import size
from .output import Output

if TYPE_CHECKING:
    from ..cluster.plan import Rendering
    from ..field import Field
    from ..render.array import RenderedArray

Part = Annotated[
    str | None,
    typer.Option(
        "--part",
        metavar="I/N",
        help="Render the I-th of N shares of an OME-Zarr; called again, what is missing of it.",
    ),
]
Plan = Annotated[
    bool,
    typer.Option(
        "--plan",
        help="Only tell what an OME-Zarr takes in parts, as a script for SLURM's sbatch.",
    ),
]
Chunk = Annotated[
    str | None,
    typer.Option("--chunk", metavar="T,Z,Y,X", help="Chunks of an OME-Zarr in parts."),
]
Shard = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="T,Z,Y,X",
        help="Files of whole chunks in an OME-Zarr 0.5 in parts.",
    ),
]


class Asked(NamedTuple):
    """What was asked for; ``index`` of ``count`` shares, None for a plan."""

    share: tuple[int, int] | None
    chunk: tuple[int, ...] | None
    shard: tuple[int, ...] | None


def asked(
    part: str | None, plan: bool, chunk: str | None, shard: str | None, target: Path, beside: Any
) -> Asked | None:
    """What the options say, None where none of them was given.

    Raises
    ------
    ConfigError
        If they are impossible, by themselves or with others.
    """
    given = {"--part": part, "--plan": plan or None, "--chunk": chunk, "--shard": shard}
    first = next((name for name, value in given.items() if value is not None), None)
    if first is None:
        return None
    if not target.name.lower().endswith(".zarr"):
        raise ConfigError(
            f"{first} is for OME-Zarr, whose chunks are files; give a name that ends in .ome.zarr."
        )
    if part is None and not plan:
        raise ConfigError(f"{first} belongs to --part or --plan; add for example --part 1/1.")
    if part is not None and plan:
        raise ConfigError("--plan renders nothing and --part does; leave out one of them.")
    for name, path in beside.items():
        if path is not None:
            raise ConfigError(
                f"{name} is not written in parts; leave it out, and render it by itself with"
                " --quantity."
            )
    share = None if part is None else _share(part)
    return Asked(share, _sizes(chunk, "--chunk"), _sizes(shard, "--shard"))


def _share(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    index, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= index <= count:
        raise ConfigError(f"--part is I/N with I from 1 to N, like 1/4, got {text!r}.")
    return index, count


def _sizes(text: str | None, option: str) -> tuple[int, ...] | None:
    if text is None:
        return None
    values = options.numbers(text, 4, option, "1,32,256,256 (T,Z,Y,X)")
    if min(values) < 1 or any(value != int(value) for value in values):
        raise ConfigError(f"{option} takes whole numbers from 1 on (T,Z,Y,X), got {text!r}.")
    return tuple(int(value) for value in values)


def writable(target: Path, *sources: Path) -> Path:
    """A path to write to, once it is none of those read from and its folder is there; other
    processes may be at it.

    Raises
    ------
    ConfigError
        If it is one of the sources.
    SaveError
        If its folder is missing.
    """
    for source in sources:
        if target.exists() and source.exists() and target.samefile(source):
            raise ConfigError(
                f"{target} is read from and cannot be written to as well; choose another name."
            )
    if not target.parent.is_dir():
        raise SaveError(f"There is no folder {target.parent}; create it first.")
    return target


def run(
    output: Output,
    context: typer.Context,
    how: Asked,
    field: Field,
    array: RenderedArray,
    target: Path,
    version: str,
) -> None:
    """Render a share, or tell what all of it takes."""
    from ..cluster.plan import Rendering
    from ..io.zarr.image import CHUNK, Tiling

    try:
        tiling = Tiling(how.chunk or CHUNK, how.shard)
        rendering = Rendering(field, array, target, version, tiling)
    except SaveError as error:
        raise ConfigError(str(error)) from error
    if how.share is None:
        _tell_plan(output, context, rendering)
    else:
        _render(output, rendering, *how.share)


def _render(output: Output, rendering: Rendering, index: int, count: int) -> None:
    from ..cluster.parts import render_part

    target, began = rendering.target, time.monotonic()
    try:
        with output.progress() as progress:
            done = render_part(rendering, index, count, progress.show)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "Interrupted; chunks that are done stay, and the same call does the rest."
        ) from None
    seconds = time.monotonic() - began
    output.say(
        f"{target}: part {index}/{count}, {done.rendered} of {done.pieces} chunks rendered in"
        f" {seconds:.1f} s, the others were there"
    )
    if done.complete:
        output.say(f"{target}: {size(rendering.record)}, complete")
    elif done.left:
        output.say(f"{target}: {done.left} of {len(rendering.pieces)} chunks are left to others")
    else:
        output.say(f"{target}: all chunks are there, and another process completes it")
    result = {"output": str(target), "part": index, "parts": count, "chunks": done.pieces}
    result |= {"rendered": done.rendered, "left": done.left, "complete": done.complete}
    shape, spacing = rendering.record.shape, rendering.record.spacing
    output.result(result | {"shape": shape, "spacing": spacing, "seconds": seconds})


def _tell_plan(output: Output, context: typer.Context, rendering: Rendering) -> None:
    from ..cluster.estimate import estimate
    from ..cluster.slurm import script

    output.note("Some chunks are rendered to see how long one takes.")
    found = estimate(rendering)
    tiling = rendering.image.tiling.of(rendering.image.shape)
    kind = "shards" if tiling.shard else "chunks"
    kind = kind if found.chunks > 1 else kind[:-1]
    pieces = f"{kind} of {' x '.join(map(str, tiling.unit))} (t, z, y, x)"
    text = script(_command(context), rendering.target.name, found, pieces)
    output.say(text)
    output.result(
        {
            "output": str(rendering.target),
            "chunks": found.chunks,
            "done": found.done,
            "seconds_per_chunk": found.seconds,
            "memory_bytes": found.memory,
            "bytes": found.bytes,
            "bytes_on_disk": found.stored,
            "seconds": found.left,
            "parts": found.parts,
            "script": text,
        }
    )


def _command(context: typer.Context) -> list[str]:
    """The command that is running, with whole paths and without what is about this run alone."""
    words = ["spatimeinr", str(context.info_name)]
    for parameter in context.command.params:
        name = str(parameter.name)
        value: Any = context.params.get(name)
        source = context.get_parameter_source(name)
        if name in ("plan", "as_json", "quiet", "debug"):
            continue
        if source is None or source.name != "COMMANDLINE" or value is None or value is False:
            continue
        text = str(value.absolute() if isinstance(value, Path) else value)
        if parameter.param_type_name == "argument":
            words.append(text)
        else:
            words += [parameter.opts[0]] if value is True else [parameter.opts[0], text]
    return words
