"""Conformance vectors of compact files (SPEC.md 1) and of the brief form of plans (SPEC.md 10)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import partial

import numpy as np
from vector_tools import Array, Recipe, Signal, blob, by_encoder, fault, head, meta, picture, recipe, signed, stored_tile, values_of, varint
from vectors_pictures import PRIOR_48, plane, settings, source, table_source

from inrcodec.options import Options
from inrcodec.profiles.hybrid.pictures import plan as plans
from inrcodec.profiles.hybrid.pictures import sources
from inrcodec.profiles.hybrid.pictures.analysis import Choice
from inrcodec.profiles.hybrid.pictures.coding import encode_with
from inrcodec.profiles.hybrid.pictures.transforms import Direct

MAGIC = b"\x89LI\n"
ANY, MAPPED, DESCRIBED = 15, 16, 32
STORED, HYBRID = 0, 128  # of the form


def closed(content: bytes) -> bytes:
    """A compact file: what stands between its magic and its CRC is given."""
    whole = MAGIC + content
    return whole + zlib.crc32(whole).to_bytes(4, "little")


def compact(form: int, header: bytes, signal: Signal, rest: bytes) -> bytes:
    return closed(bytes([form]) + header + signal.digest[:4] + rest)


def shape(signal: Signal) -> bytes:
    return b"".join(map(varint, signal.axes))


def tile(signal: Signal, mode: int = 0, bits: int = 8, offset: int = 0, step: int = 1) -> bytes:
    return stored_tile(values_of(signal, offset, step), bits, mode)


def icon(side: int, channels: int) -> Array:
    """A disc on nothing, with a smooth edge and a gradient."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    alpha = np.clip(side / 2 - np.hypot(x, y), 0, 1)
    planes = [*(np.where(alpha > 0, 30 * i + 100 + 3 * y, 0) for i in range(max(1, channels - 1))), 255 * alpha]
    whole: Array = np.rint(np.stack(planes[:channels], 2)).astype(np.uint8)
    return whole[:, :, 0] if channels == 1 else whole


def subset() -> Iterable[Recipe]:
    for name, channels in (("grey", 1), ("grey-alpha", 2), ("rgba", 4)):
        yield by_encoder(f"compact_{name}", f"a compact file: {name}, 12 × 12", Signal(icon(12, channels), "image"), compact=True)
    fields = {"gamma": b"45455", "text/Title": b"A ramp"}
    ramp = Signal(np.add.outer(np.arange(9), np.arange(7))[:, :, None] * np.array([1, 2, 3], np.uint8), "image", metadata=fields)
    ramp.samples = ramp.samples.astype(np.uint8)
    yield by_encoder("compact_rgb", "a compact file with a value map and metadata", ramp, compact=True)
    yield by_encoder("compact_16", "a compact file of 16 bits", Signal(picture(5, 6, 3, 16), "image"), compact=True)
    for depth in (1, 2, 4):
        values = np.add.outer(np.arange(11), np.arange(9)) % (1 << depth)
        grey = Signal(values.astype(bool if depth == 1 else np.uint8), "image", depth)
        yield by_encoder(f"compact_{depth}", f"a compact file of {depth} bit{'s' * (depth > 1)}", grey, compact=True)
    g = np.random.default_rng(5)
    few = g.integers(0, 256, (6, 3))[g.integers(0, 6, (10, 12)) * (np.arange(12) > 3)].astype(np.uint8)
    yield by_encoder("compact_palette", "a compact file with a palette", Signal(few, "image"), compact=True)
    yield by_encoder("compact_constant", "a compact file of one colour", Signal(np.full((3, 4, 3), 7, np.uint8), "image"), compact=True)
    tone = np.rint(900 * np.sin(np.arange(80) / 4)).astype(np.int16)
    yield by_encoder("compact_sound", "a compact file: a sound", Signal(tone, "audio", 16, 8000), compact=True)
    yield by_encoder("compact_stereo", "a compact file: two channels", Signal(np.stack([tone, -tone], 1), "audio", 16, 8000), compact=True)
    yield by_encoder("compact_array", "a compact file: an array of floats", Signal(np.arange(12, dtype=np.float32) / 8), compact=True)


