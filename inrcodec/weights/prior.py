"""The priors of profile `inr`: networks that come with the package, from which the network of a file is made.

A prior of pictures as a whole is the beginning of a fit: a file holds the difference from it. A prior of patches is a network that is
shared by all pictures: a file holds a short vector for each patch. A file names its prior by a hash. SPEC.md,
"Networks from priors", defines the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..compression import compress, decompress
from ..container import Reader, varint
from ..errors import FormatError
from ..kernels.architecture import Architecture
from ..kernels.inr import BoundError, Layer, Network
from .network import MAX_HIDDEN, MAX_LAYERS, MAX_OCTAVES, parse_joining, parse_scale, write_joining
from .shelf import Shelf, word_bytes, words

MAGIC = b"LINRprior2"
MAX_BYTES = 1 << 24
MAX_PATCH, MAX_LATENTS, MAX_DIMENSIONS = 8, 1024, 4
UNIT_OFFSET = 32  # of the byte that has a unit
NAMES = {"meta": "2026-11-meta.prior", "modulations": "2026-11-modulations.prior"}  # files of the priors that new files use
RATE_STEP, RATE_MIDDLE = 8, 128  # a byte of a learned rate is 128 + 8·log2(rate)


@dataclass(frozen=True)
class Prior:
    """A network that is there before a file is.

    Attributes:
        network: of form "values", plain, of sines, with biases; its architecture has the number of axes, but no sizes of a signal.
        order, factors: how channels are joined, see `kernels.meancode.Joint`.
        patch: 0: the network is of a whole picture; p > 0: of a patch of 2^p × 2^p places.
        map: of patches: (layers·hidden, latents) int32, see `kernels.modulation`; else None.
        unit: a latent of 1 shifts arguments by the map's number·2^-unit, in units of 2^-16 turns.
        rates: of whole pictures: (steps, parameters) float32, learned rates of the first steps of a fit, for the weights of all
            layers, then the biases of all. Only the encoder looks at them.
    """

    network: Network
    order: npt.NDArray[np.int64]
    factors: npt.NDArray[np.int64]
    patch: int
    map: npt.NDArray[np.int32] | None
    unit: int
    rates: npt.NDArray[np.float32]


def read(data: bytes) -> Prior:
    """Parse a prior. Raises FormatError."""
    if not data.startswith(MAGIC):
        raise FormatError("damaged: not a prior")
    outer = Reader(data[len(MAGIC) :], "the prior")
    size = outer.varint(MAX_BYTES)
    r = Reader(decompress(outer.rest(), size, "the prior"), "the prior")
    patch, axes, channels = r.byte(), r.byte(), r.byte()
    hidden, layers, octaves = r.varint(MAX_HIDDEN), r.varint(MAX_LAYERS), r.varint(MAX_OCTAVES)
    if patch > MAX_PATCH or not (1 <= axes <= MAX_DIMENSIONS and channels and hidden and layers):
        raise FormatError("damaged: the network of a prior is out of range")
    a = Architecture((1,) * axes, channels, 8, hidden, layers, "values", octaves=octaves)  # sizes and bits are those of files
    order, factors = parse_joining(r, channels)
    scales = [parse_scale(r) for _ in a.shapes]
    biases = [np.frombuffer(r.take(4 * outputs), "<i4").astype(np.int64) for outputs, _ in a.shapes]
    weights = [words(r, o * i).reshape(o, i) for o, i in a.shapes]
    try:
        network = Network(a, [[Layer(w, b, *scale) for w, b, scale in zip(weights, biases, scales, strict=True)]])
    except BoundError as fault:
        raise FormatError(f"damaged: {fault}") from fault
    if patch:
        latents, unit = r.varint(MAX_LATENTS), r.byte() - UNIT_OFFSET
        if not latents or abs(unit) > UNIT_OFFSET:
            raise FormatError("damaged: the map of a prior is out of range")
        found = words(r, layers * hidden * latents).reshape(-1, latents)
        return Prior(network, order, factors, patch, found, unit, np.zeros((0, a.parameters), np.float32))
    steps = r.byte()
    codes = np.frombuffer(r.take(steps * a.parameters), np.uint8).reshape(steps, a.parameters)
    return Prior(network, order, factors, 0, None, 0, np.exp2((codes.astype(np.float32) - RATE_MIDDLE) / RATE_STEP))


def write(prior: Prior) -> bytes:
    """The bytes of a prior."""
    a, layers = prior.network.architecture, prior.network.layers[0]
    parts = [
        bytes([prior.patch, a.axes, a.channels]),
        *map(varint, (a.hidden, a.layers, a.octaves)),
        write_joining(prior.order, prior.factors),
        *(varint(layer.multiplier) + bytes([layer.shift]) for layer in layers),
        *(layer.bias.astype("<i4").tobytes() for layer in layers),
        *(word_bytes(layer.weights) for layer in layers),
    ]
    if prior.map is not None:
        parts += [varint(prior.map.shape[1]), bytes([prior.unit + UNIT_OFFSET]), word_bytes(prior.map)]
    else:
        codes = np.rint(np.log2(np.maximum(prior.rates, 2.0**-16)) * RATE_STEP + RATE_MIDDLE).clip(0, 255).astype(np.uint8)
        parts += [bytes([len(codes)]), codes.tobytes()]
    plain = b"".join(parts)
    return MAGIC + varint(len(plain)) + compress(plain)


def _content(prior: Prior) -> Iterator[bytes]:
    """The numbers that decoding uses."""
    for layer in prior.network.layers[0]:
        yield layer.weights.tobytes() + layer.bias.tobytes()
    if prior.map is not None:
        yield prior.map.tobytes()


SHELF = Shelf(f"{__package__}.priors", read, _content)


def named(name: str) -> tuple[bytes, Prior]:
    """(hash, prior) that new files use under this name, one of NAMES. Raises FormatError if the package lacks its file."""
    key = SHELF.key_of(NAMES[name])
    if key is None:
        raise FormatError(f"prior {name}: the package lacks its file {NAMES[name]}; install inrcodec anew")
    return key, SHELF.named(key)
