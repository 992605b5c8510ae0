"""Conformance vectors of sound in the profile `hybrid` (SPEC.md 16); those of pictures are in vectors_pictures.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from vector_tools import (
    RIGHT,
    Array,
    Recipe,
    Sections,
    Signal,
    all_kept,
    blob,
    by_encoder,
    coded_integers,
    fault,
    faultless,
    head,
    recipe,
    tiled,
    tone,
    varint,
)

from inrcodec.profiles.hybrid.sound import plan as plans
from inrcodec.profiles.hybrid.sound import tile


def subset() -> Iterable[Recipe]:
    files = {
        "copies": "four channels: one with a table, one like it, one twice over, a constant; a network",
        "five": "five channels, 24 bits; three predictors, two cascades of filters of 2048 to 16 taps, a network of 64 units",
        "lags": "two channels, the second segment looks at two places further back; a network of 64 units",
        "least": "one channel; one predictor, one filter",
        "pair": "two channels; two predictors, two cascades of filters, no network",
        "pair_net": "two channels; three predictors and a network of 32 units",
        "silence": "two channels of 8 bits that fall silent; a network",
        "wide": "two channels of noise of 32 bits; three predictors, a network",
    }
    yield from all_kept("subset", "sound", {file: f"sound of {what}" for file, what in files.items()})
    falling = Signal(under_envelope(4000, 1, 120), "audio", 0, 8000)
    yield by_encoder(
        "sound_step_mono", "hybrid: sound of one channel, near multiples of a step that falls", falling, profile="hybrid", effort=3
    )
    pair = Signal(under_envelope(3000, 2, 90), "audio", 0, 8000)
    yield by_encoder("sound_step_pair", "hybrid: sound of two channels, the same; a network", pair, profile="hybrid", effort=4)


def uncommon() -> Iterable[Recipe]:
    files = {
        "partners": "three channels in another order, the first without partner, the others with the first; 8 rounds and 1",
        "plain": "no filters, no partners, one predictor of one round that is solved every 128 batches",
        "tiles": "two channels in 5 tiles, filters of 16 and 4096 taps, a network of 16 units",
        "lags_4": "one channel, four lags, of which the third alone is used",
    }
    yield from all_kept("uncommon", "sound", {file: f"sound, {what}" for file, what in files.items()})
    x = under_envelope(5000, 2, 60)
    what = "hybrid: sound, steps that come, bend, jump, go and are larger than any sample, in units of 2^-20"
    yield recipe("sound_step_all", what, Signal(x, "audio", 0, 8000), lambda: any_steps(x))


def under_envelope(frames: int, channels: int, start: int) -> Array:
    """A sound of 8 bits times a step that begins at `start` and falls by 1/4096 of itself in each frame, with dither."""
    rng = np.random.default_rng(frames)
    steps = start * np.multiply.accumulate(np.full(frames, 4095 / 4096))
    dither = rng.random((frames, channels)) - rng.random((frames, channels))
    coarse = tone(frames, channels, 8, np.int64, 1).reshape(frames, channels)
    samples: Array = np.rint(coarse * steps[:, None] + dither).astype(np.int16)
    return samples


def any_steps(x: Array) -> Sections:
    """x: (5000, 2) int16. No envelope has these steps."""
    pieces = np.zeros((2, 5, 3))
    pieces[0, 1:] = (60, 50, 3), (2, 2, -40), (2000, 9.5, 0), (13, 1000, 20)
    pieces[1, ::2] = (2.5, 2.5, 2), (50, 40, -2), (3, 1900, 2)
    least, most = int(x.min()), int(x.max())
    channels = tuple(plans.Channel(most - least, 0, -least) for _ in range(2))
    model = plans.SoundModel((plans.Window((1,), 2, 64000),), (plans.Filter(4, 8000),), 1)
    plan = plans.SoundPlan(channels, (plans.CodedChannel(0, 1), plans.CodedChannel(1, 0)), model, 20)
    coded, _ = tile.encode(plan, x.T.astype(np.int64), np.zeros((3, 0), np.int64), lambda _: None, np.rint(pieces * 2**20).astype(np.int64))
    signal = Signal(x, "audio", 0, 8000)
    header = head(signal, 2, bits=(most - least).bit_length(), offset=least)
    return [(b"HEAD", header), (b"HYBR", plans.write(plan)), *tiled([coded], list(signal.axes))]


def window(sizes: int = 1, every: int = 1, decay: int = 64000) -> bytes:
    return bytes([sizes, every]) + varint(decay)


def lms(length: int = 4, step: int = 1000, source: int = 0) -> bytes:
    return bytes([length, source]) + varint(step)


def channel(largest: int = 9, zero: int = 4, least: int = 0) -> bytes:
    return b"\0" + varint(largest) + varint(zero) + varint(least)


def table(entries: Sequence[int], *, largest: int | None = None, zero: int = 0, size: int | None = None) -> bytes:
    gaps = b"".join(varint(entry) for entry in entries)
    last, length = len(entries) - 1 if largest is None else largest, len(gaps) if size is None else size
    return b"\1" + varint(last) + varint(zero) + varint(length) + blob(gaps)


def plan(
    windows: Sequence[bytes] = (window(),),
    filters: Sequence[bytes] = (lms(),),
    channels: Sequence[bytes] = (channel(), channel()),
    coded: bytes = b"\0\1\1\0",
    *,
    lags: int = 0,
    units: int = 0,
    learning: int = 0,
    named: int | None = None,
) -> bytes:
    front = bytes([3, len(windows), len(filters), lags, units, learning])
    return b"".join([front, *windows, *filters, varint(len(channels) if named is None else named), *channels, coded])


def sound() -> Signal:
    return Signal(np.zeros((3, 2), np.int8), "audio", 0, 8000)


def file(content: bytes, tile: bytes = b"", signal: Signal | None = None, bits: int = 4) -> Sections:
    signal = signal or sound()
    return [(b"HEAD", head(signal, 2, bits=bits)), (b"HYBR", content), *tiled([tile], list(signal.axes))]


def fault_of(name: str, what: str, sections: Sections) -> Recipe:
    return fault(f"sound_{name}", f"hybrid: {what}", sections)


def planned(name: str, what: str, content: bytes) -> Recipe:
    """A file whose only fault is in its plan."""
    return fault_of(name, f"HYBR of a sound: {what}", file(content))


def faulty_settings() -> Iterable[Recipe]:
    one = window()
    yield planned("windows_0", "no windows", plan([]))
    yield planned("windows_5", "5 windows", plan([one] * 5))
    yield planned("opinions_17", "17 predictors and filters", plan([window(0x5F)] * 2, [lms()] * 5))
    yield planned("lags_5", "5 lags", plan(lags=5))
    yield planned("units", "a network of 8 units", plan(units=8, learning=1))
    yield planned("learning", "a network that does not learn", plan(units=16))
    yield planned("learning_alone", "learning without a network", plan(learning=1))
    yield planned("sizes_0", "a window without predictors", plan([window(0)]))
    for every in (0, 3, 255):
        yield planned(f"every_{every}", f"a window that is solved every {every} batches", plan([window(every=every)]))
    yield planned("decay_0", "a decay of 0", plan([window(decay=0)]))
    yield planned("decay_65537", "a decay of 65537", plan([window(decay=65537)]))
    yield planned("length_3", "a filter of 8 taps", plan(filters=[lms(3)]))
    yield planned("length_13", "a filter of 8192 taps", plan(filters=[lms(13)]))
    yield planned("source_2", "a filter of the error of predictor 1, and there is only one", plan(filters=[lms(source=2)]))
    yield planned("step_0", "a filter that does not learn", plan(filters=[lms(step=0)]))
    yield planned("step_large", "a filter's step of 2^20 + 1", plan(filters=[lms(step=(1 << 20) + 1)]))


def faulty_channels() -> Iterable[Recipe]:
    yield planned("channels_1", "one channel of two", plan(channels=[channel()], coded=b"\0\0"))
    yield planned("channels_named", "three channels of two", plan(named=3))
    yield planned("channel_kind", "a channel of kind 3", plan(channels=[b"\3\0", channel()]))
    yield planned("largest", "a largest index above the values' bits", plan(channels=[channel(16), channel()]))
    yield planned("least", "a least value that leads above the values' bits", plan(channels=[channel(9, 4, 7), channel()]))
    yield planned("zero", "silence above the largest index", plan(channels=[channel(9, 10), channel()]))
    yield planned("copy_itself", "a channel that is a copy of itself", plan(channels=[b"\2\0", channel()], coded=b"\1\0"))
    yield planned("copy_later", "a copy of a later channel", plan(channels=[b"\2\1", channel()], coded=b"\1\0"))
    small = Signal(np.zeros((3, 3), np.int8), "audio", 0, 8000)
    copies = plan(channels=[channel(), b"\2\0", b"\2\1"], coded=b"\0\0")
    yield fault_of("copy_of_copy", "HYBR of a sound: a copy of a copy", file(copies, signal=small))
    entries = [2, 0, 3]
    yield planned("table_largest", "a table with an entry less than it says", plan(channels=[table(entries, largest=3), channel()]))
    yield planned("table_left_over", "a table with an entry more", plan(channels=[table(entries, largest=1), channel()]))
    yield planned("table_size", "a table of another size than it says", plan(channels=[table(entries, size=4), channel()]))
    yield planned("table_high", "a table's entry above the values' bits", plan(channels=[table([2, 0, 12]), channel()]))
    yield planned("table_huge", "a table of 2^40 entries", plan(channels=[table(entries, largest=1 << 40), channel()]))
    yield planned("coded_twice", "a channel coded twice", plan(coded=b"\0\1\0\0"))
    yield planned("coded_less", "a channel that is not coded", plan(coded=b"\0\0"))
    yield planned("coded_constant", "a constant channel that is coded", plan(channels=[channel(0, 0), channel()], coded=b"\0\1\1\0"))
    yield planned("partner", "a partner that is not coded", plan(coded=b"\0\2\1\0"))
    yield planned("left_over", "bytes left over", plan() + b"\0")
    yield planned("short", "it ends too early", plan()[:-1])


def faulty_tiles() -> Iterable[Recipe]:
    """Faults of tiles, and of signals that the plan does not fit."""
    image = Signal(np.full((3, 2), 7, np.uint8), "image")
    yield fault_of("image", "HYBR of a sound for an image", file(plan(channels=[channel()], coded=b"\0\0"), signal=image))
    nine = Signal(np.full((3, 2), 7, np.int64), "audio", 0, 8000)
    yield fault_of("33_bits", "values of 33 bits in a sound", file(plan(), signal=nine, bits=33))
    yield fault_of("tile_ff", "a sound's string that is no arithmetic code", file(plan(), b"\xff" * 4))
    yield fault_of("tile_left_over", "a sound's string of which no bit needs the last bytes", file(plan(), bytes(40)))
    none = coded_integers([[0]])
    yield fault_of("lags_left_over", "lags with a byte that no bit needs", file(plan(lags=1), varint(len(none) + 1) + none + b"\0"))
    constant = plan(channels=[channel(0, 0), channel(0, 0)], coded=b"")
    faultless(file(constant))
    huge = Signal(np.zeros((3, 2), np.int8), "audio", 0, 8000)
    wide = [(b"HEAD", head(huge, 2, bits=4, shape=((1 << 24) + 1, 2))), (b"HYBR", plan()), *tiled([b""], [(1 << 24) + 1])]
    yield fault_of("tile_long", "a tile of 2^24 + 1 frames", wide)
    yield fault_of("tile_constant", "a tile of constant channels that is not empty", file(constant, RIGHT))
    yield fault_of("tile_lags", "a tile without its lags", file(plan(lags=1)))
    yield fault_of("tile_lags_short", "a tile whose lags go past its end", file(plan(lags=1), varint(9) + RIGHT))
    early = coded_integers([[600]])
    yield fault_of("lag_first", "a lag in the first segment", file(plan(lags=1), varint(len(early)) + early))
    long = Signal(np.zeros((2100, 2), np.int8), "audio", 0, 8000)
    for lag in (-512, 1, 511, 2049):
        sent = coded_integers([[0, lag]])
        yield fault_of(f"lag_{lag}".replace("-", "minus_"), f"a lag of {lag}", file(plan(lags=1), varint(len(sent)) + sent, signal=long))


def faulty_steps() -> Iterable[Recipe]:
    for number in (0, 21, 255):
        yield planned(f"steps_{number}", f"steps in units of 2^-{number}", plan() + bytes([number]))
    yield planned("steps_twice", "a byte after the unit of steps", plan() + b"\4\4")
    stepped = plan() + b"\4"
    yield fault_of("tile_steps", "a tile without its steps", file(stepped))
    yield fault_of("tile_steps_short", "a tile whose steps go past its end", file(stepped, varint(9) + RIGHT))
    none = coded_integers([[0]] * 6)
    yield fault_of("steps_left_over", "steps with a byte that no bit needs", file(stepped, varint(len(none) + 1) + none + b"\0"))
    wrong = {
        "least": ("a step that ends below 2", (40, -9, 0)),
        "bent": ("a step that bends below 2", (40, 0, 40)),
        "negative": ("a negative step", (-40, 0, 0)),
        "large": ("a step of 2^31 units", ((1 << 31) - 1, 1, 0)),
        "curve": ("a curve of 2^31 units", (1 << 30, 0, -(1 << 31))),
        "end_alone": ("a step that ends where it does not start", (0, 40, 0)),
        "curve_alone": ("a curve without a step", (0, 0, 1)),
    }
    pieces = np.array([[[0, 0, 0]], [[40, 40, -40]]])
    faultless(
        file(
            stepped,
            tile.encode(plans.read(stepped, 2, 4), np.full((2, 3), -4), np.zeros((1, 0), np.int64), lambda _: None, pieces)[0],
        )
    )
    for name, (what, numbers) in wrong.items():
        sent = coded_integers([[0]] * 3 + [[number] for number in numbers])
        yield fault_of(f"steps_{name}", what, file(stepped, varint(len(sent)) + sent))
