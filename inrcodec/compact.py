"""Compact files: the form of small signals' files. Sections ↔ bytes without frames, and without what follows from the rest.

    file = magic (4 bytes), form (1 byte), what HEAD says, digest (4 bytes), meta, the profile's section, tile, CRC-32 of all before

Reading one gives the sections that the normal form has, but for the digest, of which only the first bytes are there. `sections_of`, `scan`
and `sizes` take files of both forms.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from . import container
from .container import COMPACT, Reader, Scan, Section, is_compact, varint, zigzag
from .errors import FormatError
from .header import DIGEST, HEAD, INDEX, META, SAMPLE_TYPES, SHORT_DIGEST, TILE, dtype_byte, read_header
from .signal import KINDS, Kind

LARGEST = 4096  # bytes of a compact file, as the encoder writes it: a larger one gains nothing, and has more to lose
# the section of each profile that may be compact; a network that predicts samples is of use even if its file is cut, so it is framed
OWN = {0: None, 2: b"HYBR"}
ANY = 15  # this form has HEAD itself, without the digest
MAPPED, DESCRIBED = 0x10, 0x20  # of the form: a value map is there; metadata are there


def _fixed(kind: Kind, dtype: str, depth: int, dimensions: int) -> bytes:
    """What HEAD says between the profile and the shape."""
    return bytes([KINDS.index(kind), dtype_byte(np.dtype(dtype)), depth, dimensions])


# what the low bits of the form stand for: kind, sample type, bit depth and dimensions; and the channels, None if there is no such axis
USUAL = (
    (_fixed("image", "?", 1, 2), None),
    *((_fixed("image", "u1", depth, 2), None) for depth in (2, 4, 8)),
    *((_fixed("image", "u1", 8, 3), channels) for channels in (2, 3, 4)),
    (_fixed("image", "<u2", 16, 2), None),
    *((_fixed("image", "<u2", 16, 3), channels) for channels in (2, 3, 4)),
    (_fixed("audio", "<i2", 16, 1), None),
    (_fixed("audio", "<i2", 16, 2), 2),
    (_fixed("array", "u1", 8, 1), None),
    (_fixed("array", "<u2", 16, 1), None),
)


def _has_rate(fixed: bytes) -> bool:
    """Whether HEAD has a sample rate. fixed: of USUAL."""
    return KINDS[fixed[0]] == "audio"


def _usual_map(fixed: bytes) -> bytes:
    """The value map that a compact file does not write: that of all samples of the depth. fixed: of USUAL."""
    signed = SAMPLE_TYPES[fixed[1] & 3] == "i"
    return varint(zigzag(-1 << fixed[2] - 1 if signed else 0)) + bytes([1, fixed[2]])


def _skip_varints(r: Reader, count: int) -> bytes:
    """The bytes of the next varints."""
    start = r.position
    for _ in range(count):
        r.varint(2**66)
    return r.data[start : r.position].tobytes()


def write(sections: Sequence[Section]) -> bytes | None:
    """The compact file of these sections, as `codec` makes them.

    None if there is none: there are several tiles, or none, or sections that it has no place for, or it would have more than LARGEST bytes.
    """
    content = {section.type: section.content for section in sections}
    head = content[HEAD]
    profile = head[0]
    if profile not in OWN:
        return None
    own = OWN[profile]
    before = [META] * (META in content) + ([own] if own else [])
    if [section.type for section in sections] != [HEAD, *before, INDEX, TILE]:
        return None
    fixed, rest, told = head[1:5], Reader(head[5:-DIGEST], "the header"), read_header(head)
    last = told.shape[-1] if told.channel_axis else None
    form, parts = profile << 6 | (DESCRIBED if META in content else 0), []
    if (fixed, last) in USUAL:
        form |= USUAL.index((fixed, last))
        parts.append(_skip_varints(rest, len(told.shape) - (last is not None)))
        _skip_varints(rest, last is not None)
        parts.append(_skip_varints(rest, _has_rate(fixed)))
        value_map = rest.rest()
        if value_map != _usual_map(fixed):
            form |= MAPPED
            parts.append(value_map)
    else:
        form |= ANY
        parts.append(varint(len(head) - DIGEST - 1) + head[1:-DIGEST])
    parts.append(told.digest[:SHORT_DIGEST])
    parts += [varint(len(content[kind])) + content[kind] for kind in before]
    whole = b"".join([COMPACT, bytes([form]), *parts, content[TILE]])
    return whole + struct.pack("<I", zlib.crc32(whole)) if len(whole) + 4 <= LARGEST else None


def sections_of(data: bytes) -> list[Section]:
    """The sections of a file, compact or not; see `container.read`. Raises FormatError; TypeError."""
    return _read(data) if isinstance(data, bytes) and is_compact(data) else container.read(data)


def _read(data: bytes) -> list[Section]:
    """The sections of a compact file. Raises FormatError."""
    if len(data) < len(COMPACT) + 1 + SHORT_DIGEST + 4:
        raise FormatError("truncated: it ends within the first bytes")
    if struct.unpack("<I", data[-4:])[0] != zlib.crc32(data[:-4]):
        raise FormatError("damaged or truncated: its checksum does not match")
    r = Reader(memoryview(data)[len(COMPACT) : -4], "the file")
    form = r.byte()
    profile = form >> 6
    if profile not in OWN:
        raise FormatError("it is a compact file of a form that this version does not know; a newer inrcodec may read it")
    head = bytes([profile]) + _read_told(r, form) + r.take(SHORT_DIGEST)
    own = OWN[profile]
    kinds = ([META] if form & DESCRIBED else []) + ([own] if own else [])
    others = [Section(kind, r.take(r.varint())) for kind in kinds]
    tile = r.rest()
    header = read_header(head)
    if len(header.digest) != SHORT_DIGEST:  # written out, it could bring the rest of one along
        raise FormatError("damaged: the digest of a compact file is too long")
    axes = header.shape[:-1] if header.channel_axis else header.shape
    index = b"".join(map(varint, [*axes, len(tile)]))
    return [Section(HEAD, head), *others, Section(INDEX, index), Section(TILE, tile)]


def _read_told(r: Reader, form: int) -> bytes:
    """What HEAD says between the profile and the digest, from a compact file of this form."""
    if form & ANY == ANY:
        if form & MAPPED:
            raise FormatError("damaged: a compact file has a header and a value map")
        return r.take(r.varint())
    fixed, last = USUAL[form & ANY]
    told = fixed + _skip_varints(r, fixed[3] - (last is not None)) + (bytes([last]) if last is not None else b"")
    told += _skip_varints(r, _has_rate(fixed))
    if form & MAPPED:
        return told + _skip_varints(r, 2) + bytes([r.byte()])
    return told + _usual_map(fixed)


def scan(data: bytes, known: Sequence[bytes]) -> Scan:
    """As `container.scan`, of a file that may be compact. Raises FormatError: it is a compact file, and damaged."""
    if is_compact(data):
        return Scan(tuple((0, section) for section in _read(data)), (), True, True)
    return container.scan(data, known)


def sizes(data: bytes, sections: Sequence[Section]) -> dict[bytes, int]:
    """The bytes that the sections of each type take in their file; of a compact one, what is around them counts to none. data: the file."""
    found: dict[bytes, int] = {}
    for section in sections:
        taken = len(section.content) if is_compact(data) else section.size
        if not (is_compact(data) and section.type in (HEAD, INDEX)):
            found[section.type] = found.get(section.type, 0) + taken
    return found
