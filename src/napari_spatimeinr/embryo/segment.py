"""Cells of a frame: a watershed from traced nuclei over the membranes between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from ..errors import InputError
from .edges import Landscape, landscape, resampled
from .sentences import listed

Triple = tuple[float, float, float]
Labels = NDArray[np.uint16]

WIDTH = 0.5
"""Standard deviation of a membrane as a microscope sees it, um."""
SEED = 0.12
"""Radius of a nucleus as a seed, in distances of neighbouring nuclei."""
WALLS = (0.4, 0.3, 0.2, 0.12, 0.08)
"""Heights above which the membranes close the embryo, tried in this order."""
SEEN = 0.3
"""A border is seen where it is this high, in membranes."""
VOTE = 1.0
"""Standard deviation by which cells are smoothed before they go to the frame's voxels, voxels."""
NEAR = 0.6
"""What is nearer to a nucleus is never seeded as outside, in distances of neighbouring nuclei."""
FAR = 0.75
"""What is this far from all nuclei, at the edge of the volume, lies outside, in distances of
neighbouring nuclei."""
OPEN = 0.2
"""A cell has membranes of this height around it, at least."""
OUTSIDE = 2**16 - 1
Borders = dict[tuple[int, int], tuple[float, int]]


@dataclass
class Segmentation:
    """Cells of a frame.

    Parameters
    ----------
    labels : ``(Z, Y, X)``, those of the dictionary; 0 outside of the embryo.
    borders : how high the membrane between two labels is, the smaller first, 0 for outside; 1 is
        usual.
    said : sentences about cells that could not be found.
    sizes : of the borders, voxels on both sides of them.
    """

    labels: Labels
    borders: dict[tuple[int, int], float] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def unseen(self) -> list[tuple[int, int]]:
        """Pairs between which no membrane was seen: their border lies midway between nuclei."""
        return [pair for pair, height in self.borders.items() if height < SEEN]

    def unseen_share(self, label: int) -> float:
        """How much of a cell's border, towards neighbours and outside, is :attr:`unseen`: 0 to 1;
        0 too where it has none.
        """
        own = [pair for pair in self.borders if label in pair]
        unseen = sum(self.sizes[pair] for pair in self.unseen if label in pair)
        return unseen / max(1, sum(self.sizes[pair] for pair in own))


def segment(
    frame: NDArray[Any],
    spacing: Triple,
    nuclei: Mapping[str, ArrayLike],
    names: Mapping[str, int],
    origin: Triple = (0.0, 0.0, 0.0),
    width: float = WIDTH,
    confidence: NDArray[Any] | None = None,
) -> Segmentation:
    """Segment the cells of a frame.

    Parameters
    ----------
    frame : ``(Z, Y, X)``, bright membranes.
    spacing, origin : (z, y, x), um.
    nuclei : where cells are, name -> ``(3,)``, (z, y, x) in um.
    names : name -> label, of all of them.
    width : standard deviation of a membrane as it is seen, um.
    confidence : half of the interval in which intensities lie, ``(Z, Y, X)``, as a rendering states
        it; borders then are as high as they are at least.

    Returns
    -------
    On the voxels of the frame. Cells whose nuclei lie outside of the volume or the embryo, or in
    one voxel with another, are left out, and a sentence says so.

    Raises
    ------
    InputError
        If the frame is not three-dimensional and finite, or a cell has no label.
    """
    frame = np.asarray(frame)
    if frame.ndim != 3 or not np.isfinite(frame).all():
        raise InputError(f"Membranes are finite and (z, y, x), got shape {frame.shape}.")
    if missing := [name for name in nuclei if name not in names]:
        raise InputError(f"The cells {listed(missing)} have no labels; extend the name dictionary.")
    out = Segmentation(np.zeros(frame.shape, np.uint16))
    places = _within(nuclei, frame.shape, spacing, origin, out.said)
    if not places:
        return out
    land = landscape(frame, spacing, np.array(list(places.values())), width)
    seeds = _seeds(places, names, land, spacing, out.said)
    _outside(seeds, land)
    coarse = watershed(land.heights, seeds)
    _left_out(coarse, _borders(coarse, land.membranes), names, out.said)
    seeded = set(np.unique(coarse).tolist())
    out.labels = _refined(coarse, frame.shape)
    there = set(np.unique(out.labels).tolist())
    if tiny := [name for name in places if names[name] in seeded - there]:
        out.said.append(f"No cell is found for {listed(tiny)}: its neighbours leave it no voxel.")
    heights = land.membranes
    if confidence is not None:
        heights = heights - resampled(np.asarray(confidence, np.float32), heights.shape) / land.unit
    borders = _borders(coarse, heights)
    out.borders = {pair: height for pair, (height, _) in borders.items()}
    out.sizes = {pair: size for pair, (_, size) in borders.items()}
    return out


def _within(
    nuclei: Mapping[str, ArrayLike],
    shape: tuple[int, ...],
    spacing: Triple,
    origin: Triple,
    said: list[str],
) -> dict[str, NDArray[np.float64]]:
    """Nuclei of the volume, from its first voxel's centre."""
    step = np.asarray(spacing)
    places = {name: np.asarray(place, np.float64) - origin for name, place in nuclei.items()}
    inside = {
        name: bool(((at >= -step / 2) & (at <= (np.asarray(shape) - 0.5) * step)).all())
        for name, at in places.items()
    }
    if out := [name for name, is_in in inside.items() if not is_in]:
        said.append(f"No cell is found for {listed(out)}: outside of the volume.")
    return {name: at for name, at in places.items() if inside[name]}


