"""The machine that something was measured on, in words."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def processor() -> str:
    """The name of the processor."""
    name = platform.processor() or platform.machine() or "unknown processor"
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return name
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)


def machine() -> str:
    """Processor, number of cores, system."""
    cores = os.cpu_count() or 1
    return f"{processor()}, {cores} core{'' if cores == 1 else 's'}, {platform.system()}"
