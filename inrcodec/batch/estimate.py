"""What it would cost to encode many files, and what it would save: from a sample of them, in bounded time.

Files are sorted into groups by type and size, a factor of four in each. Of each group some are drawn at random, the more the more bytes it
has, and are encoded as they will be; of a large file, only a part. Each group then has two ratios, bytes and seconds for each byte of the
sources (the ratio estimator of survey sampling). The interval is two standard errors to both sides.
"""

from __future__ import annotations

import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Item
from ..bundle.arrays import Decoded
from ..errors import InrcodecError, keeping_notices, quiet
from ..header import write_metadata
from ..layout import tile_of
from ..options import Options
from ..signal import Signal
from ..tensors import Tensors
from . import content, places
from .content import READING, Content
from .tasks import Task

SECONDS = 30.0  # that a sample takes, by the clock
WANTED = 12  # files that there is to be time for: parts of files are made as large as that allows,
LEAST = 1 << 18  # but have so many samples: in smaller ones, what the coder must learn first counts too much
WARM = 1 << 14  # samples of what is encoded first and not counted: kernels are loaded, or compiled
FEW = 3  # files of a group from which its own spread is taken; with fewer, that of all groups counts too
UNKNOWN = 0.5  # the spread, relative to the mean, if there is nothing to take it from
HOUR = 3600.0


