"""The weight coding SINR as it was published, beside plain uniform quantization: no fine-tuning, networks that map places to colours.

    python -m bench.implicit.sinr                  networks fitted to a crop of scikit-learn's china.jpg
    python -m bench.implicit.sinr --data DIR       also to pictures in a folder, reduced in size

A SIREN (Sitzmann et al., NeurIPS 2020) is fitted to each picture by squared error. Its matrices but the first are then coded: by uniform
quantization, and by sparse codes over seeded dictionaries (Jayasundara et al., "SINR", CVPR 2025). Biases and the first matrix, which
multiplies coordinates, have 16 bits in every row. A coded network is read back, and its picture compared with the original.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from inrcodec.compression import compress
from inrcodec.container import Reader
from inrcodec.fit.codings.sinr import Pursuit, nonzeros, pursue, words
from inrcodec.kernels import integers
from inrcodec.kernels.dictionary import deviation
from inrcodec.weights import sinr
from inrcodec.weights.sinr import Form

from ..common import Samples, photo8, save, table, tell
from .pictures import folder

NETWORKS = ((3, 128), (3, 64), (5, 64), (7, 64), (2, 20))  # hidden layers × units; the last one's matrices are flattened
OMEGA = 30.0
BATCH = 8192
STEP = 32768  # places at a time of a whole picture
RATE = 1e-3
SEED = 0
UNIFORM = (2, 3, 4, 5, 6, 7, 8, 16)  # bits per weight
SHARES = tuple(i / 32 for i in range(1, 17))  # non-zeros per element that are tried to find the best
PUBLISHED = (1 / 8, 1 / 4, 3 / 8, 1 / 2)  # non-zeros per element; of 1/2, just below
PAPER = Form(2, False, 16)
FORMS = tuple(Form(atoms, signs, 8) for atoms in sinr.OVERCOMPLETE for signs in (False, True))
SCALE_BYTES = 4  # of each layer's step
SEARCHED = Form(8, True, 8)  # in which s is searched
BARS = " ▁▂▃▄▅▆▇█"

Floats = npt.NDArray[np.floating[Any]]


class Siren(nn.Module):
    """Places in −1 … 1, (n, 2) → colours, (n, 3). Every sine is sin(OMEGA·(W·x + b))."""

    def __init__(self, layers: int, units: int, generator: torch.Generator) -> None:
        super().__init__()
        widths = [2, *[units] * layers, 3]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for i in range(layers + 1):
            bound = 1 / 2 if i == 0 else math.sqrt(6 / widths[i]) / OMEGA
            self.weights.append(nn.Parameter((2 * torch.rand(widths[i + 1], widths[i], generator=generator) - 1) * bound))
            self.biases.append(nn.Parameter((2 * torch.rand(widths[i + 1], generator=generator) - 1) / math.sqrt(widths[i])))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Colours, (n, 3), of places (n, 2)."""
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.addmm(bias, x, weight.T)
            if i < len(self.weights) - 1:
                x = torch.sin(OMEGA * x)
        return x

    @property
    def parameters_in_all(self) -> int:
        """How many weights and biases it has."""
        return sum(p.numel() for p in self.parameters())


@dataclass(frozen=True)
class Picture:
    """A picture, (height, width, 3) uint8, and what a network sees of it."""

    name: str
    samples: Samples

    @cached_property
    def places(self) -> torch.Tensor:
        """(pixels, 2) float32, −1 … 1."""
        axes = [torch.linspace(-1, 1, n) for n in self.samples.shape[:2]]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)

    @property
    def pixels(self) -> int:
        """Height × width."""
        return int(self.samples.shape[0] * self.samples.shape[1])

    def psnr(self, model: Siren) -> float:
        """Of the network's picture, rounded to 8 bits."""
        with torch.no_grad():
            parts = [model(self.places[i : i + STEP]) for i in range(0, self.pixels, STEP)]
            found = torch.cat(parts).double().numpy()
        error = np.rint(np.clip(127.5 * (found + 1), 0, 255)) - self.samples.reshape(-1, 3)
        return 10 * math.log10(255**2 / max(float((error**2).mean()), 1e-9))


