"""What a comparison has found, as plain data: `Comparison`, and the same as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import FormatError

VERSION = 1  # of the JSON object
NOT_BACK = "did not give it back"  # the fault of a codec that lost something
PLAIN, LATTICE, SOUND, ARRAYS = "pictures", "pictures with a hidden lattice", "sound", "arrays"
UNSURE = "pictures, lattice not known"  # of which inrcodec gave nothing, so that nobody looked for a lattice
GROUPS = (LATTICE, PLAIN, UNSURE, SOUND, ARRAYS)  # in the order in which they are told
CODECS = ("PNG", "WebP", "JPEG XL", "JPEG 2000", "JPEG-LS", "AVIF", "FLAC", "WavPack", "Blosc2", "pcodec")  # in the order of the tables
OURS = "inrcodec"  # what the names of our own results begin with


def is_ours(codec: str) -> bool:
    """Whether a codec of a comparison is inrcodec, at any effort."""
    return codec == OURS or codec.startswith(f"{OURS} ")


@dataclass(frozen=True)
class Measurement:
    """What a codec made of a file. It gave every sample back.

    Attributes:
        codec: its name, which no other measurement of the file has.
        settings: those it was given, in words.
        size: bytes.
        encode, decode: seconds.
        memory: bytes of the peak above what the process takes at rest, while encoding and decoding; None: this system does not tell it.
    """

    codec: str
    settings: str
    size: int
    encode: float
    decode: float
    memory: int | None = None


@dataclass(frozen=True)
class FileResult:
    """What all codecs made of a file.

    Attributes:
        path: its name below the folder of all inputs, with "/" between folders.
        group: one of GROUPS.
        kind: that of its signal: "image", "stack", "audio" or "array".
        shape, dtype: of the samples.
        raw: bytes of the samples, packed at their bit depth.
        source: bytes of the file as it came.
        measurements: of the codecs that took it, in the order in which they are told.
        faults: by codec, why it gave nothing.
    """

    path: str
    group: str
    kind: str
    shape: tuple[int, ...]
    dtype: str
    raw: int
    source: int
    measurements: tuple[Measurement, ...]
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return math.prod(self.shape)

    @property
    def places(self) -> int:
        """How many pixels a picture or a stack has, in all pages; of sounds and arrays: how many samples."""
        if self.kind in ("image", "stack"):
            return math.prod(self.shape[: 2 if self.kind == "image" else 3])
        return self.samples

    def of(self, codec: str) -> Measurement | None:
        """The measurement of a codec; None: there is none."""
        return next((one for one in self.measurements if one.codec == codec), None)


@dataclass(frozen=True)
class Comparison:
    """What a run has found.

    Attributes:
        files: in the order of their names.
        missing: by codec, what is not installed, and how to get it.
        refused: by path, why the file was not measured.
        versions: by program or package.
        machine: processor, cores and system, in words.
        command: the command line.
        threads: that codecs with threads had.
        date: when the run began, as ISO 8601 in UTC.
        complete: whether all files were measured; else the run was stopped.
    """

    files: tuple[FileResult, ...]
    missing: dict[str, str]
    refused: dict[str, str]
    versions: dict[str, str]
    machine: str
    command: str
    threads: int
    date: str
    complete: bool = True

    @property
    def groups(self) -> list[str]:
        """The groups that files are in, in the order of GROUPS."""
        return [group for group in GROUPS if any(file.group == group for file in self.files)]

    def of_group(self, group: str) -> list[FileResult]:
        """The files of a group."""
        return [file for file in self.files if file.group == group]

    def codecs(self, group: str | None = None) -> list[str]:
        """The codecs that took or refused a file of a group, or any file: inrcodec first, by effort, then others as CODECS has them."""
        files = self.files if group is None else self.of_group(group)
        named = {codec for file in files for codec in (*(one.codec for one in file.measurements), *file.faults)}
        return sorted(named, key=lambda codec: (not is_ours(codec), CODECS.index(codec) if codec in CODECS else len(CODECS), codec))

    def to_json(self) -> dict[str, Any]:
        """All of it as what JSON can hold."""
        found = asdict(self)
        for file in found["files"]:
            file["shape"], file["measurements"] = list(file["shape"]), list(file["measurements"])
        return {"version": VERSION, **found, "files": list(found["files"])}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Comparison:
        """What `to_json` gave. Raises FormatError."""
        try:
            if found["version"] != VERSION:
                raise FormatError(f"a comparison of version {found['version']!r}, and only version {VERSION} is known")
            plain = {name: value for name, value in found.items() if name != "version"}
            return cls(**{**plain, "files": tuple(_file(file) for file in found["files"])})
        except (KeyError, TypeError, AttributeError) as fault:
            raise FormatError(f"this is no comparison: {type(fault).__name__}: {fault}") from fault


def _file(found: Mapping[str, Any]) -> FileResult:
    measurements = tuple(Measurement(**one) for one in found["measurements"])
    return FileResult(**{**found, "shape": tuple(found["shape"]), "measurements": measurements})
