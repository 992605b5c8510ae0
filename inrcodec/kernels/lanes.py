"""Inner loops of the kernels as vector code of LLVM, so that they are fast whatever the compiler makes of loops.

A vector has LANES float32 lanes; a processor with shorter vectors takes several of them. The order of all operations is fixed here,
and SPEC.md, "Sums", says it. Callers pad their arrays to whole vectors; bounds are checked only if NUMBA_BOUNDSCHECK is set.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import config as _config
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

_settings: Any = _config  # its stubs do not know its attributes
CHECKED = bool(_settings.BOUNDSCHECK)
LANES = 16  # float32 lanes of a vector
SINGLE, DOUBLE, WORD = ir.FloatType(), ir.DoubleType(), ir.IntType(64)
INT32 = ir.IntType(32)


def padded(n: int, to: int = LANES) -> int:
    """n, rounded up to whole vectors, or to a multiple of `to`."""
    return -(-n // to) * to


class Data(NamedTuple):
    """An array as code sees it: the address of its first element, and how many elements it has."""

    address: Any
    items: Any


class Emit:
    """Writes code: addresses, vector loads and stores, and loops. With NUMBA_BOUNDSCHECK set, a wrong address ends the process."""

    def __init__(self, context: Any, builder: Any, element: Any = SINGLE, lanes: int = LANES) -> None:
        self.context, self.builder, self.element = context, builder, element
        self.vector = ir.VectorType(element, lanes)
        self.lanes = lanes

    def word(self, value: int) -> Any:
        """An int64 constant."""
        return ir.Constant(WORD, value)

    def check(self, data: Data, index: Any, count: int) -> None:
        """End the process if not all of `count` elements from `index` on lie in an array."""
        if CHECKED:
            b = self.builder
            last = b.add(index, self.word(count))
            wrong = b.or_(b.icmp_signed("<", index, self.word(0)), b.icmp_signed(">", last, data.items))
            with b.if_then(wrong, likely=False):
                b.call(declared(b, ir.FunctionType(ir.VoidType(), []), "llvm.trap"), [])

    def at(self, data: Data, index: Any) -> Any:
        """The address of element `index`."""
        self.check(data, index, 1)
        return self.builder.gep(data.address, [index])

    def vector_at(self, data: Data, index: Any, kind: Any) -> Any:
        """The address of a vector of type `kind` that begins at element `index`."""
        self.check(data, index, kind.count)
        return self.builder.bitcast(self.builder.gep(data.address, [index]), kind.as_pointer())

    def load(self, data: Data, index: Any, kind: Any = None) -> Any:
        """The vector that begins at element `index`, of the type of this object or of `kind`."""
        kind = kind or self.vector
        found = self.builder.load(self.vector_at(data, index, kind))
        found.align = kind.element.get_abi_size(self.context.target_data)
        return found

    def store(self, value: Any, data: Data, index: Any) -> None:
        """Store a vector from element `index` on."""
        done = self.builder.store(value, self.vector_at(data, index, value.type))
        done.align = value.type.element.get_abi_size(self.context.target_data)

    def scalar(self, data: Data, index: Any) -> Any:
        """Element `index`."""
        return self.builder.load(self.at(data, index))

    def spread(self, value: Any) -> Any:
        """A vector with `value` in all lanes."""
        b = self.builder
        one = b.insert_element(ir.Constant(self.vector, ir.Undefined), value, ir.Constant(INT32, 0))
        return b.shuffle_vector(
            one, ir.Constant(self.vector, ir.Undefined), ir.Constant(ir.VectorType(INT32, self.lanes), [0] * self.lanes)
        )

    def constant(self, value: Any) -> Any:
        """A vector with the number `value` in all lanes."""
        return ir.Constant(self.vector, [value] * self.lanes)

    def zero(self) -> Any:
        """A vector of zeros."""
        return self.constant(0.0)

    def add(self, a: Any, b: Any) -> Any:
        """a + b, lane by lane."""
        return self.builder.fadd(a, b)

    def sub(self, a: Any, b: Any) -> Any:
        """a − b, lane by lane."""
        return self.builder.fsub(a, b)

    def mul(self, a: Any, b: Any) -> Any:
        """a·b, lane by lane."""
        return self.builder.fmul(a, b)

    @contextmanager
    def loop(self, start: Any, stop: Any, step: int) -> Iterator[Any]:
        """A loop: yields its index, start, start + step, … below stop."""
        with cgutils.for_range_slice(self.builder, start, stop, self.word(step), WORD) as (index, _):
            yield index

    def cell(self) -> Any:
        """A variable that holds a vector."""
        return cgutils.alloca_once(self.builder, self.vector)  # type: ignore[no-untyped-call]

    def cells(self, count: int) -> list[Any]:
        """Variables that hold vectors, set to 0."""
        found = [self.cell() for _ in range(count)]
        for one in found:
            self.builder.store(self.zero(), one)
        return found

    def total(self, v: Any) -> Any:
        """The sum of a vector's lanes: its upper half is added to its lower half, and so on."""
        b, n = self.builder, v.type.count
        while n > 1:
            n //= 2
            kind = ir.VectorType(INT32, n)
            undefined = ir.Constant(ir.VectorType(self.element, 2 * n), ir.Undefined)
            low = b.shuffle_vector(v, undefined, ir.Constant(kind, list(range(n))))
            high = b.shuffle_vector(v, undefined, ir.Constant(kind, list(range(n, 2 * n))))
            v = b.fadd(low, high)
        return b.extract_element(v, ir.Constant(INT32, 0))


