"""Conformance vectors of turned arrays in the profile `hybrid` (SPEC.md 21.8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import linr
import numpy as np
from vector_tools import Array, Recipe, Sections, Signal, by_encoder, encoded, fault, faultless, head, picture, recipe, tiled

from inrcodec.profiles.hybrid import turned


def steep(height: int, width: int) -> Array:
    """Lines that are told by what is below them."""
    rng = np.random.default_rng(height)
    lines = np.cumsum(rng.integers(0, 9, (height, width)), 0)
    found: Array = (lines[::-1] * rng.integers(1, 4, (1, width))).astype(np.int16)
    return found


def subset() -> Iterable[Recipe]:
    told = "hybrid: array of two axes, coded from below"
    yield by_encoder("hybrid_turned", told, Signal(steep(40, 30)), profile="hybrid", effort=4)


def uncommon() -> Iterable[Recipe]:
    for way in range(1, 8):
        for kind, channels in (("array", 1), ("image", 3)):
            samples = picture(13, 22, channels, 8, seed=way)
            told = f"hybrid: {'an' if kind[0] in 'ai' else 'a'} {kind} of {channels} channels, turned in way {way}"
            signal = Signal(samples, kind)
            yield recipe(f"hybrid_turned_{kind}_{way}", told, signal, partial(coded, signal, way))


def coded(signal: Signal, way: int) -> Sections:
    """All sections of a signal of two coordinate axes, which the encoder codes as pictures or arrays when it is turned."""
    values = signal.samples.reshape(*signal.axes, signal.channels)
    samples = turned.turn(values, way)
    inner = replace(signal, samples=samples if signal.channel_axis else samples[..., 0])
    data, _ = encoded(inner, profile="hybrid", effort=1 + way % 3)
    sections, tiles = linr.read_sections(data)
    told = linr.read_head(sections[b"HEAD"])
    header = head(signal, 2, bits=told.bits, offset=told.offset, step=told.step)
    return [(b"HEAD", header), (b"HYBR", bytes([5, way]) + sections[b"HYBR"]), *tiled(tiles, signal.axes)]


def faulty() -> Iterable[Recipe]:
    right = faultless(coded(Signal(picture(13, 22, 1, 8)), 7))
    inner = right[1][1][2:]

    def of(name: str, what: str, plan: bytes, sections: Sections = right) -> Recipe:
        return fault(f"hybrid_turned_{name}", f"HYBR of a turned array: {what}", [sections[0], (b"HYBR", plan), *sections[2:]])

    yield of("way_0", "turned in way 0", b"\5\0" + inner)
    yield of("way_8", "turned in way 8", b"\5\10" + inner)
    yield of("way_none", "it ends after its first byte", b"\5")
    yield of("nothing", "it ends after the way", b"\5\7")
    yield of("twice", "an array that is turned twice", b"\5\1\5\6" + inner)
    yield of("sound", "a sound in it", b"\5\7\3" + inner[1:])
    cube = Signal(np.zeros((1, 13, 22), np.uint8))
    yield of("axes_3", "of three axes", b"\5\1" + inner, [(b"HEAD", head(cube, 2, bits=8)), right[1], *tiled([right[3][1]], cube.axes)])
    halves = tiled([right[3][1]] * 2, (13, 11))
    yield of("tiles", "of two tiles", b"\5\7" + inner, [*right[:2], *halves])
