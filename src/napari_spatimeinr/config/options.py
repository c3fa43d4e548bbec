"""Every option as data: pydantic models, presets, YAML, and helpful errors for unknown keys."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import ConfigError
from . import former, groups
from .groups import Options
from .parts import (
    HypothesesOptions,
    LatentOptions,
    MotionOptions,
    NotNegative,
    PlanesOptions,
    VoxelsOptions,
)
from .published import PublishedOptions

PRESETS = ("fast", "balanced", "best", "published")


class CycleOptions(Options):
    """Cycle consistency in time and in space."""

    temporal: float = Field(0.25, ge=0, description="Weight: predict between, predict back.")
    spatial: float = Field(0.25, ge=0, description="Weight: render finer, degrade, compare.")


class RenderOptions(Options):
    """4D rendering: how a cell of the output is integrated."""

    hypercube: bool = Field(
        True,
        description="Integrate output cells larger than the source's; off samples their centres.",
    )
    exposure: float = Field(
        0.0, ge=0, le=1, description="Extent of a cell in time, in output frame intervals."
    )
    samples: int = Field(
        4, ge=1, le=64, description="Time samples of a cell when exposure is above 0."
    )
    cache_bytes: int = Field(
        0, ge=0, description="Memory for cached latents; 0 chooses by the recording's size."
    )


class Config(Options):
    """All options of a fit and its renderings; parts that are registered add a group each."""

    model_config = ConfigDict(extra="allow")  # those of added groups; all others are refused below

    preset: str = Field("balanced", description="The preset these options came from.")
    motion: MotionOptions = MotionOptions()
    hypotheses: HypothesesOptions = HypothesesOptions()
    latents: LatentOptions = LatentOptions()
    planes: PlanesOptions = PlanesOptions()
    voxels: VoxelsOptions = VoxelsOptions()
    cycle: CycleOptions = CycleOptions()
    render: RenderOptions = RenderOptions()
    gate: bool = Field(
        True, description="Keep a component only where it beats interpolation on held-out data."
    )
    published: PublishedOptions | None = Field(
        None, description="The published method instead of motion-aligned latents."
    )
    normalise_frames: bool = Field(
        True, description="Level out bleaching and flicker between frames while fitting."
    )
    threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="Threads of the CPU; 0 takes as many as are fastest, measured as it runs.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Arithmetic of the networks."
    )
    psf: tuple[NotNegative, NotNegative, NotNegative] | None = Field(
        None,
        description=(
            "Standard deviations (z, y, x) of the PSF, spatial units; given, the blur along z is"
            " undone."
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _former_names(cls, values: Any) -> Any:
        return former.configuration(values) if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _added_groups(self) -> Self:
        # A frozen model is not assigned to; validation is where its values are made.
        object.__setattr__(
            self, "__pydantic_extra__", groups.checked(self.__pydantic_extra__ or {})
        )
        return self

    @classmethod
    def kinds(cls) -> dict[str, type[BaseModel]]:
        """The groups of options, declared and added, by name."""
        fields = {name: info.annotation for name, info in cls.model_fields.items()}
        declared = {
            name: kind
            for name, kind in fields.items()
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        }
        return declared | groups.added()

    def group(self, name: str) -> Any:
        """A group of options by name."""
        return getattr(self, name)

    def to_yaml(self) -> str:
        """This configuration as YAML text that :func:`load_yaml` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


_CHANGES: dict[str, dict[str, Any]] = {
    "fast": {
        "motion": {"steps": 40, "gradual": False},
        "latents": {"steps": 200, "channels": 8, "width": 24},
        "planes": {"steps": 150, "channels": 24},
        "voxels": {"steps": 150, "channels": 24},
    },
    "balanced": {},
    "best": {
        "motion": {"steps": 150, "points": 20_000, "smoothness": [0.0005, 0.005, 0.05, 0.4]},
        "latents": {"steps": 1000, "channels": 24, "features": 8, "width": 48},
        "planes": {"steps": 1500, "channels": 48},
        "voxels": {"steps": 1500, "channels": 48},
    },
    "published": {"published": {}, "cycle": {"temporal": 0.1, "spatial": 0.1}},
}


def make_config(
    preset: str = "balanced", config: Config | dict[str, Any] | str | Path | None = None
) -> Config:
    """A preset, with the changes of ``config`` (nested dict or YAML file) on top.

    Raises
    ------
    ConfigError
        For an unknown preset or key (naming the nearest) or a value out of range.
    """
    if isinstance(config, Config):
        return config
    if preset not in PRESETS:
        near = difflib.get_close_matches(preset, PRESETS, 1)
        raise ConfigError(
            f"There is no preset {preset!r}{f', did you mean {near[0]!r}' if near else ''}; choose"
            f" {', '.join(PRESETS)}."
        )
    said = load_yaml(config) if isinstance(config, (str, Path)) else dict(config or {})
    changes = former.configuration(said)
    if preset == "published":
        changes = _ours_apart(changes)
    if changes.get("preset", preset) != preset:
        return make_config(
            str(changes["preset"]), {k: v for k, v in changes.items() if k != "preset"}
        )
    return _validated(_merged(_merged({"preset": preset}, _CHANGES[preset]), changes))


def _ours_apart(changes: dict[str, Any]) -> dict[str, Any]:
    """The published file has its keys at the top; ours may stand among them."""
    known = {*Config.model_fields, *groups.added()}
    theirs = {key: value for key, value in changes.items() if key not in known}
    ours = {key: value for key, value in changes.items() if key in known}
    return _merged(ours, {"published": theirs}) if theirs else ours


def apply_settings(config: Config, settings: list[str]) -> Config:
    """``["motion.steps=100", ...]`` on top of a configuration; values are YAML."""
    changes: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"A setting looks like motion.steps=100, got {setting!r}.")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"The value of {key} is not YAML: {text!r}.") from error
        for part in reversed(key.strip().split(".")):
            value = {part: value}
        changes = _merged(changes, value)
    # All at once: names of now go before those of then, in whatever order they are said.
    changes = former.configuration(changes)
    return _validated(_merged(config.model_dump(mode="json"), changes))


def load_yaml(path: str | Path) -> dict[str, Any]:
    """A YAML file as a nested dict."""
    try:
        value = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"There is no configuration file {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration file {path} cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"The configuration file {path} is not YAML: {str(error).splitlines()[0]}."
        ) from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"The configuration file {path} must hold keys and values.")
    return value


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in changes.items():
        out[key] = (
            _merged(out[key], value)
            if isinstance(value, dict) and isinstance(out.get(key), dict)
            else value
        )
    return out


def _validated(values: dict[str, Any]) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] != "extra_forbidden":
            raise ConfigError(
                f"The option {where} is wrong: {first['msg']}, got {first['input']!r}."
            ) from None
        known = _keys(Config) + [
            key for name, kind in groups.added().items() for key in (name, *_keys(kind, f"{name}."))
        ]
        near = difflib.get_close_matches(where, known, 1, 0.0)
        raise ConfigError(f"There is no option {where!r}; the nearest is {near[0]!r}.") from None


def _keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    out: list[str] = []
    for name, info in model.model_fields.items():
        out.append(prefix + name)
        for kind in (info.annotation, *get_args(info.annotation)):  # a model, or a model or None
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                out += _keys(kind, f"{prefix}{name}.")
    return out
