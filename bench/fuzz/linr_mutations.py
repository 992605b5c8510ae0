"""Changes of `.linr` files, by kind: KINDS.

Most change one thing inside and mend lengths and checksums, so that the parsers within are reached.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any

import brotli
import numpy as np

from inrcodec.container import COMPACT, END, MAGIC, VERSION, varint

from . import linr_inventions
from .fields import NUMBERS, Field, number_of, write
from .linr_seeds import OF_SAMPLES, Part, Seed, compact_seeds, faulty, seeds, seeds_with
from .reader_mutations import BLIND, EXTREMES

LOSSY = 128  # of the byte of the profile
HEAD, META, INDEX, TILE, NETWORK, PLAN = b"HEAD", b"meta", b"TIDX", b"TILE", b"NETW", b"HYBR"
MEANING = ("kind", "type", "depth", "dimensions", "size 0", "size 1", "size 2", "size 3", "rate")  # what the digest is of, besides samples
LARGEST_INTEGER = 2**32 - 1  # that coded integers can hold
NUMBERS_AT = (0, 1, 2, 5, 31, 32, 62, 63, 64, 1 << 12, 1 << 13, 1 << 17, 1 << 18, (1 << 20) + 1, 1 << 36, (1 << 64) - 1, 1 << 69)
FEW = 200  # fields that are doubled, at most


Change = Callable[["Draft", Random], None]


@dataclass
class Draft:
    """A file that is being changed.

    Attributes:
        seed: what it was made of.
        parts: its sections but the end section.
        mend: whether the lengths of tiles in the tile index are to be made right.
        digest: whether the digest is to be made that of the seed's samples with the meaning that the header gives them now.
        data: the file, if it is not to be made of the sections any more.
    """

    seed: Seed
    parts: list[Part]
    mend: bool = True
    digest: bool = False
    data: bytes | None = None

    def places(self, *types: bytes) -> list[int]:
        """Numbers of the sections of these types."""
        return [i for i, part in enumerate(self.parts) if part.type in types]

    def put(self, place: int, fields: Iterable[Field]) -> None:
        """New fields for a section."""
        found = tuple(fields)
        self.parts[place] = Part(self.parts[place].type, write(found), found)

    def put_raw(self, place: int, content: bytes) -> None:
        """New content for a section, whose fields are not known any more."""
        self.parts[place] = Part(self.parts[place].type, content)

    def written(self) -> bytes:
        """The file."""
        if self.data is not None:
            return self.data
        parts = list(self.parts)
        for i, part in enumerate(parts):
            if part.type == INDEX and self.mend and part.fields:
                parts[i] = Part(INDEX, self._index(part, [len(p.content) for p in parts if p.type == TILE]))
            if part.type == HEAD and self.digest and part.fields:
                meaning = b"" if OF_SAMPLES[0] else b"".join(f.written for f in part.fields if f.name in MEANING)
                digest = hashlib.sha256(meaning + self.seed.raw).digest()
                parts[i] = Part(HEAD, write([replace(f, value=digest) if f.name == "digest" else f for f in part.fields]))
        return MAGIC + bytes([VERSION]) + b"".join(map(framed, parts)) + framed(Part(END, b""))

    def _index(self, part: Part, lengths: Sequence[int]) -> bytes:
        """Section TIDX with the lengths of the tiles, which are in the order of their sections."""
        layout = self.seed.opened.layout
        axes = len(layout.axes)
        order = [f.value for f in part.fields[axes + layout.tiles :]]
        if sorted(order) == list(range(len(lengths))):
            of_number = dict(zip(order, lengths, strict=True))
            lengths = [of_number[number] for number in range(len(order))]
        return write(part.fields[:axes]) + b"".join(map(varint, [*lengths, *order]))


def framed(part: Part) -> bytes:
    """A section with its type, length and checksum."""
    crc = zlib.crc32(part.content, zlib.crc32(part.type))
    return part.type + varint(len(part.content)) + part.content + struct.pack("<I", crc)


# Fields


def _near(old: int, rng: Random) -> int:
    """Another number: one near an old one, a small one, or one at a limit."""
    choice = rng.randrange(6)
    if choice < 2:
        return max(0, old + rng.choice((-2, -1, 1, 2, 8)))
    if choice == 2:
        return rng.choice((2 * old, old // 2, old ^ (1 << rng.randrange(12)), 255 - old if old < 256 else old - 255))
    if choice == 3:
        return rng.randrange(0, 300)
    return rng.choice((*EXTREMES, *NUMBERS_AT))


def blind(data: bytes, rng: Random) -> bytes:
    """Bytes with a few blind changes."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if found:
            rng.choice(BLIND)(found, rng)
        else:
            found += rng.randbytes(rng.choice((1, 4, 40)))
    return bytes(found)


