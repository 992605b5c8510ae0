"""Floats ↔ integers: every bit comes back, what they were made from is found, and both decoders agree."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import inrcodec
from inrcodec import FormatError, LimitError, Signal, UnsupportedError, files, finebits, floats, floatsearch
from inrcodec.cli import main
from inrcodec.container import Reader
from inrcodec.errors import InrcodecError
from inrcodec.floats import FloatMap
from inrcodec.signal import likely_kind
from inrcodec.values import bits_of

Floats = npt.NDArray[Any]
SIZES = (2, 4, 8)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, max_side=6)


def unhurried(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def patterns(shape: st.SearchStrategy[tuple[int, ...]] = SHAPES) -> st.SearchStrategy[Floats]:
    """Any patterns of bits, those of few different kinds among them, in both byte orders."""

    def of(size: int, order: str) -> st.SearchStrategy[Floats]:
        sign = 1 << 8 * size - 1
        infinity = floats.FORMATS[size].infinity
        special = st.sampled_from([0, 1, sign, sign + 1, infinity, infinity + 1, infinity - 1, sign | infinity, 2 * sign - 1])
        elements = st.integers(0, 2 * sign - 1) | special | st.integers(infinity // 2, infinity // 2 + 300)
        dtype = np.dtype(f"{order}f{size}")
        return hnp.arrays(np.dtype(f"u{size}"), shape, elements=elements).map(lambda u: floats.patterned(u, dtype))

    return st.tuples(st.sampled_from(SIZES), st.sampled_from("<>")).flatmap(lambda both: of(*both))


def same(a: Floats, b: Floats) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(bits_of(a), bits_of(b))


def sound(frames: int = 4000, seed: int = 0) -> npt.NDArray[np.int16]:
    """A wandering line of 16 bits, (frames,)."""
    steps = np.random.default_rng(seed).normal(0, 40, frames)
    line = np.cumsum(steps - steps.mean())
    found: npt.NDArray[np.int16] = np.rint(line).clip(-32768, 32767).astype(np.int16)
    return found


def mixed(frames: int = 4000, dtype: Any = np.float32) -> Floats:
    """A sound whose mantissas are random."""
    return (sound(frames) / 32768 * 0.7 + np.random.default_rng(1).normal(0, 1e-5, frames)).astype(dtype)


def coded(samples: Floats, **given: Any) -> tuple[bytes, dict[str, Any]]:
    """A file of a sound, or of an array if it has more axes, and what `info` says of it."""
    kind: Any = {"kind": "audio", "sample_rate": 8000} if samples.ndim == 1 else {}
    options = {"effort": 1, "threads": 1} | given
    signal = Signal(samples, **kind)
    data = inrcodec.encode(signal, **options)
    assert inrcodec.decode(data).equals(signal)
    return data, inrcodec.info(data)


# --- maps ---------------------------------------------------------------------------------------------------------


@given(patterns())
def test_bits_come_back_in_the_order_of_the_numbers(x: Floats) -> None:
    n = floats.to_integers(x, FloatMap())
    assert same(floats.from_integers(n, FloatMap(), x.dtype), x)
    there = x.reshape(-1)[np.argsort(n.reshape(-1), kind="stable")]
    numbers = there[~np.isnan(there)]
    assert (numbers[1:] >= numbers[:-1]).all()


@given(st.sampled_from(SIZES), st.data())
def test_fixed_points_of_every_exponent(size: int, data: st.DataObject) -> None:
    b, dtype = floats.FORMATS[size], np.dtype(f"f{size}")
    exponent = data.draw(st.integers(b.least, b.most))
    most = min(b.digits, b.most + 1 - exponent)  # bits of integers, so that all are finite
    n = data.draw(hnp.arrays(np.int64, st.integers(1, 20), elements=st.integers(-(2**most) + 1, 2**most - 1)))
    x = np.array([float(int(i)) for i in n]) if exponent < -1000 else np.ldexp(n.astype(np.float64), exponent)
    x = np.array([np.ldexp(float(i), exponent) for i in n]).astype(dtype)
    found = floatsearch.fixed(x)
    assert (found is None) == (n.any() and int(np.abs(n).max()) >> (b.width - 1) > 0)
    assert found
    float_map, bits = found
    back = floats.to_integers(x, float_map)
    assert int(np.abs(back.astype(object)).max()).bit_length() == bits
    assert not n.any() or (back & 1).any(), "a larger exponent would do"
    for rounded in (False, True):
        assert same(floats.from_integers(back, float_map, dtype, rounded), x)


@pytest.mark.parametrize("size", SIZES)
def test_there_is_no_fixed_point_of_what_has_none(size: int) -> None:
    dtype = np.dtype(f"f{size}")
    least, most = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    for numbers in ([1, np.nan], [1, np.inf], [1, -0.0], [least, most]):
        assert floatsearch.fixed(np.array(numbers, dtype)) is None
    zeros = floatsearch.fixed(np.zeros(3, dtype))
    assert zeros == (FloatMap("fixed", 0), 0)
    integers = floatsearch.fixed(np.array([-3, 0, 1024], dtype))
    assert integers == (FloatMap("fixed", 0), 11)


@given(st.sampled_from(SIZES), st.data())
def test_rounding_is_that_of_ieee_754(size: int, data: st.DataObject) -> None:
    """Of what a network says: as the processor converts, but limited to the largest."""
    b, dtype = floats.FORMATS[size], np.dtype(f"f{size}")
    n = data.draw(hnp.arrays(np.dtype(f"i{size}"), 9))
    exponent = data.draw(st.integers(b.least, b.most))
    with np.errstate(over="ignore"):
        wide = [np.ldexp(np.longdouble(int(i)), exponent) for i in n]
        limits = np.finfo(dtype)
        wanted = np.array([dtype.type(i) for i in wide]).clip(limits.min, limits.max)
    found = floats.from_integers(n, FloatMap("fixed", exponent), dtype, rounded=True)
    assert (found == wanted).all()


@given(patterns(), st.integers(1, 63))
def test_split_floats_come_back(x: Floats, bits: int) -> None:
    """Of any patterns of bits, however many of them integers have."""
    b = floats.binary(x.dtype)
    float_map = floatsearch.split(x, min(bits, b.width - 1))
    if float_map is None:
        assert (~np.isfinite(x) | (x == 0)).all()
        return
    n = floats.to_integers(x, float_map)
    assert int(np.abs(n.astype(object)).max()).bit_length() <= min(bits, float_map.digits)
    fine = finebits.encode(x, float_map)
    assert len(fine) <= 1 + finebits.size_limit(x.size, x.dtype)
    assert same(finebits.decode(n, float_map, x.dtype, fine), x)


def test_fine_bits_of_many_samples() -> None:
    """More than are worked on at a time, with zeros and NaNs among them."""
    x = mixed(3 * floats.BLOCK + 5)
    x[1000:70000] = 0
    x[70000] = np.nan
    x[70001] = -0.0
    float_map = floatsearch.split(x, 31)
    assert float_map == FloatMap("split", float_map.exponent if float_map else 0, 24)
    fine = finebits.encode(x, float_map)
    n = floats.to_integers(x, float_map)
    assert same(finebits.decode(n, float_map, x.dtype, fine), x)
    assert len(fine) < 3 * floats.BLOCK  # the zeros cost next to nothing
    for wrong in (fine[:-1], fine + b"\0", b"\2" + fine[1:], b""):
        with pytest.raises(FormatError):
            finebits.decode(n, float_map, x.dtype, wrong)


@given(
    st.sampled_from(SIZES),
    st.sampled_from(floats.FORMS),
    st.integers(-30, 15),
    st.integers(1, 11),
    st.floats(1e-300, 1e300),
    st.booleans(),
    st.none() | st.tuples(st.integers(0, 2**16 - 1), st.integers(-(2**14), 2**14)),
)
def test_maps_are_read_as_they_were_written(
    size: int, form: Any, exponent: int, digits: int, factor: float, two_zeros: bool, missing: Any
) -> None:
    dtype = np.dtype(f"f{size}")
    given_map = FloatMap(
        form,
        max(exponent, floats.FORMATS[size].least) if form in ("fixed", "split") else 0,
        digits if form == "split" else 0,
        factor if form in ("product", "quotient") else 1.0,
        "bfloat16" if form == "narrow" and size > 2 else "",
        two_zeros and form in floats.EXTENDED,
        missing if form in floats.EXTENDED else None,
    )
    if form == "narrow" and size == 2:
        return
    r = Reader(floats.write_map(given_map), "a map")
    assert floats.read_map(r, dtype) == given_map
    r.end()


# --- what floats were made from -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "form", "bits"),
    [
        (lambda s: s.astype(np.float32) / np.float32(32768), "fixed", 14),
        (lambda s: s / 32768, "fixed", 14),
        (lambda s: s / 32767, "quotient", 14),
        (lambda s: (s / 32767).astype(np.float32), "quotient", 14),
        (lambda s: s.astype(np.float32) / np.float32(32768) * np.float32(0.7), "product", 14),
        (lambda s: s / 32768 * 0.7, "product", 14),
        (lambda s: s.astype(np.float32) / np.float32(-32768), "quotient", 14),
        (lambda s: s / 32768 * -0.7, "product", 14),
        (lambda s: s / -32767, "quotient", 14),
        (lambda s: np.round(s / 1000 + 20, 2), "quotient", 12),
        (lambda s: np.round(s / 1000 + 20, 3).astype(np.float32), "quotient", 16),
        (lambda s: s.astype(np.float64), "fixed", 14),
    ],
)
def test_what_sounds_were_made_from_is_found(make: Any, form: str, bits: int) -> None:
    x = make(sound(20000))
    data, found = coded(x)
    assert found["float_map"]["form"] == form
    assert found["value_map"]["bits"] <= bits + 1
    whole = inrcodec.encode(Signal(sound(20000), "audio", 0, 8000), effort=1, threads=1)
    assert found["profile"] == "hybrid"
    assert len(data) <= 1.01 * len(whole) + 40


@given(st.floats(1e-3, 1e3), st.sampled_from([np.float32, np.float64]))
@unhurried(30)
def test_any_gain_is_found(gain: float, dtype: Any) -> None:
    x = (sound(5000) / 32768 * gain).astype(dtype)
    found = floatsearch.scaled(x) or (floatsearch.fixed(x) or (None,))[0]
    assert found
    n = floats.to_integers(x, found).astype(np.int64)
    assert int(np.abs(n).max()) <= 32768
    assert same(floats.from_integers(n.astype(f"i{x.dtype.itemsize}"), found, x.dtype), x)


def test_a_step_that_nearly_fits_is_not_taken() -> None:
    x = (sound(5000).astype(np.float32) / np.float32(32767)).astype(np.float32)
    assert floatsearch.scaled(x)
    x[2500] = np.nextafter(x[2500], np.float32(2))
    assert floatsearch.scaled(x) is None
    x[2500] = np.nan
    assert floatsearch.scaled(x) is None
    assert floatsearch.scaled(np.full(9, -0.0, np.float32)) is None
    assert floatsearch.scaled(mixed()) is None


def test_mixed_sound_is_split() -> None:
    narrow, found = coded(mixed(20000))
    assert found["float_map"] == {"form": "split", "exponent": found["float_map"]["exponent"], "digits": 24}
    assert found["profile"] == "hybrid"
    stored = inrcodec.encode(Signal(mixed(20000), "audio", 0, 8000), profile="stored")
    assert len(narrow) < 0.9 * len(stored)
    wide, found = coded(mixed(20000).astype(np.float64))
    assert found["float_map"]["digits"] == 24
    assert len(wide) < len(narrow) + 100
    _, found = coded(mixed(20000, np.float64))
    assert (found["float_map"]["form"], found["float_map"]["digits"], found["profile"]) == ("split", 53, "hybrid")


NARROW = [(name, dtype) for name in floats.NARROWER for dtype in ("f4", "f8") if floats.NARROWER[name].width < 8 * int(dtype[1])]


@pytest.mark.parametrize(("name", "dtype"), NARROW)
@given(st.data())
def test_narrower_formats_come_back(name: str, dtype: str, data: st.DataObject) -> None:
    """Subnormal numbers, also those that are subnormal in the wider type; infinities; NaNs with the bits of their mantissas."""
    narrow = floats.NARROWER[name]
    most = 1 << narrow.width - 1
    odd = st.sampled_from([0, 1, 127, 128, narrow.infinity - 1, narrow.infinity, narrow.infinity + 1, most - 1])
    numbers = data.draw(
        hnp.arrays(f"i{dtype[1:]}", st.integers(1, 20), elements=st.integers(-most, most - 1) | odd | odd.map(lambda n: -1 - n))
    )
    narrowed = FloatMap("narrow", narrower=name)
    x = floats.from_integers(numbers, narrowed, np.dtype(dtype))
    assert np.array_equal(floats.to_integers(x, narrowed), numbers)
    finite = np.flatnonzero(np.isfinite(x))
    if name != "bfloat16":
        there = floats.ordered(numbers.astype(f"i{narrow.width // 8}")).view(f"f{narrow.width // 8}")
        assert same(there[finite].astype(dtype), x[finite])
    else:
        there = (floats.ordered(numbers.astype(np.int16)).view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)
        assert same(there[finite].astype(dtype), x[finite])
    assert (np.isnan(x) == (np.where(numbers < 0, -1 - numbers, numbers) > narrow.infinity)).all()
    found = floatsearch.narrow(x)
    assert found is not None
    assert floats.NARROWER[found.narrower].width <= narrow.width
    assert same(floats.from_integers(floats.to_integers(x, found), found, x.dtype), x)


@pytest.mark.parametrize(("name", "dtype"), NARROW)
def test_what_no_narrower_format_has_is_not_narrowed(name: str, dtype: str) -> None:
    narrow = floats.NARROWER[name]
    x = np.array([1 + 2.0**-narrow.stored / 2, 3.0], dtype)
    assert (found := floatsearch.narrow(x)) is None or floats.NARROWER[found.narrower].digits > narrow.digits
    with pytest.raises(FormatError, match="more bits than its format"):
        floats.from_integers(np.array([1 << narrow.width - 1], f"i{dtype[1:]}"), FloatMap("narrow", narrower=name), np.dtype(dtype))
    least = floats.from_integers(
        np.array([-(2**31), 2**30]).astype(f"i{dtype[1:]}"), FloatMap("narrow", narrower=name), np.dtype(dtype), True
    )
    if narrow.width < 32:
        assert least.tolist() == [-np.inf, np.inf]


def test_there_is_nothing_narrower_than_half() -> None:
    assert floatsearch.narrow(np.arange(9, dtype=np.float16)) is None


@given(
    st.sampled_from(SIZES),
    st.sampled_from(
        [FloatMap("fixed", -3), FloatMap("product", factor=0.25), FloatMap("quotient", factor=8.0), FloatMap("product", factor=-0.5)]
    ),
    st.booleans(),
    st.booleans(),
    st.data(),
)
def test_two_zeros_and_missing_values(size: int, plain: FloatMap, two_zeros: bool, missing: bool, data: st.DataObject) -> None:
    dtype = np.dtype(f"f{size}")
    gone = (floats.FORMATS[size].infinity + data.draw(st.integers(0, 500)), data.draw(st.integers(-900, -600))) if missing else None
    whole = replace(plain, two_zeros=two_zeros, missing=gone)
    some = st.integers(-500, 500) | st.just(gone[1] if gone else -1)
    n = data.draw(hnp.arrays(f"i{size}", st.integers(1, 20), elements=some))
    for rounded in (False, True):
        x = floats.from_integers(n, whole, dtype, rounded)
        for number, there in zip(n.tolist(), x, strict=True):
            if gone is not None and number == gone[1]:
                assert int(bits_of(there.reshape(1))[0]) == gone[0]
                continue
            turned = two_zeros and number < 0
            expected = floats.from_integers(np.array([-1 - number if turned else number], n.dtype), plain, dtype, rounded)
            assert same(there.reshape(1), -expected if turned else expected)
    if plain.form == "fixed" or plain.factor > 0:
        assert np.array_equal(floats.to_integers(x, whole), n)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("holes", [(-0.0,), (np.nan,), (-0.0, np.nan), (1e20,), (-0.0, -9e30), (np.inf,), (-np.inf, -0.0)], ids=str)
def test_zeros_and_missing_values_are_found(dtype: str, holes: tuple[float, ...]) -> None:
    x = np.round(sound(3000) / 100, 2).astype(dtype)
    x[7] = 0
    for number, hole in enumerate(holes):
        x[100 + 50 * number : 120 + 50 * number] = hole
    found = floatsearch.linear(x)
    assert found is not None
    whole, bits = found
    odd = [hole for hole in holes if hole != 0]
    assert whole.two_zeros == (-0.0 in [hole for hole in holes if hole == 0])
    assert (whole.missing is not None) == bool(odd)
    if whole.missing is not None:
        assert whole.missing[0] == int(bits_of(np.array(odd[:1], dtype))[0])
    n = floats.to_integers(x, whole)
    assert max(int(n.max()), -1 - int(n.min())).bit_length() <= bits
    assert same(floats.from_integers(n, whole, x.dtype), x)


def test_two_missing_values_have_no_map() -> None:
    x = np.round(sound(300) / 100, 2)
    x[3:5], x[9:12] = np.inf, np.nan
    assert floatsearch.linear(x) is None
    assert floatsearch.linear(np.full(9, np.nan)) is None
    half = np.arange(9, dtype=np.float16)
    half[3] = np.nan
    assert floatsearch.linear(half) is not None


@pytest.mark.parametrize("holes", [(-0.0,), (np.nan,), (1e20, -0.0)], ids=str)
def test_files_with_missing_values_are_hardly_larger(holes: tuple[float, ...]) -> None:
    x = np.round(sound(4000).reshape(50, 80) / 100, 2).astype(np.float32)
    whole, _ = coded(x.copy())
    for number, hole in enumerate(holes):
        x[10 + 10 * number, 20:60] = hole
    data, found = coded(x)
    assert found["float_map"]["form"] == "quotient"
    assert len(data) < 1.1 * len(whole) + 100


# --- whole files --------------------------------------------------------------------------------------------------


@unhurried(60)
@given(x=patterns(), profile=st.sampled_from(["auto", "stored"]))
def test_any_floats_come_back_from_files(x: Floats, profile: str) -> None:
    signal = Signal(x)
    data = inrcodec.encode(signal, profile=profile, threads=1)
    found = inrcodec.decode(data)
    assert found.equals(signal)
    assert same(found.samples, x)
    assert len(data) <= x.nbytes + 256


@unhurried(25)
@given(x=patterns(st.tuples(st.integers(1, 40), st.integers(1, 3))), kind=st.sampled_from(["audio", "array"]))
def test_both_decoders_give_the_same_floats(linr: ModuleType, x: Floats, kind: Any) -> None:
    rate = 8000 if kind == "audio" else None
    signal = Signal(x, kind, 0, rate)
    for float_map in (FloatMap(), floatsearch.split(x, 7), floatsearch.split(x, 31), (floatsearch.fixed(x) or (None,))[0]):
        if float_map is None:
            continue
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("inrcodec.subjects._ways", lambda *_, chosen=float_map: iter([chosen]))
            data = inrcodec.encode(signal, profile="stored", threads=1)
        samples, about = linr.decode(data)
        assert same(samples, x)
        assert inrcodec.decode(data).equals(Signal(samples, **about))


@pytest.mark.parametrize("low", [-16777216.0, -16777217.0, -np.inf, -np.finfo(float).max])
@pytest.mark.parametrize("count", [2, 3000])
def test_two_floats_that_are_further_apart_than_an_integer_can_tell(linr: ModuleType, low: float, count: int) -> None:
    x = np.where(np.arange(count) % 7 % 2, low, 1.0)
    data = inrcodec.encode(x, effort=1)
    assert inrcodec.decode(data).samples.tobytes() == x.tobytes()
    assert linr.decode(data)[0].tobytes() == x.tobytes()


@pytest.mark.slow
def test_a_million_patterns() -> None:
    u = np.random.default_rng(5).integers(0, 2**32, 1_000_000, np.uint64).astype(np.uint32)
    data = inrcodec.encode(Signal(u.view(np.float32), "audio", 0, 48000), threads=1)
    assert same(inrcodec.decode(data).samples, u.view(np.float32))
    assert len(data) <= u.nbytes + 256


@pytest.mark.parametrize("dtype", ["<f4", ">f4"])
def test_parts_of_a_sound(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several tiles, in both byte orders; damage takes a tile and no more."""
    monkeypatch.setattr("inrcodec.profiles.hybrid.sound.analysis.LEAST_TILE", 1000)
    monkeypatch.setattr("inrcodec.profiles.hybrid.sound.analysis.TILE_SECONDS", 0)
    x = mixed(4000).astype(dtype)
    data, found = coded(x, profile="hybrid")
    assert found["tiles"]["count"] == 4
    part = inrcodec.decode(data, start=0.2, duration=0.1)
    assert same(part.samples, x[1600:2400])
    last = data.rindex(b"TILE")
    broken = data[: last + 40] + bytes([data[last + 40] ^ 1]) + data[last + 41 :]
    left = inrcodec.salvage(broken)
    assert [lost.tile for lost in left.lost] == [3]
    assert same(left.signal.samples[:3000], x[:3000])
    assert same(left.signal.samples[3000:], np.zeros(1000, dtype))
    stages = inrcodec.info(data, stages=True)["stages"]
    assert [stage["name"] for stage in stages] == ["samples", "fine bits"]
    assert sum(stage["bytes"] for stage in stages) < found["bytes"]["payload"]


