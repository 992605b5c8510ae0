"""Metadata that nobody's reader made, as a hostile `.linr` file can have it: bounded work, well-formed files, nothing dropped unnamed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from inrcodec import files
from inrcodec.files import density, metadata, pngchunks
from inrcodec.files.pngchunks import walk
from inrcodec.signal import Signal

from .test_files_limits import peak_of

PICTURES = (".png", ".tif", ".webp", ".bmp", ".pam", ".ppm", ".ras")
SOUNDS = (".wav", ".aiff", ".flac", ".caf", ".au", ".w64")
ALL = (*PICTURES, *SOUNDS, ".npy")


def signal_for(extension: str, values: dict[str, bytes]) -> Signal:
    """A small picture or sound that a file with that extension can hold."""
    if extension in SOUNDS:
        return Signal(np.arange(-30, 30, dtype=np.int16).reshape(30, 2), "audio", 16, 8000, values)
    return Signal(np.arange(60, dtype=np.uint8).reshape(4, 5, 3), "image", 8, None, values)


def written(folder: Path, extension: str, values: dict[str, bytes]) -> tuple[dict[str, bytes], set[str]]:
    """The metadata that comes back from a file, which must hold the samples, and what is named as lost."""
    path = folder / f"x{extension}"
    signal = signal_for(extension, values)
    files.write(path, signal)
    found = files.read(path)
    np.testing.assert_array_equal(found.samples, signal.samples)
    return dict(found.metadata), files.lost(path, signal)


# --- work -----------------------------------------------------------------------------------------------------------

ENDLESS = b"1e999999999"  # as a fraction it has a billion digits
LONG = b"9" * 100_000


@pytest.mark.parametrize("number", [b"1e2", b"1E2", b"1_0", b"+1", b"nan", b"1/2/3", b"1.5/2", "\u0661".encode(), b"9" * 30, ENDLESS, LONG])
def test_densities_that_no_reader_writes(number: bytes) -> None:
    for text in (number + b" 1 in", b"1 " + number + b" m", number + b"/3 1 in", b"1/" + number + b" 1 in"):
        assert density.parse({"density": text}) is None
        assert density.whole({"density": text}, 1 << 31) is None


@pytest.mark.parametrize("extension", ALL)
@pytest.mark.parametrize("number", [ENDLESS, LONG, b"007", b"", b"-5", b"4294967296", b"99999999999"])
def test_numbers_that_no_reader_writes(tmp_path: Path, extension: str, number: bytes) -> None:
    """int() of more than 4,300 digits raises, and of more takes quadratic time where it does not."""
    keys = {"gamma": number, "channel_mask": number, "pnm/maxval": number, "text/Title": b"T"}
    keys |= {f"tiff/{number.decode()}": b"\3\0\1\0", "tag/TITLE": b"T"}
    found, lost = written(tmp_path, extension, keys)
    assert not keys.keys() & found.keys() - {"text/Title", "tag/TITLE"}
    assert {"gamma", "channel_mask"} <= lost


def test_a_comment_of_many_lines_takes_little_memory(tmp_path: Path) -> None:
    signal = signal_for(".ppm", {"text/Comment": b"\n" * 1_000_000})
    assert peak_of(lambda: files.write(tmp_path / "x.ppm", signal)) < 12 << 20


@pytest.mark.parametrize("header", [b"(" * 9000, b"[" * 60_000, b"{'descr': " + b"[" * 3000, b"9" * 9000])
def test_headers_of_arrays(tmp_path: Path, header: bytes) -> None:
    whole = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header
    found, _ = written(tmp_path, ".npy", {"npy/header": whole, "npy/fortran_order": b"1"})
    assert "npy/header" not in found
    assert "npy/header" not in written(tmp_path, ".npy", {"npy/header": b"PK\5\6" + bytes(18)})[0]


def test_base_takes_only_what_add_appends() -> None:
    assert [metadata.base(f"k#{n}") for n in ("2", "19", "\u00b2", "x", "")] == ["k", "k", "k#\u00b2", "k#x", "k#"]


# --- what is written, and what is named -----------------------------------------------------------------------------

ICC = bytes(36) + b"acsp" + bytes(88)
EXIF = b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
HOSTILE = {
    "": b"",
    " ": b"x",
    "../../etc/x": b"1",
    "no such key": b"1",
    "text/a\x1b[31m\nb\r\u202e": b"hi",
    "text/a\x1b[31m": b"hi",
    "text/": b"x",
    "text/Comment#2": b"\xff",
    "text/Title": b"a\0b",
    "text/Author": b"\xff",
    "text/XML:com.adobe.xmp": "\N{SNOWMAN}".encode(),
    "tag/X": "\xe9\0z".encode(),
    "tag/": b"x",
    "tag/A=B": b"x",
    "tag/\xe9": b"x",
    "tag/a\nb": b"x",
    "tag/TITLE": b"\xff\0",
    "icc": b"junk",
    "exif": b"junk",
    "xmp": b"\xff\xfe",
    "gamma": b"NaN",
    "density": b"1/0 2 in",
    "channel_mask": b"-5",
    "png/IHDR": b"x" * 13,
    "png/IDAT": b"evil",
    "png/zTXt": b"x",
    "png/zTXt#2": b"Comment\0\0not zlib",
    "png/tEXt": b"\0x",
    "png/tEXt#2": b"a\0b\0c",
    "png/iTXt": b"Comment\0\0\0en\0\0\xff",
    "png/iTXt#2": b"Comment\0\2\0en\0\0x",
    "png/gAMA": bytes(4),
    "png/iCCP": b"x",
    "png/pHYs": b"x",
    "png/eXIf": b"x",
    "png/sRGB": b"xx",
    "png/tIME": b"x",
    "png/bKGD": b"x",
    "png/sBIT": b"x",
    "png/abCD": b"depends on the pixels",
    "png/profile-name": b"a\0b",
    "tiff/256": b"\3\0\1\0",
    "tiff/0270": b"\2\0a\0",
    "tiff/34665": b"\4\0\xff\xff\0\0",
    "tiff/34853": b"\4\0\x08\0\0\0",
    "tiff/700": b"\1\0x",
    "tiff/282": b"\5\0" + bytes(8),
    "tiff/40000": b"\x0d\0\x08\0\0\0",
    "tiff/40001": b"\3\0x",
    "tiff/photometric": b"5",
    "tiff/extrasamples": b"5",
    "pnm/tupltype": b"RGB\nENDHDR\nx",
    "pnm/maxval": b"0",
    "npy/header": b"x",
    "npy/fortran_order": b"2",
    "riff/head": b"zz",
    "riff/tail": b"zz",
    "aiff/head": b"FORM",
    "flac/id3": b"junk",
    "flac/vendor": b"\xff",
    "flac/comments": b"x",
    "flac/block": b"",
    "flac/block#2": b"\xffx",
    "flac/block#3": b"\x7fx",
    "flac/block#4": b"\0" + bytes(34),
    "flac/block#5": b"\1" + bytes(4),
    "flac/block#6": b"\3" + bytes(18),
}
SOUND_ITEMS = {"tag/TITLE": b"T", "channel_mask": b"3", "flac/block": b"\2abcd", "flac/id3": b"ID3\4\0\0\0\0\0\2xy"}
PICTURE_ITEMS = {"icc": ICC, "exif": EXIF, "xmp": b"<x/>", "gamma": b"45455", "density": b"5 7 m", "text/Comment": b"c"}
PICTURE_ITEMS |= {
    "png/sRGB": b"\0",
    "png/iTXt": b"T#2\0\0\0en\0\0t",
    "png/tEXt": b"T#2\0t",
    "tiff/40000": b"\3\0\1\0",
    "pnm/tupltype": b"X Y",
}


def literally_lost(values: dict[str, bytes], found: dict[str, bytes]) -> set[str]:
    return {{"": "''", " ": "' '"}.get(key, key) for key, value in values.items() if found.get(key) != value}


@pytest.mark.parametrize("extension", ALL)
def test_hostile_metadata_is_named_and_not_written(tmp_path: Path, extension: str) -> None:
    found, lost = written(tmp_path, extension, HOSTILE)
    assert lost == literally_lost(HOSTILE, found)
    allowed = {"riff/head", "aiff/head"}  # of this file: its texts are not as the writer puts what is read
    allowed |= {"icc", "text/Comment", "text/Title", "text/Author", "tag/TITLE", "tag/X", "xmp", "flac/vendor"}
    assert found.keys() <= allowed
    data = (tmp_path / f"x{extension}").read_bytes()
    assert b"evil" not in data
    assert b"etc/x" not in data


@pytest.mark.parametrize("extension", ALL)
@pytest.mark.parametrize("key", HOSTILE)
def test_each_hostile_item(tmp_path: Path, extension: str, key: str) -> None:
    values = {key: HOSTILE[key]}
    found, lost = written(tmp_path, extension, values)
    assert lost == literally_lost(values, found)


@pytest.mark.parametrize("extension", ALL)
def test_lost_is_what_does_not_come_back(tmp_path: Path, extension: str) -> None:
    values = SOUND_ITEMS if extension in SOUNDS else PICTURE_ITEMS
    found, lost = written(tmp_path, extension, values)
    assert lost == literally_lost(values, found)
    if extension == ".png":
        assert lost == {"tiff/40000", "pnm/tupltype"}
    if extension == ".flac":
        assert lost == set()


def test_png_chunks_of_hostile_metadata_are_those_of_the_standard(tmp_path: Path) -> None:
    values = HOSTILE | {"png/sRGB#2": b"\0", "png/sRGB#3": b"\0"}
    written(tmp_path, ".png", values)
    chunks = walk((tmp_path / "x.png").read_bytes())
    assert [kind for kind, _ in chunks if kind not in (b"IHDR", b"IDAT", b"IEND")] == [b"tEXt", b"tEXt", b"tEXt", b"iCCP", b"sRGB"]
    assert {content for kind, content in chunks if kind == b"tEXt"} == {b"Comment\0\xff", b"Title\0a\nb", b"Author\0\xff"}


def test_flac_blocks_of_hostile_metadata(tmp_path: Path) -> None:
    """A block of type 255 was taken for the last, and the file could not be read."""
    found, _ = written(tmp_path, ".flac", HOSTILE)
    assert not [key for key in found if key.startswith("flac/block")]
    assert soundfile.info(tmp_path / "x.flac").frames == 30
    assert "flac/block" not in written(tmp_path, ".flac", {"flac/block": b"\4" + bytes(8)})[0]  # it would be the only one of tags


@pytest.mark.parametrize("kind", [b"A\nB", b" A", b"A ", b"", b"CMYK", b"A\nENDHDR\n"])
def test_tuple_types_that_would_change_a_header(tmp_path: Path, kind: bytes) -> None:
    found, lost = written(tmp_path, ".pam", {"pnm/tupltype": kind})
    assert (found, lost) == ({}, {"pnm/tupltype"})


def test_texts_beyond_what_is_inflated_again_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pngchunks, "LARGEST_TEXTS", 10_000)
    values = {"text/Title": b"a" * 9000, "icc": b"b" * 9000, "text/Comment": b"c" * 900}
    found, lost = written(tmp_path, ".png", values)
    assert (found, lost) == ({"text/Title": values["text/Title"], "text/Comment": values["text/Comment"]}, {"icc"})


def directory(tags: range) -> bytes:
    """A little-endian directory of short numbers."""
    entries = [tag.to_bytes(2, "little") + b"\3\0\1\0\0\0\1\0\0\0" for tag in tags]
    return len(entries).to_bytes(2, "little") + b"".join(entries) + bytes(4)


@pytest.mark.parametrize("tags", [3000, 4096, 5000, 50_000])
def test_more_tags_than_tifffile_reads(tmp_path: Path, tags: int) -> None:
    """The file was written, and could not be read."""
    many = range(1000, 1000 + tags)
    exif = b"II*\0\x08\0\0\0" + directory(many)
    sub = b"II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x1a\0\0\0" + bytes(4) + directory(many)
    for values in ({"exif": exif}, {f"tiff/{tag}": b"\3\0\1\0" for tag in many}, {"exif": sub}):
        values["text/Title"] = b"T"
        found, lost = written(tmp_path, ".tif", values)
        assert lost == literally_lost(values, found)
        assert found["text/Title"] == b"T"