def _other_number(f: Field, fields: Sequence[Field], rng: Random) -> Field:
    old = number_of(f, fields)
    new = _near(abs(old), rng)
    if f.form == "signed":
        return replace(f, value=rng.choice((-1, 1)) * min(new, 1 << 66))
    return replace(f, value=new)


def _other_integers(f: Field, rng: Random) -> Field:
    """Some integers of one array changed; or an array cut or prolonged; or the coded bytes changed."""
    arrays = [np.array(a, np.int64) for a in f.value]
    choice = rng.randrange(6)
    if choice == 0 or not arrays:
        return replace(f, form="bytes", value=blind(f.written, rng))
    i = rng.randrange(len(arrays))
    if choice == 1:
        arrays[i] = np.resize(arrays[i], max(0, len(arrays[i]) + rng.choice((-1, 1, 5, 70))))
    elif choice == 2:
        arrays[i] = np.zeros_like(arrays[i])
    elif len(arrays[i]):
        value = rng.choice((LARGEST_INTEGER, 1 << 31, (1 << 31) - 1, 1 << 30, (1 << 30) + 1, 1 << 24, 1 << 15, 600, 512, 1))
        places = [rng.randrange(len(arrays[i])) for _ in range(rng.choice((1, 1, 3, 40)))]
        if choice == 3:
            arrays[i][:] = rng.choice((value, -value))
        else:
            arrays[i][places] = [rng.choice((value, -value)) for _ in places]
    return replace(f, value=arrays)


def _other_stream(f: Field, rng: Random) -> Field:
    """What is compressed changed, or the compressed bytes."""
    if rng.random() < 0.7:
        return replace(f, value=blind(f.value, rng))
    stream = rng.choice((f.written, f.written + brotli.compress(b"x"), b""))
    return replace(f, form="bytes", value=blind(stream, rng))


def other(f: Field, fields: Sequence[Field], rng: Random) -> Field:
    """A field with another value."""
    if f.form in NUMBERS:
        return _other_number(f, fields, rng)
    if f.form == "integers":
        return _other_integers(f, rng)
    if f.form == "brotli":
        return _other_stream(f, rng)
    return replace(f, value=blind(f.value, rng))


Wanted = Callable[[Field], bool]


def change_fields(draft: Draft, place: int, rng: Random, wanted: Wanted = lambda _: True) -> None:
    """Change one field of a section or a few; now and then remove, double or swap fields."""
    fields = list(draft.parts[place].fields)
    chosen = [i for i, f in enumerate(fields) if wanted(f)]
    if not chosen:
        draft.put_raw(place, blind(draft.parts[place].content, rng))
        return
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        i = rng.choice(chosen)
        fields[i] = other(fields[i], fields, rng)
    if rng.random() < 0.08:
        i, j = rng.choice(chosen), rng.randrange(len(fields))
        rng.choice(
            (lambda: fields.pop(i), lambda: fields.insert(j, fields[i]), lambda: fields.__setitem__(slice(i, j), fields[i:j][::-1][:FEW]))
        )()
    draft.put(place, fields)


