"""Where the cells of a phantom embryo are: they fill the shell, drift along each other, and divide.

A small simulation in the ball that the shell is a picture of: cells are the regions nearest to
their centres (with a weight for their size), every centre is drawn to the middle of its region, the
weights to the volumes wanted, and a smooth flow carries all. What comes out is kept as splines in
time, so that everything is known at any time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline, make_interp_spline

from .. import names as _names
from .body import Body
from .schedule import ORDER, SIZES, Event, daughters_of

Array = NDArray[np.float64]

STEP = 0.1
"""Of the simulation, frames."""
KNOTS = 2
"""Steps between two knots of the splines."""
PULL = 3.0
"""How fast centres go to the middles of their regions, per frame."""
PART = 0.15
"""Where daughters begin on the way to the middles of theirs, so that the plane between them is
defined."""
GROW = 0.6
"""How fast weights go towards volumes, per frame."""
SAMPLES = 3000
BURN = 3.0
"""Frames before the first."""


@dataclass(frozen=True)
class Course:
    """A cell from its beginning to its end.

    Parameters
    ----------
    name : of the cell.
    begin, end : frames; beyond the recording where it does not divide or is not born in it.
    spline : centre in the body's ball (z, y, x) and weight (um2), (4,), of time.
    sister : the other daughter, or None.
    """

    name: str
    begin: float
    end: float
    spline: BSpline
    sister: str | None

    def at(self, frame: float) -> Array:
        """Centre in the ball and weight, ``(4,)``."""
        return np.asarray(self.spline(np.clip(frame, self.begin, self.end)), dtype=np.float64)


def courses(
    seed: int,
    body: Body,
    there: list[str],
    events: list[Event],
    frames: int,
    motion: float,
) -> dict[str, Course]:
    """All cells of a recording, by name.

    Parameters
    ----------
    seed : of the phantom.
    body : whose half axes say how far things are.
    there : cells at the beginning.
    events : divisions, in the order of time.
    frames : of the recording.
    motion : speed of the flow that carries the cells, um per frame.
    """
    rng = np.random.default_rng([seed, 11])
    samples = _ball(rng, SAMPLES)
    flow = _flow(rng, body.half, motion)
    cells = _settled(samples, there, body.half)
    sister = {
        one: other for event in events for one, other in (event.daughters, event.daughters[::-1])
    }
    begins = dict.fromkeys(cells, -BURN)
    kept: dict[str, list[tuple[float, Array]]] = {name: [] for name in cells}
    out: dict[str, Course] = {}
    waiting = list(events)
    steps = round((frames - 1 + BURN) / STEP) + 1
    for k in range(steps):
        now = -BURN + k * STEP
        while waiting and waiting[0].when <= now:
            event = waiting.pop(0)
            kept[event.mother].append((event.when, cells[event.mother]))
            out[event.mother] = _course(event.mother, begins, event.when, kept, sister)
            cells = _split(cells, event, samples, body.half)
            begins |= dict.fromkeys(event.daughters, event.when)
            kept |= {name: [(event.when, cells[name])] for name in event.daughters}
        if k % KNOTS == 0 or k == steps - 1:
            for name, state in cells.items():
                if now - begins[name] > STEP / 2 or begins[name] == now:
                    kept[name].append((now, state))
        cells = _stepped(cells, samples, body.half, flow, now)
    for name in cells:
        out[name] = _course(name, begins, float(frames - 1), kept, sister)
    return out


def _course(
    name: str,
    begins: dict[str, float],
    end: float,
    kept: dict[str, list[tuple[float, Array]]],
    sister: dict[str, str],
) -> Course:
    rows = {round(when, 9): state for when, state in kept[name]}
    times = np.array(sorted(rows))
    # Knots too close to another would make a spline swing.
    good = np.append(np.diff(times) > 0.3 * STEP, True) if len(times) > 1 else [True]
    times = times[good]
    values = np.stack([rows[when] for when in times])
    spline = make_interp_spline(times, values, k=min(3, len(times) - 1))
    return Course(name, begins[name], end, spline, sister.get(name))


def _settled(samples: Array, there: list[str], half: Array) -> dict[str, Array]:
    """The cells of the beginning, divided from one another so that they lie as in an embryo."""
    cells = {"P0": np.zeros(4)}
    for name in ORDER:
        if name not in cells or name in there:
            continue
        cells = _split(cells, Event(name, daughters_of(name), 0.0), samples, half)
        for _ in range(30):
            cells = _stepped(cells, samples, half, None, 0.0)
    return cells


def _split(cells: dict[str, Array], event: Event, samples: Array, half: Array) -> dict[str, Array]:
    """The mother's region in two halves, along its longest axis but for the anterior-posterior
    (x), which letters ask for; both of her weight, so that together they are as she was.
    """
    names = list(cells)
    own = samples[_regions(cells, samples, half) == names.index(event.mother)] * half
    state = cells[event.mother]
    centre = own.mean(0) if len(own) > 8 else state[:3] * half
    spread = np.cov((own - centre).T) if len(own) > 8 else np.eye(3)
    wanted = {"l": [0.2, 1.0, 0.2], "d": [1.0, 0.2, 0.2]}.get(event.daughters[0][-1], [0, 0.2, 1.0])
    # The cell is pulled apart along its long axis, turned towards what the letters say.
    axis = spread @ np.array(wanted)
    axis /= max(np.linalg.norm(axis), 1e-9)
    along = (own - centre) @ axis
    shift = PART * np.abs(along).mean() if len(own) > 8 else 0.1
    out = {name: value for name, value in cells.items() if name != event.mother}
    # Anterior, left and dorsal are at the low end of their axes.
    for name, sign in zip(event.daughters, (-1, 1), strict=True):
        out[name] = np.append((state[:3] * half + sign * shift * axis) / half, state[3])
    return out


def _regions(cells: dict[str, Array], samples: Array, half: Array) -> NDArray[np.intp]:
    """Which cell each sample is of, ``(n,)``."""
    states = np.stack(list(cells.values()))
    apart = (samples[:, None] - states[None, :, :3]) * half
    power = np.einsum("nck,nck->nc", apart, apart) - states[:, 3]
    return np.argmin(power, axis=1)


def _stepped(
    cells: dict[str, Array],
    samples: Array,
    half: Array,
    flow: Callable[[Array, float], Array] | None,
    now: float,
) -> dict[str, Array]:
    """The cells a step later."""
    names = list(cells)
    states = np.stack(list(cells.values()))
    region = _regions(cells, samples, half)
    counts = np.bincount(region, minlength=len(names))
    sums = np.stack(
        [np.bincount(region, samples[:, axis], minlength=len(names)) for axis in range(3)], -1
    )
    middles = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], states[:, :3])
    move = PULL * (middles - states[:, :3])
    if flow is not None:
        move = move + flow(states[:, :3] * half, now) / half
    short = np.array([_size(name) for name in names]) - counts / counts.sum()
    radius2 = (half.prod() / len(names)) ** (2 / 3)
    weight = states[:, 3] + STEP * GROW * radius2 * short * len(names)
    limit = 0.25 * radius2
    weight = np.clip(weight - weight.mean(), -limit, limit)
    moved = np.column_stack([states[:, :3] + STEP * move, weight])
    return {name: moved[k] for k, name in enumerate(names)}


def _size(name: str) -> float:
    """Volume wanted, as a share of the embryo: daughters share their mother's."""
    mother = _names.mother(name)
    if mother is None:
        return 1.0
    own, all_of_it = SIZES.get(name, 1.0), sum(SIZES.get(d, 1.0) for d in daughters_of(mother))
    return _size(mother) * own / all_of_it


def _flow(rng: np.random.Generator, half: Array, motion: float) -> Callable[[Array, float], Array]:
    """A smooth velocity: a twist about the long axis that differs along it, and swings."""
    reach = half.mean()
    waves = rng.standard_normal((3, 3)) * (2 * np.pi / (2.5 * reach)) / np.sqrt(3)
    ways = rng.standard_normal((3, 3))
    rates, phases = rng.uniform(0.3, 0.6, 3), rng.uniform(0, 2 * np.pi, (2, 3))
    sense = rng.choice([-1.0, 1.0])

    def velocity(places: Array, now: float) -> Array:
        swings = np.sin(places @ waves.T + phases[0]) * np.cos(rates * now + phases[1])
        twist = np.sin(np.pi * places[:, 2] / (2 * half[2])) + 0.5
        around = np.stack([-places[:, 1], places[:, 0], 0 * twist], -1) / reach
        return motion * (0.45 * swings @ ways + sense * 0.9 * twist[:, None] * around)

    return velocity


def _ball(rng: np.random.Generator, count: int) -> Array:
    """Points spread evenly in a ball of radius 1."""
    points = rng.uniform(-1, 1, (3 * count, 3))
    return points[np.linalg.norm(points, axis=1) < 1][:count]
