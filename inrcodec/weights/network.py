"""A coded network ↔ the content of section NETW. SPEC.md, "NETW", defines it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import get_args

import numpy as np
import numpy.typing as npt

from ..container import Reader, varint
from ..errors import FormatError
from ..kernels import integers
from ..kernels.architecture import MAX_VALUE_BITS, Activation, Architecture, Body, Form, Level
from ..kernels.inr import (
    LARGEST_BIAS,
    LARGEST_CELL,
    LARGEST_HALVING,
    LARGEST_MULTIPLIER,
    LARGEST_SHIFT,
    LARGEST_WEIGHT,
    BoundError,
    Cells,
    Layer,
    Network,
)
from ..kernels.meancode import Joint
from . import codings, sinr

FORMS, BODIES, ACTIVATIONS = get_args(Form), get_args(Body), get_args(Activation)  # their numbers in files are their places here
GRAY, COLOUR, NORMALIZED, UNBIASED, SCALES, GRID, PARTS = 1, 2, 4, 8, 16, 32, 64
DIRECT = 0x80  # of the byte that has the size of a level's table
MAX_HIDDEN, MAX_LAYERS, MAX_OCTAVES, MAX_BIT_PLACES = 8192, 32, 24, 64
MAX_LEVELS, MAX_SPACING, MAX_FEATURES, MAX_TABLE, MAX_CONFIGURATIONS = 32, 28, 256, 24, 16
MAX_GRID_AXIS = 1 << 28
MAX_PARAMETERS = 1 << 24
MAX_GRAIN = 31
MAX_ERROR = 2**63 - 1
ERROR_BITS, FINE_ERROR_BITS = 8, 24  # fractional bits of an error; of values of one bit, and of distances


@dataclass(frozen=True)
class CodedNetwork:
    """A network as the file holds it.

    Attributes:
        network: the integer network.
        coding: name of the weight coding.
        setting: bits per weight of "uniform" and "lsq"; the dictionary's seed (0 … 255) of "sinr"; 0 of "ternary".
        gains: (bit-planes,) a gain code for each bit-plane, see `kernels.calibration.gain`; unused by form "values".
        joint: of form "values", how channels are coded; else None. Such a network has halvings.
        gray: whether the bit-planes are those of the values' Gray code.
        sparse: the sparse codes of the layers for "sinr", [network][layer], None for a layer written as integers; else empty.
        errors: for each configuration of the architecture, the mean squared error of the values that the network alone gives, times
            2^`error_bits`, rounded, at least 1 unless there is none. If the last is 0, tiles are empty.
        distances: of values of one bit, for each configuration, the Jaccard distance of the ones, × 2^24, as `errors`; else empty. If
            none are given, they are as small as the errors allow.
    """

    network: Network
    coding: str
    setting: int
    gains: npt.NDArray[np.uint8]
    joint: Joint | None = None
    gray: bool = False
    sparse: Sequence[Sequence[sinr.Sparse | None]] = ()
    errors: tuple[int, ...] = (1,)
    distances: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.network.architecture.bits == 1 and not self.distances:
            object.__setattr__(self, "distances", tuple(min(error, 1) for error in self.errors))


def error_bits(a: Architecture) -> int:
    """Fractional bits of the mean squared errors in section NETW: of values of one bit they are shares of wrong values, and small."""
    return FINE_ERROR_BITS if a.bits == 1 else ERROR_BITS


def sparse_layers(architecture: Architecture) -> list[bool]:
    """For each matrix, whether `sinr` codes it sparsely: all but those that take the coordinates as they are."""
    return [not architecture.takes_coordinates(i) for i in range(len(architecture.matrices))]


def shells(a: Architecture) -> Iterator[list[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]]:
    """For each configuration, which elements of each matrix, and of each bias, it has and no configuration before it has."""
    known = [(np.zeros(shape, np.bool_), np.zeros(shape[0], np.bool_)) for shape in a.shapes]
    last = len(a.shapes) - 1
    for layers, hidden in a.configurations:
        smaller = a.smaller(layers, hidden)
        found = [(np.zeros_like(w), np.zeros_like(b)) for w, b in known]
        for (outputs, inputs), i in zip(smaller.shapes, [*range(layers), last], strict=True):
            for new, old, part in zip(found[i], known[i], ((slice(outputs), slice(inputs)), slice(outputs)), strict=True):
                new[part] = ~old[part]
                old[part] = True
        yield found


def _write_architecture(a: Architecture, gray: bool) -> bytes:
    form = FORMS.index(a.form) | BODIES.index(a.body) << 2 | ACTIVATIONS.index(a.activation) << 4
    flags = (GRAY * gray) | (COLOUR * a.colour) | (NORMALIZED * a.normalized) | (UNBIASED * (not a.biased)) | (SCALES * a.scales)
    flags |= GRID * bool(a.levels) | PARTS * bool(a.widths)
    out = [bytes([form, flags]), varint(a.hidden), varint(a.layers), varint(a.octaves)]
    if a.form == "siren":
        out.append(varint(a.bit_places))
    if a.levels:
        out.append(varint(len(a.levels)))
        out += [bytes([x.spacing]) + varint(x.features) + bytes([x.table | DIRECT * x.direct]) for x in a.levels]
    if a.widths:
        out += [varint(len(sizes)) + b"".join(map(varint, sizes)) for sizes in (a.widths, a.depths)]
    return b"".join(out)


def _write_joint(joint: Joint, halvings: npt.NDArray[np.int64] | None) -> bytes:
    assert halvings is not None
    return write_joining(joint.order, joint.factors) + bytes([*joint.scales.tolist(), *halvings.tolist()])


def write_joining(order: npt.NDArray[np.int64], factors: npt.NDArray[np.int64]) -> bytes:
    """The order of the channels, and the factors between them, see `kernels.meancode.Joint`."""
    return bytes(order.tolist()) + factors[np.tril_indices(len(order), -1)].astype("<i2").tobytes()


def write(coded: CodedNetwork) -> bytes:
    """The content of section NETW."""
    n, a = coded.network, coded.network.architecture
    layers = [layer for network in n.layers for layer in network]
    scaled: list[Layer | Cells] = [*layers, *(cells for cells, level in zip(n.cells, a.levels, strict=True) if not level.direct)]
    out = [
        _write_architecture(a, coded.gray),
        bytes([codings.named(coded.coding).number, coded.setting]),
        *map(varint, [*coded.errors, *coded.distances]),
        *[varint(x.multiplier) + bytes([x.shift]) for x in scaled],
        bytes(map(_grain, layers)) if a.biased else b"",
        coded.gains.astype(np.uint8).tobytes() if coded.joint is None else _write_joint(coded.joint, n.halvings),
    ]
    if a.widths:
        return b"".join([*out, *_write_shells(coded)])
    codes = [code for network in coded.sparse for code in network] or [None] * len(layers)
    plain = [layer.weights for layer, code in zip(layers, codes, strict=True) if code is None]
    parts = [
        *(layer.bias >> _grain(layer) for layer in layers if a.biased),
        *plain,
        *(column for cells in n.cells for column in cells.numbers.T),
    ]
    numbers = integers.encode(parts, [0] * (len(parts) - len(_rows(a))) + _rows(a))
    out += [varint(len(numbers)), numbers]
    if codings.named(coded.coding).sparse:
        out.append(sinr.write([code for code in codes if code is not None]))
    return b"".join(out)


def _write_shells(coded: CodedNetwork) -> list[bytes]:
    """The numbers of a network with smaller ones in it: for each configuration a length, a CRC-32, and coded integers."""
    layers, states, out = coded.network.layers[0], [integers.fresh(), integers.fresh()], []
    biased = coded.network.architecture.biased
    for found in shells(coded.network.architecture):
        weights = np.concatenate([layer.weights[w] for layer, (w, _) in zip(layers, found, strict=True)])
        biases = np.concatenate([layer.bias[b] >> _grain(layer) for layer, (_, b) in zip(layers, found, strict=True)])
        data = integers.encode([biases[: len(biases) * biased], weights], (), states)
        out.append(varint(len(data)) + zlib.crc32(data).to_bytes(4, "little") + data)
    return out


def _grain(layer: Layer) -> int:
    """How many zero bits all biases of a layer end in, at most MAX_GRAIN: they are written without these."""
    every = int(np.bitwise_or.reduce(layer.bias))
    return min((every & -every).bit_length() - 1, MAX_GRAIN) if every else 0


def _rows(a: Architecture) -> list[int]:
    """The width of the rows of each array of cells: the nodes along the last axis, 0 where nodes share cells by a hash."""
    return [0 if level.table else level.nodes(a.sizes)[-1] for level in a.levels for _ in range(level.features)]


@dataclass(frozen=True)
class Written:
    """Section NETW, parsed as far as it can be without decoding its numbers, which may be many.

    Attributes:
        architecture: of the network.
        coding, setting, gains, joint, gray, errors, distances: as in CodedNetwork; halvings: as in Network.
        scales: (multiplier, shift) of each layer of all networks, then of each level that is not direct.
        grains: zero bits that the biases of each layer end in, which are not written.
        numbers: the coded integers; of a network with smaller ones in it, those of each shell that is there.
        ends: for each of `numbers`, where it ends in the section.
        counts: the form of the sparse layers, and the non-zeros of a vector of each; sparse: the codes of these layers.
    """

    architecture: Architecture
    coding: str
    setting: int
    gains: npt.NDArray[np.uint8]
    joint: Joint | None
    halvings: npt.NDArray[np.int64] | None
    gray: bool
    errors: tuple[int, ...]
    distances: tuple[int, ...]
    scales: Sequence[tuple[int, int]]
    grains: Sequence[int]
    numbers: Sequence[bytes]
    ends: Sequence[int]
    counts: sinr.Counts
    sparse: bytes

    @property
    def exact(self) -> bool:
        """Whether the network alone gives every value, so that tiles are empty."""
        return self.errors[-1] == 0

    @property
    def parameters(self) -> int:
        """Numbers that the file holds."""
        return self.architecture.parameters

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(outputs, inputs) of each layer of all networks."""
        return self.architecture.shapes * self.architecture.networks

    @property
    def is_sparse(self) -> list[bool]:
        """For each layer of all networks, whether it is written as sparse codes."""
        a = self.architecture
        return sparse_layers(a) * a.networks if codings.named(self.coding).sparse else [False] * len(self.shapes)

    @property
    def memory(self) -> int:
        """The most bytes that `decode` takes at once, its result included."""
        a = self.architecture
        sparse = [shape for shape, is_sparse in zip(self.shapes, self.is_sparse, strict=True) if is_sparse]
        largest = max(*(o * i for o, i in self.shapes), *(level.cells(a.sizes) * level.features for level in a.levels), 0)
        # per parameter: decoded integers of 8 bytes; then integers of 4 and floats of 8; for one layer at a time also what it comes from
        # with smaller networks in it, the last shell may have nearly all of them, decoded twice beside the matrices and their masks
        kept = 28 * a.parameters if a.widths else 12 * a.parameters + 16 * largest
        return kept + sinr.memory(self.counts, sparse)

    def decode(self) -> CodedNetwork:
        """The network. Raises FormatError if its numbers are damaged, or if sums of its weights would not be exact."""
        a = self.architecture
        codes: list[sinr.Sparse | None] = [None] * len(self.shapes)
        if a.widths:
            network = self._joined(len(self.numbers))
        else:
            sparse_shapes = [shape for shape, sparse in zip(self.shapes, self.is_sparse, strict=True) if sparse]
            found = iter(sinr.decode(self.counts, self.sparse, sparse_shapes) if sparse_shapes else [])
            codes = [next(found) if sparse else None for sparse in self.is_sparse]
            network = self._plain(codes)
        per = len(a.matrices)
        nested = [codes[i : i + per] for i in range(0, len(codes), per)] if codings.named(self.coding).sparse else ()
        told = self.errors, self.distances
        return CodedNetwork(network, self.coding, self.setting, self.gains, self.joint, self.gray, nested, *told)

    def _plain(self, codes: Sequence[sinr.Sparse | None]) -> Network:
        """The network from one string of integers and the codes of the sparse layers. Raises FormatError."""
        a, shapes = self.architecture, self.shapes
        biases = [o for o, _ in shapes] if a.biased else []
        plain = [o * i for (o, i), code in zip(shapes, codes, strict=True) if code is None]
        columns = [level.cells(a.sizes) for level in a.levels for _ in range(level.features)]
        widths = [0] * (len(biases) + len(plain)) + _rows(a)
        parts = integers.decode(self.numbers[0], [*biases, *plain, *columns], widths)[::-1]
        bias = [
            _coarse(parts.pop(), grain) if a.biased else np.zeros(o, np.int64) for (o, _), grain in zip(shapes, self.grains, strict=True)
        ]
        flat = []
        for shape, code, b, scale in zip(shapes, codes, bias, self.scales, strict=False):
            weights = parts.pop().reshape(shape) if code is None else sinr.expand(code, self.setting)
            flat.append(Layer(_narrow(weights, LARGEST_WEIGHT), b, *scale))
        scales = iter(self.scales[len(flat) :])
        cells = []
        for level in a.levels:
            numbers = np.stack([_narrow(parts.pop(), LARGEST_CELL) for _ in range(level.features)], axis=1)
            cells.append(Cells(numbers, *((0, 0) if level.direct else next(scales))))
        per = len(a.matrices)
        return self._exact([flat[i : i + per] for i in range(0, len(flat), per)], cells)

    def _joined(self, count: int) -> Network:
        """The network from its first `count` shells; what no shell of these has is 0. Raises FormatError."""
        a = self.architecture
        weights, biases = [np.zeros(s, np.int64) for s in a.shapes], [np.zeros(o, np.int64) for o, _ in a.shapes]
        states = [integers.fresh(), integers.fresh()]
        for data, found in zip(self.numbers[:count], shells(a), strict=False):
            sizes = [sum(int(b.sum()) for _, b in found) * a.biased, sum(int(w.sum()) for w, _ in found)]
            new_biases, new_weights = integers.decode(data, sizes, (), states)
            for layer, (w, b) in enumerate(found):
                n = int(w.sum())
                weights[layer][w], new_weights = new_weights[:n], new_weights[n:]
                if a.biased:
                    n = int(b.sum())
                    biases[layer][b], new_biases = new_biases[:n], new_biases[n:]
        layers = [
            Layer(_narrow(w, LARGEST_WEIGHT), _coarse(b, grain), *scale)
            for w, b, grain, scale in zip(weights, biases, self.grains, self.scales, strict=True)
        ]
        return self._exact([layers], [])

    def _exact(self, layers: Sequence[Sequence[Layer]], cells: Sequence[Cells]) -> Network:
        """The network. Raises FormatError if sums of its weights would not be exact."""
        try:
            return Network(self.architecture, layers, cells, self.halvings)
        except BoundError as fault:
            raise FormatError(f"damaged: {fault}") from fault


