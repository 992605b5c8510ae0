"""Conformance vectors of floats: the float map of HEAD (SPEC.md 2), fine bits (4), and what networks say of floats (17)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import brotli
import numpy as np
from vector_tools import (
    VALUES,
    Array,
    NetworkSpec,
    Recipe,
    Sections,
    Signal,
    View,
    by_encoder,
    fault,
    file_of,
    head,
    recipe,
    signed,
    spans,
    stored_tile,
    tiled,
    tone,
    varint,
)

BITS, FIXED, PRODUCT, QUOTIENT, SPLIT, NARROW = (bytes([way]) for way in range(6))
TWO_ZEROS, MISSING = 128, 64  # of the byte of a way
LINE = (View(), View((9,)))


def factor(number: float) -> bytes:
    return np.array(number, "<f8").tobytes()


def extended(way: bytes, needs: bytes, missing: tuple[int, int] | None = None, *, two_zeros: bool = False) -> bytes:
    """A float map with two zeros, or with a missing value: (pattern, number)."""
    code = way[0] | TWO_ZEROS * two_zeros | MISSING * (missing is not None)
    return bytes([code]) + (b"" if missing is None else varint(missing[0]) + signed(missing[1])) + needs


def sound(samples: Array, rate: int = 8000) -> Signal:
    return Signal(samples, "audio", 0, rate)


def mixed(frames: int, dtype: str) -> Array:
    """A sound as a mix in floats gives it: no two samples are multiples of one step."""
    rng = np.random.default_rng(1)
    found: Array = (tone(frames, 2, 16, np.int16) / 32768 * 0.7 + rng.normal(0, 1e-4, (frames, 2))).astype(dtype)
    found[20:40] = 0
    return found


def of_decimals(*holes: float) -> Array:
    """Multiples of 0.01, some of which are replaced."""
    found: Array = np.round(tone(300, 1, 12, np.int16) / 100, 2).astype(np.float32).reshape(20, 15)
    for number, hole in enumerate(holes):
        found[3 + 5 * number, 4:9] = hole
    return found


def every_kind(dtype: str) -> Array:
    """Patterns of all kinds: zeros, subnormals, the limits, infinities, NaNs with payloads, and any others."""
    kind = np.dtype(dtype)
    width = 8 * kind.itemsize
    infinity = int(np.array(np.inf, kind.newbyteorder("=")).view(f"u{kind.itemsize}"))
    few = [0, 1, 2, infinity - 1, infinity, infinity + 1, (1 << width - 1) - 1]
    any_others = np.random.default_rng(width).integers(0, 1 << width, 30, np.uint64)
    patterns = np.array([*few, *(p | 1 << width - 1 for p in few), *map(int, any_others)], f"u{kind.itemsize}")
    return patterns.astype(patterns.dtype.newbyteorder(kind.byteorder)).view(kind)


def subset() -> Iterable[Recipe]:
    made = tone(300, 2, 16, np.int16)
    gain = (made.astype(np.float32) / np.float32(32768) * np.float32(0.7)).astype(np.float32)
    files: dict[str, tuple[str, Signal]] = {
        "sound-fixed": ("float32 sound that was made from 16 bits", sound(made.astype(np.float32) / np.float32(32768))),
        "sound-quotient": ("float64 sound that was made from 16 bits, divided by 32,767", sound(made / 32767)),
        "sound-product": ("float32 sound that was made from 16 bits, with a gain of 0.7", sound(gain)),
        "sound-split": ("float32 sound that was mixed in floats", sound(mixed(300, "<f4"))),
        "sound-split-64": ("float64 sound that was mixed in floats", sound(mixed(300, "<f8"))),
        "sound-split-narrow": ("float64 sound that was mixed in float32", sound(mixed(300, "<f4").astype("<f8"))),
        "decimals": ("float64 array of decimals", Signal(np.round(made[:80] / 1000 + 20, 2).reshape(16, 10))),
        "smooth": ("float32 array of two axes", Signal(np.sin(np.arange(400, dtype=np.float32) / 30).reshape(20, 20))),
        "narrow": ("float64 array that was made from binary16", Signal(mixed(200, "<f2").astype(np.float64))),
        "two-zeros": ("float32 array of decimals, with −0", Signal(of_decimals(-0.0))),
        "missing": ("float32 array of decimals, with NaN where a value is missing", Signal(of_decimals(np.nan))),
        "missing-far": ("float32 array of decimals, with −0, and 1e20 where a value is missing", Signal(of_decimals(-0.0, 1e20))),
    }
    for name, (what, signal) in files.items():
        yield by_encoder(f"float-{name}", what, signal, profile="hybrid", effort=1)
    for dtype in ("<f2", "<f4", "<f8", ">f2", ">f4", ">f8"):
        signal = Signal(every_kind(dtype))
        yield by_encoder(f"float-bits-{'be' if dtype[0] == '>' else 'le'}-{dtype[1:]}", f"{dtype} of all kinds", signal, profile="stored")
    heads = {"profile": "inr", "network": "heads", "hidden": 12, "layers": 2, "steps": 40, "weights": "uniform", "until": "mdl"}
    small = sound(made[:120].astype(np.float32) / np.float32(32768))
    yield by_encoder("float-inr", "float32 sound in the profile inr", small, LINE, **heads)
    cut = sound(mixed(120, "<f4"))
    yield by_encoder("float-inr-split", "float32 sound in the profile inr, with fine bits", cut, LINE, **heads)


def stored_floats(
    signal: Signal, integers: Sequence[int], float_map: bytes, *, fine: Sequence[bytes] = (), sizes: Sequence[int] = (), **about: Any
) -> Sections:
    """A stored file of these integers, 64 bits a value; fine: bits of each tile, after their mode, if floats are split."""
    offset = about.pop("offset", min(integers))
    bits = about.pop("bits", max(max(integers) - offset, 1).bit_length())
    values = (np.array(integers, object) - offset).reshape(*signal.axes, signal.channels)
    contents = [stored_tile(values[span], bits, 1) if bits else b"" for span in spans(signal.axes, sizes or signal.axes)]
    if fine:
        contents = [varint(len(content)) + content + own for content, own in zip(contents, fine, strict=True)]
    return [(b"HEAD", head(signal, bits=bits, offset=offset, float_map=float_map, **about)), *tiled(contents, sizes or signal.axes)]


def string(*numbers: tuple[int, int]) -> bytes:
    """The bytes of numbers, each in so many bits."""
    bits = "".join(f"{number:0{width}b}" if width else "" for number, width in numbers)
    bits += "0" * (-len(bits) % 8)
    return int(bits or "0", 2).to_bytes(len(bits) // 8, "big")


def pattern(number: float, width: int) -> int:
    return int(np.array(number, f"f{width // 8}").view(f"u{width // 8}"))


def uncommon() -> Iterable[Recipe]:
    def of(name: str, what: str, samples: Array, integers: Sequence[int], float_map: bytes, **about: Any) -> Recipe:
        signal = Signal(samples)
        return recipe(f"float-{name}", what, signal, partial(stored_floats, signal, integers, float_map, **about))

    tiny = np.array([2.0**-149, -(2.0**-126), 0, 2.0**-127], np.float32)
    yield of("fixed-subnormal", "fixed: the smallest float32", tiny, [1, -(2**23), 0, 2**22], FIXED + signed(-149))
    big = np.array([2.0**1023, -1.5 * 2.0**1023], np.float64)
    yield of("fixed-largest", "fixed: the greatest exponent", np.array([2.0**1023, -(2.0**1023)]), [1, -1], FIXED + signed(1023))
    yield of("fixed-wide", "fixed: integers of 63 bits", big, [2**61, -3 * 2**60], FIXED + signed(962))
    half = np.array([3, -0.5, 1023], np.float16)
    yield of("product-half", "product, in float16", half, [96, -16, 32736], PRODUCT + factor(2.0**-5))
    tenths = (np.array([1, -2, 1234567]) * 0.1).astype(np.float32)
    yield of("product-tenths", "product: rounded to float64, then to float32", tenths, [1, -2, 1234567], PRODUCT + factor(0.1))
    below = np.array([-0.0, -0.25, 0.5], np.float32)
    yield of("product-turned", "product: a factor below 0, so that 0 is −0", below, [0, 1, -2], PRODUCT + factor(-0.25))
    turned = np.array([-0.0, -1, 2], np.float64) / 3
    yield of("quotient-turned", "quotient: a factor below 0", turned, [0, 1, -2], QUOTIENT + factor(-3.0))
    thirds = np.array([2**53, -(2**53), 1]) / 3
    yield of("quotient-53", "quotient: integers of 2^53", thirds, [2**53, -(2**53), 1], QUOTIENT + factor(3.0))
    yield from uncommon_extended()
    yield from uncommon_narrow()
    yield from uncommon_split()


def patterned(patterns: Sequence[int], width: int) -> Signal:
    """Floats with these patterns of bits."""
    return Signal(np.array(patterns, f"u{width // 8}").view(f"f{width // 8}"))


def uncommon_extended() -> Iterable[Recipe]:
    """Two zeros, and missing values."""

    def of(name: str, what: str, signal: Signal, integers: Sequence[int], float_map: bytes) -> Recipe:
        return recipe(f"float-{name}", what, signal, partial(stored_floats, signal, integers, float_map))

    zeros = np.array([0.0, -0.0, 1.5, -1.5], np.float32)
    integers = [0, -1, 3, -4]
    yield of("two-zeros-fixed", "fixed, two zeros", Signal(zeros), integers, extended(FIXED, signed(-1), two_zeros=True))
    yield of("two-zeros-product", "product, two zeros", Signal(zeros), integers, extended(PRODUCT, factor(0.5), two_zeros=True))
    turned = extended(QUOTIENT, factor(-2.0), two_zeros=True)
    yield of("two-zeros-quotient", "quotient, two zeros, a factor below 0", Signal(-zeros), integers, turned)
    limits, most = Signal(np.array([2.0**53, -(2.0**53)])), extended(PRODUCT, factor(1.0), two_zeros=True)
    yield of("two-zeros-53", "product, two zeros: integers of 2^53", limits, [2**53, -(2**53) - 1], most)
    nan = 0xFFC12345
    patterns = [nan, pattern(1.5, 32), nan, pattern(-1.5, 32)]
    fixed = extended(FIXED, signed(-1), (nan, 7))
    yield of("missing-fixed", "fixed, a missing value is a NaN with a payload", patterned(patterns, 32), [7, 3, 7, -3], fixed)
    both = extended(FIXED, signed(-1), (nan, -4), two_zeros=True)
    of_both = patterned([nan, pattern(-1.0, 32), 1 << 31], 32)
    yield of("missing-minus", "fixed, two zeros, a missing value whose number is below 0", of_both, [-4, -3, -1], both)
    gone = extended(PRODUCT, factor(0.5), (1 << 31, 0))
    yield of(
        "missing-0", "product, a missing value whose number is 0, and which is −0", patterned([1 << 31, patterns[1]], 32), [0, 3], gone
    )
    beyond = extended(QUOTIENT, factor(2.0), ((1 << 64) - 1, 2**63 - 1))
    told = "quotient, a missing value whose number has 63 bits"
    yield of("missing-63", told, patterned([(1 << 64) - 1, pattern(-4.5, 64)], 64), [2**63 - 1, -9], beyond)
    least = extended(FIXED, signed(-24), (0x7C01, -(2**15) + 1), two_zeros=True)
    yield of("missing-half", "fixed, two zeros, float16", patterned([0x7C01, 0x8001, 1], 16), [-(2**15) + 1, -2, 1], least)


def uncommon_narrow() -> Iterable[Recipe]:
    """All kinds of numbers of each narrower format: zeros, subnormals, the limits, infinities, NaNs."""
    for number, (name, bits, stored) in enumerate((("binary16", 16, 10), ("bfloat16", 16, 7), ("binary32", 32, 23))):
        infinity = (1 << bits - 1) - (1 << stored)
        few = [0, 1, 2, (1 << stored) - 1, 1 << stored, infinity - 1]
        few += [infinity, infinity + 1, infinity + (1 << stored - 1), (1 << bits - 1) - 1]
        for width in (32, 64) if bits < 32 else (64,):
            integers = few + [-1 - n for n in few]
            patterns = [widened(n, bits, stored, width) for n in integers]
            told = f"narrow: {name} of all kinds, in float{width}"
            signal, way = patterned(patterns, width), NARROW + bytes([number])
            yield recipe(f"float-narrow-{name}-{width}", told, signal, partial(stored_floats, signal, integers, way))


def widened(n: int, bits: int, stored: int, width: int) -> int:
    """The pattern of bits of the float of a narrower format that n stands for."""
    k, sign = (n, 0) if n >= 0 else (-1 - n, 1 << width - 1)
    infinity, to = (1 << bits - 1) - (1 << stored), {32: 23, 64: 52}[width]
    if k >= infinity:
        return sign | (1 << width - 1) - (1 << to) | (k - infinity) << to - stored
    e = max(k >> stored, 1)
    m = k - ((e - 1) << stored) if k >> stored else k
    return sign | pattern(np.ldexp(float(m), e - 1 - stored - (1 << bits - 2 - stored) + 2), width)


def uncommon_split() -> Iterable[Recipe]:
    def of(name: str, what: str, signal: Signal, integers: Sequence[int], float_map: bytes, **about: Any) -> Recipe:
        return recipe(f"float-split-{name}", what, signal, partial(stored_floats, signal, integers, float_map, **about))

    nan = 0xFF812345
    patterns = [pattern(1.5, 32), pattern(-3.5, 32), 0, nan, pattern(2.0**-140, 32), pattern(1 + 2.0**-23, 32)]
    kinds = Signal(np.array(patterns, np.uint32).view(np.float32))
    integers = [1, -3, 0, 0, 0, 1]
    bits = string((0, 1), (1, 1), (1, 1), (2**22, 23), (2**21, 22), (nan, 32), (patterns[4], 32), (1, 23))
    way = SPLIT + signed(0) + b"\x18"
    yield of("kinds", "split: integers that are 0, for +0, a NaN and a subnormal", kinds, integers, way, fine=[b"\0" + bits])
    squeezed = b"\1" + varint(len(bits)) + brotli.compress(bits)
    yield of("brotli", "the same, its fine bits in a Brotli stream", kinds, integers, way, fine=[squeezed])
    none = Signal(np.array([0.0, -0.0, np.inf], np.float16))
    flags = string((0, 1), (1, 1), (1, 1), (pattern(-0.0, 16), 16), (pattern(np.inf, 16), 16))
    yield of("constant", "split: all integers are 0", none, [0, 0, 0], SPLIT + signed(15) + b"\1", fine=[b"\0" + flags], bits=0)
    digits = Signal(np.array([[3.5, -2], [1.25, 7]], np.float64), "audio", 0, 1)
    tiles = [b"\0" + string((1, 1), (0, 1)), b"\0" + string((1, 2), (0, 0))]
    yield of("digits", "split: mantissas of 3 bits; two tiles", digits, [3, -2, 1, 7], SPLIT + signed(0) + b"\3", fine=tiles, sizes=[1])
    least = Signal(np.array([2.0**-148, 3 * 2.0**-149], np.float32))
    yield of("least", "split: no bits are below", least, [2, 3], SPLIT + signed(-149) + b"\x18", fine=[b"\0"])


def lossy() -> Iterable[Recipe]:
    """What a network says of floats, of each way."""
    made = tone(200, 1, 16, np.int16)
    common: dict[str, Any] = {"profile": "inr", "payload": False, "steps": 30, "weights": "uniform", "until": "psnr=20"}
    few = made.astype(np.float32) / np.float32(32768)
    yield by_encoder("inr-float-fixed", "float32 sound, fitted to a PSNR", sound(few), LINE, **common)
    yield by_encoder("inr-float-quotient", "float64 sound, fitted to a PSNR", sound(made / 32767), LINE, **common)

    def of(name: str, what: str, signal: Signal, float_map: bytes, offset: int, step: int = 1, bits: int = 12) -> Recipe:
        spec = NetworkSpec(signal, bits, form=VALUES, scales={1: (3 << 10, 0)})

        def make() -> bytes:
            net = spec.content()
            front = head(signal, 129, bits=bits, offset=offset, step=step, float_map=float_map)
            return file_of([(b"HEAD", front), (b"NETW", net), (b"TIDX", varint(len(signal.samples)))])

        return recipe(f"inr-float-{name}", what, signal, make, LINE, lossy=True)

    halves = Signal(np.linspace(-60000, 60000, 17).astype(np.float16))
    yield of("bits", "float16, bits: limited to infinity", halves, BITS, -32000, 16)
    yield of("rounded", "float16, fixed: rounded, and limited to the largest", halves, FIXED + signed(3), -30000, 15)
    yield of("split", "float16, split: as fixed", halves, SPLIT + signed(5) + b"\x0b", -4000, 2)
    yield of(
        "narrow",
        "float32, narrow: limited to the infinities of bfloat16",
        Signal(halves.samples.astype(np.float32)),
        NARROW + b"\1",
        -34000,
        17,
    )
    zeros = extended(FIXED, signed(3), two_zeros=True)
    yield of("two-zeros", "float16, fixed, two zeros: rounded, and limited to the largest", halves, zeros, -30000, 15)
    yield of("two-zeros-tiny", "float16, product, two zeros: −0 too", halves, extended(PRODUCT, factor(2.0**-20), two_zeros=True), -2048)
    holes = extended(QUOTIENT, factor(0.125), (0x7E00, -2047), two_zeros=True)
    yield of("missing", "float16, quotient, two zeros, a missing value", halves, holes, -2048)
    yield of("tiny", "float16, product: 0 below the smallest normal number", halves, PRODUCT + factor(2.0**-20), -2048)
    wide = Signal(np.linspace(-6e9, 6e9, 17))
    yield of("wide", "float64, quotient: limited to integers of 2^53", wide, QUOTIENT + factor(7.0), -(2**54), 2**43)
    yield of("high", "float64, fixed: limited to integers of 64 bits", wide, FIXED + signed(-5), 2**62, 2**51 - 1)


def faulty_maps() -> Iterable[Recipe]:
    whole = Signal(np.array([1, -2, 3], np.float32))

    def of(name: str, what: str, float_map: bytes, integers: Sequence[int] = (1, -2, 3), **about: Any) -> Recipe:
        return fault(f"float-{name}", f"HEAD: {what}", partial(stored_floats, whole, list(integers), float_map, **about))

    for way in (6, 63):
        yield of(f"way-{way}", f"a way of {way} to map floats", bytes([way]))
    for way in (0, 4, 5):
        needs = (b"", b"", b"", b"", signed(0) + b"\x18", b"\0")[way]
        yield of(f"two-zeros-{way}", f"two zeros in a way of {way}", bytes([way | TWO_ZEROS]) + needs)
        yield of(f"missing-{way}", f"a missing value in a way of {way}", bytes([way | MISSING]) + varint(1) + signed(9) + needs)
    yield of("missing-pattern", "a missing value of 33 bits", extended(FIXED, signed(0), (1 << 32, 9)))
    yield of("missing-number", "2^31 as the number of a missing value", extended(FIXED, signed(0), (1, 1 << 31)))
    yield of("missing-number-low", "−2^31 as the number of a missing value", extended(FIXED, signed(0), (1, -(1 << 31))))
    yield of("missing-short", "a missing value cut short", extended(FIXED, b"", (1, 9))[:2])
    yield of("missing-digits", "a missing value, and an integer that no float32 is", extended(FIXED, signed(0), (1, 9)), [9, -2, 2**24 + 1])
    for form, name in ((2, "binary32"), (3, "format 3")):
        yield of(f"narrow-{form}", f"float32 made from {name}", NARROW + bytes([form]))
    for low in (2**15, -(2**15) - 1):
        name = f"narrow-{low}".replace("--", "-minus-")
        yield of(name, f"an integer of {low} as binary16", NARROW + b"\0", [1, -2, low])
    half = Signal(np.array([1, -2], np.float16))
    for form, name in ((0, "binary16"), (1, "bfloat16")):
        narrow = partial(stored_floats, half, [1, -2], NARROW + bytes([form]))
        yield fault(f"float-narrow-half-{form}", f"HEAD: float16 made from {name}", narrow)
    yield of("exponent-low", "2^-150 as the unit of float32", FIXED + signed(-150))
    yield of("exponent-high", "2^128 as the unit of float32", FIXED + signed(128))
    yield of("digits-0", "floats of no digits", SPLIT + signed(0) + b"\0", fine=[b"\0"])
    yield of("digits-25", "float32 of 25 digits", SPLIT + signed(0) + b"\x19", fine=[b"\0"])
    for name, number in (("0", 0.0), ("minus-0", -0.0), ("infinite", np.inf), ("nan", np.nan), ("subnormal", 2.0**-1023)):
        yield of(f"factor-{name}", f"a factor that is {name}", PRODUCT + factor(number))
    yield of("factor-short", "a factor cut short", PRODUCT + factor(1.0)[:5])
    yield of("depth", "float32 of 24 bits", FIXED + signed(0), depth=24)
    yield of("1-byte", "floats of 1 byte", FIXED + signed(0), sort=3)
    yield of("offset", "an offset beyond the integers", FIXED + signed(0), offset=-(2**31) - 1)
    yield of("digits-fixed", "fixed: an integer that no float32 is", FIXED + signed(0), [1, -2, 2**24 + 1])
    yield of("beyond-fixed", "fixed: beyond the largest float32", FIXED + signed(127), [1, -2, 3])
    yield of("beyond-product", "product: beyond the largest float32", PRODUCT + factor(2.0**127))
    yield of("subnormal-product", "product: a subnormal float32", PRODUCT + factor(2.0**-127))
    yield of("zero-quotient", "quotient: rounded to 0", QUOTIENT + factor(2.0**200))
    yield of("digest-sign", "−0 is coded, and +0 in the digest", BITS, [-1, 1, 2])
    wide = Signal(np.array([1.0, 2.0]))
    many = partial(stored_floats, wide, [1, 2**53 + 2], QUOTIENT + factor(1.0))
    yield fault("float-quotient-54", "quotient: an integer above 2^53", many)


def faulty_fine() -> Iterable[Recipe]:
    signal = Signal(np.array([1.5, 0.0, -2.0], np.float32))
    right = string((0, 1), (2**22, 23), (0, 22))
    way = SPLIT + signed(0) + b"\x18"

    def of(name: str, what: str, fine: bytes, integers: Sequence[int] = (1, 0, -2), float_map: bytes = way) -> Recipe:
        return fault(f"float-fine-{name}", f"fine bits: {what}", partial(stored_floats, signal, list(integers), float_map, fine=[fine]))

    yield of("mode", "mode 2", b"\2" + right)
    yield of("none", "no mode", b"")
    yield of("short", "a byte less", b"\0" + right[:-1])
    yield of("long", "a byte more", b"\0" + right + b"\0")
    yield of("filled", "a bit that fills is set", b"\0" + right[:-1] + bytes([right[-1] | 1]))
    yield of("brotli", "a damaged Brotli stream", b"\1" + varint(len(right)) + right)
    yield of("brotli-size", "a Brotli stream of another length", b"\1" + varint(len(right) + 1) + brotli.compress(right))
    yield of("brotli-large", "more than there can be", b"\1" + varint(14) + brotli.compress(bytes(14)))
    yield of("digits", "an integer of more digits", b"\0" + right, (1, 0, -(2**24)))
    yield of("beyond", "beyond the largest float32", b"\0" + right, (1, 0, -2), SPLIT + signed(127) + b"\x18")
    sections = stored_floats(signal, [1, 0, -2], way, fine=[b"\0" + right])
    for name, what, content in (
        ("missing", "no length of what is coded", b""),
        ("coded-long", "coded bytes beyond the end", varint(99) + sections[2][1][1:]),
        ("coded-short", "coded bytes that end early", varint(3) + sections[2][1][1:]),
    ):
        yield fault(f"float-tile-{name}", f"a tile of split floats: {what}", [sections[0], *tiled([content], [3])])
