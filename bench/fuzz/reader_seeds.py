"""Small valid files of every format that is read, by our own writers and by others': what the fuzzer of the readers changes."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inrcodec import Signal, files

from . import science_seeds

Samples = npt.NDArray[Any]
TEXTS = {"text/Title": b"A title", "text/Comment": b"A comment " * 120, "icc": bytes(range(256)) * 2, "density": b"2835 2835 m"}
TAGS = {"tag/TITLE": b"A title", "tag/ARTIST": b"Someone", "tag/COMMENT": b"A comment " * 20}


def _pixels(channels: int = 3, depth: int = 8) -> Samples:
    """(11, 19) or (11, 19, channels): a ramp and noise."""
    y, x = np.mgrid[0:11, 0:19]
    noise = np.random.default_rng(channels).integers(0, 4, (11, 19, channels))
    values = (13 * y[:, :, None] + 7 * x[:, :, None] + noise) % (1 << depth)
    found: Samples = values.astype(np.uint8 if depth <= 8 else np.uint16)
    return found[:, :, 0] if channels == 1 else found


def _sound(channels: int = 2, bits: int = 16, frames: int = 60) -> Samples:
    """(frames, channels): a tone and noise."""
    tone = np.sin(np.arange(frames)[:, None] * 0.2 + np.arange(channels)) * (1 << bits - 2)
    noise = np.random.default_rng(channels).integers(-3, 4, tone.shape)
    found: Samples = (tone.astype(np.int64) + noise).astype(np.int8 if bits <= 8 else np.int16 if bits <= 16 else np.int32)
    return found


def _own(extension: str, *signals: Signal) -> Iterator[bytes]:
    """The signals as our own writers write them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{extension}"
        for signal in signals:
            files.write(path, signal)
            yield path.read_bytes()


def _image(channels: int = 3, depth: int = 8, **more: bytes) -> Signal:
    return Signal(
        _pixels(channels, depth), "image", depth, None, {**TEXTS, **{key.replace("__", "/"): value for key, value in more.items()}}
    )


def _audio(channels: int = 2, bits: int = 16) -> Signal:
    return Signal(_sound(channels, bits), "audio", bits, 44100, TAGS)


def _pillow(pixels: Samples, kind: str, mode: str = "", **options: Any) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(out, kind, **options)
    return out.getvalue()


def _png() -> Iterator[bytes]:
    import cv2

    yield from _own(".png", _image(), _image(1, 16), _image(4, 8), _image(2, 16), _image(1, 2))
    for mode in ("P", "1", "LA"):
        yield _pillow(_pixels(), "PNG", mode)
    yield _pillow(_pixels(), "PNG", "P", transparency=3)
    yield bytes(cv2.imencode(".png", _pixels(3, 16))[1])


def _tiff() -> Iterator[bytes]:
    import tifffile

    exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    yield from _own(".tif", _image(exif=exif), _image(1, 1), _image(1, 12), _image(4, 16), _image(2, 8))
    kinds: list[dict[str, Any]] = [{"compression": name} for name in ("lzw", "zstd", "lzma", "packbits", "adobe_deflate", None)]
    kinds += [{"tile": (16, 16)}, {"bigtiff": True}, {"byteorder": ">"}, {"rowsperstrip": 2}, {"compression": "lzw", "predictor": 2}]
    for options in kinds:
        out = io.BytesIO()
        tifffile.imwrite(out, _pixels(), photometric="rgb", **options)
        yield out.getvalue()
    out = io.BytesIO()
    tifffile.imwrite(out, np.moveaxis(_pixels(), 2, 0), photometric="rgb", planarconfig="separate", tile=(16, 16), compression="zlib")
    yield out.getvalue()
    yield from _own(".tif", *_of_any_type())
    pages = np.stack([_pixels(1, 16)] * 3)
    for more in ({"imagej": True}, {"ome": True}, {"photometric": "minisblack", "predictor": 2, "compression": "zlib"}):
        out = io.BytesIO()
        tifffile.imwrite(out, pages, **more)
        yield out.getvalue()
    for compression in ("group3", "group4", "tiff_lzw"):
        yield _pillow(_pixels(), "TIFF", "1", compression=compression)
    yield _pillow(_pixels(), "TIFF", "P")