def declared(builder: Any, kind: Any, name: str) -> Any:
    """A function of LLVM, by its type and name."""
    return cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]


def data_of(context: Any, builder: Any, kind: Any, value: Any) -> Data:
    """An array, which is contiguous."""
    array = make_array(kind)(context, builder, value)  # type: ignore[no-untyped-call]
    return Data(array.data, array.nitems)


Body = Callable[..., Any]


def emitted(result: Any, element: Any = SINGLE, lanes: int = LANES) -> Callable[[Body], Any]:
    """Make an intrinsic of a function that writes code: `body(emit, …)`; it gets addresses for arrays, and int64 or float values else."""

    def decorate(body: Body) -> Any:
        def typing(context: Any, *kinds: Any) -> Any:
            wanted = [k if isinstance(k, types.Array) else (types.int64 if isinstance(k, types.Integer) else k) for k in kinds]

            def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
                given = [
                    data_of(context, builder, k, a) if isinstance(k, types.Array) else a
                    for k, a in zip(signature.args, arguments, strict=True)
                ]
                found = body(Emit(context, builder, element, lanes), *given)
                return context.get_dummy_value() if result is types.void else found

            return result(*wanted), generate

        typing.__name__, typing.__doc__ = body.__name__, body.__doc__
        named = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in list(inspect.signature(body).parameters)[1:]]
        context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        typing.__signature__ = inspect.Signature([context, *named])  # type: ignore[attr-defined]
        return intrinsic(typing)

    return decorate


def _by_blocks(e: Emit, columns: Any, body: Callable[[Any, int], None], widest: int) -> None:
    """Call body(j, vectors) for blocks of columns j …, of `widest` vectors while so many are left, then of half as many, and so on."""
    b, start, width = e.builder, e.word(0), widest
    while width:
        mask = e.word(-width * LANES)
        stop = b.and_(columns, mask)
        with e.loop(start, stop, width * LANES) as j:
            body(j, width)
        start, width = stop, width // 2


@emitted(types.void)
def weigh_rows(e: Emit, x: Any, w: Any, out: Any, rows: Any, columns: Any) -> None:
    """out[j] = Σ x[i]·w[i, j], for i below `rows`, a multiple of 4, and j below `columns`, a multiple of 16.

    Two partial sums, of even and of odd i, each one after the other; then their sum. x: (rows,); w: (rows, columns); out: (columns,).
    """
    b = e.builder

    def block(j: Any, vectors: int) -> None:
        sums = [e.cells(vectors) for _ in range(2)]
        with e.loop(e.word(0), rows, 4) as i:
            for k in range(4):
                row = b.add(i, e.word(k))
                t, first = e.spread(e.scalar(x, row)), b.add(b.mul(row, columns), j)
                for v, cell in enumerate(sums[k & 1]):
                    b.store(e.add(b.load(cell), e.mul(t, e.load(w, b.add(first, e.word(v * LANES))))), cell)
        for v in range(vectors):
            e.store(e.add(b.load(sums[0][v]), b.load(sums[1][v])), out, b.add(j, e.word(v * LANES)))

    _by_blocks(e, columns, block, 4)


