"""The registry of file types: what is recognized by its bytes, by its name, or not at all, and how a type is added."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import inrcodec
from inrcodec import container, files
from inrcodec.errors import InrcodecError, UnsupportedError
from inrcodec.files import FileType, registry
from inrcodec.files.refused import REFUSED
from inrcodec.signal import KINDS, Signal

RNG = np.random.default_rng(3)
SAMPLES = {
    "image": Signal(RNG.integers(0, 256, (9, 14, 3)).astype(np.uint8), "image"),
    "audio": Signal(RNG.integers(-99, 99, (50, 2)).astype(np.int16), "audio", 16, 8000),
    "array": Signal(RNG.integers(-99, 99, (5, 4, 3)).astype(np.int64)),
}
GREY = Signal(SAMPLES["image"].samples[:, :, 0], "image")
FLOATS = Signal(GREY.samples.astype(np.float32), "image")
BLACK = Signal(GREY.samples & 1, "image", 1)
KEPT_ONLY = {"DICOM"}  # types that are written only with what was read of such a file
WRITTEN = [pytest.param(kind, e, id=e) for kind in files.types() if kind.write for e in kind.extensions]
MADE = [kind for kind in files.types() if kind.write and kind.name not in KEPT_ONLY]
KNOWN_BY_BYTES = [pytest.param(kind, e, id=e) for kind in MADE if kind.magic for e in kind.extensions]
# the first bytes of files of the types that are refused
HEADS = {
    ".linr": container.MAGIC + b"\1",
    "JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    "JPEG XL": b"\xff\x0a\xfa\x7f\x01",
    "AVIF": b"\0\0\0\x20ftypavif\0\0\0\0",
    "HEIF": b"\0\0\0\x18ftypheic\0\0\0\0",
    "GIF": b"GIF89a\1\0\1\0",
    "Canon RAW": b"II*\0\x10\0\0\0CR\2\0",
    "Radiance HDR": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n",
    "PDF": b"%PDF-1.7\n",
    "MP3": b"\xff\xfb\x90\x64\0",
    "AAC": b"\xff\xf1\x50\x80",
    "FLAC inside Ogg": b"OggS" + bytes(24) + b"\x7fFLAC\1\0",
    "Ogg": b"OggS" + bytes(24) + b"\1vorbis",
    "MPEG-4": b"\0\0\0\x20ftypM4A \0\0\0\0",
    "Matroska or WebM": b"\x1aE\xdf\xa3\x01\0",
    "ZIP": b"PK\3\4\x14\0",
}


def signal_for(extension: str) -> Signal:
    found = files.registry._named(Path("x" + extension), ())
    return {".pgm": GREY, ".pbm": BLACK, ".exr": FLOATS, ".pfm": FLOATS}.get(extension, SAMPLES[found.holds])


def written(path: Path, extension: str) -> Signal:
    """Write a file of the type of that extension to `path`, whatever its own name."""
    signal = signal_for(extension)
    own = path.with_name(f"own{extension}")
    files.write(own, signal)
    own.rename(path)
    return signal


def refused(path: Path, match: str) -> None:
    with pytest.raises(InrcodecError, match=match) as info:
        files.read(path)
    assert str(info.value).startswith(f"{path}: ")
    assert "\n" not in str(info.value)


def test_types_are_sorted_and_share_nothing() -> None:
    types = files.types()
    assert [(KINDS.index(t.holds), t.name.casefold()) for t in types] == sorted((KINDS.index(t.holds), t.name.casefold()) for t in types)
    extensions = [e for t in types for e in t.extensions]
    assert len(set(extensions)) == len(extensions)
    assert all(e == e.lower() and e.startswith(".") for e in extensions)
    assert len({t.name for t in types}) == len(types)
    assert all(t.description and "\n" not in t.description for t in types)


def test_the_type_to_write_instead_can_be_written() -> None:
    for kind, extension in registry.ALTERNATIVE.items():
        files.check(Path(f"x{extension}"))
        assert registry._named(Path(f"x{extension}"), ()).holds == kind


@pytest.mark.parametrize(("kind", "extension"), KNOWN_BY_BYTES)
def test_bytes_tell_the_type_whatever_the_name(tmp_path: Path, kind: FileType, extension: str) -> None:
    for name in ("x.dat", "x", "x.png", "x.wav", "x.npy", "x.jpg", f"x{extension.upper()}"):
        signal = written(tmp_path / name, extension)
        found = files.read(tmp_path / name)
        assert replace(found, metadata={}).equals(signal)
        assert not set(found.metadata) - {"aiff/head"}  # whose default depends on the name
    head = (tmp_path / "x").read_bytes()[: registry.HEAD]
    assert [t for t in files.types() if t.recognizes(head)] == [kind]


@pytest.mark.parametrize(("kind", "extension"), WRITTEN)
def test_damaged_bytes_go_by_name(tmp_path: Path, kind: FileType, extension: str) -> None:
    path = tmp_path / f"x{extension}"
    for content in (b"\x01\x02\x03", b"Dear reader,\nthis is a letter.\n", bytes(200)):
        path.write_bytes(content)
        refused(path, "not a|truncated|damaged")


def test_names_and_bytes_that_nobody_knows(tmp_path: Path) -> None:
    for name, what in (("x.xyz", r"named \.xyz"), ("x", "named without an extension")):
        path = tmp_path / name
        path.write_bytes(b"Dear reader,")
        with pytest.raises(UnsupportedError, match=rf"{what} are not supported; known are .*\.flac .*\.png .*\.wav") as info:
            files.read(path)
        assert str(info.value).startswith(f"{path}: ")
        with pytest.raises(UnsupportedError, match=what):
            files.write(path, SAMPLES["image"])
        with pytest.raises(UnsupportedError, match=what):
            files.check(path)


@pytest.mark.parametrize("name", ["x.png", "x.wav", "x.npy", "x.xyz", "x"])
def test_empty_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    refused(tmp_path / name, "empty file")


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InrcodecError, match="there are no DICOM files in this folder"):
        files.read(tmp_path)
    with pytest.raises(UnsupportedError, match="only of a volume that was read from a folder"):
        files.write(tmp_path, SAMPLES["array"])
    with pytest.raises(FileNotFoundError):
        files.read(tmp_path / "x.png")


@pytest.mark.parametrize("name", HEADS)
def test_types_that_are_refused_by_their_bytes(tmp_path: Path, name: str) -> None:
    for file in ("x.png", "x.dat", "x"):
        (tmp_path / file).write_bytes(HEADS[name] + bytes(100))
        refused(tmp_path / file, "inrcodec decode" if name == ".linr" else f"{name} .*(first|integers|as .npy|--pixels)")
        (tmp_path / file).write_bytes(HEADS[name])
        refused(tmp_path / file, "inrcodec decode" if name == ".linr" else name)
    assert not [t for t in files.types() if t.recognizes(HEADS[name]) and name != "Canon RAW"]


def test_every_refusal_is_tested() -> None:
    assert [name for name, _, _ in REFUSED] == list(HEADS)


def test_a_compact_file_is_compressed_already(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(inrcodec.encode(np.zeros((4, 4), np.uint8)))
    assert path.read_bytes().startswith(container.COMPACT)
    refused(path, "inrcodec decode")


def test_a_jpeg_named_png(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(SAMPLES["image"].samples).save(path, "JPEG")
    refused(path, "JPEG is lossy: .* 1.3 to 4 times the bytes, and the JPEG file would not come back; --pixels .pixels=True. codes them$")


def test_id3_tags_are_skipped(tmp_path: Path) -> None:
    tag = b"ID3\4\0\0\0\0\7\x68" + bytes(1000)
    signal = written(tmp_path / "x", ".flac")
    flac = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(tag + tag + flac)
    found = files.read(tmp_path / "x")
    assert np.array_equal(found.samples, signal.samples)
    assert found.metadata["flac/id3"] == tag + tag
    for name in ("x.flac", "x.mp3"):
        (tmp_path / name).write_bytes(tag + HEADS["MP3"] + bytes(100))
        refused(tmp_path / name, "MP3 is lossy")
        (tmp_path / name).write_bytes(tag + tag[:500])
        refused(tmp_path / name, "not a FLAC file" if name == "x.flac" else r"named \.mp3 are not supported")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("extension", sorted(kind.extensions[0] for kind in MADE))
def test_a_pipe_is_read_once(tmp_path: Path, extension: str) -> None:
    written(tmp_path / "x", extension)
    signal = files.read(tmp_path / "x")
    os.mkfifo(tmp_path / "pipe")
    content = (tmp_path / "x").read_bytes()
    feeder = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,), daemon=True)
    feeder.start()
    assert files.read(tmp_path / "pipe").equals(signal)
    feeder.join()


def test_check_goes_by_the_extension_alone(tmp_path: Path) -> None:
    for kind in files.types():
        for extension in kind.extensions:
            path = tmp_path / "missing" / f"x{extension.upper()}"
            if kind.write:
                files.check(path)
                continue
            with pytest.raises(UnsupportedError, match=rf"{kind.name} can be read but not written; \.png can$"):
                files.check(path)
            with pytest.raises(UnsupportedError, match="can be read but not written"):
                files.write(path, SAMPLES[kind.holds])
    with pytest.raises(UnsupportedError, match=r"x\.jpg: files named \.jpg are not supported; known are .*\.png"):
        files.check(tmp_path / "x.jpg")


@pytest.fixture
def added(tmp_path: Path) -> Iterator[Path]:
    """A folder whose modules belong to `inrcodec.files` too."""
    folder = tmp_path / "more"
    folder.mkdir()
    files.__path__.append(str(folder))
    registry.types.cache_clear()
    yield folder
    files.__path__.remove(str(folder))
    registry.types.cache_clear()
    sys.modules.pop("inrcodec.files.raw8", None)


RAW8 = """
from inrcodec.files.registry import FileType
from inrcodec.signal import Signal
import numpy as np

