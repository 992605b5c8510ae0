"""An estimate of what many files cost, as the command line prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .progress import size

if TYPE_CHECKING:
    from ..batch.estimate import Estimate


def told(found: Estimate, cores: int, shared: bool = False) -> list[str]:
    """An estimate in a few lines. cores: for the time by the clock; shared: see `Estimate.wall_seconds`."""
    saved, hours = found.saved_bytes, found.core_hours
    low, high = sorted((saved.low, saved.high))
    part = f", of {found.in_part} a part" if found.in_part else ""
    faults = f"; {found.faults} could not be encoded" if found.faults else ""
    return [
        f"estimated from {found.sampled} of {found.files} files{part}{faults}:",
        f"  {size(found.source_bytes)} → {size(found.file_bytes.value)}, saves {_signed(saved.value)} ({_signed(low)} to {_signed(high)})",
        f"  {_hours(hours.value)} core-hours ({_hours(hours.low)} to {_hours(hours.high)}), "
        f"on {cores} core{'' if cores == 1 else 's'} {_duration(found.wall_seconds(cores, shared))}",
    ]


def _signed(n: float) -> str:
    return f"−{size(-n)}" if n < 0 else size(n)


def _hours(n: float) -> str:
    return f"{n:.0f}" if n >= 100 else f"{n:.2g}"


def _duration(seconds: float) -> str:
    """A time in words, of two digits or so."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}" if seconds >= 10 * length else f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"
