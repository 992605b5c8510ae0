"""inrcodec.sound beside soundfile: the same calls on the same sound give the same arrays."""

from __future__ import annotations

import inspect
import io
import itertools
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

import inrcodec
from inrcodec import FormatError, InrcodecError, LimitError, LossyError, UnsupportedError, container, files, header, sound

Samples = npt.NDArray[Any]

RATE, FRAMES = 16000, 700
SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
DTYPES: tuple[Literal["float64", "float32", "int32", "int16"], ...] = ("float64", "float32", "int32", "int16")
BEYOND = [np.inf, -np.inf, 1e10, -1e10, 40000.0, -40000.0, 2.5, 3.5, -0.0, 0.49999]  # floats that integers round or clip


def tone(channels: int = 1, frames: int = FRAMES, seed: int = 0) -> Samples:
    """Waves and noise, (frames, channels), that reach beyond −1 and 1."""
    t = np.arange(frames)[:, None] * np.arange(1, channels + 1) / 40
    return 0.9 * np.sin(t) + 0.1 * np.random.default_rng(seed).normal(size=(frames, channels))


def pair(folder: Path, subtype: str, channels: int, floats: list[float] | None = None) -> tuple[Path, Path]:
    """One sound as .wav, by soundfile, and as .linr."""
    x = tone(channels)
    x[: len(floats or ()), 0] = floats or ()
    wav, linr = folder / f"{subtype}-{channels}.wav", folder / f"{subtype}-{channels}.linr"
    soundfile.write(wav, x, RATE, subtype)
    linr.write_bytes(inrcodec.encode(files.read(wav), profile="stored"))
    return wav, linr


def by_tiles(path: Path, samples: Samples, tile: int, **more: Any) -> Path:
    """A .linr file of tiles of so many frames."""
    with inrcodec.open(
        path,
        "w",
        shape=samples.shape,
        dtype=samples.dtype,
        kind="audio",
        sample_rate=RATE,
        chunks=(tile,) + (None,) * (samples.ndim - 1),
        **more,
    ) as file:
        file.write(samples)
    return path


def same(found: Samples, expected: Samples) -> bool:
    """Whether type, shape and every bit are the same."""
    return found.dtype == expected.dtype and found.shape == expected.shape and found.tobytes() == expected.tobytes()


# --- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("subtype", SUBTYPES)
def test_every_subtype_reads_as_soundfile_reads_it(tmp_path: Path, subtype: str, channels: int) -> None:
    wav, linr = pair(tmp_path, subtype, channels, BEYOND if subtype in ("FLOAT", "DOUBLE") else None)
    for dtype, always_2d in itertools.product(DTYPES, (False, True)):
        with np.errstate(over="ignore"):
            expected, rate = soundfile.read(wav, dtype=dtype, always_2d=always_2d)
        found = sound.read(linr, dtype=dtype, always_2d=always_2d)
        assert same(found[0], expected), dtype
        assert found[1] == rate


def test_flac_reads_as_soundfile_reads_it(tmp_path: Path) -> None:
    for subtype in ("PCM_S8", "PCM_16", "PCM_24"):
        soundfile.write(tmp_path / "a.flac", tone(2), RATE, subtype)
        (tmp_path / "a.linr").write_bytes(inrcodec.encode(files.read(tmp_path / "a.flac"), effort=1))
        for dtype in DTYPES:
            assert same(sound.read(tmp_path / "a.linr", dtype=dtype)[0], soundfile.read(tmp_path / "a.flac", dtype=dtype)[0])
        assert sound.info(tmp_path / "a.linr").subtype == subtype == soundfile.info(str(tmp_path / "a.flac")).subtype


PARTS: tuple[dict[str, Any], ...] = (
    {"frames": 10},
    {"frames": 0},
    {"start": 100},
    {"start": -30},
    {"start": -3000, "stop": 5},
    {"start": 600, "frames": 500},
    {"start": 600, "frames": 500, "fill_value": 0.25},
    {"start": 690, "stop": 5000},
    {"start": 690, "stop": 5000, "fill_value": 1},
    {"start": 5000, "frames": 4, "fill_value": -1},
    {"start": 5000},
    {"start": 20, "stop": -20},
    {"start": 50, "stop": 20},
    {"stop": 0},
)


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_parts_are_those_of_soundfile(tmp_path: Path, part: dict[str, Any]) -> None:
    for channels in (1, 3):
        wav, linr = pair(tmp_path, "PCM_16", channels)
        for dtype in ("float32", "int16"):
            given = part | ({"fill_value": int(part["fill_value"])} if "fill_value" in part and dtype == "int16" else {})
            assert same(sound.read(linr, dtype=dtype, **given)[0], soundfile.read(wav, dtype=dtype, **given)[0])


