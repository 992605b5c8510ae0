"""Sound in the hybrid profile: round trips of all sorts, looks further back, threads, parts, damage."""

from __future__ import annotations

import contextlib
import tracemalloc
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import inrcodec
from inrcodec import FormatError, Signal, UnsupportedError, codec, compact, container, files
from inrcodec.container import Section, varint
from inrcodec.kernels import integers
from inrcodec.kernels.sound import LEAST_LAG, MAX_ROUNDS, PIECE, SEGMENT
from inrcodec.options import Options
from inrcodec.profiles.hybrid.sound import analysis, lookback, plan, steps, tile
from inrcodec.profiles.hybrid.sound.plan import Channel, CodedChannel, Filter, SoundModel, SoundPlan, Window

RATE = 8000


def tone(frames: int = 3000, channels: int = 2, bits: int = 16, seed: int = 0) -> npt.NDArray[Any]:
    """Two partials and noise, (frames, channels)."""
    g = np.random.default_rng(seed)
    t = np.arange(frames)[:, None]
    wave = np.sin(t * 0.21 + np.arange(channels)) + 0.4 * np.sin(t * 0.047) + g.normal(0, 0.02, (frames, channels))
    dtype = np.int8 if bits <= 8 else np.int16 if bits <= 16 else np.int32
    samples: npt.NDArray[Any] = np.rint(wave * 0.6 * 2.0 ** (bits - 1)).astype(dtype)
    return samples


def code(samples: npt.NDArray[Any], bits: int = 0, **options: Any) -> tuple[bytes, dict[str, Any]]:
    """Encode with hybrid, check the way back, and tell of the file."""
    signal = Signal(samples, "audio", bits, RATE)
    data = inrcodec.encode(signal, **{"profile": "hybrid", "verify": False, **options})
    assert inrcodec.decode(data).equals(signal)
    return data, inrcodec.info(data)


def replan(data: bytes, change: Any) -> bytes:
    """The file with its plan's bytes changed."""
    sections = [replace(s, content=change(s.content)) if s.type == b"HYBR" else s for s in compact.sections_of(data)]
    return container.write(sections[:-1] if sections[-1].type == container.END else sections)


@pytest.mark.parametrize("effort", range(1, 6))
def test_every_effort_round_trips(effort: int) -> None:
    _, found = code(tone(), effort=effort)
    assert found["network"]["transform"] == "sound"


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("bits", [8, 16, 20, 24, 31])
def test_every_depth_and_channel_count(bits: int, channels: int) -> None:
    code(tone(400, channels, bits), bits, effort=4)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 4),
    st.sampled_from([np.int8, np.int16, np.int32]),
    st.sampled_from([1, 4, 5]),
    st.integers(0, 2**32 - 1),
)
def test_any_samples_round_trip(frames: int, channels: int, dtype: type, effort: int, seed: int) -> None:
    g = np.random.default_rng(seed)
    info = np.iinfo(dtype)
    width = int(g.integers(1, info.bits + 1))
    x: Any = g.integers(-(1 << (width - 1)), 1 << (width - 1), (frames, channels)).astype(dtype)
    if g.random() < 0.3:
        x[g.integers(0, frames)] = info.min
    if (x != x.flat[0]).any():
        code(x, effort=effort)


@pytest.mark.parametrize(
    ("samples", "most"),
    [
        (np.zeros((20000, 2), np.int16), 150),
        (np.full((20000, 2), -77, np.int16), 150),
        (np.repeat(tone(20000, 1), 2, 1), 0),
        (tone(20000).astype(np.int32) << 8, 0),
    ],
)
def test_what_says_nothing_costs_nothing(samples: npt.NDArray[Any], most: int) -> None:
    """Silence, a constant; a channel twice, and shifted samples: no more than the channel, or the samples, by themselves."""
    bits = 8 * samples.dtype.itemsize
    if not most:
        plain = samples[:, :1] if (samples[:, 0] == samples[:, 1]).all() else samples >> 8
        most = len(inrcodec.encode(Signal(plain, "audio", bits, RATE), verify=False)) + 16
    signal = Signal(samples, "audio", bits, RATE)
    data = inrcodec.encode(signal)
    assert len(data) <= most


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_noise_is_never_much_larger_than_raw(bits: int) -> None:
    g = np.random.default_rng(0)
    dtype = np.int8 if bits == 8 else np.int16 if bits == 16 else np.int32
    signal = Signal(g.integers(-(1 << (bits - 1)), 1 << (bits - 1), (9000, 2)).astype(dtype), "audio", bits, RATE)
    assert len(inrcodec.encode(signal)) <= signal.raw_bytes + 256


