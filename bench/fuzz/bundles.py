"""Fuzzes the decoders of bundles with changed conformance files: `python -m bench.fuzz.bundles --cases 20000 --seed 1 [--kind arrays]`.

A valid bundle is changed: bytes of the file; or, with checksums mended, bytes of the manifest or of a stream, sections left out, twice or
in another order. It must decode, or be refused with one line by a FormatError or a LimitError, and the standalone decoder must say the
same.
A case depends on the seed and its number alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from functools import cache
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import brotli

import inrcodec
from inrcodec import compact, container
from inrcodec.container import Section, varint

ROOT = Path(__file__).resolve().parents[2]
SAMPLES, MEMORY = 100_000, 1 << 28  # limits of a case
BYTES = 4000  # of a seed, at most
FIXED = 33  # bytes of a manifest before its size: its kind, and the digest


class Wrong(Exception):
    """An answer that must not be."""


@cache
def seeds(folder: str = "bundles") -> tuple[bytes, ...]:
    """The valid bundles that are small. folder: "bundles" (of tensors) or "arrays"."""
    found = (path.read_bytes() for path in sorted((ROOT / "formats" / folder / "valid").glob("*.linr")))
    return tuple(data for data in found if len(data) <= BYTES)


def changed(seed: int, number: int, folder: str = "bundles") -> bytes:
    """A case. folder: see `seeds`."""
    random = Random(f"{seed} {number}")
    data = random.choice(seeds(folder))
    how = random.randrange(6)
    if how == 0:
        return _bytes(random, data)
    first, *streams = container.read(data)
    if how <= 3:
        plain = bytearray(_plain(first.content))
        for _ in range(random.randint(0, 2)):
            place = random.randrange(len(plain))
            plain[place] = random.choice((0, 1, 127, 128, 255, plain[place] ^ 1 << random.randrange(8), random.randrange(256)))
        kept = _bytes(random, bytes(plain)) if random.random() < 0.2 else bytes(plain)
        first = Section(first.type, first.content[:FIXED] + varint(len(kept)) + brotli.compress(kept))
    elif how == 4 and (places := [i for i, section in enumerate(streams) if section.type == b"LINR"]):
        place = random.choice(places)
        streams[place] = Section(streams[place].type, _stream(random, streams[place].content))
    else:
        random.shuffle(streams)
        streams = streams[: random.randint(0, len(streams))] + streams[: random.randint(0, 2)]
    return container.write([first, *streams])


def _bytes(random: Random, data: bytes) -> bytes:
    """Bytes with one of them changed, or cut."""
    place = random.randrange(len(data)) if data else 0
    return data[:place] if random.random() < 0.3 else data[:place] + bytes([random.randrange(256)]) + data[place + 1 :]


def _plain(manifest: bytes) -> bytes:
    reader = container.Reader(manifest, "the manifest")
    reader.take(FIXED)
    reader.varint()
    return bytes(brotli.decompress(reader.rest()))


def _stream(random: Random, data: bytes) -> bytes:
    """A stream with a byte of one of its sections changed."""
    sections = compact.sections_of(data)
    place = random.randrange(len(sections))
    sections[place] = Section(sections[place].type, _bytes(random, sections[place].content))
    return container.write(sections)


def judge(data: bytes, standalone: Any) -> str:
    """ "decoded", "refused" or "limited". Raises Wrong, or whatever a decoder raises that it must not.

    standalone: the module linr_tensors.
    """
    try:
        found = inrcodec.decode_tensors(data, threads=1, max_samples=SAMPLES, max_memory=MEMORY)
    except inrcodec.InrcodecError as fault:
        if type(fault) not in (inrcodec.FormatError, inrcodec.LimitError) or "\n" in str(fault):
            raise Wrong(f"not a FormatError of one line: {fault!r}") from fault
        if isinstance(fault, inrcodec.LimitError):
            return "limited"
        try:
            standalone.decode_tensors(data)
        except standalone.Invalid:
            return "refused"
        raise Wrong(f"the standalone decoder takes it: {fault}") from fault
    try:
        tensors, metadata = standalone.decode_tensors(data)
    except standalone.Invalid as fault:
        raise Wrong(f"the standalone decoder refuses it: {fault}") from fault
    ours = [(name, tensor.dtype, tensor.shape, tensor.raw()) for name, tensor in found.tensors.items()]
    if ours != [(name, tensor.dtype, tensor.shape, tensor.raw) for name, tensor in tensors.items()] or metadata != found.metadata:
        raise Wrong("the standalone decoder gives other tensors")
    inrcodec.info(data)
    return "decoded"


def judge_arrays(data: bytes, standalone: Any) -> str:
    """As `judge`, of a bundle of arrays. "limited" is also a type that NumPy does not have. standalone: the module linr_arrays."""
    try:
        found = inrcodec.decode_arrays(data, threads=1, max_samples=SAMPLES, max_memory=MEMORY)
    except inrcodec.InrcodecError as fault:
        if type(fault) not in (inrcodec.FormatError, inrcodec.LimitError, inrcodec.UnsupportedError) or "\n" in str(fault):
            raise Wrong(f"not a fault of one line: {fault!r}") from fault
        if not isinstance(fault, inrcodec.FormatError):
            return "limited"
        try:
            standalone.decode_arrays(data)
        except (standalone.Invalid, standalone.UnknownType):
            return "refused"
        raise Wrong(f"the standalone decoder takes it: {fault}") from fault
    try:
        arrays, _ = standalone.decode_arrays(data)
    except (standalone.Invalid, standalone.UnknownType) as fault:
        raise Wrong(f"the standalone decoder refuses it: {fault}") from fault
    both = ([(name, x.dtype, x.shape, x.tobytes()) for name, x in each.items()] for each in (found, arrays))
    if next(both) != next(both):
        raise Wrong("the standalone decoder gives other arrays")
    inrcodec.info(data)
    return "decoded"


KINDS = {"bundles": ("linr_tensors", judge), "arrays": ("linr_arrays", judge_arrays)}


def main() -> None:
    """Run the cases, and end with status 1 if one is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=tuple(KINDS), default="bundles", help="bundles of tensors, or of arrays")
    parser.add_argument("--only", type=int, help="run this case alone, and write its file")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT / "formats" / "standalone"))
    name, judge_one = KINDS[given.kind]
    standalone = import_module(name)
    seen = Counter[str]()
    for number in range(given.cases) if given.only is None else [given.only]:
        data = changed(given.seed, number, given.kind)
        if given.only is not None:
            Path(f"bundle-{number}.linr").write_bytes(data)
        try:
            seen[judge_one(data, standalone)] += 1
        except Exception as fault:  # whatever it is, it is what is looked for
            seen["wrong"] += 1
            print(f"case {number}: {fault!r}")
    print(f"seed {given.seed}: {dict(seen)}")
    raise SystemExit(seen["wrong"] > 0)


if __name__ == "__main__":
    main()
