"""What a reader checks before it takes memory: that the limits allow what the file declares, and that the file can hold it."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path

from .. import container
from ..errors import FormatError, InrcodecError, naming
from ..limits import Limits
from ..storage import reason

BLOCK = 1 << 20  # bytes read at a time from what does not tell its size
DEFLATE = 1032  # no byte of Deflate stands for more (a match of 258 bytes takes at least 2 bits)


def contents(file: BufferedReader, limits: Limits) -> bytes:
    """All bytes of a file or a pipe.

    Raises:
        LimitError: they take more memory than the limits allow.
    """
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode):
        limits.check_memory(status.st_size)
        return file.read()
    parts, size = [], 0
    while block := file.read(BLOCK):
        parts.append(block)
        size += len(block)
        limits.check_memory(2 * size)  # once in the parts, once joined
    return b"".join(parts)


def read_linr(path: Path, limits: Limits, damaged: bool = False) -> bytes:
    """The bytes of a .linr file, which are read only if the first of them are right, and as far as the limits allow.

    damaged: whether the first bytes may be. Raises InrcodecError, naming the file.
    """
    try:
        with naming(path), path.open("rb") as file:
            first = file.read(container.FIRST)
            container.check_start(first, damaged)
            if not file.seekable():
                return first + contents(file, limits)
            file.seek(0)  # so that the bytes are not copied
            return contents(file, limits)
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be read: {reason(fault)}") from fault


def check_size(limits: Limits, shape: Sequence[int], sample_bytes: int, copies: int, held: int = 0) -> None:
    """Refuse what the limits do not allow, before it is decoded.

    Args:
        limits: what a file may ask for.
        shape: of the samples, as the file declares it.
        sample_bytes: bytes of a decoded sample.
        copies: how many arrays of that size the reader and its library have at once.
        held: bytes that are held besides, such as the file.

    Raises:
        LimitError: too many samples, or too much memory.
    """
    limits.check_shape(shape)
    limits.check_memory(held + copies * sample_bytes * math.prod(shape))


def check_ratio(there: int, needed: int, ratio: int, what: str) -> None:
    """Refuse a file that is too short for what it declares, however well it is compressed.

    Args:
        there: bytes of coded samples in the file.
        needed: bytes of samples that it declares.
        ratio: the most bytes that one coded byte can stand for.
        what: what is declared, for the message.

    Raises:
        FormatError: it is too short.
    """
    if needed > there * ratio:
        raise FormatError(f"truncated, or damaged: {there} bytes are too few for {what}")
