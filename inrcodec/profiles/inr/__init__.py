"""The profile `inr`: a network fitted to the signal predicts samples, or their bits, from coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ... import fit
from ...errors import FitError, FormatError, Stopped, notice
from ...layout import Layout
from ...options import Goal, Options
from ...weights.network import CodedNetwork
from ..base import Encoded, Parts, Profile, Subject, TileDecoder

NETW = b"NETW"
RATE_MISSED = 1.05  # times a rate, above which it counts as missed: it is met to a few per cent
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
        from ...fit.choices import goal_for, usual_goal
        from ...fit.search import fit_network
        from . import coding

        if options.prior:
            from ...fit.priors import fit_from_prior

            coded: CodedNetwork = fit_from_prior(subject.values, subject.bits, options, subject.peak, subject.silence)
        else:
            coded = fit_network(subject.values, subject.bits, options, subject.peak)
        parts = coding.encode_with(coded, subject.values, options)
        if missed := self._missed(parts, subject, goal_for(options, usual_goal(subject.values, subject.bits))):
            notice(missed, 2)
        return Encoded(self, parts)

    def _missed(self, parts: Parts, subject: Subject, goal: Goal) -> str | None:
        """What to say of a goal that the network did not reach; None if it did."""
        assert parts.section is not None
        layout, size = parts.layout, len(parts.section.content)
        found = self.open(parts.section.content, layout, subject.bits).describe()
        mse, rate = float(str(found["mse"])), 8 * size / layout.places
        psnr = 10 * math.log10((subject.peak or 2.0**subject.bits - 1) ** 2 / mse) if mse else math.inf
        if goal.kind == "exact" and mse:
            return "until exact was not reached: the network alone gives not every value, and the payload has the rest"
        if goal.kind == "psnr" and psnr < goal.value:
            return f"until psnr={goal.value:g} was not reached: the network alone has {psnr:.2f} dB; more time or another network may do it"
        if goal.kind == "iou" and float(str(found["iou"])) < goal.value:
            return f"until iou={goal.value:g} was not reached: the network alone has {found['iou']:.4f}; more time or units may do it"
        if goal.kind == "rate" and rate > goal.value * RATE_MISSED:
            return f"until rate={goal.value:g} was not reached: the weights take {rate:.3g} bits per place"
        return None

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
            (f"network {c['layers']}x{c['hidden']}", f"the first {c['bytes']} bytes of the file, {alone(c)}")
            for c in n.get("configurations", [])
        ]
        patches = f", a vector for each of {n['patches']} patches" if n.get("patches") else ""
        prior = [("made from", f"prior {n['prior']}{patches}")] if "prior" in n else []
        return [
            ("network", f"{n['form']}, {n['body']}, {n['activation']}: {layers}{octaves}{cells}"),
            *prior,
            ("network alone", alone(n)),
            *parts,
            *([("planes", n["planes"])] if "planes" in n else []),
            ("weights coded", f"{w['coding']}{setting}: {w['parameters']} parameters, {w['bits_per_parameter']:.2f} bits each"),
        ]


def alone(network: Mapping[str, Any]) -> str:
    """What a network alone is worth, in words: PSNR, and IoU of values of one bit. network: its entry in `inrcodec.info`."""
    if network["psnr"] is None:
        return "every value right"
    return f"PSNR {network['psnr']:.2f} dB" + (f", IoU {network['iou']:.4f}" if "iou" in network else "")
