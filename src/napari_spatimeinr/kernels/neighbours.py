"""Samples between neighbouring values, written as operations on vectors; see :mod:`.vectors`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .vectors import constant, load_lanes, plus, pointer_of, repeated, store_lanes


def _taps64(
    typing: Any, box: Any, first: Any, deep: Any, down: Any, weights: Any, of: Any, count: Any
) -> Any:
    """The sum of 4 x 4 x 4 neighbours, weighted along each axis.

    Parameters
    ----------
    box : flat array of float32; ``first`` is the offset of the first neighbour, ``deep`` and
        ``down`` the steps along z and y.
    weights : flat array, row ``4 axis + tap`` of ``count`` points; ``of`` is the point.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, first, deep, down, known, of, count = arguments
        values = pointer_of(context, builder, signature.args[0], array)
        weights = pointer_of(context, builder, signature.args[4], known)

        def weight(row: int) -> Any:
            offset = builder.add(of, builder.mul(count, constant(row)))
            return builder.load(builder.gep(weights, [offset]))

        lines = [repeated(builder, weight(4 + j), 4) for j in range(4)]
        total = None
        for i in range(4):
            plane = builder.add(first, builder.mul(deep, constant(i)))
            part = None
            for j in range(4):
                offset = builder.add(plane, builder.mul(down, constant(j)))
                row = load_lanes(builder, values, offset, 4)
                part = (
                    builder.fmul(row, lines[j])
                    if part is None
                    else plus(builder, part, row, lines[j])
                )
            along = repeated(builder, weight(i), 4)
            total = (
                builder.fmul(part, along) if total is None else plus(builder, total, part, along)
            )
        result = None
        for k in range(4):
            one = builder.extract_element(total, ir.Constant(ir.IntType(32), k))
            result = (
                builder.fmul(one, weight(8 + k))
                if result is None
                else plus(builder, result, one, weight(8 + k))
            )
        return result

    number = types.float32(box, types.int64, types.int64, types.int64, weights, of, types.int64)
    return number, code


def _corners(builder: Any, values: Any, first: Any, steps: Any, lanes: int) -> list[Any]:
    """The 2 x 2 x 2 neighbours from ``first`` on, of ``lanes`` channels each; their numbers have a
    bit for each axis, z the lowest.
    """
    offsets = [first]
    for axis in range(3):
        step = builder.extract_value(steps, axis)
        offsets += [builder.add(offset, step) for offset in offsets]
    return [load_lanes(builder, values, offset, lanes) for offset in offsets]


def _mixed(channels: int, rows: bool = False) -> Any:
    """Trilinear samples of so many channels, which lie side by side.

    Its parameters: ``box``, a flat array, of which ``first`` is the offset of the first of 2 x 2 x
    2 neighbours, and ``steps``, a triple, along z, y and x; ``shares``, a flat array with a row of
    ``count`` points for each axis: where between two neighbours point ``of`` lies; ``out``, a flat
    array, which has the values from ``at`` on afterwards, or, as ``rows``, every ``count`` numbers
    from there.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, first, steps, known, of, count, target, at = arguments
        values = pointer_of(context, builder, signature.args[0], array)
        shares = pointer_of(context, builder, signature.args[3], known)
        out = pointer_of(context, builder, signature.args[6], target)
        corners = _corners(builder, values, first, steps, channels)
        # x is halved first.
        for axis in (2, 1, 0):
            offset = builder.add(of, builder.mul(count, constant(axis)))
            share = repeated(builder, builder.load(builder.gep(shares, [offset])), channels)
            half = len(corners) // 2
            corners = [
                plus(builder, a, builder.fsub(b, a), share)
                for a, b in zip(corners[:half], corners[half:], strict=True)
            ]
        if not rows:
            store_lanes(builder, corners[0], out, at)
            return context.get_dummy_value()
        for c in range(channels):
            place = builder.gep(out, [builder.add(at, builder.mul(count, constant(c)))])
            one = builder.extract_element(corners[0], ir.Constant(ir.IntType(32), c))
            builder.store(one, place)
        return context.get_dummy_value()

    def intrinsic_of(
        typing: Any,
        box: Any,
        first: Any,
        steps: Any,
        shares: Any,
        of: Any,
        count: Any,
        out: Any,
        at: Any,
    ) -> Any:
        whole, triple = types.int64, types.UniTuple(types.int64, 3)
        return types.void(box, whole, triple, shares, whole, whole, out, whole), code

    return intrinsic(intrinsic_of)


taps64: Any = intrinsic(_taps64)
mixed4, rows2, rows4 = _mixed(4), _mixed(2, rows=True), _mixed(4, rows=True)
