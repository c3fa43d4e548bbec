"""Field: what a fit returns; renders any grid, answers where things go, saves itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .config.facts import Provenance
from .config.options import Config
from .data.grid import ROI, Grid, check_roi
from .errors import GridError
from .model.confidence import LEVEL
from .model.frames import Frames, Normalisation
from .model.network import Network
from .render.array import RenderedArray
from .render.blocks import Blocks
from .render.method import Aligned, Method
from .render.quantities import shown
from .saved import Saved
from .volume import Volume


class Field(Saved):
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
        frames = Frames(volume.data, normalisation, device, volume.grid.clock)
        self._renderer = self.method.renderer(frames, config.render, interpolation, self._linear)

    grid: Grid = property(lambda self: self.volume.grid)  # type: ignore[assignment]
    units: tuple[str, str] = property(lambda self: self.volume.units)  # type: ignore[assignment]
    frames: Frames = property(lambda self: self._renderer.frames)  # type: ignore[assignment]

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
        level: float = LEVEL,
    ) -> RenderedArray:
        """A rendering that computes what is indexed.

        Parameters
        ----------
        time_scale, scale, scale_z, scale_yx, voxel, isotropic, dt, times : see :meth:`Grid.refine`.
        roi : half-open source indices ``((t0, t1), (z0, z1), (y0, y1), (x0, x1))``, None for all.
        keep_acquired : copy frames at acquired times bit for bit; only on the source's voxel grid.
        dtype : "float32", "source", "uint16" or "uint8"; integers are rounded and clipped.
        what : "intensity"; "confidence": half the width of the interval that holds ``level`` (0.5,
            0.8, 0.9, 0.95) of the noisy voxels that would have been recorded, by errors on held-out
            frames; "error": the RMS error to be expected, noise apart; "trust": 1 where that is
            small against the recording's range, else 0; "trusted": intensities there, else NaN;
            "disagreement": the absolute difference of the two frames around a time after their
            motion is undone, noise included; or "hypothesis": which of the motions that are blended
            counts most, by its number in ``provenance.hypotheses.all`` from 1, and 0 for none, at
            acquired times and where frames are interpolated linearly. Trust and hypotheses are
            "uint8" whatever ``dtype`` says, all others in the source's units.

        Raises
        ------
        GridError
            If the grid is impossible, ``keep_acquired`` is asked for on another voxel grid or of
            other than intensities, what is calibrated of a model that had no held-out frames or at
            another level, or "trusted" as integers.
        """
        ranges: ROI = check_roi(roi, self.grid.shape)
        cropped = self.grid.crop(ranges)
        grid = cropped.refine(time_scale, scale, scale_z, scale_yx, voxel, isotropic, dt, times)
        if keep_acquired and not (
            grid.shape[1:] == cropped.shape[1:]
            and np.allclose(grid.spacing[1:], cropped.spacing[1:], rtol=1e-9, atol=0)
        ):
            where = "only at scale 1 in z, y and x; leave out keep_acquired or the scale."
            raise GridError(f"Acquired frames can be kept bit for bit {where}")
        if keep_acquired and what not in ("intensity", "trusted"):
            raise GridError(f"Acquired frames hold intensities, not {what}: no keep_acquired.")
        return self._rendered(what, grid, dtype, keep_acquired, level)

    def on_grid(self, grid: Grid, dtype: str = "float32", what: str = "intensity") -> RenderedArray:
        """A lazy rendering on any grid within the recording; beyond its edge the outer voxels are
        repeated.
        """
        return self._rendered(what, grid, dtype, False)

    def picture(self, grid: Grid) -> RenderedArray:
        """The same for what is looked at: drawn by what there is, before kernels are compiled."""
        array = self.on_grid(grid)
        array.patient = False
        return array

    def _rendered(
        self, what: str, grid: Grid, dtype: str, keep_acquired: bool, level: float = LEVEL
    ) -> RenderedArray:
        remake = self._rendered, (what, grid, dtype, keep_acquired, level)
        dtype = "uint8" if what in ("trust", "hypothesis") else dtype
        how = grid, dtype, self.volume.dtype, keep_acquired, remake
        array = RenderedArray(self._quantity(what, level), self.grid, *how)
        if what != "trusted" or array.dtype.kind == "f":
            return array
        raise GridError("What is not trusted is NaN, which no integer is; ask for float32.")

    def _quantity(self, what: str, level: float = LEVEL) -> Blocks:
        quantity = shown(what, self.provenance.confidence, level)
        return self._renderer if what == "intensity" else self._renderer.showing(quantity)

    @property
    def _linear(self) -> list[int]:
        """Intervals between frames that the guard leaves to linear interpolation."""
        return self.provenance.guard.linear

    def interpolated(self, interpolation: str = "linear") -> Field:
        """The same recording by plain "linear" or "cubic" interpolation in time: the baseline to
        compare with.
        """
        how = self.normalisation, self.config, self.device, interpolation
        return Field(self.volume, Network(), *how, {"chosen": {}})

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
        rendered.check_memory()
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
        velocity = self.network.motion
        if velocity is None:
            return np.zeros(points.shape)
        spacing, origin = np.asarray(self.grid.spacing[1:]), np.asarray(self.grid.origin[1:])
        at = self.grid.to_index(np.array([start, end], float), 0).tolist()
        first, last = map(self.frames.time, at)
        return velocity.displaced((points - origin) / spacing, first, last) * spacing
