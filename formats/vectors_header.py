"""Conformance vectors of HEAD (SPEC.md 2): types, shapes, rates and the value map; and of constant signals (4)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from vector_tools import (
    SMALL,
    NetworkSpec,
    Recipe,
    Sections,
    Signal,
    fault,
    head,
    picture,
    recipe,
    small_stored,
    stored,
    stored_tile,
    tiled,
    tone,
    varint,
)


def uncommon() -> Iterable[Recipe]:
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


def faulty_fields() -> Iterable[Recipe]:
    _, index, tile = small_stored()

    def with_head(content: bytes) -> Sections:
        return [(b"HEAD", content), index, tile]

    yield fault("digest", "a digest of other samples", with_head(head(SMALL, bits=8, digest=hashlib.sha256(SMALL.raw[::-1]).digest())))
    fields: dict[str, tuple[str, bytes]] = {
        "profile-2": ("profile 2", head(SMALL, 2, bits=8)),
        "type-3": ("sample type 3", head(SMALL, bits=8, sort=3)),
        "type-bit-4": ("bit 4 of the sample type", head(SMALL, bits=8, sort=1 | 16)),
        "type-bit-6": ("bit 6 of the sample type", head(SMALL, bits=8, sort=1 | 64)),
        "type-be-1-byte": ("a big-endian type of 1 byte", head(SMALL, bits=8, sort=1 | 32)),
        "depth-0": ("bit depth 0", head(SMALL, bits=8, depth=0)),
        "depth-9": ("bit depth 9 of uint8", head(SMALL, bits=8, depth=9)),
        "dimensions-0": ("no dimension", head(SMALL, bits=8, shape=())),
        "dimensions-5": ("5 dimensions", head(SMALL, bits=8, shape=(1, 1, 1, 1, 5))),
        "shape-0": ("a dimension of 0", head(SMALL, bits=8, shape=(0,))),
        "shape-2p41": ("2^41 samples", head(SMALL, bits=8, shape=(2**41,))),
        "shape-product": ("2^80 samples", head(SMALL, bits=8, shape=(2**40, 2**40))),
        "shape-other": ("6 samples, and a tile for 5", head(SMALL, bits=8, shape=(6,))),
        "step-0": ("step 0", head(SMALL, bits=8, step=0)),
        "offset-low": ("an offset below the type", head(SMALL, bits=8, offset=-1)),
        "offset-high": ("an offset above the type", head(SMALL, bits=8, offset=256)),
        "bits-65": ("65 bits", head(SMALL, bits=65)),
        "bits-9": ("9 bits of uint8: the highest bit does not fit the type", head(SMALL, bits=9)),
        "step-high": ("a step that takes the highest bit beyond the type", head(SMALL, bits=8, step=2)),
        "left-over": ("bytes left over", head(SMALL, bits=8) + b"\0"),
        "short": ("the digest cut short", head(SMALL, bits=8)[:-1]),
        "image-1d": ("an image of 1 dimension", head(SMALL, bits=8, kind=0)),
        "audio-unsigned": ("a sound that is not signed", head(SMALL, bits=8, kind=1, rate=8000)),
    }
    for name, (what, content) in fields.items():
        yield fault(f"head-{name}", f"HEAD: {what}", with_head(content))


def faulty_meaning() -> Iterable[Recipe]:
    """HEAD says something else than the encoder said, and nothing but the digest tells."""
    grid = Signal(np.arange(24, dtype=np.uint8).reshape(4, 6), "image")
    sound = Signal(np.arange(24, dtype=np.int8).reshape(12, 2), "audio", 0, 8000)
    changes: dict[str, tuple[str, Signal, dict[str, Any]]] = {
        "shape": ("height and width exchanged", grid, {"shape": (6, 4)}),
        "kind": ("an array instead of an image", grid, {"kind": 2}),
        "type": ("signed instead of unsigned", Signal(grid.samples), {"sort": 2}),
        "depth": ("5 bits instead of 8", grid, {"depth": 5}),
        "rate": ("44,100 frames per second instead of 8,000", sound, {"rate": 44100}),
        "channels": ("a sound of one channel instead of two", sound, {"shape": (24,)}),
    }
    for name, (what, signal, change) in changes.items():
        shape = change.get("shape", signal.samples.shape)
        tile = stored_tile(signal.samples.reshape(-1, 1), 5, 0)
        sizes = shape[:-1] if signal.kind == "audio" and len(shape) == 2 else shape
        yield fault(f"digest-{name}", f"HEAD: {what}", [(b"HEAD", head(signal, bits=5, **change)), *tiled([tile], sizes)])


def faulty_signals() -> Iterable[Recipe]:
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
    wide_bool = Signal(np.array([True, False]))
    yield fault("head-bool-2-bytes", "HEAD: bool of 2 bytes", [(b"HEAD", head(wide_bool, bits=1, sort=4)), *stored(wide_bool, bits=1)[1:]])
    yield fault(
        "head-bool-offset-1",
        "HEAD: bool with offset 1, so that a value of 1 is no sample",
        [(b"HEAD", head(wide_bool, bits=1, offset=1)), *stored(wide_bool, bits=1)[1:]],
    )


def faulty_constant() -> Iterable[Recipe]:
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
