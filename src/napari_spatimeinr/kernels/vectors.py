"""Innermost steps of kernels, written as operations on vectors: compilers turn the loops they
would come from into single numbers.

Each is an intrinsic of numba: a function called in Python that emits instructions of LLVM, which
fit any processor (a vector longer than its registers becomes several). Products are fused with sums
where the processor can.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

FUSED = ("contract",)
LANES = 16
"""Points of which :data:`dense` computes four outputs at once; they stay in registers."""
FLOAT = ir.FloatType()


def _pointer(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return context.make_array(kind)(context, builder, array).data


def _load(builder: Any, pointer: Any, offset: Any, lanes: int) -> Any:
    """``lanes`` neighbours of an array, as a vector."""
    vector = ir.VectorType(FLOAT, lanes).as_pointer()
    return builder.load(builder.bitcast(builder.gep(pointer, [offset]), vector), align=4)


def _store(builder: Any, value: Any, pointer: Any, offset: Any) -> None:
    place = builder.bitcast(builder.gep(pointer, [offset]), value.type.as_pointer())
    builder.store(value, place, align=4)


def _repeated(builder: Any, value: Any, lanes: int) -> Any:
    """One number in all places of a vector."""
    vector = ir.VectorType(FLOAT, lanes)
    first = builder.insert_element(
        ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
    )
    nowhere = ir.Constant(vector, ir.Undefined)
    every = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(first, nowhere, every)


def _plus(builder: Any, total: Any, a: Any, b: Any) -> Any:
    """``total + a b``."""
    product = builder.fmul(a, b, flags=FUSED)
    return builder.fadd(total, product, flags=FUSED)


def _int(number: int) -> Any:
    return ir.Constant(ir.IntType(64), number)


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
        values = _pointer(context, builder, signature.args[0], array)
        weights = _pointer(context, builder, signature.args[4], known)

        def weight(row: int) -> Any:
            offset = builder.add(of, builder.mul(count, _int(row)))
            return builder.load(builder.gep(weights, [offset]))

        lines = [_repeated(builder, weight(4 + j), 4) for j in range(4)]
        total = None
        for i in range(4):
            plane = builder.add(first, builder.mul(deep, _int(i)))
            part = None
            for j in range(4):
                offset = builder.add(plane, builder.mul(down, _int(j)))
                row = _load(builder, values, offset, 4)
                part = (
                    builder.fmul(row, lines[j])
                    if part is None
                    else _plus(builder, part, row, lines[j])
                )
            along = _repeated(builder, weight(i), 4)
            total = (
                builder.fmul(part, along) if total is None else _plus(builder, total, part, along)
            )
        result = None
        for k in range(4):
            one = builder.extract_element(total, ir.Constant(ir.IntType(32), k))
            result = (
                builder.fmul(one, weight(8 + k))
                if result is None
                else _plus(builder, result, one, weight(8 + k))
            )
        return result

    number = types.float32(box, types.int64, types.int64, types.int64, weights, of, types.int64)
    return number, code


def _mixed4(
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
    """Trilinear samples of four channels, which lie side by side.

    Parameters
    ----------
    box : flat array of float32; ``first`` is the offset of the first of 2 x 2 x 2 neighbours,
        ``steps`` a triple, along z, y and x.
    shares : flat array, a row of ``count`` points for each axis: where between two neighbours point
        ``of`` lies.
    out : flat array, which has the four values from ``at`` on afterwards.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, first, steps, known, of, count, target, at = arguments
        values = _pointer(context, builder, signature.args[0], array)
        shares = _pointer(context, builder, signature.args[3], known)
        out = _pointer(context, builder, signature.args[6], target)
        offsets = [first]
        for axis in range(3):
            step = builder.extract_value(steps, axis)
            offsets += [builder.add(offset, step) for offset in offsets]
        corners = [_load(builder, values, offset, 4) for offset in offsets]
        # Numbers of corners have a bit for each axis, z the lowest: x is halved first.
        for axis in (2, 1, 0):
            offset = builder.add(of, builder.mul(count, _int(axis)))
            share = _repeated(builder, builder.load(builder.gep(shares, [offset])), 4)
            half = len(corners) // 2
            corners = [
                _plus(builder, a, builder.fsub(b, a), share)
                for a, b in zip(corners[:half], corners[half:], strict=True)
            ]
        _store(builder, corners[0], out, at)
        return context.get_dummy_value()

    triple = types.UniTuple(types.int64, 3)
    made = types.void(box, types.int64, triple, shares, of, types.int64, out, types.int64)
    return made, code


