"""What the conformance vectors are made with: sections, tiles and codes written by hand. See make_vectors.py."""

from __future__ import annotations

import hashlib
import itertools
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import brotli
import numpy as np
import numpy.typing as npt

import inrcodec

HERE = Path(__file__).resolve().parent
VECTORS = HERE / "vectors"
sys.path.insert(0, str(HERE / "standalone"))

import linr  # noqa: E402  (it is no package: its folder has to be in the path first)

Array = npt.NDArray[Any]
MAGIC = b"\x89LINR\r\n\x1a\n"
KINDS = ("image", "audio", "array")


@dataclass
class Signal:
    """What a file must decode to."""

    samples: Array
    kind: str = "array"
    bit_depth: int = 0  # 0: that of the type
    sample_rate: int | None = None
    metadata: dict[str, bytes] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        return self.bit_depth or (1 if self.samples.dtype == bool else 8 * self.samples.dtype.itemsize)

    @property
    def channel_axis(self) -> bool:
        return self.samples.ndim == {"image": 3, "audio": 2, "array": 0}[self.kind]

    @property
    def axes(self) -> tuple[int, ...]:
        return self.samples.shape[:-1] if self.channel_axis else self.samples.shape

    @property
    def channels(self) -> int:
        return self.samples.shape[-1] if self.channel_axis else 1

    @property
    def raw(self) -> bytes:
        """The samples, little-endian."""
        return self.samples.astype(self.samples.dtype.newbyteorder("<")).tobytes()

    @property
    def sort(self) -> int:
        """The byte of the sample type."""
        dtype = self.samples.dtype
        return {"b": 0, "u": 1, "i": 2}[dtype.kind] | (dtype.itemsize.bit_length() - 1) << 2 | 32 * (dtype.str[0] == ">")

    @property
    def digest(self) -> bytes:
        """The digest in HEAD."""
        shape = self.samples.shape
        fixed = bytes([KINDS.index(self.kind), self.sort, self.depth, len(shape)])
        rate = b"" if self.sample_rate is None else varint(self.sample_rate)
        return hashlib.sha256(b"".join([fixed, *map(varint, shape), rate, self.raw])).digest()


