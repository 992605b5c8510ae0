"""Small valid `.linr` files that the fuzzer changes: conformance vectors, and files that are encoded here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

import inrcodec
from inrcodec import Signal, codec, container, header

from .fields import Field, fields_of

VECTORS = Path(__file__).resolve().parents[2] / "formats" / "vectors"
BYTES = 3000  # of a seed, at most: larger ones only take time
SAMPLES = 3000
OF_SAMPLES = [False]  # whether digests are of the samples alone: older checkouts, which `--package` may name, want that


@dataclass(frozen=True)
class Part:
    """A section: its type, its content, and the fields of this content, empty if they are not known."""

    type: bytes
    content: bytes
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True)
class Seed:
    """A valid file. original: the same with the digest that this inrcodec wants, if it is another file."""

    name: str
    data: bytes
    original: bytes = b""

    @cached_property
    def opened(self) -> codec.Opened:
        """The parsed file."""
        return codec.open_bytes(self.data)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Its sections but the end section."""
        return tuple(Part(*found) for found in fields_of(self.opened))

    @cached_property
    def types(self) -> frozenset[bytes]:
        """The types of its sections."""
        return frozenset(part.type for part in self.parts)

    @cached_property
    def raw(self) -> bytes:
        """What the digest is of, beside what the header says: samples as little-endian bytes, or the size of its tiles and their digests.

        Nothing of a file that has no samples.
        """
        if self.opened.header.lossy:
            return b""
        samples = inrcodec.decode(self.original or self.data, threads=1).samples
        if self.opened.header.by_tiles:
            layout = self.opened.layout
            return b"".join([*map(container.varint, layout.tile), *(header.tile_digest(samples[box]) for box in layout.boxes())])
        return np.ascontiguousarray(samples, samples.dtype.newbyteorder("<")).tobytes()