@dataclass(frozen=True)
class Coded:
    """A coded network.

    Attributes:
        coding: its name.
        brotli, own: bytes of all weights and biases by Brotli, and by the coder of `kernels.integers`.
        psnr: of its picture.
    """

    coding: str
    brotli: int
    own: int
    psnr: float

    @property
    def bytes(self) -> int:
        """Bytes of the file: the smaller of both."""
        return min(self.brotli, self.own)

    def row(self, parameters: int, pixels: int) -> list[Any]:
        """A row of the table with the heads HEADS."""
        return [self.coding, 8 * self.bytes / parameters, self.bytes, self.brotli, self.own, 8 * self.bytes / pixels, self.psnr]


HEADS = ["coding", "bits per parameter", "bytes", "Brotli", "our coder", "bits per pixel", "PSNR"]


def fit(picture: Picture, layers: int, units: int, seconds: float) -> tuple[Siren, int]:
    """A network fitted by Adam to a picture, and the steps taken. The learning rate falls to 0 in `seconds`."""
    generator = torch.Generator().manual_seed(SEED)
    model = Siren(layers, units, generator)
    colours = torch.from_numpy(picture.samples.reshape(-1, 3).astype(np.float32) / 127.5 - 1)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    start, steps = time.perf_counter(), 0
    while (spent := (time.perf_counter() - start) / seconds) < 1:
        optimizer.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * spent))
        rows = torch.randint(picture.pixels, (min(BATCH, picture.pixels),), generator=generator)
        optimizer.zero_grad()
        loss: Any = nn.functional.mse_loss(model(picture.places[rows]), colours[rows])
        loss.backward()
        optimizer.step()
        steps += 1
    return model, steps


def quantized(matrix: Floats, bits: int) -> tuple[npt.NDArray[np.int64], float]:
    """Integers of `bits` bits, symmetric about 0, and the step: matrix ≈ step·integers."""
    step = max(float(np.abs(matrix).max()), 1e-12) / (2 ** (bits - 1) - 1)
    return np.rint(matrix / step).astype(np.int64), step


def byte_planes(arrays: Sequence[npt.NDArray[np.int64]], bits: int) -> bytes:
    """Integers of up to 16 bits, by Brotli: low bytes, then high bytes if there are more than 8 bits."""
    numbers = np.concatenate([a.ravel() for a in arrays]).astype("<i2").view(np.uint8)
    return compress(numbers[0::2].tobytes() + (numbers[1::2].tobytes() if bits > 8 else b""))


