"""The most memory that this process takes while something runs. Linux alone can tell it, since its kernel can forget an earlier peak."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

from ..peers.memory import PEAK, PROCESSES, REST, taken

FORGET = "5"  # what makes the kernel forget the peak: proc(5), clear_refs


class Peak:
    """The peak of this process's memory above what it takes when this is made.

    What was freed is given back to the system before, so that it counts when it is taken again.
    """

    def __init__(self) -> None:
        gc.collect()
        with suppress(OSError, AttributeError, TypeError):  # glibc has it
            ctypes.CDLL(None).malloc_trim(0)
        try:
            (PROCESSES / "self" / "clear_refs").write_text(FORGET, encoding="ascii")
        except OSError:
            self._rest: int | None = None
        else:
            self._rest = taken(REST)

    def above(self) -> int | None:
        """Bytes of the peak until now above the rest; None: the system does not tell."""
        peak = None if self._rest is None else taken(PEAK)
        return None if peak is None or self._rest is None else max(0, peak - self._rest)
