"""Cells that move, divide, appear and vanish: closed formulae of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .course import Course
from .smooth import slope, smoothstep

Array = NDArray[np.float64]

SPACING = (60.0, 0.5, 0.25, 0.25)
"""Frame interval in s and voxel size in um, (dt, dz, dy, dx)."""
DIVISION = 2.0
"""How long two daughters take to part, frames."""


@dataclass(frozen=True)
class Cells:
    """Centres of cells through time, ``(z, y, x)`` in um.

    In the body a centre is, at the time t in frames with the clock ``c = t + a t^2 / 2``, at

        start + sum over modes m of waves_m (sin(rates_m c + phases_m) - sin(phases_m))
        + slide (c - c in the middle) + split smoothstep((t - split_time) / 2)

    and the body moves by its :class:`.Course`, or not at all.
    """

    start: Array  # (cells, 3)
    waves: Array  # (modes, cells, 3)
    rates: Array  # (modes,), rad per frame
    phases: Array  # (modes,)
    accelerate: float
    partner: NDArray[np.int64]  # (cells,), the cell it splits from, or itself
    split: Array  # (cells, 3), final half distance of the two daughters, um
    split_time: Array  # (cells,), frames
    inside: NDArray[np.bool_]
    brightness: Array  # (cells,)
    slide: Array  # (cells, 3), um per frame
    shown: Array  # (cells, 2), when it begins to appear and to vanish, frames
    halfway: float  # the clock in the middle of the recording
    course: Course | None = None

    def clock(self, t: float) -> tuple[float, float, float]:
        """Frame, clock and the clock's derivative at a physical time."""
        frame = t / SPACING[0]
        return frame, frame + 0.5 * self.accelerate * frame**2, 1 + self.accelerate * frame

    def in_body(self, t: float) -> Array:
        """Centres as the body sees them, ``(cells, 3)``."""
        _, clock, _ = self.clock(t)
        swing = np.sin(self.rates * clock + self.phases) - np.sin(self.phases)
        moved = self.start + np.tensordot(swing, self.waves, 1)
        moved += self.grown(t)[:, None] * self.split
        return moved + self.slide * (clock - self.halfway)

    def centres(self, t: float) -> Array:
        """Centres as the microscope sees them, ``(cells, 3)``."""
        return self.to_lab(self.in_body(t), t)

    def velocities_in_body(self, t: float) -> Array:
        """Derivative of :meth:`in_body`, um per frame."""
        frame, clock, pace = self.clock(t)
        swing = np.cos(self.rates * clock + self.phases) * self.rates * pace
        grow = slope((frame - self.split_time) / DIVISION) / DIVISION
        return np.tensordot(swing, self.waves, 1) + grow[:, None] * self.split + self.slide * pace

    def to_lab(self, points: Array, t: float) -> Array:
        """Places of the body ``(P, 3)`` as the microscope sees them."""
        frame, clock, _ = self.clock(t)
        return points if self.course is None else self.course.forth(points, frame, clock)

    def to_body(self, points: Array, t: float) -> Array:
        """The inverse of :meth:`to_lab`."""
        frame, clock, _ = self.clock(t)
        return points if self.course is None else self.course.back(points, frame, clock)

    def velocity_in_lab(self, points: Array, own: Array, t: float) -> Array:
        """Of what is seen at ``points`` and moves by ``own`` in the body, um per frame."""
        if self.course is None:
            return own
        frame, clock, pace = self.clock(t)
        return self.course.turned(own, clock) + self.course.velocity(points, frame, clock, pace)

    def grown(self, t: float) -> Array:
        """How far a division has come, 0 to 1, ``(cells,)``."""
        return smoothstep((t / SPACING[0] - self.split_time) / DIVISION)

    def bright(self, t: float) -> Array:
        """Brightness, ``(cells,)``; appearing and vanishing take a frame."""
        frame = t / SPACING[0]
        begun, ended = (smoothstep(frame - when) for when in self.shown.T)
        return self.brightness * (begun * (1 - ended))

    @property
    def daughters(self) -> NDArray[np.bool_]:
        """Which cells are there only once another has divided."""
        return self.partner != np.arange(len(self.partner))
