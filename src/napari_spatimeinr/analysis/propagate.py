"""Annotations carried through time by the motion of a Field: labels, points, tracks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import GridError, InputError
from ..field import Field
from ..model.frames import SAME
from .votes import Voter, voted

SLAB = 250_000
"""Voxels followed at once."""


def propagate_labels(
    field: Field,
    labels: Any,
    times: Sequence[float] | NDArray[Any],
    annotated: Sequence[int] | None = None,
) -> NDArray[Any]:
    """Labels of acquired frames at other times: each voxel takes the label its trajectory meets.

    Between voxels, those around vote by their distance; between two annotated frames, both vote by
    theirs, for labels that exist in both.

    Parameters
    ----------
    field : of the recording the labels belong to; where motion was rejected, nothing moves.
    labels : ``(T, Z, Y, X)`` whole numbers on the recording's own voxels.
    times : physical times within the recording.
    annotated : frames that carry labels; None for those with any label that is not 0. Labels are
        those of the one nearest in time, of two equally near ones the earlier.

    Returns
    -------
    ``(len(times), Z, Y, X)``, of the type of ``labels``; at an annotated frame's own time they are
    unchanged.

    Raises
    ------
    InputError
        If the labels do not fit the recording, are no whole numbers, or no frame carries any.
    GridError
        If a time lies outside the recording.
    """
    shape = field.grid.shape
    if tuple(labels.shape) != shape or np.dtype(labels.dtype).kind not in "biu":
        raise InputError(
            "Labels need whole numbers on the voxels of the recording,"
            f" {' x '.join(map(str, shape))} (t, z, y, x), got {np.dtype(labels.dtype)} of shape"
            f" {tuple(labels.shape)}."
        )
    frames = (
        [k for k in range(shape[0]) if np.any(labels[k])]
        if annotated is None
        else sorted({int(k) for k in annotated})
    )
    if not frames or not 0 <= frames[0] <= frames[-1] < shape[0]:
        raise InputError(
            "No frame carries labels; annotate at least one acquired frame of the recording."
        )
    at, when = _frames(field, times), field.frames.time
    out = np.empty((len(at), *shape[1:]), labels.dtype)
    drawn = np.array([when(k) for k in frames])
    for n, t in enumerate(at):
        apart = [(abs(float(one) - when(t)), k) for one, k in zip(drawn, frames, strict=True)]
        k = min(apart)[1]
        if abs(t - k) < SAME or field.network.motion is None:
            out[n] = np.asarray(labels[k])
            continue
        beyond = [one for one in apart if (one[1] > t) != (k > t)]
        numbers = [k, min(beyond)[1]] if beyond else [k]
        out[n] = _followed(field, {j: np.asarray(labels[j]) for j in numbers}, float(t))
    return out


def propagate_points(field: Field, points: Any, time: float) -> NDArray[np.float64]:
    """Where points, each at its own time, are at another time.

    Parameters
    ----------
    points : ``(N, 4)`` physical (t, z, y, x), for example the rows of a track.
    time : physical time within the recording.

    Returns
    -------
    ``(N, 4)`` with ``time`` in the first column.

    Raises
    ------
    GridError
        If the points are of another shape or not finite, or a time lies outside the recording.
    """
    points = _points(points, 4)
    _frames(field, [*points[:, 0], time])
    out = points.copy()
    for start in np.unique(points[:, 0]):
        some = points[:, 0] == start
        out[some, 1:] += field.motion(points[some, 1:], float(start), float(time))
    out[:, 0] = time
    return out


def propagate_nearest_points(
    field: Field, points: Any, times: Sequence[float] | NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points of annotated times at other times: at each, those whose own time is nearest to it.

    Parameters
    ----------
    points : ``(N, 4)`` physical (t, z, y, x).
    times : physical times within the recording. Of two annotated times equally near the earlier is
        taken.

    Returns
    -------
    points : ``(M, 4)``, in the order of ``times``.
    rows : ``(M,)``, which of the points given each was.

    Raises
    ------
    GridError
        As :func:`propagate_points`.
    """
    points = _points(points, 4)
    annotated = np.unique(points[:, 0])
    out, rows = [np.empty((0, 4))], [np.empty(0, np.int64)]
    for t in np.atleast_1d(np.asarray(times, dtype=np.float64)) if len(points) else ():
        here = np.flatnonzero(points[:, 0] == annotated[np.argmin(np.abs(annotated - t))])
        out.append(propagate_points(field, points[here], float(t)))
        rows.append(here)
    return np.concatenate(out), np.concatenate(rows)