@emitted(types.void)
def add_outer(e: Emit, xs: Any, ss: Any, g: Any, samples: Any, rows: Any, columns: Any) -> None:
    """g[i, j] = Σ xs[s, i]·ss[s, j], for s = 0, 1, …, one after the other; rows: a multiple of 4, columns: of 16.

    xs: (samples, rows); ss: (samples, columns); g: (rows, columns).
    """
    b = e.builder

    def block(j: Any, vectors: int) -> None:
        with e.loop(e.word(0), rows, 4) as i:
            sums = [e.cells(vectors) for _ in range(4)]
            with e.loop(e.word(0), samples, 1) as s:
                right, left = b.add(b.mul(s, columns), j), b.add(b.mul(s, rows), i)
                there = [e.load(ss, b.add(right, e.word(v * LANES))) for v in range(vectors)]
                for k in range(4):
                    t = e.spread(e.scalar(xs, b.add(left, e.word(k))))
                    for v, cell in enumerate(sums[k]):
                        b.store(e.add(b.load(cell), e.mul(t, there[v])), cell)
            for k in range(4):
                first = b.add(b.mul(b.add(i, e.word(k)), columns), j)
                for v, cell in enumerate(sums[k]):
                    e.store(b.load(cell), g, b.add(first, e.word(v * LANES)))

    _by_blocks(e, columns, block, 2)


B1, C1, B2, C2, TINY = (float(np.float32(x)) for x in (0.9, 0.1, 0.999, 0.001, 1e-5))  # of Adam


@emitted(types.void)
def move_weights(e: Emit, flat: Any, sums: Any, first: Any, second: Any, n: Any, share: Any, size: Any, inverse: Any) -> None:
    """A step of Adam with β1 = 0.9, β2 = 0.999: for i below n, a multiple of 16, with g = sums[i]·share,

    first = 0.9·first + 0.1·g, second = 0.999·second + 0.001·(g·g), flat −= (size·first) / (√(second·inverse) + 1e-5).
    """
    b = e.builder
    root = declared(b, ir.FunctionType(e.vector, [e.vector]), f"llvm.sqrt.v{LANES}f32")
    part, rate, over = e.spread(share), e.spread(size), e.spread(inverse)
    with e.loop(e.word(0), n, LANES) as i:
        g = e.mul(e.load(sums, i), part)
        u = e.add(e.mul(e.constant(B1), e.load(first, i)), e.mul(e.constant(C1), g))
        v = e.add(e.mul(e.constant(B2), e.load(second, i)), e.mul(e.constant(C2), e.mul(g, g)))
        e.store(u, first, i)
        e.store(v, second, i)
        step = b.fdiv(e.mul(rate, u), e.add(b.call(root, [e.mul(v, over)]), e.constant(TINY)))
        e.store(e.sub(e.load(flat, i), step), flat, i)


@emitted(types.float32)
def dot16(e: Emit, w: Any, first: Any, x: Any, n: Any) -> Any:
    """Σ w[first + i]·x[i] for i below n, a multiple of 16: in 16 lanes, of i modulo 16; then their sum by halves.

    w: of any shape, in flat order.
    """
    b = e.builder
    cell = e.cell()
    b.store(e.mul(e.load(w, first), e.load(x, e.word(0))), cell)
    with e.loop(e.word(LANES), n, LANES) as i:
        b.store(e.add(b.load(cell), e.mul(e.load(w, b.add(first, i)), e.load(x, i))), cell)
    return e.total(b.load(cell))


@emitted(types.void)
def add_scaled(e: Emit, w: Any, first: Any, x: Any, n: Any, factor: Any) -> None:
    """w[first + i] += factor·x[i] for i below n, a multiple of 16."""
    b, f = e.builder, e.spread(factor)
    with e.loop(e.word(0), n, LANES) as i:
        at = b.add(first, i)
        e.store(e.add(e.load(w, at), e.mul(f, e.load(x, i))), w, at)


