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


def pointer_of(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """Where an array's numbers are."""
    return context.make_array(kind)(context, builder, array).data


def load_lanes(builder: Any, pointer: Any, offset: Any, lanes: int) -> Any:
    """``lanes`` neighbours of an array, as a vector."""
    vector = ir.VectorType(FLOAT, lanes).as_pointer()
    return builder.load(builder.bitcast(builder.gep(pointer, [offset]), vector), align=4)


def store_lanes(builder: Any, value: Any, pointer: Any, offset: Any) -> None:
    """A vector into neighbours of an array."""
    place = builder.bitcast(builder.gep(pointer, [offset]), value.type.as_pointer())
    builder.store(value, place, align=4)


def repeated(builder: Any, value: Any, lanes: int) -> Any:
    """One number in all places of a vector."""
    vector = ir.VectorType(FLOAT, lanes)
    first = builder.insert_element(
        ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
    )
    nowhere = ir.Constant(vector, ir.Undefined)
    every = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(first, nowhere, every)


def plus(builder: Any, total: Any, a: Any, b: Any) -> Any:
    """``total + a b``."""
    product = builder.fmul(a, b, flags=FUSED)
    return builder.fadd(total, product, flags=FUSED)


def constant(number: int) -> Any:
    """A whole number."""
    return ir.Constant(ir.IntType(64), number)


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
            pointer_of(context, builder, signature.args[i], array)
            for i, array in ((0, known), (4, weights), (6, bias), (8, out))
        )
        vector = ir.VectorType(FLOAT, LANES)
        totals = [cgutils.alloca_once(builder, vector) for _ in range(4)]
        for i, total in enumerate(totals):
            one = builder.load(builder.gep(bias, [builder.add(of, constant(i))]))
            builder.store(repeated(builder, one, LANES), total)
        with cgutils.for_range(builder, count) as loop:
            place = builder.add(at, builder.mul(loop.index, points))
            values = load_lanes(builder, known, place, LANES)
            row = builder.add(first, builder.mul(loop.index, constant(4)))
            for i, total in enumerate(totals):
                one = builder.load(builder.gep(weights, [builder.add(row, constant(i))]))
                added = plus(builder, builder.load(total), values, repeated(builder, one, LANES))
                builder.store(added, total)
        for i, total in enumerate(totals):
            place = builder.add(at, builder.mul(builder.add(of, constant(i)), points))
            store_lanes(builder, builder.load(total), out, place)
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
        load_lanes(builder, values, builder.add(start, constant(LANES * v)), LANES)
        for v in range(len(totals[0]))
    ]
    for i, row in enumerate(totals):
        one = builder.load(builder.gep(weights, [builder.add(known, constant(i))]))
        weight = repeated(builder, one, LANES)
        for total, given in zip(row, inputs, strict=True):
            builder.store(plus(builder, builder.load(total), given, weight), total)


def _store_rectified(builder: Any, row: list[Any], slope: Any, out: Any, start: Any) -> None:
    """Store totals from ``start`` on, what is negative times ``slope``."""
    less = repeated(builder, slope, LANES)
    for v, total in enumerate(row):
        value = builder.load(total)
        lower = builder.fmul(value, less)
        kept = builder.select(builder.fcmp_ordered(">", value, lower), value, lower)
        store_lanes(builder, kept, out, builder.add(start, constant(LANES * v)))


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
            pointer_of(context, builder, signature.args[i], array)
            for i, array in ((0, values), (2, offsets), (3, weights), (5, bias), (8, out))
        )
        vector = ir.VectorType(FLOAT, LANES)
        totals = [
            [cgutils.alloca_once(builder, vector) for _ in range(vectors)] for _ in range(outputs)
        ]
        for i, row in enumerate(totals):
            one = builder.load(builder.gep(bias, [builder.add(of, constant(i))]))
            for total in row:
                builder.store(repeated(builder, one, LANES), total)
        with cgutils.for_range(builder, count) as loop:
            start = builder.add(at, builder.load(builder.gep(offsets, [loop.index])))
            known = builder.add(first, builder.mul(loop.index, constant(outputs)))
            _add_input(builder, values, start, weights, known, totals)
        for i, row in enumerate(totals):
            start = builder.add(place, builder.mul(step, constant(i)))
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


dense: Any = intrinsic(_dense)
four_taps, one_tap = _taps(4, 1), _taps(1, 4)
