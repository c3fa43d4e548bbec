"""The published commands: ``train`` and ``infer``, with the published options and files."""

from __future__ import annotations

import math
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..config.options import Config, make_config
from ..data.arrays import watched
from ..errors import ConfigError, InputError
from ..io.atomic import check_free, in_a_sentence
from ..io.locks import alone
from . import options
from .jobs import follow, read
from .output import Output, guarded

if TYPE_CHECKING:
    from ..field import Field
    from ..fitting import FitProgress, FitRun

commands = typer.Typer()
OUTPUT = "output.nii.gz"

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="CONFIG.yaml", help="As 'spatimeinr config published' prints it."
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option("--save_path", "--save-path", metavar="DIR", help="Folder of the results."),
]
Recording = Annotated[
    Path | None,
    typer.Option("--file", metavar="DATA", help=f"The recording: {options.READABLE}"),
]


@commands.command()
@guarded
def train(
    config_file: ConfigFile = None,
    save_path: Folder = None,
    file: Recording = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    time_budget: options.Budget = None,
    channel: options.Channel = None,
    axes: options.Axes = None,
    spacing: options.Spacing = None,
    units: options.Units = None,
    level: options.Level = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Fit the published model to a recording; leaves current.pth and latent_code.pt, and goes on
    from them.

    Ctrl-C stops early and leaves what was learned (exit code 130).
    """
    output = Output(as_json, quiet)
    config, folder, recording = _asked(config_file, save_path, file, "train")
    how = options.reading(axes, spacing, units, channel, level)
    options.device(device)
    options.positive(time_budget, "--time-budget")
    with in_a_sentence(folder):
        folder.mkdir(parents=True, exist_ok=True)
    check_free(folder / OUTPUT)
    with alone(folder / "training", named=folder):  # the files of two would not fit together
        _train(output, config, folder, recording, how, device, seed, time_budget)


def _train(
    output: Output,
    config: Config,
    folder: Path,
    recording: Path,
    how: dict[str, Any],
    device: str,
    seed: int,
    time_budget: float | None,
) -> None:
    volume = read(recording, how, output)
    from ..fitting import fit_run
    from ..published import files
    from ..training.normalisation import fingerprint

    old = None
    if files.there(folder):
        old = files.load(folder, volume, fingerprint(volume.data), device)
        if old.config.published != config.published:
            raise ConfigError(
                f"{folder} was trained with other options; give that configuration, or another"
                " folder."
            )
        output.note(f"Going on from step {_steps(old)} in {folder}.")
    begun = time.monotonic()
    run = fit_run(volume, "published", config, device, seed, time_budget, old)
    diary = _Diary(run, config, folder, output, 0 if old is None else _steps(old))
    stopped = follow(run, diary.note, diary.is_usable, _nothing_yet)
    latest = run.result()
    if not _learned(latest):
        raise InputError(f"{recording} is constant: there is nothing to learn from it.")
    files.save(latest, folder)
    facts = latest.provenance.to_dict()
    if rcan := facts.get("rcan"):
        output.note(
            f"latents: {rcan['steps']} steps to {rcan['psnr']:.2f} dB, ended by {rcan['ended']}"
        )
    output.say(
        f"{folder}: {_steps(latest)} steps in {time.monotonic() - begun:.1f} s on {facts['device']}"
    )
    output.result(
        {
            "save_path": str(folder),
            "steps": _steps(latest),
            "seconds": time.monotonic() - begun,
            "device": facts["device"],
        }
        | {key: facts.get(key) for key in ("rcan", "mlp", "seed", "peak_memory_bytes")}
    )
    if stopped:
        raise typer.Exit(130)


class _Diary:
    """Tells what a training does and saves it, every so many steps as the configuration says.

    Parameters
    ----------
    run : the training.
    done : steps that an earlier one had done.
    """

    def __init__(
        self, run: FitRun, config: Config, folder: Path, output: Output, done: int
    ) -> None:
        assert config.published is not None
        self._run, self._options, self._folder, self._output = run, config.published, folder, output
        self._saved = self._logged = done

    def is_usable(self) -> bool:
        """Whether there is more than latents, which alone show nothing."""
        return self._run.field is not None and _learned(self._run.field)

    def note(self, state: FitProgress) -> None:
        """Tell and save what is due."""
        if state.field is None or not self.is_usable():
            self._note_step(state)
            return
        step = _steps(state.field)
        if step // self._options.log_iter > self._logged // self._options.log_iter:
            self._logged = step
            self._output.note(f"step {step} of {self._options.max_iter}, loss {state.loss:.4g}")
        if step // self._options.save_iter > self._saved // self._options.save_iter:
            from ..published import files

            self._saved = step
            files.save(state.field, self._folder)

    def _note_step(self, state: FitProgress) -> None:
        if state.step % self._options.log_iter != 0:
            return
        psnr = ""
        if math.isfinite(state.loss):
            psnr = f", PSNR {-10 * math.log10(max(state.loss, 1e-12)):.2f} dB"
        self._output.note(f"{state.stage}: step {state.step}{psnr}")


def _nothing_yet() -> None:
    """Ctrl-C before there is a model: nothing is left."""
    raise KeyboardInterrupt


@commands.command()
@guarded
def infer(
    config_file: ConfigFile = None,
    save_path: Folder = None,
    file: Recording = None,
    scale: Annotated[
        float | None,
        typer.Option("--scale", metavar="F", help="Voxels per voxel along z, y and x."),
    ] = None,
    scale_t: Annotated[
        float | None, typer.Option("--scaleT", metavar="F", help="Frames per frame.")
    ] = None,
    scale_z: Annotated[
        float | None,
        typer.Option("--scale_z", "--scale-z", metavar="F", help="Along z, if another."),
    ] = None,
    device: options.Device = "auto",
    channel: options.Channel = None,
    axes: options.Axes = None,
    spacing: options.Spacing = None,
    units: options.Units = None,
    level: options.Level = 0,
    dtype: options.Dtype = "float32",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Render what was trained into DIR/output.nii.gz, with affine and units; fractions of scales
    are allowed.
    """
    output = Output(as_json, quiet)
    config, folder, recording = _asked(config_file, save_path, file, "eval")
    how = options.reading(axes, spacing, units, channel, level)
    options.dtype(dtype)
    options.device(device)
    assert config.published is not None
    part = config.published.dataset.eval
    in_time = options.positive(scale_t, "--scaleT") or part.scaleT
    lateral = options.positive(scale, "--scale") or part.scale
    along_z = options.positive(scale_z, "--scale_z") or lateral
    volume = read(recording, how, output)
    from .. import io
    from ..published import files
    from ..training.normalisation import fingerprint

    field = files.load(folder, volume, fingerprint(volume.data), device)
    begun = time.monotonic()
    lazy = field.lazy(time_scale=in_time, scale_z=along_z, scale_yx=lateral, dtype=dtype)
    target = folder / OUTPUT
    with output.progress() as progress:
        io.write(field.wrap(watched(lazy, partial(progress.show, "rendering")), lazy), target)
    seconds = time.monotonic() - begun
    output.say(f"{target}: {' x '.join(map(str, lazy.shape))} in {seconds:.1f} s")
    output.result(
        {
            "output": str(target),
            "shape": lazy.shape,
            "spacing": lazy.grid.spacing,
            "seconds": seconds,
        }
    )


def _asked(
    file: Path | None, folder: Path | None, recording: Path | None, part: str
) -> tuple[Config, Path, Path]:
    """Configuration, folder and recording, from the command line or else from the configuration."""
    config = make_config("published", file)
    assert config.published is not None
    place = folder or (Path(config.published.save_path) if config.published.save_path else None)
    named = getattr(config.published.dataset, part).file
    data = recording or (Path(named) if named else None)
    if place is None or data is None:
        missing = "--save_path DIR" if place is None else "--file DATA"
        raise ConfigError(f"Neither the command nor the configuration says where: give {missing}.")
    return config, place, data


def _learned(field: Field) -> bool:
    """Whether there is something of the published model in a Field."""
    from ..published.method import PublishedMethod

    return isinstance(field.method, PublishedMethod)


def _steps(field: Field) -> int:
    return int(field.provenance.get("mlp", {}).get("steps", 0))


def ready(config: Config, changed: bool) -> str:
    """The published configuration as YAML: the shipped file with its remarks, or, changed, its
    values.
    """
    import yaml

    from ..config.published import READY

    if not changed:
        return READY.read_text(encoding="utf-8")
    assert config.published is not None
    values: dict[str, Any] = config.published.model_dump(mode="json")
    kept = config.model_dump(mode="json", include={"cycle", "precision"})
    return str(yaml.safe_dump(values | kept, sort_keys=False))
