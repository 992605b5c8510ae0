"""Studies of bit-plane decomposition, each with a table in bench/results/ and a plot in docs/.

    python -m bench.implicit.bits bias          which bit-planes a fit learns first
    python -m bench.implicit.bits spectral      how fast bits are learned that alternate along the axis of the bit
    python -m bench.implicit.bits depth         steps to exactness against bits per sample, with and without decomposition
    python -m bench.implicit.bits loss          cross-entropy and squared error as the loss of bit-planes
    python -m bench.implicit.bits colour        the channel as a coordinate, and an output for each channel

They follow the claims of Han et al., "Towards Lossless Implicit Neural Representation via Bit Plane Decomposition" (CVPR 2025), with the
networks of profile `inr`, on crops small enough for a CPU. A fit counts steps of Adam until every bit is right for the first time. With
one thread, the same command writes the same steps. It needs matplotlib.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from inrcodec.fit.data import Targets
from inrcodec.fit.model import CoordinateNetwork, Plain
from inrcodec.options import Options
from inrcodec.values import Values, join_bits

from ..common import photo8, photo16, save, table, tell
from .figures import Curve, Panel, draw
from .watching import (
    Setup,
    Watched,
    first_below,
    fit,
    middle,
    planes_of,
    rank_correlation,
    threads,
    watched,
    with_machine,
)

FEW_WRONG = 0.1  # of a plane's bits
PERIODS = (16, 8, 4, 2, 1)  # planes until the bits along the axis of the bit change; 16: never
DEPTHS = (1, 2, 4, 8, 16)
AXES = 2  # of a picture


@dataclass(frozen=True)
class Study:
    """What a study gives: Markdown, and the panels of its plot."""

    title: str
    parts: list[str]
    panels: list[Panel]


def about(setup: Setup) -> str:
    """The setup in words."""
    return (
        f"Pictures of {setup.side} × {setup.side}; networks of {setup.layers} hidden layers of {setup.hidden} units; "
        f"Adam at {setup.rate:g} unless a row says otherwise, all places in each step; at most {setup.steps} steps on {setup.device}."
    )


def pictures(side: int) -> list[tuple[str, Values, int]]:
    """(name, values, bits) of the two photographs that most studies use."""
    return [("photograph, 8 bits", planes_of(photo8(side), 8), 8), ("photograph, 16 bits", planes_of(photo16(side), 16), 16)]


def curves_of_planes(found: Watched) -> list[Curve]:
    """Errors of each plane against steps."""
    n = found.errors.shape[1]
    return [Curve(f"plane {b + 1}", found.steps, found.errors[:, b].tolist(), b / max(n - 1, 1)) for b in range(n)]


# bit bias


def unordered(firsts: Sequence[int | None]) -> list[str]:
    """Where a plane is reached before the one above it: "3 → 4 (50 → 48)". firsts: by plane; None: never."""
    found = []
    for i, (upper, lower) in enumerate(pairwise(firsts)):
        if lower is not None and (upper is None or lower < upper):
            found.append(f"{i + 1} → {i + 2} ({'never' if upper is None else upper} → {lower})")
    return found


def order(found: Watched) -> tuple[list[int | None], list[int | None], float]:
    """(first step at which a plane is exact, first step with few errors, rank correlation of the latter and the plane's number)."""
    planes = range(found.errors.shape[1])
    exact, few = [found.first(b) for b in planes], [found.first(b, FEW_WRONG) for b in planes]
    late = found.steps[-1] + 1
    return exact, few, rank_correlation(list(planes), [late if x is None else x for x in few])


def bias(setup: Setup) -> Study:
    """Errors in each bit-plane against steps."""
    networks: list[tuple[str, dict[str, Any]]] = [
        ("siren (bit as a coordinate)", {"network": "siren"}),
        ("heads", {"network": "heads"}),
        ("values + grid", {"network": "values", "body": "grid", "hidden": 0, "layers": 0, "learning_rate": 0.0}),
    ]
    noise = np.random.default_rng(0).integers(0, 256, (setup.side, setup.side, 3), np.uint8)
    signals = [*pictures(setup.side), ("white noise, 8 bits", noise, 8)]
    eight = signals[0][1]
    reverse = join_bits((eight[..., None] >> np.arange(8) & 1).astype(np.uint8).reshape(setup.side**2, -1), 8).reshape(eight.shape)
    signals.append(("photograph, its 8 bits in reverse order", reverse, 8))
    parts, panels, orders = [about(setup)], [], []
    for title, values, bits in signals:
        rows: list[list[Any]] = []
        for name, given in networks:
            found = watched(values, bits, setup.options(**given))
            exact, few, rank = order(found)
            for what, steps in (("no wrong bit", exact), (f"at most {100 * FEW_WRONG:.0f} %", few)):
                rows.append([name, what, *("–" if s is None else s for s in steps)])
                if sum(s is not None for s in steps) > 1:
                    where = unordered(steps)
                    told = "rises from each plane to the next" if not where else "does not rise at " + ", ".join(where)
                    orders.append(f"- {title}, {name}, {what}: {told}.")
                    if what != "no wrong bit":
                        orders[-1] += f" Rank correlation with the number of the plane: {rank:.2f}."
            if None in exact:
                end = found.errors[-1]
                rows.append([name, "at the end, % wrong", *(f"{100 * e:.1f}" for e in end)])
                rank = rank_correlation(range(bits), end.tolist())
                orders.append(f"- {title}, {name}, errors at the end: rank correlation with the number of the plane {rank:.2f}.")
            tell(f"bias: {title}, {name}: {found.fitted.outcome.exact_step}")
            if title == signals[1][0]:
                panels.append(Panel(name, "steps", "share of wrong bits", curves_of_planes(found)))
        parts += [f"## {title}", table(["network", "first step with, or", *map(str, range(1, bits + 1))], rows)]
    note = (
        "Planes are numbered from the most significant bit. values + grid has its own size, learning rate and schedule, and only its means "
    )
    note += "are seen here: the cells that make it exact are set after the fit."
    return Study(
        "Bit bias: which bit-planes are right first",
        [*parts[:1], note, *parts[1:], "## The order", "\n".join(orders)],
        panels,
    )


# bit-spectral bias


def alternating(side: int, period: int | None, seed: int) -> tuple[Values, np.ndarray]:
    """A picture, (side, side, 1) uint16, whose bits change along the axis of the bit; and the period at each pixel, (side²,).

    Bit b of a pixel, b = 0 the most significant, is the sign of a square wave: ±(−1)^⌊b / period⌋, the sign ± being drawn for each pixel.
    So each plane by itself is white noise, whatever the period, and only the axis of the bit tells the pictures apart. period: None draws
    that of each pixel from PERIODS.
    """
    generator = np.random.default_rng(seed)
    sign = generator.integers(0, 2, side * side)
    drawn = np.array(PERIODS)[generator.integers(0, len(PERIODS), side * side)]
    each = drawn if period is None else np.full(side * side, period)
    planes = (sign[:, None] + np.arange(16) // each[:, None]) % 2
    return join_bits(planes.astype(np.uint8), 16).reshape(side, side, 1), each


def errors_by(each: np.ndarray) -> Callable[[CoordinateNetwork, Targets], list[float]]:
    """What gives the share of wrong bits among the pixels of each period. each: the period at each pixel."""
    groups = [torch.from_numpy(np.flatnonzero(each == p)) for p in PERIODS]

    def look(model: CoordinateNetwork, targets: Targets) -> list[float]:
        batch = targets.batch(None)
        with torch.no_grad():
            wrong = (model(batch.inputs, Plain(model, torch.Generator(targets.device)), []) > 0) != (batch.bits > 0)
        share = wrong.double().mean((1, 2)).cpu()
        return [float(share[g].mean()) for g in groups]

    return look


def spectral(setup: Setup) -> Study:
    """Errors by the frequency of the bits along the axis of the bit."""
    cycles = [0 if p == 16 else 8 // p for p in PERIODS]
    names = ["constant", *(f"{p} planes" for p in PERIODS[1:-1]), "each plane"]
    rows: list[list[Any]] = []
    panels, seeds = [], range(setup.seeds)
    for network in ("siren", "heads"):
        alone: list[list[int | None]] = [[] for _ in PERIODS]
        few: list[list[int | None]] = [[] for _ in PERIODS]
        exact: list[list[int | None]] = [[] for _ in PERIODS]
        for seed in seeds:
            for i, period in enumerate(PERIODS):
                values, _ = alternating(setup.side, period, seed)
                alone[i].append(fit(values, 16, setup.options(seed, network=network)).outcome.exact_step)
            values, each = alternating(setup.side, None, seed)
            found = watched(values, 16, setup.options(seed, network=network), look=errors_by(each))
            shares = np.array(found.looks)
            for i in range(len(PERIODS)):
                few[i].append(first_below(found.steps, shares[:, i], FEW_WRONG))
                exact[i].append(first_below(found.steps, shares[:, i]))
            if seed == 0:
                curves = [
                    Curve(f"{name} ({c} cycles)", found.steps, shares[:, i].tolist(), i / 4)
                    for i, (name, c) in enumerate(zip(names, cycles, strict=True))
                ]
                panels.append(Panel(f"{network}, all periods in one picture", "steps", "share of wrong bits", curves))
            tell(f"spectral: {network}, seed {seed}")
        for i, (name, c) in enumerate(zip(names, cycles, strict=True)):
            rows.append([network, name, c, middle(alone[i]), middle(few[i]), middle(exact[i])])
    what = (
        "Pictures of 16 planes of one channel. Bit b of a pixel is ±(−1)^⌊b / p⌋, its sign ± drawn for each pixel, and p the number of "
        "planes after which it changes. So each plane is white noise in space, whatever p, and pictures differ along the axis of the bit "
        "only: 0, 1, 2, 4 or 8 cycles over the 16 planes. Each p has a picture of its own (alone); then each pixel of one picture has a p "
        f"drawn from the five (together). Steps, median of {setup.seeds} seeds (least–most). `heads` has no axis of the bit, and is the "
        "control."
    )
    few_heads = f"together: at most {100 * FEW_WRONG:.0f} % wrong at"
    heads = ["network", "bits change every", "cycles", "alone: exact at", few_heads, "together: exact at"]
    return Study("Bit-spectral bias: bits that alternate along the axis of the bit", [about(setup), what, table(heads, rows)], panels)


# bits per sample


def bound(bits: int, axes: int) -> int:
    """U_d(n) / U_d(1) of Han et al., for n bits and d axes: U_d(n) = C·(2^(n+1) − 2)^(2d), an upper bound of the parameters."""
    return int((2**bits - 1) ** (2 * axes))


def reached(found: Sequence[Any]) -> str:
    """Steps to exactness of fits of some seeds; if none was exact, the mean share of wrong bits at their end. found: outcomes."""
    steps = [o.exact_step for o in found]
    if any(s is not None for s in steps):
        return middle(steps)
    wrong = float(np.mean([np.mean(o.bit_errors) for o in found]))
    return f"not in {found[0].steps}: {100 * wrong:.2g} % wrong"


def depth(setup: Setup) -> Study:
    """Steps to exactness against bits per sample, at the same size of the network."""
    source, seeds = photo16(setup.side), range(setup.seeds)
    whole: list[tuple[str, dict[str, Any], range]] = [
        ("values, squared error", {"network": "values", "body": "mlp", "loss": "mse"}, range(1)),
        ("values, likelihood", {"network": "values", "body": "mlp"}, range(1)),
        ("heads", {"network": "heads"}, seeds),
        ("siren", {"network": "siren"}, seeds),
    ]
    sixteen = planes_of(source, 16)
    alone = [fit((sixteen >> (15 - b) & 1).astype(np.uint8), 1, setup.options(network="heads")).outcome.exact_step for b in range(16)]
    tell(f"depth: planes alone {alone}")
    rows: list[list[Any]] = []
    found: dict[str, list[float]] = {name: [] for name, _, _ in whole}
    for n in DEPTHS:
        row: list[Any] = [n, f"{bound(n, AXES):.3g}"]
        for name, given, some in whole:
            outcomes = [fit(planes_of(source, n), n, setup.options(seed, **given)).outcome for seed in some]
            steps = [o.exact_step for o in outcomes if o.exact_step is not None]
            found[name].append(float(np.median(steps)) if steps else float(setup.steps))
            row.append(reached(outcomes))
            tell(f"depth: {n} bits, {name}: {row[-1]}")
        known = [s for s in alone[:n] if s is not None]
        rows.append([*row, 1, f"{np.median(known):.0f}, {max(known)}" + (f", {n - len(known)} not" if len(known) < n else "")])
    found["one network per plane, slowest"] = [float(max(s or setup.steps for s in alone[:n])) for n in DEPTHS]
    curves = [Curve(name, DEPTHS, y, i / 4, dashed=name.startswith("values"), marked=True) for i, (name, y) in enumerate(found.items())]
    limits = [
        Curve("n bits at once", DEPTHS, [float(bound(n, AXES)) for n in DEPTHS], 0.0, marked=True),
        Curve("planes, 1 bit each", DEPTHS, [1.0] * len(DEPTHS), 0.75, marked=True),
    ]
    panels = [
        Panel(f"measured; {setup.steps} steps: not reached", "bits per sample", "steps to exactness", curves, "xy", DEPTHS),
        Panel("bound of the parameters, U(n) / U(1)", "bits per sample", "relative to 1 bit", limits, "xy", DEPTHS),
    ]
    what = (
        "A photograph of 16 bits, of which the n most significant are kept. U(n) = C·(2^(n+1) − 2)^(2d) is the upper bound of Han et al. "
        f"for the parameters of an exact network, d = {AXES} being the axes of a picture; it stands here relative to that of one bit, so "
        "without C. A network of values gives all n bits at once. `heads` and `siren` give bit-planes, each of which has n = 1. In the "
        f"last column each plane has a network of its own, of the same size. Steps, median of {setup.seeds} seeds (least–most); one seed "
        "for values and planes alone."
    )
    heads = ["bits n", "U(n) / U(1)", *(name for name, _, _ in whole), "U of a plane / U(1)", "one network per plane: median, slowest"]
    return Study("Steps to exactness against bits per sample", [about(setup), what, table(heads, rows)], panels)


# losses, and colour


def several(values: Values, bits: int, options: Sequence[Options]) -> tuple[list[Any], int, Watched]:
    """Fits with these options: (their outcomes, the parameters, the first one as it was seen at each step)."""
    found = [fit(values, bits, o) for o in options]
    return [f.outcome for f in found], found[0].model.architecture.parameters, watched(values, bits, options[0])


def compared(setup: Setup, what: str, choices: dict[str, dict[str, Any]]) -> tuple[str, list[Panel]]:
    """A table and panels: both photographs, fitted by `heads` and `siren` with each of some choices. what: heads their column."""
    rows: list[list[Any]] = []
    panels = []
    for title, values, bits in pictures(setup.side):
        curves = []
        for i, network in enumerate(("heads", "siren")):
            for j, (choice, given) in enumerate(choices.items()):
                options = [setup.options(seed, network=network, **given) for seed in range(setup.seeds)]
                outcomes, parameters, seen = several(values, bits, options)
                seconds = middle([o.exact_seconds for o in outcomes], "{:.2f}")
                rows.append([title, network, choice, parameters, reached(outcomes), seconds])
                mean = np.maximum(seen.errors.mean(1), 0.1 / (values.size * bits))
                curves.append(Curve(f"{network}, {choice}", seen.steps, mean.tolist(), (i + j / len(choices)) / 2, dashed=j % 2 > 0))
                tell(f"{what}: {title}, {network}, {choice}: {rows[-1][-2]}")
        panels.append(Panel(title, "steps", "share of wrong bits", curves, "y"))
    heads = ["picture", "network", what, "parameters", "exact at step", "seconds"]
    return table(heads, rows), panels


def seeds_note(setup: Setup) -> str:
    """What the columns of `compared` are."""
    return f"Median of {setup.seeds} seeds (least–most). Seconds: until every bit was right for the first time, on the machine above."


def loss(setup: Setup) -> Study:
    """Cross-entropy and squared error as the loss of bit-planes."""
    rates = (setup.rate, setup.rate / 10)
    choices = {f"{name}, Adam at {rate:g}": {"loss": name, "learning_rate": rate} for rate in rates for name in ("bce", "mse")}
    rows, panels = compared(setup, "loss", choices)
    what = (
        "bce: the cross-entropy of the bits. mse: the squared error of their probabilities, which the logistic function makes of the same "
    )
    what += "outputs. " + seeds_note(setup)
    return Study("Cross-entropy and squared error as the loss of bit-planes", [about(setup), what, rows], panels)


def colour(setup: Setup) -> Study:
    """The channel as a coordinate, and an output for each channel."""
    rows, panels = compared(setup, "channels", {"outputs": {}, "coordinate": {"colour": True}})
    what = "outputs: one for each channel. coordinate: the index of the channel is one more input, and the network is evaluated for each "
    what += "channel. "
    return Study("The channel as a coordinate", [about(setup), what + seeds_note(setup), rows], panels)


STUDIES: dict[str, tuple[Callable[[Setup], Study], Setup]] = {
    "bias": (bias, Setup(rate=1e-4)),
    "spectral": (spectral, Setup(side=16)),
    "depth": (depth, Setup()),
    "loss": (loss, Setup(side=16)),
    "colour": (colour, Setup(side=16)),
}


def main() -> None:
    """Run the studies that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=[*STUDIES])
    for name in ("side", "hidden", "steps", "seeds"):
        parser.add_argument(f"--{name}", type=int, help="default: by the study")
    given = with_machine(parser).parse_args()
    call, setup = STUDIES[given.study]
    changed = {name: getattr(given, name) for name in ("side", "hidden", "steps", "seeds") if getattr(given, name)}
    with threads(given.threads):
        found = call(replace(setup, device=given.device, **changed))
    name = f"implicit-bits-{given.study}"
    plot = f"Plot: [docs/{name}.svg](../../docs/{name}.svg)."
    save(name, found.title, [*found.parts, plot], "scikit-learn", "matplotlib", module="bench.implicit.bits")
    draw(name, found.title, found.panels)


if __name__ == "__main__":
    main()