def _dense(
    typing: Any,
    known: Any,
    count: Any,
    points: Any,
    at: Any,
    weights: Any,
    first: Any,
    bias: Any,
    of: Any,
    out: Any,
) -> Any:
    """Four outputs of a layer for ``LANES`` points.

    Parameters
    ----------
    known : flat array, ``count`` rows of ``points`` inputs; ``at`` is the first point.
    weights : flat array, four weights for each input from ``first`` on.
    bias : flat array, the four from ``of`` on are added.
    out : flat array, rows of ``points`` outputs; rows ``of`` to ``of + 3`` are made.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        known, count, points, at, weights, first, bias, of, out = arguments
        known, weights, bias, out = (
            _pointer(context, builder, signature.args[i], array)
            for i, array in ((0, known), (4, weights), (6, bias), (8, out))
        )
        vector = ir.VectorType(FLOAT, LANES)
        totals = [cgutils.alloca_once(builder, vector) for _ in range(4)]
        for i, total in enumerate(totals):
            one = builder.load(builder.gep(bias, [builder.add(of, _int(i))]))
            builder.store(_repeated(builder, one, LANES), total)
        with cgutils.for_range(builder, count) as loop:
            place = builder.add(at, builder.mul(loop.index, points))
            values = _load(builder, known, place, LANES)
            row = builder.add(first, builder.mul(loop.index, _int(4)))
            for i, total in enumerate(totals):
                one = builder.load(builder.gep(weights, [builder.add(row, _int(i))]))
                added = _plus(builder, builder.load(total), values, _repeated(builder, one, LANES))
                builder.store(added, total)
        for i, total in enumerate(totals):
            place = builder.add(at, builder.mul(builder.add(of, _int(i)), points))
            _store(builder, builder.load(total), out, place)
        return context.get_dummy_value()

    whole = types.int64
    made = types.void(known, whole, whole, whole, weights, whole, bias, whole, out)
    return made, code


def _add_input(
    builder: Any, values: Any, start: Any, weights: Any, known: Any, totals: list[list[Any]]
) -> None:
    """Add an input, which begins at ``start``, to the totals ``[outputs][vectors]``, by the weights
    from ``known`` on.
    """
    inputs = [
        _load(builder, values, builder.add(start, _int(LANES * v)), LANES)
        for v in range(len(totals[0]))
    ]
    for i, row in enumerate(totals):
        one = builder.load(builder.gep(weights, [builder.add(known, _int(i))]))
        weight = _repeated(builder, one, LANES)
        for total, given in zip(row, inputs, strict=True):
            builder.store(_plus(builder, builder.load(total), given, weight), total)


def _store_rectified(builder: Any, row: list[Any], slope: Any, out: Any, start: Any) -> None:
    """Store totals from ``start`` on, what is negative times ``slope``."""
    less = _repeated(builder, slope, LANES)
    for v, total in enumerate(row):
        value = builder.load(total)
        lower = builder.fmul(value, less)
        kept = builder.select(builder.fcmp_ordered(">", value, lower), value, lower)
        _store(builder, kept, out, builder.add(start, _int(LANES * v)))


def _taps(outputs: int, vectors: int) -> Any:
    """So many outputs of a layer for ``vectors LANES`` neighbours of a line.

    Its parameters: ``values``, a flat array, and ``at``, the first neighbour's offset; ``offsets``
    of all inputs from there; ``weights``, flat, those of the outputs for each input from ``first``
    on; ``bias``, flat, which is added from ``of`` on; ``slope`` of what is negative; ``out``, flat,
    which has the values of output ``i`` from ``place + i step`` on afterwards.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, at, offsets, weights, first, bias, of, slope, out, place, step = arguments
        count = context.make_array(signature.args[2])(context, builder, offsets).nitems
        values, offsets, weights, bias, out = (
            _pointer(context, builder, signature.args[i], array)
            for i, array in ((0, values), (2, offsets), (3, weights), (5, bias), (8, out))
        )
        vector = ir.VectorType(FLOAT, LANES)
        totals = [
            [cgutils.alloca_once(builder, vector) for _ in range(vectors)] for _ in range(outputs)
        ]
        for i, row in enumerate(totals):
            one = builder.load(builder.gep(bias, [builder.add(of, _int(i))]))
            for total in row:
                builder.store(_repeated(builder, one, LANES), total)
        with cgutils.for_range(builder, count) as loop:
            start = builder.add(at, builder.load(builder.gep(offsets, [loop.index])))
            known = builder.add(first, builder.mul(loop.index, _int(outputs)))
            _add_input(builder, values, start, weights, known, totals)
        for i, row in enumerate(totals):
            start = builder.add(place, builder.mul(step, _int(i)))
            _store_rectified(builder, row, slope, out, start)
        return context.get_dummy_value()

    def intrinsic_of(
        typing: Any,
        values: Any,
        at: Any,
        offsets: Any,
        weights: Any,
        first: Any,
        bias: Any,
        of: Any,
        slope: Any,
        out: Any,
        place: Any,
        step: Any,
    ) -> Any:
        whole, number = types.int64, types.float32
        known = values, whole, offsets, weights, whole, bias, whole
        return types.void(*known, number, out, whole, whole), code

    return intrinsic(intrinsic_of)


taps64: Any = intrinsic(_taps64)
mixed4: Any = intrinsic(_mixed4)
dense: Any = intrinsic(_dense)
four_taps, one_tap = _taps(4, 1), _taps(1, 4)
