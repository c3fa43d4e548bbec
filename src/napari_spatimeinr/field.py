"""Field: what a fit returns; renders any grid, answers where things go, saves itself."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from . import checkpoint
from .compute.device import free_memory, resolve_precision
from .config.facts import Provenance
from .config.options import Config, make_config
from .data.grid import ROI, Grid, check_roi
from .errors import FormatError, GridError, OutOfMemoryError
from .header import header_of, normalisation_of, state_of, token, volume_of
from .io.atomic import WAIT
from .io.lazy import Source
from .io.summed import frame_sums
from .model.build import unknown_parts
from .model.frames import Frames, Normalisation
from .model.network import Network
from .model.trusted import trusted_device
from .render.array import RenderedArray
from .render.blocks import Blocks
from .render.method import Aligned, Method
from .render.quantities import Confidence, Disagreement
from .render.renderer import Renderer
from .volume import Volume


class Field:
    """A continuous function of time and space fitted to one recording.

    Parameters
    ----------
    volume : the recording (or the region of it that was fitted).
    method : the fitted method; a Network alone is that of ours.
    normalisation : normalisation of intensities.
    config : the options of the fit.
    interpolation : "linear" or "cubic" in time, used where the network has no parts.
    provenance : version, seed, device, seconds, steps, threads, ``chosen``, ``hold_out``,
        ``guard``, input, warnings.
    """

    def __init__(
        self,
        volume: Volume,
        method: Method | Network,
        normalisation: Normalisation,
        config: Config,
        device: torch.device,
        interpolation: str = "linear",
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        self.volume = volume
        self.method = Aligned(method) if isinstance(method, Network) else method
        self.normalisation = normalisation
        self.config = config
        self.device = device
        self.interpolation = interpolation
        self.provenance = Provenance.of(provenance or {})
        self._file: Source | None = None
        self._in_file = ""  # the state that the file holds
        self._sums: list[str] | None = None
        frames = Frames(volume.data, normalisation, device)
        self._renderer = self.method.renderer(frames, config.render, interpolation, self._linear)

    grid: Grid = property(lambda self: self.volume.grid)  # type: ignore[assignment]
    units: tuple[str, str] = property(lambda self: self.volume.units)  # type: ignore[assignment]

    @property
    def network(self) -> Network:
        """The parts of our method; none of another's."""
        return self.method.network if isinstance(self.method, Aligned) else Network()

    def __repr__(self) -> str:
        parts = (
            ", ".join(name for name, on in self.provenance.chosen.items() if on is True)
            or self.interpolation
        )
        return f"<Field of {' x '.join(map(str, self.grid.shape))} (t, z, y, x): {parts}>"

    # -- rendering ----------------------------------------------------------------------

    def lazy(
        self,
        time_scale: float = 1.0,
        scale: float | None = None,
        scale_z: float | None = None,
        scale_yx: float | None = None,
        voxel: float | tuple[float, float, float] | None = None,
        isotropic: bool = False,
        dt: float | None = None,
        times: Any = None,
        roi: Any = None,
        keep_acquired: bool = False,
        dtype: str = "float32",
        what: str = "intensity",
    ) -> RenderedArray:
        """A rendering that computes what is indexed.

        Parameters
        ----------
        time_scale, scale, scale_z, scale_yx, voxel, isotropic, dt, times : see :meth:`Grid.refine`.
        roi : half-open source indices ``((t0, t1), (z0, z1), (y0, y1), (x0, x1))``, None for all.
        keep_acquired : copy frames at acquired times bit for bit; only on the source's voxel grid.
        dtype : "float32", "source", "uint16" or "uint8"; integers are rounded and clipped.
        what : "intensity"; or "confidence": half the width of the interval that holds 90 % of the
            noisy voxels that would have been recorded, by errors on held-out frames; or
            "disagreement": the absolute difference of the two frames around a time after their
            motion is undone (not calibrated: noise is part of it). All in the source's units.

        Raises
        ------
        GridError
            If the grid is impossible, ``keep_acquired`` is asked for on another voxel grid, or
            "confidence" of a model that had no held-out frames (fewer than four frames).
        """
        ranges: ROI = check_roi(roi, self.grid.shape)
        cropped = self.grid.crop(ranges)
        grid = cropped.refine(time_scale, scale, scale_z, scale_yx, voxel, isotropic, dt, times)
        if keep_acquired and not (
            grid.shape[1:] == cropped.shape[1:]
            and np.allclose(grid.spacing[1:], cropped.spacing[1:], rtol=1e-9, atol=0)
        ):
            raise GridError(
                "Acquired frames can be kept bit for bit only at scale 1 in z, y and x; leave out"
                " keep_acquired or the scale."
            )
        return self._rendered(what, grid, dtype, keep_acquired)

    def on_grid(self, grid: Grid, dtype: str = "float32", what: str = "intensity") -> RenderedArray:
        """A lazy rendering on any grid within the recording; beyond its edge the outer voxels are
        repeated.
        """
        return self._rendered(what, grid, dtype, False)

    def _rendered(self, what: str, grid: Grid, dtype: str, keep_acquired: bool) -> RenderedArray:
        remake = self._rendered, (what, grid, dtype, keep_acquired)
        return RenderedArray(
            self._quantity(what), self.grid, grid, dtype, self.volume.dtype, keep_acquired, remake
        )

    def _quantity(self, what: str) -> Blocks:
        if what == "intensity":
            return self._renderer
        if what not in ("disagreement", "confidence"):
            raise GridError(
                f"A rendering shows 'intensity', 'disagreement' or 'confidence', got {what!r}."
            )
        aligned = self._aligned()
        if what == "disagreement":
            return aligned.showing(Disagreement())
        table = self.provenance.confidence
        if table is None:
            raise GridError(
                "Confidence is calibrated on held-out frames, and this model had none: that takes"
                " four frames or more and the gate."
            )
        return aligned.showing(Confidence(dict(table)))

    def _aligned(self) -> Renderer:
        """What compares frames along their motion; of a method without, frames as they are."""
        if isinstance(self._renderer, Renderer):
            return self._renderer
        frames = Frames(self.volume.data, self.normalisation, self.device)
        return Renderer(Network(), frames, self.config.render, self.interpolation, self._linear)

    @property
    def _linear(self) -> list[int]:
        """Intervals between frames that the guard leaves to linear interpolation."""
        return self.provenance.guard.linear

    def interpolated(self, interpolation: str = "linear") -> Field:
        """The same recording by plain "linear" or "cubic" interpolation in time: the baseline to
        compare with.
        """
        return Field(
            self.volume,
            Network(),
            self.normalisation,
            self.config,
            self.device,
            interpolation,
            {"chosen": {}},
        )

    def wrap(self, data: Any, rendered: RenderedArray) -> Volume:
        """A volume of rendered data (or of the lazy array itself) with calibration and
        provenance.
        """
        metadata = {
            "spatimeinr": {
                **self.provenance.to_dict(),
                "acquired": rendered.acquired,
                "interpolated": [k is None for k in rendered.acquired],
                "config": self.config.model_dump(mode="json"),
            },
            "source_dtype": str(self.volume.dtype),
        }
        return self.volume.like(data, rendered.grid, metadata)

    def render(self, *args: Any, **how: Any) -> Volume:
        """Render into memory; the options of :meth:`lazy`.

        Raises
        ------
        OutOfMemoryError
            If the result is larger than the free memory; the message names what would fit.
        """
        rendered = self.lazy(*args, **how)
        free = free_memory()
        if rendered.nbytes > 0.9 * free:
            raise OutOfMemoryError(
                f"This rendering ({' x '.join(map(str, rendered.shape))}) takes"
                f" {rendered.nbytes / 1e9:.3g} GB and {free / 1e9:.3g} GB are free; render a region"
                " (roi) or a smaller scale, or stream it to a file with 'spatimeinr render'."
            )
        return self.wrap(np.asarray(rendered), rendered)

    def motion(self, points: Any, start: float, end: float) -> NDArray[np.float64]:
        """Displacement of what is at ``points`` at time ``start`` until time ``end``.

        Parameters
        ----------
        points : ``(..., 3)`` physical (z, y, x).
        start, end : physical times within the recording.

        Returns
        -------
        ``(..., 3)`` physical displacement (z, y, x), zero when motion was switched off or rejected.
        """
        points = np.asarray(points, dtype=np.float64)
        if points.shape[-1:] != (3,):
            raise GridError(f"Points are (..., 3) in (z, y, x), got shape {points.shape}.")
        if self.network.motion is None:
            return np.zeros(points.shape)
        spacing, origin = np.asarray(self.grid.spacing[1:]), np.asarray(self.grid.origin[1:])
        index = torch.from_numpy(
            ((points - origin) / spacing).reshape(1, -1, 3).astype(np.float32)
        ).to(self.device)
        last = self.grid.shape[0] - 1
        t0, t1 = (
            float(np.clip(self.grid.to_index(np.asarray(float(t)), 0), 0, last))
            for t in (start, end)
        )
        times = [torch.tensor([t], dtype=torch.float32, device=self.device) for t in (t0, t1)]
        with torch.no_grad():
            moved = self.network.motion.trajectory(index, times[0], times[1]) - index
        return moved[0].cpu().numpy().astype(np.float64).reshape(points.shape) * spacing

    # -- files --------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """Plain values that say what this model is."""
        return header_of(
            self.volume,
            self.method,
            self.normalisation,
            self.config,
            self.interpolation,
            self.provenance,
        )

    def save(self, path: str | Path, wait: float = WAIT) -> Path:
        """Write the model (frames included) to one file, completely or not at all.

        Parameters
        ----------
        path : the file.
        wait : seconds to wait for another writer of the same file.

        Raises
        ------
        SaveError
            If the file cannot be written or another process writes it; an earlier file stays as it
            was.
        """
        state = self._state()
        weights = self.method.weights()
        saved = checkpoint.write(path, self.describe(), weights, self.volume.data, wait)
        self._file, self._in_file = Source.of(saved, None), state
        return saved

    def _state(self) -> str:
        return state_of(self.describe(), self.method.weights())

    # -- other processes -----------------------------------------------------------------

    def __reduce__(self) -> tuple[Any, ...]:
        """A reference to the file it was loaded from or saved to, as long as both are unchanged;
        else all of it.
        """
        if self._file is not None and self._file.is_unchanged() and self._state() == self._in_file:
            how = str(self.device), self.method.precision, type(self.method)
            return _loaded, (self._file, *how)
        return Field, self._parts()

    def __deepcopy__(self, memo: dict[int, Any]) -> Field:
        other = Field(*copy.deepcopy(self._parts(), memo))
        other._file, other._in_file = self._file, self._in_file
        return other

    def _parts(self) -> tuple[Any, ...]:
        return (
            self.volume,
            self.method,
            self.normalisation,
            self.config,
            self.device,
            self.interpolation,
            self.provenance,
        )

    def __dask_tokenize__(self) -> Any:
        """What dask tells Fields apart by: equal for equal weights, frames and options, saved or
        not, in any process.
        """
        if self._sums is None:
            self._sums = frame_sums(self.volume.data)
        same = token(self.describe(), self.method.weights(), self._sums)
        return "Field", same, self.device.type, str(self.method.precision)