@emitted(types.void)
def add_square(e: Emit, a: Any, first: Any, x: Any, rows: Any, n: Any, weight: Any) -> None:
    """a[i, j] += (weight·x[i])·x[j] for i below `rows` and j from the multiple of 16 at or below i to n.

    rows: a multiple of 4; n: of 16. a: (rows, n) from element `first` of the array on; x: (n,).
    """
    b = e.builder
    with e.loop(e.word(0), n, LANES) as j:
        right = e.load(x, j)
        end = b.add(j, e.word(LANES))
        end = b.select(b.icmp_signed("<", end, rows), end, rows)
        with e.loop(e.word(0), end, 4) as i:
            for k in range(4):
                row = b.add(i, e.word(k))
                at = b.add(b.add(first, b.mul(row, n)), j)
                e.store(e.add(e.load(a, at), e.mul(e.spread(b.fmul(weight, e.scalar(x, row))), right)), a, at)


def _gathered(e: Emit, data: Data, index: Any, element: Any) -> Any:
    """A vector of the 32-bit elements of an array at a vector of int64 indices."""
    b = e.builder
    if CHECKED:
        for k in range(e.lanes):
            e.check(data, b.extract_element(index, ir.Constant(INT32, k)), 1)
    vector, wide = ir.VectorType(element, e.lanes), ir.VectorType(WORD, e.lanes)
    base = Emit(e.context, b, WORD, e.lanes).spread(b.ptrtoint(data.address, WORD))
    places = b.inttoptr(b.add(base, b.shl(index, ir.Constant(wide, [2] * e.lanes))), ir.VectorType(element.as_pointer(), e.lanes))
    kind = ir.FunctionType(vector, [places.type, INT32, ir.VectorType(ir.IntType(1), e.lanes), vector])
    gather = declared(b, kind, f"llvm.masked.gather.v{e.lanes}{'f32' if element is SINGLE else 'i32'}.v{e.lanes}p0")
    ones = ir.Constant(ir.VectorType(ir.IntType(1), e.lanes), [1] * e.lanes)
    return b.call(gather, [places, ir.Constant(INT32, 4), ones, ir.Constant(vector, ir.Undefined)])


INDICES, WORDS = ir.VectorType(WORD, LANES), ir.VectorType(INT32, LANES)


@emitted(types.void)
def pick(e: Emit, x: Any, where: Any, out: Any, n: Any) -> None:
    """out[i] = x[where[i]] for i below n, a multiple of 16. where: int64."""
    with e.loop(e.word(0), n, LANES) as i:
        e.store(_gathered(e, x, e.load(where, i, INDICES), SINGLE), out, i)


@emitted(types.void)
def pick_words(e: Emit, x: Any, base: Any, where: Any, out: Any, n: Any) -> None:
    """out[i] = x[base + where[i]] for i below n, a multiple of 16. x, out: int32; where: int64."""
    b = e.builder
    start = Emit(e.context, b, WORD, e.lanes).spread(base)
    with e.loop(e.word(0), n, LANES) as i:
        e.store(_gathered(e, x, b.add(start, e.load(where, i, INDICES)), INT32), out, i)


@emitted(types.void)
def center(e: Emit, values: Any, means: Any, group: Any, out: Any, n: Any) -> None:
    """out[i] = float32(values[i]) − means[group[i]] for i below n, a multiple of 16. values: int32; group: int64."""
    b = e.builder
    with e.loop(e.word(0), n, LANES) as i:
        value = b.sitofp(e.load(values, i, WORDS), e.vector)
        e.store(e.sub(value, _gathered(e, means, e.load(group, i, INDICES), SINGLE)), out, i)


@emitted(types.void)
def add3(e: Emit, a: Any, first: Any, second: Any, third: Any, n: Any, out: Any) -> None:
    """out[i] = (a[first + i] + a[second + i]) + a[third + i] for i below n, a multiple of 16; out: float64."""
    b, wide = e.builder, ir.VectorType(DOUBLE, LANES)
    with e.loop(e.word(0), n, LANES) as i:
        total = e.add(e.add(e.load(a, b.add(first, i)), e.load(a, b.add(second, i))), e.load(a, b.add(third, i)))
        e.store(b.fpext(total, wide), out, i)


