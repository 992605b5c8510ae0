"""The priors of profile `inr`: networks that come with the package, from which the network of a file is made.

A prior of pictures as a whole is the beginning of a fit: a file holds the difference from it. A prior of patches is a network that is shared
by all pictures: a file holds a short vector for each patch. A file names its prior by a hash. SPEC.md, "Priors of profile inr", defines the
bytes of a prior.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from ..compression import compress, decompress
from ..container import Reader, varint
from ..errors import FormatError
from ..kernels import integers
from ..kernels.inr import LARGEST_CELL
from . import network
from .network import CodedNetwork

MAGIC = b"LINRprior2"
NAME_BYTES = 8  # first bytes of a prior's SHA-256, by which a file names it
MAX_BYTES = 1 << 24
MAX_PATCH, MAX_LATENTS = 8, 1024
UNIT_OFFSET = 32  # of the byte that has a unit
SHAPE, BITS, CHANNELS = (2, 2), 8, 3  # of the signal that the section NETW in a prior seems to belong to
NAMES = {"meta": "2026-11-meta.prior", "modulations": "2026-11-modulations.prior"}  # files of the priors that new files use
RATE_STEP, RATE_MIDDLE = 8, 128  # a byte of a learned rate is 128 + 8·log2(rate)


@dataclass(frozen=True)
class Prior:
    """A network that is there before a file is.

    Attributes:
        network: of form "values", plain, with biases, for pictures of 3 channels.
        patch: 0: the network is of a whole picture; p > 0: of a patch of 2^p × 2^p places.
        map: of patches: (layers·hidden, latents) int32, see `kernels.modulation`; else None.
        unit: a latent of 1 shifts arguments by the map's number·2^-unit, in units of 2^-16 turns.
        rates: of whole pictures: (steps, parameters) float32, learned rates of the first steps of a fit, the weights of all layers, then the
            biases of all. Only the encoder looks at them.
    """

    network: CodedNetwork
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
    patch = r.byte()
    found = network.read(r.take(r.varint(MAX_BYTES)), SHAPE, CHANNELS, BITS)
    a = found.network.architecture
    if patch > MAX_PATCH or a.form != "values" or a.body != "mlp" or a.activation != "sine" or not a.biased or a.scales or a.levels:
        raise FormatError("damaged: the network of a prior has another form")
    if patch:
        latents, unit = r.varint(MAX_LATENTS), r.byte() - UNIT_OFFSET
        size = a.layers * a.hidden * latents
        numbers = integers.decode(r.take(r.varint(MAX_BYTES)), [size])[0]
        if not latents or abs(unit) > UNIT_OFFSET or int(np.abs(numbers).max()) > LARGEST_CELL:
            raise FormatError("damaged: the map of a prior is out of range")
        return Prior(found, patch, numbers.reshape(-1, latents).astype(np.int32), unit, np.zeros((0, a.parameters), np.float32))
    steps = r.byte()
    codes = np.frombuffer(r.take(steps * a.parameters), np.uint8).reshape(steps, a.parameters)
    return Prior(found, 0, None, 0, np.exp2((codes.astype(np.float32) - RATE_MIDDLE) / RATE_STEP))


def write(prior: Prior) -> bytes:
    """The bytes of a prior."""
    own = network.write(prior.network)
    parts = [bytes([prior.patch]), varint(len(own)), own]
    if prior.map is not None:
        numbers = integers.encode([prior.map])
        parts += [varint(prior.map.shape[1]), bytes([prior.unit + UNIT_OFFSET]), varint(len(numbers)), numbers]
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
    return read((resources.files(f"{__package__}.priors") / file_name).read_bytes())


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
