"""The profiles, and the choice between them. To add one, write a subclass of `Profile` in a module here and add it to PROFILES."""

from __future__ import annotations

from ..errors import FormatError, UnsupportedError
from ..options import Options
from .base import Encoded, Ordered, Parts, Profile, Stream, Subject, TileCoder, TileDecoder, evenly
from .hybrid import Hybrid
from .inr import Inr
from .stored import Stored

__all__ = [
    "FLOOR", "Encoded", "Ordered", "Parts", "Profile", "Stream", "Subject", "TileCoder", "TileDecoder", "encode", "evenly", "named",
    "numbered", "registered", "tile_coder",
]  # fmt: skip

FLOOR = Stored()  # codes everything
PROFILES: tuple[Profile, ...] = (Hybrid(), FLOOR, Inr())  # in the order in which `auto` asks them


def registered() -> tuple[Profile, ...]:
    """All profiles, in the order in which `auto` asks them."""
    return PROFILES


def numbered(number: int) -> Profile:
    """The profile with this number, which a file names. Raises FormatError if there is none."""
    for profile in PROFILES:
        if profile.number == number:
            return profile
    raise FormatError(f"it uses profile {number}, which this version does not know; a newer inrcodec may read it")


def named(name: str) -> Profile:
    """The profile of this name. Raises ValueError if there is none."""
    for profile in PROFILES:
        if profile.name == name:
            return profile
    raise ValueError(f"profile is {name!r}; it can be auto, {', '.join(sorted(p.name for p in PROFILES))}")


def encode(subject: Subject, options: Options) -> Encoded:
    """A signal coded by the profile of the options; "auto" takes the profile with the smallest file.

    Raises:
        ValueError: there is no such profile.
        UnsupportedError: the profile cannot code this signal.
        Stopped: options.stop says so.
    """
    if options.profile == "auto":
        return FLOOR.encode(subject, options) if subject.bits == 0 else _smallest(subject, options)
    profile = named(options.profile)
    if subject.bits == 0:
        profile = FLOOR  # a constant needs no model
    if not profile.applies(subject):
        raise UnsupportedError(f"profile {profile.name} codes {profile.codes}")
    return profile.encode(subject, options)


def tile_coder(stream: Stream, options: Options) -> tuple[Profile, TileCoder]:
    """The profile of the options, and what codes the tiles of a stream; "auto" takes the first one that can.

    Raises:
        ValueError: there is no such profile.
        UnsupportedError: the profile cannot code this stream.
    """
    asked = PROFILES if options.profile == "auto" else (named(options.profile),)
    for profile in asked:
        coder = profile.tile_coder(stream, options)
        if coder is not None:
            return profile, coder
    raise UnsupportedError(f"profile {options.profile} cannot code such bricks one by one; profile {FLOOR.name} can")


def _smallest(subject: Subject, options: Options) -> Encoded:
    best: Encoded | None = None
    modelled = False
    for profile in PROFILES:
        if profile.applies(subject):
            best = profile.rival(subject, options, best, modelled) or best
            modelled = modelled or profile.models
    assert best is not None, "the floor codes everything"
    return best
