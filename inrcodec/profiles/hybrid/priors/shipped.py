"""The priors that come with the package: first weights of the context networks of pictures. A .linr file names its prior by a hash."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from ....compression import decompress
from ....container import Reader
from ....errors import FormatError
from ....kernels import contextnet

MAGIC = b"LINRprior1"
PRIOR_BYTES = 8  # first bytes of a prior's SHA-256, by which a file names it
MAX_BYTES = 1 << 24
CURRENT = {16: "2026-11-16.prior", 32: "2026-11-32.prior", 64: "2026-11-64.prior"}
Networks = dict[str, npt.NDArray[np.float32]]


def network_name(pass_name: str, references: int, lattice: bool) -> str:
    """The name, in a prior, of the network for a pass of a plane.

    pass_name: see `pictures.scan`; references: how many the plane has; lattice: whether the picture has a lattice.
    """
    return f"{'chroma' if lattice and pass_name == 'raster' and references else pass_name}{references}"


@cache
def _shipped() -> dict[bytes, str]:
    """File names of the priors in the package, by hash."""
    folder = resources.files(__package__)
    names = [f.name for f in folder.iterdir() if f.name.endswith(".prior")]
    return {hashlib.sha256((folder / name).read_bytes()).digest()[:PRIOR_BYTES]: name for name in names}


@cache
def load(name: str) -> tuple[int, Networks]:
    """Read a prior of the package, by its file name: see `read`."""
    found = read((resources.files(__package__) / name).read_bytes())
    _in_use.append((name, found[1], _sha256(found[1])))
    return found


_in_use: list[tuple[str, Networks, bytes]] = []  # file name, networks and hash of their weights, of each prior that was read


def _sha256(networks: Networks) -> bytes:
    found = hashlib.sha256()
    for name, weights in networks.items():
        found.update(name.encode() + weights.tobytes())
    return found.digest()


def check() -> None:
    """Compare all priors that are in use with what was read. Raises RuntimeError: a fault of the memory has changed one."""
    for name, networks, sha256 in _in_use:
        if _sha256(networks) != sha256:
            raise RuntimeError(f"{name} has changed in memory")


def named(prior: bytes, units: int) -> Networks:
    """The networks of the prior with this hash, which a .linr file names: see `read`. units: of a hidden layer, as the file says.

    Raises:
        FormatError: the package has no such prior, or its networks have another number of units.
    """
    if prior not in _shipped():
        raise FormatError(f"it needs prior {prior.hex()}, which this version does not have; a newer inrcodec may read it")
    found, networks = load(_shipped()[prior])
    if found != units:
        raise FormatError(f"damaged: prior {prior.hex()} is of {found} units, not of {units}")
    return networks


@cache
def current(units: int) -> bytes:
    """The hash of the prior that new files use. units: of a hidden layer, 16, 32 or 64."""
    return next(key for key, name in _shipped().items() if name == CURRENT[units])


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
        low = np.frombuffer(plain.take(count), np.uint8)
        high = np.frombuffer(plain.take(count), np.int8)
        whole = low.astype(np.int32) | high.astype(np.int32) << 8
        networks[name] = scale(whole, shift, inputs, units)
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
