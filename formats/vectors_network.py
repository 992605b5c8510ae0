"""Conformance vectors of the profile `inr`: NETW (SPEC.md 6), sparse matrices (7) and tiles (9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from vector_tools import (
    SMALL,
    NetworkSpec,
    Recipe,
    Sections,
    Signal,
    by_encoder,
    coded,
    coded_integers,
    fault,
    noise,
    picture,
    recipe,
    small_coded,
    tiled,
    tone,
)

FORMS = {"heads": "an output per plane", "siren": "a bit coordinate", "bitlinear": "a network per plane"}
LITTLE = Signal(picture(7, 6, 1, 4), "image", 4)
# All bits are 1 with a gain of 0: the string is one of zeros.
MANY_ONES = Signal(np.full(400, 15, np.uint8), "array", 4)
SPEC_OF_ONES = NetworkSpec(MANY_ONES, 4, gains=[0])


def subset_weights() -> Iterable[Recipe]:
    codings: dict[str, dict[str, Any]] = {
        "uniform": {"bits": 6},
        "lsq": {"bits": 4},
        "ternary": {},
        "sinr": {},
    }
    for network, form in FORMS.items():
        for weights, options in codings.items():
            for hidden in (16, 64):
                # A network per plane is large: it gets few planes.
                image = picture(14, 12, 1, 2, seed=1) if network == "bitlinear" else picture(14, 12, 3, 4, seed=1)
                signal = Signal(image, "image", 2 if network == "bitlinear" else 4)
                what = f"{form}, weights {weights}, hidden layers of {hidden}"
                yield by_encoder(
                    f"inr-{network}-{weights}-{hidden}",
                    what,
                    signal,
                    profile="inr",
                    until="mdl",
                    network=network,
                    weights=weights,
                    hidden=hidden,
                    layers=2,
                    steps=30,
                    **options,
                )


def subset_signals() -> Iterable[Recipe]:
    common: dict[str, Any] = {"profile": "inr", "hidden": 12, "layers": 2, "steps": 40, "weights": "uniform", "bits": 8}
    exact = Signal(picture(8, 8, 1, 8), "image")
    yield by_encoder(
        "inr-exact", "fitted until every bit is right, with the budget of 60 steps", exact, **{**common, "until": "exact", "steps": 60}
    )
    for network in FORMS:
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
            yield by_encoder(f"inr-{network}-{name}", f"{FORMS[network]}: {name}", signal, until="mdl", network=network, **common)


def subset_tiles() -> Iterable[Recipe]:
    signal = Signal(picture(13, 11, 3, 6), "image", 6)
    for flags, name in ((1, "heads"), (3, "siren"), (4, "bitlinear")):
        for gray in (0, 8):
            spec = NetworkSpec(signal, 6, flags | gray, octaves=2 * (flags == 4))
            what = f"{FORMS[name]}, random weights, tiles of 5×4{', Gray code' if gray else ''}"
            yield recipe(f"inr-tiles-{name}{'-gray' if gray else ''}", what, signal, partial(coded, signal, spec, bits=6, sizes=[5, 4]))


def of_options(files: dict[str, tuple[str, dict[str, Any]]]) -> Iterable[Recipe]:
    """Files of LITTLE: what each is, and the options of its network."""
    for name, (what, options) in files.items():
        spec = NetworkSpec(LITTLE, 4, **options)
        yield recipe(f"inr-{name}", what, LITTLE, partial(coded, LITTLE, spec, bits=4))


def uncommon_numbers() -> Iterable[Recipe]:
    extras: dict[str, tuple[str, dict[str, Any]]] = {
        "gain-0": ("gain code 0: the logits do not matter", {"gains": [0]}),
        "gain-highest": ("gain code 255", {"gains": [255]}),
        "gain-all": ("different gain codes", {"gains": [1, 15, 16, 90]}),
        "multiplier-0": ("multipliers of 0", {"scales": {0: (0, 0), 1: (0, 62)}}),
        "logits-limited": ("logits beyond both limits", {"biases": {1: [2**31, -(2**31), 2**20 + 1, -(2**20) - 1]}, "gains": [16]}),
        "weights-greatest": ("weights of ±2^30", {"matrices": {1: [2**30, -(2**30)] + [0] * 18}, "scales": {1: (1, 30)}}),
        "sums-greatest": (
            "sums of weights at the limit of what is exact",
            {"matrices": {0: [2**29 - 1, 0, 2**28, -(2**28) + 1, 0, 0, 1, 1, 5, 5]}, "scales": {0: (511, 46)}},
        ),
        "shift-highest": ("shift 62, of sums below 0", {"scales": {0: (1, 62)}, "matrices": {0: [-5, 5] * 5}}),
        "octaves-24": ("24 octaves", {"octaves": 24, "hidden": 3}),
        "layers-32": ("32 hidden layers of 1", {"layers": 32, "hidden": 1}),
        "hidden-300": ("a hidden layer of 300, GELU", {"flags": 0, "hidden": 300, "matrices": {0: [1, 0] * 300, 1: [3, 0, 0, -2] * 300}}),
        "gelu-limits": ("GELU far beyond both ends of its table", {"flags": 0, "biases": {0: [2**31, -(2**31), 2**15 - 1, -(2**15), 0]}}),
        "sine-per-plane": ("a network per plane with sine and without octaves", {"flags": 5}),
        "gelu-bit-coordinate": ("GELU with a bit coordinate and octaves, Gray code", {"flags": 10, "octaves": 3}),
        "setting-255": ("a setting of 255 where it says nothing", {"setting": 255}),
        "coding-ternary": ("coding ternary, with weights of any size: the coding is for information", {"coding": 2}),
    }
    yield from of_options(extras)


def uncommon_sparse() -> Iterable[Recipe]:
    extras: dict[str, tuple[str, dict[str, Any]]] = {
        "sinr-seed-255": ("sinr with seed 255, octaves: all matrices are sparse", {"coding": 3, "setting": 255, "octaves": 2}),
        "sinr-0-non-zeros": ("sinr, s = 0: an empty Brotli stream", {"coding": 3, "non_zeros": 0}),
        "sinr-values-0": (
            "sinr with values of 0 and ±2^15, the first atom and the last",
            {"coding": 3, "sparse": {1: ([0, 1, 38, 39], [0, 2**15 - 1, -(2**15), 0])}, "scales": {1: (1, 24)}},
        ),
        "sinr-dense": ("sinr, s = k: as many non-zeros as entries", {"coding": 3, "non_zeros": 10**6}),
        "sinr-rows": ("sinr with vectors of a row, 50 long", {"coding": 3, "hidden": 50, "layers": 2}),
        "sinr-flat": (
            "sinr with a matrix of 49×49: one vector of 2401",
            {"coding": 3, "hidden": 49, "layers": 2, "non_zeros": 30},
        ),
        "sinr-excess": (
            "sinr with a matrix of 57×45: two vectors of 1283, of which the last number is dropped",
            {"coding": 3, "hidden": 57, "octaves": 7, "flags": 3, "non_zeros": 9},
        ),
        "sinr-gelu": ("sinr with a network per plane and GELU", {"coding": 3, "flags": 4, "octaves": 2, "hidden": 9, "layers": 2}),
    }
    yield from of_options(extras)


def uncommon_tiles() -> Iterable[Recipe]:
    spec = NetworkSpec(LITTLE, 4)
    yield recipe(
        "inr-string-short",
        "strings without the zeros at their end",
        LITTLE,
        lambda: coded(LITTLE, spec, bits=4, sizes=[4, 4], finish=lambda s: s.rstrip(b"\0")),
    )
    # All bits are 1 with a gain of 0: the string is one of zeros.
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
    wide = Signal(noise((5, 2), ">i8"))
    yield recipe("inr-64bit", "64 planes, big-endian", wide, lambda: coded(wide, NetworkSpec(wide, 64, 9), bits=64, offset=-(2**63)))
    yield recipe(
        "inr-64bit-per-plane", "64 networks", wide, lambda: coded(wide, NetworkSpec(wide, 64, 4, hidden=1), bits=64, offset=-(2**63))
    )
    stepped = Signal(np.array([[[[-1000], [-600]], [[200], [-200]]]], np.int16))
    yield recipe(
        "inr-map-negative",
        "4 dimensions, some of size 1; offset −1000, step 400",
        stepped,
        lambda: coded(stepped, NetworkSpec(stepped, 2), bits=2, offset=-1000, step=400, sizes=[1, 1, 2, 1]),
    )
    sound = Signal(tone(60, 8, 16, np.int16), "audio", 0, 96000)
    yield recipe(
        "inr-audio-8-channels",
        "sound of 8 channels with a bit coordinate, tiles of 25",
        sound,
        lambda: coded(sound, NetworkSpec(sound, 16, 3), bits=16, offset=-(2**15), sizes=[25]),
    )


def netw(name: str, what: str, content: Callable[[], bytes]) -> Recipe:
    """A faulty file of SMALL with another network."""

    def sections() -> Sections:
        first, _, *others = small_coded()
        return [first, (b"NETW", content()), *others]

    return fault(f"netw-{name}", f"NETW: {what}", sections)


def faulty_network() -> Iterable[Recipe]:
    with_network = small_coded()
    network = with_network[1][1]
    yield netw("cut", "its last byte missing", lambda: network[:-1])
    yield netw("left-over", "bytes left over", lambda: network + b"\0")
    yield netw("empty", "empty", lambda: b"")
    specs: dict[str, tuple[str, dict[str, Any]]] = {
        "flags-6": ("a bit coordinate and a network per plane", {"flags": 7}),
        "flags-16": ("an unknown flag", {"flags": 17}),
        "hidden-0": ("no hidden units", {"hidden": 0, "numbers": b""}),
        "hidden-8193": ("8193 hidden units", {"hidden": 8193, "numbers": b""}),
        "layers-33": ("33 hidden layers", {"layers": 33, "hidden": 1}),
        "octaves-25": ("25 octaves", {"octaves": 25}),
        "coding-4": ("an unknown coding", {"coding": 4}),
        "parameters": ("more than 2^24 parameters", {"hidden": 4096, "layers": 2, "numbers": b""}),
        "multiplier-2p31": ("a multiplier of 2^31", {"scales": {0: (2**31, 60)}}),
        "shift-63": ("a shift of 63", {"scales": {0: (1, 63)}}),
        "weight-large": ("a weight of 2^30 + 1", {"matrices": {1: [2**30 + 1] + [0] * 39}}),
        "bias-large": ("a bias of 2^31 + 1", {"biases": {1: [2**31 + 1] + [0] * 7}}),
        "sums-inexact": ("a first layer whose sum may be 2^53", {"matrices": {0: [2**29, 0, 0, 0, 0]}}),
        "sums-inexact-many": (
            "a layer whose weights are small enough, and the sum of a row is not",
            {"hidden": 600, "matrices": {1: [2**30] * 600 + [0] * 4200}},
        ),
        "products-inexact": ("a product of 2^62", {"matrices": {0: [2**18, 0, 0, 0, 0]}, "scales": {0: (2**20, 50)}}),
    }
    for name, (what, options) in specs.items():
        yield netw(name, what, NetworkSpec(SMALL, 8, **options).content)
    yield fault(
        "netw-planes",
        "NETW: a network for 7 planes where there are 8",
        lambda: [
            with_network[0],
            (b"NETW", NetworkSpec(SMALL, 7).content()),
            *with_network[2:],
        ],
    )
    yield fault(
        "inr-tile-cut",
        "a tile's string cut short, with its length: the samples do not match the digest",
        [
            *with_network[:2],
            *tiled([with_network[3][1][:2]], [5]),
        ],
    )


def faulty_strings() -> Iterable[Recipe]:
    """Strings that end too early, or too late. Nothing else is wrong: the samples match the digest."""
    yield fault(
        "inr-string-short",
        "a tile with a string of zeros, 9 of which are not there",
        lambda: coded(MANY_ONES, SPEC_OF_ONES, bits=4, finish=lambda s: s[:-9]),
    )
    yield fault(
        "inr-string-left-over",
        "a tile with a string of zeros, and a zero more",
        lambda: coded(MANY_ONES, SPEC_OF_ONES, bits=4, finish=lambda s: s + b"\0"),
    )
    spec = NetworkSpec(SMALL, 8)
    arrays = [[7] * outputs for outputs, _ in spec.shapes] + [[1] * (outputs * inputs) for outputs, inputs in spec.shapes]
    longer = coded_integers(arrays) + b"\0"
    yield netw("numbers-left-over", "coded integers, and a byte more", NetworkSpec(SMALL, 8, numbers=longer).content)
    early = NetworkSpec(SMALL, 8, hidden=2000, numbers=coded_integers([[0] * 2000])[:4])
    yield netw("numbers-short", "a string of coded integers that ends early", early.content)


def faulty_sparse() -> Iterable[Recipe]:
    # The second matrix is 8×5: one vector, k = 40.
    sparse: dict[str, tuple[str, dict[str, Any]]] = {
        "atom-80": ("an atom of 80 where there are 80", {"sparse": {1: ([80], [1])}}),
        "atom-far": ("an atom whose number needs more than 16 bits", {"sparse": {1: ([60000, 120000, 130999], [1, 2, 3])}}),
        "count-41": ("more non-zeros than a vector has entries", {"sparse": {1: (range(41), [0] * 41)}}),
        "stream-short": ("values for 3 non-zeros where 4 are said", {"count": 4}),
        "stream-long": ("values for 3 non-zeros where 2 are said", {"count": 2}),
    }
    for name, (what, options) in sparse.items():
        of_sparse = NetworkSpec(SMALL, 8, coding=3, **options)
        yield netw(f"sinr-{name}", what, of_sparse.content)
    yield netw("sinr-stream-goes-on", "a Brotli stream followed by a byte", lambda: NetworkSpec(SMALL, 8, coding=3).content() + b"\0")
    yield netw("sinr-no-stream", "no Brotli stream", lambda: NetworkSpec(SMALL, 8, coding=3, non_zeros=0).content()[:-1])
