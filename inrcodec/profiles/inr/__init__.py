"""The profile `inr`: a network fitted to the signal predicts samples, or their bits, from coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import fit
from ...errors import FitError, FormatError, Stopped
from ...layout import Layout
from ...options import Options
from ..base import Encoded, Profile, Subject, TileDecoder

NETW = b"NETW"
WORTH_A_FIT = 400  # bytes of a file; networks hardly ever come below


class Inr(Profile):
    """Profile 1, with section NETW. Encoding needs torch, decoding does not."""

    name = "inr"
    number = 1
    section = NETW
    renders = True
    codes = "everything that is not constant"
    words = "fits a network that computes the samples from their coordinates, and can render them at other sizes; slow, and mostly larger"

    def applies(self, subject: Subject) -> bool:
        return subject.bits > 0

    def encode(self, subject: Subject, options: Options) -> Encoded:
        fit.require("profile inr")
        from ...fit.search import fit_network
        from . import coding

        return Encoded(self, coding.encode_with(fit_network(subject.values, subject.bits, options, subject.peak), subject.values, options))

    def rival(self, subject: Subject, options: Options, best: Encoded | None, modelled: bool) -> Encoded | None:
        """Fits a network only if no other profile with a model can code the signal, or if options give a budget of steps or seconds."""
        wanted = options.steps > 0 or options.seconds > 0 if modelled else options.fits_in_auto
        if not wanted or best is None or best.size < WORTH_A_FIT or not fit.available():
            return None
        from ...fit.search import fit_if_smaller
        from . import coding

        try:
            network = fit_if_smaller(subject.values, subject.bits, options, best.size, subject.peak)
        except (FitError, Stopped):  # what another profile made is there
            return None
        if network is None:
            return None
        found = Encoded(self, coding.encode_with(network, subject.values, options))
        return found if found.size < best.size else None

    def open(self, section: bytes | None, layout: Layout, bits: int, cut: bool = False) -> TileDecoder:
        from . import coding

        if section is None:
            raise FormatError("damaged: it lacks its network")
        return coding.open_decoder(section, layout, bits, cut)

    def tell(self, found: Mapping[str, Any]) -> list[tuple[str, str]]:
        w, n = found["weights"], found["network"]
        setting = f" {w['setting']}" if w["setting"] else ""
        layers = f"{n['layers']} hidden layer{'s' if n['layers'] > 1 else ''} of {n['hidden']}"
        cells = f", {n['cells']} numbers in {len(n['levels'])} levels of cells" if "levels" in n else ""
        octaves = f", {n['octaves']} octaves" if n["octaves"] else ""
        parts = [
            (f"network {c['layers']}x{c['hidden']}", f"{c['bytes']} bytes up to its end, {_shown(c['psnr'])}")
            for c in n.get("configurations", [])
        ]
        return [
            ("network", f"{n['form']}, {n['body']}, {n['activation']}: {layers}{octaves}{cells}"),
            ("network alone", _shown(n["psnr"])),
            *parts,
            *([("planes", n["planes"])] if "planes" in n else []),
            ("weights coded", f"{w['coding']}{setting}: {w['parameters']} parameters, {w['bits_per_parameter']:.2f} bits each"),
        ]


def _shown(psnr: float | None) -> str:
    """A PSNR in words; None: all values are right."""
    return "every value right" if psnr is None else f"PSNR {psnr:.2f} dB"