@emitted(types.float64, DOUBLE, 8)
def dot8(e: Emit, w: Any, first: Any, x: Any, at: Any, n: Any) -> Any:
    """Σ w[first + i]·x[at + i] for i below n, a multiple of 8, in float64: in 8 lanes, of i modulo 8; then their sum by halves."""
    b = e.builder
    cell = e.cell()
    b.store(e.zero(), cell)
    with e.loop(e.word(0), n, 8) as i:
        b.store(e.add(b.load(cell), e.mul(e.load(w, b.add(first, i)), e.load(x, b.add(at, i)))), cell)
    return e.total(b.load(cell))


@emitted(types.void, DOUBLE, 8)
def copy8(e: Emit, source: Any, first: Any, out: Any, at: Any, n: Any) -> None:
    """out[at + k] = source[first + k] for k below n, a multiple of 8, in float64."""
    with e.loop(e.word(0), n, 8) as k:
        e.store(e.load(source, e.builder.add(first, k)), out, e.builder.add(at, k))


@emitted(types.void, DOUBLE, 8)
def weigh_batch(e: Emit, x: Any, f: Any, y: Any, n: Any, stride: Any, weighted: Any, out: Any) -> None:
    """weighted[k, i] = f[k]·x[k, i], and out[i] = weighted[0, i]·y[0] + … + weighted[7, i]·y[7], one after the other; i below n.

    n: a multiple of 8. x, weighted: (8, stride) float64; f, y: (8,); out: (at least n,).
    """
    b = e.builder
    with e.loop(e.word(0), n, 8) as i:
        total = None
        for k in range(8):
            at = b.add(i, b.mul(stride, e.word(k)))
            one = e.mul(e.spread(e.scalar(f, e.word(k))), e.load(x, at))
            e.store(one, weighted, at)
            term = e.mul(one, e.spread(e.scalar(y, e.word(k))))
            total = term if total is None else e.add(total, term)
        e.store(total, out, i)


@emitted(types.void, DOUBLE, 8)
def square_batch(e: Emit, d: Any, x: Any, weighted: Any, n: Any, stride: Any, wide: Any) -> None:
    """d[i, j] = weighted[0, i]·x[0, j] + … + weighted[7, i]·x[7, j], one after the other.

    That is for i below n, a multiple of 8, and j from the multiple of 8 at or below i to n. d: (at least n, wide) float64; x, weighted:
    (8, stride).
    """
    b = e.builder
    with e.loop(e.word(0), n, 8) as j, e.loop(e.word(0), b.add(j, e.word(8)), 4) as i:
        sums: list[Any] = []
        for s in range(8):
            row = b.mul(stride, e.word(s))
            right, left = e.load(x, b.add(row, j)), b.add(row, i)
            terms = [e.mul(e.spread(e.scalar(weighted, b.add(left, e.word(k)))), right) for k in range(4)]
            sums = [e.add(a, t) for a, t in zip(sums, terms, strict=True)] if sums else terms
        for k in range(4):
            e.store(sums[k], d, b.add(b.mul(b.add(i, e.word(k)), wide), j))


@emitted(types.void, DOUBLE, 8)
def fade_square(e: Emit, a: Any, d: Any, n: Any, stride: Any, wide: Any, decay: Any) -> None:
    """a[i, j] = a[i, j]·decay + d[i, j] for i below n, a multiple of 8, and j from the multiple of 8 at or below i to n.

    a: (at least n, stride) float64; d: (at least n, wide).
    """
    b, f = e.builder, e.spread(decay)
    with e.loop(e.word(0), n, 1) as i, e.loop(b.and_(i, e.word(-8)), n, 8) as j:
        at = b.add(b.mul(i, stride), j)
        e.store(e.add(e.mul(e.load(a, at), f), e.load(d, b.add(b.mul(i, wide), j))), a, at)


@emitted(types.void, DOUBLE, 8)
def take_square(e: Emit, a: Any, u: Any, n: Any, stride: Any, wide: Any, ridge: Any) -> None:
    """u[i, j] = a[i, j] for the same i and j, and then u[i, i] += ridge. a: (at least n, stride) float64; u: (at least n, wide)."""
    b = e.builder
    with e.loop(e.word(0), n, 1) as i:
        with e.loop(b.and_(i, e.word(-8)), n, 8) as j:
            e.store(e.load(a, b.add(b.mul(i, stride), j)), u, b.add(b.mul(i, wide), j))
        diagonal = b.add(b.mul(i, stride), i)
        b.store(b.fadd(e.scalar(a, diagonal), ridge), e.at(u, b.add(b.mul(i, wide), i)))


