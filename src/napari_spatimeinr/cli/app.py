"""The command ``spatimeinr``: demo, fit, render, evaluate, config; info and convert, train and
infer are beside it.

Thin: options in, one call of the Python API, words out. Commands import what they need when they
run, so that ``info``, ``convert`` and ``config`` start without torch.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .._version import __version__
from ..config.options import Config, apply_settings, make_config
from ..data.arrays import watched
from ..data.grid import parse_roi
from ..errors import ConfigError, InputError
from . import files as cli_files
from . import options
from . import published as cli_published
from .files import size
from .jobs import Interrupt, read, run_fit
from .output import Output, guarded, speak_plainly

app = typer.Typer(
    name="spatimeinr",
    help="Any time point and any voxel size from one 4D fluorescence recording.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


app.add_typer(cli_files.commands)
app.add_typer(cli_published.commands)


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


@app.command()
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
    config = _configured(preset, None, settings)
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


@app.command()
@guarded
def fit(
    recording: Annotated[Path, typer.Argument(metavar="INPUT", help="NIfTI or TIFF.")],
    model: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="MODEL", help="The model to write, NAME.spatimeinr."
        ),
    ],
    preset: options.Preset = "balanced",
    config_file: options.ConfigFile = None,
    settings: options.Settings = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    time_budget: Annotated[
        float | None, typer.Option("--time-budget", metavar="SECONDS", help="Stop after this time.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="MODEL", help="Go on from this model.")
    ] = None,
    roi: options.Roi = None,
    channel: options.Channel = None,
    axes: options.Axes = None,
    spacing: options.Spacing = None,
    units: options.Units = None,
    level: options.Level = 0,
    psf: options.Psf = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Fit a recording and write a model file, which holds everything that a rendering needs.

    Ctrl-C stops early and writes the model as it is then (exit code 130).
    """
    output = Output(as_json, quiet)
    how = options.reading(axes, spacing, units, channel, level)
    config = _configured(preset, config_file, settings, psf)
    options.device(device)
    options.positive(time_budget, "--time-budget")
    part = None if roi is None else parse_roi(roi)
    if options.is_recording(model):
        raise ConfigError(
            f"fit writes a model, not a recording; name it {model.name.split('.')[0]}.spatimeinr"
            f" instead of {model.name}."
        )
    options.writable(model, recording)
    volume = read(recording, how, output)
    from ..fitting import fit_steps

    steps = fit_steps(volume, config.preset, config, device, seed, time_budget, resume, roi=part)
    begun = time.monotonic()
    field, interrupted = run_fit(steps, output)
    field.save(model)
    facts = field.provenance.to_dict()
    for warning in facts.get("warnings", ()):
        output.note(f"warning: {warning}")
    result = {
        "model": str(model),
        "seconds": facts.get("seconds", time.monotonic() - begun),
        **{
            key: facts.get(key)
            for key in ("steps", "device", "seed", "chosen", "hold_out", "peak_memory_bytes")
        },
    }
    gain = (result["hold_out"] or {}).get("gain_over_linear_db")
    remark = (
        "" if gain is None else f", {gain:+.2f} dB over linear interpolation on held-out frames"
    )
    output.say(
        f"{model}: {result['seconds']:.1f} s on {result['device']}, {result['steps']} steps{remark}"
    )
    output.result({**result, "interrupted": True} if interrupted else result)
    if interrupted:
        raise typer.Exit(130)


