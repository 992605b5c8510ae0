"""A coded network ↔ the content of section NETW. SPEC.md, "NETW", defines it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..container import Reader, varint
from ..errors import FormatError
from ..kernels import integers
from ..kernels.inr import Architecture, BoundError, Layer, Network
from . import codings, sinr

SINE, BIT_COORDINATE, PER_PLANE, GRAY = 1, 2, 4, 8
MAX_HIDDEN, MAX_LAYERS, MAX_OCTAVES = 8192, 32, 24
MAX_PARAMETERS = 1 << 27


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


def read(content: bytes, axes: int, channels: int, bits: int) -> CodedNetwork:
    """Parse section NETW. axes, channels, bits: coordinate axes, channels, and bits per value of the signal.

    Raises:
        FormatError: the section is damaged, a size is out of range, or sums of the weights would not be exact.
    """
    r = Reader(content, "the network")
    flags, hidden, layers, octaves = r.byte(), r.varint(MAX_HIDDEN), r.varint(MAX_LAYERS), r.varint(MAX_OCTAVES)
    coding, setting = codings.numbered(r.byte()), r.byte()
    if flags > 15 or (flags & BIT_COORDINATE and flags & PER_PLANE) or coding is None or not hidden or not layers:
        raise FormatError("damaged: the network's description is out of range")
    a = Architecture(
        axes,
        channels,
        bits,
        hidden,
        layers,
        "sine" if flags & SINE else "gelu",
        octaves,
        bool(flags & BIT_COORDINATE),
        bool(flags & PER_PLANE),
    )
    if a.parameters > MAX_PARAMETERS:
        raise FormatError("damaged: the network is too large")
    shapes = [shape for _ in range(a.networks) for shape in a.shapes]
    scales = [(r.varint(2**31), r.byte()) for _ in shapes]
    gains = np.frombuffer(r.take(a.planes), np.uint8)
    is_sparse = sparse_layers(a) * a.networks if coding.sparse else [False] * len(shapes)
    plain = [shape for shape, sparse in zip(shapes, is_sparse, strict=True) if not sparse]
    numbers = r.take(r.varint())
    parts = integers.decode(numbers, [*(o for o, _ in shapes), *(o * i for o, i in plain)])
    biases, matrices = parts[: len(shapes)], iter(parts[len(shapes) :])
    codes: list[sinr.Sparse | None] = [None] * len(shapes)
    if coding.sparse:
        found = iter(sinr.read(r, [shape for shape, sparse in zip(shapes, is_sparse, strict=True) if sparse]))
        codes = [next(found) if sparse else None for sparse in is_sparse]
    r.end()
    flat = [
        Layer(sinr.expand(code, setting) if code is not None else next(matrices).reshape(shape), bias, *scale)
        for shape, bias, scale, code in zip(shapes, biases, scales, codes, strict=True)
    ]
    per = a.layers + 1
    try:
        network = Network(a, [flat[i : i + per] for i in range(0, len(flat), per)])
    except BoundError as fault:
        raise FormatError(f"damaged: {fault}") from fault
    nested = [codes[i : i + per] for i in range(0, len(codes), per)] if coding.sparse else ()
    return CodedNetwork(network, coding.name, setting, gains, bool(flags & GRAY), nested)