@emitted(types.void)
def fade_and_add(e: Emit, a: Any, first: Any, d: Any, n: Any, decay: Any) -> None:
    """a[first + i] = a[first + i]·decay + d[i] for i below n, a multiple of 16."""
    b, f = e.builder, e.spread(decay)
    with e.loop(e.word(0), n, LANES) as i:
        at = b.add(first, i)
        e.store(e.add(e.mul(e.load(a, at), f), e.load(d, i)), a, at)


@emitted(types.void)
def clear(e: Emit, d: Any, n: Any) -> None:
    """d[i] = 0 for i below n, a multiple of 16."""
    with e.loop(e.word(0), n, LANES) as i:
        e.store(e.zero(), d, i)


@emitted(types.int64, DOUBLE, 8)
def eliminate(e: Emit, u: Any, z: Any, inverse: Any, n: Any, columns: Any, stride: Any) -> Any:
    """Gauss's elimination of a symmetric system of n rows, an even number, without pivoting.

    Returns how many pivots, from the first on, are above 1e-9.

    For each row k: inverse[k] = 1/u[k, k]; then, for each row i below it, with f = u[k, i]·inverse[k]: u[i, j] −= f·u[k, j] for j from the
    multiple of 8 at or below i to `columns`, and z[i] −= f·z[k]. It ends at a pivot that is not above 1e-9. u: (at least n, stride)
    float64, of which the upper triangle counts; columns: a multiple of 8; z, inverse: (at least n,).
    """
    b = e.builder
    count = cgutils.alloca_once_value(b, n)  # type: ignore[no-untyped-call]
    one, least = ir.Constant(DOUBLE, 1.0), ir.Constant(DOUBLE, 1e-9)

    def check(k: Any, pivot: Any) -> None:
        bad = b.and_(b.not_(b.fcmp_ordered(">", pivot, least)), b.icmp_signed("==", b.load(count), n))
        with b.if_then(bad):
            b.store(k, count)

    with e.loop(e.word(0), n, 2) as k:
        row, k1 = b.mul(k, stride), b.add(k, e.word(1))
        next_ = b.add(row, stride)
        pivot = e.scalar(u, b.add(row, k))
        check(k, pivot)
        with b.if_then(b.icmp_signed("==", b.load(count), n)):
            over = b.fdiv(one, pivot)
            b.store(over, e.at(inverse, k))
            f = b.fmul(e.scalar(u, b.add(row, k1)), over)
            spread = e.spread(f)
            with e.loop(b.and_(k1, e.word(-8)), columns, 8) as j:
                at = b.add(next_, j)
                e.store(e.sub(e.load(u, at), e.mul(spread, e.load(u, b.add(row, j)))), u, at)
            now = e.scalar(z, k)
            now1 = b.fsub(e.scalar(z, k1), b.fmul(f, now))
            b.store(now1, e.at(z, k1))
            pivot1 = e.scalar(u, b.add(next_, k1))
            check(k1, pivot1)
            over1 = b.fdiv(one, pivot1)
            b.store(over1, e.at(inverse, k1))
            with e.loop(b.add(k, e.word(2)), n, 2) as i:
                f0 = [b.fmul(e.scalar(u, b.add(b.add(row, i), e.word(r))), over) for r in range(2)]
                f1 = [b.fmul(e.scalar(u, b.add(b.add(next_, i), e.word(r))), over1) for r in range(2)]
                v0, v1 = [e.spread(f) for f in f0], [e.spread(f) for f in f1]
                below = b.mul(i, stride)
                with e.loop(b.and_(i, e.word(-8)), columns, 8) as j:
                    a0, a1 = e.load(u, b.add(row, j)), e.load(u, b.add(next_, j))
                    for r in range(2):
                        at = b.add(b.add(below, j), stride) if r else b.add(below, j)
                        e.store(e.sub(e.sub(e.load(u, at), e.mul(v0[r], a0)), e.mul(v1[r], a1)), u, at)
                for r in range(2):
                    at = b.add(i, e.word(r))
                    b.store(b.fsub(b.fsub(e.scalar(z, at), b.fmul(f0[r], now)), b.fmul(f1[r], now1)), e.at(z, at))
    return b.load(count)


