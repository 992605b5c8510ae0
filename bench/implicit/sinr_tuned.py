"""The weight coding `sinr` in profile `inr`: fine-tuned with the coding in the loop, by s, dictionary and bits per value.

    python -m bench.implicit.sinr_tuned                  networks fitted to crops of china.jpg and to a smooth picture
    python -m bench.implicit.sinr_tuned --data DIR       also to a crop of a picture in a folder

Each network is fitted for the shortest description and coded in every way; weights + payload are what the file takes. The other weight
codings stand beside it. bench.implicit.sinr measures the coding as it was published: without fine-tuning.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from inrcodec import Signal, files
from inrcodec.fit import search
from inrcodec.fit.codings import Sinr
from inrcodec.fit.codings.sinr import FEW, MANY, Setting, nonzeros, words
from inrcodec.options import Goal, Options
from inrcodec.values import to_values
from inrcodec.weights import sinr
from inrcodec.weights.sinr import Form

from ..common import Samples, photo8, save, smooth16, table, tell
from .sinr import line, rms

SHARES = (1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4)
SETTINGS = (
    *(Setting(share, FEW) for share in SHARES),
    *(Setting(share, sinr.USUAL) for share in (1 / 32, 1 / 8, 1 / 4)),  # 16 bits per value, as published
    *(Setting(1 / 32, Form(*form, 8)) for form in ((2, True), (4, False), (8, False))),
    Setting(1 / 2, MANY),
)
HEADS = ["weights", "bits per parameter", "weights bytes", "payload bytes", "total"]


def signals(data: Path | None) -> Iterator[tuple[str, Samples, tuple[int, ...]]]:
    """(name, samples, hidden units of the networks to fit; 0: as many as the encoder takes)."""
    yield "china.jpg, crop of 64 × 64", photo8(64), (0, 64, 96)
    yield "smooth, 128 × 128, 16 bits", smooth16(128), (0, 96)
    paths = sorted(data.glob("*.png")) if data else []
    if paths:
        path = paths[len(paths) // 4]
        whole = files.read(path).samples
        top, left = ((n - 64) // 2 for n in whole.shape[:2])
        yield f"{path.stem}, crop of 64 × 64", np.ascontiguousarray(whole[top : top + 64, left : left + 64]), (0, 96)


def coded(fitted: search.Fitted) -> tuple[list[search.Result], list[search.Result]]:
    """A fitted network under sparse codes, in the order of SETTINGS, and under the other codings."""
    with mock.patch.object(Sinr, "settings", classmethod(lambda cls, auto, bits: SETTINGS)):
        sparse = search.code_all(fitted, Sinr.name)
    found = [r for bits in (3, 5, 7) for r in search.code_all(fitted, "uniform", bits)]
    found += [r for bits in (3, 5) for r in search.code_all(fitted, "lsq", bits)]
    return sparse, found + search.code_all(fitted, "ternary")


def regression(found: Sequence[tuple[str, int, dict[float, int]]]) -> list[str]:
    """How well s is predicted from k. found: (name, k, total bytes by share of FEW)."""
    points = [(k, nonzeros(k, min(totals, key=lambda share: totals[share]))) for _, k, totals in found]
    a, b = line(points)
    rows: list[list[Any]] = []
    for i, ((name, k, totals), (_, s)) in enumerate(zip(found, points, strict=True)):
        slope, offset = line(points[:i] + points[i + 1 :])
        guess = slope * k + offset
        nearest = min(totals, key=lambda share: abs(np.log(nonzeros(k, share) / max(guess, 1))))
        rows.append([name, k, s, float(guess), *(total - min(totals.values()) for total in (totals[nearest], *totals.values()))])
    told = f"s ≈ {a:.5f}·k + {b:.2f}. Root mean square error: {rms([a * k + b - s for k, s in points]):.1f} on these networks, "
    told += f"{rms([row[3] - row[2] for row in rows]):.1f} on each of them when it is left out."
    what = (
        f"In {words(FEW)}. s: of the smallest total. Predicted: by the line through the other networks. The other columns: bytes above the "
    )
    what += "smallest total, with the tried s that is nearest to the predicted one, and with a fixed s/k."
    heads = ["network", "k", "s", "predicted", "more: predicted", *(f"more: 1/{round(1 / share)}" for share in SHARES)]
    return ["## s predicted from k by linear regression", told, what, table(heads, rows)]


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of PNG files, such as those of Kodak")
    parser.add_argument("--seconds", type=float, default=12, help="for each fit")
    arguments = parser.parse_args()
    details, found = list[str](), list[tuple[str, int, dict[float, int]]]()
    best: list[list[Any]] = []
    for name, samples, widths in signals(arguments.data):
        values, value_map = to_values(samples)
        shaped = values if Signal(samples, "image").channel_axis else values[..., None]
        for hidden in widths:
            options = Options(profile="inr", network="heads", hidden=hidden, seconds=arguments.seconds)
            fitted = search.fit_float(shaped, value_map.bits, options, Goal("mdl"))
            a = fitted.model.architecture
            sparse, others = coded(fitted)
            title = f"{name}: {a.layers} × {a.hidden}"
            rows: list[list[Any]] = [
                [r.label, 8 * r.measured.weights_bytes / a.parameters, r.measured.weights_bytes, r.measured.payload_bytes, r.total]
                for r in (*others, *sparse)
            ]
            details += [f"## {title}", f"{a.parameters} parameters, {fitted.outcome.steps} steps.", table(HEADS, rows)]
            length = sinr.vector_shape((a.hidden, a.hidden))[1]
            found.append((title, length, {share: r.total for share, r in zip(SHARES, sparse, strict=False)}))
            smallest = [min(results, key=lambda r: r.total) for results in (others, sparse)]
            tried = [Setting.of(share) for share in Sinr.settings(True, 0)]
            auto = min((r for s, r in zip(SETTINGS, sparse, strict=True) if s in tried), key=lambda r: r.total)
            best.append([title, smallest[0].label, smallest[0].total, smallest[1].label, smallest[1].total, auto.label, auto.total])
            tell(f"{title}: {smallest[0].total}, {smallest[1].total}")
    heads = ["network", "best of the others", "total", "best of sinr", "total", "sinr as `auto` tries it", "total"]
    parts = ["## Smallest weights + payload", table(heads, best), *regression(found), *details]
    save("implicit-sinr-tuned", "Sparse codes of weights, fine-tuned", parts, module="bench.implicit.sinr_tuned")


if __name__ == "__main__":
    main()