def propagate_tracks(
    field: Field, tracks: Any, times: Sequence[float] | NDArray[Any]
) -> NDArray[np.float64]:
    """Tracks at other times: between two vertices, what both are carried to, weighted by nearness.

    Parameters
    ----------
    tracks : ``(N, 5)`` (id, t, z, y, x), physical; the vertices of a track in any order.
    times : physical times within the recording.

    Returns
    -------
    ``(M, 5)``, sorted by track and time: a row for each time from a track's first vertex to its
    last.

    Raises
    ------
    GridError
        As :func:`propagate_points`.
    """
    tracks = _points(tracks, 5)
    tracks = tracks[np.lexsort((tracks[:, 1], tracks[:, 0]))]
    out = [np.empty((0, 5))]
    same = tracks[1:, 0] == tracks[:-1, 0]
    before, after = tracks[:-1][same], tracks[1:][same]
    for t in np.unique(np.asarray(times, dtype=np.float64)):
        at = tracks[np.abs(tracks[:, 1] - t) < SAME * field.grid.spacing[0]]
        inside = (before[:, 1] < t) & (after[:, 1] > t) & ~np.isin(before[:, 0], at[:, 0])
        a, b = before[inside], after[inside]
        share = ((t - a[:, 1]) / (b[:, 1] - a[:, 1]))[:, None]
        middle = (1 - share) * propagate_points(field, a[:, 1:], t) + share * propagate_points(
            field, b[:, 1:], t
        )
        out += [at, np.column_stack([a[:, 0], middle])]
    found = np.concatenate(out)
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _points(points: Any, columns: int) -> NDArray[np.float64]:
    points = np.array(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != columns:
        names = "(id, t, z, y, x)" if columns == 5 else "(t, z, y, x)"
        raise GridError(f"Points are (N, {columns}), {names}, got shape {points.shape}.")
    if not np.isfinite(points).all():
        raise GridError("Points need finite coordinates.")
    return points


def _frames(field: Field, times: Any) -> NDArray[np.float64]:
    """Times as fractional frames."""
    at = field.grid.to_index(np.atleast_1d(np.asarray(times, dtype=np.float64)), 0)
    last = field.grid.shape[0] - 1
    if at.size and not (np.isfinite(at).all() and at.min() >= -SAME and at.max() <= last + SAME):
        low, high = field.grid.coordinates(0)[[0, -1]]
        raise GridError(
            f"Times must lie within the recording, {low:g} to {high:g} {field.units[0]}; nothing is"
            " extrapolated."
        )
    return np.clip(at, 0, last)


@torch.no_grad()
def _followed(field: Field, frames: dict[int, NDArray[Any]], t: float) -> NDArray[Any]:
    """Labels ``(Z, Y, X)`` at time t, of one labelled frame or of one on each side, the nearer
    first.
    """
    network, time = field.network, field.frames.time
    assert network.motion is not None
    z, y, x = shape = field.grid.shape[1:]
    axes = [torch.arange(n, dtype=torch.float32, device=field.device) for n in shape]
    away = {k: abs(time(t) - time(k)) for k in frames}
    far = {k: distance / sum(away.values()) for k, distance in away.items()}
    out = np.empty(shape, next(iter(frames.values())).dtype)
    thick = max(1, SLAB // (y * x))
    for first in range(0, z, thick):
        planes = axes[0][first : first + thick]
        voters = []
        for k, frame in frames.items():
            displaced = network.motion.displacement_nodes(
                time(t), time(k), (float(planes[0]), float(planes[-1]))
            )
            ends = network.moved((planes, axes[1], axes[2]), displaced)[0].cpu().numpy()
            voters.append(Voter(frame, ends, 1 - far[k] if len(frames) > 1 else 1.0))
        near, *others = voters
        labels = voted(near, others[0] if others else None)
        out[first : first + len(planes)] = labels.reshape(len(planes), y, x)
    return out