@emitted(types.void, DOUBLE, 8)
def substitute(e: Emit, u: Any, z: Any, inverse: Any, w: Any, n: Any, stride: Any) -> None:
    """Solve for the first n weights after `eliminate` of at least n rows. w: (at least n,), written; z is not changed.

    w begins as z; then, from the last row i to the first: w[i] = w[i]·inverse[i], and w[k] −= u[k, i]·w[i] for k < i.
    """
    b = e.builder
    with e.loop(e.word(0), n, 1) as i:
        b.store(e.scalar(z, i), e.at(w, i))
    with e.loop(e.word(0), n, 1) as step:
        i = b.sub(b.sub(n, e.word(1)), step)
        now = b.fmul(e.scalar(w, i), e.scalar(inverse, i))
        b.store(now, e.at(w, i))
        with e.loop(e.word(0), i, 1) as k:
            b.store(b.fsub(e.scalar(w, k), b.fmul(e.scalar(u, b.add(b.mul(k, stride), i)), now)), e.at(w, k))


# --- functions of vectors -----------------------------------------------------------------------------------------

MAGIC = 12582912.0  # 1.5·2^23: added and subtracted, it rounds a float32 to the nearest whole number
SIGMOID_LIMIT = 16.0
MINUS_LOG2E = -1.4426950216293335
EXP2 = (0.0013276472454890609, 0.009675540961325169, 0.05550713092088699, 0.24022120237350464, 0.6931469440460205, 1.0000001192092896)
LOG2 = (-0.2068466991186142, 0.3219325542449951, -0.3673725724220276, 0.4793791174888611, -0.7211395502090454, 1.4427123069763184)
HALF_ROOT = 0x3F3504F3  # the bits of √½ in float32
LN2 = float(np.float32(0.6931471805599453))
FLOOR = 2.0**-20  # added to masses
LIMIT = 12.0  # of stretched probabilities


def _polynomial(e: Emit, x: Any, coefficients: tuple[float, ...]) -> Any:
    """By Horner's rule. coefficients: float32 numbers, that of the highest power first."""
    found = e.constant(coefficients[0])
    for c in coefficients[1:]:
        found = e.add(e.mul(found, x), e.constant(c))
    return found


def _clamp(e: Emit, x: Any, low: float, high: float) -> Any:
    """x within low … high."""
    b = e.builder
    x = b.select(b.fcmp_ordered("<", x, e.constant(low)), e.constant(low), x)
    return b.select(b.fcmp_ordered(">", x, e.constant(high)), e.constant(high), x)


def _size(e: Emit, x: Any) -> Any:
    """|x|."""
    b = e.builder
    return b.select(b.fcmp_ordered("<", x, e.zero()), b.fsub(e.constant(-0.0), x), x)


def _exp2(e: Emit, x: Any) -> Any:
    """2^x for x within ±126: the power of the nearest whole number, times a polynomial of the rest."""
    b = e.builder
    whole = ir.VectorType(INT32, e.lanes)
    rounded = e.add(x, e.constant(MAGIC))
    rest = e.sub(x, e.sub(rounded, e.constant(MAGIC)))
    power = b.shl(b.bitcast(rounded, whole), ir.Constant(whole, [23] * e.lanes))
    return b.bitcast(b.add(b.bitcast(_polynomial(e, rest, EXP2), whole), power), e.vector)


def _log2(e: Emit, x: Any) -> Any:
    """log2(x) for normal x > 0: the exponent of x by the nearest power of two, plus a polynomial of what is left."""
    b = e.builder
    whole = ir.VectorType(INT32, e.lanes)

    def each(n: int) -> Any:
        return ir.Constant(whole, [n] * e.lanes)

    bits = b.bitcast(x, whole)
    exponent = b.ashr(b.sub(bits, each(HALF_ROOT)), each(23))
    rest = e.sub(b.bitcast(b.sub(bits, b.shl(exponent, each(23))), e.vector), e.constant(1.0))
    return e.add(b.sitofp(exponent, e.vector), e.mul(rest, _polynomial(e, rest, LOG2)))


