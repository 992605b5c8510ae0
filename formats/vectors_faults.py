"""Faulty conformance files of the profile `inr`: NETW (SPEC.md 6), sparse matrices (7), strings (8), tiles (9), lossy files (2, 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from vector_tools import (
    BITLINEAR,
    COLOUR,
    FILTERS,
    GAUSSIAN,
    GELU,
    GRAY,
    GRID,
    LOSSY,
    NORMALIZED,
    PARTS,
    RECURRENT,
    SCALES,
    SINE,
    SIREN,
    SMALL,
    VALUES,
    NetworkSpec,
    Recipe,
    Sections,
    Signal,
    coded,
    coded_integers,
    exact,
    fault,
    faultless,
    head,
    lossy,
    small_coded,
    small_stored,
    tiled,
    varint,
)
from vectors_network import MANY_ONES, SPEC_OF_ONES, Specs


def netw(name: str, what: str, content: Callable[[], bytes]) -> Recipe:
    """A faulty file of SMALL with another network."""

    def sections() -> Sections:
        first, _, *others = small_coded()
        return [first, (b"NETW", content()), *others]

    return fault(f"netw-{name}", f"NETW: {what}", sections)


def of_specs(specs: Specs) -> Iterable[Recipe]:
    """Faulty files of SMALL: what is wrong with each, and the options of its network."""
    for name, (what, options) in specs.items():
        yield netw(name, what, NetworkSpec(SMALL, 8, **options).content)


def of_bits(specs: Specs) -> Iterable[Recipe]:
    """Faulty files of values of one bit: what is wrong with each, and the options of its network."""
    signal = Signal(np.array([True, False, True, True, False]))
    faultless(coded(signal, NetworkSpec(signal, 1), bits=1))
    for name, (what, options) in specs.items():
        spec = NetworkSpec(signal, 1, **options)
        first, _, *others = coded(signal, NetworkSpec(signal, 1), bits=1)
        yield fault(f"netw-{name}", f"NETW: {what}", [first, (b"NETW", spec.content()), *others])


def faulty_network() -> Iterable[Recipe]:
    with_network = small_coded()
    network = with_network[1][1]
    yield netw("cut", "its last byte missing", lambda: network[:-1])
    yield netw("left-over", "bytes left over", lambda: network + b"\0")
    yield netw("empty", "empty", lambda: b"")
    two = [5, 8]
    yield from of_specs(
        {
            "form-64": ("an unknown bit of the form", {"activation": SINE | 4}),
            "form-128": ("another unknown bit of the form", {"activation": SINE | 8}),
            "body-3": ("an unknown body", {"body": 3}),
            "activation-3": ("an unknown activation", {"activation": 3}),
            "flags-128": ("an unknown flag", {"flags": 128}),
            "hidden-0": ("no hidden units", {"hidden": 0, "numbers": b""}),
            "hidden-8193": ("8193 hidden units", {"hidden": 8193, "numbers": b""}),
            "layers-0": ("no hidden layers", {"layers": 0, "numbers": b""}),
            "layers-33": ("33 hidden layers", {"layers": 33, "hidden": 1}),
            "octaves-25": ("25 octaves", {"octaves": 25}),
            "places-few": ("fewer places on the axis of the bit than bits", {"form": SIREN, "bit_places": 7}),
            "places-65": ("65 places on the axis of the bit", {"form": SIREN, "bit_places": 65}),
            "levels-0": ("a grid of no levels", {"flags": GRID}),
            "levels-33": ("33 levels", {"levels": [(1, 1, 0)] * 33}),
            "spacing-29": ("a spacing of 2^29", {"levels": [(29, 1, 0)]}),
            "features-0": ("a level without features", {"levels": [(1, 0, 0)], "numbers": b""}),
            "features-257": ("a level of 257 features", {"levels": [(1, 257, 0)]}),
            "table-25": ("a table of 2^25 cells", {"levels": [(1, 1, 25)], "numbers": b""}),
            "widths-0": ("no widths", {"flags": PARTS}),
            "widths-17": ("17 widths", {"widths": range(1, 18), "depths": [1], "hidden": 17}),
            "widths-zero": ("a width of 0", {"widths": [0, 5], "depths": [1]}),
            "widths-twice": ("a width twice", {"widths": [5, 5], "depths": [1]}),
            "widths-descending": ("widths that descend", {"widths": [4, 3, 5], "depths": [1]}),
            "widths-last": ("a last width that is not that of the network", {"widths": [2, 4], "depths": [1]}),
            "depths-0": ("no depths", {"widths": two, "depths": [], "hidden": 8, "numbers": b""}),
            "depths-17": ("17 depths", {"widths": two, "depths": range(1, 18), "hidden": 8, "layers": 17}),
            "depths-twice": ("a depth twice", {"widths": two, "depths": [1, 1], "hidden": 8}),
            "depths-last": ("a last depth that is not that of the network", {"widths": two, "depths": [1], "hidden": 8, "layers": 2}),
            "coding-4": ("an unknown coding", {"coding": 4}),
            "error-2p63": ("an error of 2^63", {"errors": [2**63]}),
            "multiplier-2p31": ("a multiplier of 2^31", {"scales": {0: (2**31, 60)}}),
            "shift-63": ("a shift of 63", {"scales": {0: (1, 63)}}),
            "level-multiplier-2p31": ("a multiplier of 2^31 of a level", {"levels": [(1, 1, 0)], "scales": {2: (2**31, 60)}}),
            "level-shift-63": ("a shift of 63 of a level", {"levels": [(1, 1, 0)], "scales": {2: (1, 63)}}),
            "grain-32": ("a grain of 32", {"grains": [0, 32], "biases": {1: [0]}}),
            "order": ("an order of channels that names another", {"form": VALUES, "order": [1]}),
            "halvings-32": ("32 halvings", {"form": VALUES, "halvings": [32]}),
        }
    )
    two_parts: dict[str, Any] = {"widths": [2, 5], "depths": [1]}
    yield from of_bits(
        {
            "distance-2p24": ("a distance of more than 2^24", {"distances": [2**24 + 1]}),
            "distance-0": ("an error, and a distance of 0", {"distances": [0]}),
            "distance-of-nothing": (
                "an error of 0 of one of two networks, and a distance",
                {**two_parts, "errors": [0, 1], "distances": [1]},
            ),
        }
    )
    yield fault(
        "netw-planes",
        "NETW: a network for 7 planes where there are 8",
        lambda: [with_network[0], (b"NETW", NetworkSpec(SMALL, 7).content()), *with_network[2:]],
    )
    parts = NetworkSpec(SMALL, 8, widths=two, depths=[1, 2], hidden=8, layers=2).content()
    yield netw("depths-zero", "a depth of 0", lambda: parts.replace(bytes([2, 5, 8, 2, 1, 2]), bytes([2, 5, 8, 2, 0, 2]), 1))
    pair = Signal(np.array([[3, 1], [0, 2]], np.int8), "audio", 0, 8000)
    good = faultless(coded(pair, NetworkSpec(pair, 2, VALUES, order=[1, 0]), bits=2))
    twice = NetworkSpec(pair, 2, VALUES, order=[1, 1])
    yield fault("netw-order-twice", "NETW: an order of channels that has one twice", [good[0], (b"NETW", twice.content()), *good[2:]])


def faulty_combinations() -> Iterable[Recipe]:
    """What does not go together."""
    yield from of_specs(
        {
            "values-gray": ("values with a Gray code", {"form": VALUES, "flags": GRAY}),
            "scales-of-bits": ("scales without values", {"flags": SCALES}),
            "filters-normalized": ("filters that are normalized", {"body": FILTERS, "flags": NORMALIZED}),
            "filters-gelu": ("filters with GELU", {"body": FILTERS, "activation": GELU}),
            "filters-gaussian": ("filters with GAUSS", {"body": FILTERS, "activation": GAUSSIAN}),
            "bitlinear-grid": ("a network per bit with cells", {"form": BITLINEAR, "levels": [(1, 1, 0)]}),
            "bitlinear-parts": ("a network per bit in parts", {"form": BITLINEAR, "widths": [5], "depths": [1]}),
            "bitlinear-colour": ("a network per bit with a coordinate of the channel", {"form": BITLINEAR, "flags": COLOUR}),
            "direct-of-bits": ("a direct level without values", {"levels": [(1, 1, 128)]}),
            "direct-features": ("a direct level of two features for one channel", {"form": VALUES, "levels": [(1, 2, 128)]}),
            "parts-grid": ("parts of a network with cells", {"widths": [5], "depths": [1], "levels": [(1, 1, 0)]}),
            "parts-recurrent": ("parts of a recurrent network", {"widths": [5], "depths": [1], "body": RECURRENT}),
            "parts-filters": ("parts of filters", {"widths": [5], "depths": [1], "body": FILTERS}),
            "parts-sinr": ("parts of a network that is coded by sinr", {"widths": [5], "depths": [1], "coding": 3}),
        }
    )
    deep = Signal(np.array([2**24, 5], np.uint32))
    yield fault(
        "netw-values-25-bits",
        "NETW: values of 25 bits",
        [
            (b"HEAD", head(deep, 1, bits=25)),
            (b"NETW", NetworkSpec(deep, 25, VALUES, scales={1: (3, 0)}).content()),
            *tiled([b""], [2]),
        ],
    )
    # Of its tile there is nothing: it would be large, and a decoder need not look for it.
    yield fault(
        "netw-grid-long",
        "NETW: cells along an axis of 2^28 + 1 places",
        [
            (b"HEAD", head(SMALL, 1, bits=8, shape=(2**28 + 1,))),
            (b"NETW", NetworkSpec(SMALL, 8, levels=[(28, 1, 0)]).content()),
            *tiled([b""], [2**28 + 1]),
        ],
    )


def faulty_numbers() -> Iterable[Recipe]:
    """Weights, biases and cells that are too many or too large."""
    wide = {"levels": [(28, 1, 0)], "octaves": 2}
    yield from of_specs(
        {
            "parameters": ("more than 2^24 parameters", {"hidden": 4096, "layers": 2, "numbers": b""}),
            "parameters-cells": ("2^24 numbers in cells, and some weights", {"levels": [(1, 1, 24)], "numbers": b""}),
            "parameters-networks": (
                "more than 2^24 parameters of eight networks",
                {"form": BITLINEAR, "hidden": 1500, "layers": 2, "numbers": b""},
            ),
            "weight-large": ("a weight of 2^30 + 1", {"matrices": {1: [2**30 + 1] + [0] * 39}}),
            "weight-large-negative": ("a weight of −2^30 − 1", {"matrices": {1: [-(2**30) - 1] + [0] * 39}}),
            "bias-large": ("a bias of 2^31 + 1", {"biases": {1: [2**31 + 1]}}),
            "bias-large-grain": ("a bias of 3 with a grain of 30", {"biases": {1: [3]}, "grains": [0, 30]}),
            "sums-inexact": ("a first layer whose sum may be 2^53", {"matrices": {0: [2**29, 0, 0, 0, 0]}}),
            "sums-inexact-many": (
                "a layer whose weights are small enough, and the sum of a row is not",
                {"hidden": 600, "matrices": {1: [2**30] * 600 + [0] * 4200}},
            ),
            "products-inexact": ("a product of 2^62", {"matrices": {0: [2**18, 0, 0, 0, 0]}, "scales": {0: (2**20, 50)}}),
            "products-octaves": (
                "a product of 2^62 of an input times 2^14",
                {"octaves": 1, "matrices": {0: [2**20, 0, 0]}, "scales": {0: (2**28, 60)}},
            ),
            "products-features": (
                "a product of 2^62 of a feature of 2^15",
                {**wide, "matrices": {0: [2**20] + [0] * 5}, "scales": {0: (2**27, 60)}},
            ),
            "products-gelu": (
                "a product of 2^62 of a unit of 2^15",
                {"activation": GELU, "matrices": {1: [2**20, 0, 0, 0, 0]}, "scales": {1: (2**27, 60)}},
            ),
            "products-normalized": (
                "a product of 2^62 of a normalized unit",
                {"flags": NORMALIZED, "matrices": {1: [2**20, 0, 0, 0, 0]}, "scales": {1: (2**27, 60)}},
            ),
            "products-filters": (
                "a product of 2^62 of a filtered unit",
                {"body": FILTERS, "matrices": {1: [2**20, 0, 0, 0, 0]}, "scales": {1: (2**27, 60)}},
            ),
            "products-sine": ("a product of 2^62 of a sine", {"matrices": {1: [2**20, 0, 0, 0, 0]}, "scales": {1: (2**28, 60)}}),
            "cell-large": ("a number of 2^24 + 1 in a cell", {"levels": [(1, 1, 0)], "cells": {0: [2**24 + 1, 0, 0]}}),
            "cell-large-direct": (
                "a number of −2^24 − 1 in a cell of a direct level",
                {"form": VALUES, "levels": [(1, 1, 128)], "cells": {0: [0, -(2**24) - 1, 0]}},
            ),
            "cell-product": (
                "a feature whose product may be 2^62",
                {"levels": [(1, 1, 0)], "cells": {0: [2**24, 0, 0]}, "scales": {2: (2**30, 60)}},
            ),
        }
    )


def faulty_strings() -> Iterable[Recipe]:
    """Strings that end too early, or too late. Of those of tiles nothing else is wrong: the samples match the digest."""
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
    with_network = small_coded()
    yield fault(
        "inr-tile-cut",
        "a tile's string cut short, with its length: the samples do not match the digest",
        [*with_network[:2], *tiled([with_network[3][1][:2]], [5])],
    )
    yield fault("inr-tile-ff", "a tile that is no arithmetic code", [*with_network[:2], *tiled([b"\xff" * 4], [5])])
    yield fault("inr-tile-values-left-over", "values: a tile with a byte more", lambda: of_values(lambda s: s + b"\0"))
    spec = NetworkSpec(SMALL, 8, errors=[0])
    signal = exact(SMALL, spec, 8)
    yield fault(
        "inr-tile-right",
        "a tile with content where the network gives every value",
        lambda: coded(signal, spec, bits=8, finish=lambda _: b"\0"),
    )
    other = NetworkSpec(SMALL, 8, errors=[0])
    yield fault("inr-wrong", "an error of 0, and a network that gives other values", lambda: coded(SMALL, other, bits=8))
    longer = NetworkSpec(SMALL, 8, change=lambda s: s + b"\0")
    yield netw("numbers-left-over", "coded integers, and a byte more", longer.content)
    yield netw("numbers-ff", "coded integers that are no arithmetic code", NetworkSpec(SMALL, 8, numbers=b"\xff" * 4 + bytes(40)).content)
    early = NetworkSpec(SMALL, 8, hidden=2000, numbers=coded_integers([[0] * 2000])[:4])
    yield netw("numbers-short", "a string of coded integers that ends early", early.content)
    yield netw("numbers-long", "a string of coded integers that is longer than NETW", lambda: NetworkSpec(SMALL, 8).content()[:-9])


def of_values(finish: Callable[[bytes], bytes]) -> Sections:
    faultless(coded(SMALL, NetworkSpec(SMALL, 8, VALUES), bits=8))
    return coded(SMALL, NetworkSpec(SMALL, 8, VALUES), bits=8, finish=finish)


def faulty_parts() -> Iterable[Recipe]:
    options: dict[str, Any] = {"widths": [2, 5], "depths": [1, 2], "layers": 2}
    spec = NetworkSpec(SMALL, 8, **options)
    faultless(coded(SMALL, spec, bits=8))
    content = spec.content()
    yield netw("parts-cut", "the last byte of its last part missing", lambda: content[:-1])
    yield netw("parts-missing", "its last part missing", lambda: content[: -len(list(spec.strings(np.random.default_rng(8)))[-1])])
    yield netw("parts-left-over", "a byte behind its last part", lambda: content + b"\0")
    yield netw("parts-crc", "a changed bit in its last part", lambda: content[:-1] + bytes([content[-1] ^ 1]))
    yield from of_specs(
        {
            "parts-string-left-over": ("parts with a byte more, and the CRC of it", {**options, "change": lambda s: s + b"\0"}),
            "parts-string-empty": ("parts that are empty strings, with their CRC", {**options, "hidden": 5, "change": lambda s: b""}),
            "parts-string-ff": ("a part that is no arithmetic code, with its CRC", {**options, "change": lambda s: b"\xff" * 4 + s[4:]}),
            "parts-bias-large": ("parts with a bias of 2^31 + 1", {**options, "biases": {2: [2**31 + 1]}}),
        }
    )


def faulty_sparse() -> Iterable[Recipe]:
    # The second matrix is 8×5: one vector, k = 40.
    sparse: Specs = {
        "atom-80": ("an atom of 80 where there are 80", {"sparse": {1: ([80], [1])}}),
        "atom-far": ("an atom whose number needs more than 16 bits", {"sparse": {1: ([60000, 120000, 130999], [1, 2, 3])}}),
        "count-41": ("more non-zeros than a vector has entries", {"sparse": {1: (range(41), [0] * 41)}}),
        "stream-short": ("values for 3 non-zeros where 4 are said", {"count": 4}),
        "stream-long": ("values for 3 non-zeros where 2 are said", {"count": 2}),
        "form-3": ("a dictionary of 16k atoms", {"sparse_form": 3}),
        "form-16": ("an unknown flag of the form", {"sparse_form": 16}),
        "value-bits-7": ("values of 7 bits", {"value_bits": 7}),
        "value-bits-17": ("values of 17 bits", {"value_bits": 17, "sparse": {1: ([1], [-5])}}),
        "value-lowest": ("a value of −2^15", {"sparse": {1: ([1], [-(2**15)])}}),
        "value-8-bits": ("a value of 128 in 8 bits", {"value_bits": 8, "sparse": {1: ([1], [128])}}),
        "coded-value": ("a value of 2^15 in coded integers", {"sparse_form": 8, "sparse": {1: ([1], [2**15])}}),
        "coded-gap": ("a gap of 2^16 in coded integers", {"sparse_form": 8, "sparse": {1: ([2**16], [1])}}),
        "coded-atom-320": ("an atom of 320 where there are 320, in coded integers", {"sparse_form": 10, "sparse": {1: ([320], [1])}}),
        "coded-long": ("coded integers for 30 non-zeros where 2 are said", {"sparse_form": 8, "non_zeros": 30, "count": 2}),
    }
    for name, (what, options) in sparse.items():
        yield netw(f"sinr-{name}", what, NetworkSpec(SMALL, 8, coding=3, **options).content)
    whole = NetworkSpec(SMALL, 8, coding=3).content()
    yield netw("sinr-missing", "no sparse section", lambda: whole[: whole.rindex(b"\0\x10\3")])
    yield netw("sinr-stream-goes-on", "a Brotli stream followed by a byte", lambda: NetworkSpec(SMALL, 8, coding=3).content() + b"\0")
    yield netw("sinr-no-stream", "no Brotli stream", lambda: NetworkSpec(SMALL, 8, coding=3, non_zeros=0).content()[:-1])


def faulty_lossy() -> Iterable[Recipe]:
    """Lossy files: SPEC.md 2 and 4."""
    spec = NetworkSpec(SMALL, 8)
    good = lossy(SMALL, spec, bits=8)
    header, network, index = good
    tile = small_coded()[3]
    with_length = (b"TIDX", index[1] + varint(len(tile[1])))
    yield fault("lossy-stored", "lossy: with the profile stored", [(b"HEAD", head(SMALL, LOSSY, bits=8)), index])
    yield fault("lossy-hybrid", "lossy: with the profile hybrid", [(b"HEAD", head(SMALL, 2 | LOSSY, bits=8)), (b"HYBR", b""), index])
    yield fault("lossy-constant", "lossy: with 0 bits", [(b"HEAD", head(SMALL, 1 | LOSSY)), network, index])
    yield fault("lossy-network", "lossy: without its network", [header, index])
    yield fault("lossy-index", "lossy: without a tile index", [header, network])
    yield fault("lossy-tile", "lossy: with a tile", [*good, tile])
    yield fault("lossy-length", "lossy: with the length of a tile in the index", [header, network, with_length])
    yield fault("lossy-tile-length", "lossy: with a tile and its length", [header, network, with_length, tile])
    yield fault("lossy-tile-0", "lossy: a tile size of 0", [header, network, (b"TIDX", varint(0))])
    yield fault("lossy-tile-6", "lossy: a tile larger than the axis", [header, network, (b"TIDX", varint(6))])
    yield fault("lossy-network-cut", "lossy: the last byte of its network missing", [header, (b"NETW", network[1][:-1]), index])
    yield fault("lossy-netw-stored", "a file of the profile stored that has a lossy file's network", [*small_stored(), network])
