"""Conformance vectors of pictures in the profile `hybrid` (SPEC.md 10 to 15); those of sound are in vectors_sound.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from vector_tools import (
    RIGHT,
    NetworkSpec,
    Recipe,
    Sections,
    Signal,
    all_kept,
    blob,
    coded_integers,
    fault,
    faultless,
    head,
    signed,
    small_stored,
    tiled,
    varint,
)


def subset() -> Iterable[Recipe]:
    files = {
        "column": "image of one column, grey and alpha; a network, two passes that need four columns",
        "deep_noise": "grey image of 16 bits, noisy bits of which some are coded plainly; a network, contexts 1",
        "delta_sinr": "grey and alpha; a network with deltas of coding 3",
        "deltas": "RGB image, two passes; a network with deltas of codings 0, 1 and 2 in four passes",
        "flat": "image of 2 bits with flat areas; two predictors, contexts 3",
        "grey16_net64": "image of 16 bits, 71 values with gaps; a network of 64 units, learning 255, contexts 3",
        "grey_both": "grey image; four predictors",
        "grey_contexts_only": "grey image; contexts 2 and nothing else",
        "grey_narrow": "grey image; one predictor, plain coding",
        "grey_net": "grey image; a network of 48 units that learns, coordinates",
        "lattice": "RGB image of a lattice; two passes, corrections",
        "lattice_alpha": "RGBA image of a lattice; alpha refers to a label",
        "noise": "RGB image of noise; a network, contexts 2",
        "palette": "RGB image of four colours",
        "rgb_net_photo": "RGB image; a network, contexts 1, references",
        "rgb_two_pass": "RGB image; a network of 48 units, contexts 1, two passes",
        "rgba_graphics": "RGBA image of few values; contexts 2, up to three references",
        "row": "image of one row",
        "sparse": "grey image of 16 bits, 12 values; contexts 1 without a network",
        "stack": "array of int16, 4 dimensions: four sources",
    }
    return all_kept("subset", "hybrid", files)


def uncommon() -> Iterable[Recipe]:
    """Plans at random with strings at random: what they decode to is what two decoders agree on."""
    files = {
        "bits_16": "2 sources of 16 bits; a network of 64 units, contexts 2, two passes",
        "lattice_tiles": "a lattice in 6 tiles, some too narrow for two passes",
        "lattice_wraps": "a lattice whose sums exceed 64 bits",
        "palette_tiles": "a palette of 40 colours in 3 tiles, with least squares",
        "references_3": "a plane with three references and two passes; a network, contexts 2",
        "stack_tiles": "an array of 4 dimensions in 3 tiles; a network of 48 units, contexts 2 with 2 lines each",
        "tiles": "RGBA in 10 tiles, the network's inputs with their place in the picture",
        "wide": "49 columns: blocks of least squares with neighbours on both sides; a network, contexts 3",
    }
    return all_kept("uncommon", "hybrid", files)


# The faulty files are of an image of one colour. All strings of its values are empty, and those of its corrections say "right" throughout:
# what is not faulty decodes to it, so that nothing but the fault makes a file invalid.

COLOUR = (7, 12, 22)


def source(largest: int, least: int) -> bytes:
    return varint(largest) + b"\0" + varint(least)


def table_source(largest: int, last: int, occurs: bytes) -> bytes:
    return varint(largest) + b"\1" + varint(last) + blob(occurs)


def plane(number: int, largest: int, *references: int, two_pass: int = 0) -> bytes:
    return varint(number) + varint(largest) + bytes([two_pass, len(references)]) + b"".join(map(varint, references))


def settings(
    *,
    kind: int = 0,
    coding: int = 0,
    predictors: int = 0,
    units: int = 0,
    learning: int = 0,
    coordinates: int = 0,
    contexts: int = 0,
    lines: int = 4,
) -> bytes:
    return bytes([kind, coding, predictors, units, learning, coordinates, contexts, lines])


SOURCES = (source(0, 7), source(3, 10), source(3, 20))
COLOURED = (plane(0, 0), plane(1, 3), plane(2, 3, 1))
LABELS = (plane(0, 3), plane(1, 3), plane(2, 3))
PRIOR_48 = bytes.fromhex("abbf22c0eb4fa464")  # inrcodec/profiles/hybrid/priors/2026-11-48.prior
IDENTITY = tuple(65536 * (i % 4 == 0) for i in range(9))


def hybr(front: bytes = b"", sources: Sequence[bytes] = SOURCES, planes: Sequence[bytes] = COLOURED, between: bytes = b"") -> bytes:
    return (front or settings()) + varint(len(sources)) + b"".join(sources) + between + b"".join(planes)


def delta(
    number: int, pass_: int = 0, *, coding: int = 0, scale: bytes = bytes([128, 10]), first: int = 0, data: bytes | None = None
) -> bytes:
    """A delta of a network of 48 units without references, all integers 0 but the first."""
    if data is None:
        data = coded_integers([[first] + [0] * (63 * 48 - 1), [0] * (49 * 48), [0] * (49 * 16)])
    return varint(number) + bytes([pass_, 8, coding, 0]) + 3 * scale + varint(len(data)) + data


def lattice_plan(
    sources: Sequence[bytes] = (source(200, 0),) * 3,
    planes: Sequence[bytes] = LABELS,
    numbers: Sequence[int] = (*IDENTITY, 0, 0, 0, 5, 10, 20),
) -> bytes:
    return hybr(settings(kind=1), sources, planes, b"".join(map(signed, numbers)))


def palette_of() -> bytes:
    """A palette of four colours, the one of number 2 that of the image."""
    return b"".join(value.to_bytes(2, "little") for index in COLOUR for value in (1, 2, index, 3))


def palette_plan(
    colours: int = 4, sources: Sequence[bytes] = (source(200, 0),) * 3, indices: bytes = b"", planes: Sequence[bytes] = (plane(0, 3),)
) -> bytes:
    return hybr(settings(kind=2), sources, planes, varint(colours) + blob(indices or palette_of()))


def one_colour() -> Signal:
    return Signal(np.tile(np.array(COLOUR, np.uint8), (3, 2, 1)), "image")


def hybrid_file(plan: bytes, strings: Sequence[bytes]) -> Sections:
    """The sections of a file that has the plan, and in its only tile the strings."""
    tile = b"".join(varint(len(string)) for string in strings) + b"".join(strings)
    return [(b"HEAD", head(one_colour(), 2, bits=8)), (b"HYBR", plan), *tiled([tile], [3, 2])]


def fault_of(name: str, what: str, sections: Sections) -> Recipe:
    return fault(f"hybrid_{name}", f"hybrid: {what}", sections)


def planned(name: str, what: str, plan: bytes, strings: Sequence[bytes] = (b"", b"")) -> Recipe:
    """A file whose only fault is in its plan."""
    return fault_of(name, f"HYBR: {what}", hybrid_file(plan, strings))


def faulty_signals() -> Iterable[Recipe]:
    """Faults of what is around the plan, and signals that no plan fits."""
    good = faultless(hybrid_file(hybr(), [b"", b""]))
    yield fault_of("missing", "no HYBR", [section for section in good if section[0] != b"HYBR"])
    yield fault_of("twice", "HYBR twice", [good[1], *good])
    yield fault_of("stored", "HYBR with the profile stored", [*small_stored(), good[1]])
    yield fault_of("netw", "NETW with the profile hybrid", [*good, (b"NETW", NetworkSpec(one_colour(), 8).content())])
    sound = Signal(np.array([7, 7, 7], np.int8), "audio", 0, 8000)
    line = Signal(np.array([7, 7, 7], np.uint8))
    constant = hybr(sources=[source(0, 7)], planes=[plane(0, 0)])
    for name, what, signal in (("sound", "a sound", sound), ("one_axis", "an array of one axis", line)):
        yield fault_of(name, what, [(b"HEAD", head(signal, 2, bits=4)), (b"HYBR", constant), *tiled([b""], [3])])
    wide = Signal(np.full((3, 2), 7, np.uint32))
    yield fault_of("17_bits", "values of 17 bits", [(b"HEAD", head(wide, 2, bits=17)), (b"HYBR", constant), *tiled([b""], [3, 2])])
    stack = Signal(np.full((2, 3, 2), 7, np.uint8))
    two = hybr(sources=[source(0, 7)] * 2, planes=[plane(0, 0), plane(1, 0)])
    yield fault_of(
        "leading_axis", "tiles that cut a leading axis", [(b"HEAD", head(stack, 2, bits=4)), (b"HYBR", two), *tiled([b"", b""], [1, 3, 2])]
    )
    # Of the sources themselves there are none: they would be large, and a decoder need not look for them.
    deep = Signal(np.zeros((2**16 + 1, 1, 1), np.uint8))
    announced = settings() + varint(2**16 + 1)
    yield fault_of("sources_65537", "2^16 + 1 sources", [(b"HEAD", head(deep, 2, bits=1)), (b"HYBR", announced), *tiled([b""], deep.axes)])


def faulty_settings() -> Iterable[Recipe]:
    fronts = {
        "kind_3": ("kind 3", settings(kind=3)),
        "coding_3": ("coding 3", settings(coding=3, predictors=1)),
        "coding_without_least": ("a tree around a prediction without least squares", settings(coding=1)),
        "plain_units": ("plain coding with a network", settings(coding=2, predictors=2, units=48) + PRIOR_48),
        "plain_contexts": ("plain coding with contexts", settings(coding=2, predictors=2, contexts=1)),
        "least_3": ("least 3", settings(predictors=3)),
        "units_8": ("8 units", settings(predictors=2, units=8) + bytes(8)),
        "units_without_least": ("units without least squares", settings(units=48) + PRIOR_48),
        "units_of_prior": ("a prior of other units", settings(predictors=2, units=64) + PRIOR_48),
        "prior_unknown": ("a prior that nobody has", settings(predictors=2, units=48) + bytes(8)),
        "coordinates_2": ("coordinates 2", settings(coordinates=2)),
        "contexts_4": ("contexts 4", settings(contexts=4)),
        "lines_0": ("lines 0", settings(lines=0)),
        "lines_19": ("lines 19", settings(lines=19)),
    }
    for name, (what, front) in fronts.items():
        yield planned(name, what, hybr(front))
    yield planned("cut", "its last byte missing", hybr()[:-1])
    yield planned("left_over", "bytes left over", hybr() + b"\0")
    yield planned("sources_2", "two sources of three", hybr(sources=SOURCES[:2], planes=COLOURED[:2]), [b""])


def faulty_sources() -> Iterable[Recipe]:
    of_source = {
        "source_form_2": ("a source of an unknown form", varint(0) + b"\2" + varint(7)),
        "source_high": ("values above those of the bits", source(3, 253)),
        "table_high": ("a table with values above those of the bits", table_source(0, 256, bytes(32) + b"\x80")),
        "table_few": ("a table with fewer values than the source has", table_source(1, 7, b"\1")),
        "table_last": ("a table whose highest value is not the one that is said", table_source(0, 6, b"\1")),
        "table_long": ("a table of a byte too many", table_source(0, 7, b"\1\0")),
    }
    for name, (what, content) in of_source.items():
        largest = content[0]
        strings = [b"", b""] if largest == 0 else [b"", b"", b""]
        yield planned(name, what, hybr(sources=[content, *SOURCES[1:]], planes=[plane(0, largest), *COLOURED[1:]]), strings)


def faulty_planes() -> Iterable[Recipe]:
    of_planes: dict[str, tuple[str, Sequence[bytes]]] = {
        "plane_twice": ("a source that two planes name, and one that none does", [COLOURED[0], COLOURED[1], plane(1, 3)]),
        "plane_3": ("a plane of a source that is not there", [COLOURED[0], COLOURED[1], plane(3, 3)]),
        "largest_other": ("a largest value that is not the source's", [COLOURED[0], COLOURED[1], plane(2, 4)]),
        "two_pass_2": ("two-pass 2", [COLOURED[0], COLOURED[1], plane(2, 3, two_pass=2)]),
        "reference_later": ("a reference to a later plane", [COLOURED[0], plane(1, 3, 2), plane(2, 3)]),
        "reference_itself": ("a reference to the plane itself", [COLOURED[0], plane(1, 3, 1), plane(2, 3)]),
        "reference_constant": ("a reference to a constant plane", [COLOURED[0], plane(1, 3, 0), plane(2, 3)]),
        "reference_twice": ("a reference twice", [COLOURED[0], COLOURED[1], plane(2, 3, 1, 1)]),
        "references_4": ("four references", [COLOURED[0], COLOURED[1], plane(2, 3, 1, 1, 1, 1)]),
    }
    for name, (what, planes) in of_planes.items():
        yield planned(name, what, hybr(planes=planes))


def faulty_deltas() -> Iterable[Recipe]:
    network = hybr(settings(predictors=2, units=48) + PRIOR_48)
    faultless(hybrid_file(network + varint(1) + delta(1), [b"", b""]))
    of_deltas = {
        "deltas_0": ("a list of no deltas", network + varint(0)),
        "deltas_1025": ("a list of 1025 deltas", network + varint(1025) + delta(1)),
        "deltas_units": ("a delta without a network", hybr() + varint(1) + delta(1)),
        "deltas_few": ("a delta less than are announced", network + varint(2) + delta(1)),
        "deltas_left_over": ("bytes left over behind the deltas", network + varint(1) + delta(1) + b"\0"),
        "deltas_twice": ("a delta twice", network + varint(2) + delta(1) + delta(1)),
        "delta_plane": ("a delta of a plane that is not there", network + varint(1) + delta(3)),
        "delta_constant": ("a delta of a constant plane", network + varint(1) + delta(0)),
        "delta_pass_5": ("a delta of pass 5", network + varint(1) + delta(1, 5)),
        "delta_pass": ("a delta of a pass that the prior has no network for", network + varint(1) + delta(1, 1)),
        "delta_coding_4": ("a delta of coding 4", network + varint(1) + delta(1, coding=4)),
        "delta_mantissa_0": ("a delta of scale 0", network + varint(1) + delta(1, scale=bytes([0, 10]))),
        "delta_shift_64": ("a delta of shift 64", network + varint(1) + delta(1, scale=bytes([128, 64]))),
        "delta_large": ("a weight above 64", network + varint(1) + delta(1, first=1024)),
        "delta_ff": ("a delta that is no arithmetic code", network + varint(1) + delta(1, data=b"\xff" * 4)),
        "delta_sinr_cut": ("sparse codes cut off", network + varint(1) + delta(1, coding=3, data=b"\0\x10\1\1")),
    }
    for name, (what, plan) in of_deltas.items():
        yield planned(name, what, plan)


def faulty_lattice() -> Iterable[Recipe]:
    corrected = [b"", b"", b"", RIGHT]
    lattice = faultless(hybrid_file(lattice_plan(), corrected))
    high = (source(200, 0), source(5, 0), source(200, 0))
    wide_sources = (source(200, 0),) * 2 + (source(256, 0),)
    swapped = (plane(1, 3), plane(0, 3), plane(2, 3))
    yield planned("lattice_number", "a number of 2^31", lattice_plan(numbers=(*IDENTITY, 0, 0, 0, 5, 10, 2**31)), corrected)
    yield planned("lattice_swapped", "labels of other sources than their own", lattice_plan(planes=swapped), corrected)
    yield planned("lattice_index", "a lattice that gives an index which its source does not have", lattice_plan(high), corrected)
    deep = Signal(np.tile(np.array(COLOUR, np.uint16), (3, 2, 1)), "image")
    yield fault_of(
        "lattice_256",
        "HYBR: a lattice of a source with 257 values",
        [(b"HEAD", head(deep, 2, bits=9)), (b"HYBR", lattice_plan(wide_sources)), *lattice[2:]],
    )
    pair = Signal(one_colour().samples[:, :, :2], "image")
    yield fault_of(
        "lattice_2",
        "HYBR: a lattice of two sources",
        [(b"HEAD", head(pair, 2, bits=8)), (b"HYBR", lattice_plan((source(200, 0),) * 2, LABELS[:2])), *lattice[2:]],
    )


def faulty_palette() -> Iterable[Recipe]:
    faultless(hybrid_file(palette_plan(), [b""]))
    few = (source(200, 0), source(11, 0), source(200, 0))
    yield planned("palette_colour", "a colour of an index which its source does not have", palette_plan(sources=few), [b""])
    yield planned("palette_unused", "such a colour, which no place has", palette_plan(indices=bytes([201]) + palette_of()[1:]), [b""])
    yield planned("palette_short", "a colour too few in the palette", palette_plan(indices=palette_of()[:-2]), [b""])
    yield planned("palette_0", "no colours", hybr(settings(kind=2), between=varint(0) + blob(b""), planes=[plane(0, 0)]), [])
    many = bytes(2 * 3 * 4097)
    yield planned("palette_4097", "4097 colours", palette_plan(4097, indices=many, planes=[plane(0, 4096)]), [b""])
    yield planned("palette_largest", "a largest value that is not the number of colours − 1", palette_plan(planes=[plane(0, 2)]), [b""])
    yield planned("palette_planes", "a plane per source", palette_plan(planes=[plane(0, 3), plane(1, 3), plane(2, 3)]), [b""] * 3)
    faultless(stack_of(4))
    yield fault_of("palette_5_sources", "HYBR: a palette of five sources", stack_of(5))


def stack_of(count: int) -> Sections:
    """A stack of planes, each of one value, with a palette of four equal colours."""
    values = [7, 11, 50, 77, 100][:count]
    stack = Signal(np.array(values, np.uint8)[:, None, None].repeat(3, 1).repeat(2, 2), "array")
    plan = palette_plan(sources=(source(100, 0),) * count, indices=b"".join(4 * value.to_bytes(2, "little") for value in values))
    tile = varint(0)  # one empty string
    return [(b"HEAD", head(stack, 2, bits=7)), (b"HYBR", plan), *tiled([tile], [count, 3, 2])]


def faulty_tiles() -> Iterable[Recipe]:
    good = hybrid_file(hybr(), [b"", b""])

    def with_tile(name: str, what: str, tile: bytes) -> Recipe:
        return fault_of(name, f"a tile {what}", [*good[:2], *tiled([tile], [3, 2])])

    yield with_tile("tile_empty", "without its lengths", b"")
    yield with_tile("tile_lengths", "with a length for one of its two strings", varint(0))
    yield with_tile("tile_short", "whose lengths go past its end", varint(0) + varint(1))
    yield with_tile("tile_huge", "with a length of 2^62", varint(2**62) + varint(0))
    yield with_tile("tile_left_over", "with bytes left over", varint(0) + varint(0) + b"\0")
    yield with_tile("tile_ff", "with a string that is no arithmetic code", varint(4) + varint(0) + b"\xff" * 4)
    yield with_tile("tile_string_left_over", "with a string of which no bit needs the last bytes", varint(40) + varint(0) + bytes(40))
    more = hybrid_file(lattice_plan(), [*[b""] * 3, RIGHT + bytes(40)])
    yield fault_of("tile_corrections_left_over", "a tile with more corrections than it needs", more)
    yield fault_of("tile_corrections", "a tile without its corrections", hybrid_file(lattice_plan(), [b"", b"", b""]))