def _narrow(weights: npt.NDArray[np.int64], largest: int) -> npt.NDArray[np.int32]:
    """Weights in half the memory. Raises FormatError if one is larger than a network may have."""
    if weights.size and max(int(weights.max()), -int(weights.min())) > largest:
        raise FormatError("damaged: a weight is out of range")
    return weights.astype(np.int32)


def _coarse(biases: npt.NDArray[np.int64], grain: int) -> npt.NDArray[np.int64]:
    """Biases with the zero bits that were not written. Raises FormatError if one is larger than a network may have."""
    if int(np.abs(biases).max()) << grain > LARGEST_BIAS:
        raise FormatError("damaged: a layer's bias is out of range")
    return biases << grain


def _parse_architecture(r: Reader, sizes: tuple[int, ...], channels: int, bits: int) -> tuple[Architecture, bool]:
    """The architecture, and whether bit-planes are those of the Gray code. Raises FormatError."""
    form, flags = r.byte(), r.byte()
    hidden, layers, octaves = r.varint(MAX_HIDDEN), r.varint(MAX_LAYERS), r.varint(MAX_OCTAVES)
    if form >> 6 or flags >> 7 or (form >> 2 & 3) >= len(BODIES) or (form >> 4) >= len(ACTIVATIONS) or not hidden or not layers:
        raise FormatError("damaged: the network's description is out of range")
    kind, body, activation = FORMS[form & 3], BODIES[form >> 2 & 3], ACTIVATIONS[form >> 4]
    places = r.varint(MAX_BIT_PLACES) if kind == "siren" else 0
    levels = tuple(_parse_level(r) for _ in range(r.varint(MAX_LEVELS))) if flags & GRID else ()
    widths, depths = [_parse_sizes(r, last) for last in (hidden, layers)] if flags & PARTS else ((), ())
    values = kind == "values"
    faults = (
        kind == "siren" and places < bits,
        values and (bits > MAX_VALUE_BITS or bool(flags & GRAY)),
        flags & SCALES and not values,
        body == "filters" and (activation != "sine" or bool(flags & NORMALIZED)),
        flags & GRID and (not levels or max(sizes) > MAX_GRID_AXIS or kind == "bitlinear"),
        any(level.direct and (not values or level.features != channels) for level in levels),
        flags & PARTS and (bool(levels) or body != "mlp" or kind == "bitlinear"),
        flags & COLOUR and kind == "bitlinear",
    )
    if any(faults):
        raise FormatError("damaged: the network's description contradicts itself")
    a = Architecture(
        sizes, channels, bits, hidden, layers, kind, body, activation, octaves, places, bool(flags & COLOUR), bool(flags & NORMALIZED),
        not flags & UNBIASED, bool(flags & SCALES), levels, widths, depths,
    )  # fmt: skip
    if a.parameters > MAX_PARAMETERS:
        raise FormatError("damaged: the network is too large")
    return a, bool(flags & GRAY)


