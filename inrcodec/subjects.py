"""Signal → Subject: the values that a profile codes, and the maps back to the samples (encoder only).

Floats become integers first. What they were made from is looked for (see `floatsearch`). Where that leaves several ways, a part of the
signal is coded in each, fast, and the smallest is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from . import finebits, floats, floatsearch, profiles, values
from .floats import FloatMap
from .header import peak_of
from .layout import Box
from .options import Options
from .signal import Signal

TRIED = 1 << 15  # samples of the part that is coded in each way
WIDEST = 31  # bits of a split sample without its sign, so that `hybrid` can code it,
NETWORK_WIDEST = 23  # and so that networks of values can
PLAIN_SAMPLES = 1 << 14  # of a signal with at most this many, the file may be so small that the bytes of a value map matter
PICTURE_BITS = 16  # of values of two axes or more that `hybrid` codes
LARGEST_STEP = 2**63 - 1  # from one float to the next that section HYBR can tell


class Mapped(NamedTuple):
    """What is to be coded of a signal, and how its values become samples again. float_map: None if the samples are no floats."""

    subject: profiles.Subject
    value_map: values.ValueMap
    float_map: FloatMap | None


def mapped(signal: Signal, options: Options) -> Mapped:
    """What a profile codes of a signal. Raises Stopped if options.stop says so; ValueError: there is no such profile."""
    if not signal.floating:
        return _mapped(signal, None, options.compact and signal.samples.size <= PLAIN_SAMPLES)
    network = options.profile != "auto" and profiles.named(options.profile).renders
    if signal.bfloat16:
        return _mapped(signal, FloatMap())
    ways = list(_ways(signal, NETWORK_WIDEST if network else WIDEST) if network or signal.kind == "audio" else _ways_of_array(signal))
    if len(ways) == 1 or network:  # it is not fitted several times
        return _mapped(signal, ways[0])
    part = _part(signal)
    return _mapped(signal, min(ways, key=lambda way: _size(part, way, options)))


def _mapped(signal: Signal, float_map: FloatMap | None, plain: bool = False) -> Mapped:
    """What is coded of a signal whose floats are mapped in this way.

    plain: whether unsigned samples are their own values if that takes no more bits: a compact file does not write such a map.
    """
    samples = signal.parts
    integers = floats.to_integers(samples, float_map) if float_map else samples
    found, value_map = values.to_values(integers)
    if plain and samples.dtype.kind in "bu" and value_map.step == 1 and value_map.bits == signal.bit_depth:
        found += found.dtype.type(value_map.offset)
        value_map = values.ValueMap(0, 1, value_map.bits)
    silence = -value_map.offset // value_map.step
    peak = peak_of(signal.kind, signal.bit_depth, value_map, float_map)
    ordered = _ordered(signal, value_map, float_map)
    subject = profiles.Subject(found, value_map.bits, signal.kind, silence, signal.sample_rate, peak, ordered)
    return Mapped(subject, value_map, float_map)


def _ordered(signal: Signal, value_map: values.ValueMap, float_map: FloatMap | None) -> profiles.Ordered | None:
    """What the values of an array are told of as floats: those of sounds are coded as numbers, and two that are very far apart."""
    if float_map is None or float_map.linear or signal.kind == "audio" or value_map.step > LARGEST_STEP:
        return None
    kind = float_map.narrower or floats.format_name(signal.parts.dtype)
    return profiles.Ordered(kind, value_map.offset, value_map.step)


def _ways(signal: Signal, widest: int) -> Iterator[FloatMap]:
    """Maps that can hold the floats of a signal, the first one with integers that are as smooth as the floats, if there is such a map.

    widest: bits of integers, without sign, that can be predicted.
    """
    samples = signal.parts
    digits = floats.binary(samples.dtype).digits
    one_axis = samples.ndim == 2
    enough = min(digits, widest) if one_axis else PICTURE_BITS  # bits that no other way undercuts
    linear = floatsearch.linear(samples)
    if linear and linear[1] <= enough:
        yield linear[0]
        return
    bits = widest if one_axis else PICTURE_BITS - bool((samples < 0).any())
    cut = floatsearch.split(samples, bits)
    if cut:
        yield cut
    if linear:
        yield linear[0]
    yield FloatMap()


def _ways_of_array(signal: Signal) -> Iterator[FloatMap]:
    """Maps that can hold the floats of an array or picture. Those of form "bits" and "narrow" are predicted in their own scale."""
    samples = signal.parts
    linear = floatsearch.linear(samples)
    if linear and linear[1] <= PICTURE_BITS:
        yield linear[0]
        return
    yield floatsearch.narrow(samples) or FloatMap()
    if linear:
        yield linear[0]
    if samples.ndim == 2 and (cut := floatsearch.split(samples, WIDEST)):
        yield cut


def _part(signal: Signal) -> Signal:
    """A part from the middle of a signal, of about TRIED samples: along the first axis of a sound, of all axes of an array."""
    *shape, channels = signal.parts.shape
    share = (TRIED / channels / math.prod(shape)) ** (1 / len(shape))
    sizes = [max(1, min(n, math.ceil(n * share))) for n in shape]
    box: Box = tuple(slice((n - size) // 2, (n - size) // 2 + size) for n, size in zip(shape, sizes, strict=True))
    return replace(signal, samples=signal.samples[box], metadata={})


def _size(part: Signal, float_map: FloatMap, options: Options) -> tuple[bool, int]:
    """(whether the profile that was asked for cannot code a part of a signal whose floats are mapped in this way, its bytes)."""
    subject = _mapped(part, float_map).subject
    asked = None if options.profile == "auto" or subject.bits == 0 else profiles.named(options.profile)
    able = asked is None or asked.applies(subject)
    first = asked if asked and able else next(profile for profile in profiles.registered() if profile.applies(subject))
    fine = len(finebits.encode(part.parts, float_map)) if float_map.form == "split" else 0
    fast = replace(options, effort=1, progress=None)
    tried = [first] if asked else [first, profiles.FLOOR]  # "auto" takes the smaller one
    return not able, min(profiles.encode(subject, replace(fast, profile=profile.name)).size for profile in tried) + fine
