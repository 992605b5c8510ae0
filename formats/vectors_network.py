"""Conformance vectors of the profile `inr`: NETW (SPEC.md 6), sparse matrices (7) and tiles (9); vectors_faults.py has the faulty ones."""

from __future__ import annotations

from collections.abc import Iterable
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
    HEADS,
    NORMALIZED,
    RECURRENT,
    SCALES,
    SIREN,
    UNBIASED,
    VALUES,
    NetworkSpec,
    Recipe,
    Signal,
    View,
    by_encoder,
    coded,
    exact,
    noise,
    picture,
    recipe,
    tone,
)

FORMS = {
    "heads": "an output per bit",
    "siren": "a coordinate of the bit",
    "bitlinear": "a network per bit",
    "values": "a mean per value",
}
NUMBERS = {"heads": HEADS, "siren": SIREN, "bitlinear": BITLINEAR, "values": VALUES}
LITTLE = Signal(picture(7, 6, 1, 4), "image", 4)
COLOURS = Signal(picture(7, 6, 3, 5), "image", 5)
# All bits are 1 with a gain of 0: the string is one of zeros.
MANY_ONES = Signal(np.full(400, 15, np.uint8), "array", 4)
SPEC_OF_ONES = NetworkSpec(MANY_ONES, 4, gains=[0])
Specs = dict[str, tuple[str, dict[str, Any]]]


# What the encoder writes


def subset_weights() -> Iterable[Recipe]:
    codings: dict[str, dict[str, Any]] = {"uniform": {"bits": 6}, "lsq": {"bits": 4}, "ternary": {}, "sinr": {}}
    for network, form in FORMS.items():
        for weights, options in codings.items():
            # A network per bit is large: it gets few of them.
            few = network == "bitlinear"
            signal = Signal(picture(14, 12, 1, 2, seed=1) if few else picture(14, 12, 3, 4, seed=1), "image", 2 if few else 4)
            options = {"network": network, "body": "mlp", "weights": weights, "hidden": 12, "layers": 2, "steps": 30, **options}
            yield by_encoder(f"inr-{network}-{weights}", f"{form}, weights {weights}", signal, profile="inr", until="mdl", **options)


def subset_signals() -> Iterable[Recipe]:
    common: dict[str, Any] = {"profile": "inr", "layers": 2, "steps": 40, "weights": "uniform", "bits": 8}
    small = Signal(picture(8, 8, 1, 8), "image")
    yield by_encoder("inr-exact", "fitted until every bit is right, with the budget of 60 steps", small, **common, hidden=12, until="exact")
    for network, form in FORMS.items():
        signals = {
            "audio-16-stereo": Signal(tone(90, 2, 16, np.int16), "audio", 0, 44100),
            "audio-8-mono": Signal(tone(90, 1, 8, np.int8), "audio", 0, 8000),
            "array-1d-be": Signal(tone(70, 1, 12, ">i4")),
            "array-3d": Signal((np.indices((4, 5, 6)).sum(0) * 100).astype(np.uint16)),
            "array-4d": Signal((np.indices((2, 3, 4, 5)).sum(0) * 3 - 7).astype(np.int8)),
            "image-bool": Signal(picture(12, 9, 1, 1, bool), "image"),
            "image-rgba-8": Signal(picture(9, 8, 4, 8), "image"),
        }
        for name, signal in signals.items():
            hidden = 5 if network == "bitlinear" else 12
            yield by_encoder(f"inr-{network}-{name}", f"{form}: {name}", signal, **common, until="mdl", network=network, hidden=hidden)


