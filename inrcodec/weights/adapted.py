"""A network that is made from a prior ↔ the content of section NETW. SPEC.md, "Networks from priors", defines it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from ..container import Reader, varint, zigzag
from ..errors import FormatError
from ..kernels import integers
from ..kernels.architecture import MAX_VALUE_BITS, MEAN_BITS, Architecture
from ..kernels.inr import LARGEST_BIAS, LARGEST_WEIGHT, BoundError, Layer, Network
from ..kernels.meancode import Joint
from ..kernels.modulation import Modulated, patches_of
from . import codings, prior, sinr
from .network import CodedNetwork, parse_errors, parse_scale
from .shelf import NAME_BYTES

FIRST = 64  # first byte of a section NETW that names a prior
BIAS_UNIT = MEAN_BITS - 24  # biases of the last layer are in units of 2^-24 of the range
MAX_STEP = 1 << 16  # of a difference, in units of the prior's weights or biases
MAX_VALUES = 1 << 26  # latent values of a file


@dataclass(frozen=True)
class Difference:
    """What a network differs by from a prior of whole pictures.

    weights: (outputs, inputs) int64 of each layer; biases: (outputs,) of each hidden layer; steps: for each layer, what 1 of its weights
    stands for, in units of the prior's weights, then likewise for the biases of each hidden layer.
    """

    weights: Sequence[npt.NDArray[np.int64]]
    biases: Sequence[npt.NDArray[np.int64]]
    steps: Sequence[int]


@dataclass(frozen=True)
class Latents:
    """The latent vectors of patches: values (patches, latents) int64; multiplier, shift: see `kernels.modulation.Modulated`.

    sparse: the codes that expand to the values' transpose, of coding "sinr"; else None.
    """

    values: npt.NDArray[np.int64]
    multiplier: int
    shift: int
    sparse: sinr.Sparse | None = None


@dataclass(frozen=True)
class Adapted(CodedNetwork):
    """A network that was made from a prior: `of` makes it.

    key: the prior's hash; content: what the file says beside it.
    """

    key: bytes = b""
    content: Difference | Latents = field(default_factory=lambda: Difference((), (), ()))


def of(key: bytes, coded: CodedNetwork, content: Difference | Latents, last: Layer, axes: tuple[int, ...], bits: int) -> Adapted:
    """The network of a file.

    key: of its prior; coded: has coding, setting, joint and errors, and the prior's network; content: see Adapted; last: has the biases,
    multiplier and shift of the last layer; axes, bits: of the signal. Raises BoundError if a number is out of range.
    """
    found = prior.SHELF.named(key)
    a, own = replace(found.network.architecture, sizes=axes, bits=bits), found.network.layers[0]
    halvings = np.zeros(a.outputs, np.int64)
    network: Network | Modulated  # what a file asks of a Network, a Modulated can do
    if isinstance(content, Latents):
        assert found.map is not None
        ends = replace(own[-1], bias=last.bias, multiplier=last.multiplier, shift=last.shift)
        base = Network(a, [[*own[:-1], ends]], (), halvings)
        network = Modulated(base, axes, found.patch, found.map, content.values, content.multiplier, content.shift)
    else:
        network = Network(a, [_layers(own, content, last)], (), halvings)
    fields = coded.coding, coded.setting, coded.gains, coded.joint
    return Adapted(cast(Network, network), *fields, errors=coded.errors, distances=coded.distances, key=key, content=content)


def _layers(own: Sequence[Layer], content: Difference, last: Layer) -> list[Layer]:
    """The layers of a prior, with a difference. Raises BoundError if a weight is out of range."""
    layers = []
    for i, layer in enumerate(own):
        weights = layer.weights.astype(np.int64) + content.weights[i] * content.steps[i]
        if int(np.abs(weights).max()) > LARGEST_WEIGHT:
            raise BoundError("a weight is out of range")
        if i < len(own) - 1:
            bias = layer.bias + content.biases[i] * content.steps[len(own) + i]
            layers.append(replace(layer, weights=weights, bias=bias))
        else:
            layers.append(replace(last, weights=weights))
    return layers


def write(coded: Adapted) -> bytes:
    """The content of section NETW."""
    network = coded.network
    base = network.base if isinstance(network, Modulated) else network
    last, content = base.layers[0][-1], coded.content
    assert coded.joint is not None
    out = [
        bytes([FIRST]),
        coded.key,
        bytes([codings.named(coded.coding).number, coded.setting]),
        *map(varint, [*coded.errors, *coded.distances]),
        varint(last.multiplier) + bytes([last.shift]),
        *(varint(zigzag(int(b) >> BIAS_UNIT)) for b in last.bias),
        bytes(coded.joint.scales.tolist()),
    ]
    if isinstance(content, Difference):
        numbers = integers.encode([*content.biases, *content.weights])
        return b"".join([*out, *map(varint, content.steps), numbers])
    out.append(varint(content.multiplier) + bytes([content.shift]))
    if content.sparse is not None:
        return b"".join([*out, sinr.write([content.sparse])])
    return b"".join([*out, integers.encode([content.values], [content.values.shape[1]])])


@dataclass(frozen=True)
class Written:
    """A section NETW that names a prior, parsed without decoding its numbers; as `network.Written`.

    Attributes:
        key: the prior's hash; prior: itself.
        architecture: of the network, with the signal's sizes and bits.
        coding, setting, joint, errors, distances: as in CodedNetwork.
        last: biases, multiplier and shift of the last layer, without weights.
        steps, scale: of a difference, see Difference; of latent vectors, (multiplier, shift).
        data: the coded integers, or the sparse section.
        counts: of a sparse section, its first part.
        size: bytes of the section.
    """

    key: bytes
    prior: prior.Prior
    architecture: Architecture
    coding: str
    setting: int
    joint: Joint
    errors: tuple[int, ...]
    distances: tuple[int, ...]
    last: Layer
    steps: tuple[int, ...]
    scale: tuple[int, int]
    data: bytes
    counts: sinr.Counts
    size: int

    gray = False

    @property
    def exact(self) -> bool:
        """Whether the network alone gives every value, so that tiles are empty."""
        return self.errors[-1] == 0

    @property
    def numbers(self) -> Sequence[bytes]:
        """As in `network.Written`: the networks that are there."""
        return [self.data]

    @property
    def ends(self) -> Sequence[int]:
        """As in `network.Written`."""
        return [self.size]

    @property
    def values(self) -> tuple[int, int]:
        """(latents, patches) of latent vectors; (0, 0) of a difference."""
        patch = self.prior.patch
        return (self.prior.map.shape[1], math.prod(patches_of(self.architecture.sizes, patch))) if self.prior.map is not None else (0, 0)

    @property
    def patches(self) -> int:
        """How many patches have a latent vector; 0 of a difference."""
        return self.values[1]

    @property
    def parameters(self) -> int:
        """Numbers that the file holds: latent values, or differences of weights and biases."""
        latents = self.values
        return latents[0] * latents[1] or self.architecture.parameters

    @property
    def memory(self) -> int:
        """The most bytes that `decode` takes at once, its result included."""
        own = self.prior.network.architecture.parameters + (self.prior.map.size if self.prior.map is not None else 0)
        sparse = sinr.memory(self.counts, [self.values]) if codings.named(self.coding).sparse else 0
        return 40 * own + 24 * self.parameters + sparse

    def decode(self) -> Adapted:
        """The network. Raises FormatError if its numbers are damaged, or if sums of its weights would not be exact."""
        a = self.architecture
        coded = CodedNetwork(
            self.prior.network, self.coding, self.setting, np.zeros(0, np.uint8), self.joint, False, (), self.errors, self.distances
        )
        try:
            if self.prior.patch:
                content: Difference | Latents = self._latents()
            else:
                parts = integers.decode(self.data, [o for o, _ in a.shapes[:-1]] + [o * i for o, i in a.shapes])
                count = len(a.shapes)
                weights = [w.reshape(shape) for w, shape in zip(parts[count - 1 :], a.shapes, strict=True)]
                content = Difference(weights, parts[: count - 1], self.steps)
            return of(self.key, coded, content, self.last, a.sizes, a.bits)
        except BoundError as fault:
            raise FormatError(f"damaged: {fault}") from fault

    def _latents(self) -> Latents:
        """The latent vectors. Raises FormatError."""
        latents, patches = self.values
        if codings.named(self.coding).sparse:
            sparse = sinr.decode(self.counts, self.data, [(latents, patches)])[0]
            return Latents(np.ascontiguousarray(sinr.expand(sparse, self.setting).T), *self.scale, sparse)
        return Latents(integers.decode(self.data, [patches * latents], [latents])[0].reshape(patches, latents), *self.scale)


def names_prior(content: bytes) -> bool:
    """Whether a section NETW names a prior."""
    return content[:1] == bytes([FIRST])


def parse(content: bytes, sizes: tuple[int, ...], channels: int, bits: int) -> Written:
    """Parse a section NETW that names a prior, without decoding its numbers. sizes, channels, bits: of the signal. Raises FormatError."""
    r = Reader(content, "the network")
    r.byte()
    key = r.take(NAME_BYTES)
    found = prior.SHELF.named(key)
    own = found.network.architecture
    if (len(sizes), channels) != (own.axes, own.channels) or not 1 <= bits <= MAX_VALUE_BITS:
        raise FormatError("damaged: the network's prior does not fit the signal")
    a = replace(own, sizes=sizes, bits=bits)
    coding, setting = codings.numbered(r.byte()), r.byte()
    errors, distances = parse_errors(r, a)
    if coding is None or coding.name not in (("uniform", "sinr") if found.patch else ("uniform",)):
        raise FormatError("damaged: the network's description is out of range")
    scale = parse_scale(r)
    bias = np.array([r.signed() for _ in range(own.outputs)], dtype=object)
    if max(abs(int(b)) for b in bias) << BIAS_UNIT > LARGEST_BIAS:
        raise FormatError("damaged: a layer's bias is out of range")
    last = Layer(np.zeros((0, 0), np.int64), bias.astype(np.int64) << BIAS_UNIT, *scale)
    joint = Joint(found.order, found.factors, np.frombuffer(r.take(channels), np.uint8).astype(np.int64))
    steps: tuple[int, ...] = ()
    counts, step = sinr.Counts(), (0, 0)
    if found.patch:
        step = parse_scale(r)
        latents, patches = found.map.shape[1] if found.map is not None else 0, math.prod(patches_of(sizes, found.patch))
        if latents * patches > MAX_VALUES:
            raise FormatError("damaged: the network is too large")
        counts = sinr.read_counts(r, [(latents, patches)] if coding.sparse else [])
    else:
        steps = tuple(r.varint(MAX_STEP) for _ in range(2 * len(own.shapes) - 1))
    return Written(key, found, a, coding.name, setting, joint, errors, distances, last, steps, step, r.rest(), counts, len(content))
