"""How a body moves as a whole: it turns about an axis, drifts, and its stage jumps.

A place ``q`` of the body is, at the time ``t`` in frames, at

    p = m + R(w c(t)) (q - m) + d (c(t) - c_m) + sum over jumps t_j <= t of s_j

with the middle m, the rotation R by the angle ``w c`` about an axis, the drift d, and the clock
c(t) of the phantom, ``c_m`` in the middle of the recording. A jump lasts ``JUMP`` of a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .smooth import slope, smoothstep

Array = NDArray[np.float64]

JUMP = 0.05
"""How long a jump of the stage takes, frames."""


@dataclass(frozen=True)
class Course:
    """Whole-body motion; vectors are ``(z, y, x)`` in um, times in frames.

    Parameters
    ----------
    middle : what it turns about.
    axis : of rotation, of length 1.
    rotation : rad per unit of the clock, so per frame where nothing accelerates.
    drift : um per unit of the clock.
    halfway : the clock in the middle of the recording, where drift is 0.
    jump_times, jumps : ``(J,)`` and ``(J, 3)``.
    """

    middle: Array
    axis: Array
    rotation: float
    drift: Array
    halfway: float
    jump_times: Array
    jumps: Array

    def forth(self, points: Array, frame: float, clock: float) -> Array:
        """Places of the body ``(P, 3)`` to where they are."""
        turned = (points - self.middle) @ self._matrix(clock).T
        return turned + self.middle + self._shift(frame, clock)

    def back(self, points: Array, frame: float, clock: float) -> Array:
        """The inverse of :meth:`forth`."""
        shifted = points - self.middle - self._shift(frame, clock)
        return shifted @ self._matrix(clock) + self.middle

    def turned(self, vectors: Array, clock: float) -> Array:
        """Directions of the body ``(P, 3)`` as they are seen."""
        return vectors @ self._matrix(clock).T

    def velocity(self, points: Array, frame: float, clock: float, pace: float) -> Array:
        """Of what rests in the body and is seen at ``points``, um per frame; ``pace`` is the
        derivative of the clock.
        """
        arms = points - self.middle - self._shift(frame, clock)
        # In the order (z, y, x) too, the rotation vector is the derivative's: R' = [axis]x R.
        turning = self.rotation * pace * np.cross(self.axis, arms)
        jumping = (slope((frame - self.jump_times) / JUMP) / JUMP) @ self.jumps
        return turning + self.drift * pace + jumping

    def _matrix(self, clock: float) -> Array:
        return Rotation.from_rotvec(self.axis * self.rotation * clock).as_matrix()

    def _shift(self, frame: float, clock: float) -> Array:
        jumped = smoothstep((frame - self.jump_times) / JUMP) @ self.jumps
        return self.drift * (clock - self.halfway) + jumped