def test_limits_are_checked_before_memory_is_taken() -> None:
    data, _ = coded(mixed(20000))
    with pytest.raises(LimitError, match="memory"):
        inrcodec.decode(data, max_memory=200_000)
    with pytest.raises(LimitError, match="samples"):
        inrcodec.decode(data, max_samples=19_999)


def test_the_digest_is_that_of_the_bits() -> None:
    x = np.array([0.0, -0.0, np.nan], ">f8")
    data = inrcodec.encode(x, compact=False)
    fixed = bytes([2, 3 | 3 << 2 | 32, 64, 1, 3])
    assert inrcodec.info(data)["digest"] == hashlib.sha256(fixed + bits_of(x).astype("<u8").tobytes()).hexdigest()


def test_a_profile_that_is_asked_for_gets_floats_that_it_can_code() -> None:
    wide = np.random.default_rng(2).normal(0, 1, (20, 30))
    data = inrcodec.encode(wide, profile="hybrid", effort=1)
    assert inrcodec.info(data)["profile"] == "hybrid"
    assert inrcodec.info(data)["float_map"]["form"] in ("bits", "fixed")
    assert same(inrcodec.decode(data).samples, wide)
    nothing = np.full((20, 30), np.nan)
    nothing[3] = bits_of(wide)[3].view(np.float64)
    assert same(inrcodec.decode(inrcodec.encode(nothing, profile="hybrid", effort=1)).samples, nothing)


