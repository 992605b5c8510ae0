"""FLAC that libsndfile does not read: other depths than 8, 16 and 24 bits, and streams that do not tell their length."""

from __future__ import annotations

import base64
import hashlib
import shutil
import struct
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inrcodec import files
from inrcodec.errors import FormatError, InrcodecError, LimitError, UnsupportedError
from inrcodec.files.pcm import container, signed_type
from inrcodec.limits import Limits
from inrcodec.signal import Signal

FRAMES_AT = 42  # the first audio frame, after the marker and STREAMINFO
# what libFLAC 1.4.2 made of `samples`: `flac -8 --lax` of 5, 12 (-l 12) and 20 bits, -5 of 32; only STREAMINFO before the audio frames
WRITTEN_BY_LIBFLAC = {
    5: (
        "W=vs2fB*m@5C9MW00000000WaLO=ij0H6Q>0000000000000000095^X`ld~&;a@*bJ~Mv`T&+xvWk{mMw4GPubT1zKt+`-qNSG+q}R=B=DdIq5oJp#sb$"
        "1zHS=2euOI{jSyIX>S#cUoeAd2ez+Z0"
    ),
    12: (
        "W=vs2fB*m@5C9MW00000000WaLa+b;0H6Q>0000000000000000095^X`}$3djS9OXaUTI!lIfMY+F7AnM{+y9N4xkf;gEB$;O4TY^V+<V3}|t1)CPnfhJ"
        "QV@P{@ni(rl>Lo#upY+EV=iI^r_2!UqBv*1aT$vh#=i(=R#iIB{kXj>M_fZ}EemjWPJv26GfWin3)b7I)G2;yWjCmI&TupKA"
    ),
    20: (
        "W=vs2fB*m@5C9MW00000000WaLofgU0H6Q>0000000000000000095^X{rF9R{;P2@n`@6%zEa+kE)31ByxBfA%p?(Ba^_?LkLcxBa`_+0Kqda1kAgD0dN"
        "2iNaXM|LkI)nM<;=(h7g@XM<?=t0fJ^;37K~Q0^k53k;&j_h7bqDj!y$o3?Vv%j!)$P0|d;x6Ef}q1;7A7Ba^_<3?L7Q9G(WE7(#Uk9G`$Xbp"
    ),
    32: (
        "W=vs2fB*m@5C9MW00000000WaL+}6q0H6Q>0000000000000000095^X|4dD{1n`J;Yai+^}<(>0004i000n~nVFahSTc|~LYZg}AWMa5mmmND0w!i=X#f"
        "BK7ytkP37MIhfTe>e1C%M2fbs;mR+(}D001IpW@eB800Dpi01%m(nV1S#GLSh!nP?9nOND8dAOHXYCT3=70000O0003AnVFe@rGqI0lqr^g@&ve6nF~?Ek"
        "6h_9Gc$CVnVGdY00000EX>Tn1(}(b-~a#v000080003%000z3UAkJ%5p^R7&{HoE#od4a00>OX%)lmQW?z5+002zP%)lmQW?z5+00sa600;m80H6Q>1rZl"
        "+ma~LiNWwG}%fvBvU;qFD6Eia~37MIf-~a#s6Eia~37MIf-~a#tfB*mj0000e0003*McbvU;TKXcjRi9C3|-g&004x{%*+C2W@Y#Q000Ec%*+C2W@Y#Q00"
        "3YB004jh015yA08tTk>1#Me)QlrROuR!E0L)e"
    ),
}


def samples(bits: int) -> npt.NDArray[Any]:
    """Two channels of 160 samples with all sorts of values, the lowest among them; the second is nearly the first, negated."""
    i = np.arange(160, dtype=np.int64)
    top = (1 << bits - 1) - 1
    x = np.clip((top * ((i % 40) * (40 - i % 40) - 200)) // 200, -top - 1, top)
    return np.stack((x, np.roll(-x - 1, 3) if bits == 32 else -x - 1), axis=1)


def stream(bits: int) -> bytes:
    return base64.b85decode(WRITTEN_BY_LIBFLAC[bits])


def piped(data: bytes) -> bytes:
    """The stream as it is written to a pipe: without the number of frames and the MD5 sum."""
    return data[:21] + bytes([data[21] & 0xF0]) + bytes(20) + data[FRAMES_AT:]


def frame_checked(frame: bytes) -> bytes:
    """An audio frame with its last two bytes made right."""
    crc = 0
    for byte in frame[:-2]:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x8005 if crc & 0x8000 else 0)) & 0xFFFF
    return frame[:-2] + crc.to_bytes(2, "big")


