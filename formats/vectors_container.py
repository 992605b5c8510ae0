"""Conformance vectors of what is around the tiles: sections (SPEC.md 1), metadata (3) and the tile index (4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import brotli
import numpy as np
from vector_tools import (
    SMALL,
    Recipe,
    Sections,
    Signal,
    by_encoder,
    fault,
    file_of,
    head,
    long_varint,
    meta,
    picture,
    recipe,
    section,
    small_coded,
    small_stored,
    stored,
    varint,
)


def subset_metadata() -> Iterable[Recipe]:
    fields = {"exif": b"Exif\0\0MM\0*", "icc": bytes(range(128)), "xmp": "<x>ä</x>".encode()}
    yield by_encoder("image-metadata", "metadata", Signal(picture(5, 6, 3, 8), "image", metadata=fields), profile="stored")


def subset_preview() -> Iterable[Recipe]:
    noise = np.random.default_rng(7).integers(0, 256, (52, 60, 3), np.uint8)
    yield by_encoder(
        "image-preview", "a preview, of which the samples do not depend", Signal(noise, "image"), profile="stored", preview=True
    )


def uncommon_sections() -> Iterable[Recipe]:
    signal = Signal(picture(6, 5, 3, 8), "image", metadata={"xmp": b"<x/>"})
    metadata = (b"meta", meta([(b"xmp", b"<x/>")]))

    def sections() -> Sections:
        first, *others = stored(signal, bits=8, modes=[2, 0, 1, 3], sizes=[4, 3])
        return [first, metadata, *others]

    yield recipe(
        "section-unknown",
        "optional sections that nobody knows, one of them twice",
        signal,
        lambda: [
            (b"zzzz", b""),
            *sections()[:3],
            (b"aBCD", b"\0" * 9),
            *sections()[3:],
            (b"aBCD", b"END!"),
            (b"tile", b"?"),
        ],
    )
    yield recipe(
        "section-preview-faulty",
        "two previews that are none, which a decoder of samples skips",
        signal,
        lambda: [(b"prev", b"RIFF"), *sections(), (b"prev", b"")],
    )
    yield recipe(
        "section-order-reversed",
        "HEAD last, before it TIDX, and the tiles first",
        signal,
        lambda: [
            *sections()[3:],
            *reversed(sections()[:3]),
        ],
    )
    yield recipe(
        "section-order-between",
        "the other sections between the tiles",
        signal,
        lambda: [
            sections()[3],
            sections()[2],
            *sections()[4:6],
            sections()[0],
            sections()[6],
            sections()[1],
        ],
    )
    yield recipe("varint-long", "sections whose length takes 10 bytes", signal, lambda: file_of(sections(), long_varint))


def uncommon_metadata() -> Iterable[Recipe]:
    plain = Signal(np.arange(20, dtype=np.uint8))
    keys: dict[str, dict[str, bytes]] = {
        "empty": {},
        "unusual": {"": b"", "ключ 钥匙 🔑": b"\xff\0\xfe", "a" * 300: b"x", "exif": b"", "\0": b"\n"},
        "large": {"pad": b"\0" * 100_000},
    }
    for name, items in keys.items():
        of_keys = Signal(plain.samples, metadata=items)
        section_of_keys = (b"meta", meta((key.encode(), value) for key, value in items.items()))
        yield recipe(f"metadata-{name}", f"metadata: {name}", of_keys, partial(list, [*stored(plain, bits=5), section_of_keys]))


def faulty_sections() -> Iterable[Recipe]:
    good, with_network = small_stored(), small_coded()
    header, index, tile = good
    whole = file_of(good)
    yield fault("empty", "no bytes at all", b"")
    yield fault("truncated-magic", "the end after 5 bytes", whole[:5])
    yield fault("truncated-version", "the end after the magic", whole[:9])
    yield fault("truncated-no-section", "the end after the version", whole[:10])
    yield fault("truncated-type", "the end within a section's type", whole[:12])
    yield fault("truncated-length", "the end before a section's length", whole[:14])
    yield fault("truncated-content", "the end within a section's content", whole[:30])
    yield fault("truncated-crc", "the end within a section's CRC", whole[: 10 + len(section(*header)) - 1])
    yield fault("truncated-end", "no END!", whole[: -len(section(b"END!"))])
    yield fault("truncated-end-crc", "the last byte of the file missing", whole[:-1])
    yield fault("trailing-byte", "a byte after END!", whole + b"\0")
    yield fault("trailing-file", "two files in one", whole + whole)
    yield fault("magic-line-ends", "line ends changed to LF", whole.replace(b"\r\n", b"\n"))
    yield fault("magic-7-bit", "the high bit cleared", bytes([whole[0] & 127]) + whole[1:])
    yield fault("version-2", "version 2", whole[:9] + b"\2" + whole[10:])
    yield fault("version-0", "version 0", whole[:9] + b"\0" + whole[10:])
    yield fault(
        "crc-head",
        "wrong CRC of HEAD",
        whole[: 10 + len(section(*header)) - 1] + bytes([whole[9 + len(section(*header))] ^ 1]) + whole[10 + len(section(*header)) :],
    )
    optional = section(b"abcd", b"x")
    yield fault(
        "crc-optional",
        "wrong CRC of an optional section that nobody knows",
        whole[:10] + optional[:-1] + bytes([optional[-1] ^ 1]) + whole[10:],
    )
    yield fault("crc-end", "wrong CRC of END!", whole[:-1] + bytes([whole[-1] ^ 128]))
    yield fault("end-content", "END! with content", whole[: -len(section(b"END!"))] + section(b"END!", b"x"))
    yield fault("section-length-huge", "a section longer than the file", whole[:10] + b"abcd" + varint(2**62) + whole[10:])
    yield fault("varint-11-bytes", "a varint of 11 bytes", whole[:14] + bytes([len(header[1]) | 128, *[128] * 9, 0]) + whole[15:])
    yield fault("section-unknown-required", "an unknown section that must be understood", [*good, (b"Abcd", b"")])
    yield fault("section-type-digit", "a type that is not of letters", [*good, (b"abc1", b"")])
    for kind, content in (header, index):
        name = kind.decode()
        yield fault(f"section-missing-{name.lower()}", f"no {name}", [s for s in good if s[0] != kind])
        yield fault(f"section-twice-{name.lower()}", f"{name} twice", [(kind, content), *good])
    yield fault("section-missing-tile", "no TILE", [header, index])
    yield fault("section-twice-tile", "a TILE too many", [*good, tile])
    yield fault("section-missing-netw", "no NETW with the profile inr", [s for s in with_network if s[0] != b"NETW"])
    yield fault("section-twice-netw", "NETW twice", [with_network[1], *with_network])
    yield fault("section-netw-stored", "NETW with the profile stored", [*good, with_network[1]])
    yield fault("section-twice-meta", "meta twice", [*good, (b"meta", meta([])), (b"meta", meta([]))])


def faulty_index() -> Iterable[Recipe]:
    header, _, tile = small_stored()

    def with_index(numbers: Sequence[int], contents: Sequence[bytes] = (tile[1],), extra: bytes = b"") -> Sections:
        return [header, (b"TIDX", b"".join(map(varint, numbers)) + extra), *((b"TILE", content) for content in contents)]

    size = len(tile[1])
    yield fault("index-tile-0", "a tile size of 0", with_index([0, size]))
    yield fault("index-tile-6", "a tile larger than the axis", with_index([6, size]))
    yield fault("index-length", "another length than the tile has", with_index([5, size + 1]))
    yield fault("index-short", "no length for the tile", with_index([5]))
    yield fault("index-long", "a length too many", with_index([5, size, size]))
    yield fault("index-count", "tiles of 3 and only one of them there", with_index([3, size, size]))
    huge = head(SMALL, bits=8, shape=(2**40,))
    yield fault("index-2p40-tiles", "2^40 tiles in an index of two numbers", [(b"HEAD", huge), (b"TIDX", varint(1) + varint(size)), tile])


def faulty_metadata() -> Iterable[Recipe]:
    good = small_stored()
    items = varint(1) + b"a" + varint(1) + b"b"
    metadata: dict[str, tuple[str, bytes]] = {
        "short": ("fewer bytes than said", varint(5) + brotli.compress(items)),
        "long": ("more bytes than said", varint(3) + brotli.compress(items)),
        "huge": ("2^28 + 1 bytes", varint(2**28 + 1) + brotli.compress(items)),
        "goes-on": ("a Brotli stream followed by a byte", varint(4) + brotli.compress(items) + b"\0"),
        "no-brotli": ("not a Brotli stream", varint(4) + b"\xff" * 6),
        "item-cut": ("a value that ends early", varint(4) + brotli.compress(items[:-2] + b"\2b")),
        "key-bytes": ("a key that is not UTF-8", meta([(b"\xff", b"")])),
        "key-twice": ("a key twice", meta([(b"a", b"1"), (b"a", b"2")])),
    }
    for name, (what, content) in metadata.items():
        yield fault(f"meta-{name}", f"meta: {what}", [*good, (b"meta", content)])
