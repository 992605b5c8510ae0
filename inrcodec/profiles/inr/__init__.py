"""The profile `inr`: predicts each bit from its coordinates and bit index alone, by a network fitted to the signal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import fit
from ...errors import FormatError
from ...layout import Layout
from ...options import Options
from ..base import Encoded, Profile, Subject, TileDecoder

NETW = b"NETW"
SMALLEST_NETWORK_BYTES = 400  # no network is written in less


class Inr(Profile):
    """Profile 1, with section NETW. Encoding needs torch, decoding does not."""

    name = "inr"
    number = 1
    section = NETW
    codes = "everything that is not constant"
    words = "fits a network that computes the bits from the coordinates; slow, and mostly larger"

    def applies(self, subject: Subject) -> bool:
        return subject.bits > 0

    def encode(self, subject: Subject, options: Options) -> Encoded:
        fit.require("profile inr")
        from ...fit.search import fit_network
        from . import coding

        return Encoded(self, coding.encode_with(fit_network(subject.values, subject.bits, options), subject.values, options))

    def rival(self, subject: Subject, options: Options, best: Encoded | None, modelled: bool) -> Encoded | None:
        """Fits a network only if no other profile with a model can code the signal, or if options give a budget of steps or seconds."""
        wanted = options.steps > 0 or options.seconds > 0 if modelled else options.fits_in_auto
        if not wanted or best is None or best.size < SMALLEST_NETWORK_BYTES or not fit.available():
            return None
        from ...fit.search import fit_if_smaller
        from . import coding

        network = fit_if_smaller(subject.values, subject.bits, options, best.size)
        if network is None:
            return None
        found = Encoded(self, coding.encode_with(network, subject.values, options))
        return found if found.size < best.size else None

    def open(self, section: bytes | None, layout: Layout, bits: int) -> TileDecoder:
        from . import coding

        if section is None:
            raise FormatError("damaged: it lacks its network")
        return coding.open_decoder(section, layout, bits)

    def tell(self, found: Mapping[str, Any]) -> list[tuple[str, str]]:
        w, n = found["weights"], found["network"]
        setting = f" {w['setting']}" if w["setting"] else ""
        return [
            ("network", f"{n['form']}: {n['layers']} hidden layers of {n['hidden']}, {n['activation']}, {n['octaves']} octaves"),
            ("planes", n["planes"]),
            ("weights coded", f"{w['coding']}{setting}: {w['parameters']} parameters, {w['bits_per_parameter']:.2f} bits each"),
        ]