def parse_errors(r: Reader, a: Architecture) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The errors of the configurations, and of values of one bit the distances of the ones, else none. Raises FormatError."""
    errors = tuple(r.varint(MAX_ERROR) for _ in a.configurations)
    if a.bits != 1:
        return errors, ()
    distances = tuple(r.varint(1 << FINE_ERROR_BITS) for _ in a.configurations)
    if any(bool(error) != bool(distance) for error, distance in zip(errors, distances, strict=True)):
        raise FormatError("damaged: the network's errors contradict each other")
    return errors, distances


def _parse_level(r: Reader) -> Level:
    spacing, features, table = r.byte(), r.varint(MAX_FEATURES), r.byte()
    if spacing > MAX_SPACING or not features or table & ~DIRECT > MAX_TABLE:
        raise FormatError("damaged: a level of the network's grid is out of range")
    return Level(spacing, features, table & ~DIRECT, bool(table & DIRECT))


def _parse_sizes(r: Reader, last: int) -> tuple[int, ...]:
    """Widths or depths of the networks in a network, ascending; the last is that of the whole network."""
    found = tuple(r.varint() for _ in range(r.varint(MAX_CONFIGURATIONS)))
    if not found or found[0] < 1 or found[-1] != last or any(a >= b for a, b in pairwise(found)):
        raise FormatError("damaged: the sizes of the networks in the network are out of order")
    return found


def parse_joining(r: Reader, channels: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The inverse of `write_joining`. Raises FormatError."""
    order = np.frombuffer(r.take(channels), np.uint8).astype(np.int64)
    if sorted(order.tolist()) != list(range(channels)):
        raise FormatError("damaged: the order of the channels is out of range")
    factors = np.zeros((channels, channels), np.int64)
    factors[np.tril_indices(channels, -1)] = np.frombuffer(r.take(channels * (channels - 1)), "<i2")
    return order, factors