def fault(path: Path, data: bytes, match: str, kind: type[InrcodecError] = FormatError) -> None:
    path.write_bytes(data)
    with pytest.raises(kind, match=match) as e:
        files.read(path)
    assert str(e.value).startswith(f"{path}: ")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("bits", WRITTEN_BY_LIBFLAC)
@pytest.mark.parametrize("known", [True, False])
def test_any_depth(tmp_path: Path, bits: int, known: bool) -> None:
    path = tmp_path / "x.flac"
    path.write_bytes(stream(bits) if known else piped(stream(bits)))
    found = files.read(path)
    assert (found.kind, found.bit_depth, found.sample_rate) == ("audio", bits, 44100)
    assert found.samples.dtype == signed_type(bits)
    np.testing.assert_array_equal(found.samples, samples(bits))


@pytest.mark.parametrize("bits", WRITTEN_BY_LIBFLAC)
def test_such_depths_are_written_as_wav_only(tmp_path: Path, bits: int) -> None:
    signal = Signal(samples(bits).astype(signed_type(bits)), "audio", bits, 44100)
    with pytest.raises(UnsupportedError, match=rf"{bits} bits cannot be written, only of 8, 16 and 24; \.wav can"):
        files.write(tmp_path / "x.flac", signal)
    files.write(tmp_path / "x.wav", signal)
    found = files.read(tmp_path / "x.wav")
    assert (found.bit_depth, found.samples.dtype) == (bits, signal.samples.dtype)
    np.testing.assert_array_equal(found.samples, signal.samples)


@pytest.mark.parametrize("bits", [8, 16, 24])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_a_stream_without_its_length(tmp_path: Path, bits: int, channels: int) -> None:
    """Also of several audio frames, and with a tag of ID3v1 behind it."""
    path = tmp_path / "x.flac"
    x = np.random.default_rng(bits).integers(-(1 << bits - 1), 1 << bits - 1, (10000, channels)).astype(signed_type(bits))
    files.write(path, Signal(x, "audio", bits, 44100))
    data = path.read_bytes()
    for end in (b"", b"TAG" + bytes(125)):
        path.write_bytes(piped(data) + end)
        np.testing.assert_array_equal(files.read(path).samples, x)
    fault(path, piped(data) + b"junk", "audio frame at byte")
    fault(path, piped(data)[:-1], "truncated: the sound ends within an audio frame")
    fault(path, piped(data)[:FRAMES_AT], "truncated: 0 of an unknown number of frames")


def test_a_missing_frame_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    files.write(path, Signal(np.zeros((3 * 4096, 1), np.int16), "audio", 16, 44100))
    data = path.read_bytes()
    size = (len(data) - FRAMES_AT) // 3  # of an audio frame: all are the same but for their numbers
    second = FRAMES_AT + size
    fault(path, piped(data[:second] + data[second + size :]), f"the audio frame before byte {size} of the sound is missing")
    path.write_bytes(piped(data[:FRAMES_AT] + data[second:]))  # a recording of a broadcast begins anywhere
    assert files.read(path).samples.shape == (2 * 4096, 1)


@pytest.mark.parametrize("order", [(0, 2, 1), (0, 0, 2), (0, 2, 2), (1, 1, 2)])
def test_frames_in_another_order_without_a_sum(tmp_path: Path, order: tuple[int, ...]) -> None:
    """libFLAC puts silence where a frame is missing; only the MD5 sum would tell."""
    path = tmp_path / "x.flac"
    files.write(path, Signal(np.repeat(np.array([[1], [2], [3]], np.int16), 4096, 0), "audio", 16, 44100))
    data = path.read_bytes()
    size = (len(data) - FRAMES_AT) // 3
    head = data[:26] + bytes(16)
    path.write_bytes(head + data[FRAMES_AT:])
    assert files.read(path).samples[::4096, 0].tolist() == [1, 2, 3]
    fault(path, head + b"".join(data[FRAMES_AT + i * size :][:size] for i in order), "missing")