def _in(*types: bytes, wanted: Wanted = lambda _: True) -> Callable[[Draft, Random], None]:
    """A change of fields in one section of these types."""

    def change(draft: Draft, rng: Random) -> None:
        places = [i for i in draft.places(*types) if any(map(wanted, draft.parts[i].fields))] or draft.places(*types)
        if places:
            change_fields(draft, rng.choice(places), rng, wanted)

    return change


def digest_mended(draft: Draft, rng: Random) -> None:
    """Change the header, and mend the digest."""
    _in(HEAD, wanted=lambda f: f.name != "digest")(draft, rng)
    draft.digest = True


def _fit_tiles(draft: Draft, axes: Sequence[int], rng: Random) -> None:
    """A tile index for these axes with tiles of some size, and as many tiles as it wants, if they are few."""
    sizes = [rng.choice((n, n, rng.randint(1, max(1, n)), max(1, -(-n // 2)))) for n in axes]
    count = math.prod(-(-n // max(1, size)) for n, size in zip(axes, sizes, strict=True))
    if count > FEW:
        sizes, count = list(axes), 1
    if draft.seed.opened.header.lossy:
        count = 0
    contents = [part for part in draft.parts if part.type == TILE] or [Part(TILE, b"")]
    kept = [part for part in draft.parts if part.type != TILE]
    draft.parts = kept + [contents[i % len(contents)] for i in range(count)]
    for place in draft.places(INDEX):
        draft.put(place, [Field(f"number {i}", "varint", n) for i, n in enumerate([*sizes, *[0] * count])])


def index(draft: Draft, rng: Random) -> None:
    """Change the tile index; half of the time to other sizes of a tile, with as many tiles."""
    if rng.random() < 0.5:
        _fit_tiles(draft, draft.seed.opened.layout.axes, rng)
        return
    draft.mend = False
    _in(INDEX)(draft, rng)


def shape(draft: Draft, rng: Random) -> None:
    """Another shape, up to far too large, with a tile index that fits; the digest is mended if the samples are as many."""
    opened = draft.seed.opened
    place = draft.places(HEAD)[0]
    sizes = list(opened.header.shape)
    if rng.random() < 0.2:
        rng.shuffle(sizes)
    else:
        for i in range(len(sizes)):
            if rng.random() < 0.6:
                n = sizes[i]
                sizes[i] = rng.choice(
                    (1, n + 1, max(1, n - 1), 2 * n, 3 * n, rng.randint(1, 2 * n), 100, 1000, 4096, 1 << 16, 1 << 20, 1 << 31)
                )
    names = {f"size {i}": n for i, n in enumerate(sizes)}
    draft.put(place, [replace(f, value=names.get(f.name, f.value)) for f in draft.parts[place].fields])
    draft.digest = True
    _fit_tiles(draft, sizes[: len(opened.layout.axes)], rng)


@cache
def bombs() -> tuple[tuple[int, bytes], ...]:
    """(size, Brotli stream) of much in little."""
    wanted = [(1 << n, fill) for n in (16, 20, 24) for fill in (b"\0", b"\xff", b"\1")] + [(1 << 26, b"\0"), (1 << 28, b"\0")]
    return tuple((n, brotli.compress(fill * n, quality=5)) for n, fill in wanted)


def bomb(draft: Draft, rng: Random) -> None:
    """Much in little: in a Brotli stream, with its size told or not, or a header that declares much."""
    places = [i for i, part in enumerate(draft.parts) if any(f.form == "brotli" for f in part.fields)]
    if not places:
        place = draft.places(HEAD)[0]
        sizes = [i for i, f in enumerate(draft.parts[place].fields) if f.name.startswith("size")]
        fields = list(draft.parts[place].fields)
        for i in sizes:
            fields[i] = replace(fields[i], value=rng.choice((1 << 10, 1 << 12, 1 << 18, 1 << 20, 1 << 36)))
        draft.put(place, fields)
        return
    place = rng.choice(places)
    fields = list(draft.parts[place].fields)
    i = rng.choice([i for i, f in enumerate(fields) if f.form == "brotli"])
    size, stream = rng.choice(bombs())
    fields[i] = replace(fields[i], form="bytes", value=stream)
    for j, f in enumerate(fields):
        if f.form == "size" and fields[i].name in f.of:
            fields[j] = replace(f, value=rng.choice((size, size, f.value, 1 << 28)))
    if rng.random() < 0.5 and i:  # a count may stand right before it
        numbers = [j for j in range(i) if fields[j].form == "varint"]
        if numbers:
            fields[numbers[-1]] = replace(fields[numbers[-1]], value=rng.choice((size, size // 2, size // 4, size - 1)))
    draft.put(place, fields)


def long_varint(number: int, size: int) -> bytes:
    """A varint of `size` bytes, or more if it needs them."""
    groups: list[int] = []
    while number or not groups:
        groups.append(number & 127)
        number >>= 7
    groups += [0] * (size - len(groups))
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def long_numbers(draft: Draft, rng: Random) -> None:
    """Varints of one section in more bytes than they need. Up to 10 are valid, and then so is the file."""
    varints = ("varint", "length", "size")
    places = [i for i, part in enumerate(draft.parts) if any(f.form in varints for f in part.fields)]
    place = rng.choice(places)
    fields = list(draft.parts[place].fields)
    if draft.parts[place].type == INDEX:
        draft.mend = False
    size = rng.choice((2, 3, 5, 9, 10, 10, 10, 11, 12, 60))
    for i in rng.sample([i for i, f in enumerate(fields) if f.form in varints], 1) if rng.random() < 0.5 else range(len(fields)):
        if fields[i].form in varints:
            fields[i] = replace(fields[i], form="bytes", value=long_varint(number_of(fields[i], draft.parts[place].fields), size), of=())
    draft.put(place, fields)


def tiles(draft: Draft, rng: Random) -> None:
    """Swap the contents of tiles, copy one to another, or take one of another file."""
    places = draft.places(TILE)
    if not places:
        return
    a, b = rng.choice(places), rng.choice(places)
    if a == b:
        donor = rng.choice(seeds_with(TILE))
        content = rng.choice([part for part in donor.parts if part.type == TILE])
        draft.parts[a] = rng.choice((content, Part(TILE, content.content + draft.parts[a].content), Part(TILE, b"")))
    elif rng.random() < 0.5:
        draft.parts[a], draft.parts[b] = draft.parts[b], draft.parts[a]
    else:
        draft.parts[a] = draft.parts[b]


def sections(draft: Draft, rng: Random) -> None:
    """Remove, double, swap, cut, empty or rename sections, or add unknown ones."""
    draft.mend = rng.random() < 0.5
    for _ in range(rng.choice((1, 1, 2))):
        if not draft.parts:
            return
        i, j = rng.randrange(len(draft.parts)), rng.randrange(len(draft.parts))
        part = draft.parts[i]
        choice = rng.randrange(8)
        if choice == 0:
            del draft.parts[i]
        elif choice == 1:
            draft.parts[j:j] = [part] * rng.choice((1, 1, 2, 300))
        elif choice == 2:
            draft.parts[i], draft.parts[j] = draft.parts[j], part
        elif choice == 3:
            draft.put_raw(i, part.content[: rng.randrange(len(part.content) + 1)])
        elif choice == 4:
            draft.put_raw(i, part.content + rng.randbytes(rng.choice((1, 3, 100))))
        elif choice == 5:
            draft.parts[i] = Part(rng.choice((HEAD, META, INDEX, TILE, NETWORK, PLAN, END, b"abcd", b"Abcd", b"a1cd")), part.content)
        elif choice == 6:
            draft.parts.insert(j, Part(rng.choice((b"abcd", b"tile", b"zZZZ")), rng.randbytes(rng.randrange(9))))
        else:
            draft.put_raw(i, b"")


def cross(draft: Draft, rng: Random) -> None:
    """A section or two of another file in place of those of the same type, or beside them."""
    donor = rng.choice(seeds())
    for _ in range(rng.choice((1, 1, 2))):
        part = rng.choice(donor.parts)
        places = draft.places(part.type)
        if places:
            draft.parts[rng.choice(places)] = part
        else:
            draft.parts.insert(1, part)
    draft.mend = rng.random() < 0.8


def content_bytes(draft: Draft, rng: Random) -> None:
    """Blind changes inside a section, with a right checksum."""
    i = rng.randrange(len(draft.parts))
    draft.mend = draft.parts[i].type != INDEX
    draft.put_raw(i, blind(draft.parts[i].content, rng))


def faulty_vector(draft: Draft, rng: Random) -> None:
    """A faulty vector, with a blind change half of the time."""
    data = rng.choice(faulty())
    draft.data = blind(data, rng) if rng.random() < 0.5 else data


def file_bytes(draft: Draft, rng: Random) -> None:
    """Blind changes anywhere, with the checksums that were there."""
    draft.data = blind(draft.seed.data, rng)


def compact_bytes(draft: Draft, rng: Random) -> None:
    """Blind changes of a compact file, with a right checksum."""
    data = rng.choice(compact_seeds()).data
    found = COMPACT + blind(data[len(COMPACT) : -4], rng)
    draft.data = found + struct.pack("<I", zlib.crc32(found))


def cut(draft: Draft, rng: Random) -> None:
    """The file cut, or bytes of its middle gone."""
    data, i = draft.seed.data, rng.randrange(len(draft.seed.data))
    draft.data = data[:i] if rng.random() < 0.6 else data[:i] + data[rng.randrange(i, len(data)) :]


def made_lossy(draft: Draft, rng: Random) -> None:
    """A network alone: the file says that its samples are not there, and they are not; or it says the opposite. Then other changes."""
    if rng.random() < 0.9:
        draft.parts = [part for part in draft.parts if part.type != TILE]
    place = draft.places(HEAD)[0]
    draft.put(place, [replace(f, value=f.value ^ LOSSY) if f.name == "profile" else f for f in draft.parts[place].fields])
    for _ in range(rng.randrange(3)):
        rng.choice((_in(NETWORK), _in(NETWORK, wanted=_coded), _in(HEAD), shape))(draft, rng)


def network_cut(draft: Draft, rng: Random) -> None:
    """The file cut inside its network, or behind it; or the network cut, with a right checksum."""
    for place in draft.places(NETWORK):
        content = draft.parts[place].content
        if rng.random() < 0.3:
            draft.put_raw(place, content[: rng.randrange(len(content))])
        else:
            before = [*draft.parts[:place], *([_other_network(draft.parts[place], rng)] if rng.random() < 0.3 else [draft.parts[place]])]
            whole = MAGIC + bytes([VERSION]) + b"".join(map(framed, before))
            draft.data = whole[: len(whole) - rng.randrange(len(framed(before[-1])))]


def _other_network(part: Part, rng: Random) -> Part:
    fields = list(part.fields)
    if fields:
        i = rng.randrange(len(fields))
        fields[i] = other(fields[i], fields, rng)
    return Part(part.type, write(fields), tuple(fields))


def halves(draft: Draft, rng: Random) -> None:
    """The beginning of a file and the end of another."""
    data, second = draft.seed.data, rng.choice(seeds()).data
    draft.data = data[: rng.randrange(len(data))] + second[rng.randrange(len(second)) :]


def _invented(make: Callable[[Random], bytes]) -> Change:
    def change(draft: Draft, rng: Random) -> None:
        """Another file, made from nothing."""
        draft.data = make(rng)

    return change


def _sparse(f: Field) -> bool:
    return f.name.startswith("sparse")


@dataclass(frozen=True)
class Kind:
    """A kind of change. needs: the section that a seed must have for it; sparse: whether it must have sparse codes."""

    change: Change
    needs: bytes = HEAD
    wanted: Wanted | None = None

    @property
    def candidates(self) -> Sequence[Seed]:
        """The seeds that it can change."""
        return _candidates(self)


@cache
def _candidates(kind: Kind) -> Sequence[Seed]:
    found = seeds_with(kind.needs)
    if kind.wanted is None:
        return found
    return tuple(seed for seed in found if any(kind.wanted(f) for part in seed.parts for f in part.fields))


def _is(form: str) -> Wanted:
    return lambda f: f.form == form


def _several(draft: Draft, rng: Random) -> None:
    """Two to four kinds of change that leave a file of sections."""
    for _ in range(rng.choice((2, 2, 3, 4))):
        rng.choice(FINE)(draft, rng)


_coded, _streams, _numbers = _is("integers"), _is("brotli"), lambda f: f.form in NUMBERS
FINE: tuple[Change, ...] = (
    _in(HEAD), shape, _in(META), index, _in(NETWORK), _in(PLAN), _in(NETWORK, PLAN, TILE, wanted=_coded), _in(TILE), tiles,
    cross, content_bytes,
)  # fmt: skip
KINDS: dict[str, Kind] = {
    "header": Kind(_in(HEAD)),
    "header, digest mended": Kind(digest_mended),
    "shape": Kind(shape),
    "metadata": Kind(_in(META), META),
    "tile index": Kind(index),
    "network: numbers": Kind(_in(NETWORK, wanted=_numbers), NETWORK),
    "network: all": Kind(_in(NETWORK), NETWORK),
    "plan: numbers": Kind(_in(PLAN, wanted=_numbers), PLAN),
    "plan: all": Kind(_in(PLAN), PLAN),
    "coded integers": Kind(_in(NETWORK, PLAN, TILE, wanted=_coded), wanted=_coded),
    "sparse codes": Kind(_in(NETWORK, PLAN, wanted=_sparse), wanted=_sparse),
    "Brotli": Kind(_in(META, NETWORK, PLAN, TILE, wanted=_streams), wanted=_streams),
    "bomb": Kind(bomb),
    "long varints": Kind(long_numbers),
    "tile": Kind(_in(TILE)),
    "tiles swapped": Kind(tiles),
    "sections": Kind(sections),
    "sections of two files": Kind(cross),
    "bytes of a compact file": Kind(compact_bytes),
    "bytes in a section": Kind(content_bytes),
    "several": Kind(_several),
    "invented sound": Kind(_invented(linr_inventions.sound)),
    "invented picture": Kind(_invented(linr_inventions.picture)),
    "invented network": Kind(_invented(linr_inventions.coordinate_network)),
    "invented network, valid": Kind(_invented(linr_inventions.coded_values)),
    "made lossy": Kind(made_lossy, NETWORK),
    "network cut": Kind(network_cut, NETWORK),
    "network cut, of parts": Kind(network_cut, NETWORK, lambda f: f.name == "widths"),
    "faulty vector": Kind(faulty_vector),
    "bytes of the file": Kind(file_bytes),
    "cut": Kind(cut),
    "halves of two files": Kind(halves),
}
UNMENDED = ("bytes of the file", "cut")  # what is intact of these files is as it was in the seed


@dataclass(frozen=True)
class Case:
    """A changed file.

    Attributes:
        number, kind: of the case.
        seed: number of the valid file that it was made of.
        data: the file.
    """

    number: int
    kind: str
    seed: int
    data: bytes


@cache
def _numbers_of_seeds() -> dict[str, int]:
    return {seed.name: i for i, seed in enumerate(seeds())}


def case(run: int, number: int) -> Case:
    """Case `number` of a run: it depends on these two numbers and the seeds alone."""
    rng = Random(f"{run}:{number}")
    name = tuple(KINDS)[number % len(KINDS)]
    kind: Any = KINDS[name]
    seed = rng.choice(kind.candidates)
    draft = Draft(seed, list(seed.parts))
    kind.change(draft, rng)
    return Case(number, name, _numbers_of_seeds()[seed.name], draft.written())