def _picture(channels: int, depth: int, seed: int = 0) -> Signal:
    """(9, 12, channels): a ramp and noise."""
    y, x = np.mgrid[0:9, 0:12]
    noise = np.random.default_rng(seed).integers(0, 1 << depth - 3, (9, 12, channels))
    values = ((11 * y + 5 * x << max(0, depth - 8))[:, :, None] // 2 + noise) % (1 << depth)
    samples = values.astype(np.uint8 if depth <= 8 else np.uint16)
    return Signal(samples[:, :, 0] if channels == 1 else samples, "image", depth, None, {"icc": bytes(40), "text/Title": b"A title"})


def _sound(channels: int, bits: int, frames: int = 90) -> Signal:
    """(frames, channels): a tone and noise."""
    tone = np.sin(np.arange(frames)[:, None] * 0.3 + np.arange(channels)) * (1 << bits - 2)
    samples = tone.astype(np.int64) + np.random.default_rng(bits).integers(-3, 4, tone.shape)
    return Signal(samples.astype(np.int8 if bits <= 8 else np.int16 if bits <= 16 else np.int32), "audio", bits, 8000)


def _stepped(frames: int = 1500) -> Signal:
    """(frames,): a tone of few levels under an envelope, whose samples are multiples of a step that changes."""
    t = np.arange(frames)
    levels = np.rint(60 * np.sin(t * 0.21) + 40 * np.sin(t * 0.047))
    return Signal(np.rint(levels * 200 * np.exp(-t / 9000)).astype(np.int16), "audio", 16, 8000)


def _floats(dtype: Any) -> Signal:
    """(90, 2): a tone and noise, of random mantissas, with zeros, −0, infinities and NaNs."""
    noise = np.random.default_rng(3).normal(0, 1e-5, (90, 2))
    samples = (_sound(2, 16).samples / 32768 + noise).astype(dtype)
    samples[40:50], samples[50] = 0, (-0.0, np.nan)
    samples[51] = np.inf, -np.inf
    return Signal(samples, "audio", 0, 8000)


def _encoded() -> Iterator[Seed]:
    few = _picture(3, 8).samples // 80 * 80
    cells = np.kron(_picture(3, 8).samples[:4, :4], np.ones((3, 3, 1), np.uint8))
    gaps = (np.arange(60, dtype=np.int32) ** 3 % 1009 * 4001).reshape(60)
    signals = {
        "grey": _picture(1, 8),
        "grey16": _picture(1, 16),
        "grey-alpha": _picture(2, 8),
        "rgb": _picture(3, 8),
        "rgba": _picture(4, 8),
        "few": Signal(few, "image"),
        "cells": Signal(cells, "image"),
        "bool": Signal(few[:, :, 0] > 80, "image"),
        "stack": Signal(np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6) * 7 % 60),
        "pages": Signal(np.stack([_picture(3, 8).samples] * 2), "stack"),
        "signed": Signal(_picture(1, 8).samples.astype(np.int16) - 99, "image"),
        "bands": Signal(_picture(3, 8).samples.repeat(2, 2), "image"),
        "complex": Signal((_picture(2, 8).samples / 7).astype(np.float32).view(np.complex64)[..., 0]),
        "bfloat16": Signal(_picture(1, 16).samples, bfloat16=True),
        "sound": _sound(2, 16),
        "sound24": _sound(1, 24),
        "gaps": Signal(np.stack([gaps, gaps], 1), "audio", 32, 100),
        "numbers": Signal(gaps),
        "floats": _floats(np.float32),
        "floats of 64 bits": _floats(np.float64),
        "float points": Signal((_sound(2, 16).samples / 32768).astype(np.float32), "audio", 0, 8000),
        "float gain": Signal((_sound(1, 16).samples / 32768 * 0.7).astype(np.float32), "audio", 0, 8000),
        "decimals": Signal(np.round(gaps / 100, 2).reshape(6, 10)),
        "halves": Signal(np.sin(np.arange(60)).astype(np.float16).reshape(6, 10)),
    }
    options: tuple[dict[str, Any], ...] = ({"profile": "stored"}, {"profile": "hybrid", "effort": 1}, {"profile": "hybrid", "effort": 4})
    for name, signal in signals.items():
        for option in options:
            data = inrcodec.encode(signal, threads=1, verify=False, **option)
            yield Seed(f"{name} {' '.join(map(str, option.values()))}", data)
    for effort in (1, 4):  # without lags, and with lags
        yield Seed(f"steps hybrid {effort}", inrcodec.encode(_stepped(), profile="hybrid", effort=effort, threads=1, verify=False))


def _vectors() -> Iterator[Seed]:
    for entry in json.loads((VECTORS / "manifest.json").read_text("utf-8")):
        if not entry.get("invalid") and np.prod(entry["shape"]) <= SAMPLES:
            data = (VECTORS / entry["file"]).read_bytes()
            if len(data) <= BYTES:
                yield Seed(entry["file"], data)


@cache
def seeds() -> tuple[Seed, ...]:
    """All seeds, always in the same order."""
    found = (*_vectors(), *_encoded())
    return tuple(_with_digest_of_samples(seed) for seed in found if not seed.opened.header.lossy) if OF_SAMPLES[0] else found


def _with_digest_of_samples(seed: Seed) -> Seed:
    sections = list(seed.opened.sections)
    (head,) = (i for i, section in enumerate(sections) if section.type == header.HEAD)
    content = sections[head].content[: -len(seed.opened.header.digest)]  # a compact file has only the first bytes of it
    sections[head] = container.Section(header.HEAD, content + hashlib.sha256(seed.raw).digest())
    return Seed(seed.name, container.write(sections), seed.data)


@cache
def seeds_with(type_: bytes) -> tuple[Seed, ...]:
    """The seeds that have a section of this type."""
    return tuple(seed for seed in seeds() if type_ in seed.types)


@cache
def compact_seeds() -> tuple[Seed, ...]:
    """The seeds that are compact files."""
    return tuple(seed for seed in seeds() if container.is_compact(seed.data))


@cache
def faulty() -> tuple[bytes, ...]:
    """Small faulty vectors."""
    found = (path.read_bytes() for path in sorted((VECTORS / "faulty").glob("*.linr")))
    return tuple(data for data in found if len(data) <= BYTES)