def subset_bodies() -> Iterable[Recipe]:
    signal = Signal(picture(14, 12, 3, 6, seed=2), "image", 6)
    common: dict[str, Any] = {"profile": "inr", "until": "mdl", "steps": 40}
    sized = {"weights": "lsq", "hidden": 10, "layers": 3}
    bodies: Specs = {
        "heads-recurrent": ("a recurrent network of bits", {**sized, "network": "heads", "body": "recurrent"}),
        "heads-filters": ("multiplicative filters, bits", {**sized, "network": "heads", "body": "filters"}),
        "heads-grid": ("cells of several sizes and a small network, bits", {"network": "heads", "body": "grid", "hidden": 8}),
        "heads-gaussian": ("Gaussian units", {**sized, "network": "heads", "activation": "gaussian"}),
        "heads-gelu-octaves": ("GELU and octaves", {**sized, "network": "heads", "activation": "gelu", "octaves": 4}),
        "heads-colour": ("a coordinate of the channel, bits", {**sized, "network": "heads", "colour": True}),
        "siren-places": ("a coordinate of the bit, with more places than bits", {**sized, "network": "siren", "bit_places": 10}),
        "values-recurrent": ("a recurrent network of values", {**sized, "body": "recurrent"}),
        "values-filters": ("multiplicative filters, values", {**sized, "body": "filters"}),
        "values-grid": ("cells of several sizes and a small network, values", {"hidden": 8}),
        "values-grid-sinr": ("cells, and a network that is coded by sinr", {"hidden": 8, "weights": "sinr"}),
        "values-colour": ("a coordinate of the channel, values", {**sized, "body": "mlp", "colour": True}),
        "values-mse": ("values fitted by their squared error", {**sized, "body": "mlp", "loss": "mse"}),
        "heads-supernet": ("six networks in one, bits", {"network": "heads", "supernet": "1,2x4,8,12", "weights": "uniform"}),
        "values-supernet": ("six networks in one, values", {"network": "values", "supernet": "1,2x4,8,12", "weights": "uniform"}),
    }
    for name, (what, options) in bodies.items():
        yield by_encoder(f"inr-{name}", what, signal, **common, **options)


def subset_occupancy() -> Iterable[Recipe]:
    """Volumes of one bit, whose networks have a distance beside each error."""
    distances = np.indices((7, 6, 8)) - np.array([3, 2.5, 4])[:, None, None, None]
    ball = Signal((distances**2).sum(0) < 8.5)
    common: dict[str, Any] = {"profile": "inr", "hidden": 8, "steps": 40}
    for weights, bits in (("uniform", 8), ("lsq", 4), ("ternary", 0), ("sinr", 0)):
        yield by_encoder(f"inr-occupancy-{weights}", f"an occupancy field, weights {weights}", ball, **common, weights=weights, bits=bits)
    options: dict[str, Any] = {"supernet": "1,2x4,8", "weights": "uniform", "steps": 40}
    yield by_encoder("inr-occupancy-supernet", "four networks of an occupancy field in one", ball, profile="inr", **options)


def subset_tiles() -> Iterable[Recipe]:
    signal = Signal(picture(13, 11, 3, 6), "image", 6)
    for name, form in NUMBERS.items():
        for gray in (0, GRAY) if form != VALUES else (0, SCALES):
            spec = NetworkSpec(signal, 6, form, flags=gray, octaves=2 * (form == BITLINEAR), order=[1, 0, 2], factors=[2000, -900, 3000])
            what = f"{FORMS[name]}, random weights, tiles of 5×4{', Gray code' if gray == GRAY else ', scales' if gray else ''}"
            file = f"inr-tiles-{name}{'-gray' if gray == GRAY else '-scales' if gray else ''}"
            yield recipe(file, what, signal, partial(coded, signal, spec, bits=6, sizes=[5, 4]))


# What it does not write, at the limits


def of_options(signal: Signal, files: Specs) -> Iterable[Recipe]:
    """Files of a signal: what each is, and the options of its network."""
    for name, (what, options) in files.items():
        spec = NetworkSpec(signal, signal.bit_depth, **options)
        yield recipe(f"inr-{name}", what, signal, partial(coded, signal, spec, bits=signal.bit_depth))