# --- networks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda s: s.astype(np.float32) / np.float32(32768), lambda s: s / 32767, lambda s: mixed(len(s))])
def test_networks_of_floats(make: Any) -> None:
    pytest.importorskip("torch")
    x = make(sound(200))
    data, found = coded(x, profile="inr", until="mdl", steps=30, hidden=8)
    assert found["network"]["psnr"] is None or np.isfinite(found["network"]["psnr"])
    alone = inrcodec.render(data, network_only=True).samples
    assert (alone.dtype, alone.shape) == (x.dtype, x.shape)
    assert np.isfinite(alone).all()
    assert found["network"]["form"] == "values"
    assert found["value_map"]["bits"] <= 24
    error = np.sqrt(np.square(alone.astype(np.float64) - x).mean())
    if found["network"]["psnr"]:
        assert 20 * np.log10(2 / error) == pytest.approx(found["network"]["psnr"], abs=0.1)
    finer = inrcodec.render(data, sample_rate=16000).samples
    assert (finer.dtype, finer.shape) == (x.dtype, (399,))
    assert same(inrcodec.render(data).samples, x)
    with pytest.raises(UnsupportedError, match="are floats of"):
        inrcodec.render(data, bit_depth=24 if x.dtype == np.float32 else 32)
    lossy = inrcodec.encode(Signal(x, "audio", 0, 8000), profile="inr", until="mdl", steps=30, hidden=8, payload=False)
    assert not inrcodec.info(lossy)["lossless"]
    assert same(inrcodec.render(lossy).samples, alone)


