"""Codecs of sound: FLAC and WavPack, by their commands. Their times are those of whole commands, which read and write files."""

from __future__ import annotations

import shutil
import subprocess
from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, NamedTuple

import soundfile

from .. import files
from ..errors import InrcodecError
from ..limits import NO_LIMITS
from ..signal import Kind, Signal
from .base import Peer, Samples, Unsuited
from .memory import PEAK, taken

ASKED = 10.0  # seconds that a program may take to tell its version
LOOK = 0.005  # seconds after which a program's memory is looked at again
LOOKS = 5  # that are needed; of a program that ends sooner, the most may have been missed
# without what makes room for tags, and a table to seek by; sounds of many channels need not say which is where
FLAC = ("flac", "-s", "-f", "-8", "-p", "-e", "--no-padding", "--no-seektable", "--channel-map=none")
WAVPACK = ("wavpack", "-q", "-y", "-hhx6")
SUBTYPES = (8, 16, 24)  # bits that libsndfile writes


class Ran(NamedTuple):
    """What a program has left. peak: bytes of memory that were seen, None: it was too short to see them."""

    path: Path
    peak: int | None


def run(command: list[str], made: Path) -> Ran:
    """Run a program that writes the file `made`. Raises Unsuited with what it says if it fails."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak: int | None = None
    looks = 0
    try:
        while process.poll() is None:
            looks += 1
            seen = taken(PEAK, process.pid)
            peak = max(filter(None, (peak, seen)), default=None)
            try:
                process.wait(LOOK)
            except subprocess.TimeoutExpired:
                continue
        said = process.stderr.read().decode("utf-8", "replace") if process.stderr else ""
    finally:
        process.kill()
        if process.stderr:
            process.stderr.close()
    if process.returncode:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        raise Unsuited(f"fails: {lines[-1] if lines else f'exit status {process.returncode}'}".replace(f"{made.parent}/", ""))
    return Ran(made, peak if looks >= LOOKS else None)


def plain(signal: Signal) -> Signal:
    """A sound without metadata."""
    return replace(signal, metadata={})


class _Program(Peer):
    """A program that codes WAV files.

    program, back: the commands; package: that has them, in most systems; suffix: of its files; floats: whether it takes such.
    """

    kinds: tuple[Kind, ...] = ("audio",)
    program: ClassVar[str]
    back: ClassVar[str]
    package: ClassVar[str]
    suffix: ClassVar[str]
    floats: ClassVar[bool] = False

    def __init__(self) -> None:
        self._peaks: list[int | None] = []

    @property
    def is_program(self) -> bool:
        return True

    def missing(self) -> str:
        gone = [name for name in dict.fromkeys((self.program, self.back)) if shutil.which(name) is None]
        return f"the command {gone[0]} is not on PATH; install the package {self.package} of your system" if gone else ""

    def version(self) -> str:
        command = [self.program, "--version"]
        try:
            said = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=ASKED)
        except (OSError, subprocess.TimeoutExpired):
            return self.program
        return (said.stdout or said.stderr).decode("utf-8", "replace").strip().partition("\n")[0].strip() or self.program

    def check(self, signal: Signal) -> None:
        kind = signal.samples.dtype
        if kind.kind == "f" and not (self.floats and kind.itemsize == 4):
            raise Unsuited(f"takes no {8 * kind.itemsize}-bit floats")

    def prepare(self, signal: Signal, folder: Path) -> Path:
        self._peaks = []
        path = folder / "sound.wav"
        files.write(path, plain(signal))
        return path

    def encode(self, prepared: Path, threads: int) -> Path:
        made = prepared.with_suffix(self.suffix)
        return self._run(self.encoding(prepared, made), made)

    def size(self, coded: Path) -> int:
        return coded.stat().st_size

    def decode(self, coded: Path, prepared: Path, threads: int) -> Path:
        made = prepared.with_name("back.wav")
        return self._run(self.decoding(coded, made), made)

    def samples(self, decoded: Path, signal: Signal) -> Samples:
        try:
            found = files.read(decoded, NO_LIMITS)
        except (InrcodecError, OSError) as fault:
            raise Unsuited(f"fails: {fault}".replace(str(decoded), "its file")) from None
        return found.samples.reshape(signal.samples.shape) if found.samples.size == signal.samples.size else found.samples

    def peak(self) -> int | None:
        return max((peak for peak in self._peaks if peak is not None), default=None)

    def _run(self, command: list[str], made: Path) -> Path:
        made.unlink(missing_ok=True)
        found = run(command, made)
        self._peaks.append(found.peak)
        return found.path

    @abstractmethod
    def encoding(self, source: Path, made: Path) -> list[str]:
        """The command that codes a WAV file."""

    @abstractmethod
    def decoding(self, source: Path, made: Path) -> list[str]:
        """The command that gives it back."""


class Flac(_Program):
    """FLAC, by its command; without that by libsndfile, at the same level but with less search, in this process."""

    name = "FLAC"
    program = back = package = "flac"
    suffix = ".flac"

    @property
    def is_program(self) -> bool:
        return shutil.which("flac") is not None

    @property
    def settings(self) -> str:
        return f"{' '.join(FLAC)}" if self.is_program else "libsndfile in place of the command flac, level 8"

    def missing(self) -> str:
        return ""

    def lesser(self) -> str:
        why = super().missing()
        return f"{why}; libsndfile encodes instead, a little larger" if why else ""

    def version(self) -> str:
        return super().version() if self.is_program else str(soundfile.__libsndfile_version__)

    def check(self, signal: Signal) -> None:
        super().check(signal)
        if not self.is_program and signal.bit_depth not in SUBTYPES:
            raise Unsuited(f"takes no sounds of {signal.bit_depth} bits")

    def encode(self, prepared: Path, threads: int) -> Path:
        if self.is_program:
            return super().encode(prepared, threads)
        made = prepared.with_suffix(self.suffix)
        x, rate = soundfile.read(prepared, dtype="int32")
        depth = soundfile.info(prepared).subtype
        soundfile.write(made, x, rate, format="FLAC", subtype="PCM_S8" if depth == "PCM_U8" else depth, compression_level=1.0)
        return made

    def decode(self, coded: Path, prepared: Path, threads: int) -> Path:
        if self.is_program:
            return super().decode(coded, prepared, threads)
        made = prepared.with_name("back.wav")
        x, rate = soundfile.read(coded, dtype="int32")
        soundfile.write(made, x, rate, format="WAV", subtype=soundfile.info(prepared).subtype)
        return made

    def encoding(self, source: Path, made: Path) -> list[str]:
        return [*FLAC, str(source), "-o", str(made)]

    def decoding(self, source: Path, made: Path) -> list[str]:
        return ["flac", "-s", "-f", "-d", str(source), "-o", str(made)]


class WavPack(_Program):
    """WavPack."""

    name = "WavPack"
    settings = f"{' '.join(WAVPACK)}"
    program, back, package, suffix = "wavpack", "wvunpack", "wavpack", ".wv"
    floats = True

    def encoding(self, source: Path, made: Path) -> list[str]:
        return [*WAVPACK, str(source), "-o", str(made)]

    def decoding(self, source: Path, made: Path) -> list[str]:
        return ["wvunpack", "-q", "-y", str(source), "-o", str(made)]