def _sigmoid(e: Emit, x: Any) -> Any:
    """1/(1 + e^−x), x limited to ±16."""
    power = _exp2(e, e.mul(_clamp(e, x, -SIGMOID_LIMIT, SIGMOID_LIMIT), e.constant(MINUS_LOG2E)))
    return e.builder.fdiv(e.constant(1.0), e.add(e.constant(1.0), power))


@emitted(types.void)
def sigmoids(e: Emit, x: Any, out: Any) -> None:
    """out[k] = 1/(1 + e^−x[k]) in 16 lanes."""
    e.store(_sigmoid(e, e.load(x, e.word(0))), out, e.word(0))


@emitted(types.void)
def exp2s(e: Emit, x: Any, out: Any) -> None:
    """out[k] = 2^x[k] in 16 lanes, x within ±126."""
    e.store(_exp2(e, e.load(x, e.word(0))), out, e.word(0))


@emitted(types.void)
def ask_all(e: Emit, edge: Any, logistics: Any, masses: Any, inputs: Any) -> None:
    """Ask 16 logistics, of which the first four are a mixture, about an edge. The answer for the mixture takes lane 3.

    logistics: (4, 16) means, inverse scales, shares of the mixture (else 0), and 1 for lanes that are used from lane 3 on, else 0.
    masses: (3, 16) below the least value still possible, at the edge (written), and below the end. inputs: (at least 16,) stretched
    probabilities, ln of the mass above the edge over that below it; written.
    """
    b = e.builder

    def row(data: Any, k: int) -> Any:
        return e.load(data, e.word(k * LANES))

    at = _sigmoid(e, e.mul(e.sub(e.spread(edge), row(logistics, 0)), row(logistics, 1)))
    four = ir.Constant(ir.VectorType(INT32, 4), [0, 1, 2, 3])
    mixed = e.total(b.shuffle_vector(e.mul(at, row(logistics, 2)), ir.Constant(e.vector, ir.Undefined), four))
    at = b.insert_element(at, mixed, ir.Constant(INT32, 3))
    e.store(at, masses, e.word(LANES))
    ones = _log2(e, e.add(e.sub(row(masses, 2), at), e.constant(FLOOR)))
    zeros = _log2(e, e.add(e.sub(at, row(masses, 0)), e.constant(FLOOR)))
    y = _clamp(e, e.mul(e.sub(ones, zeros), e.constant(LN2)), -LIMIT, LIMIT)
    e.store(e.mul(y, row(logistics, 3)), inputs, e.word(0))


@emitted(types.void)
def begin_asking(e: Emit, masses: Any) -> None:
    """Before the first question about a value: all of a distribution lies between the least possible value and the end. masses: (3, 16)."""
    e.store(e.zero(), masses, e.word(0))
    e.store(e.constant(1.0), masses, e.word(2 * LANES))


@emitted(types.void)
def copy16(e: Emit, source: Any, first: Any, out: Any, at: Any) -> None:
    """out[at + k] = source[first + k] in 16 lanes."""
    e.store(e.load(source, first), out, at)


@emitted(types.void)
def soften(e: Emit, x: Any, factor: Any, out: Any, n: Any) -> None:
    """out[i] = t/(1 + |t|/4) with t = factor·x[i], for i below n, a multiple of 16."""
    b, f = e.builder, e.spread(factor)
    with e.loop(e.word(0), n, LANES) as i:
        t = e.mul(f, e.load(x, i))
        e.store(b.fdiv(t, e.add(e.constant(1.0), e.mul(_size(e, t), e.constant(0.25)))), out, i)


@emitted(types.void)
def activations(e: Emit, h: Any, d: Any, n: Any) -> None:
    """f(x) = x·(1 + x/(1 + |x|))/2 in place for h[0] … h[n − 1], n a multiple of 16; d: the derivatives."""
    b, one, half = e.builder, e.constant(1.0), e.constant(0.5)
    with e.loop(e.word(0), n, LANES) as i:
        x = e.load(h, i)
        r = b.fdiv(one, e.add(one, _size(e, x)))
        q = e.mul(x, r)
        e.store(e.mul(half, e.mul(x, e.add(one, q))), h, i)
        e.store(e.mul(half, e.add(e.add(one, q), e.mul(q, r))), d, i)
