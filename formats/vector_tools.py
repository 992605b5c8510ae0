"""What the conformance vectors are made with: sections, tiles and codes written by hand. See make_vectors.py."""

from __future__ import annotations

import hashlib
import itertools
import math
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import brotli
import numpy as np
import numpy.typing as npt

import inrcodec

HERE = Path(__file__).resolve().parent
VECTORS = HERE / "vectors"
sys.path.insert(0, str(HERE / "standalone"))

import linr  # noqa: E402  (it is no package: its folder has to be in the path first)
import linr_network  # noqa: E402

Array = npt.NDArray[Any]
NoSamples = linr.NoSamples
MAGIC = b"\x89LINR\r\n\x1a\n"
KINDS = ("image", "audio", "array", "stack")
LOSSY = 128  # of the byte of the profile


@dataclass
class Signal:
    """What a file must decode to."""

    samples: Array
    kind: str = "array"
    bit_depth: int = 0  # 0: that of the type
    sample_rate: int | None = None
    metadata: dict[str, bytes] = field(default_factory=dict)
    bfloat16: bool = False

    @property
    def depth(self) -> int:
        return self.bit_depth or (1 if self.samples.dtype == bool else 8 * self.samples.dtype.itemsize)

    @property
    def channel_axis(self) -> bool:
        return self.samples.ndim == {"image": 3, "audio": 2, "array": 0, "stack": 4}[self.kind]

    @property
    def axes(self) -> tuple[int, ...]:
        return self.samples.shape[:-1] if self.channel_axis else self.samples.shape

    @property
    def channels(self) -> int:
        return (self.samples.shape[-1] if self.channel_axis else 1) * (2 if self.samples.dtype.kind == "c" else 1)

    @property
    def raw(self) -> bytes:
        """The samples, little-endian. No float is converted, so that all bits of NaNs stay."""
        width = self.samples.dtype.itemsize // (2 if self.samples.dtype.kind == "c" else 1)
        x = self.samples.view(np.dtype(f"u{width}").newbyteorder(self.samples.dtype.byteorder))
        return x.astype(x.dtype.newbyteorder("<")).tobytes()

    @property
    def sort(self) -> int:
        """The byte of the sample type."""
        dtype = self.samples.dtype
        width, kind = dtype.itemsize, {"b": 0, "u": 1, "i": 2, "f": 3, "c": 3 + 16}[dtype.kind]
        if dtype.kind == "c":
            width //= 2
        if self.bfloat16:
            kind = 3 + 64
        return kind | (width.bit_length() - 1) << 2 | 32 * (dtype.str[0] == ">")

    @property
    def digest(self) -> bytes:
        """The digest in HEAD."""
        shape = self.samples.shape
        fixed = bytes([KINDS.index(self.kind), self.sort, self.depth, len(shape)])
        rate = b"" if self.sample_rate is None else varint(self.sample_rate)
        return hashlib.sha256(b"".join([fixed, *map(varint, shape), rate, self.raw])).digest()


@dataclass(frozen=True)
class View:
    """What is asked of the network of a file (SPEC.md 17).

    Attributes:
        size: of the coordinate axes; empty: that of the signal.
        more_bits: below those of the samples.
        configuration: (layers, units); None: the last.
        known: whether the samples are known, so that only the bits below theirs are asked for.
    """

    size: tuple[int, ...] = ()
    more_bits: int = 0
    configuration: tuple[int, int] | None = None
    known: bool = False


@dataclass
class Recipe:
    """How to make a vector.

    Attributes:
        file, what: its name, and what it exercises.
        make: gives its bytes and the signal that is coded, None if it is faulty.
        views: what is asked of its network.
        lossy: whether the signal is not in it.
        whole: of a file that was cut: the name of the one that it was cut from.
    """

    file: str
    what: str
    make: Callable[[], tuple[bytes, Signal | None]]
    views: Sequence[View] = ()
    lossy: bool = False
    whole: str = ""


# Sections