@pytest.mark.parametrize("part", PARTS, ids=str)
@pytest.mark.parametrize("length", [1, 64, 2000])
def test_arrays_are_filled_as_soundfile_fills_them(tmp_path: Path, part: dict[str, Any], length: int) -> None:
    wav, linr = pair(tmp_path, "PCM_24", 2)
    a, b = (np.full((length, 2), 7, np.int32) for _ in range(2))
    given = part | ({"fill_value": 9} if "fill_value" in part else {})
    found, expected = sound.read(linr, out=a, **given)[0], soundfile.read(wav, out=b, **given)[0]
    assert same(found, expected)
    assert same(a, b)
    assert found.base is a or found is a


def test_samples_come_as_they_are_stored(tmp_path: Path) -> None:
    whole = np.random.default_rng(0).integers(-(2**11), 2**11, (50, 2)).astype(np.int16)
    (tmp_path / "a.linr").write_bytes(inrcodec.encode(whole, kind="audio", bit_depth=12, sample_rate=RATE, profile="stored"))
    assert same(sound.read(tmp_path / "a.linr", dtype=None)[0], whole)
    assert same(sound.read(tmp_path / "a.linr", dtype=None, out=np.zeros((50, 2), np.int16))[0], whole)
    assert same(next(iter(sound.blocks(tmp_path / "a.linr", 20, dtype=None))), whole[:20])
    assert same(sound.read(tmp_path / "a.linr", dtype="int16")[0], whole << 4)
    assert same(sound.read(tmp_path / "a.linr")[0], whole / 2**11)
    assert sound.info(tmp_path / "a.linr").subtype == "PCM_12"
    with pytest.raises(ValueError, match="dtype is int8"):
        sound.read(tmp_path / "a.linr", dtype=None, out=np.zeros((50, 2), np.int8))


def test_floats_of_64_bits_are_rounded_from_all_their_bits(tmp_path: Path) -> None:
    """libsndfile cuts them to 32 bits first."""
    x = np.array([2**30 + 1, 0.49999999999, 2.5, -(2**31) + 3], np.float64)
    sound.write(tmp_path / "a.linr", x, RATE, profile="stored")
    assert sound.read(tmp_path / "a.linr", dtype="int32")[0].tolist() == [2**30 + 1, 0, 2, -(2**31) + 3]


def test_nan_is_0_among_integers(tmp_path: Path) -> None:
    sound.write(tmp_path / "a.linr", np.array([np.nan, 5], np.float32), RATE, profile="stored")
    for dtype in ("int16", "int32"):
        assert sound.read(tmp_path / "a.linr", dtype=dtype)[0].tolist() == [0, 5]
    assert np.isnan(sound.read(tmp_path / "a.linr")[0][0])


@pytest.mark.parametrize("dtype", ["int8", "uint16", "complex64", "float16"])
def test_other_types_are_refused(tmp_path: Path, dtype: str) -> None:
    _, linr = pair(tmp_path, "PCM_16", 1)
    with pytest.raises(ValueError, match=f"dtype is {dtype}; it can be float64, float32, int32, int16"):
        sound.read(linr, dtype=dtype)
    with pytest.raises(ValueError, match=f"dtype is {dtype}"):
        sound.read(linr, out=np.zeros(5, dtype))


