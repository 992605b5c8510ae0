"""Reading and writing WAV, AIFF and FLAC: what comes back, what is refused, and how faults are told."""

from __future__ import annotations

import hashlib
import io
import struct
import wave
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inrcodec import files
from inrcodec.errors import FormatError, InrcodecError, UnsupportedError
from inrcodec.files import aiff, wav
from inrcodec.files.tags import utf8
from inrcodec.signal import Signal

from .support import through

many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
rates = st.sampled_from([1, 8000, 22050, 44100, 192000, 2**32 - 1])
GUID = bytes.fromhex("000000001000800000aa00389b71")
EXTENSIONS = (".wav", ".aiff", ".aifc", ".flac")


def noise(shape: tuple[int, ...], bits: int = 16, seed: int = 0) -> npt.NDArray[Any]:
    """Samples over the whole range of that depth, the ends included."""
    x = np.random.default_rng(seed).integers(-(1 << bits - 1), 1 << bits - 1, shape)
    x.flat[0], x.flat[-1] = -(1 << bits - 1), (1 << bits - 1) - 1
    return x.astype(np.int8 if bits <= 8 else np.int16 if bits <= 16 else np.int32)


def sound(shape: tuple[int, ...] = (50, 2), bits: int = 16, rate: int = 44100, **metadata: bytes) -> Signal:
    return Signal(noise(shape, bits), "audio", bits, rate, {key.replace("__", "/"): value for key, value in metadata.items()})


def fault(path: Path, data: bytes, kind: type[InrcodecError], match: str | None = None) -> None:
    """Reading must fail with one line that names the file."""
    path.write_bytes(data)
    with pytest.raises(kind if data else InrcodecError, match=match if data else "empty file") as e:
        files.read(path)
    assert str(e.value).startswith(f"{path}: ")
    assert "\n" not in str(e.value)


def write_refused(path: Path, signal: Signal, match: str) -> None:
    with pytest.raises(UnsupportedError, match=match) as e:
        files.write(path, signal)
    assert str(e.value).startswith(f"{path}: ")
    assert not path.exists()


# --- WAV -------------------------------------------------------------------------------------------------------------


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def fmt_plain(channels: int = 1, bits: int = 16, rate: int = 44100, code: int = 1, size: int = 0) -> bytes:
    block = channels * (size or (bits + 7) // 8)
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, rate, rate * block % 2**32, block, bits))


def fmt_extensible(channels: int, size: int, valid: int, mask: int = 0, rate: int = 44100, guid: bytes = b"\1\0" + GUID) -> bytes:
    block = channels * size
    body = struct.pack("<HHIIHHHHI", 0xFFFE, channels, rate, rate * block % 2**32, block, 8 * size, 22, valid, mask)
    return chunk(b"fmt ", body + guid)


def riff(fmt: bytes, data: bytes, before: bytes = b"", after: bytes = b"", size: int | None = None, total: int | None = None) -> bytes:
    """A WAV file; `size` and `total` put other numbers in the headers than the true ones."""
    body = b"WAVE" + fmt + before + b"data" + struct.pack("<I", len(data) if size is None else size) + data
    body += b"\0" * (len(data) % 2) + after
    return b"RIFF" + struct.pack("<I", len(body) if total is None else total) + body


def info(*texts: tuple[bytes, bytes]) -> bytes:
    return chunk(b"LIST", b"INFO" + b"".join(chunk(name, text + b"\0") for name, text in texts))


chunks = st.lists(
    st.tuples(st.sampled_from([b"LIST", b"bext", b"cue ", b"JUNK", b"id3 ", b"fact"]), st.binary(max_size=21)), max_size=3
).map(lambda found: b"".join(chunk(name, body) for name, body in found))


