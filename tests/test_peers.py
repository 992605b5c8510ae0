"""Other codecs give back what they take, in every shape and type, and are set to make small files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest

from inrcodec import Signal
from inrcodec.compare.trial import same
from inrcodec.peers import PEERS, Peer, Unsuited, numbers, pictures, sounds
from inrcodec.peers.base import bits, restored, unsigned

G = np.random.default_rng(0)
BY_NAME = {peer.name: peer for peer in PEERS}


def drawn(shape: tuple[int, ...], top: int = 256) -> npt.NDArray[Any]:
    """A gradient with noise, from 0 to top − 1."""
    noise = G.integers(0, max(2, top // 8), shape)
    down = np.arange(shape[-3] if len(shape) > 2 else shape[0]) * top // 64
    found: npt.NDArray[Any] = np.minimum(noise + down.reshape(-1, *[1] * min(2, len(shape) - 1)), top - 1)
    return found


def opaque(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.concatenate((colours, np.full((*colours.shape[:2], 1), 255, np.uint8)), 2)


def audio(low: int, high: int, dtype: type, depth: int, channels: int = 2) -> Signal:
    return Signal(G.integers(low, high, (3000, channels)).astype(dtype), "audio", depth, 44100)


IMAGES = {
    "grey": Signal(drawn((30, 40)).astype(np.uint8), "image"),
    "one channel": Signal(drawn((30, 40, 1)).astype(np.uint8), "image"),
    "grey and alpha": Signal(drawn((30, 40, 2)).astype(np.uint8), "image"),
    "RGB": Signal(drawn((30, 40, 3)).astype(np.uint8), "image"),
    "RGBA": Signal(drawn((30, 40, 4)).astype(np.uint8), "image"),
    "opaque": Signal(opaque(drawn((30, 40, 3)).astype(np.uint8)), "image"),
    "opaque grey": Signal(opaque(drawn((30, 40, 1)).astype(np.uint8)), "image"),
    "few colours": Signal(G.integers(0, 3, (30, 40, 3)).astype(np.uint8) * 100, "image"),
    "few, some transparent": Signal(G.integers(0, 2, (30, 40, 4)).astype(np.uint8) * 255, "image"),
    "noise": Signal(G.integers(0, 256, (30, 40, 3)).astype(np.uint8), "image"),
    "bool": Signal(G.integers(0, 2, (30, 40)).astype(bool), "image"),
    "2 bits": Signal(drawn((30, 41), 4).astype(np.uint8), "image", 2),
    "RGB of 1 bit": Signal(G.integers(0, 2, (30, 40, 3)).astype(np.uint8), "image", 1),
    "5 bits": Signal(drawn((30, 40, 3), 32).astype(np.uint8), "image", 5),
    "10 bits": Signal(drawn((30, 40, 3), 1024).astype(np.uint16), "image", 10),
    "deep": Signal(drawn((30, 40, 3), 65536).astype(np.uint16), "image"),
    "signed": Signal(G.integers(-900, 900, (30, 40, 3)).astype(np.int16), "image"),
    "floats": Signal(G.random((30, 40, 3)).astype(np.float32), "image"),
    "five channels": Signal(drawn((30, 40, 5)).astype(np.uint8), "image"),
    "pages": Signal(drawn((3, 30, 40, 3)).astype(np.uint8), "stack"),
    "one pixel": Signal(np.array([[[7, 8, 9]]], np.uint8), "image"),
    "a line": Signal(drawn((200, 1, 3)).astype(np.uint8), "image"),
}
ARRAYS = {
    "volume": Signal(G.integers(-40, 900, (3, 9, 11)).astype(np.int16)),
    "doubles": Signal(np.arange(99.0)),
    "bools": Signal(G.integers(0, 2, (9, 9)).astype(bool)),
    "complex": Signal((G.random((9, 9)) * 1j).astype(np.complex64)),
    "halves": Signal(G.random((9, 9)).astype(np.float16)),
    "wide": Signal(G.integers(-(2**62), 2**62, (9, 9))),
    "large": Signal(np.full((9, 9), 2**64 - 1, np.uint64)),
    "big-endian": Signal(np.arange(99, dtype=">u2").reshape(9, 11)),
    "big-endian complex": Signal((G.random((9, 9)) * 1j).astype(">c16")),
    "NaN": Signal(np.array([[np.nan, -0.0], [0.0, np.inf]], np.float32)),
}
SOUNDS = {
    "8 bits": audio(-99, 99, np.int8, 8, 1),
    "12 bits": audio(-99, 99, np.int16, 12),
    "16 bits": audio(-99, 99, np.int16, 16),
    "six channels": audio(-99, 99, np.int16, 16, 6),
    "24 bits": audio(-9999, 9999, np.int32, 24),
    "32 bits": audio(-(2**31), 2**31, np.int32, 32),
    "float sound": Signal(G.random((3000, 2)).astype(np.float32), "audio", 0, 44100),
}
TAKEN = {  # how many of the codecs for its kind take a signal
    "grey": 6,
    "one channel": 6,
    "grey and alpha": 4,
    "opaque grey": 4,
    "10 bits": 5,
    "deep": 4,
    "signed": 5,
    "floats": 1,
    "five channels": 0,
    "volume": 5,
    "doubles": 2,
    "bools": 4,
    "complex": 2,
    "halves": 3,
    "wide": 2,
    "big-endian complex": 2,
    "NaN": 3,
    "float sound": 1,
}


def reason(peer: Peer, signal: Signal) -> str:
    """Why a codec does not take a signal; "" if it does."""
    try:
        peer.check(signal)
    except Unsuited as fault:
        return str(fault)
    return ""


def size_of(peer: Peer, signal: Signal, folder: Path) -> int:
    """Bytes of a signal by a codec. The signal is given back."""
    peer.check(signal)
    prepared = peer.prepare(signal, folder)
    coded = peer.encode(prepared, 1)
    assert same(peer.samples(peer.decode(coded, prepared, 1), signal), signal.samples), peer.name
    return peer.size(coded)


@pytest.mark.parametrize("name", [*IMAGES, *ARRAYS, *SOUNDS])
def test_signals_are_given_back(name: str, tmp_path: Path) -> None:
    signal = (IMAGES | ARRAYS | SOUNDS)[name]
    suited = [peer for peer in PEERS if signal.kind in peer.kinds and not peer.missing()]
    took = 0
    for peer in suited:
        if refusal := reason(peer, signal):
            assert refusal.startswith(("takes ", "does not take ")), peer.name
        else:
            assert size_of(peer, signal, tmp_path) > 0
            took += 1
    if all(not peer.missing() for peer in PEERS):
        assert took == TAKEN.get(name, {"audio": 2, "array": 5}.get(signal.kind, 6))


def test_names_and_versions() -> None:
    assert [*BY_NAME] == ["PNG", "WebP", "JPEG XL", "JPEG 2000", "JPEG-LS", "AVIF", "FLAC", "WavPack", "Blosc2", "pcodec"]
    for peer in PEERS:
        assert peer.missing() or any(c.isdigit() for c in peer.version())
    assert BY_NAME["JPEG XL"].told("image") == "effort 10"
    assert BY_NAME["JPEG XL"].told("array") == "effort 9, a picture for each slice"
    assert BY_NAME["JPEG XL"].settings == "effort 10"


def test_png_takes_a_palette_or_no_filters_where_that_is_smaller(tmp_path: Path) -> None:
    png = BY_NAME["PNG"]
    for name in ("few colours", "few, some transparent"):
        plain = len(imagecodecs.png_encode(IMAGES[name].samples, level=9))
        assert size_of(png, IMAGES[name], tmp_path) < 0.8 * plain
    many = np.arange(257, dtype=np.uint32).reshape(1, 257, 1)
    shades = np.concatenate((many & 255, many >> 8, many * 0), 2).astype(np.uint8)
    assert size_of(png, Signal(shades, "image"), tmp_path) > 0
    late = np.zeros((300, 300, 3), np.uint8)  # its many colours come where they are not looked for first
    late[290:, :, 0], late[290:, :, 1] = np.arange(300) % 256, np.arange(300) // 2
    assert size_of(png, Signal(late, "image"), tmp_path) > 0
    assert size_of(png, IMAGES["2 bits"], tmp_path) < len(imagecodecs.png_encode(IMAGES["2 bits"].samples * 85, level=9))


@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", "i4", "i8", "u8"])
def test_integers_become_unsigned_and_come_back(dtype: str) -> None:
    about = np.iinfo(dtype)
    for least in (about.min, about.max - 200):
        array = np.array([[0, 55], [200, 1]]).astype(object) + int(least)
        array = array.astype(dtype)
        assert bits(array) == 8
        assert unsigned(array).dtype == np.uint8
        assert same(restored(unsigned(array), array), array)


def test_flac_has_no_room_for_tags(tmp_path: Path) -> None:
    silence = Signal(np.zeros((3000, 1), np.int16), "audio", 16, 44100)
    assert size_of(BY_NAME["FLAC"], silence, tmp_path) < 400


def test_flac_without_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    flac = sounds.Flac()
    assert not flac.missing()
    assert flac.settings == "libsndfile in place of the command flac, level 8"
    assert "flac is not on PATH" in flac.lesser()
    assert "libsndfile encodes instead" in flac.lesser()
    for name in ("8 bits", "16 bits", "six channels", "24 bits"):
        assert size_of(flac, SOUNDS[name], tmp_path) > 0
    with pytest.raises(Unsuited, match="takes no sounds of 32 bits"):
        flac.check(SOUNDS["32 bits"])
    assert "wavpack is not on PATH" in BY_NAME["WavPack"].missing()


def test_a_program_that_does_not_tell_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    for fault in (subprocess.TimeoutExpired("wavpack", 10), PermissionError()):
        asked = Mock(side_effect=fault)
        monkeypatch.setattr(subprocess, "run", asked)
        assert BY_NAME["WavPack"].version() == "wavpack"
        assert asked.call_args.kwargs["timeout"] > 0


def test_the_effort_of_jpeg_xl_is_that_of_what_is_coded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "encode_jpegxl", lambda page, depth, threads, effort: bytes([effort]))
    jxl = BY_NAME["JPEG XL"]
    picture, array = jxl.prepare(IMAGES["grey"], tmp_path), jxl.prepare(ARRAYS["volume"], tmp_path)
    assert jxl.encode(picture, 1) == [bytes([10])]
    assert jxl.encode(array, 1) == [bytes([9])] * 3


@pytest.mark.skipif(shutil.which("flac") is None or not Path("/proc/self/status").exists(), reason="needs Linux and the command flac")
def test_memory_of_a_command_is_told_if_it_was_seen_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "LOOKS", 10**9)
    assert sounds.run(["flac", "--version"], tmp_path / "none").peak is None
    monkeypatch.setattr(sounds, "LOOKS", 1)
    assert (sounds.run(["sleep", "0.05"], tmp_path / "none").peak or 0) > 0


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "find_spec", lambda name: None)
    assert "pip install pcodec" in BY_NAME["pcodec"].missing()
    monkeypatch.setattr(pictures, "is_available", lambda name: False)
    assert "AVIF" in BY_NAME["AVIF"].missing()


@pytest.mark.skipif(shutil.which("flac") is None, reason="needs the command flac")
def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "no.wav").write_bytes(b"RIFFnothing")
    with pytest.raises(Unsuited, match=r"^fails: .*ERROR") as raised:
        sounds.run(["flac", "-s", str(tmp_path / "no.wav"), "-o", str(tmp_path / "no.flac")], tmp_path / "no.flac")
    assert str(tmp_path) not in str(raised.value)