def test_wrong_arguments_are_told(tmp_path: Path) -> None:
    _, linr = pair(tmp_path, "PCM_16", 2)
    with pytest.raises(TypeError, match="only one of frames and stop"):
        sound.read(linr, 5, stop=9)
    with pytest.raises(ValueError, match=r"out has shape \(5,\), and the sound has 2 channels"):
        sound.read(linr, out=np.zeros(5))
    with pytest.raises(ValueError, match=r"out has shape \(5, 3\)"):
        sound.read(linr, out=np.zeros((5, 3)))
    unknown = "samplerate: there is no such argument for .linr files; there are threads, max_samples, max_memory"
    uses: tuple[Any, ...] = (sound.read, sound.info, sound.SoundFile, lambda path, **more: list(sound.blocks(path, 9, **more)))
    for use in uses:
        with pytest.raises(TypeError, match=unknown):
            use(linr, samplerate=8000)
    with pytest.raises(TypeError, match=r"neither a name nor an open file; bytes are read by io\.BytesIO"):
        sound.read(linr.read_bytes())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="of type int"):
        sound.info(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="threads is -1"):
        sound.info(linr, threads=-1)
    for more in ((), (RATE, 2)):
        with pytest.raises(ValueError, match=r"mode is 'w'; .*SoundFile reads only; .*write writes a sound, and inrcodec\.open"):
            sound.SoundFile(linr, "w", *more)
    with pytest.raises(TypeError, match="2 more arguments than file and mode"):
        sound.SoundFile(linr, "r", RATE, 2)
    with pytest.raises(FileNotFoundError):
        sound.read("")


def test_parameters_have_soundfiles_order() -> None:
    """Of `blocks` only the first seven; the others are by name."""
    assert (sound.SEEK_SET, sound.SEEK_CUR, sound.SEEK_END) == (soundfile.SEEK_SET, soundfile.SEEK_CUR, soundfile.SEEK_END)
    for name in ("read", "blocks"):
        ours = [p.name for p in inspect.signature(getattr(sound, name)).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert ours == list(inspect.signature(getattr(soundfile, name)).parameters)[: len(ours)]
        assert len(ours) >= 6
    assert list(inspect.signature(sound.write).parameters)[:4] == list(inspect.signature(soundfile.write).parameters)[:4]


# --- only the tiles needed --------------------------------------------------------------------------------------------


def test_only_the_tiles_of_a_part_are_decoded(tmp_path: Path) -> None:
    x = tone(2, 1000)
    path = by_tiles(tmp_path / "a.linr", x, 100, effort=1)
    with sound.SoundFile(path) as file:
        assert file.decoded == 0
        assert file.seek(250) == 250
        assert same(file.read(100), x[250:350])
        assert (file.decoded, file.tell()) == (2, 350)
        file.read(50)
        assert file.decoded == 2  # kept from before
    with sound.SoundFile(path, threads=1) as file:
        file.seek(-1, io.SEEK_END)
        file.read()
        assert file.decoded == 1


@pytest.mark.parametrize("cache", [0, 1 << 26])
def test_blocks_decode_each_tile_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: int) -> None:
    """Also where a tile is larger than what is kept of tiles."""
    monkeypatch.setattr(sound, "CACHE", cache)
    opened: list[sound.SoundFile] = []
    start = sound.SoundFile.__init__

    def noted(self: sound.SoundFile, *arguments: Any, **more: Any) -> None:
        start(self, *arguments, **more)
        opened.append(self)

    monkeypatch.setattr(sound.SoundFile, "__init__", noted)
    x = tone(1, 1000)[:, 0]
    path = by_tiles(tmp_path / "a.linr", x, 100, profile="stored")
    found = list(sound.blocks(path, 30, overlap=7, start=150, stop=720))
    assert same(np.concatenate([found[0], *(block[7:] for block in found[1:])]), x[150:720])
    assert opened[0].decoded == 7  # tiles 1 to 7
    assert opened[0].closed


BLOCKS: tuple[dict[str, Any], ...] = (
    {"blocksize": 100},
    {"blocksize": 99},
    {"blocksize": 64, "overlap": 16},
    {"blocksize": 64, "overlap": 63, "frames": 200},
    {"blocksize": 1000},
    {"blocksize": 1000, "overlap": 10},
    {"blocksize": 1000, "fill_value": 0.5},
    {"blocksize": 150, "overlap": 20, "fill_value": 0, "start": 33},
    {"blocksize": 50, "frames": 120, "start": -200},
    {"blocksize": 50, "start": 10, "stop": -10, "overlap": 5},
    {"blocksize": 50, "start": 690, "frames": 100},
    {"blocksize": 50, "start": 690, "frames": 120, "fill_value": 1},
    {"blocksize": 50, "start": 700},
)


