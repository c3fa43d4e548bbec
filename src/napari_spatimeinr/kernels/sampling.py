"""What a frame and its latents say at points, and the gradients of it: what latents learn from.

A point of a spline reads 64 coefficients, one of latents 8 voxels; the gradient adds to as many.
Points are ``(P, 3)`` in voxel indices (z, y, x) of the box, and everything is float32. Points go in
their order, on one thread: they are few, and what is added to the same voxel must not depend on who
comes first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import compiled

ONE, THREE, FOUR, SIX = np.float32(1), np.float32(3), np.float32(4), np.float32(6)
SIXTH = np.float32(1 / 6)


@compiled()
def _base(x: Any, first: Any, last: Any) -> Any:
    """The sample below a place, within two bounds, and how far the place is from it."""
    if not x > np.float32(first):  # also what is not a number
        return first, np.float32(0)
    if x >= np.float32(last + 1):
        return last, ONE
    base = int(x)
    return base, x - np.float32(base)


@compiled()
def _spline(f: Any) -> Any:
    """Weights of four coefficients, a share behind the second."""
    e = ONE - f
    return (
        SIXTH * e * e * e,
        SIXTH * (FOUR + THREE * f * f * (f - ONE - ONE)),
        SIXTH * (FOUR + THREE * e * e * (e - ONE - ONE)),
        SIXTH * f * f * f,
    )


@compiled()
def _patch(shape: Any, point: Any) -> Any:
    """The first of the 64 coefficients around a point, and the weights along each axis."""
    z, fz = _base(point[0], 1, shape[0] - 3)
    y, fy = _base(point[1], 1, shape[1] - 3)
    x, fx = _base(point[2], 1, shape[2] - 3)
    return (z - 1, y - 1, x - 1), _spline(fz), _spline(fy), _spline(fx)


@compiled()
def _cell(shape: Any, point: Any) -> Any:
    """The first of the 8 voxels around a point, and the weights along each axis."""
    z, fz = _base(point[0], 0, shape[0] - 2)
    y, fy = _base(point[1], 0, shape[1] - 2)
    x, fx = _base(point[2], 0, shape[2] - 2)
    return (z, y, x), (ONE - fz, fz), (ONE - fy, fy), (ONE - fx, fx)


@compiled("void(float32[:, :, ::1], float32[:, ::1], float32[::1])")
def spline(coefficients: Any, points: Any, out: Any) -> None:
    """Values of a cubic B-spline.

    Parameters
    ----------
    coefficients : ``(z, y, x)``, four or more along each axis.
    points : ``(P, 3)``, at least one voxel inside.
    out : ``(P,)``.
    """
    shape = coefficients.shape
    for i in range(len(points)):
        (z, y, x), wz, wy, wx = _patch(shape, points[i])
        total = np.float32(0)
        for a in range(4):
            for b in range(4):
                row = coefficients[np.uintp(z + a), np.uintp(y + b)]
                k = np.uintp(x)
                low = wx[0] * row[k] + wx[1] * row[k + np.uintp(1)]
                high = wx[2] * row[k + np.uintp(2)] + wx[3] * row[k + np.uintp(3)]
                total += wz[a] * wy[b] * (low + high)
        out[i] = total


@compiled("void(float32[:, ::1], float32[::1], float32[:, :, ::1])")
def spline_back(points: Any, gradient: Any, out: Any) -> None:
    """Add the gradient of :func:`spline` to that of the coefficients, ``out``."""
    shape = out.shape
    for i in range(len(points)):
        (z, y, x), wz, wy, wx = _patch(shape, points[i])
        for a in range(4):
            for b in range(4):
                g = gradient[i] * wz[a] * wy[b]
                row = out[np.uintp(z + a), np.uintp(y + b)]
                k = np.uintp(x)
                row[k] += g * wx[0]
                row[k + np.uintp(1)] += g * wx[1]
                row[k + np.uintp(2)] += g * wx[2]
                row[k + np.uintp(3)] += g * wx[3]


@compiled("void(float32[:, :, :, :], float32[:, ::1], float32[:, ::1])")
def trilinear(latents: Any, points: Any, out: Any) -> None:
    """Linear samples of several channels; the border is repeated.

    Parameters
    ----------
    latents : ``(z, y, x, F)``, two voxels or more along each axis.
    points : ``(P, 3)``.
    out : ``(F, P)``.
    """
    shape = latents.shape
    for i in range(len(points)):
        (z, y, x), wz, wy, wx = _cell(shape, points[i])
        for c in range(len(out)):
            out[c, i] = 0
        for a in range(2):
            for b in range(2):
                for d in range(2):
                    w = wz[a] * wy[b] * wx[d]
                    voxel = latents[np.uintp(z + a), np.uintp(y + b), np.uintp(x + d)]
                    for c in range(len(out)):
                        out[c, i] += w * voxel[c]


@compiled("void(float32[:, ::1], float32[:, ::1], float32[:, :, :, ::1])")
def trilinear_back(points: Any, gradient: Any, out: Any) -> None:
    """Add the gradient of :func:`trilinear`, ``(F, P)``, to that of the latents, ``out``."""
    shape = out.shape
    for i in range(len(points)):
        (z, y, x), wz, wy, wx = _cell(shape, points[i])
        for a in range(2):
            for b in range(2):
                for d in range(2):
                    w = wz[a] * wy[b] * wx[d]
                    voxel = out[np.uintp(z + a), np.uintp(y + b), np.uintp(x + d)]
                    for c in range(len(gradient)):
                        voxel[c] += w * gradient[c, i]