def _parse_joint(r: Reader, channels: int) -> Joint:
    return Joint(*parse_joining(r, channels), np.frombuffer(r.take(channels), np.uint8).astype(np.int64))


def parse_scale(r: Reader) -> tuple[int, int]:
    """(multiplier, shift) of a layer. Raises FormatError."""
    multiplier, shift = r.varint(LARGEST_MULTIPLIER - 1), r.byte()
    if shift > LARGEST_SHIFT:
        raise FormatError("damaged: a layer's shift is out of range")
    return multiplier, shift


def parse(content: bytes, sizes: tuple[int, ...], channels: int, bits: int, cut: bool = False) -> Written:
    """Parse section NETW without decoding its numbers. sizes: of the coordinate axes; channels, bits per value: of the signal.

    cut: whether the section ends early: of a network with smaller ones in it, the shells that are whole are taken; others are refused.

    Raises FormatError if the section is damaged, or a size is out of range.
    """
    r = Reader(content, "the network")
    a, gray = _parse_architecture(r, sizes, channels, bits)
    if cut and not a.widths:
        raise FormatError("truncated: the network ends too early")
    coding, setting = codings.numbered(r.byte()), r.byte()
    if coding is None or (coding.sparse and a.widths):
        raise FormatError("damaged: the network's description is out of range")
    errors, distances = parse_errors(r, a)
    count = len(a.matrices) * a.networks + sum(not level.direct for level in a.levels)
    scales = [parse_scale(r) for _ in range(count)]
    layers = len(a.matrices) * a.networks
    grains = r.take(layers) if a.biased else bytes(layers)
    if max(grains) > MAX_GRAIN:
        raise FormatError("damaged: the biases of a layer have too many zero bits")
    joint = _parse_joint(r, channels) if a.form == "values" else None
    halvings = np.frombuffer(r.take(a.outputs), np.uint8).astype(np.int64) if joint else None
    if halvings is not None and int(halvings.max()) > LARGEST_HALVING:
        raise FormatError("damaged: an output's range is out of range")
    gains = np.frombuffer(r.take(0 if joint else a.planes), np.uint8)
    numbers, ends = _parse_shells(r, len(a.configurations), cut) if a.widths else ([r.take(r.varint())], [])
    ends = ends or [r.position]
    sparse = [shape for shape, is_sparse in zip(a.shapes * a.networks, sparse_layers(a) * a.networks, strict=True) if is_sparse]
    counts = sinr.read_counts(r, sparse if coding.sparse else [])
    rest = r.rest() if coding.sparse else b""
    if not cut:
        r.end()
    return Written(a, coding.name, setting, gains, joint, halvings, gray, errors, distances, scales, grains, numbers, ends, counts, rest)


def _parse_shells(r: Reader, count: int, cut: bool) -> tuple[list[bytes], list[int]]:
    """The shells, and where each ends. cut: stop before the first that is not whole. Raises FormatError."""
    found: list[bytes] = []
    ends: list[int] = []
    for _ in range(count):
        try:
            size, checksum = r.varint(), int.from_bytes(r.take(4), "little")
            data = r.take(size)
            if zlib.crc32(data) != checksum:
                raise FormatError("damaged: the checksum of a part of the network does not match")
        except FormatError:
            if cut and found:
                break
            raise
        found.append(data)
        ends.append(r.position)
    return found, ends


def read(content: bytes, sizes: tuple[int, ...], channels: int, bits: int) -> CodedNetwork:
    """The network of section NETW: `parse`, then `Written.decode`. Raises FormatError."""
    return parse(content, sizes, channels, bits).decode()