@pytest.mark.parametrize("given", BLOCKS, ids=str)
@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_are_those_of_soundfile(tmp_path: Path, given: dict[str, Any], channels: int) -> None:
    wav, linr = pair(tmp_path, "PCM_16", channels)
    for more in ({}, {"dtype": "int32", "always_2d": True} if "fill_value" not in given else {"dtype": "float32"}):
        found, expected = list(sound.blocks(linr, **given, **more)), list(soundfile.blocks(wav, **given, **more))
        assert len(found) == len(expected)
        assert all(map(same, found, expected))
        assert len({id(block) for block in found}) == len(found)


def test_blocks_fill_one_array(tmp_path: Path) -> None:
    wav, linr = pair(tmp_path, "PCM_16", 2)
    a, b = (np.zeros((90, 2), np.float32) for _ in range(2))
    for found, expected in zip(sound.blocks(linr, out=a, overlap=9), soundfile.blocks(wav, out=b, overlap=9), strict=True):
        assert same(found, expected)
        assert found.base is a


@pytest.mark.parametrize(("blocksize", "overlap"), [(0, 0), (-1, 0), (5, 5), (5, 6), (5, -1)])
def test_blocks_that_cannot_be_are_told(tmp_path: Path, blocksize: int, overlap: int) -> None:
    _, linr = pair(tmp_path, "PCM_16", 1)
    with pytest.raises(ValueError, match=f"blocks of {blocksize} frames that overlap by {overlap}"):
        next(iter(sound.blocks(linr, blocksize, overlap)))
    wrong: tuple[dict[str, Any], ...] = ({}, {"blocksize": 5, "out": np.zeros(5)})
    for given in wrong:
        with pytest.raises(TypeError, match="one of blocksize and out"):
            next(iter(sound.blocks(linr, **given)))


# --- SoundFile, info --------------------------------------------------------------------------------------------------


def test_sound_file_goes_on_where_it_stands(tmp_path: Path) -> None:
    wav, linr = pair(tmp_path, "PCM_16", 2)
    with sound.SoundFile(linr) as ours, soundfile.SoundFile(wav) as theirs:
        for name in ("samplerate", "channels", "frames", "subtype", "subtype_info", "mode", "sections", "endian", "title", "genre"):
            assert getattr(ours, name) == getattr(theirs, name), name
        assert len(ours) == len(theirs) == FRAMES
        assert ours
        assert not hasattr(ours, "bitrate_mode")
        assert repr(ours).startswith(f"SoundFile({str(linr)!r}, mode='r', samplerate={RATE}, channels=2, format='LINR'")
        assert ours.seekable()
        for frames, whence in ((5, io.SEEK_SET), (20, io.SEEK_CUR), (-3, io.SEEK_CUR), (-100, io.SEEK_END)):
            assert ours.seek(frames, whence) == theirs.seek(frames, whence)
            assert same(ours.read(7, dtype="int16"), theirs.read(7, dtype="int16"))
            assert ours.tell() == theirs.tell()
        assert all(map(same, ours.blocks(40, frames=70), theirs.blocks(40, frames=70)))
        assert same(ours.read(), theirs.read())
        assert same(ours.read(), theirs.read())  # nothing is left
        for frames, whence in ((-1, io.SEEK_SET), (1, io.SEEK_END)):
            with pytest.raises(ValueError, match="there is no frame"):
                ours.seek(frames, whence)
        with pytest.raises(ValueError, match="whence is 3"):
            ours.seek(0, 3)
    assert ours.closed
    ours.close()
    for use in (ours.read, ours.tell, lambda: ours.seek(0)):
        with pytest.raises(ValueError, match=r"\.linr: the file is closed"):
            use()