class Study:
    """One fitted network and its codings."""

    def __init__(self, picture: Picture, model: Siren) -> None:
        self.picture, self.model = picture, model
        self.matrices = [w.detach().double().numpy() for w in model.weights]
        self.pursuits: dict[tuple[int, bool], list[Pursuit]] = {}
        biases = [b.detach().double().numpy() for b in model.biases]
        rest = [quantized(m, 16) for m in (*biases, self.matrices[0])]
        self.rest = [torch.from_numpy(i * step).float() for i, step in rest]  # as every coded network has them
        numbers = [i for i, _ in rest]
        scales = SCALE_BYTES * (len(rest) + len(self.matrices) - 1)
        self.rest_brotli, self.rest_own = len(byte_planes(numbers, 16)) + scales, len(integers.encode(numbers)) + scales

    def psnr(self, matrices: Sequence[Floats]) -> float:
        """Of the picture with other matrices after the first."""
        coded = Siren(len(self.matrices) - 1, len(self.matrices[0]), torch.Generator())
        found = [self.rest[-1], *(torch.from_numpy(m).float() for m in matrices)]
        with torch.no_grad():
            for mine, other in zip([*coded.biases, *coded.weights], [*self.rest[:-1], *found], strict=True):
                mine.copy_(other)
        return self.picture.psnr(coded)

    def uniform(self, bits: int) -> Coded:
        """The network with matrices of `bits` bits per weight."""
        found = [quantized(m, bits) for m in self.matrices[1:]]
        numbers = [i for i, _ in found]
        brotli, own = len(byte_planes(numbers, bits)), len(integers.encode(numbers))
        return Coded(f"uniform {bits}", self.rest_brotli + brotli, self.rest_own + own, self.psnr([i * step for i, step in found]))

    def sparse(self, share: float, form: Form) -> Coded:
        """The network with matrices as sparse codes, which are written, read back and expanded."""
        key = form.overcomplete, form.signs
        if key not in self.pursuits:
            self.pursuits[key] = [pursue(m, 1 / 2, SEED, form) for m in self.matrices[1:]]
        codes, steps = [], []
        for matrix, pursuit in zip(self.matrices[1:], self.pursuits[key], strict=True):
            positions, values = pursuit.codes(nonzeros(pursuit.targets.shape[1], share))
            whole, step = quantized(values, form.bits)
            outputs, inputs = matrix.shape
            codes.append(sinr.Sparse((outputs, inputs), positions, whole, form))
            steps.append(step / deviation(form.signs))
        data = sinr.write(codes)
        back = sinr.read(Reader(data, "a network"), [code.shape for code in codes])
        matrices = [sinr.expand(code, SEED) * step for code, step in zip(back, steps, strict=True)]
        gaps, values = sinr.gaps_and_values(codes)
        head = 2 + len(codes)
        brotli, own = head + len(sinr.brotli_codes(gaps, values, form)), head + len(sinr.integer_codes(gaps, values))
        name = f"sinr {share:g}k of {words(form)}"
        return Coded(name, self.rest_brotli + brotli, self.rest_own + own, self.psnr(matrices))

    def cost(self, coded: Coded) -> float:
        """Bits of the network, plus those that its errors would cost: each 6 dB less is a bit more for each sample (Shannon, 1959)."""
        return 8 * coded.bytes - coded.psnr / (20 * math.log10(2)) * self.picture.samples.size

    def codings(self, every: bool) -> list[Coded]:
        """The network in many codings; every: in all combinations, else in the most telling ones."""
        found = [self.uniform(bits) for bits in UNIFORM]
        forms = [PAPER, Form(2, False, 12), *FORMS] if every else [PAPER]
        found += [self.sparse(share, form) for form in forms for share in PUBLISHED]
        return found if every else found + [self.sparse(1 / 2, form) for form in FORMS]

    def spread(self) -> str:
        """How the weights after the first matrix are distributed, in units of each matrix's standard deviation."""
        scaled = [(m / m.std()).ravel() for m in self.matrices[1:]]
        kurtosis = ", ".join(f"{(m**4).mean() / (m**2).mean() ** 2 - 3:.1f}" for m in scaled)
        counts, _ = np.histogram(np.concatenate(scaled), 33, (-4.125, 4.125))
        bars = "".join(BARS[math.ceil(8 * c / counts.max())] for c in counts)
        return f"Excess kurtosis of each matrix after the first: {kurtosis}. All these weights, from −4σ to 4σ: `{bars}`"


@dataclass(frozen=True)
class Found:
    """The s that suits a network best.

    Attributes:
        name: of the picture and the network.
        length: k of its square matrices' vectors.
        share: s/k with the least cost of all in SHARES.
        study: the network.
    """

    name: str
    length: int
    share: float
    study: Study


def uniform_at(psnr: float, codings: Sequence[Coded], parameters: int) -> float:
    """Bits per parameter at which uniform quantization has this PSNR, between two numbers of bits by a straight line."""
    ladder = sorted((c.psnr, 8 * c.bytes / parameters) for c in codings if c.coding.startswith("uniform"))
    return float(np.interp(psnr, [p for p, _ in ladder], [bits for _, bits in ladder]))


SUMMARY = [
    "picture", "network", "PSNR, float", "sinr", "s/k", "bits per parameter", "bits per pixel", "PSNR",
    "uniform: bits per parameter at this PSNR", "uniform / sinr",
]  # fmt: skip


def studied(picture: Picture, layers: int, units: int, seconds: float, every: bool) -> tuple[list[str], list[list[Any]], Found]:
    """Fit and code one network: (text, rows of the summary, the s found)."""
    model, steps = fit(picture, layers, units, seconds)
    study = Study(picture, model)
    parameters, psnr = model.parameters_in_all, picture.psnr(model)
    codings = study.codings(every)
    tried = {share: study.sparse(share, SEARCHED) for share in SHARES}
    costs = {share: study.cost(coded) for share, coded in tried.items()}
    best = min(costs, key=lambda share: costs[share])
    chosen = [("as published", 1 / 2, study.sparse(1 / 2, PAPER))]
    chosen += [(words(SEARCHED), 1 / 2, tried[1 / 2]), (f"{words(SEARCHED)}, least cost", best, tried[best])]
    rows: list[list[Any]] = []
    for what, share, coded in chosen:
        bits, same = 8 * coded.bytes / parameters, uniform_at(coded.psnr, codings, parameters)
        bpp = 8 * coded.bytes / picture.pixels
        rows.append([picture.name, f"{layers} × {units}", psnr, what, share, bits, bpp, coded.psnr, same, same / bits])
    about = f"{parameters} parameters, {steps} steps; PSNR of the float network {psnr:.2f} dB. {study.spread()}"
    name = f"{picture.name}: {layers} × {units}"
    text = [f"## {name}", about, table(HEADS, [c.row(parameters, picture.pixels) for c in codings])]
    tell(f"{name}: {psnr:.2f} dB, s/k {best:g}")
    length = sinr.vector_shape((units, units))[1]
    return text, rows, Found(name, length, best, study)