def _seeds(
    places: Mapping[str, NDArray[np.float64]],
    names: Mapping[str, int],
    land: Landscape,
    spacing: Triple,
    said: list[str],
) -> NDArray[np.int32]:
    """A ball around each nucleus; what two share has the first of them."""
    even = np.asarray(land.spacing)
    seeds = np.zeros(land.heights.shape, np.int32)
    middle: dict[tuple[int, ...], str] = {}
    for name, at in places.items():
        voxel = tuple(int(n) for n in (at + np.asarray(spacing) / 2) // even)
        voxel = tuple(min(n, seeds.shape[axis] - 1) for axis, n in enumerate(voxel))
        if (other := middle.setdefault(voxel, name)) != name:
            said.append(
                f"No cell is found for {name}: its nucleus is where that of {other} is; correct the"
                " tracing."
            )
    radius = min(SEED * land.usual, 1.5)
    for voxel, name in middle.items():
        around = tuple(
            slice(max(0, n - reach), n + reach + 1)
            for n, reach in zip(voxel, np.ceil(radius / even).astype(int), strict=True)
        )
        part = np.indices(seeds[around].shape).reshape(3, -1).T
        away = (part + [s.start for s in around] - np.array(voxel)) * even
        ball = (np.linalg.norm(away, axis=1) <= radius).reshape(seeds[around].shape)
        seeds[around][ball & (seeds[around] == 0)] = names[name]
    for voxel, name in middle.items():
        seeds[voxel] = names[name]
    return seeds


def _outside(seeds: NDArray[np.int32], land: Landscape) -> None:
    """Seed what surrounds the embryo: dark parts at the edge of the volume without a nucleus.

    Where membranes leak, so that a part that runs through the volume has nuclei in it, only the
    edge that is far from all nuclei is surely outside.
    """
    edge = np.ones(seeds.shape, bool)
    edge[1:-1, 1:-1, 1:-1] = False
    for wall in WALLS:
        parts, _ = ndimage.label(land.membranes < wall)
        with_nuclei = set(np.unique(parts[seeds > 0]).tolist())
        ends = [
            [set(np.unique(parts.take(end, axis)).tolist()) - {0} for end in (0, -1)]
            for axis in range(3)
        ]
        through = [
            part for part in with_nuclei if sum(part in a and part in b for a, b in ends) > 1
        ]
        if not through:
            around = set(np.unique(parts[edge]).tolist()) - {0} - with_nuclei
            seeds[np.isin(parts, list(around)) & (land.far > NEAR * land.usual)] = OUTSIDE
            return
    far = land.far > FAR * land.usual
    seeds[edge & far & (land.membranes < WALLS[0]) & (seeds == 0)] = OUTSIDE


def _left_out(
    coarse: NDArray[np.int32], borders: Borders, names: Mapping[str, int], said: list[str]
) -> None:
    """Take out cells around which hardly any membrane was seen: they lie outside of the embryo."""
    lost = []
    for name, label in names.items():
        own = [border for pair, border in borders.items() if label in pair]
        if own and any(0 in pair for pair in borders if label in pair):
            size = sum(n for _, n in own)
            if sum(height * n for height, n in own) < OPEN * size:
                lost.append(name)
                coarse[coarse == label] = OUTSIDE
    if lost:
        said.append(
            f"No cell is found for {listed(lost)}: no membrane was seen around the nucleus, which"
            " seems to lie outside of the embryo."
        )


def _refined(coarse: NDArray[np.int32], shape: tuple[int, ...]) -> Labels:
    """Labels on the voxels of a frame: of those around a place the one with most votes, 0 where
    what is outside has more.
    """
    ratio = np.array(coarse.shape) / shape
    most, all_votes = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    out = np.zeros(shape, np.uint16)
    for label, box in enumerate(ndimage.find_objects(np.where(coarse == OUTSIDE, 0, coarse)), 1):
        if box is None:
            continue
        wide = tuple(
            slice(max(0, s.start - 3), min(n, s.stop + 3))
            for s, n in zip(box, coarse.shape, strict=True)
        )
        mine = ndimage.gaussian_filter(
            (coarse[wide] == label).astype(np.float32), VOTE, mode="nearest"
        )
        first = [int(s.start / r) for s, r in zip(wide, ratio, strict=True)]
        stop = [
            min(n, int(np.ceil(s.stop / r))) for s, r, n in zip(wide, ratio, shape, strict=True)
        ]
        there = tuple(slice(a, b) for a, b in zip(first, stop, strict=True))
        # Where the centre of the first voxel lies in the even part.
        offset = (np.array(first) + 0.5) * ratio - 0.5 - [s.start for s in wide]
        votes = ndimage.affine_transform(
            mine, ratio, offset, [s.stop - s.start for s in there], order=1, mode="nearest"
        )
        better = votes > most[there]
        out[there][better] = label
        most[there][better] = votes[better]
        all_votes[there] += votes
    out[most <= 1 - all_votes] = 0
    return out


def _borders(coarse: NDArray[np.int32], heights: NDArray[Any]) -> Borders:
    """The mean height of the border between two labels, the larger of the voxels beside it, and
    how many these are.
    """
    pairs, values = [], []
    for axis in range(3):
        n = coarse.shape[axis]
        one, other = (coarse.take(range(k, n - 1 + k), axis) for k in (0, 1))
        at = one != other
        pairs.append(np.sort(np.stack([one[at], other[at]], -1) % OUTSIDE, 1))
        sides = [heights.take(range(k, n - 1 + k), axis)[at] for k in (0, 1)]
        values.append(np.maximum(*sides))
    found, which = np.unique(np.concatenate(pairs), axis=0, return_inverse=True)
    count = np.bincount(which.ravel())
    mean = np.bincount(which.ravel(), np.concatenate(values)) / count
    return {
        (int(a), int(b)): (float(height), int(n))
        for (a, b), height, n in zip(found, mean, count, strict=True)
    }
