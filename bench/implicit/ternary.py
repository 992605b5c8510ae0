"""Ternary weights until every bit is right: the network of 1.58 bits a weight of Han et al. (CVPR 2025), as form `bitlinear`.

    python -m bench.implicit.ternary                                   crops of 24 × 24 to 64 × 64, on a CPU
    python -m bench.implicit.ternary --size 128 --bits 16 --units 256 --octaves 7 --device cuda        the published case

Han et al., "Towards Lossless Implicit Neural Representation via Bit Plane Decomposition": a network for each bit-plane, with 7 octaves,
4 layers of 256 units, no biases, layer normalization without gain, 16-bit activations, weights of −1, 0 and 1 times their mean magnitude
(Ma et al., "The Era of 1-bit LLMs", 2024): 656 180 bytes at 1.6 bits a weight for 128 × 128 RGB of 16 bits.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch

from inrcodec.fit import search
from inrcodec.fit import train as training
from inrcodec.options import Options, Progress, goal_of
from inrcodec.values import to_values

from ..common import Samples, photo8, photo16, save, table, tell

GOAL = goal_of("exact")
STEPS = 400
SIZES = ((24, 8, 96), (32, 8, 96), (64, 8, 160), (24, 16, 64), (32, 16, 64))  # side, bits of a value, units
NARROW = ((24, 8, 48), (24, 8, 32), (32, 8, 64))
DETAILS: tuple[tuple[str, dict[str, Any]], ...] = (  # at 24 × 24 with 48 units
    ("as chosen", {}),
    ("learning rate 2e-3", {"learning_rate": 2e-3}),
    ("learning rate 2e-2", {"learning_rate": 2e-2}),
    ("5 octaves, not 7", {"octaves": 5}),
    ("10 octaves", {"octaves": 10}),
    ("3 layers, not 4", {"layers": 3}),
)
DETAIL_SIDE, DETAIL_UNITS, DETAIL_STEPS = 24, 48, 400
CURVE_POINTS = 24  # of a curve in the table
PAPER_BITS = 1.6  # of a weight: five ternary digits in a byte
PAPER_BYTES, PAPER_WEIGHTS = 656180, 3280896  # 16 networks of 30 → 256 → 256 → 256 → 256 → 3


@dataclass(frozen=True)
class Run:
    """A fit of one picture.

    Attributes:
        result: the integer network; exact_step: of the fit, None: never; steps, seconds: of the fit.
        curve: (step, share of wrong bits in each bit-plane of the float network), at every step.
        refused: how often every bit of the float network was right, but not of the integer network.
        units, octaves, weights: of the network.
    """

    result: search.Result
    exact_step: int | None
    steps: int
    seconds: float
    curve: list[tuple[int, tuple[float, ...]]]
    refused: int
    units: int
    octaves: int
    weights: int

    @property
    def first_right(self) -> list[int | None]:
        """The step at which each bit-plane is right for the first time."""
        return [next((step for step, errors in self.curve if errors[i] == 0), None) for i in range(len(self.curve[0][1]))]


def clock(device: str) -> float:
    """Seconds: of this process on the CPU, which other processes do not lengthen; else by the clock."""
    return time.process_time() if device == "cpu" else time.perf_counter()


def run(samples: Samples, options: Options, constant: bool = False) -> Run:
    """Fit the ternary network of a picture until every bit is right. constant: whether the learning rate does not fall."""
    values, value_map = to_values(samples)
    seen: list[Progress] = []
    asked: list[bool] = []
    real, budget = search._is_exact, training.Budget

    def is_exact(*arguments: Any) -> bool:
        asked.append(real(*arguments))
        return asked[-1]

    def made(*arguments: Any, **more: Any) -> training.Budget:
        return budget(*arguments, **more | ({"falling": False} if constant else {}))

    watched = Options(**{**vars(options), "progress": seen.append, "network": "bitlinear", "weights": "ternary"})
    start = clock(options.device)
    with (
        mock.patch.object(training, "REPORT_SECONDS", 0.0),
        mock.patch.object(search, "_is_exact", is_exact),
        mock.patch.object(search, "Budget", made),
    ):
        fitted = search.fit_float(values, value_map.bits, watched, GOAL)
        seconds = clock(options.device) - start
        result = search.code_all(fitted, "ternary")[0]
    a = fitted.model.architecture
    curve = [(s.step, s.bit_errors) for s in seen]
    outcome = fitted.outcome
    return Run(result, outcome.exact_step, outcome.steps, seconds, curve, asked.count(False), a.hidden, a.octaves, a.weights)


def row(name: str, samples: Samples, found: Run) -> list[Any]:
    """A row of the table with the heads HEADS."""
    m = found.result.measured
    reached = str(found.exact_step) if found.exact_step is not None else f"not in {found.steps}"
    bits = 8 * m.weights_bytes / found.weights
    at_paper = round(found.weights * PAPER_BITS / 8)
    size = f"4 × {found.units}"
    told = [name, size, found.octaves, found.weights, reached, float(found.seconds), m.wrong, found.refused]
    return [*told, samples.nbytes, m.weights_bytes, at_paper, f"{bits:.3f}"]


HEADS = [
    "picture", "network", "octaves", "weights", "steps until exact", "seconds", "wrong bits", "float right, integers not",
    "raw bytes", "weights bytes", "at 1.6 bits", "bits a weight",
]  # fmt: skip


def planes_table(runs: Sequence[tuple[str, Run]]) -> str:
    """For each bit-plane the step at which it is right for the first time."""
    most = max(len(r.first_right) for _, r in runs)
    rows: list[list[Any]] = []
    for name, found in runs:
        steps = ["never" if s is None else str(s) for s in found.first_right]
        rows.append([name, *steps, *[""] * (most - len(steps))])
    return table(["picture", *(f"plane {i + 1}" for i in range(most))], rows)


def curve_table(found: Run) -> str:
    """The share of wrong bits in each bit-plane at some steps."""
    chosen = found.curve[:: max(1, len(found.curve) // CURVE_POINTS)]
    rows = [[step, *(f"{e:.5f}" for e in errors)] for step, errors in [*chosen, found.curve[-1]]]
    return table(["step", *(f"plane {i + 1}" for i in range(len(found.curve[0][1])))], rows)


def picture(side: int, bits: int) -> tuple[str, Samples]:
    """(name, samples) of a crop."""
    return f"{side} × {side}, {bits} bits", (photo8 if bits == 8 else photo16)(side)


def options_of(given: argparse.Namespace, **more: Any) -> Options:
    """The options of a fit. more: options that the command line does not give."""
    usual: dict[str, Any] = {"hidden": given.units, "octaves": given.octaves, "steps": given.steps}
    return Options(profile="inr", device=given.device, threads=1, seconds=given.seconds, batch=given.batch, **usual | more)


def sizes(given: argparse.Namespace) -> tuple[list[str], list[tuple[str, Run]]]:
    """Pictures of several sizes: the text, and the runs by the name of the picture."""
    rows: list[list[Any]] = []
    runs: list[tuple[str, Run]] = []
    cases = ((given.size, given.bits, given.units),) if given.size else SIZES + NARROW
    for side, bits, units in cases:
        name, samples = picture(side, bits)
        found = run(samples, options_of(given, hidden=units))
        rows.append(row(name, samples, found))
        runs.append((f"{name}, 4 × {units}" if (side, bits, units) in NARROW else name, found))
        tell(str(rows[-1]))
    note = (
        f"At most {given.steps} steps. Wrong bits: by the integer network alone. Float right, integers not: how often training went on "
        "because only the float network had every bit right. Raw bytes: of the samples."
    )
    parts = ["## Pictures until every bit is right", note, table(HEADS, rows)]
    return [*parts, "## Steps until each bit-plane is right for the first time", planes_table(runs)], runs


def details(given: argparse.Namespace) -> list[str]:
    """One picture with other settings."""
    name, samples = picture(DETAIL_SIDE, 8)
    rows: list[list[Any]] = []
    usual = {"hidden": DETAIL_UNITS, "steps": DETAIL_STEPS}
    for what, more in (*DETAILS, ("learning rate does not fall", {"constant": True})):
        chosen = {k: v for k, v in more.items() if k != "constant"}
        found = run(samples, options_of(given, **usual | chosen), constant="constant" in more)
        m = found.result.measured
        reached = str(found.exact_step) if found.exact_step is not None else f"not in {found.steps}"
        rows.append([what, found.weights, reached, m.wrong, m.weights_bytes])
        tell(str(rows[-1]))
    heads = ["setting", "weights", "steps until exact", "wrong bits", "weights bytes"]
    return [f"## Settings: {name}, 4 × {DETAIL_UNITS}, {DETAIL_STEPS} steps", table(heads, rows)]


def summary(runs: Sequence[tuple[str, Run]]) -> str:
    """Which pictures were reached, and what the weights cost."""
    reached = [name for name, found in runs if found.result.measured.wrong == 0]
    shares = [8 * found.result.measured.weights_bytes / found.weights for _, found in runs]
    return (
        f"Bit error rate 0 by the integer network alone: {'; '.join(reached) or 'none'}. Our coder takes {np.mean(shares):.3f} bits a "
        f"weight on average. Published for 128 × 128 of 16 bits: {PAPER_WEIGHTS} weights, {PAPER_BYTES} bytes at {PAPER_BITS} bits each."
    )


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=0, help="of the one crop to fit to; 0: several, and the settings")
    parser.add_argument("--bits", type=int, choices=[8, 16], default=8, help="of the values of that crop")
    parser.add_argument("--units", type=int, default=0, help="of a layer; 0: by the size")
    parser.add_argument("--octaves", type=int, default=0, help="0: by the size")
    parser.add_argument("--steps", type=int, default=STEPS, help="of each fit")
    parser.add_argument("--seconds", type=float, default=1800, help="of each fit")
    parser.add_argument("--batch", type=int, default=0, help="places in a step; 0: as the encoder chooses")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(1)
    text, runs = sizes(given)
    largest = next(((n, r) for n, r in runs if n.startswith("64 × 64")), runs[-1])
    parts = [summary(runs), *text, f"## Wrong bits while training: {largest[0]}", curve_table(largest[1])]
    if not given.size:
        parts += details(given)
    name = f"implicit-ternary-{given.size}-{given.bits}" if given.size else "implicit-ternary"
    save(name, "Ternary weights until every bit is right", parts, module="bench.implicit.ternary")


if __name__ == "__main__":
    main()
