"""Networks in a network, and networks whose weights have few bits: what they lose, beside networks fitted alone.

    python -m bench.implicit.ani                  a crop of scikit-learn's china.jpg
    python -m bench.implicit.ani --data DIR       also pictures of a folder, reduced in size

After "Adaptive Neural Images": a supernet of 16 configurations is fitted once, and a prefix of its file is a smaller network (Cai et al.,
"Once-for-All", ICLR 2020; Yu and Huang, "Universally Slimmable Networks", ICCV 2019). The steps of weights are learned while the network is
fine-tuned with rounded weights (Esser et al., "Learned Step Size Quantization", ICLR 2020). Multiplicative filter networks: Fathony et
al., ICLR 2021. Every PSNR but that of float networks is that of the integer network of a file, which holds the network alone.
bench.implicit.plots draws the tables.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import inrcodec
from inrcodec.fit import search
from inrcodec.fit.choices import goal_for
from inrcodec.options import Goal, Options
from inrcodec.values import to_values
from inrcodec.weights.network import CodedNetwork

from ..common import Samples, photo8, save, table, tell
from .pictures import folder, titled

SUPERNET = "1,2,3,4x16,32,48,64"
BITS = (8, 4)  # per weight of the supernet
ENDLESS = Goal("psnr", 99.0)  # no fit ends early
FEWER = (("lsq", 4, False), ("lsq", 4, True), ("lsq", 3, False), ("lsq", 2, False), ("ternary", 0, False))
EIGHT = (("lsq", 8, False), ("uniform", 8, False), ("lsq", 4, False))
TARGETS = "Wanted: every network within 0.5 dB of its own fit, the largest within 0.3 dB, and a file of at most 1.05 × that of the largest."


@dataclass(frozen=True)
class Network:
    """A network of a file. size: layers × units; bytes: up to its end; psnr: in dB."""

    size: str
    bytes: int
    psnr: float


@dataclass(frozen=True)
class File:
    """A file that holds a network, and networks in it. total: its bytes."""

    total: int
    networks: list[Network]


def file_of(samples: Samples, coded: CodedNetwork) -> File:
    """The file of a picture that holds this network alone, as `info` shows it."""
    with mock.patch.object(search, "fit_network", return_value=coded), warnings.catch_warnings():
        warnings.simplefilter("ignore", inrcodec.Notice)  # that nothing was fitted
        data = inrcodec.encode(samples, kind="image", profile="inr", payload=False, threads=1)
    found = inrcodec.info(data)
    net = found["network"]
    parts = net.get("configurations") or [{**net, "bytes": found["file_bytes"]}]
    return File(found["file_bytes"], [Network(f"{c['layers']} × {c['hidden']}", c["bytes"], c["psnr"]) for c in parts])


def fitted(samples: Samples, options: Options, goal: Goal) -> search.Fitted:
    """A float network fitted to a picture."""
    values, value_map = to_values(samples)
    with search.limited_threads(options.threads or 1):
        return search.fit_float(values, value_map.bits, options, goal)


def supernet(samples: Samples, options: Options, sizes: str) -> dict[int, File]:
    """A supernet fitted once: its file for each number of bits per weight."""
    options = replace(options, supernet=sizes)
    found = fitted(samples, options, goal_for(options, "mdl"))
    return {bits: file_of(samples, search.best_of(found, "lsq", bits).coded) for bits in BITS}


def together(name: str, samples: Samples, options: Options, longer: int) -> list[str]:
    """The table of a supernet beside networks fitted alone."""
    alone: dict[int, list[tuple[Network, int]]] = {bits: [] for bits in BITS}
    depths, widths = replace(options, supernet=SUPERNET).configurations
    for hidden in widths:
        for layers in depths:
            for bits, file in supernet(samples, options, f"{layers}x{hidden}").items():
                alone[bits].append((file.networks[0], file.total))
            tell(f"{name}: {layers} × {hidden} alone, {alone[BITS[0]][-1][0].psnr:.2f} dB")
    first = supernet(samples, options, SUPERNET)
    more = supernet(samples, replace(options, steps=longer * options.steps), SUPERNET) if longer else {}
    parts = [f"## {name}: a supernet of {SUPERNET}"]
    for bits, file in first.items():
        rows: list[list[Any]] = []
        differences, later = [], []
        for i, ((own, total), part) in enumerate(zip(alone[bits], file.networks, strict=True)):
            differences.append(part.psnr - own.psnr)
            row = [own.size, own.psnr, total, part.psnr, f"{differences[-1]:+.2f}", part.bytes]
            if more:
                later.append(more[bits].networks[i].psnr - own.psnr)
                row.append(f"{later[-1]:+.2f}")
            rows.append(row)
        heads = ["network", "alone", "bytes", "in the supernet", "difference", "bytes of the prefix"]
        heads += [f"difference, {longer} × the steps"] if more else []
        share = file.total / alone[bits][-1][1]
        every = sum(total for _, total in alone[bits])
        told = f"{bits} bits per weight. {words(differences)} File: {file.total} bytes, {share:.3f} × that of the largest alone, "
        told += f"{file.total / every:.2f} × the {len(rows)} files together."
        told += f" With {longer} × the steps: {words(later)} File: {more[bits].total} bytes." if more else ""
        parts += [told, table(heads, rows)]
    return parts


def words(differences: list[float]) -> str:
    """Differences from own fits in words."""
    within = sum(d >= -0.5 for d in differences)
    mean = statistics.fmean(differences)
    return f"Mean difference {mean:+.2f} dB, worst {min(differences):+.2f}, largest network {differences[-1]:+.2f}; {within} within 0.5 dB."


def bits(name: str, samples: Samples, options: Options) -> list[str]:
    """Networks with few bits per weight beside one of as many bytes with 8."""
    rows: list[list[Any]] = []
    for body, title in (("mlp", "SIREN"), ("filters", "filters")):
        for layers, hidden, codings in ((3, 64, EIGHT), (2, 128, FEWER)):
            own = replace(options, body=body, layers=layers, hidden=hidden, loss="mse")  # type: ignore[arg-type]
            float_network = fitted(samples, own, ENDLESS)
            for coding, per_weight, scaled in codings:
                asked = replace(float_network, options=replace(own, lsq_gradient_scale=scaled))
                result = search.best_of(asked, coding, per_weight)
                file = file_of(samples, result.coded)
                label = result.label + (", gradient scaled" if scaled else "")
                rows.append([title, f"{layers} × {hidden}", float_network.outcome.psnr, label, file.total, file.networks[0].psnr])
            tell(f"{name}: {title} {layers} × {hidden}, {float_network.outcome.psnr:.2f} dB")
    heads = ["body", "network", "PSNR, float", "weights", "bytes", "PSNR"]
    return [f"## {name}: bits per weight", table(heads, rows)]


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of PNG files, such as those of Kodak")
    parser.add_argument("--pictures", type=int, default=1, help="how many of its pictures")
    parser.add_argument("--scale", type=int, default=4, help="by which they are reduced")
    parser.add_argument("--size", type=int, default=64, help="of the crop of china.jpg; 0: without it")
    parser.add_argument("--steps", type=int, default=4000, help="of each fit")
    parser.add_argument("--batch", type=int, default=0, help="places per step; 0: by the size of the picture")
    parser.add_argument("--longer", type=int, default=2, help="fit a picture's supernet also with so many times the steps; 0: do not")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    given = parser.parse_args()
    options = Options(profile="inr", steps=given.steps, seconds=1e9, batch=given.batch, threads=1, device=given.device)
    parts = [TARGETS]
    pictures = [(titled(*p), p[1]) for p in folder(given.data, given.pictures, given.scale)]
    if given.size:
        pictures.append((f"china.jpg, {given.size} × {given.size}", photo8(given.size)))
    for i, (name, samples) in enumerate(pictures):
        parts += together(name, samples, options, 0 if i else given.longer) + bits(name, samples, options)
    save("implicit-ani", "Networks in a network, and weights of few bits", parts, module="bench.implicit.ani")


if __name__ == "__main__":
    main()