@dataclass
class Recipe:
    """How to make a vector: `make` gives its bytes and, unless it is faulty, what they must decode to."""

    file: str
    what: str
    make: Callable[[], tuple[bytes, Signal | None]]


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
    """A HEAD section; `faults` replace fields that follow from the signal."""
    kind, shape = faults.get("kind", KINDS.index(signal.kind)), faults.get("shape", signal.samples.shape)
    rate = faults.get("rate", signal.sample_rate)
    digest: bytes = faults.get("digest", signal.digest)
    return b"".join(
        [
            bytes([profile, kind, faults.get("sort", signal.sort), faults.get("depth", signal.depth), len(shape)]),
            *(varint(size) for size in shape),
            b"" if rate is None else varint(rate),
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


def coded_integers(arrays: Iterable[Sequence[int]]) -> bytes:
    encoder = ArithmeticEncoder()
    for array in arrays:
        unary = [linr.Adaptive(2**21, 0, 255) for _ in range(32)]
        mantissa = [[linr.Adaptive(2**21, 0, 255) for _ in range(4)] for _ in range(33)]
        for number in array:
            length = abs(number).bit_length()
            for i in range(min(length + 1, 32)):
                encoder.adaptive(int(i < length), unary[i])
            if length == 0:
                continue
            encoder.bit(int(number < 0), 32768)
            for i in range(length - 1):
                bit = abs(number) >> length - 2 - i & 1
                if i < 2:
                    before = abs(number) >> length - 1 - i & 1
                    encoder.adaptive(bit, mantissa[length][1 if i == 0 else 2 + before])
                else:
                    encoder.bit(bit, 32768)
    return encoder.finish()


@dataclass
class NetworkSpec:
    """A network to be written, as NETW has it. What is not given is random."""

    signal: Signal
    bits: int
    flags: int = 1
    hidden: int = 5
    layers: int = 1
    octaves: int = 0
    coding: int = 0
    setting: int = 8
    gains: Sequence[int] = (64,)  # used in turn
    scales: dict[int, tuple[int, int]] = field(default_factory=dict)
    biases: dict[int, Sequence[int]] = field(default_factory=dict)
    matrices: dict[int, Sequence[int]] = field(default_factory=dict)  # row by row
    non_zeros: int = 3  # per sparse vector
    sparse: dict[int, tuple[Sequence[int], Sequence[int]]] = field(default_factory=dict)  # atoms and values of each vector
    count: int | None = None  # s, where it is to be wrong
    numbers: bytes | None = None

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(outputs, inputs) of all layers."""
        inputs = (len(self.signal.axes) + bool(self.flags & 2)) * (1 + 2 * self.octaves)
        outputs = self.signal.channels * (1 if self.flags & 6 else self.bits)
        widths = [inputs, *[self.hidden] * self.layers, outputs]
        return [(o, i) for i, o in itertools.pairwise(widths)] * (self.bits if self.flags & 4 else 1)

    def first(self, layer: int) -> bool:
        return layer % (self.layers + 1) == 0

    def last(self, layer: int) -> bool:
        return layer % (self.layers + 1) == self.layers

    def dense(self, layer: int) -> bool:
        return self.coding != linr.SINR or (self.first(layer) and self.octaves == 0)

    def scale(self, layer: int) -> tuple[int, int]:
        """So that arguments are of the size of a period, and logits of some thousands."""
        if layer in self.scales:
            return self.scales[layer]
        spread = 7 if self.dense(layer) else 13  # bits of a weight
        return 3, spread + (24 if self.first(layer) and self.octaves == 0 else 14) - (10 if self.last(layer) else 15)

    def content(self) -> bytes:
        rng = np.random.default_rng(self.setting)
        header = bytes([self.flags]) + varint(self.hidden) + varint(self.layers) + varint(self.octaves) + bytes([self.coding, self.setting])
        scales = [varint(m) + bytes([s]) for m, s in map(self.scale, range(len(self.shapes)))]
        planes = self.signal.channels * self.bits
        gains = bytes(itertools.islice(itertools.cycle(self.gains), planes)) if self.gains else b""
        biases = [self.biases.get(j) or rng.integers(-3000, 3000, o).tolist() for j, (o, i) in enumerate(self.shapes)]
        matrices = [
            self.matrices.get(j) or rng.integers(-127, 128, o * i).tolist() for j, (o, i) in enumerate(self.shapes) if self.dense(j)
        ]
        numbers = coded_integers([*biases, *matrices]) if self.numbers is None else self.numbers
        sparse = self.sparse_matrices(rng) if self.coding == linr.SINR else b""
        return b"".join([header, *scales, gains, varint(len(numbers)), numbers, sparse])

    def sparse_matrices(self, rng: np.random.Generator) -> bytes:
        counts, gaps, values = [], list[int](), list[int]()
        for layer, (outputs, inputs) in enumerate(self.shapes):
            if self.dense(layer):
                continue
            vectors, length = linr.vectors_of(linr.Layer(outputs, inputs))
            if layer in self.sparse:
                vector_atoms, vector_values = self.sparse[layer]
                counts.append(len(vector_atoms))
            else:
                vector_atoms, vector_values = [], []
                counts.append(min(self.non_zeros, length))
            for _ in range(vectors):
                if layer not in self.sparse:
                    vector_atoms = sorted(rng.choice(2 * length, counts[-1], replace=False).tolist())
                    vector_values = rng.integers(-300, 300, counts[-1]).tolist()
                gaps += [atom - before - 1 for before, atom in itertools.pairwise([-1, *vector_atoms])]
                values += vector_values
        lows_and_highs = [
            octet for numbers in (gaps, values) for shift in (0, 8) for octet in (number >> shift & 255 for number in numbers)
        ]
        if self.count is not None:
            counts[-1] = self.count
        stream: bytes = brotli.compress(bytes(lows_and_highs))
        return b"".join(map(varint, counts)) + stream


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
    head_content = head(signal, 1, bits=bits, offset=offset, step=step)
    network = spec if isinstance(spec, bytes) else spec.content()
    net = linr.read_network(network, linr.read_head(head_content))
    values = values_of(signal, offset, step)
    contents = []
    for span in spans(signal.axes, sizes):
        encoder = ArithmeticEncoder()
        planes = [linr.Plane() for _ in range(net.planes)]
        of_places = values[span].reshape(-1, signal.channels).tolist()
        for of_place, arguments in zip(of_places, linr.squash_arguments(span, signal.axes, net), strict=True):
            codes = [value ^ value >> 1 if net.gray else value for value in of_place]
            for number, (plane, t) in enumerate(zip(planes, arguments, strict=True)):
                bit = codes[number // bits] >> bits - 1 - number % bits & 1
                encoder.bit(bit, plane.probability(t))
                plane.update(t, bit)
        contents.append(finish(encoder.finish()))
    return [(b"HEAD", head_content), (b"NETW", network), *tiled(contents, sizes)]


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


def encoded(signal: Signal, **options: Any) -> tuple[bytes, Signal]:
    """The file that the package's encoder makes."""
    data = inrcodec.encode(
        signal.samples,
        kind=signal.kind,  # type: ignore[arg-type]
        bit_depth=signal.bit_depth,
        sample_rate=signal.sample_rate,
        metadata=signal.metadata,
        **options,
    )
    return data, signal


def recipe(file: str, what: str, signal: Signal | None, make: Callable[[], bytes | Sections]) -> Recipe:
    """A vector made by hand."""

    def bytes_and_signal() -> tuple[bytes, Signal | None]:
        made = make()
        return made if isinstance(made, bytes) else file_of(made), signal

    return Recipe(file, what, bytes_and_signal)


def fault(file: str, what: str, made: bytes | Sections | Callable[[], bytes | Sections]) -> Recipe:
    """A vector that must be refused."""
    return recipe(file, what, None, made if callable(made) else lambda: made)


def by_encoder(file: str, what: str, signal: Signal, **options: Any) -> Recipe:
    return Recipe(file, what, lambda: encoded(signal, **options))


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
    return Signal(signal.samples, signal.kind, signal.bit_depth, signal.sample_rate, dict(signal.metadata))