def by_preset(number: int, signal: Signal) -> bytes:
    """A compact file of a picture of 8 bits, with a preset. signal: (height, width, 3)."""
    full = (sources.Source(255),) * 3
    planes = sources.split(signal.samples.astype(np.uint16))
    plan = plans.PicturePlan(Direct(), full, tuple(plans.usual_planes(full, False)), plans.presets()[number], brief=8)
    choice = Choice(plan, planes[[p.source for p in plan.planes]], planes, False)
    coded = encode_with(choice, signal.samples.shape, Options(threads=1), signal.samples.size)
    content = plans.write(plan)
    return compact(HYBRID | 5, shape(signal), signal, varint(len(content)) + content + coded.parts.tiles[0])


def presets() -> Iterable[Recipe]:
    """A picture with each of the models that a number stands for."""
    signal = Signal(picture(14, 12, 3, 8), "image")
    for number, model in enumerate(plans.presets()):
        what = f"{model.least_squares} predictors, {model.units} units, contexts {model.contexts}"
        yield recipe(f"compact_preset_{number}", f"a compact file: {what}", signal, partial(by_preset, number, signal))


def planned_file(plan: bytes, strings: bytes) -> bytes:
    """A picture of 3 × 2 places, all of them (7, 10, 20), with a plan."""
    signal = Signal(np.full((3, 2, 3), (7, 10, 20), np.uint8), "image")
    return compact(HYBRID | 5, shape(signal), signal, varint(len(plan)) + plan + strings)


ONE = bytes([3]) + source(0, 7) + bytes([3]) + source(0, 10) + bytes([3]) + source(0, 20)  # sources of one value each
WRITTEN = settings(lines=4)[1:]  # a model as the brief form has it


def uncommon() -> Iterable[Recipe]:
    signal = Signal(picture(6, 5, 3, 8), "image", metadata={"xmp": b"<x/>"})
    plain = Signal(signal.samples, "image")
    about = meta([(b"xmp", b"<x/>")])
    described = varint(len(about)) + about
    yield recipe(
        "compact_meta",
        "a compact file with metadata",
        signal,
        lambda: compact(DESCRIBED | 5, shape(signal), signal, described + tile(signal)),
    )
    long = head(plain, bits=8)[1:-32]
    yield recipe(
        "compact_header", "a compact file with HEAD itself", plain, lambda: compact(ANY, varint(len(long)) + long, plain, tile(plain, 2))
    )
    big = Signal(np.array([1, 2, 600], ">u2"))
    other = head(big, bits=10)[1:-32]
    yield recipe(
        "compact_big_endian", "one with HEAD, big-endian", big, lambda: compact(ANY, varint(len(other)) + other, big, tile(big, bits=10))
    )
    steps = Signal(np.array([[5, 11], [8, 5]], np.uint8), "image")
    value_map = signed(5) + varint(3) + bytes([2])
    yield recipe(
        "compact_value_map",
        "one with a value map",
        steps,
        lambda: compact(MAPPED | 3, shape(steps) + value_map, steps, tile(steps, 0, 2, 5, 3)),
    )
    constant = Signal(np.full((3, 2, 3), (7, 10, 20), np.uint8), "image")
    plans = {
        "presets": bytes([128 | 8]) + ONE,
        "drawn": bytes([128 | 16 | 9]) + ONE,
        "model": bytes([128 | 15]) + WRITTEN + ONE,
        "model_network": bytes([128 | 15]) + settings(predictors=1, units=48)[1:] + PRIOR_48 + ONE,
        "planes": bytes([128 | 48 | 8]) + ONE + plane(2, 0) + plane(0, 0) + plane(1, 0),
        "palette": bytes([128 | 64 | 32 | 8]) + varint(2) + bytes([7, 10, 20]),
        "palette_blob": bytes([128 | 64 | 32 | 8]) + varint(3) + blob(bytes([7, 0, 10, 0, 20, 0])),
        "table": bytes([128 | 32 | 8, 4, 0, 7, 1, 3]) + source(0, 10) + bytes([3]) + table_source(0, 20, bytes([0, 0, 8])) + b"\2\0\0\0",
    }
    for name, plan in plans.items():
        file = planned_file(plan, b"")
        yield recipe(f"compact_plan_{name}", f"a brief plan: {name.replace('_', ', ')}", constant, lambda file=file: file)  # type: ignore[misc]