def test_info_tells_what_soundfile_tells(tmp_path: Path) -> None:
    for subtype in ("PCM_16", "PCM_24", "FLOAT", "DOUBLE"):
        with soundfile.SoundFile(tmp_path / "a.wav", "w", RATE, 2, subtype) as file:
            file.title, file.artist = "Étude", "Nobody"
            file.write(tone(2))
        (tmp_path / "a.linr").write_bytes(inrcodec.encode(files.read(tmp_path / "a.wav"), profile="stored"))
        found, expected = sound.info(tmp_path / "a.linr"), soundfile.info(str(tmp_path / "a.wav"))
        for name in ("samplerate", "channels", "frames", "duration", "subtype"):
            assert getattr(found, name) == getattr(expected, name)
        assert found.subtype_info.lower() == expected.subtype_info.lower()
        assert (found.format, found.profile, found.name) == ("LINR", "stored", str(tmp_path / "a.linr"))
        assert found.tags["TITLE"] == "Étude"
        with sound.SoundFile(tmp_path / "a.linr") as ours, soundfile.SoundFile(tmp_path / "a.wav") as theirs:
            known = {name: text for name, text in theirs.copy_metadata().items() if name != "software"}
            assert (ours.title, ours.artist, ours.album) == (theirs.title, theirs.artist, theirs.album) == ("Étude", "Nobody", "")
            assert ours.copy_metadata() == known == {"title": "Étude", "artist": "Nobody"}
    shown = str(found)
    assert f"samplerate: {RATE} Hz\nchannels: 2\nduration: 0.044 s\nformat: inrcodec [LINR]\nsubtype: 64 bit float [DOUBLE]" in shown
    assert "TITLE: Étude" in shown


@pytest.mark.parametrize(("frames", "told"), [(1, "0.500 s"), (179, "1:29.500 min"), (2 * 3661, "1:01:01.000 h")])
def test_durations_are_told(tmp_path: Path, frames: int, told: str) -> None:
    sound.write(tmp_path / "a.linr", np.zeros(frames, np.int16), 2, profile="stored")
    assert f"duration: {told}\n" in str(sound.info(tmp_path / "a.linr"))


def test_info_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, linr = pair(tmp_path, "PCM_16", 1)
    monkeypatch.setattr(inrcodec.StreamReader, "__getitem__", None)
    monkeypatch.setattr(inrcodec.StreamReader, "read", None)
    assert sound.info(linr).frames == FRAMES


# --- what is written --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float16", "float32", "float64", ">i2", ">f4"])
def test_samples_are_stored_as_they_are(tmp_path: Path, dtype: str) -> None:
    x = (100 * tone(2)).astype(dtype)
    sound.write(tmp_path / "a.linr", x, RATE, effort=1, metadata={"tag/TITLE": b"A"})
    back = inrcodec.decode((tmp_path / "a.linr").read_bytes())
    assert (back.kind, back.sample_rate, back.metadata) == ("audio", RATE, {"tag/TITLE": b"A"})
    assert same(back.samples, x)
    assert same(sound.read(tmp_path / "a.linr", dtype=None)[0], x)
    assert sound.info(tmp_path / "a.linr").subtype in ("PCM_S8", "PCM_16", "PCM_32", "FLOAT_16", "FLOAT", "DOUBLE")


@pytest.mark.parametrize("subtype", SUBTYPES)
@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64", ">i2", ">f8"])
def test_samples_become_what_soundfile_makes_of_them(tmp_path: Path, dtype: str, subtype: str) -> None:
    x = tone(2) if "f" in dtype else 2.0 ** (8 * np.dtype(dtype).itemsize - 1) * np.clip(tone(2), -1, 0.99)
    x = x.astype(dtype)
    sound.write(tmp_path / "a.linr", x, RATE, subtype, profile="stored")
    soundfile.write(tmp_path / "a.wav", x.astype(x.dtype.newbyteorder("=")), RATE, subtype)
    expected, found = files.read(tmp_path / "a.wav"), inrcodec.decode((tmp_path / "a.linr").read_bytes())
    assert same(found.samples, expected.samples)
    assert found.bit_depth == expected.bit_depth


def test_narrow_types_become_a_subtype(tmp_path: Path) -> None:
    x = np.array([-128, -1, 0, 127], np.int8)
    sound.write(tmp_path / "a.linr", x, RATE, "pcm_16", profile="stored")
    assert same(sound.read(tmp_path / "a.linr", dtype=None)[0], x.astype(np.int16) << 8)
    sound.write(tmp_path / "a.linr", (x / 128).astype(np.float16), RATE, "FLOAT", profile="stored")
    assert same(sound.read(tmp_path / "a.linr", dtype=None)[0], (x / 128).astype(np.float32))