def _of_any_type() -> Iterator[Signal]:
    """Pictures and stacks of types that TIFF has, CMYK among them."""
    for dtype in ("i1", "u4", "f2", "f8", "c8"):
        yield Signal(_pixels().astype(dtype), "image")
    yield Signal(_pixels(7), "image")
    yield Signal(_pixels(4), "image", 8, None, {"tiff/photometric": b"5"})
    yield Signal(np.stack([_pixels(), _pixels()]), "stack", 8, None, {**TEXTS, "page/2/+text/Title": b"two"})


def _exr() -> Iterator[bytes]:
    yield from _own(".exr", *(Signal(_pixels(n).astype(dtype), "image") for n, dtype in ((1, "f2"), (3, "f4"), (4, "f2"))))


def _pfm() -> Iterator[bytes]:
    yield from _own(".pfm", *(Signal(_pixels(n).astype(np.float32), "image") for n in (1, 3)))
    yield b"PF 2 2 1.0\n" + bytes(48)


def _webp() -> Iterator[bytes]:
    yield from _own(".webp", _image(), _image(4), Signal(_pixels(), "image"))
    yield _pillow(_pixels(), "WEBP", "", lossless=True, method=0)


def _bmp() -> Iterator[bytes]:
    plain = [Signal(_pixels(n, depth), "image", depth) for n, depth in ((1, 1), (1, 8), (3, 8), (4, 8))]
    yield from _own(".bmp", _image(), _image(4), *plain)
    for mode in ("P", "1"):
        yield _pillow(_pixels(), "BMP", mode)
    palette = bytes(range(64)) * 16
    rows = b"\x0c\x11\0\0"  # 12 pixels, end of the row
    for bits, raster in ((8, rows + rows + b"\0\4abcd\x08\7\0\1"), (4, rows + rows + b"\0\4\x12\x34\x08\7\0\1")):
        start = 54 + (4 << bits)
        header = struct.pack(
            "<2sI4xIIiiHHIIiiII", b"BM", start + len(raster), start, 40, 12, 3, 1, bits, 1 if bits == 8 else 2, len(raster), 0, 0, 0, 0
        )
        yield header + palette[: 4 << bits] + raster


def _netpbm() -> Iterator[bytes]:
    yield from _own(".pam", _image(4), _image(1, 16))
    yield from _own(".pnm", _image(3), _image(1, 1))
    yield b"P1\n# text\n3 2\n1 0 1\n0 1 1\n"
    yield b"P2 3 2 255\n0 1 2 3 4 255\n"
    yield b"P3\n1 2\n65535\n0 1 2\n3 4 65535\n"


def _sun() -> Iterator[bytes]:
    yield from _own(".ras", *(Signal(_pixels(n, depth), "image", depth) for n, depth in ((1, 1), (1, 8), (3, 8))))
    coded = b"\x80\x09\1ab\x80\0cd\x80\x20\7"
    for map_size in (0, 768):
        yield (
            struct.pack(">8I", 0x59A66A95, 12, 4, 8, len(coded), 2, int(map_size > 0), map_size)
            + bytes(range(256)) * (map_size // 256)
            + coded
        )


def _jpeg_2000() -> Iterator[bytes]:
    import cv2

    for pixels in (_pixels(), _pixels(1, 16), _pixels(4)):
        pixels = np.tile(pixels, (4, 3, 1)[: pixels.ndim])  # OpenCV writes no smaller ones
        yield bytes(cv2.imencode(".jp2", pixels, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])[1])
    yield _pillow(_pixels(), "JPEG2000", "", irreversible=False, tile_size=(8, 8), num_resolutions=2)
    yield _pillow(np.tile(_pixels(), (6, 4, 1)), "JPEG2000", "", precinct_size=(32, 32), codeblock_size=(16, 16), quality_layers=[9, 3, 0])
    yield _pillow(_pixels(), "JPEG2000", "", irreversible=True, no_jp2=True, progression="RPCL")


