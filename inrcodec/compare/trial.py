"""One codec at one signal: encode, decode, compare; how long it took, and how much memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import InrcodecError
from ..kernels import events
from ..layout import tile_of
from ..peers import Peer, Unsuited
from ..peers.timing import SHORT, timed
from ..signal import Signal
from ..values import bits_of
from .memory import Peak
from .result import NOT_BACK

WARM = 1 << 14  # samples of what is coded first and not counted: libraries and kernels are loaded, kernels perhaps compiled
RUNS = 3  # of what is short
STARTED, COMPILING, FIRST = "started", "compiling", "first"  # what is told of runs
FRESH = 10.0  # seconds; where kernels are loaded, what takes less is measured again


class Trial(NamedTuple):
    """What a codec made of a signal: see `Measurement`. notes: what else there is to say of it."""

    size: int
    encode: float
    decode: float
    memory: int | None
    notes: dict[str, Any]


@dataclass
class Bench:
    """Tries a codec at one signal after the other, in this process.

    Of signals of a new sort, a part is coded first, since kernels are then loaded.

    Attributes:
        folder: for its files; told: called before each run of which the time may count, with STARTED, before kernels are compiled in one,
            from any thread, with COMPILING, and after the first that counts, with FIRST.
    """

    peer: Peer
    folder: Path
    threads: int
    told: Callable[[str], None]
    seen: set[Any] = field(default_factory=set)
    compiled: bool = False
    loaded: bool = False

    def warm_up(self, signal: Signal) -> bool:
        """Code a part of a signal, if it is the first of its sort; whether it is. A fault is left for `measure` to find."""
        sort = (signal.kind, signal.samples.ndim, signal.samples.dtype.str)
        if sort in self.seen:
            return False
        self.seen.add(sort)
        try:
            self._once(_part(signal))
        except (InrcodecError, OSError, ValueError, RuntimeError):
            return True
        return True

    def measure(self, signal: Signal, fresh: bool = False) -> Trial:
        """Encode, decode and compare; the least of three runs if they are short, of two if libraries or kernels are loaded in the first.

        fresh: whether libraries may have to be loaded.

        Raises Unsuited: the codec cannot take the signal, fails, or does not give it back.
        """
        self.told(STARTED)
        found = [self._once(signal, self.told)]
        while self.compiled:  # kernels that the part of the signal did not need
            self.told(STARTED)
            found = [self._once(signal, self.told)]
        self.told(FIRST)
        taken = found[0].encode + found[0].decode
        fresh = fresh or self.loaded
        while len(found) < (RUNS if taken < SHORT else 2 if fresh and taken < FRESH else 1):
            found.append(self._once(signal))
        memory = min((one.memory for one in found if one.memory is not None), default=None)
        return found[0]._replace(encode=min(one.encode for one in found), decode=min(one.decode for one in found), memory=memory)

    def _once(self, signal: Signal, told: Callable[[str], None] = lambda what: None) -> Trial:
        self.compiled = self.loaded = False

        def compiling() -> None:
            self.compiled = True
            told(COMPILING)

        def loading() -> None:
            self.loaded = True

        events.on_first_compile(compiling)
        events.on_first_load(loading)
        peer, threads = self.peer, self.threads
        try:
            peer.check(signal)
            prepared = peer.prepare(signal, self.folder)
            peak = Peak()
            coded, encode = timed(lambda: peer.encode(prepared, threads))
            decoded, decode = timed(lambda: peer.decode(coded, prepared, threads))
            memory = peer.peak() if peer.is_program else peak.above()
            if not same(peer.samples(decoded, signal), signal.samples):
                raise Unsuited(NOT_BACK)
            return Trial(peer.size(coded), encode, decode, memory, peer.notes(coded))
        except (KeyboardInterrupt, SystemExit, Unsuited):
            raise
        except MemoryError:
            raise Unsuited("fails: not enough memory") from None
        except BaseException as fault:  # a panic of Rust is no Exception
            said = str(fault).strip().splitlines()
            raise Unsuited(f"fails: {said[0] if said else type(fault).__name__}") from None
        finally:
            events.on_first_compile(None)
            events.on_first_load(None)


def same(back: Any, samples: Any) -> bool:
    """Whether type, shape and every bit of samples are those of others."""
    if back.dtype != samples.dtype or back.shape != samples.shape:
        return False
    return bool(np.array_equal(bits_of(back), bits_of(samples)))


def _part(signal: Signal) -> Signal:
    """The first of the samples, as a box of all axes; at most WARM if that can be."""
    samples = signal.samples
    channels = samples.shape[-1] if signal.channel_axis else 1
    axes = samples.shape[:-1] if signal.channel_axis else samples.shape
    box = tuple(slice(0, n) for n in tile_of(axes, max(1, WARM // channels)))
    return replace(signal, samples=np.ascontiguousarray(samples[box]))