def varint(number: int) -> bytes:
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    return bytes([*groups, number])


def long_varint(number: int) -> bytes:
    """The number in 10 bytes, whatever it is."""
    return bytes([number >> 7 * i & 127 | 128 for i in range(9)] + [number >> 63])


def signed(number: int) -> bytes:
    return varint(2 * number if number >= 0 else -2 * number - 1)


def blob(content: bytes) -> bytes:
    stream: bytes = brotli.compress(content)
    return varint(len(stream)) + stream


def section(kind: bytes, content: bytes = b"", length: Callable[[int], bytes] = varint) -> bytes:
    return kind + length(len(content)) + content + zlib.crc32(kind + content).to_bytes(4, "little")


Sections = list[tuple[bytes, bytes]]


def file_of(sections: Iterable[tuple[bytes, bytes]], length: Callable[[int], bytes] = varint) -> bytes:
    return MAGIC + b"\1" + b"".join(section(kind, content, length) for kind, content in sections) + section(b"END!")


def head(signal: Signal, profile: int = 0, *, bits: int = 0, offset: int = 0, step: int = 1, **faults: Any) -> bytes:
    """A HEAD section; `faults` replace fields that follow from the signal. float_map: how floats are mapped, by default by their bits."""
    kind, shape = faults.get("kind", KINDS.index(signal.kind)), faults.get("shape", signal.samples.shape)
    rate = faults.get("rate", signal.sample_rate)
    digest: bytes = faults.get("digest", signal.digest)
    return b"".join(
        [
            bytes([profile, kind, faults.get("sort", signal.sort), faults.get("depth", signal.depth), len(shape)]),
            *(varint(size) for size in shape),
            b"" if rate is None else varint(rate),
            faults.get("float_map", b"\0" if signal.samples.dtype.kind in "fc" or signal.bfloat16 else b""),
            signed(offset) + varint(step) + bytes([bits]),
            digest,
        ]
    )


def meta(items: Iterable[tuple[bytes, bytes]]) -> bytes:
    content = b"".join(varint(len(key)) + key + varint(len(value)) + value for key, value in items)
    stream: bytes = brotli.compress(content)
    return varint(len(content)) + stream


def spans(axes: Sequence[int], sizes: Sequence[int]) -> list[tuple[slice, ...]]:
    """The tiles, in their order."""
    cuts = ([slice(i, min(i + size, axis)) for i in range(0, axis, size)] for axis, size in zip(axes, sizes, strict=True))
    return list(itertools.product(*cuts))


def values_of(signal: Signal, offset: int, step: int) -> Array:
    """The values (Python's integers) with their coordinate axes and an axis of channels."""
    values: Array = (signal.samples.astype(object) - offset) // step
    return values.reshape(*signal.axes, signal.channels)


