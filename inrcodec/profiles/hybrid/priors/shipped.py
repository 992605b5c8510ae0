"""The priors that come with the package: first weights of the context networks of pictures. A .linr file names its prior by a hash."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ....compression import decompress
from ....container import Reader
from ....errors import FormatError
from ....kernels import contextnet
from ....weights.shelf import Shelf, words

MAGIC = b"LINRprior1"
MAX_BYTES = 1 << 24
CURRENT = {48: "2026-11-48.prior", 64: "2026-11-64.prior"}  # by units of a hidden layer: what new files name,
PRESET = {48: "2026-11-48.prior", 64: "2026-11-64.prior"}  # and what the presets of the brief form of HYBR stand for; SPEC.md names these
Networks = dict[str, npt.NDArray[np.float32]]


def network_name(pass_name: str, references: int, lattice: bool) -> str:
    """The name, in a prior, of the network for a pass of a plane.

    pass_name: see `pictures.scan`; references: how many the plane has; lattice: whether the picture has a lattice.
    """
    return f"{'chroma' if lattice and pass_name == 'raster' and references else pass_name}{references}"


def read(data: bytes) -> tuple[int, Networks]:
    """Parse a prior: SPEC.md, "Priors". Raises FormatError.

    Returns the units of a hidden layer, and the weights of each network by name: float32 (parameters,), in the order of
    `kernels.contextnet`.
    """
    if not data.startswith(MAGIC):
        raise FormatError("damaged: not a prior")
    r = Reader(data[len(MAGIC) :], "the prior")
    size = r.varint(MAX_BYTES)
    plain = Reader(decompress(r.rest(), size, "the prior"), "the prior")
    units = plain.byte()
    networks: Networks = {}
    for _ in range(plain.byte()):
        name = plain.take(plain.byte()).decode()
        inputs = plain.varint(4096)
        count = contextnet.parameters(inputs, units)
        shift = np.frombuffer(plain.take(count_of_tensors(inputs, units)), np.int8)
        networks[name] = scale(words(plain, count), shift, inputs, units)
    return units, networks


def sizes(inputs: int, units: int) -> list[int]:
    """How many weights each of a network's six tensors has: for each layer its matrix, then its biases."""
    return [n for rows, columns in contextnet.shapes(inputs, units) for n in ((rows - 1) * columns, columns)]


def count_of_tensors(inputs: int, units: int) -> int:
    """How many tensors a network has."""
    return len(sizes(inputs, units))


def scale(whole: npt.NDArray[np.int32], shift: npt.NDArray[np.int8], inputs: int, units: int) -> npt.NDArray[np.float32]:
    """Weights, float32 (parameters,), from 16-bit integers: each is integer·2^−shift, exactly.

    whole: (parameters,) the integers; shift: (tensors,) one for each tensor.
    """
    factors = np.repeat(np.ldexp(np.float32(1), -shift.astype(np.int32)), sizes(inputs, units))
    scaled: npt.NDArray[np.float32] = (whole.astype(np.float32) * factors).astype(np.float32)
    return scaled


def _content(found: tuple[int, Networks]) -> Iterator[bytes]:
    """The numbers that decoding uses, with the names of their networks."""
    for name, weights in found[1].items():
        yield name.encode() + weights.tobytes()


SHELF = Shelf(__package__, read, _content)


def named(prior: bytes, units: int) -> Networks:
    """The networks of the prior with this hash, which a .linr file names: see `read`. units: of a hidden layer, as the file says.

    Raises:
        FormatError: the package has no such prior, or its networks have another number of units.
    """
    found, networks = SHELF.named(prior)
    if found != units:
        raise FormatError(f"damaged: prior {prior.hex()} is of {found} units, not of {units}")
    return networks


def current(units: int) -> bytes:
    """The hash of the prior that new files use. units: of a hidden layer, 48 or 64."""
    return _key(CURRENT[units])


def preset(units: int) -> bytes:
    """The hash of the prior that a preset of the brief form stands for. units: of a hidden layer, 48 or 64."""
    return _key(PRESET[units])


def _key(file: str) -> bytes:
    key = SHELF.key_of(file)
    assert key is not None, "the package has its own priors"
    return key
