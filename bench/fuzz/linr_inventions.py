"""Invented `.linr` files: plans and networks at random that are valid, with tiles at random.

What changes of real files hardly reach is reached here: all settings together, and kernels on values that no encoder makes. The digest is
at random too, so a decoder goes through all tiles and then refuses the file, if not before.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np

from inrcodec import container
from inrcodec.container import Section, varint
from inrcodec.floats import FloatMap, from_integers
from inrcodec.header import Header, digest, write_header
from inrcodec.kernels import integers
from inrcodec.kernels.architecture import Architecture
from inrcodec.layout import Layout
from inrcodec.profiles.hybrid.pictures import contexts, scan
from inrcodec.profiles.hybrid.pictures import plan as pictures
from inrcodec.profiles.hybrid.pictures.sources import Source
from inrcodec.profiles.hybrid.pictures.transforms import Direct, Lattice, Palette, Transform
from inrcodec.profiles.hybrid.priors import shipped
from inrcodec.profiles.hybrid.sound import plan as sounds
from inrcodec.profiles.inr import coding
from inrcodec.signal import Kind
from inrcodec.values import ValueMap, Values, from_values
from inrcodec.weights import network
from inrcodec.weights.network import CodedNetwork

from .random_networks import random_coded

SIDES = (1, 2, 3, 4, 5, 8, 9, 16, 17, 33, 49)
FRAMES = (1, 7, 8, 9, 63, 64, 65, 200, 2047, 2048, 2049, 4100)


def _header(rng: Random, profile: int, kind: Kind, shape: tuple[int, ...], bits: int) -> Header:
    """A header with values of so many bits, in a type that has room for them."""
    size = next(n for n in (1, 2, 4, 8) if 8 * n >= bits)
    signed = kind == "audio" or (kind == "array" and rng.random() < 0.5)
    floating = signed and size > 1 and rng.random() < 0.25
    dtype = np.dtype(f"{rng.choice('<>') if size > 1 else '|'}{'f' if floating else 'i' if signed else 'u'}{size}")
    offset = -(1 << 8 * size - 1) if signed else 0
    rate = rng.choice((1, 8000, 44100)) if kind == "audio" else None
    return Header(
        profile, kind, dtype, 8 * size, shape, rate, ValueMap(offset, 1, bits), rng.randbytes(32), False, FloatMap() if floating else None
    )


def _string(rng: Random, likely: int) -> bytes:
    """An arithmetic-coded string, as it may be; likely: bytes that it would have if nothing were predictable."""
    size = rng.choice((0, 4, 5, 12, likely, likely, 4 * likely + 9, rng.randint(0, likely + 4)))
    half = rng.randbytes(size // 2)
    return rng.choice((rng.randbytes(size), rng.randbytes(size), bytes(size), b"\xfe" * size, half + bytes(size - len(half))))


def _file(header: Header, section: Section, sizes: Sequence[int], tiles: Sequence[bytes]) -> bytes:
    index = b"".join(map(varint, [*sizes, *map(len, tiles)]))
    parts = [Section(b"HEAD", write_header(header)), section, Section(b"TIDX", index), *(Section(b"TILE", tile) for tile in tiles)]
    return container.write(parts)


def _table(rng: Random, bits: int) -> np.ndarray[Any, Any]:
    """Values that occur, ascending, below 2^bits."""
    count = min(1 << bits, rng.choice((2, 3, 9, 40)))
    return np.array(sorted({rng.getrandbits(bits) for _ in range(count)}), np.int64)


def _range(rng: Random, bits: int) -> tuple[int, int]:
    """(largest, least) of indices of values below 2^bits."""
    most = (1 << bits) - 1
    largest = rng.choice((0, 1, 3, most, most, rng.randint(0, most)))
    largest = min(largest, most)
    return largest, rng.randint(0, most - largest)


# Sound


def _channel(rng: Random, before: list[sounds.Channel], bits: int) -> sounds.Channel:
    choice = rng.random()
    originals = [i for i, c in enumerate(before) if c.copy_of is None]
    if choice < 0.1 and originals:
        return sounds.Channel(copy_of=rng.choice(originals))
    if choice < 0.3:
        table = _table(rng, bits)
        return sounds.Channel(len(table) - 1, 0, rng.randrange(len(table)), table)
    largest, least = _range(rng, bits)
    return sounds.Channel(largest, least, rng.choice((0, largest, rng.randint(0, largest), largest // 2)))


def sound(rng: Random) -> bytes:
    """A sound, or an array of one axis."""
    kind: Kind = rng.choice(("audio", "audio", "array"))
    frames, bits = rng.choice(FRAMES), rng.choice((1, 2, 4, 8, 12, 16, 24, 31, 32))
    count = rng.choice((1, 1, 2, 2, 3, 8)) if kind == "audio" else 1
    shape = (frames, count) if kind == "audio" and (count > 1 or rng.random() < 0.5) else (frames,)
    sizes, rates = ((1,), (2,), (3, 1), (8,), (5, 4)), (1, 2, 4, 8, 128)
    windows = tuple(
        sounds.Window(rng.choice(sizes), rng.choice(rates), rng.choice((1, 30000, 65000, 65536))) for _ in range(rng.randint(1, 4))
    )
    predictors = sum(len(w.rounds) for w in windows)
    filters = tuple(
        sounds.Filter(rng.randint(4, 12), rng.choice((1, 999, 30000, 1 << 20)), rng.choice((0, 0, rng.randint(0, predictors))))
        for _ in range(rng.randint(0, 4))
    )
    units = rng.choice((0, 16, 32, 48, 64))
    model = sounds.SoundModel(windows, filters, rng.randint(0, 4), units, rng.choice((1, 20, 255)) if units else 0)
    channels: list[sounds.Channel] = []
    for _ in range(count):
        channels.append(_channel(rng, channels, bits))
    live = [i for i, c in enumerate(channels) if c.coded]
    coded = tuple(sounds.CodedChannel(i, rng.randrange(len(live))) for i in rng.sample(live, len(live)))
    steps = rng.choice((0, 0, 1, 4, 12, 20))
    section = Section(b"HYBR", sounds.write(sounds.SoundPlan(tuple(channels), coded, model, steps)))
    size = rng.choice((frames, frames, -(-frames // 2), max(1, frames // 5)))
    tiles = []
    for start in range(0, frames, size):
        length = min(size, frames - start)
        front = _lags(rng, model.lags, length) + _steps(rng, len(live), length, steps)
        tiles.append(front + _string(rng, length * len(live) * bits // 8) if live else b"")
    return _file(_header(rng, 2, kind, shape, bits), section, [size], tiles)


def _lags(rng: Random, count: int, frames: int) -> bytes:
    """The lags of a tile of so many frames, with their length before them; nothing if there are none."""
    if not count:
        return b""
    arrays = []
    for _ in range(count):
        lags = [rng.choice((0, 512, 2048 * i, rng.randint(512, 2048 * i))) if i else 0 for i in range(-(-frames // 2048))]
        arrays.append(np.diff(np.array(lags, np.int64), prepend=0))
    data = integers.encode(arrays)
    return varint(len(data)) + data


def _steps(rng: Random, channels: int, frames: int, shift: int) -> bytes:
    """The steps of a tile of so many frames, with their length before them; nothing if there are none."""
    if not shift or not channels:
        return b""
    arrays = []
    for _ in range(channels):
        numbers, before = [], (0, 0, 0)
        for _ in range(-(-frames // 1024)):
            start, end = (rng.choice((2 << shift, 9 << shift, rng.randint(2 << shift, (1 << 31) - 1))) for _ in range(2))
            piece = (start, end, -rng.choice((0, 1, start >> 3))) if rng.random() < 0.8 else (0, 0, 0)
            guess = piece[0] + before[1] - before[0]
            numbers.append((piece[0] - before[1], piece[1] - guess, piece[2] - before[2]) if piece[0] else (-before[1], 0, 0))
            before = piece
        arrays += [np.array(column, np.int64) for column in zip(*numbers, strict=True)]
    data = integers.encode(arrays)
    return varint(len(data)) + data


# Pictures


def _transform(rng: Random, found: Sequence[Source], bits: int) -> Transform:
    choice = rng.random()
    if choice < 0.3 and len(found) >= 3 and bits <= 8:
        unit = rng.choice((1 << 16, 1 << 20, 300, (1 << 31) - 1))
        matrix = np.array([[rng.randint(-unit, unit) for _ in range(3)] for _ in range(3)], np.int64)
        offset = np.array([rng.randint(-unit, unit) * 9 % (1 << 31) for _ in range(3)], np.int64)
        return Lattice(matrix, offset, np.array([rng.randint(-unit, unit) for _ in range(3)], np.int64))
    if choice < 0.5 and len(found) <= 4:
        count = rng.choice((1, 2, 5, 40, 300))
        return Palette(np.array([[rng.randint(0, source.largest) for source in found] for _ in range(count)], np.int64))
    return Direct()


def _planes(rng: Random, transform: Transform, found: Sequence[Source]) -> tuple[pictures.Plane, ...]:
    count = transform.planes(len(found))
    order = [*range(transform.labels), *rng.sample(range(transform.labels, count), count - transform.labels)]
    planes: list[pictures.Plane] = []
    for i, source in enumerate(order):
        largest = rng.choice((0, 1, 9, 200, 65535)) if i < transform.labels else transform.largest(found[source])
        able = [j for j, plane in enumerate(planes) if plane.largest]
        references = tuple(rng.sample(able, min(len(able), rng.randint(0, 3))))
        planes.append(pictures.Plane(source, largest, references, rng.random() < 0.4))
    return tuple(planes)


def _brief(rng: Random, plan: pictures.PicturePlan, bits: int) -> pictures.PicturePlan:
    """A plan without a lattice in the brief form, with what is usual in some of its parts. bits: of the values."""
    found, planes = plan.sources, plan.planes
    transform = plan.transform
    if rng.random() < 0.3:
        found = (Source((1 << bits) - 1),) * len(found)
        planes = _planes(rng, transform, found)
    elif rng.random() < 0.3:
        found = (found[0],) * len(found)
        if isinstance(transform, Palette):
            transform = Palette(np.minimum(transform.colours, found[0].largest))
        planes = _planes(rng, transform, found)
    if isinstance(transform, Palette):
        planes = (pictures.Plane(0, transform.largest(found[0])),)
    elif rng.random() < 0.6:
        planes = tuple(pictures.usual_planes(found, rng.random() < 0.5))
    model = rng.choice(pictures.presets()) if rng.random() < 0.6 else plan.model
    return replace(plan, transform=transform, sources=found, planes=planes, model=model, brief=bits)


def picture(rng: Random) -> bytes:
    """A picture, or an array of two axes or more."""
    kind: Kind = rng.choice(("image", "image", "array"))
    height, width, bits = rng.choice(SIDES), rng.choice(SIDES), rng.choice((1, 2, 4, 7, 8, 8, 12, 16))
    leading = [rng.choice((1, 2, 3)) for _ in range(rng.randint(0, 2))] if kind == "array" else []
    channels = rng.choice((1, 2, 3, 3, 4)) if kind == "image" else 1
    shape = (*leading, height, width) if channels == 1 else (height, width, channels)
    found = []
    for _ in range(math.prod(leading) * channels):
        table = _table(rng, bits) if rng.random() < 0.3 else None
        largest, least = (len(table) - 1, 0) if table is not None else _range(rng, bits)
        found.append(Source(largest, least, table))
    transform = _transform(rng, found, bits)
    planes = _planes(rng, transform, found)
    least_squares = rng.choice(pictures.COUNTS)
    coding = rng.choice((pictures.BITS, pictures.AROUND, pictures.PLAIN)) if least_squares else pictures.BITS
    units = rng.choice((0, *shipped.CURRENT)) if least_squares and coding != pictures.PLAIN else 0
    model = pictures.PictureModel(
        coding,
        least_squares,
        units,
        rng.choice((0, 1, 20, 255)),
        rng.random() < 0.5,
        "none" if coding == pictures.PLAIN else rng.choice(contexts.NAMES),
        rng.randint(1, 18),
        shipped.current(units) if units else b"",
    )
    plan = pictures.PicturePlan(transform, tuple(found), planes, model)
    if not isinstance(transform, Lattice) and rng.random() < 0.5:
        plan = _brief(rng, plan, bits)
    section, planes = Section(b"HYBR", pictures.write(plan)), plan.planes
    sizes = [rng.choice((n, n, -(-n // 2), rng.randint(1, n))) for n in (height, width)]
    tiles = []
    for top, left in itertools.product(range(0, height, sizes[0]), range(0, width, sizes[1])):
        h, w = min(sizes[0], height - top), min(sizes[1], width - left)
        passes = sum(len(scan.passes(p.four_passes and min(h, w) >= 4)) for p in planes if p.largest) + transform.corrected
        strings = [_string(rng, h * w * bits // 8) for _ in range(passes)]
        tiles.append(b"".join(map(varint, map(len, strings))) + b"".join(strings))
    return _file(_header(rng, 2, kind, shape, bits), section, [*leading, *sizes], tiles)


# Networks


def _network(rng: Random) -> tuple[CodedNetwork, Values]:
    """A network, and values that it may code."""
    return random_coded(np.random.default_rng(rng.getrandbits(64)))


def _of_network(rng: Random, a: Architecture) -> Header:
    """The header of a signal that such a network can be of."""
    kinds: list[Kind] = ["audio"] if len(a.sizes) == 1 else ["image"] if len(a.sizes) == 2 else []
    kind: Kind = rng.choice([*kinds, "array"] if a.channels == 1 else kinds)
    shape = (*a.sizes, a.channels) if a.channels > 1 or (kind != "array" and rng.random() < 0.2) else a.sizes
    return _header(rng, 1, kind, shape, a.bits)


def coordinate_network(rng: Random) -> bytes:
    """A signal of profile inr, with tiles at random; or a lossy one."""
    coded, _ = _network(rng)
    a = coded.network.architecture
    header = replace(_of_network(rng, a), lossy=rng.random() < 0.3)
    section = Section(b"NETW", network.write(coded))
    sizes = [rng.choice((n, n, -(-n // 2), 1)) for n in a.sizes]
    if header.lossy:
        return container.write([Section(b"HEAD", write_header(header)), section, Section(b"TIDX", b"".join(map(varint, sizes)))])
    layout = Layout(a.sizes, a.channels, tuple(sizes))
    tiles = [_string(rng, math.prod(sizes) * a.planes // 8) if coded.errors[-1] else b"" for _ in range(layout.tiles)]
    return _file(header, section, sizes, tiles)


def coded_values(rng: Random) -> bytes:
    """A signal of profile inr that is valid throughout: its tiles hold values, and its digest is that of the samples."""
    coded, values = _network(rng)
    a = coded.network.architecture
    header = _of_network(rng, a)
    layout = Layout(a.sizes, a.channels, tuple(rng.choice((n, n, -(-n // 2), 1)) for n in a.sizes))
    tiles = [coding.encode_tile(coded, values[box], box, a.sizes, lambda _: None)[0] if coded.errors[-1] else b"" for box in layout.boxes()]
    integers = from_values(values.reshape(header.shape).copy(), header.value_map, header.integer_type)
    samples = from_integers(integers, header.float_map, header.dtype) if header.float_map else integers
    header = replace(header, digest=digest(header, samples))
    return _file(header, Section(b"NETW", network.write(coded)), layout.tile, tiles)
