"""Files of a package that `.linr` files name by a hash: the priors of both profiles that have some."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import cached_property
from importlib import resources
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ..container import Reader
from ..errors import FormatError

NAME_BYTES = 8  # first bytes of the SHA-256 of a file, by which it is named
T = TypeVar("T")


class Shelf(Generic[T]):
    """The priors in a package.

    package: its name; read: parses a file; content: the bytes of what was read that decoding uses, for `check`.
    """

    def __init__(self, package: str, read: Callable[[bytes], T], content: Callable[[T], Iterable[bytes]]) -> None:
        self.package, self.read, self.content = package, read, content
        self.loaded: dict[str, tuple[T, bytes]] = {}  # by file name: what was read, and its hash

    def file(self, file_name: str) -> bytes:
        """The bytes of a file."""
        return (resources.files(self.package) / file_name).read_bytes()

    @cached_property
    def names(self) -> dict[bytes, str]:
        """File names of the priors in the package, by hash."""
        found = [f.name for f in resources.files(self.package).iterdir() if f.name.endswith(".prior")]
        return {hashlib.sha256(self.file(name)).digest()[:NAME_BYTES]: name for name in found}

    def load(self, file_name: str) -> T:
        """What a file holds; it is read once. Raises FormatError."""
        if file_name not in self.loaded:
            found = self.read(self.file(file_name))
            self.loaded[file_name] = found, self._sha256(found)
        return self.loaded[file_name][0]

    def named(self, key: bytes) -> T:
        """The prior with this hash, which a file names. Raises FormatError if the package has none."""
        if key not in self.names:
            raise FormatError(f"it needs prior {key.hex()}, which this version does not have; a newer inrcodec may read it")
        return self.load(self.names[key])

    def key_of(self, file_name: str) -> bytes | None:
        """The hash of a file of this name; None if there is none."""
        return next((key for key, name in self.names.items() if name == file_name), None)

    def check(self) -> None:
        """Compare all priors that are in use with what was read. Raises RuntimeError: a fault of the memory has changed one."""
        for file_name, (found, sha256) in self.loaded.items():
            if self._sha256(found) != sha256:
                raise RuntimeError(f"{file_name} has changed in memory")

    def _sha256(self, found: T) -> bytes:
        return hashlib.sha256(b"".join(self.content(found))).digest()


def words(r: Reader, count: int) -> npt.NDArray[np.int32]:
    """Signed numbers of 16 bits, (count,): the low bytes of all, then the high bytes."""
    low, high = np.frombuffer(r.take(count), np.uint8), np.frombuffer(r.take(count), np.int8)
    return low.astype(np.int32) | high.astype(np.int32) << 8


def word_bytes(numbers: npt.NDArray[Any]) -> bytes:
    """The inverse of `words`. Raises ValueError if a number has more than 16 bits."""
    if int(np.abs(numbers).max()) >= 1 << 15:
        raise ValueError("a number of a prior has more than 16 bits")
    return (numbers & 255).astype(np.uint8).tobytes() + (numbers >> 8).astype(np.int8).tobytes()