def line(points: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """(a, b) of s ≈ a·k + b by least squares. points: (k, s)."""
    k, s = np.array(points, np.float64).T
    a, b = np.linalg.lstsq(np.stack([k, np.ones_like(k)], 1), s, rcond=None)[0]
    return float(a), float(b)


def regression(found: Sequence[Found]) -> list[str]:
    """How well s is predicted from k alone: the line through all networks, and each network by the line through the others."""
    points = [(f.length, nonzeros(f.length, f.share)) for f in found]
    a, b = line(points)
    rows: list[list[Any]] = []
    for i, (f, (k, s)) in enumerate(zip(found, points, strict=True)):
        slope, offset = line(points[:i] + points[i + 1 :])
        guess = min(max(round(slope * k + offset), 1), (k - 1) // 2)
        codings = [f.study.sparse(share, SEARCHED) for share in (f.share, (guess + 0.5) / k, 1 / 4, 1 / 2)]
        costs = [f.study.cost(c) / 8 for c in codings]
        rows.append([f.name, k, s, guess, codings[0].bytes, codings[0].psnr, *(round(cost - costs[0]) for cost in costs[1:])])
    heads = ["network", "k", "s", "predicted", "bytes", "PSNR", "more: predicted", "more: s/k = 1/4", "more: s/k = 1/2"]
    of_all = [a * k + b - s for k, s in points]
    told = f"s ≈ {a:.4f}·k + {b:.2f}. Root mean square error: {rms(of_all):.1f} on these networks, "
    told += f"{rms([row[3] - row[2] for row in rows]):.1f} on each of them when it is left out."
    what = "s has the least cost of those of all s/k from 1/32 to 1/2 in steps of 1/32. The cost: bits of the network, plus a bit for each "
    what += "sample and each 6.02 dB of error. A predicted s is that of the line through the other networks. The last three columns: bytes "
    what += f"by which the cost is above the least, with s predicted, and with a fixed s/k. All in {words(SEARCHED)}."
    return ["## s predicted from k by linear regression", told, what, table(heads, rows)]


def rms(errors: Sequence[float]) -> float:
    """The root of the mean square."""
    return math.sqrt(sum(e * e for e in errors) / len(errors))


def pictures(size: int, data: Path | None, count: int, factor: int) -> Iterator[Picture]:
    """The pictures to fit to: china.jpg's crop, and `count` pictures spread over a folder, reduced by `factor`."""
    yield Picture(f"china.jpg {size} × {size}", photo8(size))
    for name, samples in folder(data, count, factor):
        yield Picture(f"{name} {samples.shape[1]} × {samples.shape[0]}", samples)


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of PNG files, such as those of Kodak")
    parser.add_argument("--count", type=int, default=2, help="how many of its pictures")
    parser.add_argument("--factor", type=int, default=2, help="by which they are reduced")
    parser.add_argument("--size", type=int, default=128, help="of the crop of china.jpg")
    parser.add_argument("--seconds", type=float, default=20, help="for each fit")
    arguments = parser.parse_args()
    details, summary, found = list[str](), list[list[Any]](), list[Found]()
    for picture in pictures(arguments.size, arguments.data, arguments.count, arguments.factor):
        for layers, units in NETWORKS:
            text, rows, one = studied(picture, layers, units, arguments.seconds, every=not found)
            details += text
            summary += rows
            found.append(one)
    what = "How many bits uniform quantization needs for the PSNR of sparse codes, neither with fine-tuning. Below 1 in the last column: "
    what += "uniform quantization is smaller."
    parts = ["## sinr beside uniform quantization", what, table(SUMMARY, summary), *regression(found), *details]
    save("implicit-sinr", "Sparse codes of weights, as published", parts, module="bench.implicit.sinr")


if __name__ == "__main__":
    main()