def uncommon_numbers() -> Iterable[Recipe]:
    gelu = {"activation": GELU}
    extras: Specs = {
        "gain-0": ("gain code 0: the logits do not matter", {"gains": [0]}),
        "gain-highest": ("gain code 255", {"gains": [255]}),
        "gain-all": ("different gain codes", {"gains": [1, 15, 16, 90]}),
        "multiplier-0": ("multipliers of 0", {"scales": {0: (0, 0), 1: (0, 62)}}),
        "multiplier-greatest": (
            "multipliers of 2^31 − 1",
            {"matrices": {0: [100, -20]}, "scales": {0: (2**31 - 1, 46), 1: (2**31 - 1, 43)}},
        ),
        "logits-limited": ("logits beyond both limits", {"biases": {1: [2**31, -(2**31), 2**20 + 1, -(2**20) - 1]}, "gains": [16]}),
        "weights-greatest": ("weights of ±2^30", {"matrices": {1: [2**30, -(2**30)] + [0] * 18}, "scales": {1: (1, 30)}}),
        "sums-greatest": (
            "sums of weights at the limit of what is exact",
            {"matrices": {0: [2**29 - 1, 0, 2**28, -(2**28) + 1, 0, 0, 1, 1, 5, 5]}, "scales": {0: (511, 46)}},
        ),
        "sums-of-gaussian": (
            "GAUSS: sums that are exact only because it is at most 2^14",
            {"activation": GAUSSIAN, "hidden": 2, "matrices": {1: [2**20, 0]}, "scales": {1: (2**27 + 9, 47)}},
        ),
        "shift-highest": ("shift 62, of sums below 0", {"scales": {0: (1, 62)}, "matrices": {0: [-5, 5] * 5}}),
        "octaves-24": ("24 octaves", {"octaves": 24, "hidden": 3}),
        "layers-32": ("32 hidden layers of 1", {"layers": 32, "hidden": 1}),
        "hidden-300": ("a hidden layer of 300, GELU", {**gelu, "hidden": 300, "matrices": {0: [1, 0], 1: [3, 0, 0, -2]}}),
        "hidden-8192": (
            "a hidden layer of 8192",
            {"hidden": 8192, "matrices": {0: [1] + [0] * 98, 1: [300] + [0] * 99}, "flags": UNBIASED},
        ),
        "gelu-limits": ("GELU far beyond both ends of its table", {**gelu, "biases": {0: [2**31, -(2**31), 2**15 - 1, -(2**15), 0]}}),
        "gaussian-limits": (
            "GAUSS far beyond both ends of its table",
            {"activation": GAUSSIAN, "biases": {0: [2**31, -(2**31), 2**15 - 1, -(2**15), 0]}},
        ),
        "setting-255": ("a setting of 255 where it says nothing", {"setting": 255}),
        "coding-ternary": ("coding ternary, with weights of any size: the coding is for information", {"coding": 2}),
        "error-greatest": ("an error of 2^63 − 1", {"errors": [2**63 - 1]}),
        "unbiased": ("no biases", {"flags": UNBIASED, "layers": 3}),
        "grains": ("biases of a grain of 0, 7 and 31", {"grains": [0, 7, 31], "layers": 2, "biases": {2: [1, -1, 0, 1]}}),
        "grain-of-nothing": ("a grain of 31 where all biases are 0", {"grains": [31], "biases": {0: [0] * 5, 1: [0] * 4}}),
        "integers-greatest": (
            "coded integers of 32 bits, and weights that do not count",
            {"biases": {0: [2**31, -(2**31), 2**31 - 1, 1, -1]}, "matrices": {1: [2**30, 3 - 2**30, 0, 1]}, "scales": {1: (0, 0)}},
        ),
    }
    yield from of_options(LITTLE, extras)
    yield from of_options(
        Signal(picture(7, 6, 1, 1, bool), "image", 1),
        {
            "distance-greatest": ("a distance of 2^24, the ones have no place in common", {"errors": [5], "distances": [2**24]}),
            "distances": (
                "distances of several networks",
                {"errors": [9, 2**63 - 1], "distances": [1, 300], "widths": [2, 5], "depths": [1]},
            ),
        },
    )


