"""A fit of profile `inr` under every weight coding: bits per parameter, bytes of weights and payload, and the coding that "auto" takes.

python -m bench.weights crop      64 × 64 RGB 8-bit photograph: an exact fit, and the shortest description
python -m bench.weights smooth    256 × 256 grey, 16 bits, no noise, compared with PNG and JPEG XL
"""

from __future__ import annotations

import argparse
import math
from typing import Any

import imagecodecs

import inrcodec
from inrcodec import Signal
from inrcodec.fit import search
from inrcodec.options import Options
from inrcodec.values import to_values

from .common import Samples, photo8, save, smooth16, table

HEADS = ["weights", "parameters", "bits per parameter", "weights bytes", "payload bytes", "total", "wrong bits", "auto"]


def codings(samples: Samples, until: str, seconds: float, **options: Any) -> tuple[str, str]:
    """Fit a network to an image: (a description of the fit, a table of all weight codings)."""
    signal = Signal(samples, "image")
    values, value_map = to_values(samples)
    shaped = values if signal.channel_axis else values[..., None]
    given = Options(profile="inr", **options)
    fitted = search.fit_float(shaped, value_map.bits, given, until, seconds)
    outcome, a = fitted.outcome, fitted.model.architecture
    results = search.code_all(fitted, given, "auto", until)
    best = min(results, key=lambda r: r.total)
    rows: list[list[Any]] = []
    for r in [*search.code_all(fitted, given, "uniform", until), *results]:
        mark = "← taken" if r is best else ""
        rows.append([r.label, a.parameters, 8 * r.weights_bytes / a.parameters, r.weights_bytes, r.payload_bytes, r.total, r.wrong, mark])
    exact = f"bit error rate 0 at step {outcome.exact_step}" if outcome.exact_step is not None else "bit error rate above 0"
    what = (
        f"SIREN heads {a.layers} × {a.hidden}, {outcome.steps} steps, {outcome.seconds:.0f} s, {exact}; the float network's bits cost "
        f"{math.ceil(outcome.code_bits / 8)} bytes. Raw: {signal.raw_bytes} bytes; `stored`: "
        f"{len(inrcodec.encode(signal, profile='stored'))} bytes."
    )
    return what, table(HEADS, rows)


def main() -> None:
    """Run the benchmark that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("signal", choices=["crop", "smooth"])
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    if arguments.signal == "crop":
        parts = []
        for until, title in (("exact", "Fitted until every bit is right"), ("mdl", "Fitted for the shortest description")):
            what, rows = codings(photo8(64), until, arguments.seconds)
            parts += [f"## {title}", what, rows]
        save("weights-crop", "Weight codings of a 64 × 64 RGB 8-bit photograph", parts)
        return
    samples = smooth16(256)
    what, rows = codings(samples, "mdl", arguments.seconds)
    others = table(
        ["codec", "bytes"],
        [
            ["PNG, level 9 (imagecodecs)", len(imagecodecs.png_encode(samples, level=9))],
            ["JPEG XL lossless, effort 9 (imagecodecs)", len(imagecodecs.jpegxl_encode(samples, lossless=True, effort=9))],
        ],
    )
    save("weights-smooth", "Weight codings of a smooth 256 × 256 grey 16-bit image", [what, rows, "Beside it:", others], "imagecodecs")


if __name__ == "__main__":
    main()
