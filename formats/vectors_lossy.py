"""Conformance vectors of what a network alone gives (SPEC.md 17): lossy files, and networks that were cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from vector_tools import (
    BITLINEAR,
    COLOUR,
    FILTERS,
    GAUSSIAN,
    GELU,
    GRAY,
    SCALES,
    SIREN,
    VALUES,
    VECTORS,
    NetworkSpec,
    Recipe,
    Signal,
    View,
    by_encoder,
    coded,
    file_of,
    lossy,
    picture,
    recipe,
    tone,
)

IMAGE = Signal(picture(9, 7, 3, 6), "image", 6)
SIZES = (View(), View(size=(1, 20)), View(size=(4, 3)), View(size=(18, 14)))
FACTORS: dict[str, Any] = {"order": [1, 2, 0], "factors": [2000, -3000, 1500]}
SUPERNET: dict[str, Any] = {"widths": [2, 5], "depths": [1, 3], "hidden": 5, "layers": 3, "errors": [400, 300, 200, 100]}
SUPERNET_OF_VALUES: dict[str, Any] = {**SUPERNET, "form": VALUES, **FACTORS, "halvings": [0, 1, 2]}
CONFIGURATIONS = tuple(View(configuration=(layers, hidden)) for hidden in (2, 5) for layers in (1, 3))


def by_fit() -> Iterable[Recipe]:
    """What the encoder writes."""
    signal = Signal(picture(16, 12, 3, 8, seed=3), "image", metadata={"xmp": b"<x/>"})
    sound = Signal(tone(200, 2, 16, np.int16), "audio", 0, 8000)
    common: dict[str, Any] = {"profile": "inr", "payload": False, "steps": 40, "weights": "uniform"}
    more = (*SIZES, View(more_bits=4), View((24, 5), 8))
    yield by_encoder("inr-fit-values", "a network of values with cells, fitted to a rate", signal, more, **common, until="rate=12")
    yield by_encoder("inr-fit-sound", "a sound, fitted to a PSNR", sound, (View(), View((399,), 2)), **common, until="psnr=20")
    heads = {"network": "heads", "hidden": 12, "layers": 2}
    yield by_encoder("inr-fit-heads", "a network of bits", signal, SIZES, **common, until="mdl", **heads)
    supernet = tuple(View(configuration=(layers, hidden)) for hidden in (4, 9) for layers in (1, 2))
    options = {"network": "values", "supernet": "1,2x4,9"}
    yield by_encoder("inr-fit-supernet", "four networks in one", signal, supernet, **common, until="mdl", **options)


def by_hand() -> Iterable[Recipe]:
    """Of random networks: every form, and what becomes of values."""
    files: dict[str, tuple[str, dict[str, Any], Sequence[View]]] = {
        "bits": ("an output per bit", {}, SIZES),
        "bits-gray": ("an output per bit of a Gray code, octaves", {"flags": GRAY, "octaves": 3}, SIZES),
        "bits-colour": ("a coordinate of the channel", {"flags": COLOUR, "activation": GAUSSIAN}, SIZES),
        "siren": (
            "a coordinate of the bit, 16 places: 10 more bits",
            {"form": SIREN, "bit_places": 16},
            (*SIZES, View(more_bits=10), View((9, 2), 3)),
        ),
        "siren-gray": (
            "a coordinate of the bit, Gray code, 16 places: no more bits",
            {"form": SIREN, "bit_places": 16, "flags": GRAY},
            SIZES,
        ),
        "bitlinear": ("a network per bit", {"form": BITLINEAR, "activation": GELU, "octaves": 2}, SIZES),
        "means": ("values, with factors", {"form": VALUES, **FACTORS}, (*SIZES, View(more_bits=24), View((3, 13), 10))),
        "means-scales": ("values and scales, filters", {"form": VALUES, **FACTORS, "flags": SCALES, "body": FILTERS, "layers": 2}, SIZES),
        "means-limited": (
            "values beyond their range",
            {"form": VALUES, **FACTORS, "scales": {1: (3 << 12, 0)}},
            (View(), View(more_bits=1), View(more_bits=24)),
        ),
        "grid": (
            "cells, hashed and direct",
            {"form": VALUES, "levels": [(1, 2, 0), (0, 1, 5), (2, 3, 128), (0, 3, 131)], "activation": GELU},
            (*SIZES, View((17, 13), 24)),
        ),
        "grid-siren": ("cells and a coordinate of the bit", {"form": SIREN, "levels": [(1, 2, 0)]}, SIZES),
        "sinr": ("sparse matrices", {"coding": 3, "octaves": 1}, SIZES),
        "supernet": ("four networks in one", SUPERNET, (*SIZES, *CONFIGURATIONS)),
        "supernet-values": (
            "four networks of values in one",
            SUPERNET_OF_VALUES,
            (*CONFIGURATIONS, View((4, 17), 5, (1, 2))),
        ),
    }
    for name, (what, options, views) in files.items():
        spec = NetworkSpec(IMAGE, 6, **options)
        yield recipe(f"inr-{name}", what, IMAGE, partial(lossy_file, IMAGE, spec, bits=6), views, lossy=True)


def lossy_file(signal: Signal, spec: NetworkSpec, **options: Any) -> bytes:
    return file_of(lossy(signal, spec, **options))


def of_samples() -> Iterable[Recipe]:
    """How values become samples, and shapes."""
    means = {"form": VALUES, "scales": {1: (3 << 10, 0)}}

    def of(name: str, what: str, signal: Signal, views: Sequence[View], bits: int, spec: dict[str, Any], **options: Any) -> Recipe:
        network = NetworkSpec(signal, bits, **spec)
        return recipe(f"inr-{name}", what, signal, partial(lossy_file, signal, network, bits=bits, **options), views, lossy=True)

    more = (View(), View(more_bits=3), View((5,), 7))
    line = Signal(np.array([-30, -23, 5, 19], np.int8), "array", 6)
    yield of("map", "offset −30, step 7: samples are limited to 6 bits", line, more, 4, means, offset=-30, step=7)
    offset = Signal(np.array([90, 91, 92, 93], np.uint8), "array", 7)
    yield of("map-high", "an offset that does not fit the depth, and a tile index of tiles", offset, more, 3, means, offset=130, sizes=[2])
    wide = Signal(np.array([2**63, 2**63 + 5, 2**64 - 1], np.uint64))
    yield of("64-bits", "values of 64 bits, of uint64", wide, (View(), View((7,))), 64, {"gains": [1]})
    signed = Signal(np.array([-(2**63), 5, 2**63 - 1], ">i8"))
    yield of(
        "64-bits-signed", "values of 64 bits, of int64, big-endian", signed, (View(), View((7,))), 64, {"form": SIREN}, offset=-(2**63)
    )
    far = Signal(np.array([0, 2**63, 0], np.uint64))
    yield of("step-2p63", "step 2^63", far, (View(), View((8,))), 1, {"form": BITLINEAR}, step=2**63)
    steps = Signal(np.array([0, 2**40, 0], np.uint64))
    yield of("step-limited", "a step that takes values beyond 64 bits", steps, (View(), View((8,))), 24, means, step=2**40)
    black = Signal(picture(6, 5, 1, 1, bool), "image")
    yield of("bool", "an image of bool, and more bits of it", black, (View(), View((3, 9)), View(more_bits=7), View((4, 4), 15)), 1, means)
    stack = Signal((np.indices((2, 3, 1, 4)).sum(0) * 9).astype(">i2"), "array", 12)
    yield of(
        "4-axes",
        "an array of 4 axes, big-endian",
        stack,
        (View(), View((3, 2, 5, 4)), View(more_bits=6), View((1, 1, 2, 9), 18)),
        6,
        {"form": VALUES, "levels": [(1, 1, 0), (0, 1, 128)], "activation": GELU},
        offset=-20,
    )
    sound = Signal(tone(40, 8, 16, np.int16), "audio", 0, 8000)
    yield of(
        "sound-8-channels",
        "a sound of 8 channels",
        sound,
        (View(), View((79,)), View((9,), 14)),
        16,
        {"form": VALUES, "factors": [500, -70]},
        offset=-(2**15),
    )


def of_known_samples() -> Iterable[Recipe]:
    """Files that are not lossy: bits below those of their samples, and what their networks alone say."""
    views = (View(), View(size=(5, 9)), View(more_bits=5), View(more_bits=5, known=True), View(more_bits=1, known=True))
    specs = {
        "siren": NetworkSpec(IMAGE, 6, SIREN, bit_places=11),
        "values": NetworkSpec(IMAGE, 6, VALUES, factors=[800, -900, 2500]),
    }
    for name, spec in specs.items():
        yield recipe(
            f"inr-deeper-{name}", f"{name}: more bits of known samples", IMAGE, partial(coded, IMAGE, spec, bits=6, sizes=[5, 7]), views
        )
    line = Signal(np.array([-30, -23, 5, 19], np.int8), "array", 6)
    spec = NetworkSpec(line, 3, VALUES)
    known = (View(), View(more_bits=4, known=True), View(more_bits=20, known=True))
    yield recipe(
        "inr-deeper-map", "values of step 7: more bits of known samples", line, lambda: coded(line, spec, bits=3, offset=-30, step=7), known
    )


def cut() -> Iterable[Recipe]:
    """Files that end within the strings of a network's parts. Networks that are whole are still there."""
    for file, options in (("supernet", SUPERNET), ("supernet-values", SUPERNET_OF_VALUES)):
        for number in range(1, 4):
            yield recipe(
                f"inr-{file}-cut-{number}",
                f"the beginning of inr-{file}.linr: {number} of four networks",
                None,
                partial(cut_after, f"inr-{file}", options, number),
                CONFIGURATIONS[:number],
                whole=f"lossy/inr-{file}.linr",
            )


def cut_after(file: str, options: dict[str, Any], parts: int) -> bytes:
    """The beginning of a file in which so many parts of its network are whole, and some bytes more."""
    data = (VECTORS / "lossy" / f"{file}.linr").read_bytes()
    spec = NetworkSpec(IMAGE, 6, **options)
    strings = list(spec.strings(np.random.default_rng(spec.setting)))
    end = data.index(strings[0]) + sum(map(len, strings[:parts]))
    return data[: end + (len(strings[parts]) - 1) * (parts % 2)]