@many
@given(
    frames=st.integers(1, 9),
    channels=st.integers(1, 8),
    size=st.integers(1, 4),
    rate=rates,
    mask=st.none() | st.integers(0, 2**32 - 1),
    before=chunks,
    after=chunks | st.binary(max_size=9),
    data=st.data(),
)
def test_wav_comes_back(
    tmp_path: Path, frames: int, channels: int, size: int, rate: int, mask: int | None, before: bytes, after: bytes, data: st.DataObject
) -> None:
    count = frames * channels * size
    raw = data.draw(st.binary(min_size=count, max_size=count))
    fmt = fmt_plain(channels, 8 * size, rate) if mask is None else fmt_extensible(channels, size, 8 * size, mask, rate)
    signal = through(tmp_path / "x.wav", riff(fmt, raw, before, after))
    assert (signal.kind, signal.bit_depth, signal.sample_rate) == ("audio", 8 * size, rate)
    assert signal.samples.dtype == (np.int8, np.int16, np.int32, np.int32)[size - 1]
    values = [int.from_bytes(raw[i : i + size], "little", signed=size > 1) - (128 if size == 1 else 0) for i in range(0, count, size)]
    np.testing.assert_array_equal(signal.samples, np.reshape(values, (frames, channels)))
    assert signal.metadata.get("channel_mask") == (None if mask is None else str(mask).encode())
    if not before and not after:
        assert set(signal.metadata) <= {"channel_mask"}


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_plain_wav_costs_no_metadata(tmp_path: Path, size: int) -> None:
    out = io.BytesIO()
    with wave.open(out, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(size)
        f.setframerate(8000)
        f.writeframes(bytes(range(6 * size)))
    assert through(tmp_path / "x.wav", out.getvalue()).metadata == {}


@pytest.mark.parametrize(
    ("fmt", "bits", "spare"),
    [
        (fmt_extensible(2, 3, 20), 20, 4),
        (fmt_extensible(2, 4, 24), 24, 8),
        (fmt_extensible(2, 2, 12), 12, 4),
        (fmt_extensible(2, 2, 8), 8, 8),
        (fmt_extensible(1, 1, 4), 4, 4),
        (fmt_plain(2, 12), 12, 4),
        (fmt_plain(2, 20), 20, 4),
        (fmt_plain(1, 24, size=4), 24, 8),
        (fmt_plain(1, 16, size=4), 16, 16),
    ],
)
def test_wav_with_spare_bits(tmp_path: Path, fmt: bytes, bits: int, spare: int) -> None:
    """Left-justified samples are shifted down; if the spare bits are used the depth is that of the container."""
    size = (bits + spare) // 8
    samples = noise((40, 1), bits)
    left = [(int(v) << spare) + (128 if size == 1 else 0) for v in samples.flat]
    signal = through(tmp_path / "x.wav", riff(fmt, b"".join(v.to_bytes(size, "little", signed=size > 1) for v in left)))
    assert signal.bit_depth == bits
    assert signal.samples.dtype == samples.dtype
    np.testing.assert_array_equal(signal.samples.flat, samples.flat)
    left[0] += 1
    signal = through(tmp_path / "x.wav", riff(fmt, b"".join(v.to_bytes(size, "little", signed=size > 1) for v in left)))
    assert signal.bit_depth == 8 * size


@pytest.mark.parametrize("bits", [1, 4, 8, 12, 16, 20, 24, 25, 32])
def test_wav_of_every_depth_is_written(tmp_path: Path, bits: int) -> None:
    signal = sound((7, 3), bits, channel_mask=b"7")
    files.write(tmp_path / "x.wav", signal)
    assert files.read(tmp_path / "x.wav").equals(signal)


@pytest.mark.parametrize(
    ("size", "total"),
    [(0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 36), (0, 36), (0, 0), (0, 0xFFFFFFFF), (0x7FFFF000, 0x7FFFF024)],
)
def test_stream_of_unknown_length(tmp_path: Path, size: int, total: int) -> None:
    raw = noise((30, 2)).tobytes()
    signal = through(tmp_path / "x.wav", riff(fmt_plain(2), raw, size=size, total=total))
    assert signal.samples.shape == (30, 2)
    assert list(signal.metadata) == ["riff/head"]
    assert through(tmp_path / "x.wav", riff(fmt_plain(2), raw + b"abc", size=size, total=total)[:-1]).samples.shape == (30, 2)


def test_no_samples_but_chunks_after_them(tmp_path: Path) -> None:
    fault(tmp_path / "x.wav", riff(fmt_plain(), b"", after=chunk(b"LIST", b"adtl")), UnsupportedError, "no samples")


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
@pytest.mark.parametrize("size", [0xFFFFFFFF, 60])
def test_rf64(tmp_path: Path, magic: bytes, size: int) -> None:
    raw = noise((30, 1)).tobytes()
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 200, 60, 30, 0))
    data = magic + riff(b"", raw, before=ds64 + fmt_plain(), after=chunk(b"bext", b"abc"), size=size, total=0xFFFFFFFF)[4:]
    signal = through(tmp_path / "x.wav", data)
    np.testing.assert_array_equal(signal.samples.tobytes(), raw)


def test_above_4_gib_the_header_is_rf64() -> None:
    huge = Signal(np.broadcast_to(np.int8(0), (2**32, 2)), "audio", 8, 8000)
    head = wav.DIALECT.head(huge, 0)
    assert head.startswith(b"RF64\xff\xff\xff\xffWAVEds64")
    assert struct.unpack_from("<QQQ", head, 20) == (len(head) - 8 + 2**33, 2**33, 2**32)
    assert head.endswith(b"data\xff\xff\xff\xff")
    small = Signal(np.broadcast_to(np.int8(0), (2**32 - 100, 1)), "audio", 8, 8000)
    assert wav.DIALECT.head(small, 0).startswith(b"RIFF")


def test_pad_byte_missing_or_odd(tmp_path: Path) -> None:
    data = riff(fmt_plain(1, 8), b"abc")
    assert through(tmp_path / "x.wav", data).metadata == {}
    assert through(tmp_path / "x.wav", data[:-1]).samples.shape == (3, 1)
    assert through(tmp_path / "x.wav", data[:-1] + b"?").samples.shape == (3, 1)


def test_incomplete_last_frame_is_kept(tmp_path: Path) -> None:
    assert through(tmp_path / "x.wav", riff(fmt_plain(2), bytes(11), after=info((b"INAM", b"Name")))).samples.shape == (2, 2)


def test_riff_info_is_tags(tmp_path: Path) -> None:
    texts = info(
        (b"INAM", b"Na\xc3\xafve"), (b"IART", b"Ren\xe9"), (b"ICMT", b"one"), (b"ICMT", b"two"), (b"ISFT", b"Lavf\0x"), (b"IXYZ", b"?")
    )
    expected = {"TITLE": "Naïve", "ARTIST": "René", "COMMENT": "one", "COMMENT#2": "two", "ENCODER": "Lavf"}
    for before, after in ((texts, b""), (b"", texts)):
        signal = through(tmp_path / "x.wav", riff(fmt_plain(), bytes(10), before, after))
        assert {key[4:]: text.decode() for key, text in signal.metadata.items() if key.startswith("tag/")} == expected


def test_header_with_tags_costs_only_the_tags(tmp_path: Path) -> None:
    signal = through(tmp_path / "x.wav", riff(fmt_plain(), bytes(10), info((b"INAM", b"Name"), (b"ISFT", b"Lavf60.16.100"))))
    assert signal.metadata == {"tag/TITLE": b"Name", "tag/ENCODER": b"Lavf60.16.100"}