def uncommon_forms() -> Iterable[Recipe]:
    extras: Specs = {
        "siren-gray": (
            "a coordinate of the bit, Gray code, GELU, octaves",
            {"form": SIREN, "flags": GRAY, "activation": GELU, "octaves": 3},
        ),
        "siren-64-places": ("64 places on the axis of the bit", {"form": SIREN, "bit_places": 64}),
        "siren-colour": ("coordinates of the channel and of the bit", {"form": SIREN, "flags": COLOUR, "octaves": 1}),
        "bitlinear-sine": ("a network per bit with sine and without octaves", {"form": BITLINEAR}),
        "bitlinear-normalized": (
            "a network per bit, normalized, without biases",
            {"form": BITLINEAR, "flags": NORMALIZED | UNBIASED, "activation": GELU, "layers": 3},
        ),
        "bitlinear-recurrent": ("a recurrent network per bit", {"form": BITLINEAR, "body": RECURRENT, "layers": 4}),
        "bitlinear-filters": ("filters per bit", {"form": BITLINEAR, "body": FILTERS, "layers": 2, "hidden": 3}),
        "heads-colour": ("a coordinate of the channel, Gray code", {"flags": COLOUR | GRAY}),
        "recurrent-32": ("a state that is computed 32 times", {"body": RECURRENT, "layers": 32, "activation": GELU, "flags": NORMALIZED}),
        "recurrent-1": ("a recurrent network of one layer", {"body": RECURRENT}),
        "filters-1": ("one filter", {"body": FILTERS}),
        "filters-limits": (
            "filters whose products reach both limits",
            {"body": FILTERS, "layers": 3, "biases": {1: [2**15, -(2**15), 2**31, -(2**31), 2**15 - 1], 3: [9] * 5}, "octaves": 2},
        ),
        "normalized": ("normalized units, sine", {"flags": NORMALIZED, "layers": 3, "hidden": 9}),
        "normalized-gaussian": ("normalized units, GAUSS", {"flags": NORMALIZED, "layers": 2, "hidden": 4, "activation": GAUSSIAN}),
        "normalized-one": ("one normalized unit, which is always 0", {"flags": NORMALIZED, "layers": 2, "hidden": 1}),
        "normalized-limits": (
            "a unit that is far from 4999 others, so that it is limited",
            {"flags": NORMALIZED, "hidden": 5000, "matrices": {0: [0], 1: [127] + [0] * 498}, "activation": GELU}
            | {"biases": {0: [32767] + [0] * 4999}},
        ),
    }
    yield from of_options(COLOURS, extras)
    parts: Specs = {
        "parts": ("networks of 2, 5 and 8 units, of 1 and 3 layers", {"widths": [2, 5, 8], "depths": [1, 3], "hidden": 8, "layers": 3}),
        "parts-siren": (
            "networks of 1 and 4 units and a coordinate of the bit, normalized, without biases",
            {"form": SIREN, "widths": [1, 4], "depths": [2], "hidden": 4, "layers": 2, "flags": NORMALIZED | UNBIASED},
        ),
        "parts-values": (
            "networks of values of 3 and 6 units, of 1 to 3 layers, coordinates of the channel, octaves, grains",
            {"form": VALUES, "widths": [3, 6], "depths": [1, 2, 3], "hidden": 6, "layers": 3, "flags": COLOUR | SCALES, "octaves": 2}
            | {"grains": [1, 0, 5, 1]},
        ),
        "parts-one": ("one configuration", {"widths": [5], "depths": [1]}),
        "parts-256": (
            "16 widths and 16 depths",
            {"widths": [*range(1, 16), 17], "depths": [*range(2, 18)], "hidden": 17, "layers": 17},
        ),
    }
    yield from of_options(COLOURS, parts)


