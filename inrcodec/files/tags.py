"""Texts of recordings: the tables that WAV and AIFF need to turn their own names into those of Vorbis comments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from .metadata import under


def utf8(text: bytes) -> bytes:
    """The text as UTF-8. What is not valid UTF-8 is taken for Latin-1, the only other encoding met often."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1").encode()
    return text


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