def faulty() -> Iterable[Recipe]:
    signal = Signal(picture(6, 5, 3, 8), "image")
    good = compact(5, shape(signal), signal, tile(signal))
    yield fault("compact_crc", "a compact file with a wrong CRC", good[:-1] + bytes([good[-1] ^ 1]))
    yield fault("compact_byte", "a compact file with a changed byte", good[:20] + bytes([good[20] ^ 16]) + good[21:])
    yield fault("compact_cut", "a compact file without its last byte", good[:-1])
    yield fault("compact_cut_5", "the first 5 bytes of a compact file", good[:5])
    yield fault("compact_long", "a byte after a compact file", good + b"\0")
    yield fault("compact_7_bit", "a compact file with the high bit cleared", bytes([9]) + good[1:])
    yield fault("compact_line_end", "a compact file with changed line ends", good.replace(b"\n", b"\r\n"))
    yield fault("compact_profile_1", "a compact file of profile inr", compact(64 | 5, shape(signal), signal, tile(signal)))
    yield fault("compact_profile_3", "a compact file of profile 3", compact(192 | 5, shape(signal), signal, tile(signal)))
    yield fault("compact_shape", "another shape than the digest is of", compact(5, varint(5) + varint(6), signal, tile(signal)))
    yield fault("compact_digest", "a wrong digest", closed(bytes([5]) + shape(signal) + bytes(4) + tile(signal)))
    long = head(signal, bits=8)[1:-32]
    twice = compact(ANY | MAPPED, varint(len(long)) + long, signal, tile(signal))
    yield fault("compact_map_twice", "a compact file with HEAD and a value map", twice)
    whole = compact(ANY, varint(len(long) + 28) + long + signal.digest[:28], signal, tile(signal))[: -4 - len(tile(signal)) - 4]
    more = closed(whole[4:] + signal.digest[28:] + tile(signal))
    yield fault("compact_digest_whole", "HEAD with the first 28 bytes of the digest", more)
    yield fault("compact_header_cut", "HEAD goes on after the file", closed(bytes([ANY]) + varint(200) + long))
    yield fault("compact_meta_cut", "metadata that go on after the file", compact(DESCRIBED | 5, shape(signal), signal, varint(999) + b"x"))
    plans = {
        "preset_10": ("a preset that is not there", bytes([128 | 10]) + ONE),
        "model_coding": ("coding 3", bytes([128 | 15]) + settings(coding=3, predictors=1)[1:] + ONE),
        "source_5": ("a source of form 5", bytes([128 | 8, 5]) + ONE),
        "source_first": ("the first source like the one before it", bytes([128 | 8, 1]) + ONE[4:]),
        "sources_2": ("two sources of three", bytes([128 | 8]) + ONE[:8]),
        "table_count": ("a table with more values than the source", bytes([128 | 8, 4, 0, 7, 3]) + ONE[4:]),
        "table_large": ("a table above the range", bytes([128 | 8, 4, 0]) + varint(256) + bytes(33) + ONE[4:]),
        "palette_0": ("no colours, then an empty blob", bytes([128 | 64 | 32 | 8]) + varint(0) + blob(b"")),
        "palette_none": ("no colours", bytes([128 | 64 | 32 | 8]) + varint(0)),
        "palette_4097": ("4097 colours", bytes([128 | 64 | 32 | 8]) + varint(2 * 4097) + bytes(3 * 4097)),
        "palette_cut": ("a palette that ends early", bytes([128 | 64 | 32 | 8]) + varint(2) + bytes(2)),
        "palette_range": ("a colour that is not within its source", bytes([128 | 32 | 8]) + ONE + varint(2) + bytes([7, 0, 0])),
        "planes_2": ("two planes of three", bytes([128 | 48 | 8]) + ONE + plane(0, 0) + plane(1, 0)),
        "longer": ("a byte too many", bytes([128 | 8]) + ONE + b"\0"),
        "tile": ("a tile of a constant plane", bytes([128 | 8]) + ONE),
    }
    for name, (what, plan) in plans.items():
        yield fault(f"compact_plan_{name}", f"a brief plan: {what}", planned_file(plan, b"x" * (name == "tile")))
