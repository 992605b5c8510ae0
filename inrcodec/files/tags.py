"""Texts of recordings: the tables that WAV and AIFF need to turn their own names into those of Vorbis comments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from .metadata import under


def utf8(text: bytes) -> bytes:
    """A text as UTF-8. What is not valid UTF-8 is taken for Latin-1, the only other encoding met often."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1").encode()
    return text


def id3_size(data: bytes, at: int = 0) -> int:
    """Bytes of the ID3v2 tag that begins at `at`, its header and footer included; 0 if none does."""
    header = data[at : at + 10]
    if header[:3] != b"ID3" or len(header) < 10:
        return 0
    return 10 + (10 if header[5] & 0x10 else 0) + sum((byte & 0x7F) << 7 * (3 - i) for i, byte in enumerate(header[6:]))


def of(metadata: Mapping[str, bytes]) -> dict[str, bytes]:
    """The entries that say something of the sound rather than of one file format: tags and speaker positions."""
    return {key: value for key, value in metadata.items() if key.startswith("tag/") or key == "channel_mask"}


def translated(metadata: Mapping[str, bytes], ids: Iterable[tuple[bytes, str]]) -> Iterator[tuple[bytes, bytes]]:
    """(id, text) of all tags whose name the table `ids` of (id, name) knows; the first id of a name is taken."""
    table: dict[str, bytes] = {}
    for code, name in ids:
        table.setdefault(name, code)
    for name, text in under(metadata, "tag/"):
        if (found := table.get(name.upper())) is not None:
            yield found, text
