"""How much a file may ask for: samples and memory. What a file declares is checked against these limits before anything is allocated."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .errors import LimitError

# 2.1e9 samples: a picture of 26,000 × 26,000 in RGB, or six hours of stereo at 48 kHz. More is rare enough to be asked for, and a hostile
# file of some hundred bytes can so demand a few gigabytes at most.
MAX_SAMPLES = 1 << 31
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of Linux's control groups, version 2
UNLIMITED = 1 << 62  # more than any file can ask for


@cache
def machine_memory() -> int:
    """Bytes of main memory of this machine, or of its container if that has less; 2^62 if the system does not tell."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system has sysconf
        memory = UNLIMITED
    try:
        return min(memory, int(CONTAINER_LIMIT.read_text(encoding="ascii")))
    except (OSError, ValueError):  # there is no such file, or it says "max"
        return memory


@dataclass(frozen=True)
class Limits:
    """What a file may ask for.

    Attributes:
        max_samples: samples of the whole array.
        max_memory: bytes that reading or decoding may take at once, as far as can be told beforehand; 0: all memory of the machine.
    """

    max_samples: int = MAX_SAMPLES
    max_memory: int = 0

    def check_shape(self, shape: Sequence[int]) -> None:
        """Raise LimitError if an array of this shape has too many samples."""
        count = math.prod(shape)
        if count > self.max_samples:
            raise LimitError(f"it declares {count} samples; the limit is {self.max_samples} (max_samples, --max-samples)")

    def check_memory(self, needed: int) -> None:
        """Raise LimitError if `needed` bytes are too many."""
        most = self.max_memory or machine_memory()
        if needed > most:
            raise LimitError(f"it would take about {needed} bytes of memory; the limit is {most} (max_memory, --max-memory)")


NO_LIMITS = Limits(UNLIMITED, UNLIMITED)
