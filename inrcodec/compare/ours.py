"""inrcodec itself, as one of the codecs that are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import __version__, codec
from ..options import Options
from ..peers import Peer
from ..peers.base import Samples
from ..signal import KINDS, Signal
from .result import OURS


class Ours(Peer):
    """inrcodec at an effort. Encoding is measured without verification, which would add the time of decoding.

    several: whether other efforts are measured too, so that the name must tell them apart.
    """

    kinds = KINDS
    compiles = True

    def __init__(self, effort: int, several: bool = False) -> None:
        self.name = f"{OURS} -{effort}" if several else OURS  # as the command line has it; "inrcodec 4" would look like a version
        self.effort = effort

    @property
    def settings(self) -> str:
        return f"effort {self.effort}, without verification"

    def version(self) -> str:
        return f"inrcodec {__version__}"

    def check(self, signal: Signal) -> None:
        """Every signal suits it."""

    def prepare(self, signal: Signal, folder: Path) -> Signal:
        return signal

    def encode(self, prepared: Signal, threads: int) -> bytes:
        return codec.encode(prepared, Options(effort=self.effort, threads=threads, verify=False))

    def size(self, coded: bytes) -> int:
        return len(coded)

    def decode(self, coded: bytes, prepared: Signal, threads: int) -> Signal:
        return codec.decode(coded, Options(threads=threads))

    def samples(self, decoded: Signal, signal: Signal) -> Samples:
        return decoded.samples

    def notes(self, coded: Any) -> dict[str, Any]:
        return {"lattice": codec.info(coded).get("network", {}).get("transform") == "lattice"}