def test_changed_signal_gets_a_new_header(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    texts = info((b"INAM", b"Old"))
    odd = riff(fmt_extensible(2, 2, 16, 3), noise((30, 2)).tobytes(), chunk(b"bext", b"abc") + texts, chunk(b"cue ", b"12345"))
    signal = through(path, odd)
    assert {"riff/head", "riff/tail"} < set(signal.metadata)
    x = signal.samples
    for changed in (
        replace(signal, samples=x[:20]),
        replace(signal, samples=x[:, :1]),
        replace(signal, samples=x.astype(np.int32) << 8, bit_depth=24),
        replace(signal, samples=x >> 8, bit_depth=8),
        replace(signal, sample_rate=48000),
        replace(signal, metadata={**signal.metadata, "tag/TITLE": b"New"}),
        replace(signal, metadata={**signal.metadata, "channel_mask": b"12"}),
        replace(signal, metadata={**signal.metadata, "riff/head": b"RIFF"}),
    ):
        files.write(path, changed)
        found = files.read(path)
        own = {key: value for key, value in changed.metadata.items() if not key.startswith("riff/")}
        assert found.equals(replace(changed, samples=changed.samples.astype(found.samples.dtype), metadata=own))


def test_same_samples_changed_in_place_keep_the_chunks(tmp_path: Path) -> None:
    data = riff(fmt_plain(), bytes(10), after=chunk(b"cue ", b"12345"))
    signal = through(tmp_path / "x.wav", data)
    files.write(tmp_path / "x.wav", replace(signal, samples=signal.samples + np.int16(1)))
    assert (tmp_path / "x.wav").read_bytes() == riff(fmt_plain(), b"\1\0" * 5, after=chunk(b"cue ", b"12345"))


@pytest.mark.parametrize(
    ("fmt", "kind", "match"),
    [
        (fmt_plain(bits=16, code=3), UnsupportedError, "floats of 16 bits in 2 bytes"),
        (fmt_plain(bits=24, code=3, size=4), UnsupportedError, "floats of 24 bits in 4 bytes"),
        (fmt_plain(bits=64, code=3, size=4), UnsupportedError, "floats of 64 bits in 4 bytes"),
        (fmt_plain(bits=8, code=3), UnsupportedError, "floats of 8 bits"),
        (fmt_extensible(1, 4, 24, guid=b"\3\0" + GUID), UnsupportedError, "floats of 24 bits in 4 bytes"),
        (fmt_extensible(1, 3, 24, guid=b"\3\0" + GUID), UnsupportedError, "floats of 24 bits in 3 bytes"),
        (fmt_plain(bits=8, code=6), UnsupportedError, "A-law"),
        (fmt_plain(bits=8, code=7), UnsupportedError, "µ-law"),
        (fmt_plain(bits=4, code=2), UnsupportedError, "ADPCM"),
        (fmt_plain(code=0x1234), UnsupportedError, "0x1234"),
        (fmt_extensible(1, 4, 32, guid=b"\1\0" + b"?" * 14), UnsupportedError, "unknown coding"),
        (fmt_plain(bits=64), UnsupportedError, "64 bits"),
        (fmt_plain(bits=24, size=2), UnsupportedError, "24 bits"),
        (fmt_plain(channels=0, size=2), UnsupportedError, "no channels"),
        (fmt_plain(channels=9), UnsupportedError, "8 channels"),
        (fmt_plain(rate=0), UnsupportedError, "sample rate"),
        (b"", FormatError, "no format chunk"),
        (chunk(b"fmt ", b"\1\0\1\0"), FormatError, "no format chunk"),
        (chunk(b"fmt ", struct.pack("<HHIIHH", 0xFFFE, 1, 8000, 16000, 2, 16)), FormatError, "too short"),
        (chunk(b"fmt ", struct.pack("<HHIIHH", 1, 2, 8000, 16000, 3, 16)), FormatError, "3 bytes for 2 channels"),
    ],
)
def test_wav_refused(tmp_path: Path, fmt: bytes, kind: type[InrcodecError], match: str) -> None:
    fault(tmp_path / "some.wav", riff(fmt, bytes(96)), kind, match)


def test_wav_damaged(tmp_path: Path) -> None:
    path = tmp_path / "some.wav"
    good = riff(fmt_plain(2), bytes(40), before=chunk(b"bext", b"abcdef"))
    for end in range(len(good)):
        fault(path, good[:end], FormatError)
    fault(path, good[:-1], FormatError, "truncated")
    fault(path, b"RIFX" + good[4:], UnsupportedError, "RIFX")
    fault(path, good.replace(b"WAVE", b"AVI "), FormatError, "not a WAV")
    fault(path, riff(fmt_plain(), b""), UnsupportedError, "no samples")


def test_wav_write_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    write_refused(path, Signal(np.zeros((4, 4), np.uint8), "image"), "not image")
    write_refused(path, Signal(np.zeros(4, np.int16)), "not array")
    write_refused(path, Signal(np.zeros(4, np.int64), "audio", 40, 8000), "40 bits")
    files.write(path, sound(channel_mask=b"left"))
    assert files.read(path).metadata == {}


# --- floats ----------------------------------------------------------------------------------------------------------


@many
@given(
    frames=st.integers(1, 9),
    channels=st.integers(1, 8),
    size=st.sampled_from([4, 8]),
    rate=rates,
    mask=st.none() | st.integers(0, 2**32 - 1),
    extra=st.sampled_from([b"", b"\0\0"]),
    before=chunks | st.just(chunk(b"fact", bytes(4))) | st.just(chunk(b"PEAK", bytes(24))),
    after=chunks | st.binary(max_size=9),
    data=st.data(),
)
def test_wav_of_floats_comes_back(
    tmp_path: Path, frames: int, channels: int, size: int, rate: int, mask: int | None, extra: bytes, before: bytes, after: bytes, data: Any
) -> None:
    """Any patterns of bits: NaNs, −0 and infinities among them."""
    raw = data.draw(st.binary(min_size=frames * channels * size, max_size=frames * channels * size))
    block = channels * size
    plain = chunk(b"fmt ", struct.pack("<HHIIHH", 3, channels, rate, rate * block % 2**32, block, 8 * size) + extra)
    fmt = plain if mask is None else fmt_extensible(channels, size, 8 * size, mask, rate, guid=b"\3\0" + GUID)
    signal = through(tmp_path / "x.wav", riff(fmt, raw, before, after))
    assert (signal.kind, signal.bit_depth, signal.sample_rate) == ("audio", 8 * size, rate)
    assert signal.samples.dtype == f"f{size}"
    assert signal.samples.shape == (frames, channels)
    assert signal.samples.astype(f"<f{size}").tobytes() == raw


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_plain_wav_of_floats_costs_no_metadata(tmp_path: Path, dtype: type[np.floating[Any]]) -> None:
    """What libsndfile reads as the same floats."""
    samples = np.random.default_rng(1).normal(0, 0.1, (7, 2)).astype(dtype)
    for metadata in ({}, {"channel_mask": b"3"}, {"tag/TITLE": b"A title"}):
        files.write(tmp_path / "x.wav", Signal(samples, "audio", 0, 8000, metadata))
        found, rate = soundfile.read(tmp_path / "x.wav", dtype=samples.dtype.name)
        assert np.array_equal(found, samples)
        assert rate == 8000
        assert through(tmp_path / "y.wav", (tmp_path / "x.wav").read_bytes()).metadata == metadata


def test_wav_of_floats_by_libsndfile(tmp_path: Path) -> None:
    """With its chunks "fact" and "PEAK"."""
    samples = np.random.default_rng(1).normal(0, 0.1, (7, 2))
    for subtype, dtype in (("FLOAT", np.float32), ("DOUBLE", np.float64)):
        for kind in ("WAV", "WAVEX", "RF64"):
            soundfile.write(tmp_path / "a.wav", samples, 8000, subtype, format=kind)
            signal = through(tmp_path / "b.wav", (tmp_path / "a.wav").read_bytes())
            assert signal.samples.dtype == dtype
            assert np.array_equal(signal.samples, samples.astype(dtype))


def test_floats_that_a_sound_file_cannot_hold(tmp_path: Path) -> None:
    for size, extensions in ((2, (".wav", *EXTENSIONS, ".au", ".caf", ".w64")), (4, (*EXTENSIONS[1:], ".au", ".caf", ".w64"))):
        signal = Signal(np.zeros((4, 2), f"f{size}"), "audio", 0, 8000)
        for extension in extensions:
            write_refused(tmp_path / f"x{extension}", signal, f"floats of {8 * size} bits; .*npy hold")


def test_floats_in_the_place_of_integers_have_their_own_header(tmp_path: Path) -> None:
    """Chunks that came with integers of the same size are not put around floats, nor the other way round."""
    plain, floating = (riff(fmt_plain(bits=32, code=code), bytes(12), after=chunk(b"cue ", b"12")) for code in (1, 3))
    for data, other in ((plain, np.zeros((3, 1), np.float32)), (floating, np.zeros((3, 1), np.int32))):
        changed = replace(through(tmp_path / "x.wav", data), samples=other)
        files.write(tmp_path / "x.wav", changed)
        assert files.read(tmp_path / "x.wav").samples.dtype == other.dtype


# --- AIFF ------------------------------------------------------------------------------------------------------------


def be(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">I", len(body)) + body + b"\0" * (len(body) % 2)


def extended(rate: float) -> bytes:
    mantissa, exponent = np.frexp(rate)
    return struct.pack(">HQ", 16382 + int(exponent), int(mantissa * 2.0**53) << 11)


def common(channels: int, frames: int, bits: int, rate: float = 44100, coding: bytes = b"") -> bytes:
    return be(b"COMM", struct.pack(">HIH", channels, frames, bits) + extended(rate) + (coding and coding + b"\0\0"))


def form(*parts: bytes, kind: bytes = b"AIFF") -> bytes:
    body = kind + b"".join(parts)
    return b"FORM" + struct.pack(">I", len(body)) + body


def ssnd(data: bytes, offset: int = 0) -> bytes:
    return be(b"SSND", struct.pack(">II", offset, 0) + bytes(offset) + data)


@many
@given(
    frames=st.integers(1, 9),
    channels=st.integers(1, 8),
    size=st.integers(1, 4),
    rate=rates,
    coding=st.sampled_from([b"", b"NONE", b"twos", b"sowt"]),
    before=st.binary(max_size=9),
    offset=st.integers(0, 5),
    late=st.booleans(),
    data=st.data(),
)
def test_aiff_comes_back(
    tmp_path: Path,
    frames: int,
    channels: int,
    size: int,
    rate: int,
    coding: bytes,
    before: bytes,
    offset: int,
    late: bool,
    data: st.DataObject,
) -> None:
    count = frames * channels * size
    raw = data.draw(st.binary(min_size=count, max_size=count))
    comm = common(channels, frames, 8 * size, rate, coding)
    parts = [comm, be(b"MARK", before), ssnd(raw, offset)]
    signal = through(tmp_path / "x.aiff", form(*(parts[::-1] if late else parts), kind=b"AIFC" if coding else b"AIFF"))
    assert (signal.kind, signal.bit_depth, signal.sample_rate) == ("audio", 8 * size, rate)
    assert signal.samples.dtype == (np.int8, np.int16, np.int32, np.int32)[size - 1]
    order: Literal["little", "big"] = "little" if coding == b"sowt" else "big"
    values = [int.from_bytes(raw[i : i + size], order, signed=True) for i in range(0, count, size)]
    np.testing.assert_array_equal(signal.samples, np.reshape(values, (frames, channels)))


@pytest.mark.parametrize(("extension", "kind"), [(".aif", b"AIFF"), (".aiff", b"AIFF"), (".aifc", b"AIFC")])
@pytest.mark.parametrize("bits", [1, 8, 12, 16, 20, 24, 32])
def test_plain_aiff_costs_no_metadata(tmp_path: Path, extension: str, kind: bytes, bits: int) -> None:
    path = tmp_path / f"x{extension}"
    signal = replace(sound((7, 3), bits), metadata={"tag/TITLE": b"odd", "tag/COMMENT": b"Na\xc3\xafve", "tag/COMMENT#2": b"two"})
    files.write(path, signal)
    assert path.read_bytes()[8:12] == kind
    assert files.read(path).equals(signal)


def test_aiff_texts_are_tags(tmp_path: Path) -> None:
    texts = (be(b"NAME", b"Na\xefve"), be(b"AUTH", b"Someone"), be(b"(c) ", b"2001"), be(b"ANNO", b"one"), be(b"ANNO", b"two"))
    for parts in ((*texts, ssnd(bytes(4))), (ssnd(bytes(4)), *texts)):
        signal = through(tmp_path / "x.aiff", form(common(1, 2, 16), *parts))
        tags = {key[4:]: text.decode() for key, text in signal.metadata.items() if key.startswith("tag/")}
        assert tags == {"TITLE": "Naïve", "ARTIST": "Someone", "COPYRIGHT": "2001", "COMMENT": "one", "COMMENT#2": "two"}


def test_aiff_rate_that_is_not_whole(tmp_path: Path) -> None:
    signal = through(tmp_path / "x.aiff", form(common(1, 2, 16, 22254.5454), ssnd(bytes(4))))
    assert signal.sample_rate == 22255
    assert list(signal.metadata) == ["aiff/head"]


def test_aiff_with_spare_bits(tmp_path: Path) -> None:
    data = form(common(1, 2, 12), ssnd(b"\x12\x30\xff\xf0"))
    assert through(tmp_path / "x.aiff", data).samples.tolist() == [[0x123], [-1]]
    data = form(common(1, 2, 12), ssnd(b"\x12\x30\xff\xf1"))
    signal = through(tmp_path / "x.aiff", data)
    assert (signal.bit_depth, signal.samples.tolist()) == (16, [[0x1230], [-15]])


def test_changed_aiff_gets_a_new_header(tmp_path: Path) -> None:
    path = tmp_path / "x.aiff"
    signal = through(path, form(common(1, 4, 16), be(b"MARK", b"abc"), be(b"NAME", b"Old"), ssnd(bytes(8)), be(b"ID3 ", b"x")))
    for changed in (
        replace(signal, samples=signal.samples[:3]),
        replace(signal, sample_rate=8000),
        replace(signal, metadata={**signal.metadata, "tag/TITLE": b"New"}),
    ):
        files.write(path, changed)
        own = {key: value for key, value in changed.metadata.items() if key.startswith("tag/")}
        assert files.read(path).equals(replace(changed, metadata=own))


def test_aiff_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.aifc"
    for coding in (b"fl32", b"fl64", b"alaw", b"ulaw", b"ima4", b"raw "):
        fault(path, form(common(1, 2, 16, coding=coding), ssnd(bytes(8)), kind=b"AIFC"), UnsupportedError, coding.decode())
    fault(path, form(common(1, 0, 16), ssnd(b"")), UnsupportedError, "no samples")
    fault(path, form(common(0, 4, 16), ssnd(bytes(8))), UnsupportedError, "no channels")
    fault(path, form(common(9, 1, 16), ssnd(bytes(18))), UnsupportedError, "8 channels")
    fault(path, form(common(1, 1, 40), ssnd(bytes(5))), UnsupportedError, "40 bits")
    for rate in (0, 0.25, -8000, 1e12):
        fault(
            path,
            form(common(1, 1, 16, rate) if rate > 0 else be(b"COMM", struct.pack(">HIHHQ", 1, 1, 16, 0xC00B, 0)), ssnd(bytes(2))),
            UnsupportedError,
            "rate",
        )
    fault(path, form(common(1, 4, 16), ssnd(bytes(6))), FormatError, "truncated: 6 of 8 bytes")
    fault(path, form(common(1, 4, 16)), FormatError, "no sample data")
    fault(path, form(ssnd(bytes(6))), FormatError, "common chunk")
    good = form(common(2, 4, 16), ssnd(bytes(16)))
    for end in range(len(good)):
        fault(path, good[:end], FormatError)
    huge = Signal(np.broadcast_to(np.int8(0), (2**32, 1)), "audio", 8, 8000)
    write_refused(path.with_name("x.aiff"), Signal(np.zeros(4, np.int16)), "not array")
    with pytest.raises(UnsupportedError, match="4 GiB"):
        aiff._head(huge, 0, aifc=False)


# --- FLAC ------------------------------------------------------------------------------------------------------------


def block(kind: int, body: bytes, last: bool = False) -> bytes:
    return bytes([kind + 128 * last]) + len(body).to_bytes(3, "big") + body


def comments(vendor: bytes, *entries: bytes) -> bytes:
    texts = [struct.pack("<I", len(text)) + text for text in (vendor, *entries)]
    return texts[0] + struct.pack("<I", len(entries)) + b"".join(texts[1:])


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Metadata blocks and audio frames."""
    at, found = 4, []
    while True:
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        found.append((data[at] & 127, data[at + 4 : at + 4 + size]))
        last = data[at] >= 128
        at += 4 + size
        if last:
            return found, data[at:]


@cache
def encoded(channels: int = 2, bits: int = 16, rate: int = 44100, frames: int = 300) -> tuple[bytes, bytes]:
    """STREAMINFO and frames of noise, as libsndfile writes them."""
    out = io.BytesIO()
    x = noise((frames, channels), bits).astype(np.int64) * (1 if bits == 16 else 256)  # libsndfile takes full scale
    soundfile.write(
        out, x.astype(np.int16 if bits < 24 else np.int32), rate, format="FLAC", subtype={8: "PCM_S8", 16: "PCM_16", 24: "PCM_24"}[bits]
    )
    blocks, audio = split(out.getvalue())
    return blocks[0][1], audio


def flac_file(*blocks: tuple[int, bytes], info: bytes = b"", **sound: int) -> bytes:
    own, audio = encoded(**sound)
    every = [(0, info or own), *blocks]
    return b"fLaC" + b"".join(block(kind, body, i == len(every) - 1) for i, (kind, body) in enumerate(every)) + audio


def again(path: Path, data: bytes) -> tuple[Signal, list[tuple[int, bytes]]]:
    """The signal, which must be the same after writing, and the blocks written."""
    path.write_bytes(data)
    signal = files.read(path)
    path.unlink()
    files.write(path, signal)
    assert files.read(path).equals(signal)
    written = path.read_bytes()
    return signal, split(written[written.index(b"fLaC") :])[0][1:]


@pytest.mark.parametrize("bits", [8, 16, 24])
@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8])
@pytest.mark.parametrize("rate", [1, 44100, 65535, 655350])
def test_flac_comes_back(tmp_path: Path, bits: int, channels: int, rate: int) -> None:
    signal, blocks = again(tmp_path / "x.flac", flac_file(channels=channels, bits=bits, rate=rate))
    assert (signal.kind, signal.bit_depth, signal.sample_rate, dict(signal.metadata)) == ("audio", bits, rate, {})
    expected = noise((300, channels), bits)
    assert signal.samples.dtype == expected.dtype
    np.testing.assert_array_equal(signal.samples, expected)
    assert blocks == []


@pytest.mark.parametrize("frames", [1, 2, 15, 16, 17, 5000])
def test_short_flac(tmp_path: Path, frames: int) -> None:
    assert again(tmp_path / "x.flac", flac_file(frames=frames))[0].samples.shape == (frames, 2)


def test_flac_tags(tmp_path: Path) -> None:
    block = comments(b"encoder 1.0", b"TITLE=Na\xc3\xafve", b"artist=A=B", b"ARTIST=C", b"ARTIST=D", b"EMPTY=")
    signal, blocks = again(tmp_path / "x.flac", flac_file((4, block)))
    assert signal.metadata == {
        "flac/vendor": b"encoder 1.0",
        "tag/TITLE": "Naïve".encode(),
        "tag/artist": b"A=B",
        "tag/ARTIST": b"C",
        "tag/ARTIST#2": b"D",
        "tag/EMPTY": b"",
    }
    assert blocks == [(4, block)]


def test_flac_channel_mask(tmp_path: Path) -> None:
    block = comments(b"v", b"TITLE=x", b"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x003F")
    signal, blocks = again(tmp_path / "x.flac", flac_file((4, block), channels=6))
    assert signal.metadata == {"flac/vendor": b"v", "tag/TITLE": b"x", "channel_mask": b"63"}
    assert blocks == [(4, block)]


@pytest.mark.parametrize(
    "entries",
    [
        [b"no equals sign"],
        [b"FOO#2=x"],
        [b"=nameless"],
        [b"T\xc3\xaft=name"],
        [b"TITLE=Latin \xe9"],
        [b"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x3f", b"TITLE=after"],
        [b"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x0003", b"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x0004"],
        [b"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=front"],
    ],
)
def test_odd_comments_come_back(tmp_path: Path, entries: list[bytes]) -> None:
    for body in (comments(b"v", *entries, b"DATE=2001"), comments(b"v", *entries) + b"trailing", comments(b"v\xff", *entries)[:-2]):
        assert again(tmp_path / "x.flac", flac_file((4, body)))[1] == [(4, body)]


@many
@given(body=st.binary(max_size=60), kinds=st.lists(st.tuples(st.integers(1, 126), st.binary(max_size=9)), max_size=4))
def test_any_metadata_blocks_come_back(tmp_path: Path, body: bytes, kinds: list[tuple[int, bytes]]) -> None:
    kept = [(kind, value) for kind, value in kinds if kind not in (1, 3)]
    first = next((value for kind, value in [(4, body), *kept] if kind == 4))
    signal, blocks = again(tmp_path / "x.flac", flac_file((4, body), *kinds))
    assert blocks == [(4, first), *kept]
    assert "flac/vendor" in signal.metadata


def test_changed_tags_replace_odd_comments(tmp_path: Path) -> None:
    signal, _ = again(tmp_path / "x.flac", flac_file((4, comments(b"v", b"odd", b"TITLE=old"))))
    files.write(tmp_path / "x.flac", replace(signal, metadata={**signal.metadata, "tag/TITLE": b"new"}))
    assert split((tmp_path / "x.flac").read_bytes())[0][1:] == [(4, comments(b"v", b"TITLE=new"))]


def test_blocks_of_flac_only(tmp_path: Path) -> None:
    """Pictures, cue sheets and application data stay; seek table and padding go; an ID3v2 tag stays in front."""
    kept = [(6, b"a picture"), (5, b"cue sheet"), (2, b"riffabc"), (6, b"another")]
    id3 = b"ID3\4\0\0\0\0\1\2" + bytes(130)
    signal, blocks = again(tmp_path / "x.flac", id3 + flac_file((3, bytes(18)), *kept, (1, bytes(99))))
    assert blocks == kept
    assert signal.metadata["flac/id3"] == id3
    assert (tmp_path / "x.flac").read_bytes().startswith(id3 + b"fLaC")


def edited(position: int, width: int, value: int, **sound: int) -> bytes:
    """STREAMINFO with another number at that bit of its packed fields: rate 20, channels 3, depth 5, frames 36."""
    own = encoded(**sound)[0]
    packed = int.from_bytes(own[10:18], "big")
    low = 64 - position - width
    packed = packed & ~((1 << width) - 1 << low) | value << low
    return own[:10] + packed.to_bytes(8, "big") + own[18:]


@pytest.mark.parametrize("bits", [4, 12, 20, 32])
def test_flac_depths_refused(tmp_path: Path, bits: int) -> None:
    fault(tmp_path / "some.flac", flac_file(info=edited(23, 5, bits - 1)), FormatError, "depth or channels change")
    write_refused(tmp_path / "x.flac", sound(bits=bits), f"{bits} bits.*wav")


@pytest.mark.parametrize("rate", [65536, 96001, 655351, 768000, 2**32 - 1])
def test_flac_rates_refused(tmp_path: Path, rate: int) -> None:
    write_refused(tmp_path / "x.flac", sound(rate=rate), "Hz.*wav")
    if rate < 1 << 20:
        fault(tmp_path / "some.flac", flac_file(info=edited(0, 20, rate)), UnsupportedError, "Hz.*wav")


def test_flac_write_refused(tmp_path: Path) -> None:
    write_refused(tmp_path / "x.flac", Signal(np.zeros((4, 4), np.uint8), "image"), "not image")
    write_refused(tmp_path / "x.flac", sound(tag__COMMENT=bytes(1 << 24)), "16 MiB")


def test_flac_damaged(tmp_path: Path) -> None:
    path = tmp_path / "some.flac"
    good = flac_file((4, comments(b"v", b"TITLE=x")), frames=5000)
    for end in (*range(0, 100, 3), *range(100, len(good) - 1, 997), len(good) - 1):
        fault(path, good[:end], FormatError)
    own = encoded(frames=5000)[0]
    fault(path, flac_file(info=own[:-1] + bytes([own[-1] ^ 1]), frames=5000), FormatError, "MD5")
    fault(path, flac_file(info=edited(28, 36, 4999), frames=5000), FormatError, "more than the 4999 frames")
    fault(path, flac_file(info=edited(28, 36, 5001)[:18] + bytes(16), frames=5000), FormatError)
    fault(path, flac_file(info=edited(28, 36, 2**36 - 1)), FormatError, "bytes are too few for 68719476735 frames")
    fault(path, flac_file(info=edited(23, 5, 1)), FormatError, "2 bits")
    fault(path, flac_file(info=edited(0, 20, 0)), UnsupportedError, "rate")
    fault(path, b"OggS" + good, UnsupportedError, "Ogg")
    fault(path, b"ID3\4\0\0\0\0\0\2ab" + good[4:], FormatError, "not a FLAC")
    fault(path, b"fLaC" + block(4, comments(b"v"), last=True) + good, FormatError, "not in order")
    fault(path, flac_file((0, bytes(34))), FormatError, "not in order")
    fault(path, flac_file((127, b"")), FormatError, "not in order")
    middle = len(good) // 2
    fault(path, good[:middle] + bytes([good[middle] ^ 4]) + good[middle + 1 :], FormatError)


def test_flac_without_md5(tmp_path: Path) -> None:
    assert again(tmp_path / "x.flac", flac_file(info=encoded()[0][:18] + bytes(16)))[0].samples.shape == (300, 2)


def test_written_flac_has_true_streaminfo(tmp_path: Path) -> None:
    signal = sound((3000, 2), 24)
    files.write(tmp_path / "x.flac", signal)
    (kind, body), *_ = split((tmp_path / "x.flac").read_bytes())[0]
    assert kind == 0
    assert int.from_bytes(body[10:18], "big") & (1 << 36) - 1 == 3000
    raw = b"".join(int(v).to_bytes(3, "little", signed=True) for v in signal.samples.flat)
    assert body[18:] == hashlib.md5(raw, usedforsecurity=False).digest()


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("bits", [8, 16, 24])
def test_others_can_read_it(tmp_path: Path, extension: str, bits: int) -> None:
    signal = sound((500, 2), bits, 48000, tag__TITLE=b"A title", tag__ARTIST=b"Someone", channel_mask=b"3")
    files.write(tmp_path / f"x{extension}", signal)
    with soundfile.SoundFile(tmp_path / f"x{extension}") as f:
        assert f.samplerate == 48000
        assert (f.title, f.artist) == ("A title", "Someone")
        np.testing.assert_array_equal(f.read(dtype="int32") >> (32 - bits), signal.samples)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("bits", [8, 16, 24])
def test_one_dimension_and_wider_types_are_written(tmp_path: Path, extension: str, bits: int) -> None:
    path = tmp_path / f"x{extension}"
    x = noise((60,), bits)
    for dtype in (np.int64, ">i4"):
        files.write(path, Signal(x.astype(dtype), "audio", bits, 8000))
        found = files.read(path)
        assert found.samples.shape == (60, 1)
        assert (found.samples.dtype, found.bit_depth) == (x.dtype, bits)
        np.testing.assert_array_equal(found.samples[:, 0], x)


@pytest.mark.parametrize("via", EXTENSIONS)
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_tags_survive_a_change_of_format(tmp_path: Path, extension: str, via: str) -> None:
    tags = {"tag/TITLE": b"T", "tag/ARTIST": b"A", "tag/COPYRIGHT": b"C", "tag/COMMENT": b"1", "tag/COMMENT#2": b"2"}
    signal = replace(sound(), metadata=tags)
    for n, step in enumerate((extension, via, extension)):
        files.write(tmp_path / f"{n}{step}", signal)
        signal = files.read(tmp_path / f"{n}{step}")
        assert {key: value for key, value in signal.metadata.items() if key.startswith("tag/")} == tags


def test_wav_to_flac_and_back_keeps_tags_and_mask(tmp_path: Path) -> None:
    names = [b"INAM", b"IART", b"IPRD", b"ICRD", b"ICMT", b"IGNR", b"ICOP", b"ITRK", b"ISFT"]
    vorbis = ["TITLE", "ARTIST", "ALBUM", "DATE", "COMMENT", "GENRE", "COPYRIGHT", "TRACKNUMBER", "ENCODER"]
    data = riff(fmt_extensible(6, 2, 16, 63), noise((9, 6)).tobytes(), info(*((name, name.lower()) for name in names)))
    (tmp_path / "a.wav").write_bytes(data)
    files.write(tmp_path / "b.flac", files.read(tmp_path / "a.wav"))
    signal = files.read(tmp_path / "b.flac")
    expected = {f"tag/{tag}": name.lower() for tag, name in zip(vorbis, names, strict=True)}
    assert signal.metadata == {**expected, "channel_mask": b"63", "flac/vendor": b""}
    files.write(tmp_path / "c.wav", signal)
    assert (tmp_path / "c.wav").read_bytes() == data


@pytest.mark.parametrize("bits", [8, 16, 20, 24])
@pytest.mark.parametrize("size", [60_000, 70_000, 200_000, 3_000_000])
def test_long_tags_stand_behind_the_samples_of_wav(tmp_path: Path, bits: int, size: int) -> None:
    """libsndfile looks for the samples in the first 100 kB only."""
    path = tmp_path / "x.wav"
    signal = sound((11, 3), bits, tag__TITLE=b"T", tag__COMMENT=b"c" * size)
    files.write(path, signal)
    data = path.read_bytes()
    assert int.from_bytes(data[4:8], "little") + 8 == len(data)
    assert (data.find(b"LIST") > data.find(b"data")) == (size > 65536)
    with soundfile.SoundFile(path) as f:
        assert f.title == "T"
        np.testing.assert_array_equal(f.read(dtype="int32") >> (32 - bits), signal.samples)
    found = files.read(path)
    assert {key: value for key, value in found.metadata.items() if key != "channel_mask"} == signal.metadata
    np.testing.assert_array_equal(found.samples, signal.samples)
    files.write(tmp_path / "y.wav", found)
    assert (tmp_path / "y.wav").read_bytes() == data


@pytest.mark.parametrize("extension", [*EXTENSIONS, ".aifc", ".caf", ".au", ".w64"])
@pytest.mark.parametrize(
    "text",
    [
        b"caf\xe9",
        b"\xff\xfe\x80",
        b"\xed\xa0\x80",
        b"a\x01\x1b\x7fb",
        b"one\r\ntwo\nthree\rend\n",
        b"\ta  ",
        "é漢😀".encode(),
        b"a\0b",
        b"a\0",
    ],
)
def test_tags_of_any_bytes(tmp_path: Path, extension: str, text: bytes) -> None:
    """Latin-1 comes back as UTF-8, control characters as they are; what a format has no place for, or ends early, is named."""
    path = tmp_path / f"x{extension}"
    signal = sound(tag__TITLE=text, tag__COMMENT=text)
    files.write(path, signal)
    found = files.read(path)
    np.testing.assert_array_equal(found.samples, signal.samples)
    lost = files.lost(path, signal)
    assert lost == {key for key, value in signal.metadata.items() if found.metadata.get(key) != value}
    if utf8(text) != text:
        assert lost == signal.metadata.keys()
        if extension not in (".au", ".w64"):
            assert found.metadata["tag/TITLE"] == utf8(text)
    elif extension not in (".au", ".w64") and (b"\0" not in text or extension not in (".wav", ".caf")):
        assert not lost


def test_flac_tags_of_any_case_reach_wav(tmp_path: Path) -> None:
    files.write(tmp_path / "x.wav", sound(tag__artist=b"A", tag__REPLAYGAIN_TRACK_GAIN=b"-3 dB", flac__block=b"\6x"))
    assert files.read(tmp_path / "x.wav").metadata == {"tag/ARTIST": b"A"}


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.filterwarnings("error")
def test_not_a_sound(tmp_path: Path, extension: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"some{extension}"
    for data in (b"", b"\0", b"This is a text.\n" * 20, noise((500,), 8).tobytes(), b"RIFF", b"FORM", b"fLaC", b"ID3" + bytes(40)):
        fault(path, data, FormatError)
    assert capfd.readouterr() == ("", "")
    path.unlink()
    with pytest.raises(FileNotFoundError):
        files.read(path)
    with pytest.raises(FileNotFoundError):
        files.write(tmp_path / "none" / path.name, sound())


def whole(extension: str) -> bytes:
    if extension == ".wav":
        return riff(fmt_extensible(2, 3, 20, 3), noise((9, 6), 8).tobytes(), chunk(b"bext", b"abc"), info((b"INAM", b"Name")))
    if extension == ".flac":
        return flac_file((4, comments(b"v", b"TITLE=x")), (6, b"picture"))
    return form(common(2, 9, 24, coding=b"sowt"), be(b"NAME", b"Name"), ssnd(noise((9, 6), 8).tobytes(), 2), kind=b"AIFC")


@settings(many, max_examples=200)
@given(
    extension=st.sampled_from([".wav", ".aifc", ".flac"]),
    changes=st.lists(st.tuples(st.integers(0, 149), st.integers(0, 255) | st.sampled_from([0, 255])), min_size=1, max_size=4),
    extra=st.binary(max_size=3),
)
def test_any_damage_is_named_or_comes_back(tmp_path: Path, extension: str, changes: Iterable[tuple[int, int]], extra: bytes) -> None:
    path = tmp_path / f"x{extension}"
    data = bytearray(whole(extension) + extra)
    for at, byte in changes:
        data[at % len(data)] = byte
    path.write_bytes(data)
    try:
        files.read(path)
    except InrcodecError as e:
        fault(path, bytes(data), type(e))
        return
    if extension == ".flac":
        again(path, bytes(data))
    else:
        through(path, bytes(data))
