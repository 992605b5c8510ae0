"""Fits a network of profile `inr`, and takes the weight coding that serves the goal best: least weights + payload, a rate, a PSNR."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from ..errors import InrcodecError
from ..kernels.architecture import Architecture
from ..kernels.inr import BoundError
from ..options import Goal, Options
from ..values import Values
from ..weights.network import CodedNetwork
from .choices import (
    FULL_BATCH,
    architecture_of,
    batch_of,
    goal_for,
    omega_of,
    rate_of,
    seconds_of,
    squared_of,
    steps_of,
    trains_exactly,
    weights_of,
)
from .codings import Coding, Lsq, Ternary, wanted
from .data import Targets, targets
from .export import Measured, export, finish, settle
from .model import CoordinateNetwork, Plain
from .objective import ValueHead, objective_of
from .train import Budget, Outcome, Schedule, Steering, Watch, train

FINE_TUNE, FINE_TUNE_LONG = 0.15, 0.4  # budget of fine-tuning, relative to that of the fit; the long one with cells and for a supernet
FINE_TUNE_EXACT = 1.0  # budget of fine-tuning until every bit is right, if one coding is tried
FINE_TUNE_RATE, FINE_TUNE_RATE_CELLS = 0.3, 1.0  # learning rate of fine-tuning, relative to that of the fit
FINE_TUNE_RATE_EXACT = 1.0  # of fine-tuning until every bit is right
WEIGHT_BITS = 8  # of a weight in networks of a given rate or PSNR, unless options say otherwise
TERNARY_BITS = 2  # that a ternary weight takes at most
SIZES_TRIED = 4  # networks that are fitted at most until one has a given rate or PSNR
WORTH_THREADS = 1 << 19  # numbers of the widest layer in a step from which on several threads are faster
SECTION_BYTES, LAYER_BYTES = 24, 6  # of section NETW beside its numbers, about, and of the scale of a layer or level
SMALL_FIRST = 2.0  # see `train.balance`: by this, networks in a network come 0.5 dB nearer to their own fits
GROWTH = 1.4  # of hidden units from one to the next


@dataclass(frozen=True)
class Result:
    """A fitted network under one weight coding. measured: see `export.finish`; label: of the coding, as "lsq 4"; steps: of fine-tuning."""

    measured: Measured
    label: str
    steps: int

    @property
    def coded(self) -> CodedNetwork:
        """The integer network."""
        return self.measured.coded

    @property
    def total(self) -> int:
        """Bytes of weights and payload."""
        return self.measured.weights_bytes + self.measured.payload_bytes


@dataclass(frozen=True)
class Fitted:
    """A float network after training.

    Attributes:
        model, targets: the network, and what it was fitted to.
        outcome: what the training achieved.
        rate: learning rate.
        seconds: the budget, not the time it took.
        goal, options: what it was fitted for.
    """

    model: CoordinateNetwork
    outcome: Outcome
    targets: Targets
    rate: float
    seconds: float
    goal: Goal
    options: Options

    def schedule(self, budget: Budget, model: CoordinateNetwork, generator: torch.Generator, small_first: float = 0.0) -> Schedule:
        """How to train a network with the head of `model`. small_first: see `Schedule`."""
        a = model.architecture
        objective = objective_of(self.targets, model.head, squared_of(a.form, self.options, self.goal))
        return Schedule(objective, budget, batch_of(self.targets, self.options), generator, self.steering(), small_first=small_first)

    def steering(self) -> Steering | None:
        """What makes the cells of a grid meet a rate or PSNR; None if there are none, or another goal."""
        a = self.model.architecture
        if not a.levels or self.goal.kind not in ("rate", "psnr"):
            return None
        weights = a.weights * weights_of(a, self.options, self.goal)[1] + 8 * (
            SECTION_BYTES + LAYER_BYTES * (len(a.matrices) + len(a.levels))
        )
        cell_bits = max(self.goal.value * self.targets.places - weights, 1.0)
        return Steering(self.goal.kind, cell_bits if self.goal.kind == "rate" else self.goal.value)


def device_of(options: Options) -> torch.device:
    """The device to fit on. Raises InrcodecError if options ask for CUDA and torch finds none."""
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InrcodecError("device cuda: no CUDA device is available to torch here; use --device cpu or auto")
    return torch.device("cuda" if options.device != "cpu" and torch.cuda.is_available() else "cpu")


def least_bytes(a: Architecture, weights: str) -> float:
    """Bytes that the weights of a network take at least in the codings that `weights` asks for. Cells may take nearly none."""
    return a.weights * min(coding.least_bits for coding in wanted(weights)) / 8


def fit_float(values: Values, bits: int, options: Options, goal: Goal, to_beat: float = math.inf) -> Fitted:
    """Train a float network, with ternary weights if it is "bitlinear".

    values: (axes…, channels), below 2^bits; to_beat: a file size in bytes; training ends when the file will probably be larger.

    Raises:
        InrcodecError: the device is not there, the network is too large, or options.stop said so before the first step.
    """
    device = device_of(options)
    generator = torch.Generator().manual_seed(options.seed)
    a = architecture_of(values, bits, options, goal)
    omega, lowest = omega_of(a, options, goal)
    model = CoordinateNetwork(a, omega, generator, lowest).to(device)
    # an exact fit needs fewer steps with plain bit-planes; a short description is 4 to 20 % shorter with Gray code
    data = targets(values, bits, device, gray=goal.kind == "mdl" and a.form != "values" and a.bit_places <= bits)
    if a.form == "values":
        model.head = ValueHead(data, a.scales, a.colour).to(device)
    weights, _ = weights_of(a, options, goal)
    bits_to_beat = 8 * (to_beat - least_bytes(a, weights))
    seconds, exactly = seconds_of(a, options, goal), trains_exactly(a, goal)
    ternary = a.form == "bitlinear"
    budget = Budget(
        steps_of(a, options, goal),
        seconds,
        exactly,
        falling=not exactly or ternary,
        plateau=not exactly and goal.kind in ("exact", "mdl") and not a.widths,  # of a supernet, only the largest network is looked at
        bits_to_beat=bits_to_beat,
    )
    rate = rate_of(a, options)
    fitted = Fitted(model, Outcome(), data, rate, seconds, goal, options)
    source = Ternary(model) if ternary else Plain(model, torch.Generator(device).manual_seed(options.seed))
    groups = Coding.groups(Ternary(model), rate)
    schedule = fitted.schedule(budget, model, generator, SMALL_FIRST)
    if isinstance(source, Ternary) and exactly:  # its weights are those of the file already
        schedule = replace(schedule, confirm=partial(_is_exact, model, source, fitted))
    outcome = train(model, source, groups, schedule, Watch(options.progress, options.stop))
    if outcome.stopped and outcome.steps == 0:
        raise InrcodecError("stopped before the fit had begun; nothing was written")
    return replace(fitted, outcome=outcome)


def candidates(
    model: CoordinateNetwork, options: Options, weights: str, bits: int
) -> Iterator[tuple[str, Callable[[CoordinateNetwork], Coding]]]:
    """The weight codings to try, each as (label, what makes the coding of a model). weights: a name, or "auto" for all; bits: or 0.

    Most codings are tried at several settings.
    """
    for coding in wanted(weights):
        for label, make in coding.makers(model, coding.settings(weights == "auto", bits), options.seed):
            scaled: dict[str, Any] = {"gradient_scale": True} if coding is Lsq and options.lsq_gradient_scale else {}
            yield label, partial(make, **scaled)


def code_all(fitted: Fitted, weights: str, bits: int = 0) -> list[Result]:
    """Fine-tune and measure a fitted network under every weight coding that `weights`, a name or "auto", asks for.

    If options.stop says so, the results so far are returned, at least one. Raises InrcodecError if the fit diverged.
    """
    results: list[Result] = []
    options, a = fitted.options, fitted.model.architecture
    own_coding = a.form == "bitlinear" and weights in (Ternary.name, "auto")
    exactly = trains_exactly(a, fitted.goal)
    for label, make in candidates(fitted.model, options, weights, bits):
        stopped = bool(options.stop and options.stop())
        if stopped and results:
            break
        # fine-tuning changes the network, so each coding gets a copy
        model = copy.deepcopy(fitted.model)
        coding = make(model).to(model.weights[0].device)
        best = _measure(model, coding, label, fitted, 0)
        already = own_coding and label == Ternary.name
        exact_enough = exactly and best is not None and best.measured.wrong == 0
        if not (stopped or already or exact_enough):
            steps = _tune(model, coding, label, fitted, exactly and weights != "auto", best)
            after = _measure(model, coding, label, fitted, steps)
            if a.widths:  # what is measured is the largest network, and the others gain more by fine-tuning
                best = after or best
            else:
                best = min((r for r in (best, after) if r), key=lambda r: _worth(r, fitted), default=None)
        if best is not None:
            results.append(best)
    if not results:
        raise InrcodecError("the fit diverged: its weights are too large for exact evaluation; try a smaller learning rate or omega")
    return results


def _tune(model: CoordinateNetwork, coding: Coding, label: str, fitted: Fitted, long: bool, before: Result | None) -> int:
    """Fine-tune a network under a coding, and return the steps taken. long: whether it may take as long as the fit was given.

    An exact fit ends when every bit of the integer network is right. before: what the network was worth.
    """
    options, gridded = fitted.options, bool(model.architecture.levels)
    exactly = trains_exactly(model.architecture, fitted.goal)
    share = FINE_TUNE_EXACT if long else FINE_TUNE_LONG if gridded or model.architecture.widths else FINE_TUNE
    given = steps_of(model.architecture, options, fitted.goal) if long else fitted.outcome.steps
    # a share of the seconds given, not of those used: else the result would depend on the clock even if steps end the fit
    budget = Budget(max(20, int(given * share)), max(1.0, fitted.seconds * share), exactly)
    schedule = fitted.schedule(budget, model, torch.Generator().manual_seed(options.seed))
    if exactly:
        schedule = replace(schedule, confirm=partial(_is_exact, model, coding, fitted))
    watch = Watch(options.progress, options.stop, label, before.measured.weights_bytes if before else 0)
    rate = fitted.rate * (FINE_TUNE_RATE_CELLS if gridded else FINE_TUNE_RATE_EXACT if exactly else FINE_TUNE_RATE)
    return train(model, coding, coding.groups(rate), schedule, watch).steps


def _is_exact(model: CoordinateNetwork, coding: Coding, fitted: Fitted) -> bool:
    """Whether the integer network has every bit right."""
    found = _measure(model, coding, "", fitted, 0)
    return found is not None and found.measured.wrong == 0


def _measure(model: CoordinateNetwork, coding: Coding, label: str, fitted: Fitted, steps: int) -> Result | None:
    a = model.architecture
    try:
        coded = export(model, coding)
        if any(level.direct for level in a.levels):
            coded = settle(coded, fitted.targets)
        return Result(finish(coded, fitted.targets), label, steps)
    except BoundError:
        return None


def _worth(result: Result, fitted: Fitted) -> tuple[float, float]:
    """How far a result is from its goal, then what else should be small: the smallest is the best."""
    m, goal, places = result.measured, fitted.goal, fitted.targets.places
    if goal.kind == "rate":
        return max(0.0, 8 * m.weights_bytes / places - goal.value), -m.psnr
    if goal.kind == "psnr":
        return max(0.0, goal.value - m.psnr), m.weights_bytes
    exactly = trains_exactly(m.coded.network.architecture, goal)
    return float(exactly and m.wrong > 0), result.total


def best_of(fitted: Fitted, weights: str, bits: int) -> Result:
    """The weight coding, of those that `weights` asks for, that serves the goal best."""
    return min(code_all(fitted, weights, bits), key=lambda r: _worth(r, fitted))


def threads_of(values: Values, bits: int, options: Options, goal: Goal) -> int:
    """Threads for torch: with little to do in a step, several would mostly wait for each other."""
    a = architecture_of(values, bits, options, goal)
    numbers = min(options.batch or FULL_BATCH["cpu"], values.size // a.channels) * max(a.inputs, a.hidden, a.outputs)
    return options.workers if numbers >= WORTH_THREADS else 1


@contextmanager
def limited_threads(n: int) -> Iterator[None]:
    """Let torch use n threads inside the `with` block."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def fit_network(values: Values, bits: int, options: Options) -> CodedNetwork:
    """Fit a network of profile `inr` to values, (axes…, channels), below 2^bits, bits at least 1.

    Raises:
        InrcodecError: the device is not there, the network is too large, the fit diverged, or it was stopped before its first step.
    """
    goal = goal_for(options, "exact")
    with limited_threads(threads_of(values, bits, options, goal)):
        if goal.kind in ("rate", "psnr"):
            return _fit_size(values, bits, options, goal)
        fitted = fit_float(values, bits, options, goal)
        return best_of(fitted, *weights_of(fitted.model.architecture, options, goal)).coded


