"""Conformance vectors of the profile `stored` (SPEC.md 5): all kinds of signals, and the modes of tiles."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import partial

import brotli
import numpy as np
from vector_tools import SMALL, Recipe, Sections, Signal, by_encoder, fault, head, noise, picture, recipe, small_stored, stored, tiled, tone


def subset_images() -> Iterable[Recipe]:
    names = {1: "grey", 2: "ga", 3: "rgb", 4: "rgba"}
    for channels, name in names.items():
        for bits in (1, 8, 12, 16):
            signal = Signal(picture(11, 13, channels, bits), "image", bits)
            what = f"image, {channels} channel{'s' * (channels > 1)}, {bits} bit, {signal.samples.dtype}"
            yield by_encoder(f"image-{name}-{bits}", what, signal, profile="stored")
    yield by_encoder("image-grey-bool", "image of type bool", Signal(picture(9, 17, 1, 1, bool), "image"), profile="stored")
    yield by_encoder("image-grey-1x1", "image of 1×1", Signal(picture(1, 1, 1, 8), "image"), profile="stored")
    yield by_encoder("image-rgb-1x9", "image of one row", Signal(picture(1, 9, 3, 8), "image"), profile="stored")
    constant = Signal(np.full((30, 40, 3), 77, np.uint8), "image")
    yield by_encoder("image-rgb-constant", "constant image: bits 0, an empty tile", constant, profile="stored")


def subset_sounds() -> Iterable[Recipe]:
    for bits, dtype in ((8, np.int8), (16, np.int16), (24, np.int32), (32, np.int32)):
        for channels, name in ((1, "mono"), (2, "stereo")):
            signal = Signal(tone(150, channels, bits, dtype), "audio", bits, 44100)
            yield by_encoder(f"audio-{name}-{bits}", f"sound, {name}, {bits} bit", signal, profile="stored")
    silence = Signal(np.zeros((1000, 2), np.int16), "audio", 0, 8000)
    yield by_encoder("audio-silence", "constant sound: bits 0", silence, profile="stored")


def subset_arrays() -> Iterable[Recipe]:
    shapes = ((41,), (7, 6), (3, 4, 5), (2, 3, 1, 7))
    types = ("?", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", ">u2", ">i2", ">u4", ">i4", ">u8", ">i8")
    for code, shape in zip(types, itertools.cycle(shapes), strict=False):
        name = f"{np.dtype(code).name}{'-be' if code[0] == '>' else ''}"
        what = f"array of {np.dtype(code).name}{', big-endian' * (code[0] == '>')}, {len(shape)} dimensions, with the type's extremes"
        yield by_encoder(f"array-{name}", what, Signal(noise(shape, code)), profile="stored")
    yield by_encoder("array-1", "array of one sample", Signal(np.array([-5], np.int32)), profile="stored")
    stepped = Signal((np.arange(60, dtype=np.int32).reshape(5, 12) * 37 % 41) * 10 - 200)
    yield by_encoder("array-step", "multiples of 10 from −200 on: offset and step", stepped, profile="stored")
    constant = Signal(np.full((1100, 1000), -(2**63), np.int64))
    yield by_encoder("array-constant-large", "constant, and more samples than a tile of the encoder has", constant, profile="stored")
    sparse = np.zeros(2**20 + 77, np.uint8)
    sparse[:: 2**17] = 200
    yield by_encoder("array-large", "more samples than a tile of the encoder has, nearly all 0", Signal(sparse), profile="stored")


def subset_modes() -> Iterable[Recipe]:
    for mode in range(4):
        for bits, channels, sizes in ((12, 3, (5, 4)), (5, 1, (9, 3)), (16, 4, (11, 13))):
            signal = Signal(picture(11, 13, channels, bits, np.uint16, mode), "image", bits)
            what = f"mode {mode}, {bits} bits, {channels} channel{'s' * (channels > 1)}, tiles of {sizes[0]}×{sizes[1]}"
            yield recipe(
                f"stored-mode{mode}-{bits}bit",
                what,
                signal,
                partial(stored, signal, bits=bits, modes=[mode], sizes=sizes),
            )
        signal = Signal(noise((7, 3), "<i8", mode))
        yield recipe(
            f"stored-mode{mode}-64bit",
            f"mode {mode}, 64 bits",
            signal,
            partial(stored, signal, bits=64, offset=-(2**63), modes=[mode]),
        )
    signal = Signal(tone(100, 2, 16, np.int16), "audio", 0, 48000)
    yield recipe(
        "stored-modes-mixed",
        "stereo sound in tiles of 17 frames, all modes in turn",
        signal,
        lambda: stored(signal, bits=16, offset=-(2**15), modes=range(4), sizes=[17]),
    )


def uncommon() -> Iterable[Recipe]:
    for bits in (9, 33, 57):
        odd = Signal(np.array([0, 2**bits - 1, 12345 % 2**bits, 2 ** (bits - 1)], np.uint64)[:, None])
        yield recipe(
            f"stored-{bits}bit",
            f"{bits} bits, a tile per sample, all modes",
            odd,
            partial(stored, odd, bits=bits, modes=range(4), sizes=[1, 1]),
        )


def faulty() -> Iterable[Recipe]:
    header, *_ = small_stored()
    values = SMALL.raw

    def with_tile(content: bytes) -> Sections:
        return [header, *tiled([content], [5])]

    yield fault("tile-empty", "a tile without its mode", with_tile(b""))
    yield fault("tile-mode-4", "mode 4", with_tile(b"\4" + values))
    yield fault("tile-mode0-short", "mode 0 with a byte too few", with_tile(b"\0" + values[:-1]))
    yield fault("tile-mode0-long", "mode 0 with a byte too many", with_tile(b"\0" + values + b"\0"))
    for mode in (1, 2, 3):
        stream = brotli.compress(values)
        tiles = {
            "no-brotli": ("not a Brotli stream", b"\xff" * 9),
            "nothing": ("no stream", b""),
            "ends-early": ("a Brotli stream that ends early", stream[:-1]),
            "goes-on": ("a Brotli stream followed by a byte", stream + b"\0"),
            "short": ("a Brotli stream of a byte too few", brotli.compress(values[:-1])),
            "long": ("a Brotli stream of a byte too many", brotli.compress(values + b"\0")),
            "bomb": ("a Brotli stream of 64 MiB", brotli.compress(bytes(1 << 26))),
        }
        for name, (what, content) in tiles.items():
            yield fault(f"tile-mode{mode}-{name}", f"mode {mode}: {what}", with_tile(bytes([mode]) + content))
    for mode in (1, 2):
        # The digest matches: the fault is only that 250 has more than 7 bits.
        content = bytes([mode]) + brotli.compress(values)
        yield fault(
            f"tile-mode{mode}-value",
            f"mode {mode}: a value of 8 bits where there are 7",
            [(b"HEAD", head(SMALL, bits=7)), *tiled([content], [5])],
        )
