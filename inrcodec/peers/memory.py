"""Bytes of memory that a process takes, as Linux tells them."""

from __future__ import annotations

import re
from pathlib import Path

PROCESSES = Path("/proc")
REST, PEAK = "VmRSS", "VmHWM"  # what a process takes, and what it took at most


def taken(what: str, process: int | str = "self") -> int | None:
    """Bytes that a process takes. what: REST or PEAK; process: its number.

    None: the system does not tell, or the process takes none any more.
    """
    try:
        status = (PROCESSES / str(process) / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(rf"^{what}:\s+(\d+) kB", status, re.M)
    return int(found[1]) * 1024 if found else None
