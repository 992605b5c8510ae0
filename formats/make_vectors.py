"""Writes the conformance files in vectors/, their README.md, and manifest.json with what a decoder must make of them.

    python formats/make_vectors.py [--force]

A vector that exists is never written again unless --force is given: files that a version has written stay for ever, also
where a later encoder would write other bytes. What was written is decoded with the package and with standalone/linr.py.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import brotli
import numpy as np
import vectors_sound
from vector_tools import (
    VECTORS,
    NetworkSpec,
    Recipe,
    Sections,
    Signal,
    all_kept,
    blob,
    by_encoder,
    by_package,
    by_standalone,
    coded,
    coded_integers,
    file_of,
    head,
    long_varint,
    meta,
    noise,
    picture,
    recipe,
    section,
    signed,
    stored,
    tiled,
    tone,
    varint,
)

# subset: what an encoder writes


def subset_stored() -> Iterable[Recipe]:
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
    for bits, dtype in ((8, np.int8), (16, np.int16), (24, np.int32), (32, np.int32)):
        for channels, name in ((1, "mono"), (2, "stereo")):
            signal = Signal(tone(150, channels, bits, dtype), "audio", bits, 44100)
            yield by_encoder(f"audio-{name}-{bits}", f"sound, {name}, {bits} bit", signal, profile="stored")
    silence = Signal(np.zeros((1000, 2), np.int16), "audio", 0, 8000)
    yield by_encoder("audio-silence", "constant sound: bits 0", silence, profile="stored")

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

    fields = {"exif": b"Exif\0\0MM\0*", "icc": bytes(range(128)), "xmp": "<x>ä</x>".encode()}
    yield by_encoder("image-metadata", "metadata", Signal(picture(5, 6, 3, 8), "image", metadata=fields), profile="stored")

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


def subset_networks() -> Iterable[Recipe]:
    codings: dict[str, dict[str, Any]] = {
        "uniform": {"bits": 6},
        "lsq": {"bits": 4},
        "ternary": {},
        "sinr": {},
    }
    forms = {"heads": "an output per plane", "siren": "a bit coordinate", "bitlinear": "a network per plane"}
    for network, form in forms.items():
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
    common: dict[str, Any] = {"profile": "inr", "hidden": 12, "layers": 2, "steps": 40, "weights": "uniform", "bits": 8}
    exact = Signal(picture(8, 8, 1, 8), "image")
    yield by_encoder(
        "inr-exact", "fitted until every bit is right, with the budget of 60 steps", exact, **{**common, "until": "exact", "steps": 60}
    )
    for network in forms:
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
            yield by_encoder(f"inr-{network}-{name}", f"{forms[network]}: {name}", signal, until="mdl", network=network, **common)
    signal = Signal(picture(13, 11, 3, 6), "image", 6)
    for flags, name in ((1, "heads"), (3, "siren"), (4, "bitlinear")):
        for gray in (0, 8):
            spec = NetworkSpec(signal, 6, flags | gray, octaves=2 * (flags == 4))
            what = f"{forms[name]}, random weights, tiles of 5×4{', Gray code' if gray else ''}"
            yield recipe(f"inr-tiles-{name}{'-gray' if gray else ''}", what, signal, partial(coded, signal, spec, bits=6, sizes=[5, 4]))


def subset_hybrid() -> Iterable[Recipe]:
    files = {
        "column": "image of one column, grey and alpha; a network, two passes that need four columns",
        "deep_noise": "grey image of 16 bits, noisy bits of which some are coded plainly; a network, contexts 1",
        "delta_sinr": "grey and alpha; a network with deltas of coding 3",
        "deltas": "RGB image, two passes; a network with deltas of codings 0, 1 and 2 in four passes",
        "flat": "image of 2 bits with flat areas; both predictors, contexts 3",
        "grey16_net64": "image of 16 bits, 71 values with gaps; a network of 64 units, learning 255, contexts 3",
        "grey_both": "grey image; both predictors",
        "grey_contexts_only": "grey image; contexts 2 and nothing else",
        "grey_narrow": "grey image; the narrow predictor",
        "grey_net": "grey image; a network of 16 units that learns, coordinates",
        "lattice": "RGB image of a lattice; two passes, corrections",
        "lattice_alpha": "RGBA image of a lattice; alpha refers to a label",
        "noise": "RGB image of noise; a network, contexts 2",
        "palette": "RGB image of four colours",
        "rgb_net_photo": "RGB image; a network, contexts 1, references",
        "rgb_two_pass": "RGB image; a network of 32 units, contexts 1, two passes",
        "rgba_graphics": "RGBA image of few values; contexts 2, up to three references",
        "row": "image of one row",
        "sparse": "grey image of 16 bits, 12 values; contexts 1 without a network",
        "stack": "array of int16, 4 dimensions: four sources",
    }
    return all_kept("subset", "hybrid", files)


# uncommon: valid, but not what the encoder of version 1 writes


def uncommon() -> Iterable[Recipe]:
    signal = Signal(picture(6, 5, 3, 8), "image", metadata={"xmp": b"<x/>"})
    metadata = (b"meta", meta([(b"xmp", b"<x/>")]))

    def sections() -> Sections:
        first, *others = stored(signal, bits=8, modes=[2, 0, 1, 3], sizes=[4, 3])
        return [first, metadata, *others]

    yield recipe(
        "section-unknown",
        "optional sections that nobody knows, one of them twice",
        signal,
        lambda: [
            (b"zzzz", b""),
            *sections()[:3],
            (b"aBCD", b"\0" * 9),
            *sections()[3:],
            (b"aBCD", b"END!"),
            (b"tile", b"?"),
        ],
    )
    yield recipe(
        "section-order-reversed",
        "HEAD last, before it TIDX, and the tiles first",
        signal,
        lambda: [
            *sections()[3:],
            *reversed(sections()[:3]),
        ],
    )
    yield recipe(
        "section-order-between",
        "the other sections between the tiles",
        signal,
        lambda: [
            sections()[3],
            sections()[2],
            *sections()[4:6],
            sections()[0],
            sections()[6],
            sections()[1],
        ],
    )
    yield recipe("varint-long", "sections whose length takes 10 bytes", signal, lambda: file_of(sections(), long_varint))

    plain = Signal(np.arange(20, dtype=np.uint8))
    keys: dict[str, dict[str, bytes]] = {
        "empty": {},
        "unusual": {"": b"", "ключ 钥匙 🔑": b"\xff\0\xfe", "a" * 300: b"x", "exif": b"", "\0": b"\n"},
        "large": {"pad": b"\0" * 100_000},
    }
    for name, items in keys.items():
        of_keys = Signal(plain.samples, metadata=items)
        section_of_keys = (b"meta", meta((key.encode(), value) for key, value in items.items()))
        yield recipe(f"metadata-{name}", f"metadata: {name}", of_keys, partial(list, [*stored(plain, bits=5), section_of_keys]))

    audio = Signal(tone(33, 8, 16, np.int16), "audio", 0, 2**32 - 1)
    yield recipe(
        "audio-8-channels", "sound of 8 channels, with the highest rate", audio, lambda: stored(audio, bits=16, offset=-(2**15), modes=[2])
    )
    one_channel = Signal(tone(33, 1, 16, np.int16)[:, None], "audio", 0, 1)
    yield recipe(
        "audio-1-channel-axis",
        "sound with an axis of 1 channel; a rate of 1",
        one_channel,
        lambda: stored(one_channel, bits=16, offset=-(2**15)),
    )
    frame = Signal(np.array([-3], np.int8), "audio", 3, 8000)
    yield recipe("audio-1-frame", "sound of one frame, 3 bit in int8", frame, lambda: stored(frame, bits=1, offset=-3))
    wide = Signal(np.uint64(2**63) + picture(4, 4, 2, 8).astype(np.uint64), "image")
    yield recipe("image-uint64", "image of type uint64", wide, lambda: stored(wide, bits=8, offset=2**63, modes=[2]))

    stepped = Signal(np.array([[-100, -93, 5], [117, 12, -2]], np.int8))
    yield recipe("map-negative", "offset −100, step 7", stepped, lambda: stored(stepped, bits=5, offset=-100, step=7))
    extreme = Signal(np.array([-(2**63), 2**63 - 3, -1], np.int64))
    yield recipe(
        "map-widest",
        "offset −2^63, step 1, 64 bits",
        extreme,
        lambda: stored(extreme, bits=64, offset=-(2**63), modes=[1]),
    )
    far = Signal(np.array([0, 2**63, 0, 2**63], np.uint64))
    yield recipe("map-step-2p63", "step 2^63, 1 bit", far, lambda: stored(far, bits=1, step=2**63))
    spare = Signal(np.array([0, 3, 1], np.uint8))
    yield recipe("map-bits-spare", "8 bits for values below 4", spare, lambda: stored(spare, bits=8))
    for bits in (9, 33, 57):
        odd = Signal(np.array([0, 2**bits - 1, 12345 % 2**bits, 2 ** (bits - 1)], np.uint64)[:, None])
        yield recipe(
            f"stored-{bits}bit",
            f"{bits} bits, a tile per sample, all modes",
            odd,
            partial(stored, odd, bits=bits, modes=range(4), sizes=[1, 1]),
        )

    small = Signal(picture(7, 6, 1, 4), "image", 4)
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
    for name, (what, options) in extras.items():
        spec = NetworkSpec(small, 4, **options)
        yield recipe(f"inr-{name}", what, small, partial(coded, small, spec, bits=4))

    spec = NetworkSpec(small, 4)
    yield recipe(
        "inr-string-short",
        "strings without the zeros at their end",
        small,
        lambda: coded(small, spec, bits=4, sizes=[4, 4], finish=lambda s: s.rstrip(b"\0")),
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


def uncommon_hybrid() -> Iterable[Recipe]:
    """Plans at random with strings at random: what they decode to is what two decoders agree on."""
    files = {
        "bits_16": "2 sources of 16 bits; a network of 64 units, contexts 2, two passes",
        "lattice_tiles": "a lattice in 6 tiles, some too narrow for two passes",
        "lattice_wraps": "a lattice whose sums exceed 64 bits",
        "palette_tiles": "a palette of 40 colours in 3 tiles, with least squares",
        "references_3": "a plane with three references and two passes; a network, contexts 2",
        "stack_tiles": "an array of 4 dimensions in 3 tiles; a network of 32 units, contexts 2 with 2 lines each",
        "tiles": "RGBA in 10 tiles, the network's inputs with their place in the picture",
        "wide": "49 columns: blocks of least squares with neighbours on both sides; a network, contexts 3",
    }
    return all_kept("uncommon", "hybrid", files)


# faulty: to be refused


def faulty() -> Iterable[Recipe]:
    signal = Signal(np.array([1, 2, 3, 4, 250], np.uint8))
    values = signal.samples.tobytes()
    good = stored(signal, bits=8)
    header, index, tile = good
    whole = file_of(good)
    spec = NetworkSpec(signal, 8)
    with_network = coded(signal, spec, bits=8)

    def fault(name: str, what: str, made: bytes | Sections | Callable[[], bytes | Sections]) -> Recipe:
        return recipe(name, what, None, made if callable(made) else lambda: made)

    yield fault("empty", "no bytes at all", b"")
    yield fault("truncated-magic", "the end after 5 bytes", whole[:5])
    yield fault("truncated-version", "the end after the magic", whole[:9])
    yield fault("truncated-no-section", "the end after the version", whole[:10])
    yield fault("truncated-type", "the end within a section's type", whole[:12])
    yield fault("truncated-length", "the end before a section's length", whole[:14])
    yield fault("truncated-content", "the end within a section's content", whole[:30])
    yield fault("truncated-crc", "the end within a section's CRC", whole[: 10 + len(section(*header)) - 1])
    yield fault("truncated-end", "no END!", whole[: -len(section(b"END!"))])
    yield fault("truncated-end-crc", "the last byte of the file missing", whole[:-1])
    yield fault("trailing-byte", "a byte after END!", whole + b"\0")
    yield fault("trailing-file", "two files in one", whole + whole)
    yield fault("magic-line-ends", "line ends changed to LF", whole.replace(b"\r\n", b"\n"))
    yield fault("magic-7-bit", "the high bit cleared", bytes([whole[0] & 127]) + whole[1:])
    yield fault("version-2", "version 2", whole[:9] + b"\2" + whole[10:])
    yield fault("version-0", "version 0", whole[:9] + b"\0" + whole[10:])
    yield fault(
        "crc-head",
        "wrong CRC of HEAD",
        whole[: 10 + len(section(*header)) - 1] + bytes([whole[9 + len(section(*header))] ^ 1]) + whole[10 + len(section(*header)) :],
    )
    optional = section(b"abcd", b"x")
    yield fault(
        "crc-optional",
        "wrong CRC of an optional section that nobody knows",
        whole[:10] + optional[:-1] + bytes([optional[-1] ^ 1]) + whole[10:],
    )
    yield fault("crc-end", "wrong CRC of END!", whole[:-1] + bytes([whole[-1] ^ 128]))
    yield fault("end-content", "END! with content", whole[: -len(section(b"END!"))] + section(b"END!", b"x"))
    yield fault("section-length-huge", "a section longer than the file", whole[:10] + b"abcd" + varint(2**62) + whole[10:])
    yield fault("varint-11-bytes", "a varint of 11 bytes", whole[:14] + bytes([len(header[1]) | 128, *[128] * 9, 0]) + whole[15:])
    yield fault("section-unknown-required", "an unknown section that must be understood", [*good, (b"Abcd", b"")])
    yield fault("section-type-digit", "a type that is not of letters", [*good, (b"abc1", b"")])
    for kind, content in (header, index):
        name = kind.decode()
        yield fault(f"section-missing-{name.lower()}", f"no {name}", [s for s in good if s[0] != kind])
        yield fault(f"section-twice-{name.lower()}", f"{name} twice", [(kind, content), *good])
    yield fault("section-missing-tile", "no TILE", [header, index])
    yield fault("section-twice-tile", "a TILE too many", [*good, tile])
    yield fault("section-missing-netw", "no NETW with the profile inr", [s for s in with_network if s[0] != b"NETW"])
    yield fault("section-twice-netw", "NETW twice", [with_network[1], *with_network])
    yield fault("section-netw-stored", "NETW with the profile stored", [*good, with_network[1]])
    yield fault("section-twice-meta", "meta twice", [*good, (b"meta", meta([])), (b"meta", meta([]))])

    def with_head(content: bytes) -> Sections:
        return [(b"HEAD", content), index, tile]

    yield fault("digest", "a digest of other samples", with_head(head(signal, bits=8, digest=hashlib.sha256(values[::-1]).digest())))
    fields: dict[str, tuple[str, bytes]] = {
        "profile-2": ("profile 2", head(signal, 2, bits=8)),
        "kind-3": ("kind 3", head(signal, bits=8, kind=3)),
        "type-3": ("sample type 3", head(signal, bits=8, sort=3)),
        "type-bit-4": ("bit 4 of the sample type", head(signal, bits=8, sort=1 | 16)),
        "type-bit-6": ("bit 6 of the sample type", head(signal, bits=8, sort=1 | 64)),
        "type-be-1-byte": ("a big-endian type of 1 byte", head(signal, bits=8, sort=1 | 32)),
        "depth-0": ("bit depth 0", head(signal, bits=8, depth=0)),
        "depth-9": ("bit depth 9 of uint8", head(signal, bits=8, depth=9)),
        "dimensions-0": ("no dimension", head(signal, bits=8, shape=())),
        "dimensions-5": ("5 dimensions", head(signal, bits=8, shape=(1, 1, 1, 1, 5))),
        "shape-0": ("a dimension of 0", head(signal, bits=8, shape=(0,))),
        "shape-2p41": ("2^41 samples", head(signal, bits=8, shape=(2**41,))),
        "shape-product": ("2^80 samples", head(signal, bits=8, shape=(2**40, 2**40))),
        "shape-other": ("6 samples, and a tile for 5", head(signal, bits=8, shape=(6,))),
        "step-0": ("step 0", head(signal, bits=8, step=0)),
        "offset-low": ("an offset below the type", head(signal, bits=8, offset=-1)),
        "offset-high": ("an offset above the type", head(signal, bits=8, offset=256)),
        "bits-65": ("65 bits", head(signal, bits=65)),
        "bits-9": ("9 bits of uint8: the highest bit does not fit the type", head(signal, bits=9)),
        "step-high": ("a step that takes the highest bit beyond the type", head(signal, bits=8, step=2)),
        "left-over": ("bytes left over", head(signal, bits=8) + b"\0"),
        "short": ("the digest cut short", head(signal, bits=8)[:-1]),
        "image-1d": ("an image of 1 dimension", head(signal, bits=8, kind=0)),
        "audio-unsigned": ("a sound that is not signed", head(signal, bits=8, kind=1, rate=8000)),
    }
    for name, (what, content) in fields.items():
        yield fault(f"head-{name}", f"HEAD: {what}", with_head(content))
    sound = Signal(np.arange(5, dtype=np.int8), "audio", 0, 8000)
    for rate in (0, 2**32):
        yield fault(
            f"head-rate-{'2p32' if rate else '0'}",
            f"HEAD: a sample rate of {rate}",
            [
                (b"HEAD", head(sound, bits=3, rate=rate)),
                *stored(sound, bits=3)[1:],
            ],
        )
    many = Signal(np.zeros((3, 9), np.int8), "audio", 0, 8000)
    yield fault("head-audio-9-channels", "HEAD: a sound of 9 channels", stored(many, bits=1))
    five = Signal(np.zeros((3, 2, 5), np.uint8), "image")
    yield fault("head-image-5-channels", "HEAD: an image of 5 channels", stored(five, bits=1))
    minus = Signal(np.zeros((3, 2), np.int8), "image")
    yield fault("head-image-signed", "HEAD: an image of a signed type", stored(minus, bits=1))
    wide_bool = Signal(np.array([True, False]))
    yield fault("head-bool-2-bytes", "HEAD: bool of 2 bytes", [(b"HEAD", head(wide_bool, bits=1, sort=4)), *stored(wide_bool, bits=1)[1:]])
    yield fault(
        "head-bool-offset-1",
        "HEAD: bool with offset 1, so that a value of 1 is no sample",
        [(b"HEAD", head(wide_bool, bits=1, offset=1)), *stored(wide_bool, bits=1)[1:]],
    )
    constant = Signal(np.full(5, 7, np.uint8))
    constant_head, constant_index, constant_tile = stored(constant, bits=0, offset=7)
    yield fault(
        "constant-tile", "a constant signal whose tile has content", [constant_head, (b"TIDX", varint(5) + varint(1)), (b"TILE", b"\0")]
    )
    no_planes = NetworkSpec(constant, 0, gains=()).content()
    yield fault(
        "constant-inr",
        "a constant signal with the profile inr",
        [(b"HEAD", head(constant, 1, offset=7)), (b"NETW", no_planes), constant_index, constant_tile],
    )

    def with_index(numbers: Sequence[int], contents: Sequence[bytes] = (tile[1],), extra: bytes = b"") -> Sections:
        return [header, (b"TIDX", b"".join(map(varint, numbers)) + extra), *((b"TILE", content) for content in contents)]

    size = len(tile[1])
    yield fault("index-tile-0", "a tile size of 0", with_index([0, size]))
    yield fault("index-tile-6", "a tile larger than the axis", with_index([6, size]))
    yield fault("index-length", "another length than the tile has", with_index([5, size + 1]))
    yield fault("index-short", "no length for the tile", with_index([5]))
    yield fault("index-long", "a length too many", with_index([5, size, size]))
    yield fault("index-count", "tiles of 3 and only one of them there", with_index([3, size, size]))
    huge = head(signal, bits=8, shape=(2**40,))
    yield fault("index-2p40-tiles", "2^40 tiles in an index of two numbers", [(b"HEAD", huge), (b"TIDX", varint(1) + varint(size)), tile])

    def with_tile(content: bytes) -> Sections:
        return with_index([5, len(content)], [content])

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
            [
                (b"HEAD", head(signal, bits=7)),
                (b"TIDX", varint(5) + varint(len(content))),
                (b"TILE", content),
            ],
        )

    items = varint(1) + b"a" + varint(1) + b"b"
    metadata: dict[str, tuple[str, bytes]] = {
        "short": ("fewer bytes than said", varint(5) + brotli.compress(items)),
        "long": ("more bytes than said", varint(3) + brotli.compress(items)),
        "huge": ("2^28 + 1 bytes", varint(2**28 + 1) + brotli.compress(items)),
        "goes-on": ("a Brotli stream followed by a byte", varint(4) + brotli.compress(items) + b"\0"),
        "no-brotli": ("not a Brotli stream", varint(4) + b"\xff" * 6),
        "item-cut": ("a value that ends early", varint(4) + brotli.compress(items[:-2] + b"\2b")),
        "key-bytes": ("a key that is not UTF-8", meta([(b"\xff", b"")])),
        "key-twice": ("a key twice", meta([(b"a", b"1"), (b"a", b"2")])),
    }
    for name, (what, content) in metadata.items():
        yield fault(f"meta-{name}", f"meta: {what}", [*good, (b"meta", content)])

    def netw(name: str, what: str, content: Callable[[], bytes]) -> Recipe:
        first, _, *others = with_network
        return fault(f"netw-{name}", f"NETW: {what}", lambda: [first, (b"NETW", content()), *others])

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
        "parameters": ("more than 2^27 parameters", {"hidden": 8192, "layers": 3, "numbers": b""}),
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
        yield netw(name, what, NetworkSpec(signal, 8, **options).content)
    yield fault(
        "netw-planes",
        "NETW: a network for 7 planes where there are 8",
        lambda: [
            with_network[0],
            (b"NETW", NetworkSpec(Signal(signal.samples), 7).content()),
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
    # The second matrix is 8×5: one vector, k = 40.
    sparse: dict[str, tuple[str, dict[str, Any]]] = {
        "atom-80": ("an atom of 80 where there are 80", {"sparse": {1: ([80], [1])}}),
        "atom-far": ("an atom whose number needs more than 16 bits", {"sparse": {1: ([60000, 120000, 130999], [1, 2, 3])}}),
        "count-41": ("more non-zeros than a vector has entries", {"sparse": {1: (range(41), [0] * 41)}}),
        "stream-short": ("values for 3 non-zeros where 4 are said", {"count": 4}),
        "stream-long": ("values for 3 non-zeros where 2 are said", {"count": 2}),
    }
    for name, (what, options) in sparse.items():
        of_sparse = NetworkSpec(signal, 8, coding=3, **options)
        yield netw(f"sinr-{name}", what, of_sparse.content)
    yield netw("sinr-stream-goes-on", "a Brotli stream followed by a byte", lambda: NetworkSpec(signal, 8, coding=3).content() + b"\0")
    yield netw("sinr-no-stream", "no Brotli stream", lambda: NetworkSpec(signal, 8, coding=3, non_zeros=0).content()[:-1])


# The faulty files of the profile hybrid are of an image of one colour. All strings of its values are empty, and those of its
# corrections say "right" throughout: what is not faulty decodes to it, so that nothing but the fault makes a file invalid.

COLOUR = (7, 12, 22)


def source(largest: int, least: int) -> bytes:
    return varint(largest) + b"\0" + varint(least)


def table_source(largest: int, last: int, occurs: bytes) -> bytes:
    return varint(largest) + b"\1" + varint(last) + blob(occurs)


def plane(number: int, largest: int, *references: int, two_pass: int = 0) -> bytes:
    return varint(number) + varint(largest) + bytes([two_pass, len(references)]) + b"".join(map(varint, references))


def settings(
    *, kind: int = 0, least: int = 0, units: int = 0, learning: int = 0, coordinates: int = 0, contexts: int = 0, lines: int = 4
) -> bytes:
    return bytes([kind, least, units, learning, coordinates, contexts, lines])


SOURCES = (source(0, 7), source(3, 10), source(3, 20))
COLOURED = (plane(0, 0), plane(1, 3), plane(2, 3, 1))
LABELS = (plane(0, 3), plane(1, 3), plane(2, 3))
IDENTITY = tuple(65536 * (i % 4 == 0) for i in range(9))


def hybr(front: bytes = b"", sources: Sequence[bytes] = SOURCES, planes: Sequence[bytes] = COLOURED, between: bytes = b"") -> bytes:
    return (front or settings()) + varint(len(sources)) + b"".join(sources) + between + b"".join(planes)


def delta(
    number: int, pass_: int = 0, *, coding: int = 0, scale: bytes = bytes([128, 10]), first: int = 0, data: bytes | None = None
) -> bytes:
    """A delta of a network of 16 units without references, all integers 0 but the first."""
    if data is None:
        data = coded_integers([[first] + [0] * (48 * 16 - 1), [0] * (17 * 16), [0] * (17 * 16)])
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


def hybrid_file(plan: bytes, strings: Sequence[bytes], after: bytes = b"") -> Sections:
    """The sections of a file that has the plan, and in its only tile the strings."""
    tile = b"".join(varint(len(string)) for string in strings) + b"".join(strings) + after
    return [(b"HEAD", head(one_colour(), 2, bits=8)), (b"HYBR", plan), *tiled([tile], [3, 2])]


PRIOR_16 = bytes.fromhex("6e7a39dee21e1dd8")  # inrcodec/profiles/hybrid/priors/2026-11-16.prior
RIGHT = b"\xff\xff\xff\xfe"  # the string of which all bits are 0


def faulty_hybrid() -> Iterable[Recipe]:
    good = hybrid_file(hybr(), [b"", b""])
    lattice = hybrid_file(lattice_plan(), [b"", b"", b"", RIGHT])
    palette = hybrid_file(palette_plan(), [b""])
    assert all(by_standalone(file_of(sections)) is not None for sections in (good, lattice, palette))

    def fault(name: str, what: str, sections: Sections) -> Recipe:
        return recipe(f"hybrid_{name}", f"hybrid: {what}", None, lambda: sections)

    def planned(name: str, what: str, plan: bytes, strings: Sequence[bytes] = (b"", b"")) -> Recipe:
        return fault(name, f"HYBR: {what}", hybrid_file(plan, strings))

    yield fault("missing", "no HYBR", [section for section in good if section[0] != b"HYBR"])
    yield fault("twice", "HYBR twice", [good[1], *good])
    small = Signal(np.array([1, 2, 3, 4, 250], np.uint8))
    yield fault("stored", "HYBR with the profile stored", [*stored(small, bits=8), good[1]])
    yield fault("netw", "NETW with the profile hybrid", [*good, (b"NETW", NetworkSpec(one_colour(), 8).content())])
    sound = Signal(np.array([7, 7, 7], np.int8), "audio", 0, 8000)
    line = Signal(np.array([7, 7, 7], np.uint8))
    constant = hybr(sources=[source(0, 7)], planes=[plane(0, 0)])
    for name, what, signal in (("sound", "a sound", sound), ("one_axis", "an array of one axis", line)):
        yield fault(name, what, [(b"HEAD", head(signal, 2, bits=4)), (b"HYBR", constant), *tiled([b""], [3])])
    wide = Signal(np.full((3, 2), 7, np.uint32))
    yield fault("17_bits", "values of 17 bits", [(b"HEAD", head(wide, 2, bits=17)), (b"HYBR", constant), *tiled([b""], [3, 2])])
    stack = Signal(np.full((2, 3, 2), 7, np.uint8))
    two = hybr(sources=[source(0, 7)] * 2, planes=[plane(0, 0), plane(1, 0)])
    yield fault(
        "leading_axis", "tiles that cut a leading axis", [(b"HEAD", head(stack, 2, bits=4)), (b"HYBR", two), *tiled([b"", b""], [1, 3, 2])]
    )

    fronts = {
        "kind_3": ("kind 3", settings(kind=3)),
        "least_3": ("least 3", settings(least=3)),
        "units_8": ("8 units", settings(least=2, units=8) + bytes(8)),
        "units_without_least": ("units without least squares", settings(units=16) + PRIOR_16),
        "units_of_prior": ("a prior of other units", settings(least=2, units=32) + PRIOR_16),
        "prior_unknown": ("a prior that nobody has", settings(least=2, units=16) + bytes(8)),
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

    network = hybr(settings(least=2, units=16) + PRIOR_16)
    assert by_standalone(file_of(hybrid_file(network + varint(1) + delta(1), [b"", b""]))) is not None
    of_deltas = {
        "deltas_0": ("a list of no deltas", network + varint(0)),
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
        "delta_sinr_cut": ("sparse codes cut off", network + varint(1) + delta(1, coding=3, data=b"\1\1")),
    }
    for name, (what, plan) in of_deltas.items():
        yield planned(name, what, plan)

    corrected = [b"", b"", b"", RIGHT]
    high = (source(200, 0), source(5, 0), source(200, 0))
    wide_sources = (source(200, 0),) * 2 + (source(256, 0),)
    swapped = (plane(1, 3), plane(0, 3), plane(2, 3))
    yield planned("lattice_number", "a number of 2^31", lattice_plan(numbers=(*IDENTITY, 0, 0, 0, 5, 10, 2**31)), corrected)
    yield planned("lattice_swapped", "labels of other sources than their own", lattice_plan(planes=swapped), corrected)
    yield planned("lattice_index", "a lattice that gives an index which its source does not have", lattice_plan(high), corrected)
    deep = Signal(np.tile(np.array(COLOUR, np.uint16), (3, 2, 1)), "image")
    yield fault(
        "lattice_256",
        "HYBR: a lattice of a source with 257 values",
        [(b"HEAD", head(deep, 2, bits=9)), (b"HYBR", lattice_plan(wide_sources)), *lattice[2:]],
    )
    pair = Signal(one_colour().samples[:, :, :2], "image")
    yield fault(
        "lattice_2",
        "HYBR: a lattice of two sources",
        [(b"HEAD", head(pair, 2, bits=8)), (b"HYBR", lattice_plan((source(200, 0),) * 2, LABELS[:2])), *lattice[2:]],
    )
    few = (source(200, 0), source(11, 0), source(200, 0))
    yield planned("palette_colour", "a colour of an index which its source does not have", palette_plan(sources=few), [b""])
    yield planned("palette_unused", "such a colour, which no place has", palette_plan(indices=bytes([201]) + palette_of()[1:]), [b""])
    yield planned("palette_short", "a colour too few in the palette", palette_plan(indices=palette_of()[:-2]), [b""])
    yield planned("palette_0", "no colours", hybr(settings(kind=2), between=varint(0) + blob(b""), planes=[plane(0, 0)]), [])
    many = bytes(2 * 3 * 4097)
    yield planned("palette_4097", "4097 colours", palette_plan(4097, indices=many, planes=[plane(0, 4096)]), [b""])
    yield planned("palette_largest", "a largest value that is not the number of colours − 1", palette_plan(planes=[plane(0, 2)]), [b""])
    yield planned("palette_planes", "a plane per source", palette_plan(planes=[plane(0, 3), plane(1, 3), plane(2, 3)]), [b""] * 3)

    def with_tile(name: str, what: str, tile: bytes) -> Recipe:
        return fault(name, f"a tile {what}", [*good[:2], *tiled([tile], [3, 2])])

    yield with_tile("tile_empty", "without its lengths", b"")
    yield with_tile("tile_lengths", "with a length for one of its two strings", varint(0))
    yield with_tile("tile_short", "whose lengths go past its end", varint(0) + varint(1))
    yield with_tile("tile_huge", "with a length of 2^62", varint(2**62) + varint(0))
    yield with_tile("tile_left_over", "with bytes left over", varint(0) + varint(0) + b"\0")
    yield with_tile("tile_ff", "with a string that is no arithmetic code", varint(4) + varint(0) + b"\xff" * 4)
    yield fault("tile_corrections", "a tile without its corrections", hybrid_file(lattice_plan(), [b"", b"", b""]))


# Writing


@dataclass
class Folder:
    name: str
    title: str
    recipes: Callable[[], Iterable[Recipe]]


FOLDERS = (
    Folder(
        "subset",
        "What an encoder of version 1 writes. A decoder must decode every file to exactly what ../manifest.json says.",
        lambda: itertools.chain(subset_stored(), subset_networks(), subset_hybrid(), vectors_sound.subset()),
    ),
    Folder(
        "uncommon",
        "Valid files that the encoder does not write, at the limits of SPEC.md. A decoder must decode them as ../manifest.json says.",
        lambda: itertools.chain(uncommon(), uncommon_hybrid(), vectors_sound.uncommon()),
    ),
    Folder(
        "faulty",
        "Invalid files. A decoder must refuse them; it gives no samples, and neither crashes nor takes much memory or time.",
        lambda: itertools.chain(faulty(), faulty_hybrid(), vectors_sound.faulty()),
    ),
)


def entry_of(file: str, what: str, signal: Signal | None) -> dict[str, Any]:
    if signal is None:
        return {"file": file, "what": what, "invalid": True}
    return {
        "file": file,
        "what": what,
        "sha256": signal.digest.hex(),
        "dtype": signal.samples.dtype.str,
        "shape": list(signal.samples.shape),
        "kind": signal.kind,
        "bit_depth": signal.depth,
        "sample_rate": signal.sample_rate,
        "metadata": {key: hashlib.sha256(value).hexdigest() for key, value in signal.metadata.items()},
    }


def problems_of(entry: dict[str, Any], data: bytes) -> list[str]:
    """What is wrong with a vector: a decoder that does not make of it what the manifest says."""
    problems = []
    for name, decode in (("the package", by_package), ("linr.py", by_standalone)):
        try:
            found = entry_of(entry["file"], entry["what"], decode(data))
        except Exception as error:  # the purpose of faulty files is to find decoders that crash
            problems.append(f"{entry['file']}: {name} crashes: {error!r}")
            continue
        differing = sorted(key for key in entry.keys() | found.keys() if entry.get(key) != found.get(key))
        if differing:
            problems.append(f"{entry['file']}: {name} disagrees in {', '.join(differing)}")
    return problems


def readme(folder: Folder, entries: Iterable[dict[str, Any]]) -> str:
    rows = [f"| `{Path(entry['file']).name}` | {entry['what']} |" for entry in entries]
    return "\n".join([f"# {folder.name}", "", folder.title, "", "| file | what it exercises |", "| --- | --- |", *rows, ""])


def main() -> int:
    force = "--force" in sys.argv[1:]
    manifest = VECTORS / "manifest.json"
    known = {entry["file"]: entry for entry in json.loads(manifest.read_text("utf-8"))} if manifest.exists() else {}
    problems = []
    for folder in FOLDERS:
        (VECTORS / folder.name).mkdir(parents=True, exist_ok=True)
        for item in folder.recipes():
            file = f"{folder.name}/{item.file}.linr"
            path = VECTORS / file
            if file in known and path.exists() and not force:
                continue
            data, signal = item.make()
            known[file] = entry_of(file, item.what, signal)
            path.write_bytes(data)
            problems += problems_of(known[file], data)
        entries = [entry for file, entry in known.items() if file.startswith(f"{folder.name}/")]
        (VECTORS / folder.name / "README.md").write_text(readme(folder, entries), "utf-8")
    manifest.write_text(json.dumps(list(known.values()), ensure_ascii=False, indent=1) + "\n", "utf-8")
    print("\n".join(problems), end="\n" * bool(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