def uncommon_values() -> Iterable[Recipe]:
    common: dict[str, Any] = {"form": VALUES, "hidden": 6}
    extras: Specs = {
        "values-order": ("channels in another order, with factors", {"order": [2, 0, 1], "factors": [4096, -4096, 1234]}),
        "values-factors-greatest": ("factors of ±2^15", {"factors": [2**15 - 1, -(2**15), -(2**15)]}),
        "values-scales": ("scales that the network predicts", {"flags": SCALES, "scale_codes": [0, 64, 255]}),
        "values-scale-codes": ("the least and the greatest scale code", {"scale_codes": [0, 255, 1]}),
        "values-halvings": ("halvings of 0, 5 and 31", {"halvings": [0, 5, 31]}),
        "values-halvings-62": ("halvings that take the shift to 62", {"halvings": [31, 2, 1], "scales": {1: (2**31 - 1, 61)}}),
        "values-means-limited": (
            "means beyond both limits, and scales",
            {"biases": {1: [2**31, -(2**31), 2**31, 2**31, -(2**31), 0]}, "scales": {1: (2**20, 0)}, "flags": SCALES},
        ),
        "values-recurrent": ("a recurrent network", {"body": RECURRENT, "layers": 3, "activation": GAUSSIAN}),
        "values-filters": ("filters", {"body": FILTERS, "layers": 3}),
        "values-sinr": ("sinr, normalized", {"coding": 3, "flags": NORMALIZED, "layers": 2}),
        "values-colour": ("coordinates of the channel, normalized, scales", {"flags": COLOUR | SCALES | NORMALIZED, "activation": GELU}),
    }
    yield from of_options(COLOURS, {name: (f"values: {what}", {**common, **options}) for name, (what, options) in extras.items()})
    one_bit = Signal(picture(7, 6, 1, 1, bool), "image")
    spec = NetworkSpec(one_bit, 1, **common)
    yield recipe("inr-values-1-bit", "values of 1 bit", one_bit, partial(coded, one_bit, spec, bits=1))
    deep = Signal((np.indices((6, 5)).sum(0) * 1_700_000 + 5).astype(np.uint32), "array", 24)
    yield recipe(
        "inr-values-24-bits",
        "values of 24 bits, no biases",
        deep,
        partial(coded, deep, NetworkSpec(deep, 24, **common, flags=UNBIASED), bits=24),
    )
    sound = Signal(tone(60, 8, 16, np.int16), "audio", 0, 96000)
    yield recipe(
        "inr-values-8-channels",
        "values of 8 channels of sound, tiles of 25",
        sound,
        lambda: coded(sound, NetworkSpec(sound, 16, **common, factors=[300, -20, 1000]), bits=16, offset=-(2**15), sizes=[25]),
    )
    line = Signal(np.arange(9, dtype=np.uint8), "array", 4)
    yield recipe(
        "inr-values-1-place", "values in tiles of one place", line, partial(coded, line, NetworkSpec(line, 4, **common), bits=4, sizes=[1])
    )