def read(path, file, limits):
    data = file.read()
    if data[4:5] == b"x":
        raise ValueError("a library's\\nown words")
    return Signal(np.frombuffer(data[4:], np.uint8))

def write(path, signal):
    if signal.samples.ndim > 1:
        raise ValueError("too many axes")
    path.write_bytes(b"RAW8" + signal.samples.tobytes())

TYPES = (FileType("Raw", "array", (".raw8",), "bytes", rb"RAW8", read, write),)
"""


def test_adding_a_type_is_adding_a_module(added: Path, tmp_path: Path) -> None:
    (added / "raw8.py").write_text(RAW8)
    assert "Raw" in [t.name for t in files.types()]
    signal = Signal(np.arange(9, dtype=np.uint8))
    path = tmp_path / "x.raw8"
    files.check(path)
    files.write(path, signal)
    assert files.read(path).equals(signal)
    assert files.read(path.rename(tmp_path / "x.png")).equals(signal)
    path.write_bytes(b"RAW8x")
    refused(path, r"damaged or not a Raw file \(a library's own words\)")
    with pytest.raises(InrcodecError, match=r"x\.raw8: cannot be written as \.raw8 \(too many axes\)"):
        files.write(path, SAMPLES["array"])


def test_heavy_libraries_wait_until_they_are_needed() -> None:
    program = "import sys, inrcodec.files; inrcodec.files.types(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"PIL", "cv2", "imagecodecs", "soundfile", "tifffile", "png", "torch", "trimesh", "skimage"} & set(loaded)
