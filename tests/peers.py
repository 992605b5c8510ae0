"""Codecs that fail in all ways, for tests of comparisons. They are in a module of their own, which worker processes import."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from inrcodec.peers import Peer, Unsuited
from inrcodec.peers.base import Samples
from inrcodec.signal import Signal


class Plain(Peer):
    """Gives the bytes of samples as they are."""

    name = "plain"
    kinds = ("image", "array")
    settings = "none"

    def version(self) -> str:
        return "plain 1"

    def check(self, signal: Signal) -> None:
        if signal.samples.dtype != np.uint8:
            raise Unsuited("takes uint8")

    def encode(self, prepared: Signal, threads: int) -> bytes:
        return prepared.samples.tobytes()

    def size(self, coded: bytes) -> int:
        return len(coded)

    def decode(self, coded: bytes, prepared: Signal, threads: int) -> Samples:
        return np.frombuffer(coded, np.uint8)

    def samples(self, decoded: Samples, signal: Signal) -> Samples:
        return decoded.reshape(signal.samples.shape)


class Wrong(Plain):
    """Loses one bit."""

    name = "wrong"

    def encode(self, prepared: Signal, threads: int) -> bytes:
        data = prepared.samples.tobytes()
        return data[:-1] + bytes([data[-1] ^ 1])


class Dying(Plain):
    """Ends its process at dark pictures."""

    name = "dying"

    def encode(self, prepared: Signal, threads: int) -> bytes:
        if prepared.samples.max() < 9:
            os._exit(3)
        return super().encode(prepared, threads)


class Hanging(Plain):
    """Starts a program that sleeps, whose process id it leaves in a file, and waits for it; but not for small pictures."""

    name = "hanging"

    def __init__(self, note: Path) -> None:
        self.note = note

    def encode(self, prepared: Signal, threads: int) -> bytes:
        if prepared.samples.size > 16384:
            with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as program:
                self.note.write_text(str(program.pid), encoding="ascii")
                time.sleep(60)
        return super().encode(prepared, threads)


class Failing(Plain):
    """Says why it fails, in several lines."""

    name = "failing"

    def encode(self, prepared: Signal, threads: int) -> bytes:
        raise RuntimeError("no such colour\nin this picture")


class Vanishing(Plain):
    """Loses its file before the bytes are counted."""

    name = "vanishing"

    def size(self, coded: bytes) -> int:
        raise OSError("its file is gone")


class Greedy(Plain):
    """Has not enough memory to give samples back."""

    name = "greedy"

    def samples(self, decoded: Samples, signal: Signal) -> Samples:
        raise MemoryError


class Absent(Plain):
    """Is not installed."""

    name = "absent"

    def missing(self) -> str:
        return "it is nowhere"

    def check(self, signal: Signal) -> Any:
        raise AssertionError