@pytest.mark.parametrize("edge", ["clipped", "full scale", "least"])
def test_limits(edge: str) -> None:
    x = tone(2000).astype(np.int32)
    g = np.random.default_rng(0)
    if edge == "clipped":
        x = x.clip(-9000, 9000)
    elif edge == "full scale":
        x = np.where(g.random(x.shape) < 0.5, -(1 << 31), (1 << 31) - 1).astype(np.int32)
    else:
        x[::100] = -(1 << 31)
    code(x, effort=5)


def test_auto_takes_hybrid_for_sound_and_for_arrays_of_one_axis() -> None:
    x = tone(9000, 1)
    assert inrcodec.info(inrcodec.encode(Signal(x, "audio", 16, RATE)))["profile"] == "hybrid"
    assert inrcodec.info(inrcodec.encode(np.cumsum(x[:, 0], dtype=np.int32)))["profile"] == "hybrid"


def test_a_gap_in_the_values_becomes_a_table() -> None:
    x = tone(30000, 1, 12)[:, 0].astype(np.int32)
    scaled = np.rint(x * 37.7).astype(np.int32)[:, None]
    data, found = code(scaled, 24, effort=4)
    assert found["network"]["tables"] == 1
    assert len(data) < 1.2 * len(code(x[:, None].astype(np.int16), effort=4)[0]) + 12000
    assert code(tone(30000, 1, 24), 24, effort=1)[1]["network"]["tables"] == 0


