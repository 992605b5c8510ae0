"""A coded network ↔ the content of section NETW. SPEC.md, "NETW", defines it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..container import Reader, varint
from ..errors import FormatError
from ..kernels import integers
from ..kernels.inr import LARGEST_MULTIPLIER, LARGEST_SHIFT, LARGEST_WEIGHT, Activation, Architecture, BoundError, Layer, Network
from . import codings, sinr

SINE, BIT_COORDINATE, PER_PLANE, GRAY = 1, 2, 4, 8
MAX_HIDDEN, MAX_LAYERS, MAX_OCTAVES = 8192, 32, 24
MAX_PARAMETERS = 1 << 24


@dataclass(frozen=True)
class CodedNetwork:
    """A network as the file holds it.

    Attributes:
        network: the integer network.
        coding: name of the weight coding.
        setting: bits per weight of "uniform" and "lsq"; the dictionary's seed (0 … 255) of "sinr"; 0 of "ternary".
        gains: (bit-planes,) a gain code for each bit-plane, see `kernels.calibration.gain`.
        gray: whether the bit-planes are those of the values' Gray code.
        sparse: the sparse codes of the layers for "sinr", [network][layer], None for a layer written as integers; else empty.
    """

    network: Network
    coding: str
    setting: int
    gains: npt.NDArray[np.uint8]
    gray: bool = False
    sparse: Sequence[Sequence[sinr.Sparse | None]] = ()


def sparse_layers(architecture: Architecture) -> list[bool]:
    """For each layer, whether `sinr` codes it sparsely: all but a first layer that takes the coordinates without positional encoding."""
    return [i > 0 or architecture.octaves > 0 for i in range(architecture.layers + 1)]


def write(coded: CodedNetwork) -> bytes:
    """The content of section NETW."""
    a = coded.network.architecture
    flags = (SINE if a.activation == "sine" else 0) | (BIT_COORDINATE if a.bit_coordinate else 0) | (PER_PLANE if a.per_plane else 0)
    flags |= GRAY if coded.gray else 0
    layers = [layer for network in coded.network.layers for layer in network]
    out = [
        bytes([flags]),
        varint(a.hidden),
        varint(a.layers),
        varint(a.octaves),
        bytes([codings.named(coded.coding).number, coded.setting]),
        *[varint(layer.multiplier) + bytes([layer.shift]) for layer in layers],
        coded.gains.astype(np.uint8).tobytes(),
    ]
    codes = [code for network in coded.sparse for code in network] or [None] * len(layers)
    plain = [layer.weights for layer, code in zip(layers, codes, strict=True) if code is None]
    numbers = integers.encode([*(layer.bias for layer in layers), *plain])
    out += [varint(len(numbers)), numbers]
    if codings.named(coded.coding).sparse:
        out.append(sinr.write([code for code in codes if code is not None]))
    return b"".join(out)


@dataclass(frozen=True)
class Written:
    """Section NETW, parsed as far as it can be without decoding its numbers, which may be many.

    Attributes:
        architecture: of the network.
        coding, setting, gains, gray: as in CodedNetwork.
        scales: (multiplier, shift) of each layer of all networks.
        numbers: the coded integers.
        counts: the form of the sparse layers, and the non-zeros of a vector of each; sparse: the codes of these layers.
    """

    architecture: Architecture
    coding: str
    setting: int
    gains: npt.NDArray[np.uint8]
    gray: bool
    scales: Sequence[tuple[int, int]]
    numbers: bytes
    counts: sinr.Counts
    sparse: bytes

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
        sparse = [shape for shape, is_sparse in zip(self.shapes, self.is_sparse, strict=True) if is_sparse]
        # per parameter: decoded integers of 8 bytes; then integers of 4 and floats of 8; for one layer at a time also what it comes from
        kept = 12 * self.architecture.parameters + 16 * max(o * i for o, i in self.shapes)
        return kept + sinr.memory(self.counts, sparse)

    def decode(self) -> CodedNetwork:
        """The network. Raises FormatError if its numbers are damaged, or if sums of its weights would not be exact."""
        a, shapes = self.architecture, self.shapes
        both = list(zip(shapes, self.is_sparse, strict=True))
        sparse_shapes = [shape for shape, sparse in both if sparse]
        found = iter(sinr.decode(self.counts, self.sparse, sparse_shapes) if sparse_shapes else [])
        codes = [next(found) if sparse else None for _, sparse in both]
        parts = integers.decode(self.numbers, [*(o for o, _ in shapes), *(o * i for (o, i), sparse in both if not sparse)])
        biases, plain = parts[: len(shapes)], parts[: len(shapes) - 1 : -1]
        del parts
        flat = []
        for shape, bias, scale, code in zip(shapes, biases, self.scales, codes, strict=True):
            weights = plain.pop().reshape(shape) if code is None else sinr.expand(code, self.setting)
            flat.append(Layer(_narrow(weights), bias, *scale))
        per = a.layers + 1
        try:
            network = Network(a, [flat[i : i + per] for i in range(0, len(flat), per)])
        except BoundError as fault:
            raise FormatError(f"damaged: {fault}") from fault
        nested = [codes[i : i + per] for i in range(0, len(codes), per)] if sparse_shapes else ()
        return CodedNetwork(network, self.coding, self.setting, self.gains, self.gray, nested)


def _narrow(weights: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Weights in half the memory. Raises FormatError if one is larger than a network may have."""
    if max(int(weights.max()), -int(weights.min())) > LARGEST_WEIGHT:
        raise FormatError("damaged: a weight is out of range")
    return weights.astype(np.int32)


def parse(content: bytes, axes: int, channels: int, bits: int) -> Written:
    """Parse section NETW without decoding its numbers. axes, channels, bits: coordinate axes, channels, and bits per value of the signal.

    Raises FormatError if the section is damaged, or a size is out of range.
    """
    r = Reader(content, "the network")
    flags, hidden, layers, octaves = r.byte(), r.varint(MAX_HIDDEN), r.varint(MAX_LAYERS), r.varint(MAX_OCTAVES)
    coding, setting = codings.numbered(r.byte()), r.byte()
    if flags > 15 or (flags & BIT_COORDINATE and flags & PER_PLANE) or coding is None or not hidden or not layers:
        raise FormatError("damaged: the network's description is out of range")
    activation: Activation = "sine" if flags & SINE else "gelu"
    per_bit, per_plane = bool(flags & BIT_COORDINATE), bool(flags & PER_PLANE)
    a = Architecture(axes, channels, bits, hidden, layers, activation, octaves, per_bit, per_plane)
    if a.parameters > MAX_PARAMETERS:
        raise FormatError("damaged: the network is too large")
    shapes = a.shapes * a.networks
    scales = [(r.varint(LARGEST_MULTIPLIER - 1), r.byte()) for _ in shapes]
    if any(shift > LARGEST_SHIFT for _, shift in scales):
        raise FormatError("damaged: a layer's shift is out of range")
    gains = np.frombuffer(r.take(a.planes), np.uint8)
    numbers = r.take(r.varint())
    sparse = [shape for shape, is_sparse in zip(shapes, sparse_layers(a) * a.networks, strict=True) if is_sparse and coding.sparse]
    counts = sinr.read_counts(r, sparse)
    rest = r.rest() if coding.sparse else b""
    r.end()
    return Written(a, coding.name, setting, gains, bool(flags & GRAY), scales, numbers, counts, rest)


def read(content: bytes, axes: int, channels: int, bits: int) -> CodedNetwork:
    """The network of section NETW: `parse`, then `Written.decode`. Raises FormatError."""
    return parse(content, axes, channels, bits).decode()