@pytest.mark.parametrize(
    ("data", "rate", "match"),
    [
        (np.zeros(5, np.int64), RATE, "int64 cannot be written as sound; int8, int16"),
        (np.zeros(5, np.uint8), RATE, "uint8 cannot be written"),
        (np.zeros(5, np.complex64), RATE, "complex64 cannot be written"),
        (np.zeros((5, 9)), RATE, "at most 8 channels"),
        (np.zeros((5, 2, 2)), RATE, "at most 8 channels"),
        (np.zeros(0), RATE, "nothing to encode"),
        (np.float64(1), RATE, "0 dimensions"),
        (np.zeros(5), 0, "sample rate 0 is not valid"),
        (np.zeros(5), 44100.5, "sample rate must be a whole number"),
    ],
)
@pytest.mark.parametrize("subtype", [None, "PCM_24"])
def test_what_cannot_be_written_is_told(tmp_path: Path, data: Any, rate: Any, match: str, subtype: str | None) -> None:
    (tmp_path / "a.linr").write_bytes(b"before")
    with pytest.raises(UnsupportedError, match=match) as fault:
        sound.write(tmp_path / "a.linr", data, rate, subtype)
    assert str(fault.value).startswith(f"{tmp_path / 'a.linr'}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["a.linr"]
    assert (tmp_path / "a.linr").read_bytes() == b"before"


def test_wrong_options_are_told(tmp_path: Path) -> None:
    x = np.zeros(5, np.int16)
    with pytest.raises(ValueError, match="subtype is 'VORBIS'; it can be PCM_S8, PCM_U8"):
        sound.write(tmp_path / "a.linr", x, RATE, "VORBIS")
    with pytest.raises(ValueError, match="effort is 9"):
        sound.write(tmp_path / "a.linr", x, RATE, effort=9)
    for name in ("endian", "closefd", "compression_level", "max_samples"):
        given: dict[str, Any] = {name: 1}
        with pytest.raises(TypeError, match=f"^{name}: there is no such option of .linr files; there are .*effort, .*metadata, "):
            sound.write(tmp_path / "a.linr", x, RATE, **given)
    with pytest.raises(ValueError, match="format is 'WAV'; it can be 'LINR'"):
        sound.write(tmp_path / "a.linr", x, RATE, format="WAV")
    with pytest.raises(InrcodecError, match="there is no directory"):
        sound.write(tmp_path / "none" / "a.linr", x, RATE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.wav", "a.FLAC", "a.mp3", "a.png", "a.nii.gz"])
def test_the_extension_of_another_type_is_refused(tmp_path: Path, name: str) -> None:
    extension = Path(name).suffix.lower()
    with pytest.raises(UnsupportedError, match=rf"{name}: inrcodec\.sound\.write makes \.linr files, and {extension} names another type"):
        sound.write(tmp_path / name, np.zeros(5, np.int16), RATE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a", "a.LINR", "take.2"])
def test_other_names_are_written(tmp_path: Path, name: str) -> None:
    x = np.arange(5, dtype=np.int16)
    sound.write(tmp_path / name, x, RATE, profile="stored", format=None if name == "a" else "linr")
    assert same(sound.read(tmp_path / name, dtype=None)[0], x)


# --- open files -------------------------------------------------------------------------------------------------------


class Pipe(io.RawIOBase):
    """A file that can only be read on."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._data.readinto(buffer)


def test_open_files_are_read_and_written(tmp_path: Path) -> None:
    wav, linr = pair(tmp_path, "PCM_16", 2)
    data, expected = linr.read_bytes(), soundfile.read(wav)[0]
    behind = io.BytesIO(b"before" + data)
    behind.seek(6)
    with linr.open("rb") as on_disk:
        opened: tuple[Any, ...] = (io.BytesIO(data), behind, on_disk, io.BufferedReader(Pipe(data)))
        for file in opened:
            assert same(sound.read(file)[0], expected)
            assert not file.closed
    assert sound.info(io.BytesIO(data)).name == "<BytesIO>"
    assert sum(map(len, sound.blocks(io.BytesIO(data), 64))) == FRAMES
    with sound.SoundFile(io.BytesIO(data)) as closed:
        pass
    with pytest.raises(ValueError, match="<BytesIO>: the file is closed"):
        closed.read()
    out = io.BytesIO()
    sound.write(out, soundfile.read(wav, dtype="int16")[0], RATE, profile="stored")
    assert same(sound.read(io.BytesIO(out.getvalue()))[0], expected)
    with pytest.raises(UnsupportedError, match=r"<BytesIO>: .*int64"):
        sound.write(out, np.zeros(5, np.int64), RATE)


# --- faults -----------------------------------------------------------------------------------------------------------

USES: tuple[Callable[[Path], Any], ...] = (sound.read, sound.info, lambda path: list(sound.blocks(path, 9)), sound.SoundFile)


@pytest.mark.parametrize("use", USES)
def test_what_is_no_sound_is_told(tmp_path: Path, use: Callable[[Path], Any]) -> None:
    path = tmp_path / "a.linr"
    with pytest.raises(FileNotFoundError):
        use(path)
    cases: tuple[tuple[bytes, type[InrcodecError], str], ...] = (
        (inrcodec.encode(np.zeros((9, 9), np.uint8), kind="image", profile="stored"), UnsupportedError, "holds an image, not sound"),
        (inrcodec.encode(np.zeros((2, 9, 9), np.uint8), kind="stack", profile="stored"), UnsupportedError, "holds a stack, not sound"),
        (inrcodec.encode(np.zeros(9, np.int16), profile="stored"), UnsupportedError, "holds an array, not sound"),
        (inrcodec.encode_arrays({"a": np.zeros(9)}, profile="stored"), FormatError, "several arrays"),
        (b"", FormatError, r"\.linr: "),
        (b"RIFF....WAVEfmt ", FormatError, r"\.linr: "),
        (pair(tmp_path, "PCM_16", 1)[1].read_bytes()[:40], FormatError, r"\.linr: "),
    )
    for data, kind, match in cases:
        path.write_bytes(data)
        with pytest.raises(kind, match=match) as fault:
            use(path)
        assert re.fullmatch(f"{re.escape(str(path))}: .+", str(fault.value))


def test_a_network_alone_is_no_sound(tmp_path: Path) -> None:
    vectors = Path(__file__).parent.parent / "formats" / "vectors" / "lossy"
    path = next(path for path in sorted(vectors.glob("*.linr")) if inrcodec.info(path.read_bytes())["kind"] == "audio")
    with pytest.raises(LossyError, match=r"\.linr: holds a network alone"):
        sound.read(path)


def test_damaged_tiles_are_told(tmp_path: Path) -> None:
    path = by_tiles(tmp_path / "a.linr", tone(1, 1000), 100, profile="stored")
    with inrcodec.open(path) as file:
        place = file._opened.tiles.places[5]  # type: ignore[attr-defined]
    data = bytearray(path.read_bytes())
    data[place.start + place.size // 2] ^= 1
    path.write_bytes(data)
    assert len(sound.read(path, 500)[0]) == 500
    for use in (lambda: sound.read(path), lambda: sound.read(path, 200, 450), lambda: list(sound.blocks(path, 64))):
        with pytest.raises(FormatError) as fault:
            use()
        assert str(fault.value).startswith(f"{path}: ")


def test_a_whole_sound_is_compared_with_its_digest(tmp_path: Path) -> None:
    """A part is not, since the digest is of all samples."""
    data = inrcodec.encode(np.arange(200, dtype=np.int16), kind="audio", sample_rate=RATE, profile="stored", compact=False)
    sections = [
        replace(section, content=section.content[:-1] + bytes([section.content[-1] ^ 1])) if section.type == header.HEAD else section
        for section in container.read(data)
    ]
    path = tmp_path / "a.linr"
    path.write_bytes(container.write(sections))
    assert len(sound.read(path, 199)[0]) == 199
    with pytest.raises(FormatError, match="do not match their digest"):
        sound.read(path)


def test_limits_hold(tmp_path: Path) -> None:
    _, linr = pair(tmp_path, "PCM_16", 2)
    assert len(sound.read(linr, 50, max_samples=100)[0]) == 50
    for use in (lambda: sound.read(linr, max_samples=100), lambda: list(sound.blocks(linr, 64, max_samples=100))):
        with pytest.raises(LimitError, match=r"\.linr: "):
            use()
    with pytest.raises(LimitError, match="of memory"):
        sound.read(linr, max_memory=1000)


def test_reading_imports_neither_torch_nor_soundfile(tmp_path: Path) -> None:
    _, linr = pair(tmp_path, "PCM_16", 1)
    program = "import sys, inrcodec.sound as s; s.read(sys.argv[1], 5); print({'torch', 'soundfile'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", program, linr], capture_output=True, text=True, timeout=300, check=True)
    assert found.stdout.strip() == "set()"