@app.command()
@guarded
def render(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="What fit wrote.")],
    target: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUTPUT", help="NIfTI or TIFF to write.")
    ],
    time_scale: Annotated[
        float | None, typer.Option("--time-scale", metavar="F", help="Frames per acquired frame.")
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option("--scale", metavar="F", help="Voxels per acquired voxel along z, y and x."),
    ] = None,
    scale_z: Annotated[
        float | None, typer.Option("--scale-z", metavar="F", help="The same along z.")
    ] = None,
    scale_yx: Annotated[
        float | None, typer.Option("--scale-yx", metavar="F", help="The same along y and x.")
    ] = None,
    voxel: Annotated[
        str | None, typer.Option("--voxel", metavar="V|DZ,DY,DX", help="Exact voxel size.")
    ] = None,
    isotropic: Annotated[
        bool, typer.Option("--isotropic", help="Voxels as large along z as along y and x.")
    ] = False,
    dt: Annotated[
        float | None, typer.Option("--dt", metavar="DT", help="Exact frame interval.")
    ] = None,
    times: Annotated[
        str | None, typer.Option("--times", metavar="T1,T2,...", help="Exact times, increasing.")
    ] = None,
    roi: options.Roi = None,
    keep_acquired: Annotated[
        bool, typer.Option("--keep-acquired", help="Copy acquired frames bit for bit.")
    ] = False,
    confidence: Annotated[
        Path | None,
        typer.Option(
            "--confidence",
            metavar="OUTPUT",
            help="Also write half the width of the 90 % interval of each voxel.",
        ),
    ] = None,
    dtype: options.Dtype = "float32",
    zarr_version: options.ZarrVersion = "0.4",
    device: options.Device = "auto",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Render a model at other times and voxel sizes."""
    from .. import io

    output = Output(as_json, quiet)
    grid = options.scales(time_scale, scale, scale_z, scale_yx, voxel, isotropic, dt, times, roi)
    options.dtype(dtype)
    options.device(device)
    options.writable(target, model)
    if confidence is not None:
        options.writable(confidence, model)
        if why := io.clash(confidence, target):
            raise InputError(
                f"--confidence needs a file of its own, {confidence.name} {why} --output."
            )
    from ..fitting import load

    field = load(model, device=device)
    begun = time.monotonic()
    lazy = field.lazy(**grid, keep_acquired=keep_acquired, dtype=dtype)
    sure = None if confidence is None else field.lazy(**grid, what="confidence")
    with output.progress() as progress:
        volume = field.wrap(watched(lazy, partial(progress.show, "rendering")), lazy)
        io.write(volume, target, zarr_version=zarr_version)
    seconds = time.monotonic() - begun
    if confidence is not None and sure is not None:
        with output.progress() as progress:
            io.write(
                field.wrap(watched(sure, partial(progress.show, "confidence")), sure), confidence
            )
        output.say(f"{confidence}: half the width of the 90 % interval")
    output.say(f"{target}: {size(volume)} in {seconds:.1f} s")
    speed = volume.grid.voxels / max(seconds, 1e-9)
    output.result(
        {
            "output": str(target),
            "shape": volume.shape,
            "spacing": volume.spacing,
            "seconds": seconds,
            "voxels_per_second": speed,
        }
    )


@app.command()
@guarded
def evaluate(
    recording: Annotated[Path, typer.Argument(metavar="INPUT", help="NIfTI or TIFF.")],
    hold_out: Annotated[
        Literal["time", "z"],
        typer.Option("--hold-out", help="What is held out: frames (time) or planes (z)."),
    ] = "time",
    gap: Annotated[
        int, typer.Option("--gap", min=2, help="Every how-manieth frame or plane is given.")
    ] = 2,
    preset: options.Preset = "balanced",
    config_file: options.ConfigFile = None,
    settings: options.Settings = None,
    baselines: Annotated[
        str, typer.Option("--baselines", help="Of linear, cubic, flow (Lucas-Kanade) and tvl1.")
    ] = "linear,cubic,flow",
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Also with each component switched off.")
    ] = False,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    channel: options.Channel = None,
    axes: options.Axes = None,
    spacing: options.Spacing = None,
    units: options.Units = None,
    level: options.Level = 0,
    psf: options.Psf = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Hold frames or planes out, predict them, and score the prediction against interpolation."""
    output = Output(as_json, quiet)
    how = options.reading(axes, spacing, units, channel, level)
    config = _configured(preset, config_file, settings, psf)
    chosen = tuple(name.strip() for name in baselines.split(",") if name.strip())
    for name in chosen:
        options.one_of(name, ("linear", "cubic", "flow", "tvl1"), "--baselines")
    options.device(device)
    volume = read(recording, how, output)
    from ..analysis.evaluate import evaluate as score

    with Interrupt(at_once=True) as interrupt, output.progress() as progress:

        def shown(state: Any) -> None:
            interrupt.check()
            progress.fit(state)

        report = score(
            volume,
            hold_out,
            gap,
            config.preset,
            config,
            device,
            seed,
            baselines=chosen,
            ablate=ablate,
            progress=shown,
        )
    for warning in report.said:
        output.note(f"warning: {warning}")
    output.say(report.table())
    output.result({**report.to_json(), "input": str(recording)})


@app.command()
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
    made = _configured(preset, None, settings)
    print(
        made.to_yaml() if made.published is None else cli_published.ready(made, bool(settings)),
        end="",
    )


# -- helpers ----------------------------------------------------------------------------------


def _configured(
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
