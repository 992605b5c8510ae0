"""Conformance vectors of stacks, of signed and float pictures and those of many channels, of complex numbers and bfloat16 (SPEC.md 2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from vector_tools import Array, Recipe, Signal, by_encoder, fault, head, picture, recipe, signed, stored, stored_tile, tiled, tone
from vectors_floats import BITS, FIXED, stored_floats


def ordered(patterns: Sequence[int], width: int) -> list[int]:
    """The integers of patterns of bits, in the order of the numbers."""
    half = 1 << width - 1
    return [n if n < half else half - 1 - n for n in patterns]


def words(samples: Array, width: int) -> list[int]:
    """The integers of the floats in samples."""
    unsigned = np.dtype(f"u{width // 8}").newbyteorder(samples.dtype.byteorder)
    return ordered([int(n) for n in samples.view(unsigned).reshape(-1)], width)


def brain() -> Signal:
    """bfloat16: all kinds of floats."""
    patterns = [0, 0x8000, 1, 0x8001, 0x7F, 0x80, 0x3F80, 0xBF80, 0x7F7F, 0xFF7F, 0x7F80, 0xFF80, 0x7F81, 0xFFC0, 0x7FFF, 0xFFFF]
    return Signal(np.array(patterns, np.uint16).reshape(4, 4), bfloat16=True)


def rotating() -> Array:
    """(12, 10) complex64: a turning vector."""
    wave = tone(120, 2, 12, np.int16).astype(np.float32) / np.float32(2048)
    return wave.view(np.complex64).reshape(12, 10)


def subset() -> Iterable[Recipe]:
    grey, colour = picture(12, 14, 1, 8), picture(12, 14, 3, 8)
    pages = np.stack([grey, grey // 2 + 3, grey // 3 + 9])
    wide = (picture(9, 8, 1, 16).astype(np.int64) * 65000 - 2**31).astype(np.int32)
    turning = rotating().astype(np.complex128).reshape(10, 6, 2)
    files: dict[str, tuple[str, Signal, str]] = {
        "stack-grey": ("a stack of three grey pictures", Signal(pages, "stack"), "hybrid"),
        "stack-rgb": ("a stack of two RGB pictures", Signal(np.stack([colour, colour[::-1]]), "stack"), "hybrid"),
        "stack-stored": ("a stack of pictures of 12 bits", Signal(pages.astype(np.uint16) * 8, "stack", 12), "stored"),
        "image-signed": ("a picture of int16", Signal(grey.astype(np.int16) - 100, "image"), "hybrid"),
        "image-int32": ("a picture of int32", Signal(wide, "image"), "stored"),
        "image-float32": ("a picture of float32", Signal(np.sqrt(colour.astype(np.float32)), "image"), "stored"),
        "image-7-bands": ("a picture of 7 channels", Signal(picture(10, 9, 7, 8), "image"), "hybrid"),
        "complex64": ("an array of complex64", Signal(rotating()), "stored"),
        "complex128-image": (
            "a picture of complex128, two channels",
            Signal(turning, "image"),
            "stored",
        ),
        "bfloat16": ("bfloat16 of all kinds", brain(), "stored"),
    }
    for name, (what, signal, profile) in files.items():
        yield by_encoder(f"kind-{name}", what, signal, profile=profile, effort=1)
    network: dict[str, Any] = {
        "profile": "inr",
        "network": "heads",
        "hidden": 8,
        "layers": 1,
        "steps": 20,
        "weights": "uniform",
        "until": "mdl",
    }
    yield by_encoder("kind-stack-inr", "a stack in the profile inr", Signal(pages[:, :6, :7] >> 5, "stack", 8), **network)


def uncommon() -> Iterable[Recipe]:
    signal = brain()
    numbers = ordered([int(n) for n in signal.samples.reshape(-1)], 16)
    big = Signal(signal.samples.astype(">u2"), "image", bfloat16=True)
    yield recipe("kind-bfloat16-be", "a picture of big-endian bfloat16", big, partial(stored_floats, big, numbers, BITS))
    pairs = rotating()[:3].astype(">c16")
    audio = Signal(pairs)
    yield recipe("kind-complex128-be", "big-endian complex128", audio, partial(stored_floats, audio, words(pairs, 64), BITS, sizes=(2, 10)))
    whole = Signal(np.array([[[1, -2], [3, 0], [0, -4]]], np.float32).view(np.complex64)[..., 0], "image")
    fixed = partial(stored_floats, whole, [1, -2, 3, 0, 0, -4], FIXED + signed(0))
    yield recipe("kind-complex64-fixed", "a picture of complex64 whose parts are integers", whole, fixed)
    many = Signal(picture(3, 2, 64, 8), "image")
    yield recipe("kind-64-channels", "a picture of 64 channels", many, lambda: stored(many, bits=8, modes=[2]))
    one = Signal(np.arange(6, dtype=np.int8).reshape(1, 2, 3, 1) - 3, "stack", 3)
    yield recipe("kind-stack-1-page", "a stack of one page and one channel, signed", one, lambda: stored(one, bits=3, offset=-3))
    cut = Signal(np.stack([picture(5, 4, 2, 8)] * 3), "stack")
    yield recipe("kind-stack-tiles", "a stack of tiles that are cut along all axes", cut, lambda: stored(cut, bits=8, sizes=(2, 3, 4)))


def faulty() -> Iterable[Recipe]:
    grid = Signal(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    tile = stored_tile(grid.samples.reshape(2, 3, 4, 1), 5, 0)

    def of(name: str, what: str, signal: Signal, sizes: Sequence[int], **change: Any) -> Recipe:
        return fault(f"kind-{name}", f"HEAD: {what}", [(b"HEAD", head(signal, bits=5, **change)), *tiled([tile], sizes)])

    yield of("4", "kind 4", grid, (2, 3, 4), kind=4)
    yield of("stack-2d", "a stack of 2 dimensions", grid, (6, 4), kind=3, shape=(6, 4))
    yield of("stack-exchanged", "a stack instead of an array", grid, (2, 3, 4), kind=3)
    bands = Signal(np.zeros((1, 1, 65), np.uint8), "image")
    yield fault("kind-image-65", "HEAD: a picture of 65 channels", stored(bands, bits=1))
    pages = Signal(np.zeros((1, 1, 1, 65), np.uint8), "stack")
    yield fault("kind-stack-65", "HEAD: a stack of pictures of 65 channels", stored(pages, bits=1))
    half = Signal(np.array([1, 2], np.float16))
    sections = partial(stored_floats, half, [15360, 16384], BITS)
    yield fault("kind-complex-half", "HEAD: complex numbers of float16", partial(sections, sort=half.sort | 16))
    yield fault("kind-bfloat16-pairs", "HEAD: complex numbers of bfloat16", partial(sections, sort=half.sort | 16 | 64))
    yield fault("kind-bfloat16-exchanged", "HEAD: bfloat16 instead of float16", partial(sections, sort=half.sort | 64))
    single = Signal(np.array([1, 2], np.float32))
    yield fault(
        "kind-bfloat16-4", "HEAD: bfloat16 of 4 bytes", partial(stored_floats, single, [1, 2], FIXED + signed(0), sort=single.sort | 64)
    )
    brains = Signal(np.array([0x3F80, 0x4000], np.uint16), bfloat16=True)
    yield fault("kind-bfloat16-fixed", "bfloat16 by way 1", partial(stored_floats, brains, [1, 2], FIXED + signed(0)))
    turn = Signal(np.array([1 + 2j], np.complex64))
    fixed = partial(stored_floats, turn, [1, 2], FIXED + signed(0))
    yield fault("kind-complex-depth", "HEAD: complex64 of 32 bits", partial(fixed, depth=32))
    yield fault("kind-complex-type-bit-7", "HEAD: bit 7 of the sample type", partial(fixed, sort=turn.sort | 128))
    yield fault("kind-complex-order", "complex64: the imaginary part first", partial(stored_floats, turn, [2, 1], FIXED + signed(0)))
    sound = Signal(np.array([1 + 2j], np.complex64), "audio", 0, 8000)
    yield fault("kind-complex-sound", "HEAD: a sound of complex numbers", partial(stored_floats, sound, [1, 2], FIXED + signed(0)))