class Interval(NamedTuple):
    """A number that was estimated, and the ends of its interval."""

    value: float
    low: float
    high: float

    def plus(self, other: float) -> Interval:
        """The interval, moved."""
        return Interval(self.value + other, self.low + other, self.high + other)

    def times(self, factor: float) -> Interval:
        """The interval, scaled. factor: 0 or more."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Estimate:
    """What encoding would cost and save.

    Attributes:
        files: how many files there are; sampled: how many of them were encoded; in_part: how many of those not as a whole.
        faults: how many could not be read or encoded; the totals are those of the others.
        source_bytes: of the sources; file_bytes: of the .linr files.
        core_hours: of one core, verification included.
        longest: seconds that the file takes which takes longest, on one core.
    """

    files: int
    sampled: int
    in_part: int
    faults: int
    source_bytes: int
    file_bytes: Interval
    core_hours: Interval
    longest: float

    @property
    def saved_bytes(self) -> Interval:
        """Bytes of the sources less those of the .linr files; below 0: these are larger."""
        least, most = self.source_bytes - self.file_bytes.high, self.source_bytes - self.file_bytes.low
        return Interval(self.source_bytes - self.file_bytes.value, least, most)

    def wall_seconds(self, cores: int, shared: bool = False) -> float:
        """The time by the clock with so many cores. shared: whether the tiles of a file are shared by them, as in a cluster."""
        total = self.core_hours.value * HOUR / max(1, cores)
        return total if shared else max(total, self.longest)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        plain = {"files": self.files, "sampled": self.sampled, "in_part": self.in_part, "faults": self.faults}
        return plain | {
            "source_bytes": self.source_bytes,
            "file_bytes": [round(n) for n in self.file_bytes],
            "saved_bytes": [round(n) for n in self.saved_bytes],
            "core_hours": [round(n, 6) for n in self.core_hours],
        }


class Seen(NamedTuple):
    """What was seen of a file. source: its bytes; made: those of its .linr file; seconds: of one core; whole: whether all was encoded."""

    source: int
    made: float
    seconds: float
    whole: bool


@dataclass
class Group:
    """Files of one type and about one size, in the order in which they are tried; what was seen of the first ones; which failed."""

    tasks: list[Task] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    faults: list[Task] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """How many were tried."""
        return len(self.seen) + len(self.faults)

    @property
    def size(self) -> int:
        """Bytes of all files, less the share of those that fail."""
        total, failed = sum(task.size for task in self.tasks), sum(task.size for task in self.faults)
        if self.tried == len(self.tasks) or not failed:
            return total - failed
        return round(total * (1 - failed / (failed + sum(one.source for one in self.seen))))


def estimate(tasks: Sequence[Task], seconds: float = SECONDS, stop: Callable[[], bool] | None = None, seed: int = 0) -> Estimate | None:
    """Estimate what tasks that encode cost. None: nothing can be said, since no file could be encoded, or networks are fitted, which takes
    as long as their options say.

    Args:
        tasks: as `plan.make` gives them; nothing of them is written.
        seconds: that it may take, by the clock. At least one file is encoded, of a large one a part.
        stop: asked between two files; when it returns True, what was seen so far counts.
        seed: of the choice of files.
    """
    tasks = [task for task in tasks if task.action == "encode" and task.size]
    if not tasks or any(task.fits for task in tasks):
        return None
    groups: dict[tuple[str, int], Group] = defaultdict(Group)
    for task in tasks:
        groups[_group_of(task)].tasks.append(task)
    chance, started = random.Random(seed), time.perf_counter()
    for group in groups.values():
        chance.shuffle(group.tasks)
    look = _Look(chance, seconds)
    while left := [group for group in groups.values() if group.tried < len(group.tasks)]:
        group = max(left, key=lambda group: sum(task.size for task in group.tasks) / (group.tried + 1) ** 2)
        task = group.tasks[group.tried]
        try:
            group.seen.append(look(task))
        except (InrcodecError, OSError, MemoryError):
            group.faults.append(task)
        if any(group.seen for group in groups.values()) and (time.perf_counter() > started + seconds or (stop is not None and stop())):
            break
    return _summed(list(groups.values())) if any(group.seen for group in groups.values()) else None


def _group_of(task: Task) -> tuple[str, int]:
    """What files of one group have in common: the extension, and the size up to a factor of four."""
    return PurePosixPath(places.last_part(task.source)).suffix.lower(), task.size.bit_length() // 2


class _Look:
    """Encodes files, or parts of them, to see what they cost.

    seconds: that there are in all; pace: samples that were encoded in a second of one core so far, 0: none; warm: what kernels are loaded.
    """

    def __init__(self, chance: random.Random, seconds: float) -> None:
        self.chance, self.seconds = chance, seconds
        self.samples, self.spent = 0.0, 0.0
        self.warm: set[tuple[Any, ...]] = set()

    def __call__(self, task: Task) -> Seen:
        """Encode a file. Raises InrcodecError; OSError; MemoryError."""
        options = Options(**{name: value for name, value in task.options.items() if name not in READING} | {"threads": 1})
        with quiet(), keeping_notices():
            with places.local(task.source) as path:
                started = time.process_time()
                found = content.read(path, task.options)
                reading = time.process_time() - started
            pace = self.samples / self.spent if self.spent else 0.0
            part, share = _part(found, max(LEAST, int(pace * self.seconds / WANTED)), self.chance)
            if (kind := _kernels_for(found)) not in self.warm:
                self.warm.add(kind)
                content.encode(_part(part, WARM, self.chance)[0], options)
            started = time.process_time()
            made = len(content.encode(part, options))
            coding = time.process_time() - started
        self.samples, self.spent = self.samples + _samples(found) * share, self.spent + coding
        beside = len(write_metadata(found.metadata)) if share < 1 and found.metadata else 0
        return Seen(task.size, made / share + beside, reading + coding / share, share == 1)


def _samples(found: Content) -> int:
    """How many samples there are."""
    if isinstance(found, Signal):
        return found.samples.size
    if isinstance(found, Tensors):
        return sum(tensor.bits.size for tensor in found.tensors.values())
    return sum(item.nbytes for item in found.items.values())


def _kernels_for(found: Content) -> tuple[Any, ...]:
    """What decides which kernels a file needs."""
    if not isinstance(found, Signal):
        return (type(found).__name__,)
    return found.kind, found.samples.ndim, found.floating, found.samples.dtype.itemsize > 2


def _part(found: Content, most: int, chance: random.Random) -> tuple[Content, float]:
    """(a part of what was read, which share of the samples that is); all of it if it has not more than `most` samples."""
    if isinstance(found, Signal):
        return _part_of_signal(found, most, chance)
    total = _samples(found)
    if total <= most:
        return found, 1.0
    if isinstance(found, Tensors):
        cut = {name: replace(t, bits=_first(t.bits, most / total)) for name, t in found.tensors.items()}
        return Tensors(cut), sum(tensor.bits.size for tensor in cut.values()) / total
    assert isinstance(found, Decoded)
    items = {name: _part_of_item(item, most * item.nbytes // total, chance) for name, item in found.items.items()}
    return Decoded(items, {}), sum(item.nbytes for item in items.values()) / total


def _first(bits: Any, share: float) -> Any:
    """A share of the first axis of an array, one place at least."""
    return bits[: max(1, math.ceil(len(bits) * share))] if bits.ndim and len(bits) else bits


def _part_of_item(item: Item, most: int, chance: random.Random) -> Item:
    """A part of an array, or all of it if it is no signal by itself."""
    if item.signal is None or item.type:
        return item
    part, _ = _part_of_signal(item.signal, max(1, most // item.signal.samples.itemsize), chance)
    return Item(part)


def _part_of_signal(signal: Signal, most: int, chance: random.Random) -> tuple[Signal, float]:
    """A box of a signal at a random place, with at most so many samples if that can be, and which share of the samples that is."""
    samples = signal.samples
    if samples.size <= most:
        return signal, 1.0
    channels = samples.shape[-1] if signal.channel_axis else 1
    axes = samples.shape[:-1] if signal.channel_axis else samples.shape
    tile = tile_of(axes, max(1, most // channels))
    at = [chance.randint(0, n - t) for n, t in zip(axes, tile, strict=True)]
    part = np.ascontiguousarray(samples[tuple(slice(a, a + t) for a, t in zip(at, tile, strict=True))])
    return replace(signal, samples=part, metadata={}), part.size / samples.size


# --- the totals -----------------------------------------------------------------------------------------------------


def _summed(groups: Sequence[Group]) -> Estimate:
    every = [one for group in groups for one in group.seen]
    made, seconds = (_total(groups, of) for of in (lambda one: one.made, lambda one: one.seconds))
    rates = [_ratio(group.seen or every, lambda one: one.seconds) for group in groups]
    return Estimate(
        sum(len(group.tasks) for group in groups),
        len(every),
        sum(not one.whole for one in every),
        sum(len(group.faults) for group in groups),
        sum(group.size for group in groups),
        made,
        seconds.times(1 / HOUR),
        max(task.size * rate for group, rate in zip(groups, rates, strict=True) for task in group.tasks),
    )


def _ratio(some: Iterable[Seen], of: Callable[[Seen], float]) -> float:
    """What there is for each byte of the sources."""
    some = list(some)
    return sum(map(of, some)) / sum(one.source for one in some)


def _total(groups: Sequence[Group], of: Callable[[Seen], float]) -> Interval:
    """The total over all files of a number that was seen of some."""
    every = [one for group in groups for one in group.seen]
    spreads = [spread for group in groups if (spread := _spread(group.seen, of)) is not None]
    usual = math.sqrt(sum(s * s for s in spreads) / len(spreads)) if spreads else UNKNOWN
    total, variance = 0.0, 0.0
    for group in groups:
        some = group.seen
        part = group.size * _ratio(some or every, of)
        total += part
        own = _spread(some, of)
        spread = own if own is not None and len(some) >= FEW else max(own or 0.0, usual) if some else max(usual, UNKNOWN)
        left = 1 - group.tried / len(group.tasks) if all(one.whole for one in some) else 1.0  # what was done whole is certain
        variance += (part * spread) ** 2 * left / max(1, len(some))
    error = 2 * math.sqrt(variance)
    return Interval(total, max(0.0, total - error), total + error)


def _spread(some: Sequence[Seen], of: Callable[[Seen], float]) -> float | None:
    """The standard deviation of what is seen around its ratio to the sources, relative to the mean; None of less than two files."""
    if len(some) < 2:
        return None
    ratio, mean = _ratio(some, of), sum(map(of, some)) / len(some)
    return math.sqrt(sum((of(one) - ratio * one.source) ** 2 for one in some) / (len(some) - 1)) / mean if mean else 0.0