def packed(values: Sequence[int], bits: int) -> bytes:
    number = int("".join(f"{value:0{bits}b}" for value in values), 2)
    fill = -len(values) * bits % 8
    return (number << fill).to_bytes((len(values) * bits + fill) // 8, "big")


def stored_tile(values: Array, bits: int, mode: int) -> bytes:
    """The content of a tile with `values`, the last axis of which is the channels."""
    in_order = [int(value) for value in values.reshape(-1)]
    if mode in (0, 3):
        content = packed(in_order, bits)
    else:
        width = -(-bits // 8)
        if mode == 2:
            in_order = [int(value) for value in np.moveaxis(values, -1, 0).reshape(-1)]
        octets = np.array([list(value.to_bytes(width, "little")) for value in in_order], np.uint8)
        content = (octets if mode == 1 else octets.T).tobytes()
    return bytes([mode]) + (brotli.compress(content) if mode else content)


def tiled(tile_contents: Sequence[bytes], sizes: Sequence[int]) -> Sections:
    """The sections TIDX and TILE."""
    index = b"".join(varint(number) for number in [*sizes, *map(len, tile_contents)])
    return [(b"TIDX", index), *((b"TILE", content) for content in tile_contents)]


def stored(
    signal: Signal, *, bits: int, offset: int = 0, step: int = 1, modes: Sequence[int] = (0,), sizes: Sequence[int] = ()
) -> Sections:
    """All sections of a stored signal; the modes are those of its tiles in turn."""
    sizes = sizes or signal.axes
    values = values_of(signal, offset, step)
    contents = [
        stored_tile(values[span], bits, mode) if bits else b""
        for span, mode in zip(spans(signal.axes, sizes), itertools.cycle(modes), strict=False)
    ]
    return [(b"HEAD", head(signal, bits=bits, offset=offset, step=step)), *tiled(contents, sizes)]


# Networks


class ArithmeticEncoder:
    """The inverse of the arithmetic decoder, with the carry left to Python's long integers."""

    def __init__(self) -> None:
        self.low = 0
        self.bytes = 4
        self.range = 2**32 - 1

    def bit(self, bit: int, p: int) -> None:
        bound = self.range * p >> 16
        if bit:
            self.range = bound
        else:
            self.low += bound
            self.range -= bound
        while self.range < 1 << 24:
            self.range <<= 8
            self.low <<= 8
            self.bytes += 1

    def adaptive(self, bit: int, probability: linr.Adaptive) -> None:
        self.bit(bit, probability.probability)
        probability.update(bit)

    def finish(self) -> bytes:
        return self.low.to_bytes(self.bytes, "big")


def coded_integers(arrays: Iterable[Sequence[int]], widths: Iterable[int] = ()) -> bytes:
    """A string of arrays; widths: of the rows of each, 0 for one without rows."""
    encoder = ArithmeticEncoder()
    for array, width in itertools.zip_longest(arrays, widths, fillvalue=0):
        assert not isinstance(array, int)
        code_integers(encoder, array, linr.Coder(), width)
    return encoder.finish()


def code_integers(encoder: ArithmeticEncoder, array: Sequence[int], coder: linr.Coder, width: int = 0) -> None:
    """Code an array; the probabilities of `coder` go on from where they are."""
    for place, number in enumerate(array):
        near = abs(array[place - 1]) if width and place % width else 0
        near += abs(array[place - width]) if width and place >= width else 0
        x = min(near.bit_length(), 7)
        length = abs(number).bit_length()
        for i in range(min(length + 1, 32)):
            encoder.adaptive(int(i < length), coder.unary[x, i])
        if length == 0:
            continue
        encoder.bit(int(number < 0), 32768)
        m = 1
        for i in range(length - 1):
            bit = abs(number) >> length - 2 - i & 1
            if i < 2:
                encoder.adaptive(bit, coder.mantissa[x, length, m])
            else:
                encoder.bit(bit, 32768)
            m = m << 1 | bit


HEADS, SIREN, BITLINEAR, VALUES = range(4)
PLAIN, RECURRENT, FILTERS = range(3)
GELU, SINE, GAUSSIAN = range(3)
GRAY, COLOUR, NORMALIZED, UNBIASED, SCALES, GRID, PARTS = (1 << i for i in range(7))
SPREAD = {False: 7, True: 13}  # bits of a weight that nobody gives; of one of a sparse matrix


class Matrix(NamedTuple):
    """A matrix of a network."""

    outputs: int
    inputs: int
    of_inputs: bool  # whether it takes the network's inputs
    last: bool


@dataclass
class NetworkSpec:
    """A network to be written, as NETW has it. What is not given is random."""

    signal: Signal
    bits: int
    form: int = HEADS
    body: int = PLAIN
    activation: int = SINE
    flags: int = 0  # GRID and PARTS follow from `levels` and `widths`
    hidden: int = 5
    layers: int = 1
    octaves: int = 0
    bit_places: int = 0  # 0: as many as bits
    levels: Sequence[tuple[int, int, int]] = ()  # spacing, features, byte of the table
    widths: Sequence[int] = ()
    depths: Sequence[int] = ()
    coding: int = 0
    setting: int = 8
    errors: Sequence[int] = (1,)  # used in turn
    distances: Sequence[int] = ()  # used in turn; empty: as small as the errors allow
    scales: dict[int, tuple[int, int]] = field(default_factory=dict)  # of layers, then of levels
    biases: dict[int, Sequence[int]] = field(default_factory=dict)  # of a layer, used in turn; as they are written, without their grain
    matrices: dict[int, Sequence[int]] = field(default_factory=dict)  # of a layer, used in turn, row by row
    cells: dict[int, Sequence[int]] = field(default_factory=dict)  # of a level, used in turn, feature by feature
    grains: Sequence[int] = (0,)  # used in turn
    gains: Sequence[int] = (64,)  # used in turn
    order: Sequence[int] = ()
    factors: Sequence[int] = (0,)  # used in turn
    scale_codes: Sequence[int] = (64,)  # used in turn
    halvings: Sequence[int] = (0,)  # used in turn
    non_zeros: int = 3  # per sparse vector
    sparse: dict[int, tuple[Sequence[int], Sequence[int]]] = field(default_factory=dict)  # atoms and values of each vector
    count: int | None = None  # s, where it is to be wrong
    sparse_form: int = 0
    value_bits: int = 16
    numbers: bytes | None = None
    change: Callable[[bytes], bytes] = lambda string: string  # of the strings of coded integers

    @property
    def all_flags(self) -> int:
        return self.flags | GRID * bool(self.levels) | PARTS * bool(self.widths)

    @property
    def at_once(self) -> int:
        """The channels that the network gives at once."""
        return 1 if self.flags & COLOUR else self.signal.channels

    @property
    def outputs(self) -> int:
        return self.at_once * {HEADS: self.bits, VALUES: 2 if self.flags & SCALES else 1}.get(self.form, 1)

    def matrices_of(self, layers: int, hidden: int) -> list[Matrix]:
        """The matrices of one network of so many layers and units."""
        coordinates = len(self.signal.axes) + (self.form == SIREN) + bool(self.flags & COLOUR)
        inputs = coordinates * (1 + 2 * self.octaves) + sum(features for _, features, table in self.levels if table < 128)
        first, between = Matrix(hidden, inputs, True, False), Matrix(hidden, hidden, False, False)
        middle = {RECURRENT: [between] * min(1, layers - 1), FILTERS: [between, first] * (layers - 1)}
        return [first, *middle.get(self.body, [between] * (layers - 1)), Matrix(self.outputs, hidden, False, True)]

    @property
    def all_matrices(self) -> list[Matrix]:
        """Those of all networks."""
        return self.matrices_of(self.layers, self.hidden) * (self.bits if self.form == BITLINEAR else 1)

    def dense(self, matrix: Matrix) -> bool:
        return self.coding != linr.SINR or (matrix.of_inputs and not self.octaves and not self.all_flags & GRID)

    def nodes(self, level: tuple[int, int, int]) -> list[int]:
        return [-(-(n - 1) >> level[0]) + 1 for n in self.signal.axes]

    def cells_of(self, level: tuple[int, int, int]) -> int:
        table = level[2] & 127
        return 1 << table if table else math.prod(self.nodes(level))

    def scale(self, number: int, matrix: Matrix) -> tuple[int, int]:
        """So that arguments are of the size of a period, logits of some thousands, and means of a part of the range."""
        if number in self.scales:
            return self.scales[number]
        entering = 12 if self.all_flags & GRID else 14 if self.octaves else 24
        if not matrix.of_inputs:
            entering = 12 if self.body == FILTERS or self.flags & NORMALIZED or self.activation == GELU else 14
        leaving = (29 if self.form == VALUES else 10) if matrix.last else 15
        shift = SPREAD[not self.dense(matrix)] + entering - leaving
        return 3 << max(-shift, 0), max(shift, 0)

    def content(self) -> bytes:
        rng = np.random.default_rng(self.setting)
        layers = self.all_matrices
        scales = [self.scale(i, matrix) for i, matrix in enumerate(layers)]
        scales += [self.scales.get(len(layers) + i, (3, 2)) for i, level in enumerate(self.levels) if level[2] < 128]
        grains = bytes(in_turn(self.grains, len(layers))) if not self.flags & UNBIASED else b""
        errors = list(in_turn(self.errors, max(1, len(self.widths) * len(self.depths))))
        distances = in_turn(self.distances, len(errors)) if self.distances else [min(error, 1) for error in errors]
        parts = [
            self.architecture(),
            bytes([self.coding, self.setting]),
            *map(varint, [*errors, *(distances if self.bits == 1 else [])]),
            *(varint(m) + bytes([s]) for m, s in scales),
            grains,
            self.joint() if self.form == VALUES else bytes(in_turn(self.gains, self.signal.channels * self.bits)),
        ]
        if self.widths:
            return b"".join([*parts, *self.strings(rng)])
        numbers = self.change(self.string(rng)) if self.numbers is None else self.numbers
        return b"".join([*parts, varint(len(numbers)), numbers, self.sparse_matrices(rng) if self.coding == linr.SINR else b""])

    def architecture(self) -> bytes:
        sizes = [varint(len(sizes)) + b"".join(map(varint, sizes)) for sizes in (self.widths, self.depths)]
        return b"".join(
            [
                bytes([self.form | self.body << 2 | self.activation << 4, self.all_flags]),
                varint(self.hidden) + varint(self.layers) + varint(self.octaves),
                varint(self.bit_places or self.bits) if self.form == SIREN else b"",
                varint(len(self.levels)) if self.all_flags & GRID else b"",
                *(bytes([spacing]) + varint(features) + bytes([table]) for spacing, features, table in self.levels),
                *(sizes if self.all_flags & PARTS else []),
            ]
        )

    def joint(self) -> bytes:
        """What NETW has of the channels of values."""
        c = self.signal.channels
        factors = (k.to_bytes(2, "little", signed=True) for k in in_turn(self.factors, c * (c - 1) // 2))
        codes = [*in_turn(self.scale_codes, c), *in_turn(self.halvings, self.outputs)]
        return bytes(self.order or range(c)) + b"".join(factors) + bytes(codes)

    def bias(self, rng: np.random.Generator, number: int, matrix: Matrix) -> list[int]:
        if number in self.biases:
            return list(in_turn(self.biases[number], matrix.outputs))
        if matrix.last and self.form == VALUES:
            return [*rng.integers(0, 2**30, self.at_once).tolist(), *rng.integers(-(2**28), 2**28, self.outputs - self.at_once).tolist()]
        found: list[int] = rng.integers(-3000, 3000, matrix.outputs).tolist()
        return found

    def weights(self, rng: np.random.Generator, number: int, matrix: Matrix) -> list[int]:
        count = matrix.outputs * matrix.inputs
        return list(in_turn(self.matrices.get(number, ()), count)) or rng.integers(-127, 128, count).tolist()

    def string(self, rng: np.random.Generator) -> bytes:
        """The coded integers of a network without parts."""
        arrays = [] if self.flags & UNBIASED else [self.bias(rng, i, matrix) for i, matrix in enumerate(self.all_matrices)]
        arrays += [self.weights(rng, i, matrix) for i, matrix in enumerate(self.all_matrices) if self.dense(matrix)]
        widths = [0] * len(arrays)
        for i, level in enumerate(self.levels):
            count, most = self.cells_of(level), 2 ** max(self.bits - 2, 0) if level[2] >= 128 else 127
            size = count * level[1]
            numbers = list(in_turn(self.cells.get(i, ()), size)) or rng.integers(-most, most, size, endpoint=True).tolist()
            arrays += [numbers[j : j + count] for j in range(0, len(numbers), count)]
            widths += [0 if level[2] & 127 else self.nodes(level)[-1]] * level[1]
        return coded_integers(arrays, widths)

    def strings(self, rng: np.random.Generator) -> Iterable[bytes]:
        """The coded integers of a network of parts: for each configuration a length, a CRC-32 and a string."""
        whole = self.matrices_of(self.layers, self.hidden)
        biases = [self.bias(rng, i, matrix) for i, matrix in enumerate(whole)]
        weights = [np.array(self.weights(rng, i, m)).reshape(m.outputs, m.inputs) for i, m in enumerate(whole)]
        had: set[tuple[int, ...]] = set()
        of_biases, of_weights = linr.Coder(), linr.Coder()
        for hidden, layers in itertools.product(self.widths, self.depths):
            new_biases, new_weights = list[int](), list[int]()
            for i, matrix in zip([*range(layers), self.layers], self.matrices_of(layers, hidden), strict=True):
                for row, column in itertools.product(range(matrix.outputs), range(-1, matrix.inputs)):
                    if (i, row, column) in had:
                        continue
                    had.add((i, row, column))
                    if column >= 0:
                        new_weights.append(int(weights[i][row, column]))
                    elif not self.flags & UNBIASED:
                        new_biases.append(biases[i][row])
            encoder = ArithmeticEncoder()
            code_integers(encoder, new_biases, of_biases)
            code_integers(encoder, new_weights, of_weights)
            string = self.change(encoder.finish())
            yield varint(len(string)) + zlib.crc32(string).to_bytes(4, "little") + string

    def sparse_matrices(self, rng: np.random.Generator) -> bytes:
        counts, gaps, values = [], list[int](), list[int]()
        for number, matrix in enumerate(self.all_matrices):
            if self.dense(matrix):
                continue
            vectors, length = linr.vectors_of(linr.Layer(matrix.outputs, matrix.inputs))
            if number in self.sparse:
                vector_atoms, vector_values = self.sparse[number]
                counts.append(len(vector_atoms))
            else:
                vector_atoms, vector_values = [], []
                counts.append(min(self.non_zeros, length))
            for _ in range(vectors):
                if number not in self.sparse:
                    vector_atoms = sorted(rng.choice((2 << (self.sparse_form & 3)) * length, counts[-1], replace=False).tolist())
                    vector_values = rng.integers(-100, 100, counts[-1]).tolist()
                gaps += [atom - before - 1 for before, atom in itertools.pairwise([-1, *vector_atoms])]
                values += vector_values
        if self.count is not None:
            counts[-1] = self.count
        front = bytes([self.sparse_form, self.value_bits]) + b"".join(map(varint, counts))
        if self.sparse_form & 8:
            return front + coded_integers([[gap // 2 if gap % 2 == 0 else -(gap + 1) // 2 for gap in gaps], values])
        written = [value + (1 << (self.value_bits - 1)) for value in values]
        octets = (number >> shift & 255 for numbers in (gaps, written) for shift in (0, 8) for number in numbers)
        stream: bytes = brotli.compress(bytes(octets))
        return front + stream


def in_turn(numbers: Sequence[int], count: int) -> Iterable[int]:
    """So many of the numbers, from the first again after the last."""
    return itertools.islice(itertools.cycle(numbers), count) if numbers else ()


class BitEncoder:
    """What a decoder of a tile asks for its bits: it knows them, and encodes them."""

    def __init__(self, bits: Iterable[int]) -> None:
        self.bits = iter(bits)
        self.encoder = ArithmeticEncoder()

    def bit(self, p: int) -> int:
        bit = next(self.bits)
        self.encoder.bit(bit, p)
        return bit


def network_of(content: bytes, header: bytes) -> linr_network.Network:
    """The network of section NETW."""
    return linr_network.read_network(content, linr.read_head(header))


def tile_of_network(values: Array, span: tuple[slice, ...], net: linr_network.Network) -> bytes:
    """The content of a tile with these values, (places, channels)."""
    if net.errors[-1] == 0:
        return b""
    order = net.order or range(net.channels)
    codes = ([value ^ value >> 1 if net.gray else value for value in of_place] for of_place in values.tolist())
    bits = (of_place[c] >> net.bits - 1 - b & 1 for of_place in codes for c in order for b in range(net.bits))
    encoder = BitEncoder(bits)
    linr_network.values_of_tile(encoder, span, net)
    return encoder.encoder.finish()


def coded(
    signal: Signal,
    spec: NetworkSpec | bytes,
    *,
    bits: int,
    offset: int = 0,
    step: int = 1,
    sizes: Sequence[int] = (),
    finish: Callable[[bytes], bytes] = lambda string: string,
) -> Sections:
    """All sections of a signal with a network; `finish` may change the tiles' strings."""
    sizes = sizes or signal.axes
    content = spec if isinstance(spec, bytes) else spec.content()
    header = head(signal, 1, bits=bits, offset=offset, step=step)
    net = network_of(content, header)
    values = values_of(signal, offset, step)
    contents = [finish(tile_of_network(values[span].reshape(-1, signal.channels), span, net)) for span in spans(signal.axes, sizes)]
    return [(b"HEAD", header), (b"NETW", content), *tiled(contents, sizes)]


def exact(like: Signal, spec: NetworkSpec, bits: int) -> Signal:
    """The signal that a network alone gives, of the kind, shape and type of another one."""
    values = linr_network.network_values(network_of(spec.content(), head(like, 1, bits=bits)))
    return replace(like, samples=values.reshape(like.samples.shape).astype(like.samples.dtype))


def lossy(signal: Signal, spec: NetworkSpec | bytes, *, bits: int, offset: int = 0, step: int = 1, sizes: Sequence[int] = ()) -> Sections:
    """All sections of a lossy file: a network, and the digest of the samples that it was fitted to."""
    content = spec if isinstance(spec, bytes) else spec.content()
    header = head(signal, 1 | LOSSY, bits=bits, offset=offset, step=step)
    return [(b"HEAD", header), (b"NETW", content), (b"TIDX", b"".join(map(varint, sizes or signal.axes)))]


# Signals


def picture(height: int, width: int, channels: int, bits: int, dtype: Any = None, seed: int = 0) -> Array:
    """A gradient with a disc and some noise, the same on every machine."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    layers = []
    for c in range(channels):
        disc = ((2 * x - width) ** 2 + (2 * y - height) ** 2 < (height - c) ** 2) * 2**bits // 3
        ramp = ((c + 1) * x * 2**bits // width + (3 - c) * y * 2**bits // height) // 6
        noise = rng.integers(0, max(2 ** (bits - 5), 1), (height, width), endpoint=True)
        layers.append(np.clip(disc + ramp + noise, 0, 2**bits - 1))
    samples = np.stack(layers, -1) if channels > 1 else layers[0]
    return samples.astype(dtype or (np.uint8 if bits <= 8 else np.uint16))


def tone(frames: int, channels: int, bits: int, dtype: Any, seed: int = 0) -> Array:
    """Triangles of different periods with some noise."""
    rng = np.random.default_rng(seed)
    n = np.arange(frames)[:, None]
    period = 40 + 16 * np.arange(channels)
    triangle = (np.abs(n % period - period // 2) * 4 - period) * 2 ** (bits - 2) // period
    samples = np.clip(
        triangle + rng.integers(-(2 ** (bits - 6)), 2 ** (bits - 6), (frames, channels)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    )
    of_channels: Array = (samples if channels > 1 else samples[:, 0]).astype(dtype)
    return of_channels


def noise(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Array:
    """All values of the type, with its least and its greatest first."""
    if dtype == "?":
        return np.random.default_rng(seed).integers(0, 2, shape).astype(bool)
    native = np.dtype(dtype).newbyteorder("=")
    limits = np.iinfo(native)
    samples = np.random.default_rng(seed).integers(limits.min, limits.max, shape, native, endpoint=True)
    samples.flat[:2] = limits.min, limits.max
    return samples.astype(dtype)


# Recipes


def encoded(signal: Signal, compact: bool = False, **options: Any) -> tuple[bytes, Signal]:
    """The file that the package's encoder makes. compact: whether it may be a compact one."""
    about = (signal.kind, signal.bit_depth, signal.sample_rate, signal.metadata, signal.bfloat16)
    given = inrcodec.Signal(signal.samples, *about)  # type: ignore[arg-type]
    return inrcodec.encode(given, compact=compact, **options), signal


def recipe(
    file: str, what: str, signal: Signal | None, make: Callable[[], bytes | Sections], views: Sequence[View] = (), **about: Any
) -> Recipe:
    """A vector made by hand; about: other fields of the recipe."""

    def bytes_and_signal() -> tuple[bytes, Signal | None]:
        made = make()
        return made if isinstance(made, bytes) else file_of(made), signal

    return Recipe(file, what, bytes_and_signal, views, **about)


def fault(file: str, what: str, made: bytes | Sections | Callable[[], bytes | Sections]) -> Recipe:
    """A vector that must be refused."""
    return recipe(file, what, None, made if callable(made) else lambda: made)


def by_encoder(file: str, what: str, signal: Signal, views: Sequence[View] = (), **options: Any) -> Recipe:
    return Recipe(file, what, lambda: encoded(signal, **options), views, lossy=not options.get("payload", True))


def all_kept(folder: str, prefix: str, files: dict[str, str]) -> Iterable[Recipe]:
    """Vectors of `hybrid` that were made elsewhere: what each is, by its name after the prefix."""
    for file, what in files.items():
        yield kept(folder, f"{prefix}_{file}", f"hybrid: {what}")


def kept(folder: str, file: str, what: str) -> Recipe:
    """A vector that was made elsewhere: its file is all there is of it."""

    def bytes_and_signal() -> tuple[bytes, Signal | None]:
        data = (VECTORS / folder / f"{file}.linr").read_bytes()
        signal = by_package(data)
        assert signal is not None
        return data, signal

    return Recipe(file, what, bytes_and_signal)


# What faulty files are made of: the fault is all that is wrong with them.

SMALL = Signal(np.array([1, 2, 3, 4, 250], np.uint8))
RIGHT = b"\xff\xff\xff\xfe"  # the string of which all bits are 0


def small_stored() -> Sections:
    """HEAD, TIDX and TILE of SMALL."""
    return stored(SMALL, bits=8)


def small_coded() -> Sections:
    """HEAD, NETW, TIDX and TILE of SMALL."""
    return coded(SMALL, NetworkSpec(SMALL, 8), bits=8)


def faultless(sections: Sections) -> Sections:
    """The same, after a check that nothing is wrong with it: faulty files are made of it."""
    assert by_standalone(file_of(sections)) is not None
    return sections


# Decoding


def by_standalone(data: bytes) -> Signal | None:
    try:
        samples, about = linr.decode(data)
    except linr.Invalid:
        return None
    return Signal(samples, **about)


def by_package(data: bytes) -> Signal | None:
    try:
        signal = inrcodec.decode(data)
    except inrcodec.FormatError:
        return None
    return Signal(signal.samples, signal.kind, signal.bit_depth, signal.sample_rate, dict(signal.metadata), signal.bfloat16)


def view_by_standalone(data: bytes, view: View) -> Array:
    if view.known:
        return linr.deeper(data, view.more_bits)[0]
    return linr.network_only(data, view.size, view.more_bits, view.configuration)[0]


def view_by_package(data: bytes, view: View) -> Array:
    samples: Array = inrcodec.render(
        data,
        sizes=view.size,
        bit_depth=inrcodec.info(data)["bit_depth"] + view.more_bits if view.more_bits else 0,
        network_only=not view.known,
        config=view.configuration,
        fill="network" if view.known else "smooth",
        threads=1,
    ).samples
    return samples