def _fit_size(values: Values, bits: int, options: Options, goal: Goal) -> CodedNetwork:
    """Fit networks of several sizes until one has the rate or the PSNR of the goal: see `Options.until`."""
    weights = options.weights or ("ternary" if options.network == "bitlinear" else "uniform")
    options = replace(options, weights=weights, bits=options.bits or (TERNARY_BITS if weights == "ternary" else WEIGHT_BITS))
    results: list[tuple[tuple[float, float], Result]] = []
    fixed = bool(options.hidden or options.supernet)
    for _ in range(SIZES_TRIED):
        if not fixed and not options.hidden:
            options = replace(options, hidden=_first_size(values, bits, options, goal))
        fitted = fit_float(values, bits, options, goal)
        result = best_of(fitted, *weights_of(fitted.model.architecture, options, goal))
        worth = _worth(result, fitted)
        results.append((worth, result))
        if worth[0] == 0 or fixed or fitted.model.architecture.levels or (options.stop and options.stop()):
            break
        hidden = fitted.model.architecture.hidden
        options = replace(options, hidden=max(2, hidden - 2) if goal.kind == "rate" else math.ceil(hidden * GROWTH))
    return min(results, key=lambda r: r[0])[1].coded


def _first_size(values: Values, bits: int, options: Options, goal: Goal) -> int:
    """Hidden units to begin with: as many as a rate allows, or few."""
    if goal.kind == "psnr":
        return 0 if architecture_of(values, bits, options, goal).levels else 24
    allowed = goal.value * (values.size // values.shape[-1]) / options.bits
    for hidden in range(256, 2, -1):
        a = architecture_of(values, bits, replace(options, hidden=hidden), goal)
        if a.levels:
            return 0
        if a.weights <= allowed:
            return hidden
    raise InrcodecError(
        f"until rate={goal.value:g}: too low for a network of this signal; its smallest has {a.weights * options.bits} bits"
    )


def fit_if_smaller(values: Values, bits: int, options: Options, size: int) -> CodedNetwork | None:
    """As `fit_network`, but for the shortest description by default, and None if weights + payload will not be below `size` bytes.

    The fit ends early if it will probably not come below `size`.
    """
    goal = goal_for(options, "mdl")
    if goal.kind in ("rate", "psnr"):
        return fit_network(values, bits, options)
    with limited_threads(threads_of(values, bits, options, goal)):
        fitted = fit_float(values, bits, options, goal, to_beat=size)
        weights, weight_bits = weights_of(fitted.model.architecture, options, goal)
        least = fitted.outcome.code_bits / 8 + least_bytes(fitted.model.architecture, weights)
        if fitted.outcome.hopeless or least > size:
            return None
        best = best_of(fitted, weights, weight_bits)
    return best.coded if best.total < size else None