MethodOf = Callable[[dict[str, Any], dict[str, NDArray[Any]]], type[Method]]
"""Which method a model is of, by its header and arrays."""


def opened(
    path: str | Path, method_of: MethodOf, device: torch.device, precision: torch.dtype | None
) -> Field:
    """The Field of a model file; frames stay on disk until they are needed.

    Parameters
    ----------
    path : the file.
    method_of : tells the method.
    device : where it computes.
    precision : arithmetic of the networks; None for what the model's configuration says.

    Raises
    ------
    FormatError
        If the file is missing, damaged, not a model, or of a newer format.
    """
    header, weights, frames = checkpoint.read(path)
    method = method_of(header, weights)
    if unknown := unknown_parts(header["parts"]):
        raise FormatError(
            f"The model {path} has a part {unknown[0]!r} that is not known here; import the package"
            " that registers it, or fit it again."
        )
    try:
        config = make_config(config=Config.model_validate(header["config"]))
        volume, normalisation = volume_of(header, frames), normalisation_of(header, len(frames))
        if header["interpolation"] not in ("linear", "cubic"):
            raise ValueError("its interpolation in time is unknown")
        precision = precision or resolve_precision(config.precision, device)
        field = Field(
            volume,
            method.build(header, weights, volume.grid.shape[1:], config, device, precision),
            normalisation,
            config,
            device,
            header["interpolation"],
            header["provenance"],
        )
        field._file, field._in_file = frames.source, field._state()
        return field
    except (
        LookupError,
        ValueError,
        TypeError,
        ArithmeticError,
        AttributeError,
        RuntimeError,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".: ")
        raise FormatError(
            f"The model {path} is damaged ({reason}); copy it again or fit it again."
        ) from error


def _loaded(source: Source, device: str, precision: torch.dtype, method: type[Method]) -> Field:
    """The model of a file that another process referred to, each time a Field of its own.

    One array is often sent many times, so weights, frames and what was rendered of them are kept
    and shared.
    """
    source.checked()
    kept = _kept(source, device, precision, method)
    field = object.__new__(Field)
    field.__dict__.update(kept.__dict__)
    field.volume = kept.volume.like(kept.volume.data, kept.grid)
    field.volume.metadata, field.provenance = copy.deepcopy((kept.volume.metadata, kept.provenance))
    return field


@functools.lru_cache(maxsize=1)
def _kept(source: Source, device: str, precision: torch.dtype, method: type[Method]) -> Field:
    where = trusted_device(device).device
    return opened(source.path, lambda header, weights: method, where, precision)
