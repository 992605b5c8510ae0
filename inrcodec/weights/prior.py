"""The priors of profile `inr`: networks that come with the package, from which the network of a file is made.

A prior of pictures as a whole is the beginning of a fit: a file holds the difference from it. A prior of patches is a network that is
shared by all pictures: a file holds a short vector for each patch. A file names its prior by a hash. SPEC.md,
"Networks from priors", defines the bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compression import compress, decompress
from ..container import Reader, varint
from ..errors import FormatError
from ..kernels.architecture import Architecture
from ..kernels.inr import LARGEST_MULTIPLIER, BoundError, Layer, Network
from .network import MAX_HIDDEN, MAX_LAYERS, MAX_OCTAVES

MAGIC = b"LINRprior2"
NAME_BYTES = 8  # first bytes of a prior's SHA-256, by which a file names it
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
    order = np.frombuffer(r.take(channels), np.uint8).astype(np.int64)
    if sorted(order.tolist()) != list(range(channels)):
        raise FormatError("damaged: the order of the channels is out of range")
    factors = np.zeros((channels, channels), np.int64)
    factors[np.tril_indices(channels, -1)] = np.frombuffer(r.take(channels * (channels - 1)), "<i2")
    scales = [(r.varint(LARGEST_MULTIPLIER - 1), r.byte()) for _ in a.shapes]
    biases = [np.frombuffer(r.take(4 * outputs), "<i4").astype(np.int64) for outputs, _ in a.shapes]
    weights = [_words(r, o * i).reshape(o, i) for o, i in a.shapes]
    try:
        network = Network(a, [[Layer(w, b, *scale) for w, b, scale in zip(weights, biases, scales, strict=True)]])
    except BoundError as fault:
        raise FormatError(f"damaged: {fault}") from fault
    if patch:
        latents, unit = r.varint(MAX_LATENTS), r.byte() - UNIT_OFFSET
        if not latents or abs(unit) > UNIT_OFFSET:
            raise FormatError("damaged: the map of a prior is out of range")
        found = _words(r, layers * hidden * latents).reshape(-1, latents)
        return Prior(network, order, factors, patch, found, unit, np.zeros((0, a.parameters), np.float32))
    steps = r.byte()
    codes = np.frombuffer(r.take(steps * a.parameters), np.uint8).reshape(steps, a.parameters)
    return Prior(network, order, factors, 0, None, 0, np.exp2((codes.astype(np.float32) - RATE_MIDDLE) / RATE_STEP))


def _words(r: Reader, count: int) -> npt.NDArray[np.int32]:
    """Signed numbers of 16 bits: the low bytes of all, then the high bytes."""
    low, high = np.frombuffer(r.take(count), np.uint8), np.frombuffer(r.take(count), np.int8)
    return low.astype(np.int32) | high.astype(np.int32) << 8


def _bytes(words: npt.NDArray[Any]) -> bytes:
    """The inverse of `_words`. Raises ValueError if a number has more than 16 bits."""
    if int(np.abs(words).max()) >= 1 << 15:
        raise ValueError("a number of a prior has more than 16 bits")
    return (words & 255).astype(np.uint8).tobytes() + (words >> 8).astype(np.int8).tobytes()


def write(prior: Prior) -> bytes:
    """The bytes of a prior."""
    a, layers = prior.network.architecture, prior.network.layers[0]
    below = np.tril_indices(a.channels, -1)
    parts = [
        bytes([prior.patch, a.axes, a.channels]),
        *map(varint, (a.hidden, a.layers, a.octaves)),
        bytes(prior.order.tolist()),
        prior.factors[below].astype("<i2").tobytes(),
        *(varint(layer.multiplier) + bytes([layer.shift]) for layer in layers),
        *(layer.bias.astype("<i4").tobytes() for layer in layers),
        *(_bytes(layer.weights) for layer in layers),
    ]
    if prior.map is not None:
        parts += [varint(prior.map.shape[1]), bytes([prior.unit + UNIT_OFFSET]), _bytes(prior.map)]
    else:
        codes = np.rint(np.log2(np.maximum(prior.rates, 2.0**-16)) * RATE_STEP + RATE_MIDDLE).clip(0, 255).astype(np.uint8)
        parts += [bytes([len(codes)]), codes.tobytes()]
    plain = b"".join(parts)
    return MAGIC + varint(len(plain)) + compress(plain)


@cache
def _shipped() -> dict[bytes, str]:
    """File names of the priors in the package, by hash."""
    folder = resources.files(f"{__package__}.priors")
    names = [f.name for f in folder.iterdir() if f.name.endswith(".prior")]
    return {hashlib.sha256((folder / name).read_bytes()).digest()[:NAME_BYTES]: name for name in names}


@cache
def _loaded(file_name: str) -> Prior:
    found = read((resources.files(f"{__package__}.priors") / file_name).read_bytes())
    _in_use.append((file_name, found, _sha256(found)))
    return found


_in_use: list[tuple[str, Prior, bytes]] = []  # file name, prior and hash of its numbers, of each prior that was read


def _sha256(prior: Prior) -> bytes:
    found = hashlib.sha256()
    for layer in prior.network.layers[0]:
        found.update(layer.weights.tobytes() + layer.bias.tobytes())
    found.update(b"" if prior.map is None else prior.map.tobytes())
    return found.digest()


def check() -> None:
    """Compare all priors that are in use with what was read. Raises RuntimeError: a fault of the memory has changed one."""
    for file_name, found, sha256 in _in_use:
        if _sha256(found) != sha256:
            raise RuntimeError(f"{file_name} has changed in memory")


def hashed(key: bytes) -> Prior:
    """The prior with this hash, which a file names. Raises FormatError if the package has none."""
    if key not in _shipped():
        raise FormatError(f"it needs prior {key.hex()}, which this version does not have; a newer inrcodec may read it")
    return _loaded(_shipped()[key])


def named(name: str) -> tuple[bytes, Prior]:
    """(hash, prior) that new files use under this name, one of NAMES. Raises FormatError if the package lacks its file."""
    key = next((key for key, file_name in _shipped().items() if file_name == NAMES[name]), None)
    if key is None:
        raise FormatError(f"prior {name}: the package lacks its file {NAMES[name]}; install inrcodec anew")
    return key, hashed(key)
