"""The profile `hybrid`: predicts each bit from values decoded before, with a context network and other experts that learn while coding.

It has three parts, `pictures`, `sound` and `arrays`. This module decides which of them codes or decodes a signal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import FormatError
from ...layout import Layout
from ...options import Options
from ..base import Encoded, Parts, Profile, Stream, Subject, TileCoder, TileDecoder
from .limits import ARRAY, MAX_CHANNELS, MAX_CHANNELS_OF_ARRAY, MAX_SOURCES, PICTURE_BITS, SECTION, SOUND, SOUND_BITS, TURNED

USUAL_RATE = 44100  # frames per second; sets the length of tiles of an array of one axis, which has no rate


LEAST_TURNED, TURNING_EFFORT = 1 << 10, 4  # values, and effort, from which on an array is also coded turned
MOST_PLANES = 256  # of many tiny ones, each takes longer to begin than to code
FEW, SMALL = 4, 1 << 16  # slices, and values; with more, an array is not compared with pictures
ALONE = 1 << 18  # values; of an array of two axes with at most this many, pictures and arrays are compared


def is_sound(subject: Subject) -> bool:
    """Whether the part `sound` can code the signal: sounds and arrays of one axis, within its limits."""
    return (
        subject.floats is None and subject.values.ndim == 2 and subject.values.shape[1] <= MAX_CHANNELS and 1 <= subject.bits <= SOUND_BITS
    )


def is_array(subject: Subject) -> bool:
    """Whether the part `arrays` can code the signal: all but constants, and sounds that are no floats."""
    as_sound = subject.values.ndim == 2 and subject.floats is None and subject.bits <= SOUND_BITS
    return not as_sound and subject.bits >= 1 and subject.values.shape[-1] <= MAX_CHANNELS_OF_ARRAY


def is_picture(subject: Subject) -> bool:
    """Whether the part `pictures` can code the signal: images and arrays of two axes or more, within its limits."""
    shape = subject.values.shape
    return (
        subject.kind != "audio"
        and subject.floats is None
        and len(shape) >= 3
        and 1 <= subject.bits <= PICTURE_BITS
        and math.prod(shape[:-3]) * shape[-1] <= MAX_SOURCES
    )


def _as_picture(subject: Subject, options: Options) -> Parts:
    from .pictures import coding as pictures

    return pictures.encode(subject.values, subject.bits, options).parts


def _as_array(subject: Subject, options: Options) -> Parts:
    from .arrays import coding as arrays

    return arrays.encode(subject, options)


def _ways(subject: Subject) -> list[Callable[[Subject, Options], Parts]]:
    """The parts of the profile that code a signal that is no sound, of which the smallest is kept."""
    if not is_picture(subject):
        return [_as_array]
    if subject.kind == "image" or not is_array(subject):
        return [_as_picture]
    if math.prod(subject.values.shape[:-3]) > MOST_PLANES:
        return [_as_array]
    if subject.values.ndim == 3:
        return [_as_picture, _as_array] if subject.values.size <= ALONE else [_as_picture]
    few = math.prod(subject.values.shape[:-3]) <= FEW and subject.values.size <= ALONE
    return [_as_array, _as_picture] if few or subject.values.size <= SMALL else [_as_array]


def may_be_turned(subject: Subject, options: Options) -> bool:
    """Whether a signal is also coded turned: an array of two axes, not too large."""
    values = subject.values
    return subject.kind == "array" and values.ndim == 3 and LEAST_TURNED <= values.size <= ALONE and options.effort >= TURNING_EFFORT


class Hybrid(Profile):
    """Profile 2, with section HYBR."""

    name = "hybrid"
    number = 2
    section = SECTION
    codes = "sound of up to 8 channels, pictures and arrays of up to 64"
    words = "predicts each bit from the values decoded before it"

    def applies(self, subject: Subject) -> bool:
        return is_sound(subject) or is_picture(subject) or is_array(subject)

    def encode(self, subject: Subject, options: Options) -> Encoded:
        if is_sound(subject):
            from .sound import coding as sound

            rate = subject.sample_rate or USUAL_RATE
            return Encoded(self, sound.encode(subject.values, subject.silence, rate, options))
        ways = _ways(subject)
        found = [code(subject, options) for code in ways]
        if _as_picture in ways and may_be_turned(subject, options):
            from . import turned

            others = (turned.encode(subject, options, way, _as_picture) for way in turned.TURNS)
            found += [parts for parts in others if parts is not None]
        return Encoded(self, min(found, key=lambda parts: parts.size))

    def tile_coder(self, stream: Stream, options: Options) -> TileCoder | None:
        if stream.channels > MAX_CHANNELS_OF_ARRAY:
            return None
        from .arrays import coding as arrays

        return arrays.BrickCoder(stream, options)

    def open(self, section: bytes | None, layout: Layout, bits: int, cut: bool = False) -> TileDecoder:
        if section is None:
            raise FormatError("damaged: it lacks its plan")
        if section[:1] == bytes([TURNED]):
            from . import turned

            return turned.open_decoder(section, layout, bits, self.open)
        if section[:1] == bytes([SOUND]):
            from .sound import coding as sound

            return sound.open_decoder(section, layout, bits)
        if section[:1] == bytes([ARRAY]):
            from .arrays import coding as arrays

            return arrays.open_decoder(section, layout, bits)
        from .pictures import coding as pictures

        return pictures.open_decoder(section, layout, bits)

    def tell(self, found: Mapping[str, Any]) -> list[tuple[str, str]]:
        n = found["network"]
        if n["transform"] == "sound":
            with_tables = f", {n['tables']} with tables" if n["tables"] else ""
            return [
                ("model", f"least squares of {', '.join(n['least_squares'])} taps, LMS of {', '.join(map(str, n['filters'])) or 'none'}"),
                ("looks back", f"at up to {n['lags']} places"),
                ("network", f"{n['units']} units" if n["units"] else "none"),
                ("channels", f"{len(n['channels'])} coded{with_tables}, {n['copies']} copies"),
            ]
        if n["transform"] == "array":
            return [("model", f"bricks of {' × '.join(map(str, n['brick']))}, {n['floats'] or 'integers'}")]
        network = f"network of {n['units']} units, prior {n['prior']}" if n["units"] else "no network"
        model = f"{n['transform']}; {n['least_squares']} least squares predictors, {network}, contexts: {n['contexts']}"
        fitted = [("fitted", f"plane {d['plane']} {d['pass']}: {d['coding']}, {d['bytes']} bytes") for d in n.get("deltas", [])]
        return [("model", model), *fitted]