def _libsndfile(kind: str, *subtypes: str) -> Iterator[bytes]:
    import soundfile

    for subtype in subtypes:
        out = io.BytesIO()
        soundfile.write(out, _sound(2, 32, 300), 44100, subtype, format=kind)
        yield out.getvalue()


def _flac() -> Iterator[bytes]:
    for data in _own(".flac", _audio(), _audio(1, 8), _audio(6, 24), Signal(np.zeros((9000, 2), np.int16), "audio", 16, 44100)):
        yield data
        frames = 4  # without number of frames and MD5 sum, and no other block but STREAMINFO
        while not (last := data[frames] >> 7):
            frames += 4 + int.from_bytes(data[frames + 1 : frames + 4], "big")
        frames += 4 + int.from_bytes(data[frames + 1 : frames + 4], "big")
        yield b"fLaC" + bytes([last << 7]) + data[5:21] + bytes([data[21] & 0xF0]) + bytes(20) + data[frames:]


def _wav_of_floats() -> Iterator[bytes]:
    samples = _sound() / 32768
    yield from _own(".wav", *(Signal(samples.astype(f"f{size}"), "audio", 0, 44100, TAGS) for size in (4, 8)))
    yield from _libsndfile("WAV", "FLOAT", "DOUBLE")
    yield from _libsndfile("WAVEX", "FLOAT")


def _npy() -> Iterator[bytes]:
    for x in (_sound() / 32768, (_sound() / 32768).astype(">f4"), _pixels(1).astype(np.float16)):
        out = io.BytesIO()
        np.save(out, x)
        yield out.getvalue()
    for x in (_pixels(), _sound().astype(">i4"), np.asfortranarray(_pixels(1)), _pixels(1) > 50, np.arange(9, dtype=np.uint64)):
        out = io.BytesIO()
        np.save(out, x)
        yield out.getvalue()
    out = io.BytesIO()
    np.lib.format.write_array(out, _pixels(), version=(2, 0))
    yield out.getvalue()


SOURCES = {
    "png": _png,
    "tif": _tiff,
    "webp": _webp,
    "bmp": _bmp,
    "pnm": _netpbm,
    "ras": _sun,
    "pfm": _pfm,
    "jp2": _jpeg_2000,
    "wav": lambda: (*_own(".wav", _audio(), _audio(1, 8), _audio(3, 20), Signal(_sound(), "audio", 16, 44100)), *_wav_of_floats()),
    "aiff": lambda: (*_own(".aiff", _audio(), _audio(1, 8)), *_own(".aifc", _audio(3, 20))),
    "flac": _flac,
    "au": lambda: _libsndfile("AU", "PCM_16", "PCM_S8", "PCM_32"),
    "caf": lambda: _libsndfile("CAF", "PCM_16", "PCM_24", "ALAC_16", "ALAC_20", "ALAC_24", "ALAC_32"),
    "w64": lambda: _libsndfile("W64", "PCM_16", "PCM_24", "PCM_U8"),
    "npy": _npy,
    "nii": science_seeds.niftis,
    "gz": science_seeds.gzips,
    "fits": science_seeds.fits,
    "dcm": science_seeds.dicoms,
}


if find_spec("OpenEXR"):
    SOURCES["exr"] = _exr


@cache
def seeds(kind: str) -> tuple[bytes, ...]:
    """Valid files of a format, one of SOURCES."""
    return tuple(SOURCES[kind]())
