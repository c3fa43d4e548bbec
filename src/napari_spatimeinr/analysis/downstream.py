"""What biologists measure: labels and nuclei at times that were left out, cells in planes that
were.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ..errors import InputError
from ..field import Field
from ..volume import Volume, as_volume
from . import nuclei, scores, segment
from .ablation import OURS
from .evaluate import evaluate
from .propagate import propagate_labels
from .report import Report
from .sentences import ordinal
from .votes import Voter, voted

COPY = "copy"
"""What a method is called that shows the nearest given frame."""
RECORDED = "recorded"
HEADS = {
    "labels": "labels at frames left out",
    "nuclei": "nuclei found in frames left out",
    "cells": "cells of a plain watershed, planes left out",
}
Rows = dict[str, dict[str, float]]


@dataclass
class Findings:
    """Scores by what was measured (``labels``, ``nuclei``, ``cells``) and method.

    Parameters
    ----------
    tables : labels: ``iou``, ``wrong`` (share of voxels); nuclei: ``precision``, ``recall``,
        ``f1``, ``distance`` (physical); cells: ``iou``.
    said : sentences about how it was measured.
    """

    tables: dict[str, Rows] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain values; what could not be computed is null."""
        return {
            what: {
                name: {key: round(v, 4) if math.isfinite(v) else None for key, v in row.items()}
                for name, row in rows.items()
            }
            for what, rows in self.tables.items()
        } | {"said": self.said}

    def table(self) -> str:
        """Tables for people."""
        target = io.StringIO()
        console = Console(file=target, width=110)
        for what, rows in self.tables.items():
            table = Table(title=HEADS[what])
            table.add_column("method")
            columns = list(next(iter(rows.values())))
            for column in columns:
                table.add_column(column, justify="right")
            for name, row in rows.items():
                table.add_row(
                    name, *("" if math.isnan(row[c]) else f"{row[c]:.3f}" for c in columns)
                )
            console.print(table)
        return target.getvalue()


def downstream(
    volume: Volume,
    hold_out: str = "time",
    gap: int = 2,
    *,
    labels: Any = None,
    points: Any = None,
    **how: Any,
) -> tuple[Report, Findings]:
    """:func:`.evaluate`, and what is measured on what was predicted.

    In time: labels of given frames, carried to those left out (by copying, classical flow, and
    along the motion), against the labels there; nuclei found in predicted frames, against
    ``points``, or against those found in the recorded frames. Along z, with labels: cells of a
    plain watershed of given and predicted planes, against the labels.

    Parameters
    ----------
    volume, hold_out, gap, how : as of :func:`.evaluate`.
    labels : ``(T, Z, Y, X)`` whole numbers on the recording's voxels; frames without any do not
        count.
    points : ``(N, 4)`` physical (t, z, y, x) of nuclei; each counts in the frame nearest to it.

    Raises
    ------
    InputError
        As :func:`.evaluate`; if labels or points do not fit, or nothing of them lies where it could
        be scored.
    """
    volume = as_volume(volume, "downstream")
    true = None if points is None else _by_frame(points, volume, gap)
    if labels is not None:
        labels = _checked(labels, volume, hold_out, gap)
    elif hold_out == "z":
        raise InputError("Along z, cells are compared with labels; give them as well.")
    found = Findings()
    carried: dict[str, dict[int, NDArray[Any]]] = {}

    def seen(model: Field) -> None:
        if labels is not None and hold_out == "time":
            carried[OURS] = _along_motion(model, volume, labels, gap)

    report = evaluate(volume, hold_out, gap, **how, seen=seen)  # type: ignore[arg-type]
    if labels is not None and hold_out == "z":
        found.tables["cells"] = _cells(report, volume, labels, gap)
        return report, found
    if labels is not None:
        carried = {**_by_flow(volume, labels, gap), **carried}
        found.tables["labels"] = {
            name: _mean([segment.agreement(frame, labels[t]) for t, frame in frames.items()])
            for name, frames in carried.items()
        }
    if true is not None or labels is None:
        _find_nuclei(found, report, volume, true, gap)
    return report, found


def _checked(labels: Any, volume: Volume, hold_out: str, gap: int) -> NDArray[Any]:
    """Labels as an array, once there is something to score."""
    if tuple(labels.shape) != volume.shape or np.dtype(labels.dtype).kind not in "biu":
        raise InputError(
            "Labels are whole numbers on the voxels of the recording,"
            f" {' x '.join(map(str, volume.shape))} (t, z, y, x), got {np.dtype(labels.dtype)} of"
            f" shape {tuple(labels.shape)}."
        )
    labels = np.asarray(labels)
    if hold_out == "z" and not labels.any():
        raise InputError("No frame carries labels; at least one must be labelled.")
    if hold_out == "time":
        _sources(labels, gap)
    return labels


def _sources(labels: NDArray[Any], gap: int) -> dict[int, int]:
    """For each labelled frame that is left out, the nearest of the given ones beside it that is
    labelled; of two the earlier.
    """
    labelled = [bool(frame.any()) for frame in labels]
    out = {}
    for t in range(len(labels)):
        before = t - t % gap
        beside = [k for k in (before, before + gap) if k < len(labels) and labelled[k]]
        if t % gap and before + gap < len(labels) and labelled[t] and beside:
            out[t] = min(beside, key=lambda k, t=t: (abs(k - t), k))  # type: ignore[misc]
    if not out:
        raise InputError(
            f"No labels to score: with every {ordinal(gap)} frame given, a frame between two given"
            " ones and one of these must be labelled."
        )
    return out