def uncommon_grids() -> Iterable[Recipe]:
    one: dict[str, Any] = {"activation": GELU, "hidden": 6}
    extras: Specs = {
        "grid-levels": ("levels of spacing 0, 1 and 28", {"levels": [(0, 1, 0), (1, 2, 0), (28, 3, 0)]}),
        "grid-hashed": ("levels that share 2, 8 and 2^9 cells", {"levels": [(0, 2, 3), (1, 1, 1), (0, 1, 9)]}),
        "grid-32-levels": ("32 levels", {"levels": [(i // 8, 1, i % 3) for i in range(32)]}),
        "grid-256-features": ("a level of 256 features", {"levels": [(3, 256, 0)], "hidden": 2}),
        "grid-octaves": ("cells and octaves", {"levels": [(1, 2, 0)], "octaves": 3}),
        "grid-filters": ("cells and filters", {"levels": [(1, 2, 0)], "body": FILTERS, "layers": 2, "activation": 1}),
        "grid-recurrent": ("cells and a recurrent network", {"levels": [(1, 2, 2)], "body": RECURRENT, "layers": 3}),
        "grid-siren": ("cells, coordinates of channel and bit", {"levels": [(1, 2, 0)], "form": SIREN, "flags": COLOUR}),
        "grid-sinr": ("cells and sparse matrices, that of the inputs among them", {"levels": [(1, 2, 0)], "coding": 3, "layers": 2}),
        "grid-limits": (
            "numbers of ±2^24 in cells, and features beyond both limits",
            {"levels": [(1, 1, 0)], "cells": {0: [2**24, -(2**24), 5]}, "scales": {2: (2**29, 44)}},
        ),
        "grid-direct": (
            "values: direct levels, one of which shares its cells",
            {"levels": [(1, 3, 128), (2, 1, 0), (0, 3, 131)], "form": VALUES},
        ),
        "grid-direct-alone": ("values: nothing but a direct level", {"levels": [(0, 3, 128)], "form": VALUES, "hidden": 1}),
        "grid-direct-limits": (
            "values: direct levels that go far beyond the limits of a mean",
            {"levels": [(1, 3, 128), (2, 3, 128)], "form": VALUES, "cells": {0: [2**24, -(2**24), 1 - 2**24]}, "flags": SCALES},
        ),
        "grid-colour": (
            "values: direct levels with a coordinate of the channel",
            {"levels": [(1, 3, 128), (1, 1, 0)], "form": VALUES, "flags": COLOUR},
        ),
    }
    yield from of_options(COLOURS, {name: (what, {**one, **options}) for name, (what, options) in extras.items()})
    stack = Signal((np.indices((3, 1, 4, 5)).sum(0) * 9).astype(np.int8))
    levels = [(0, 2, 4), (1, 1, 0), (2, 1, 128)]
    yield recipe(
        "inr-grid-4-axes",
        "cells of 4 axes, one of which has one place; tiles",
        stack,
        lambda: coded(stack, NetworkSpec(stack, 7, VALUES, activation=GELU, levels=levels), bits=7, sizes=[2, 1, 3, 5]),
    )
    sound = Signal(tone(300, 2, 12, np.int16), "audio", 12, 8000)
    of_sound = [(0, 2, 6), (4, 1, 0), (6, 2, 128)]
    yield recipe(
        "inr-grid-sound",
        "cells of a sound",
        sound,
        lambda: coded(sound, NetworkSpec(sound, 12, VALUES, activation=GELU, levels=of_sound), bits=12, offset=-(2**11)),
    )


def uncommon_sparse() -> Iterable[Recipe]:
    extras: Specs = {
        "sinr-seed-255": ("seed 255, octaves: all matrices are sparse", {"setting": 255, "octaves": 2}),
        "sinr-0-non-zeros": ("s = 0: an empty Brotli stream", {"non_zeros": 0}),
        "sinr-values-0": (
            "values of 0 and ±(2^15 − 1), the first atom and the last",
            {"sparse": {1: ([0, 1, 38, 39], [0, 2**15 - 1, 1 - 2**15, 0])}, "scales": {1: (1, 24)}},
        ),
        "sinr-dense": ("s = k: as many non-zeros as entries", {"non_zeros": 10**6}),
        "sinr-rows": ("vectors of a row, 50 long", {"hidden": 50, "layers": 2}),
        "sinr-flat": ("a matrix of 49×49: one vector of 2401", {"hidden": 49, "layers": 2, "non_zeros": 30}),
        "sinr-excess": (
            "a matrix of 57×45: two vectors of 1283, of which the last number is dropped",
            {"hidden": 57, "octaves": 7, "form": SIREN, "non_zeros": 9},
        ),
        "sinr-signs": ("atoms of ±1", {"sparse_form": 4, "non_zeros": 9}),
        "sinr-4k": ("4k atoms, values of 12 bits", {"sparse_form": 1, "value_bits": 12, "octaves": 2}),
        "sinr-8k": (
            "8k atoms of ±1, values of 8 bits, the last atom",
            {"sparse_form": 6, "value_bits": 8, "sparse": {1: ([7, 9, 159], [-127, 127, 0])}},
        ),
        "sinr-coded": ("coded integers", {"sparse_form": 8, "octaves": 2, "non_zeros": 7}),
        "sinr-coded-8k": (
            "coded integers, 8k atoms of ±1, values of 9 bits, vectors of a row",
            {"sparse_form": 14, "value_bits": 9, "hidden": 50, "layers": 2, "non_zeros": 20},
        ),
        "sinr-coded-0": ("s = 0: no coded integers", {"sparse_form": 8, "non_zeros": 0}),
        "sinr-gelu": ("a network per bit and GELU", {"form": BITLINEAR, "activation": GELU, "octaves": 2, "hidden": 9, "layers": 2}),
        "sinr-filters": ("filters: their matrices of the inputs are not sparse", {"body": FILTERS, "layers": 3}),
        "sinr-filters-octaves": ("filters with octaves: all matrices are sparse", {"body": FILTERS, "layers": 2, "octaves": 1}),
        "sinr-recurrent": ("a recurrent network", {"body": RECURRENT, "layers": 4}),
    }
    yield from of_options(LITTLE, {name: (f"sinr: {what}", {"coding": 3, **options}) for name, (what, options) in extras.items()})


def uncommon_strings() -> Iterable[Recipe]:
    spec = NetworkSpec(LITTLE, 4)
    yield recipe(
        "inr-string-short",
        "strings without the zeros at their end",
        LITTLE,
        lambda: coded(LITTLE, spec, bits=4, sizes=[4, 4], finish=lambda s: s.rstrip(b"\0")),
    )
    ones = Signal(np.full(5, 15, np.uint8), "array", 4)
    spec_of_ones = NetworkSpec(ones, 4, gains=[0])
    yield recipe(
        "inr-string-empty",
        "a tile with an empty string: all bits are 1",
        ones,
        lambda: coded(ones, spec_of_ones, bits=4, finish=lambda s: s.rstrip(b"\0")),
    )
    yield recipe(
        "inr-string-spared",
        "a tile with a string of zeros, 8 of which are not there",
        MANY_ONES,
        lambda: coded(MANY_ONES, SPEC_OF_ONES, bits=4, finish=lambda s: s[:-8]),
    )


def uncommon_tiles() -> Iterable[Recipe]:
    wide = Signal(noise((5, 2), ">i8"))
    yield recipe(
        "inr-64bit", "64 planes, big-endian", wide, lambda: coded(wide, NetworkSpec(wide, 64, flags=GRAY), bits=64, offset=-(2**63))
    )
    yield recipe(
        "inr-64bit-siren",
        "64 places on the axis of the bit",
        wide,
        lambda: coded(wide, NetworkSpec(wide, 64, SIREN), bits=64, offset=-(2**63)),
    )
    yield recipe(
        "inr-64bit-bitlinear",
        "64 networks",
        wide,
        lambda: coded(wide, NetworkSpec(wide, 64, BITLINEAR, activation=GELU, hidden=1), bits=64, offset=-(2**63)),
    )
    stepped = Signal(np.array([[[[-1000], [-600]], [[200], [-200]]]], np.int16))
    for name, form in NUMBERS.items():
        yield recipe(
            f"inr-map-negative-{name}",
            f"{FORMS[name]}: 4 dimensions, some of size 1; offset −1000, step 400",
            stepped,
            partial(coded, stepped, NetworkSpec(stepped, 2, form), bits=2, offset=-1000, step=400, sizes=[1, 1, 2, 1]),
        )
    sound = Signal(tone(60, 8, 16, np.int16), "audio", 0, 96000)
    yield recipe(
        "inr-audio-8-channels",
        "sound of 8 channels with a coordinate of the bit, tiles of 25",
        sound,
        lambda: coded(sound, NetworkSpec(sound, 16, SIREN), bits=16, offset=-(2**15), sizes=[25]),
    )


def uncommon_exact() -> Iterable[Recipe]:
    """Networks that give every value, so that tiles are empty."""
    options: Specs = {
        "heads": ("bits", {}),
        "heads-gray": ("bits of a Gray code", {"flags": GRAY}),
        "bitlinear": ("a network per bit", {"form": BITLINEAR, "activation": GELU}),
        "values": ("values, with factors", {"form": VALUES, "order": [1, 2, 0], "factors": [900, -2000, 4000]}),
        "parts": ("the last of several networks", {"errors": [7, 0], "widths": [2, 5], "depths": [1]}),
        "grid": ("values of a direct level", {"form": VALUES, "levels": [(0, 3, 128)], "hidden": 1}),
    }
    for name, (what, spec_options) in options.items():
        spec = NetworkSpec(COLOURS, 5, **{"errors": [0], **spec_options})
        signal = exact(COLOURS, spec, 5)
        yield recipe(
            f"inr-right-{name}",
            f"a network that gives every value, and empty tiles: {what}",
            signal,
            partial(coded, signal, spec, bits=5, sizes=[4, 4]),
            [View(size=(5, 9))],
        )