@pytest.mark.parametrize("first", [1, 4095, 4096, 4097, 8192])
def test_more_frames_than_the_header_says(tmp_path: Path, first: int) -> None:
    """They were dropped without a word."""
    path = tmp_path / "x.flac"
    files.write(path, Signal(np.zeros((3 * 4096, 1), np.int16), "audio", 16, 44100))
    data = path.read_bytes()

    def counted(frames: int) -> bytes:
        return data[:21] + bytes([data[21] & 0xF0]) + frames.to_bytes(4, "big") + bytes(16) + data[FRAMES_AT:]

    fault(path, counted(first), f"more than the {first} frames")
    summed = data[:26] + hashlib.md5(bytes(2 * first)).digest() + data[FRAMES_AT:]
    fault(path, counted(first)[:26] + summed[26:], f"more than the {first} frames")  # the sum is that of the frames that are counted
    for end in (b"", b"TAG" + bytes(125), bytes(1000), b"\xff\xfb"):  # what is no audio frame may follow
        path.write_bytes(counted(3 * 4096) + end)
        assert files.read(path).samples.shape == (3 * 4096, 1)


def test_limits_hold_for_a_stream_without_its_length(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    files.write(path, Signal(np.zeros((100_000, 2), np.int16), "audio", 16, 44100))
    path.write_bytes(piped(path.read_bytes()))
    assert files.read(path, Limits(200_000)).samples.size == 200_000
    with pytest.raises(LimitError, match=r"the limit is 199999"):
        files.read(path, Limits(199_999))


def test_frames_that_libflac_would_not_write(tmp_path: Path) -> None:
    """The fields of the header of a frame, and of its first subframe."""
    path = tmp_path / "x.flac"
    good = stream(20)
    frame = good[FRAMES_AT:]

    def changed(at: int, value: int) -> bytes:
        return piped(good)[:FRAMES_AT] + frame_checked(frame[:at] + bytes([value]) + frame[at + 1 :])

    path.write_bytes(changed(0, frame[0]))
    files.read(path)
    for at, value in ((0, 0xFE), (1, 0xFF), (2, 0x0F), (3, 0xB0), (3, frame[3] | 6), (3, frame[3] | 1), (4, 0x80), (6, 0x00)):
        fault(path, changed(at, value), "damaged")
    for value in (0x80, 0x04, 0x20, 0x30, 0x01):  # no kind of subframe, or all its bits are wasted
        fault(path, changed(subframe_at(frame), value), "damaged|truncated")


def subframe_at(frame: bytes) -> int:
    """Where the first subframe begins: after 4 bytes, the number, the size and the rate if they follow, and a checksum."""
    return 4 + 1 + {6: 1, 7: 2}.get(frame[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(frame[2] & 15, 0) + 1


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bits=st.sampled_from([5, 12, 20, 32]), changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_damage_is_read_or_a_fault(tmp_path: Path, bits: int, changes: list[tuple[int, int]]) -> None:
    """Even where the checksum of the frame is right."""
    path = tmp_path / "x.flac"
    good = stream(bits)
    frame = bytearray(good[FRAMES_AT:])
    for at, value in changes:
        frame[at % (len(frame) - 2)] = value
    path.write_bytes(piped(good)[:FRAMES_AT] + frame_checked(bytes(frame)))
    with suppress(FormatError):
        assert files.read(path).bit_depth == bits


@pytest.mark.skipif(shutil.which("flac") is None, reason="the program flac is not installed")
@pytest.mark.parametrize("bits", range(4, 33))
def test_libflac_agrees(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "x.wav"
    rng = np.random.default_rng(bits)
    low, high = -(1 << bits - 1), 1 << bits - 1
    size = container(bits)
    tone = np.round((high - 1) * 0.9 * np.sin(np.arange(4801)[:, None] * [0.01, 0.0101])).astype(np.int64)
    noise = rng.integers(low, high, tone.shape)
    noise[0], noise[-1] = low, high - 1
    noise[:3000, 1] = -1 - noise[:3000, 0]
    for x in (tone, noise, np.full_like(tone, 3), noise >> 3 << 2):
        files.write(path, Signal(x.astype(signed_type(bits)), "audio", bits, 44100))
        for options in (["-0"], ["-8", "-l", "32", "-r", "8"]):
            command = ["flac", "--totally-silent", "--lax", "-f", *options, "-o", str(tmp_path / "x.flac"), str(path)]
            subprocess.run(command, check=True)
            data = (tmp_path / "x.flac").read_bytes()
            raw = (x << 8 * size - bits >> 8 * size - bits).astype("<i8").view(np.uint8).reshape(-1, 8)[:, :size].tobytes()
            assert data[26:FRAMES_AT] == hashlib.md5(raw).digest()  # flac took the samples for what they are
            info = struct.unpack(">Q", data[18:26])[0]
            assert (info >> 36 & 31) + 1 == bits
            found = files.read(tmp_path / "x.flac")
            np.testing.assert_array_equal(found.samples, x)