# --- what is refused, and what is said ----------------------------------------------------------------------------


def test_signals_of_floats() -> None:
    x = np.zeros((9, 9, 3), np.float32)
    assert likely_kind(x) == "array"
    for bad, words in (
        (lambda: Signal(np.zeros(3, np.longdouble)), "not supported: integers, bool, floats"),
        (lambda: Signal(np.zeros(3, "M8[s]")), "datetime64"),
        (lambda: Signal(x, "array", 24), "bit depth 24 does not fit samples of type float32"),
        (lambda: Signal(x).nominal_range, "no range"),
    ):
        with pytest.raises(UnsupportedError, match=words):
            bad()
    zeros, other = Signal(np.zeros(2)), Signal(np.array([0.0, -0.0]))
    assert not zeros.equals(other)
    nan = Signal(np.array([np.nan]))
    assert nan.equals(replace(nan))


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_commands(tmp_path: Path) -> None:
    wav, linr, back = tmp_path / "a.wav", tmp_path / "a.linr", tmp_path / "b.wav"
    x = mixed(500)
    x[3:6] = np.nan, np.inf, -0.0
    files.write(wav, Signal(x[:, None], "audio", 0, 8000))
    assert run("encode", wav, "-o", linr, "--effort", "1").exit_code == 0
    assert run("decode", linr, "-o", back).exit_code == 0
    assert back.read_bytes() == wav.read_bytes()
    assert run("verify", linr, wav).exit_code == 0
    told = run("info", linr)
    assert "audio 500 × 1, 32 bits (float32)" in told.output
    assert "fine bits up to 24 digits" in told.output
    x[5] = 0
    files.write(back, Signal(x[:, None], "audio", 0, 8000))
    assert "1 of 500 samples" in run("verify", linr, back).stderr
    for extension in ("flac", "aiff", "au", "png"):
        refused = run("decode", linr, "-o", tmp_path / f"a.{extension}")
        assert refused.exit_code == 1, refused.output
        assert not (tmp_path / f"a.{extension}").exists()
    assert run("decode", linr, "-o", tmp_path / "a.npy").exit_code == 0
    assert same(np.load(tmp_path / "a.npy"), files.read(wav).samples)
    assert run("render", linr, "-o", tmp_path / "c.wav", "--bit-depth", "24").exit_code == 1


@given(st.data())
@unhurried(60)
def test_changed_headers_are_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(_header_of_a_wav(tmp_path))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, 60))] = data.draw(st.integers(0, 255))
    path = tmp_path / "x.wav"
    path.write_bytes(raw)
    try:
        found = files.read(path)
    except InrcodecError:
        with pytest.raises(InrcodecError, match=r"^\S*x\.wav: [^\n]*$"):
            files.read(path)
        return
    files.write(path, found)
    assert path.read_bytes() == bytes(raw)


def _header_of_a_wav(folder: Path) -> bytes:
    path = folder / "good.wav"
    if not path.exists():
        files.write(path, Signal(mixed(16)[:, None], "audio", 0, 8000))
    return path.read_bytes()
