"""The table of an embryo, a row for each cell and time, and its picture: volumes over time."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..io import replacing
from .measure import Measures
from .names import FOUNDERS, IRREGULAR, in_order, is_lineage, mother

COLUMNS = (
    "embryo",
    "time_point",
    "time_s",
    "cell",
    "label",
    "volume_um3",
    "surface_um2",
    "z_um",
    "y_um",
    "x_um",
    "sphericity",
    "neighbours",
    "contact_um2",
)
UNSEEN = "unseen"
"""The last column, where it is known."""


def rows(
    embryo: str,
    measured: Mapping[int, Measures],
    names: Mapping[int, str],
    times: Mapping[int, float],
    unseen: Mapping[int, Mapping[str, float]] | None = None,
) -> list[dict[str, Any]]:
    """Rows of the tidy table, by time point and label.

    Parameters
    ----------
    embryo : its name.
    measured : by number of the time point.
    names : label -> name.
    times : number -> seconds.
    unseen : number -> name -> share of the border that nobody saw, where that is known.
    """
    shares = unseen or {}
    out = []
    for number, measures in sorted(measured.items()):
        for row in measures.named(names):
            out.append({"embryo": embryo, "time_point": number, "time_s": times[number], **row})
            if row["cell"] in shares.get(number, {}):
                out[-1][UNSEEN] = shares[number][row["cell"]]
    return out


def write_table(path: Path, table: list[dict[str, Any]]) -> None:
    """Write the table as csv, whole or not at all; numbers of six digits."""
    columns = [*COLUMNS, *([UNSEEN] if any(UNSEEN in row for row in table) else [])]
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, columns, lineterminator="\n")
        lines.writeheader()
        for row in table:
            lines.writerow(
                {key: f"{v:.6g}" if isinstance(v, float) else v for key, v in row.items()}
            )


def draw_volumes(
    path: Path, table: list[dict[str, Any]], acquired: Collection[int] = (), title: str = ""
) -> None:
    """Draw the volume of each cell over time, and where cells divide.

    Takes matplotlib (extra ``demo``). Lineages have colours of their own; dashed lines lead from a
    mother to her daughters, dots are acquired time points.

    Parameters
    ----------
    path : of the picture, ``.png``, ``.svg`` or ``.pdf``.
    table : of :func:`rows`.
    acquired : numbers of the time points that were recorded.
    title : above it.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    lives: dict[str, list[dict[str, Any]]] = {}
    for row in table:
        lives.setdefault(row["cell"], []).append(row)
    kinds = sorted({founder(name) for name in lives}, key=_place)
    colours = {kind: colormaps["tab10"](n % 10) for n, kind in enumerate(kinds)}
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    named = set()
    for name in in_order(lives):
        life, kind = lives[name], founder(name)
        t = [row["time_s"] / 60 for row in life]
        v = [row["volume_um3"] for row in life]
        label = kind if kind not in named else None
        named.add(kind)
        axes.plot(t, v, color=colours[kind], linewidth=1.2, label=label)
        seen = [k for k, row in enumerate(life) if row["time_point"] in acquired]
        axes.plot([t[k] for k in seen], [v[k] for k in seen], ".", color=colours[kind])
        above = lives.get(mother(name) or "")
        if above is not None:
            last = above[-1]
            between = [last["time_s"] / 60, t[0]], [last["volume_um3"], v[0]]
            axes.plot(*between, "--", color="gray", linewidth=0.8)
        axes.annotate(name, (t[-1], v[-1]), fontsize=6, color=colours[kind])
    axes.set_xlabel("time (min)")
    axes.set_ylabel("volume of a cell (um$^3$)")
    axes.set_ylim(bottom=0)
    if kinds:
        axes.legend(fontsize=8, title="lineage", title_fontsize=8)
    axes.set_title(title, fontsize=10)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def founder(name: str) -> str:
    """The lineage a cell is drawn with: its founder's, or itself if it is before all founders."""
    if name in IRREGULAR or not is_lineage(name):
        return name if name in IRREGULAR else "others"
    return next((one for one in FOUNDERS if name.startswith(one)), name)


def _place(kind: str) -> tuple[bool, int, str]:
    order = [*IRREGULAR, *FOUNDERS]
    return kind == "others", order.index(kind) if kind in order else 0, kind
