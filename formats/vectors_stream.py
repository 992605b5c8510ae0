"""Conformance vectors of files that are written tile by tile (SPEC.md 1, 2, 4): the digest of tiles' digests, their order, section seek."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from vector_tools import Array, Recipe, Sections, Signal, fault, head, noise, picture, recipe, spans, stored, tone, varint

import inrcodec

BY_TILES = 64  # of the byte of the profile


def streamed(signal: Signal, chunks: Sequence[int], order: Sequence[int] = (), known: bool = True) -> bytes:
    """The file that the package writes brick by brick. order: of the layers along the first axis; known: whether the length is."""
    x, thick = signal.samples, chunks[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stream.linr"
        more: dict[str, Any] = {"bit_depth": signal.bit_depth, "sample_rate": signal.sample_rate, "metadata": signal.metadata or None}
        shape = x.shape if known else (None, *x.shape[1:])
        kind: Any = signal.kind
        with inrcodec.open(path, "w", shape=shape, dtype=x.dtype, chunks=chunks, kind=kind, profile="stored", threads=1, **more) as file:
            for layer in order or range(-(-len(x) // thick)):
                file[layer * thick : min(len(x), (layer + 1) * thick)] = x[layer * thick : (layer + 1) * thick]
        return path.read_bytes()


def by_stream(file: str, what: str, signal: Signal, chunks: Sequence[int], **about: Any) -> Recipe:
    return recipe(file, what, signal, lambda: streamed(signal, chunks, **about))


def subset() -> Iterable[Recipe]:
    smooth = (np.add.outer(np.arange(10), np.add.outer(np.arange(9), np.arange(7))) * 37 - 300).astype(np.int16)
    yield by_stream("stream-bricks", "bricks that cut three axes, written in order", Signal(smooth), (4, 5, 3))
    yield by_stream("stream-order", "bricks, the last layer written first", Signal(smooth), (4, 5, 3), order=(2, 0, 1))
    yield by_stream("stream-length", "a length that is known at the end", Signal(smooth), (4, 9, 7), known=False)
    yield by_stream("stream-short", "a length below that of a brick", Signal(smooth[:3]), (4, 9, 7), known=False)
    floats = np.array([[0.0, -0.0, 1.5], [np.inf, -np.inf, np.nan], [1e-45, 3e38, -7.25]], ">f4")
    yield by_stream("stream-floats", "floats by their bits, big-endian", Signal(floats), (2, 3))
    about = {"exif": b"MM\0*"}
    rows = Signal(picture(11, 6, 3, 12), "image", 12, metadata=about)
    yield by_stream("stream-picture", "a picture of 12 bits in strips, with metadata", rows, (4, 6, 3))
    yield by_stream("stream-sound", "a sound in blocks, by its length alone", Signal(tone(50, 2, 16, np.int16), "audio", 0, 8000), (16, 2))
    yield by_stream("stream-bool", "bool", Signal(noise((5, 9), "?")), (2, 9))


SMALL = Signal(np.arange(24, dtype=np.uint8).reshape(4, 6))


def by_hand(
    signal: Signal = SMALL,
    sizes: Sequence[int] = (2, 3),
    order: Sequence[int] = (),
    digest: Callable[[Signal, Sequence[int]], bytes] | None = None,
    profile: int = BY_TILES,
) -> Sections:
    """HEAD, TIDX and the tiles. order: which tile each section holds, as TIDX has it; digest: instead of the right one."""
    made = (digest or digest_of_tiles)(signal, sizes)
    _, (_, index), *tiles = stored(signal, bits=8, modes=[0, 1, 3], sizes=sizes)
    header = head(signal, profile, bits=8, digest=made)
    placed = [tiles[i] for i in order if i < len(tiles)] or tiles
    return [(b"HEAD", header), (b"TIDX", index + b"".join(map(varint, order))), *placed]


def digest_of_tiles(signal: Signal, sizes: Sequence[int]) -> bytes:
    meaning = head(signal, digest=b"")[1 : 5 + len(signal.samples.shape)]  # no size takes more than a byte
    samples: Array = signal.samples
    tiles = [hashlib.sha256(samples[span].tobytes()).digest() for span in spans(signal.axes, sizes)]
    return hashlib.sha256(b"".join([meaning, *map(varint, sizes), *tiles])).digest()


def uncommon() -> Iterable[Recipe]:
    yield recipe("stream-index-first", "a digest of tiles' digests; the index before the tiles, no seek", SMALL, by_hand)
    yield recipe("stream-order-told", "the order of the tiles told, although they are in order", SMALL, partial(by_hand, order=range(4)))
    yield recipe(
        "stream-order-plain",
        "tiles in another order in a file whose digest is of the samples",
        SMALL,
        partial(by_hand, order=(3, 1, 0, 2), digest=lambda signal, _: signal.digest, profile=0),
    )
    yield recipe("stream-digest-4", "4 bytes of a digest of digests", SMALL, partial(by_hand, digest=lambda *of: digest_of_tiles(*of)[:4]))
    for name, content in {"short": b"\1", "nowhere": b"\xff" * 8, "head": (10).to_bytes(8, "little")}.items():
        pointer = [(b"seek", content), (b"seek", b"")]
        yield recipe(f"stream-seek-{name}", "sections seek that point at no index", SMALL, partial(list, [*pointer, *by_hand()]))


def faulty() -> Iterable[Recipe]:
    def of_reversed(signal: Signal, sizes: Sequence[int]) -> bytes:
        return digest_of_tiles(Signal(signal.samples[::-1]), sizes)

    def of_other_size(signal: Signal, sizes: Sequence[int]) -> bytes:
        return digest_of_tiles(signal, (1, 1))

    yield fault("stream-digest", "a digest of the digests of other samples", by_hand(digest=of_reversed))
    yield fault(
        "stream-digest-plain", "the digest of all samples where one of tiles' digests is told", by_hand(digest=lambda s, _: s.digest)
    )
    yield fault("stream-digest-told", "a digest of tiles' digests that is not told", by_hand(profile=0))
    yield fault("stream-digest-size", "the digests of tiles of another size", by_hand(digest=of_other_size))
    square = Signal(np.arange(4, dtype=np.uint8).reshape(2, 2))
    turned = by_hand(square, (1, 2), digest=lambda signal, _: digest_of_tiles(signal, (2, 1)))
    yield fault("stream-digest-turned", "the sizes of a tile exchanged", turned)
    yield fault("stream-lossy", "a digest of tiles' digests in a file without samples", by_hand(profile=BY_TILES | 128))
    yield fault("stream-order-twice", "an order that names a tile twice", by_hand(order=(0, 1, 1, 3)))
    yield fault("stream-order-range", "an order that names a tile that is not there", by_hand(order=(0, 1, 2, 4)))
    yield fault("stream-order-short", "an order that lacks a tile", by_hand(order=(0, 1, 2))[:2] + by_hand()[2:])
    yield fault("stream-order-long", "a number behind the order", by_hand(order=(0, 1, 2, 3, 0))[:2] + by_hand()[2:])
    yield fault(
        "stream-order-wrong", "an order in which two tiles of one length are exchanged", by_hand(order=(1, 0, 2, 3))[:2] + by_hand()[2:]
    )