def _along_motion(
    model: Field, volume: Volume, labels: NDArray[Any], gap: int
) -> dict[int, NDArray[Any]]:
    times = volume.grid.coordinates(0)
    given = labels[::gap]
    out = {}
    for t in _sources(labels, gap):
        beside = [k for k in (t // gap, t // gap + 1) if given[k].any()]
        out[t] = propagate_labels(model, given, [times[t]], beside)[0]
    return out


def _by_flow(volume: Volume, labels: NDArray[Any], gap: int) -> dict[str, dict[int, NDArray[Any]]]:
    """Labels copied, and moved by classical flow as they are along the motion."""
    scaled = scores.scaled(np.nan_to_num(np.asarray(volume.data, np.float32)))[0]
    out: dict[str, dict[int, NDArray[Any]]] = {COPY: {}, "flow": {}}
    flows: dict[int, tuple[NDArray[Any], NDArray[Any]]] = {}
    times = volume.grid.coordinates(0)
    for t, k in _sources(labels, gap).items():
        before = t - t % gap
        if before not in flows:
            flows = {before: scores.flow_pair(scaled[before], scaled[before + gap])}
        u = (times[t] - times[before]) / (times[before + gap] - times[before])
        voters = {
            frame: Voter(labels[frame], _ends(share * flow), 1 - share)
            for frame, share, flow in zip(
                (before, before + gap), (u, 1 - u), flows[before], strict=True
            )
        }
        other = voters[2 * before + gap - k]
        near = voters[k] if other.frame.any() else voters[k]._replace(weight=1.0)
        out[COPY][t] = labels[k]
        out["flow"][t] = voted(near, other if other.frame.any() else None).reshape(labels[k].shape)
    return out


def _ends(flow: NDArray[Any]) -> NDArray[np.float32]:
    """Where voxels go, ``(P, 3)``."""
    return (np.indices(flow.shape[1:]) + flow).reshape(3, -1).T.astype(np.float32)


def _find_nuclei(
    found: Findings,
    report: Report,
    volume: Volume,
    true: dict[int, NDArray[np.float64]] | None,
    gap: int,
) -> None:
    """Fill the table of nuclei, and say how they were found."""
    frames = scores.scaled(np.nan_to_num(np.asarray(volume.data, np.float32)))[0]
    spacing = volume.spacing[1:]
    given = {t: frames[t] for t in range(0, len(frames), gap) if true is None or t in true}
    targets = [t for t in report.frames[OURS] if true is None or t in true]
    find = nuclei.finder(given, spacing, true and {t: true[t] for t in given})
    recorded = {t: find(frames[t]) for t in targets}
    wanted = recorded if true is None else {t: true[t] for t in targets}
    copied = {t: frames[t - t % gap + (gap if 2 * (t % gap) > gap else 0)] for t in targets}
    predicted: Mapping[str, Mapping[int, Any]] = {COPY: copied, **report.frames}
    rows = {
        name: nuclei.compared({t: find(images[t]) for t in targets}, wanted)
        for name, images in predicted.items()
    }
    if true is not None:
        rows[RECORDED] = nuclei.compared(recorded, wanted)
    found.tables["nuclei"] = rows
    against = "those found in the recorded frames" if true is None else "the points"
    found.said.append(
        f"Nuclei are bright spots of radius {find.radius:.3g} {volume.units[1]}, compared with"
        f" {against}."
    )


def _by_frame(points: Any, volume: Volume, gap: int) -> dict[int, NDArray[np.float64]]:
    """Points ``(N, 3)`` from the first voxel, by the frame nearest to their time."""
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 4 or not np.isfinite(points).all():
        raise InputError(
            f"Points are (N, 4) finite numbers (t, z, y, x), got shape {points.shape}."
        )
    times = volume.grid.coordinates(0)
    frame = np.abs(points[:, :1] - times).argmin(1)
    near = points[:, 1:] - np.asarray(volume.origin[1:])
    extent = (np.asarray(volume.shape[1:]) - 0.5) * volume.spacing[1:]
    inside = ((near >= -0.5 * np.asarray(volume.spacing[1:])) & (near <= extent)).all(1)
    inside &= np.abs(points[:, 0] - times[frame]) <= volume.spacing[0] / 2
    if not inside.any():
        raise InputError(
            "No point lies in the recording; points are in its physical units, origin included."
        )
    out = {int(t): near[inside & (frame == t)] for t in np.unique(frame[inside])}
    last = (len(times) - 1) // gap * gap
    if not any(t % gap and t < last for t in out) or all(t % gap for t in out):
        raise InputError(
            f"No points to score: with every {ordinal(gap)} frame given, a given frame and one"
            " between two given ones need points."
        )
    return out


def _cells(report: Report, volume: Volume, labels: NDArray[Any], gap: int) -> Rows:
    """Overlap of watershed cells of given planes and predicted ones, as far as both go."""
    raw = scores.scaled(np.nan_to_num(np.asarray(volume.data, np.float32)))[0]
    planes = (volume.shape[1] - 1) // gap * gap + 1
    labelled = [t for t in range(len(labels)) if labels[t].any()]
    first = labelled[0]
    borders = segment.has_bright_borders(raw[first], labels[first])
    rows: dict[str, Sequence[float]] = {}
    whole: Mapping[str, Mapping[int, Any]] = {**report.frames, RECORDED: {}}
    for name, predicted in whole.items():
        found = []
        for t in labelled:
            frame = raw[t, :planes].copy()
            for z, plane in predicted.items():
                frame[z] = plane[t]
            true = labels[t, :planes]
            found.append(segment.best_overlap(frame, true, volume.spacing[1:], borders))
        rows[name] = found
    return {name: {"iou": float(np.mean(found))} for name, found in rows.items()}


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