def test_what_comes_again_is_found_and_nearly_free() -> None:
    g = np.random.default_rng(2)
    part = g.normal(0, 3000, (16000, 2)).astype(np.int16)
    once, twice = code(part)[0], code(np.concatenate([part, part]))[0]
    assert len(twice) < 1.15 * len(once)
    lags = lookback.find(np.concatenate([part, part]).T.astype(np.int64), 2)
    assert lags.shape == (-(-32000 // SEGMENT), 1)
    assert (lags[9:-1, 0] == 16000).all()
    assert (lags[:7] == 0).all()


def test_nothing_is_found_in_noise() -> None:
    assert lookback.find(np.random.default_rng(0).integers(-99, 99, (2, 30000)), 3).shape[1] == 0
    assert lookback.find(np.zeros((1, 30000), np.int64), 3).shape[1] == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_plan_and_lags_round_trip(seed: int) -> None:
    g = np.random.default_rng(seed)
    channels, frames = int(g.integers(1, 5)), int(g.integers(1, 2 * SEGMENT + 300))
    x = tone(frames, channels, 16, seed).T.astype(np.int64)
    zeros = [int(np.clip(-r.min(), 0, r.max() - r.min())) for r in x]
    found = tuple(Channel(int(r.max() - r.min()), 0, zero) for r, zero in zip(x, zeros, strict=True))
    x = np.stack([r - r.min() - zero for r, zero in zip(x, zeros, strict=True)])
    live = [i for i, c in enumerate(found) if c.coded]
    sizes = [tuple(r for r in range(MAX_ROUNDS, 0, -1) if g.random() < 0.3) or (int(g.integers(1, 9)),) for _ in range(g.integers(1, 4))]
    windows = tuple(Window(rounds, 1 << int(g.integers(0, 8)), int(g.integers(1, 65537))) for rounds in sizes)
    count = sum(map(len, sizes))
    filters = range(min(int(g.integers(0, 5)), 16 - count))
    model = SoundModel(
        windows,
        tuple(Filter(int(g.integers(4, 9)), int(g.integers(1, 1 << 14)), int(g.integers(0, count + 1))) for _ in filters),
        int(g.integers(0, 5)),
        *((16, int(g.integers(1, 256))) if g.random() < 0.5 else (0, 0)),
    )
    p = SoundPlan(found, tuple(CodedChannel(i, int(g.integers(0, len(live)))) for i in live), model)
    assert plan.read(plan.write(p), channels, 17) == p
    segments = -(-frames // SEGMENT)
    lags = np.zeros((segments, model.lags), np.int64)
    for i in range(1, segments):
        lags[i] = g.integers(LEAST_LAG, i * SEGMENT + 1, model.lags) * (g.random(model.lags) < 0.7)
    data, _ = tile.encode(p, x[live], lags, lambda _: None)
    assert np.array_equal(tile.decode(p, frames, data, lambda _: None)[0], x[live])


def test_the_same_for_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "LEAST_TILE", 1000)
    monkeypatch.setattr(analysis, "TILE_SECONDS", 0.1)
    signal = Signal(tone(5000), "audio", 16, RATE)
    coded = [inrcodec.encode(signal, threads=n, verify=False) for n in (1, 2, 4)]
    assert coded[0] == coded[1] == coded[2]
    assert inrcodec.info(coded[0])["tiles"]["count"] == 5
    for n in (1, 2, 4):
        assert inrcodec.decode(coded[0], threads=n).equals(signal)


@pytest.fixture
def in_tiles(monkeypatch: pytest.MonkeyPatch) -> tuple[Signal, bytes]:
    """Ten seconds in ten tiles."""
    monkeypatch.setattr(analysis, "LEAST_TILE", 1000)
    monkeypatch.setattr(analysis, "TILE_SECONDS", 1)
    signal = Signal(tone(10 * RATE, 1), "audio", 16, RATE)
    return signal, inrcodec.encode(signal, effort=1, verify=False)


@pytest.mark.parametrize(("start", "duration"), [(0, 1), (0.9995, 0.002), (3.25, 4), (9.9, 5), (2, None), (None, 0.5), (4, 0)])
def test_a_part_is_what_the_whole_has_there(in_tiles: tuple[Signal, bytes], start: float | None, duration: float | None) -> None:
    signal, data = in_tiles
    first = round((start or 0) * RATE)
    last = len(signal.samples) if duration is None else first + max(1, round(duration * RATE))
    part = inrcodec.decode(data, start=start, duration=duration)
    assert part.equals(replace(signal, samples=signal.samples[first:last]))


def test_a_part_needs_no_other_tile(in_tiles: tuple[Signal, bytes]) -> None:
    """All tiles but the fourth are of the right length and nonsense."""
    signal, data = in_tiles
    sections, count = [], 0
    for s in compact.sections_of(data):
        if s.type == b"TILE":
            count += 1
            s = s if count == 4 else replace(s, content=b"\xff" * len(s.content))
        sections.append(s)
    broken = container.write(sections)
    assert np.array_equal(inrcodec.decode(broken, start=3.1, duration=0.8).samples, signal.samples[24800:31200])
    with pytest.raises(FormatError):
        inrcodec.decode(broken)


def test_a_part_that_is_not_there(in_tiles: tuple[Signal, bytes]) -> None:
    with pytest.raises(UnsupportedError, match=r"ends after 10\.000 s"):
        inrcodec.decode(in_tiles[1], start=10)
    with pytest.raises(UnsupportedError, match="only of a sound"):
        inrcodec.decode(inrcodec.encode(np.arange(100)), start=1)
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="start is"):
            inrcodec.decode(in_tiles[1], start=wrong)


def test_efforts_share_models_and_each_model_makes_it_smaller() -> None:
    assert list(dict.fromkeys(analysis.MODELS)) == [analysis.MODELS[i] for i in (0, 1, 3, 4)]
    signal = Signal(tone(20000), "audio", 16, RATE)
    sizes = [len(inrcodec.encode(signal, effort=e, verify=False)) for e in (1, 2, 4)]
    assert sizes[0] > sizes[1] > sizes[2]


def test_channels_are_paired_with_what_is_most_like_them() -> None:
    a, b = tone(4000, 1, seed=1), tone(4000, 1, seed=2)[::-1]
    values = np.concatenate([a, b, a // 2, b // 3], 1).astype(np.int64) + 40000
    p = analysis.plan_of(values.astype(np.uint32), 40000, Options())
    assert [k.partner for k in p.coded] == [2, 3, 0, 1]


def test_stop() -> None:
    with pytest.raises(inrcodec.Stopped):
        inrcodec.encode(Signal(tone(30000), "audio", 16, RATE), stop=lambda: True)


def test_progress_reaches_its_end() -> None:
    seen: list[float] = []
    inrcodec.encode(Signal(tone(9000), "audio", 16, RATE), progress=lambda s: seen.append(s.fraction), verify=False)
    assert seen[-1] == 1.0
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("at", "byte"), [(0, 4), (1, 0), (1, 5), (2, 8), (3, 5), (4, 17), (4, 0), (5, 0), (6, 0), (6, 65), (7, 65), (8, 0), (8, 3), (8, 255)]
)
def test_impossible_plans_are_refused(at: int, byte: int) -> None:
    data, _ = code(tone(300))

    def change(content: bytes) -> bytes:
        return content[:at] + bytes([byte]) + content[at + 1 :]

    with pytest.raises(FormatError):
        inrcodec.decode(replan(data, change))


@pytest.mark.parametrize("lag", [1, LEAST_LAG - 1, SEGMENT + 1, -LEAST_LAG])
def test_lags_that_point_outside_are_refused(lag: int) -> None:
    x = tone(SEGMENT + 100, 1)
    p = analysis.plan_of((x.astype(np.int32) + 40000).astype(np.uint32), 40000, Options())
    data, _ = tile.encode(p, x.T.astype(np.int64), np.zeros((2, 0), np.int64), lambda _: None)
    sent = integers.encode([np.array([0, lag]), np.zeros(2, np.int64)])
    size = data[0]
    with pytest.raises(FormatError, match="outside the sound"):
        tile.decode(p, len(x), varint(len(sent)) + sent + data[1 + size :], lambda _: None)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_damaged_tiles_and_plans_end_in_an_error_or_in_samples(seed: int) -> None:
    """Whatever the bytes are: no crash, no endless loop."""
    g = np.random.default_rng(seed)
    sections = list(compact.sections_of(whole_sound()))
    i = [k for k, s in enumerate(sections) if s.type in (b"HYBR", b"TILE")][int(g.integers(0, 2))]
    content = bytearray(sections[i].content)
    for _ in range(int(g.integers(1, 4))):
        content[g.integers(0, len(content))] = int(g.integers(0, 256))
    sections[i] = Section(sections[i].type, bytes(content))
    with contextlib.suppress(FormatError):
        inrcodec.decode(container.write(sections))


@cache
def whole_sound() -> bytes:
    """A sound, to be damaged."""
    return inrcodec.encode(Signal(tone(2500), "audio", 16, RATE), profile="hybrid", effort=5, verify=False)


def test_a_plan_of_a_sound_for_a_picture_is_refused() -> None:
    image = inrcodec.encode(Signal(np.arange(4000).reshape(50, 80).astype(np.uint16) * 7 % 1000, "image"), profile="hybrid", verify=False)
    with pytest.raises(FormatError):
        inrcodec.decode(replan(image, lambda c: b"\x03" + c[1:]))


@pytest.mark.parametrize(
    ("name", "subtype"), [("a.au", "PCM_16"), ("a.caf", "ALAC_24"), ("a.caf", "PCM_32"), ("a.w64", "PCM_24"), ("a.snd", "PCM_S8")]
)
def test_further_sound_files(tmp_path: Path, name: str, subtype: str) -> None:
    path = tmp_path / name
    samples = tone(500, 2, 16).astype(np.int32) << 16
    formats = {".au": "AU", ".snd": "AU", ".caf": "CAF", ".w64": "W64"}
    soundfile.write(path, samples, RATE, subtype, format=formats[path.suffix])
    signal = files.read(path)
    assert np.array_equal(signal.samples, samples >> (32 - signal.bit_depth))
    again = tmp_path / f"b{path.suffix}"
    files.write(again, signal)
    assert files.read(again).equals(signal)


def test_further_sound_files_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.au"
    soundfile.write(path, np.zeros((9, 1)), RATE, "FLOAT", format="AU")
    with pytest.raises(UnsupportedError, match="float"):
        files.read(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(FormatError):
        files.read(path)
    with mock.patch.object(Signal, "__post_init__"), pytest.raises(UnsupportedError, match="12 bits"):
        files.write(path, Signal(np.zeros((9, 1), np.int16), "audio", 12, RATE))


def test_decoding_tells_how_far_it_is_and_stops() -> None:
    data = inrcodec.encode(Signal(tone(9000), "audio", 16, RATE), effort=1)
    seen: list[float] = []
    codec.decode(data, Options(progress=lambda s: seen.append(s.fraction)))
    assert len(seen) > 2
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)
    with pytest.raises(inrcodec.Stopped):
        codec.decode(data, Options(stop=lambda: True))


def test_a_repeated_bar_needs_no_table() -> None:
    """It meets few values, but not because there were no others."""
    bar = np.random.default_rng(0).normal(0, 6000, (4000, 2)).astype(np.int16)
    _, found = code(np.concatenate([bar] * 4))
    assert found["network"]["tables"] == 0


@pytest.mark.parametrize(("extension", "keep"), [("au", 0.5), ("au", 0.999), ("w64", 0.5), ("w64", 0.999), ("caf", 0.999)])
def test_further_sound_files_cut_short(tmp_path: Path, extension: str, keep: float) -> None:
    path = tmp_path / f"a.{extension}"
    soundfile.write(path, tone(3000), RATE, "PCM_16", format=extension.upper())
    files.read(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(FormatError, match="truncated"):
        files.read(path)


@pytest.mark.parametrize("extension", ["au", "caf", "w64"])
@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_texts_do_not_keep_a_sound_from_being_written(tmp_path: Path, extension: str, bits: int) -> None:
    signal = Signal(tone(50, 2, bits), "audio", bits, RATE, {"tag/TITLE": b"x", "flac/block": b"\x06picture"})
    path = tmp_path / f"a.{extension}"
    files.write(path, signal)
    assert np.array_equal(files.read(path).samples, signal.samples)
    assert "flac/block" in files.lost(path, signal)


def coarse(
    frames: int, channels: int = 1, seed: int = 0, peak: float = 200.0, fall: float = 20000.0, dither: int = 2
) -> npt.NDArray[np.int16]:
    """A sound of 8 bits under a falling envelope, (frames, channels). dither: how many rectangular ones are added."""
    g = np.random.default_rng(seed)
    levels = np.rint(tone(frames, channels, 16, seed) / 2.0**15 * 127)
    noise = sum((g.random(levels.shape) - 0.5 for _ in range(dither)), np.zeros(levels.shape))
    return np.rint(levels * peak * np.exp(-np.arange(frames) / fall)[:, None] + noise).astype(np.int16)


@pytest.mark.parametrize("dither", [0, 1, 2])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_coarse_sound_under_an_envelope_is_found(channels: int, dither: int) -> None:
    x = coarse(20000, channels, dither=dither)
    data, found = code(x, effort=3)
    assert found["network"]["steps"]
    with mock.patch.object(steps, "find", lambda x, _: np.zeros((len(x), 0, 3))):
        plain, about = code(x, effort=3)
    assert not about["network"]["steps"]
    assert len(data) < 0.65 * len(plain)


def test_steps_are_those_of_the_envelope() -> None:
    x = coarse(30000, 1, fall=15000)
    pieces = steps.find(x.T.astype(np.int64))
    shown = steps._sizes(pieces[0], len(x))
    true = 200 * np.exp(-np.arange(len(x)) / 15000)
    assert (pieces[0, :, 0] > 0).all()
    assert np.abs(shown / true - 1).max() < 2e-3


@pytest.mark.parametrize(
    "x", [np.random.default_rng(0).integers(-999, 999, (2, 30000)), np.zeros((1, 30000), np.int64), tone(30000).T, tone(100).T]
)
def test_no_steps_are_found_where_there_are_none(x: npt.NDArray[Any]) -> None:
    assert steps.find(x.astype(np.int64)).shape == (len(x), 0, 3)


def test_the_search_for_steps_stops() -> None:
    """The search asks before anything is coded."""
    stop = mock.Mock(side_effect=[False, False, False, True])
    with mock.patch.object(tile, "encode") as coded, pytest.raises(inrcodec.Stopped):
        inrcodec.encode(Signal(coarse(20000), "audio", 16, RATE), stop=stop, profile="hybrid")
    assert stop.call_count == 4
    assert not coded.called


def test_a_sound_without_steps_has_no_byte_for_them() -> None:
    p = analysis.plan_of(tone(300).astype(np.uint16), 0, Options())
    assert len(plan.write(replace(p, steps=9))) == len(plan.write(p)) + 1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_steps_round_trip(seed: int) -> None:
    """Steps that have nothing to do with the samples, from the least to the largest."""
    g = np.random.default_rng(seed)
    channels, frames, shift = int(g.integers(1, 4)), int(g.integers(1, 3 * PIECE)), int(g.integers(1, plan.MAX_STEPS + 1))
    x = (
        tone(frames, channels, int(g.integers(9, 17)), seed).T.astype(np.int64)
        if g.random() < 0.7
        else g.integers(-(2**31), 2**31, (channels, frames))
    )
    x[:, 0] = 0
    x[:, -1] = 1
    found = tuple(Channel(int(r.max() - r.min()), 0, int(-r.min())) for r in x)
    model = SoundModel((Window((1,), 1, 64000),), (Filter(4, 999, 0),), 0)
    p = SoundPlan(found, tuple(CodedChannel(i, int(g.integers(0, channels))) for i in range(channels)), model, shift)
    count = -(-frames // PIECE)
    ends = np.minimum(2.0 * 2.0 ** g.uniform(0, 31 - shift, (channels, count, 2)) * 1.01, 2.0 ** (30 - shift) * 1.9)
    bend = g.uniform(-1, 1, (channels, count, 1)) * 4 * (ends.min(2, keepdims=True) - 2)
    pieces = steps.rounded(np.concatenate([ends, bend], 2) * (g.random((channels, count, 1)) < 0.7), shift)
    data, _ = tile.encode(p, x, np.zeros((1, 0), np.int64), lambda _: None, pieces)
    assert np.array_equal(tile._read_steps(tile._write_steps(pieces), channels, count, shift), pieces)
    assert np.array_equal(tile.decode(p, frames, data, lambda _: None)[0], x)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_damaged_steps_end_in_an_error_or_in_samples(seed: int) -> None:
    g = np.random.default_rng(seed)
    sections = list(compact.sections_of(stepped_sound()))
    i = [k for k, s in enumerate(sections) if s.type in (b"HYBR", b"TILE")][int(g.integers(0, 2))]
    content = bytearray(sections[i].content)
    for _ in range(int(g.integers(1, 4))):
        content[int(g.integers(0, min(len(content), 60)))] = int(g.integers(0, 256))
    sections[i] = Section(sections[i].type, bytes(content))
    with contextlib.suppress(FormatError):
        inrcodec.decode(container.write(sections))


@cache
def stepped_sound() -> bytes:
    """A sound of coarse steps, to be damaged."""
    return inrcodec.encode(Signal(coarse(2500), "audio", 16, RATE), profile="hybrid", effort=3, verify=False)


@pytest.mark.parametrize(
    "numbers",
    [
        [[-40], [0], [0]],
        [[40], [-9], [0]],
        [[40], [0], [40]],
        [[(1 << 31) - 1], [1], [0]],
        [[1 << 30], [0], [-(1 << 31)]],
        [[0], [40], [0]],
        [[0], [0], [1]],
        [[40, -40], [0, 1], [0, 0]],
    ],
)
def test_impossible_steps_are_refused(numbers: list[list[int]]) -> None:
    data = integers.encode([np.array(n) for n in numbers])
    with pytest.raises(FormatError, match="a step is not valid"):
        tile._read_steps(data, 1, len(numbers[0]), 4)


def test_steps_take_the_memory_that_is_told() -> None:
    opened = codec.open_bytes(inrcodec.encode(Signal(coarse(30000), "audio", 16, RATE), profile="hybrid", effort=1, verify=False))
    box = opened.layout.box(0)
    tracemalloc.start()
    try:
        opened.decoder.decode_tile(box, opened.tile(0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= opened.decoder.memory(box)
