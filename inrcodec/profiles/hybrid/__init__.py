"""The profile `hybrid`: predicts each bit from values decoded before, with a context network and other experts that learn while coding.

It has two halves, `pictures` and `sound`. This module decides which of them codes or decodes a signal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...errors import FormatError
from ...layout import Layout
from ...options import Options
from ..base import Encoded, Profile, Subject, TileDecoder
from .limits import MAX_CHANNELS, MAX_SOURCES, PICTURE_BITS, SECTION, SOUND, SOUND_BITS

USUAL_RATE = 44100  # frames per second; sets the length of tiles of an array of one axis, which has no rate


def is_sound(subject: Subject) -> bool:
    """Whether the half `sound` can code the signal: sounds and arrays of one axis, within its limits."""
    return subject.values.ndim == 2 and subject.values.shape[1] <= MAX_CHANNELS and 1 <= subject.bits <= SOUND_BITS


def is_picture(subject: Subject) -> bool:
    """Whether the half `pictures` can code the signal: images and arrays of two axes or more, within its limits."""
    shape = subject.values.shape
    return (
        subject.kind != "audio"
        and len(shape) >= 3
        and 1 <= subject.bits <= PICTURE_BITS
        and math.prod(shape[:-3]) * shape[-1] <= MAX_SOURCES
    )


class Hybrid(Profile):
    """Profile 2, with section HYBR."""

    name = "hybrid"
    number = 2
    section = SECTION
    codes = "sound and arrays of one axis up to 32 bits, images and arrays of two axes or more up to 16 bits"
    words = "predicts each bit from the values decoded before it"

    def applies(self, subject: Subject) -> bool:
        return is_sound(subject) or is_picture(subject)

    def encode(self, subject: Subject, options: Options) -> Encoded:
        if is_sound(subject):
            from .sound import coding as sound

            rate = subject.sample_rate or USUAL_RATE
            return Encoded(self, sound.encode(subject.values, subject.silence, rate, options))
        from .pictures import coding as pictures

        return Encoded(self, pictures.encode(subject.values, subject.bits, options).parts)

    def open(self, section: bytes | None, layout: Layout, bits: int, cut: bool = False) -> TileDecoder:
        if section is None:
            raise FormatError("damaged: it lacks its plan")
        if section[:1] == bytes([SOUND]):
            from .sound import coding as sound

            return sound.open_decoder(section, layout, bits)
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
        network = f"network of {n['units']} units, prior {n['prior']}" if n["units"] else "no network"
        model = f"{n['transform']}; {n['least_squares']} least squares predictors, {network}, contexts: {n['contexts']}"
        fitted = [("fitted", f"plane {d['plane']} {d['pass']}: {d['coding']}, {d['bytes']} bytes") for d in n.get("deltas", [])]
        return [("model", model), *fitted]
