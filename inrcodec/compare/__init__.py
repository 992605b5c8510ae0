"""Files × codecs: what each codec makes of each file, measured, and checked sample by sample."""

from __future__ import annotations

from .result import Comparison, FileResult, Measurement
from .run import Settings, Status, compare

__all__ = ["Comparison", "FileResult", "Measurement", "Settings", "Status", "compare"]
