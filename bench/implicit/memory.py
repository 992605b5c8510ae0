"""Memory in the network: one matrix that is used again and again, beside cells that are looked up.

    python -m bench.implicit.memory [--data DIR]      all parts, on a CPU
    python -m bench.implicit.memory --part steps --size 256 --units 768 --device cuda       593.7 K parameters, as published

A recurrent network has h₀ = sin(W·x), h_r = sin(U·h_(r−1)), r = 1 … R, with one matrix U: our body "recurrent" with R + 1 layers. Published
for 593.7 K parameters: PSNR at step 500 of 39.7 dB for R = 1 and 63.4 dB for R = 5. DIR has kodak/*.png and meshes/*.obj.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from sklearn.datasets import load_sample_image

import inrcodec
from inrcodec import Signal, codec, files
from inrcodec.cli.demo import chime
from inrcodec.fit import choices, search
from inrcodec.fit.model import CoordinateNetwork
from inrcodec.kernels.architecture import Architecture, Level
from inrcodec.options import Options, goal_of
from inrcodec.values import to_values

from ..common import Samples, photo8, photo16, save, smooth16, table, tell
from . import shapes
from .ternary import clock

EXACT = goal_of("exact")
PARTS = ("exact", "large", "steps", "cells", "fields")
DEPTHS = (1, 2, 3, 4, 5)  # R
PSNR_STEPS = 500
PSNR_SETTINGS = ((1e-3, 30.0), (5e-4, 30.0), (1e-3, 60.0), (1e-3, 10.0))  # learning rate, omega: the best is taken for each R
WEIGHT_BITS = 4
TUNING_RATES = (3.0, 1.0)  # learning rates of fine-tuning, relative to that of the fit, until one ends exact
FEW_WRONG = 100  # bits with the first of them, for which the second is tried
STATES = 10  # of the hidden state that are looked at
YARDSTICK = 768790  # bytes of a 64 × 64 crop with heads 3 × 448 and weights of 16 bits
TABLES = (5, 7)  # nodes share 2^n cells
CELL_STEPS = 500
DEFAULT = "cells, dense (default)"
VALUE_STEPS = 700


@dataclass(frozen=True)
class Shape:
    """A network to be fitted. options: those of Options that make it."""

    name: str
    options: dict[str, Any]

    def of(self, units: int) -> Shape:
        """The same with so many units."""
        return Shape(f"{self.name} × {units}", self.options | {"hidden": units})


def recurrent(depth: int) -> Shape:
    """The recurrent network of bits with R = depth."""
    return Shape(f"recurrent, R = {depth},", {"network": "heads", "body": "recurrent", "layers": depth + 1})


HEADS = Shape("heads, 3", {"network": "heads", "layers": 3})
# network and units, in fourths of the size of the small crop
LARGE = tuple((HEADS, n) for n in (22, 20, 18)) + tuple((recurrent(1), n) for n in (29, 27, 25, 23)) + ((recurrent(2), 28),)


@dataclass(frozen=True)
class Run:
    """A network that was fitted and coded. steps: of the fit and of fine-tuning; seconds: of all."""

    name: str
    fitted: search.Fitted
    result: search.Result
    steps: tuple[int, int]
    seconds: float

    @property
    def exact(self) -> bool:
        """Whether the integer network alone has every bit right."""
        return self.result.measured.wrong == 0

    @property
    def bytes(self) -> int:
        """Of the weights."""
        return self.result.measured.weights_bytes

    def row(self) -> list[Any]:
        """A row of the table with the heads RUN_HEADS."""
        a, m = self.fitted.model.architecture, self.result.measured
        exact_step = self.fitted.outcome.exact_step
        float_exact = "never" if exact_step is None else str(exact_step)
        return [self.name, self.result.label, a.parameters, m.weights_bytes, m.wrong, float_exact, *self.steps, float(self.seconds)]


RUN_HEADS = [
    "network",
    "weights",
    "parameters",
    "weights bytes",
    "wrong bits",
    "float exact at",
    "steps",
    "steps under the coding",
    "seconds",
]


def usual(given: argparse.Namespace, **more: Any) -> Options:
    """Options of a fit."""
    return Options(profile="inr", device=given.device, threads=1, seconds=given.seconds, **{"steps": given.steps} | more)


def shaped(samples: Samples, colours: bool) -> tuple[np.ndarray, int]:
    """(values (axes…, channels), their bits). colours: whether the last axis is of channels."""
    values, value_map = to_values(samples)
    return values if colours else values[..., None], value_map.bits


def run(shape: Shape, samples: Samples, given: argparse.Namespace, coding: tuple[str, int], colours: bool = True, **more: Any) -> Run:
    """Fit a network until exact and code it, exact too if that is reached. coding: (name, bits); more: further options."""
    start = clock(given.device)
    values, bits = shaped(samples, colours)
    options = usual(given, weights=coding[0], bits=coding[1], **shape.options | more)
    fitted = search.fit_float(values, bits, options, EXACT)
    found: list[search.Result] = []
    for rate in TUNING_RATES:
        with mock.patch.object(search, "FINE_TUNE_RATE_EXACT", rate):
            found += search.code_all(fitted, *coding)
        if not 0 < found[-1].measured.wrong <= FEW_WRONG:
            break
    best = min(found, key=lambda r: (r.measured.wrong, r.total))
    done = Run(shape.name, fitted, best, (fitted.outcome.steps, best.steps), clock(given.device) - start)
    tell(str(done.row()))
    return done


def units_for(shape: Shape, parameters: int, sizes: tuple[int, ...], channels: int, bits: int) -> int:
    """Units with which a recurrent network has about as many parameters."""

    def off(units: int) -> int:
        a = Architecture(sizes, channels, bits, units, shape.options["layers"], "heads", "recurrent")
        return abs(a.parameters - parameters)

    return min(range(8, 1024), key=off)


# --- exact ----------------------------------------------------------------------------------------------------------


def exact(given: argparse.Namespace) -> list[str]:
    """Heads beside recurrent networks: at equal units, at equal bytes, and as small as they get."""
    size, coding = given.size, ("lsq", WEIGHT_BITS)
    samples = photo8(size)
    unit = size // 8
    units = 24 * unit  # 96 of 32 × 32
    same_units = [run(shape.of(units), samples, given, coding) for shape in (HEADS, *map(recurrent, DEPTHS))]
    first = run(HEADS.of(20 * unit), samples, given, coding)
    parameters = first.fitted.model.architecture.parameters
    wide = {r: units_for(recurrent(r), parameters, (size, size), 3, 8) for r in DEPTHS}
    equal = [first, *(run(recurrent(r).of(wide[r]), samples, given, coding) for r in DEPTHS)]
    best = min(DEPTHS, key=lambda r: (equal[r].result.measured.wrong, equal[r].steps[1]))
    ladder: list[Run] = []
    for shape, start in ((HEADS, 20 * unit), (recurrent(best), wide[best])):
        for narrower in range(start - 2 * unit, 8, -2 * unit):
            ladder.append(run(shape.of(narrower), samples, given, coding))
            if not ladder[-1].exact:
                break
    values = Shape("values, 3 × 128, squared error", {"network": "values", "body": "mlp", "layers": 3, "hidden": 128, "loss": "mse"})
    plain = run(values, samples, given, ("lsq", 8), learning_rate=5e-4, steps=VALUE_STEPS)
    reached = [r for r in (*same_units, *equal, *ladder) if r.exact]
    told = [f"{what}: {_least(reached, start)}" for what, start in (("heads", "heads"), ("recurrent", "recurrent"))]
    told.append(f"Recurrent with the least steps at equal bytes: R = {best}")
    note = f"Weights of {WEIGHT_BITS} bits with learned steps, fine-tuned until the integer network has every bit right, at most "
    note += (
        f"{given.steps} steps; with 3 times the learning rate of the fit, then, if at most {FEW_WRONG} bits are wrong, with that of the "
    )
    note += "fit. Wrong bits: by the integer network alone."
    parts = [f"## Exact: {size} × {size} RGB of 8 bits, {samples.nbytes} bytes", note, "Smallest exact: " + ". ".join(told) + "."]
    tables = {"equal units": same_units, "equal parameters, so about equal bytes": equal, "narrower": ladder, "values": [plain]}
    for title, runs in tables.items():
        parts += [f"### Exact: {title}", table(RUN_HEADS, [r.row() for r in runs])]
    changes = {f"recurrent, R = {depth}": _changes(r.fitted, given) for depth, r in zip(DEPTHS, same_units[1:], strict=True)}
    return [*parts, *_stability("Stability of the networks of bits at equal units, before coding", changes)]


def _least(runs: Sequence[Run], start: str) -> str:
    """The smallest of some runs whose name begins so."""
    found = min((r for r in runs if r.name.startswith(start)), key=lambda r: r.bytes, default=None)
    return "none" if found is None else f"{found.name}, {found.bytes} bytes"


def large(given: argparse.Namespace) -> list[str]:
    """A crop of 64 × 64 by heads, by a recurrent network, and by the default."""
    samples, coding = photo8(2 * given.size), ("lsq", WEIGHT_BITS)
    unit = given.size // 4
    found = [run(shape.of(units * unit), samples, given, coding) for shape, units in LARGE]
    start = clock(given.device)
    data = codec.encode(Signal(samples, "image"), usual(given, steps=CELL_STEPS))
    seconds = clock(given.device) - start
    rows = [[r.name, r.bytes, r.result.measured.wrong, float(r.seconds), f"{100 * r.bytes / YARDSTICK:.2f} %"] for r in found]
    rows.append(["values with cells (default), whole file", len(data), 0, float(seconds), f"{100 * len(data) / YARDSTICK:.2f} %"])
    side = f"{2 * given.size} × {2 * given.size}"
    note = f"{samples.nbytes} bytes of samples. The yardstick: {YARDSTICK} bytes, 64 × 64 by heads 3 × 448 with weights of 16 bits."
    heads = ["network", "bytes", "wrong bits", "seconds", "of the yardstick"]
    return [f"## Exact: {side} RGB of 8 bits", note, table(heads, rows), table(RUN_HEADS, [r.row() for r in found])]


# --- PSNR at a step, stability --------------------------------------------------------------------------------------


def steps(given: argparse.Namespace) -> list[str]:
    """PSNR at step 500 of networks of values with the same parameters."""
    size, units = given.size, given.units
    values, bits = shaped(photo16(size), True)
    rows: list[list[Any]] = []
    changes: dict[str, list[float]] = {}
    for depth in DEPTHS:
        found = []
        for rate, omega in PSNR_SETTINGS:
            start = clock(given.device)
            more = {
                "network": "values",
                "body": "recurrent",
                "layers": depth + 1,
                "hidden": units,
                "loss": "mse",
                "learning_rate": rate,
                "omega": omega,
            }
            fitted = search.fit_float(values, bits, usual(given, **more | {"steps": PSNR_STEPS, "batch": values.size}), EXACT)
            found.append((fitted.outcome.psnr, fitted, clock(given.device) - start))
        psnr, fitted, seconds = max(found, key=lambda f: f[0])
        rows.append([depth, fitted.model.architecture.parameters, *(float(f[0]) for f in found), float(psnr), float(seconds)])
        changes[f"R = {depth}"] = _changes(fitted, given)
        tell(str(rows[-1]))
    gain = rows[-1][-2] - rows[0][-2]
    note = (
        f"{size} × {size} RGB of 16 bits, {units} units, full batch, squared error, Adam; R = 5 is {gain:+.2f} dB beside R = 1. Published, "
    )
    note += "with 593.7 K parameters (768 units, no biases) on other pictures: 39.7 dB for R = 1, 63.4 dB for R = 5, +23.7 dB."
    heads = ["R", "parameters", *(f"rate {rate:g}, omega {omega:g}" for rate, omega in PSNR_SETTINGS), "PSNR at step 500", "seconds"]
    parts = ["## PSNR at step 500, values by recurrent networks", note, table(heads, rows)]
    return [*parts, *_stability("Stability of the networks of values", changes)]


def states(model: CoordinateNetwork, inputs: torch.Tensor, count: int) -> list[torch.Tensor]:
    """The hidden states h₀ … of a recurrent network of sines, (n, hidden) each, `count` and one in number. inputs: (n, axes)."""
    with torch.no_grad():
        found = [torch.sin(model.omegas[0] * (inputs @ model.weights[0][0].T + model.biases[0][0]))]
        for _ in range(count):
            found.append(torch.sin(model.omegas[1] * (found[-1] @ model.weights[1][0].T + model.biases[1][0])))
    return found


def relative_changes(found: Sequence[torch.Tensor]) -> list[float]:
    """‖h_r − h_(r−1)‖ / ‖h_r‖ over all places, for each r."""
    return [float((after - before).norm() / after.norm()) for before, after in pairwise(found)]


def _changes(fitted: search.Fitted, given: argparse.Namespace) -> list[float]:
    return relative_changes(states(fitted.model, fitted.targets.inputs, STATES))


def _stability(title: str, changes: dict[str, list[float]]) -> list[str]:
    trained = dict(zip(changes, DEPTHS, strict=True))
    deep = [name for name, depth in trained.items() if depth > 1]  # of one step, there is nothing that could fall
    falls = [name for name in deep if _falling(changes[name][: trained[name]])]
    beyond = [name for name in deep if _falling(changes[name])]
    note = "‖h_r − h_(r−1)‖ / ‖h_r‖ over all places, also beyond the R that was trained. √2 is what unrelated states of one length have. "
    note += f"Up to the trained R it falls at every step for {len(falls)} of {len(deep)} networks{_listed(falls, deep)}; "
    note += f"at all {STATES} steps for {len(beyond)}{_listed(beyond, deep)}."
    rows = [[name, *(f"{c:.3f}" for c in found)] for name, found in changes.items()]
    return [f"## {title}", note, table(["network", *(f"r = {i + 1}" for i in range(STATES))], rows)]


def _falling(numbers: Sequence[float]) -> bool:
    return all(after < before for before, after in pairwise(numbers))


def _listed(names: Sequence[str], among: Sequence[str]) -> str:
    """Which ones, if it is some of them."""
    return f" ({', '.join(names)})" if 0 < len(names) < len(among) else ""


# --- cells ----------------------------------------------------------------------------------------------------------


def signals(given: argparse.Namespace) -> Iterator[tuple[str, Signal]]:
    """The signals that cells and recurrent networks are compared on."""
    size = given.size
    yield f"china.jpg {size} × {size}", Signal(photo8(size), "image")
    yield (
        f"flower.jpg {size} × {size}",
        Signal(np.ascontiguousarray(load_sample_image("flower.jpg")[200 : 200 + size, 300 : 300 + size]), "image"),
    )
    paths = sorted((given.data / "kodak").glob("*.png")) if given.data else []
    for path in paths[:1]:
        whole = files.read(path).samples
        top, left = ((n - size) // 2 for n in whole.shape[:2])
        yield f"Kodak {path.stem} {size} × {size}", Signal(np.ascontiguousarray(whole[top : top + size, left : left + size]), "image")
    yield f"smooth16 {size} × {size}", Signal(smooth16(size), "image")
    yield "chime, 1024 samples", chime(1024)
    yield "occupancy 16 × 16 × 16", Signal(shapes.made(16) <= 0, "array")


def cells(given: argparse.Namespace) -> list[str]:
    """Exact files with cells, dense and hashed, and with recurrent networks."""
    rows: list[list[Any]] = []
    for name, signal in signals(given):
        bits = signal.samples.size * signal.bit_depth
        units = max(24, 8 * math.ceil(math.sqrt(0.5 * bits) / 8))
        memory: dict[str, Any] = {
            "network": "heads",
            "body": "recurrent",
            "layers": 3,
            "hidden": units,
            "weights": "lsq",
            "bits": WEIGHT_BITS,
        }
        means: dict[str, Any] = {"network": "values", "body": "recurrent", "layers": 3, "until": "mdl", "weights": "lsq", "bits": 5}
        grid: dict[str, Any] = {"network": "values", "until": "exact", "steps": CELL_STEPS}  # the default, but for occupancy
        kinds: list[tuple[str, int, dict[str, Any]]] = [
            (DEFAULT, 0, grid),
            *((f"cells, hashed to 2^{n}", n, grid) for n in TABLES),
            (f"recurrent, R = 2, × {units}, bits", 0, memory | {"until": "exact"}),
            ("cells, dense, values and payload", 0, grid | {"until": "mdl"}),
            ("recurrent, R = 2, values and payload", 0, means | {"steps": CELL_STEPS}),
        ]
        sizes = []
        for what, hashed, more in kinds:
            start = clock(given.device)
            with mock.patch.object(choices, "_levels", _hashing(choices._levels, hashed)):
                data = codec.encode(signal, usual(given, **more))
            if not inrcodec.decode(data).equals(signal):
                raise SystemExit("it did not come back")
            alone = inrcodec.info(data)["network"]["psnr"]
            sizes.append(len(data))
            row = [name, what, len(data), "yes" if alone is None else f"{alone:.1f} dB", float(clock(given.device) - start)]
            rows.append(row)
            tell(str(row))
    return ["## Cells beside a recurrent network: exact files", _verdict(rows), table(CELL_HEADS, rows)]


CELL_HEADS = ["signal", "network", "file bytes", "network alone exact", "seconds"]


def _verdict(rows: list[list[Any]]) -> str:
    """Which kind of network has the smallest file of each signal: of those that are exact alone, and of all."""
    told = []
    for title, taken in (("Networks that are to be exact alone", [r for r in rows if "payload" not in r[1]]), ("All", rows)):
        names = list(dict.fromkeys(r[0] for r in taken))
        smallest = {name: min((r for r in taken if r[0] == name), key=lambda r: r[2]) for name in names}
        dense = sum(r[1] == DEFAULT for r in smallest.values())
        others = [f"{name}: {r[1]}, {r[2]} bytes" for name, r in smallest.items() if r[1] != DEFAULT]
        text = f"{title}: dense cells, the default, have the smallest file of {dense} of {len(smallest)} signals"
        told.append(text + (f"; others are smaller for {'; '.join(others)}." if others else "."))
    return "\n\n".join(told)


def _hashing(levels: Any, hashed: int) -> Any:
    """`choices._levels` with levels of more than 2^hashed cells hashed to so many; hashed 0: as it is."""

    def made(a: Architecture, goal: Any) -> tuple[Level, ...]:
        found: tuple[Level, ...] = levels(a, goal)
        small = hashed == 0
        return tuple(x if small or x.direct or x.cells(a.sizes) <= 1 << hashed else replace(x, table=hashed) for x in found)

    return made


# --- fields ---------------------------------------------------------------------------------------------------------

ACTIVATIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sine", {"activation": "sine"}),
    ("GELU, 5 octaves", {"activation": "gelu", "octaves": 5, "learning_rate": 3e-3}),
    ("Gaussian, 5 octaves", {"activation": "gaussian", "octaves": 5, "learning_rate": 3e-3}),
    ("Gaussian", {"activation": "gaussian", "learning_rate": 3e-3}),
)
FIELD_STEPS = 600


def fields(given: argparse.Namespace) -> list[str]:
    """Signed distances and occupancy by three activations and by cells."""
    rows: list[list[Any]] = []
    solids = [("sphere and box, occupancy 16³", shapes.made(16) <= 0)]
    distances = [
        ("sphere and box, distances 12³, 12 bits", shapes.quantized(shapes.made(12), 12), True),
        ("sphere and box, distances 24³, 12 bits", shapes.quantized(shapes.made(24), 12), False),
    ]
    for path in sorted((given.data / "meshes").glob("*.obj"))[:1] if given.data else []:
        inside = shapes.voxels(*shapes.mesh(path), 20)
        solids.append((f"{path.stem}, occupancy 20³", inside))
        distances.append((f"{path.stem}, distances 20³, 12 bits", shapes.quantized(shapes.distances_of(inside), 12), False))
    for name, samples, fitted in distances:
        if fitted:
            rows += _by_activations(name, samples, given, 128, 8)
        rows.append(_by_cells(name, samples, given))
    for name, samples in solids:
        rows += _by_activations(name, samples, given, 32, WEIGHT_BITS)
        rows.append(_by_cells(name, samples, given))
    note = f"Networks of bits, 2 layers, until exact in at most {FIELD_STEPS} steps; weights by lsq, 8 bits for distances and "
    note += f"{WEIGHT_BITS} for occupancy. Bytes: of the weights if no bit is wrong, else of weights and payload; with cells, of the whole "
    note += "file."
    heads = ["signal", "network", "parameters", "steps until exact", "wrong bits", "bytes", "seconds"]
    return ["## Signed distances and occupancy", note, table(heads, rows)]


def _by_activations(name: str, samples: Samples, given: argparse.Namespace, units: int, bits: int) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for what, more in ACTIVATIONS:
        shape = Shape(f"{name}, {what}", {"network": "heads", "layers": 2, "hidden": units, "steps": FIELD_STEPS} | more)
        found = run(shape, samples, given, ("lsq", bits), colours=False)
        step, m = found.fitted.outcome.exact_step, found.result.measured
        reached = "never" if step is None else str(step)
        rows.append(
            [name, f"{what}, 2 × {units}", found.fitted.model.architecture.parameters, reached, m.wrong, found.result.total, found.seconds]
        )
    return rows


def _by_cells(name: str, samples: Samples, given: argparse.Namespace) -> list[Any]:
    start = clock(given.device)
    signal = Signal(samples, "array")
    data = codec.encode(signal, usual(given, steps=CELL_STEPS // 2))
    if not inrcodec.decode(data).equals(signal):
        raise SystemExit("it did not come back")
    found = [name, "cells (default)", inrcodec.info(data)["weights"]["parameters"], "at once", 0, len(data), clock(given.device) - start]
    tell(str(found))
    return found


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=32, help="of the crops")
    parser.add_argument("--units", type=int, default=96, help="of the networks whose PSNR at step 500 is measured")
    parser.add_argument("--steps", type=int, default=1500, help="of each fit, and of its fine-tuning")
    parser.add_argument("--seconds", type=float, default=900, help="of each fit")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--data", type=Path, help="a folder with kodak/ and meshes/")
    parser.add_argument("--part", choices=PARTS, help="only this part")
    given = parser.parse_args()
    torch.set_num_threads(1)
    makers = {"exact": exact, "large": large, "steps": steps, "cells": cells, "fields": fields}
    parts = [text for part in ([given.part] if given.part else PARTS) for text in makers[part](given)]
    parts.insert(0, "Seconds are those of one core." if given.device == "cpu" else "Seconds are by the clock.")
    name = f"implicit-memory-{given.part}" if given.part else "implicit-memory"
    save(name, "Memory in the network", parts, module="bench.implicit.memory")


if __name__ == "__main__":
    main()
