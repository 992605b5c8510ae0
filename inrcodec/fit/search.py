"""Fits a network of profile `inr`, and takes the weight coding that serves the goal best: least weights + payload, a rate, a PSNR."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from ..errors import FitError, InrcodecError, Stopped
from ..kernels.architecture import Architecture
from ..kernels.inr import BoundError
from ..options import Goal, Options
from ..values import Values
from ..weights.network import CodedNetwork
from .choices import (
    architecture_of,
    batch_of,
    batch_size,
    goal_for,
    near_of,
    omega_of,
    rate_of,
    seconds_of,
    squared_of,
    steps_of,
    trains_exactly,
    usual_goal,
    weights_of,
)
from .codings import Coding, Lsq, Ternary, wanted
from .data import Targets, targets
from .export import Measured, export, finish, settle
from .model import CoordinateNetwork, Plain
from .objective import ValueHead, cell_bits, objective_of
from .train import Budget, Outcome, Schedule, Steering, Watch, train

# budget of fine-tuning, relative to that of the fit; the long one with cells, for a supernet, and near a surface
FINE_TUNE, FINE_TUNE_LONG = 0.15, 0.4
FINE_TUNE_EXACT = 1.0  # budget of fine-tuning until every bit is right, if one coding is tried
FINE_TUNE_RATE, FINE_TUNE_RATE_CELLS = 0.3, 1.0  # learning rate of fine-tuning, relative to that of the fit
FINE_TUNE_RATE_EXACT = 1.0  # of fine-tuning until every bit is right
WEIGHT_BITS = 8  # of a weight in networks of a given rate or PSNR, unless options say otherwise
TERNARY_BITS = 2  # that a ternary weight takes at most
SIZES_TRIED = 4  # networks that are fitted at most until one has a given rate or PSNR
WORTH_THREADS = 1 << 19  # numbers of the widest layer in a step from which on several threads are faster
SECTION_BYTES, LAYER_BYTES = 24, 6  # of section NETW beside its numbers, about, and of the scale of a layer or level
SMALL_FIRST = 2.0  # see `train.balance`: by this, networks in a network come about 0.4 dB nearer to their own fits
TUNED_AGAIN = 2  # times at most that cells are tuned again to meet a rate or PSNR
AIMED_RATE, MISSED_RATE = 0.99, 0.025  # share of a rate that is aimed at, and that may be left over
AIMED_PSNR, MISSED_PSNR = 0.1, 0.5  # dB above a PSNR that are aimed at, and that may be left over
PROBE = 0.1  # of the budget: a fit that only tells the bits per weight
LEAST_SLOPE, USUAL_SLOPE, LARGEST_SLOPE = 1.0, 4.0, 10.0  # dB that twice the units gain
FIRST_UNITS = 24  # of the first network that is tried for a PSNR
NOMINAL = {"ternary": 1.7, "sinr": 4.0}  # bits of a weight in the file, about
LEAST_COST = 0.5
FARTHEST = 1.5  # octaves of units from one network to the next


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
        steering: what made its cells meet a rate or PSNR, as the training left it.
    """

    model: CoordinateNetwork
    outcome: Outcome
    targets: Targets
    rate: float
    seconds: float
    goal: Goal
    options: Options
    steering: Steering | None = None

    def schedule(self, budget: Budget, model: CoordinateNetwork, generator: torch.Generator, small_first: float = 0.0) -> Schedule:
        """How to train a network with the head of `model`. small_first: see `Schedule`."""
        a = model.architecture
        objective = objective_of(self.targets, model.head, squared_of(a.form, self.options, self.goal))
        batch, near = batch_of(self.targets, self.options), near_of(a, self.goal)
        return Schedule(objective, budget, batch, generator, self.steering, small_first=small_first, near=near)


def steering_of(a: Architecture, places: int, options: Options, goal: Goal) -> Steering | None:
    """What makes the cells of a grid meet a rate or PSNR; None if there are none, or another goal. places: of the signal."""
    if not a.levels or goal.kind not in ("rate", "psnr"):
        return None
    weights = a.weights * weights_of(a, options, goal)[1] + 8 * (SECTION_BYTES + LAYER_BYTES * (len(a.matrices) + len(a.levels)))
    return Steering(goal.kind, max(goal.value * places - weights, 1.0) if goal.kind == "rate" else goal.value)


def device_of(options: Options) -> torch.device:
    """The device to fit on. Raises InrcodecError if options ask for CUDA and torch finds none."""
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InrcodecError("device cuda: no CUDA device is available to torch here; use --device cpu or auto")
    return torch.device("cuda" if options.device != "cpu" and torch.cuda.is_available() else "cpu")


def least_bytes(a: Architecture, weights: str) -> float:
    """Bytes that the weights of a network take at least in the codings that `weights` asks for. Cells may take nearly none."""
    return a.weights * min(coding.least_bits for coding in wanted(weights)) / 8


def fit_float(values: Values, bits: int, options: Options, goal: Goal, to_beat: float = math.inf, peak: float = 0.0) -> Fitted:
    """Train a float network, with ternary weights if it is "bitlinear".

    values: (axes…, channels), below 2^bits; to_beat: a file size in bytes; training ends when the file will probably be larger;
    peak: see `data.targets`.

    Raises:
        InrcodecError: the device is not there, or the network is too large.
        Stopped: options.stop said so before the first step.
    """
    device = device_of(options)
    generator = torch.Generator().manual_seed(options.seed)
    a = architecture_of(values, bits, options, goal)
    omega, lowest = omega_of(a, options, goal)
    model = CoordinateNetwork(a, omega, generator, lowest).to(device)
    # an exact fit needs fewer steps with plain bit-planes; a short description is 4 to 20 % shorter with Gray code
    data = targets(values, bits, device, gray=goal.kind == "mdl" and a.form != "values" and a.bit_places <= bits, peak=peak)
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
    fitted = Fitted(model, Outcome(), data, rate, seconds, goal, options, steering_of(a, data.places, options, goal))
    source = Ternary(model) if ternary else Plain(model, torch.Generator(device).manual_seed(options.seed))
    groups = Coding.groups(Ternary(model), rate)
    schedule = fitted.schedule(budget, model, generator, SMALL_FIRST)
    if isinstance(source, Ternary) and exactly:  # its weights are those of the file already
        schedule = replace(schedule, confirm=partial(_is_exact, model, source, fitted))
    outcome = train(model, source, groups, schedule, Watch(options.progress, options.stop))
    if outcome.stopped and outcome.steps == 0:
        raise Stopped
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


def code_all(fitted: Fitted, weights: str, bits: int = 0, tune: bool = True) -> list[Result]:
    """Fine-tune and measure a fitted network under every weight coding that `weights`, a name or "auto", asks for.

    tune: whether to fine-tune. If options.stop says so, the results so far are returned, at least one. Raises InrcodecError if the fit
    diverged.
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
        if tune and not (stopped or already or exact_enough):
            best = _fine_tuned(fitted, model, coding, label, best, exactly and weights != "auto")
        if best is not None:
            results.append(best)
    if not results:
        raise FitError("the fit diverged: its weights are too large for exact evaluation; try a smaller learning rate or omega")
    return results


def _tune(model: CoordinateNetwork, coding: Coding, label: str, fitted: Fitted, long: bool, before: Result | None, again: bool) -> Outcome:
    """Fine-tune a network under a coding. long: whether it may take as long as the fit was given; again: half of the usual time.

    An exact fit ends when every bit of the integer network is right. before: what the network was worth.
    """
    options, a = fitted.options, model.architecture
    gridded, exactly = bool(a.levels), trains_exactly(a, fitted.goal)
    share = FINE_TUNE_EXACT if long else FINE_TUNE_LONG if gridded or a.widths or near_of(a, fitted.goal) else FINE_TUNE
    share = share / 2 if again else share
    given = steps_of(model.architecture, options, fitted.goal) if long else fitted.outcome.steps
    # a share of the seconds given, not of those used: else the result would depend on the clock even if steps end the fit
    budget = Budget(max(20, int(given * share)), max(1.0, fitted.seconds * share), exactly)
    schedule = fitted.schedule(budget, model, torch.Generator().manual_seed(options.seed))
    if exactly:
        schedule = replace(schedule, confirm=partial(_is_exact, model, coding, fitted))
    direct = any(level.direct for level in model.architecture.levels)  # its cells hold what is told as payload here
    watch = Watch(options.progress, options.stop, label, before.measured.weights_bytes if before and not direct else 0)
    rate = fitted.rate * (FINE_TUNE_RATE_CELLS if gridded else FINE_TUNE_RATE_EXACT if exactly else FINE_TUNE_RATE)
    return train(model, coding, coding.groups(rate), schedule, watch)


def _is_exact(model: CoordinateNetwork, coding: Coding, fitted: Fitted) -> bool:
    """Whether the integer network has every bit right."""
    found = _measure(model, coding, "", fitted, 0)
    return found is not None and found.measured.wrong == 0


def _fine_tuned(fitted: Fitted, model: CoordinateNetwork, coding: Coding, label: str, bare: Result | None, long: bool) -> Result | None:
    """The best result of a network, fine-tuned under a coding. bare: without that; long: see `_tune`.

    Cells that have to meet a rate or PSNR are tuned again, for a shorter time, if they miss it: what they cost and give is known then.
    """
    a = model.architecture
    best, last, aimed = bare, bare, replace(fitted, steering=copy.copy(fitted.steering))
    for again in range(TUNED_AGAIN + 1 if fitted.steering else 1):
        if aimed.steering and last:
            _aim(aimed.steering, last, model, fitted, again > 0)
        tuned = _tune(model, coding, label, aimed, long, best, again > 0)
        last = _measure(model, coding, label, fitted, tuned.steps)
        if a.widths:  # what is measured is the largest network, and the others gain more by fine-tuning
            best = last or best
        else:
            best = min((r for r in (best, last) if r), key=lambda r: _worth(r, fitted), default=None)
        if last is None or tuned.stopped or not aimed.steering or aimed.steering.helpless or _meets(last, fitted):
            break
    return best


def _aim(steering: Steering, last: Result, model: CoordinateNetwork, fitted: Fitted, tuned: bool) -> None:
    """Set what a steering wants, by what was measured. last: of `model`; tuned: whether it was fine-tuned: else its PSNR says
    nothing."""
    goal, m = fitted.goal, last.measured
    if goal.kind == "rate":
        cells = cell_bits(model)
        right = max(goal.value * fitted.targets.places * AIMED_RATE - (8 * m.weights_bytes - cells), 1.0)
        missed = steering.wanted / max(cells, 1.0) if tuned else 1.0  # the next run will probably miss its target by the same factor
        steering.wanted = right * min(max(missed, 0.5), 2.0)
        steering.jump(min(max(math.log2(max(cells, 1.0) / right), -2.0), 2.0))
    elif tuned:
        steering.wanted += goal.value + AIMED_PSNR - m.psnr


def _meets(result: Result, fitted: Fitted) -> bool:
    """Whether a result has its rate, or its PSNR, and not much less, or more."""
    m, goal = result.measured, fitted.goal
    if goal.kind == "rate":
        return 1 - MISSED_RATE <= 8 * m.weights_bytes / fitted.targets.places / goal.value <= 1
    return 0 <= m.psnr - goal.value <= MISSED_PSNR


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
    if goal.kind == "iou":
        return max(0.0, goal.value - m.iou), m.weights_bytes
    exactly = trains_exactly(m.coded.network.architecture, goal)
    return float(exactly and m.wrong > 0), result.total


def best_of(fitted: Fitted, weights: str, bits: int) -> Result:
    """The weight coding, of those that `weights` asks for, that serves the goal best."""
    return min(code_all(fitted, weights, bits), key=lambda r: _worth(r, fitted))


def threads_of(values: Values, bits: int, options: Options, goal: Goal) -> int:
    """Threads for torch: with little to do in a step, several would mostly wait for each other."""
    a = architecture_of(values, bits, options, goal)
    numbers = batch_size(values.size // a.channels, "cpu", options) * max(a.inputs, a.hidden, a.outputs)
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


def fit_network(values: Values, bits: int, options: Options, peak: float = 0.0) -> CodedNetwork:
    """Fit a network of profile `inr` to values, (axes…, channels), below 2^bits, bits at least 1. peak: see `data.targets`.

    Raises:
        InrcodecError: the device is not there, the network is too large, or the fit diverged.
        Stopped: options.stop said so before the first step.
    """
    goal = goal_for(options, usual_goal(values, bits))
    with limited_threads(threads_of(values, bits, options, goal)):
        if goal.kind in ("rate", "psnr"):
            return _fit_size(values, bits, options, goal, peak)
        fitted = fit_float(values, bits, options, goal, peak=peak)
        return best_of(fitted, *weights_of(fitted.model.architecture, options, goal)).coded


def _fit_size(values: Values, bits: int, options: Options, goal: Goal, peak: float) -> CodedNetwork:
    """Fit networks of several sizes until one has the rate or the PSNR of the goal: see `Options.until`."""
    free_bits = not options.bits and options.weights in (None, "uniform", "lsq") and options.network != "bitlinear"
    weights = options.weights or ("ternary" if options.network == "bitlinear" else "uniform")
    options = replace(options, weights=weights, bits=options.bits or (TERNARY_BITS if weights == "ternary" else WEIGHT_BITS))
    if options.hidden or architecture_of(values, bits, options, goal).levels:
        fitted = fit_float(values, bits, options, goal, peak=peak)
        return best_of(fitted, *weights_of(fitted.model.architecture, options, goal)).coded
    results: list[tuple[tuple[float, float], Result]] = []
    tried: dict[tuple[int, int], float] = {}  # (hidden units, bits per weight): PSNR
    costs = _probed(values, bits, options, goal, weights) if goal.kind == "rate" else 0.0
    sizes = Sizes(values, bits, options, goal, free_bits)
    size: tuple[int, int] | None = sizes.largest(costs) if goal.kind == "rate" else (FIRST_UNITS, options.bits)
    for _ in range(SIZES_TRIED):
        if size is None or size in tried:
            break
        fitted = fit_float(values, bits, replace(options, hidden=size[0], bits=size[1]), goal, peak=peak)
        result = best_of(fitted, weights, size[1])
        results.append((_worth(result, fitted), result))
        tried[size] = result.measured.psnr
        if _meets(result, fitted) or (options.stop and options.stop()):
            break
        if goal.kind == "rate":
            costs = 8 * result.measured.weights_bytes / fitted.model.architecture.weights - size[1]
            size = sizes.largest(costs)
        else:
            size = (next_units({units: psnr for (units, _), psnr in tried.items()}, goal.value + AIMED_PSNR), options.bits)
    return min(results, key=lambda r: r[0])[1].coded


def _probed(values: Values, bits: int, options: Options, goal: Goal, weights: str) -> float:
    """What a weight costs in the file beside the bits that `options.bits` say, in bits; mostly negative. By a short fit."""
    sizes = Sizes(values, bits, options, goal, False)
    size = sizes.largest(NOMINAL.get(weights, options.bits) - options.bits)
    options = replace(options, hidden=size[0])
    a = architecture_of(values, bits, options, goal)
    steps, seconds = max(1, int(PROBE * steps_of(a, options, goal))), PROBE * seconds_of(a, options, goal)
    fitted = fit_float(values, bits, replace(options, steps=steps, seconds=seconds if math.isfinite(seconds) else 0.0), goal)
    result = min(code_all(fitted, weights, options.bits, tune=False), key=lambda r: r.measured.weights_bytes)
    return 8 * result.measured.weights_bytes / a.weights - options.bits


@dataclass(frozen=True)
class Sizes:
    """The sizes of networks of a given rate. free_bits: whether a bit less per weight may be taken."""

    values: Values
    bits: int
    options: Options
    goal: Goal
    free_bits: bool

    def weights(self, hidden: int) -> int:
        """Weights and biases of a network of so many units."""
        return architecture_of(self.values, self.bits, replace(self.options, hidden=hidden), self.goal).weights

    def largest(self, costs: float) -> tuple[int, int]:
        """(hidden units, bits per weight) of the network that comes nearest to the rate from below.

        costs: what a weight costs in the file beside the bits per weight, in bits. Raises InrcodecError if no network is so small.
        """
        allowed = self.goal.value * (self.values.size // self.values.shape[-1])
        found: list[tuple[float, int, int]] = []
        for bits in (self.options.bits, self.options.bits - 1)[: 1 + self.free_bits]:
            each = max(bits + costs, LEAST_COST)
            low, high = 1, 512  # the bits that a network takes rise with its units
            while low < high:
                middle = (low + high + 1) // 2
                low, high = (middle, high) if self.weights(middle) * each <= allowed else (low, middle - 1)
            if low > 1:
                found.append((self.weights(low) * each, low, bits))
        if not found:
            least = self.weights(2) * max(self.options.bits + costs, LEAST_COST)
            raise FitError(f"until rate={self.goal.value:g}: too low for a network of this signal; its smallest has {least:.0f} bits")
        _, hidden, bits = max(found)
        return hidden, bits


def next_units(tried: Mapping[int, float], wanted: float) -> int:
    """Hidden units of the next network to try for a PSNR of `wanted` dB. tried: units → PSNR in dB, at least one."""
    points = sorted((math.log2(units), psnr) for units, psnr in tried.items())
    below, above = [p for p in points if p[1] < wanted], [p for p in points if p[1] >= wanted]
    near = below[-1:] + above[:1] if below and above else (below[-2:] or above[:2])
    slope = USUAL_SLOPE
    if len(near) == 2:
        slope = (near[1][1] - near[0][1]) / max(near[1][0] - near[0][0], 1e-9)
    slope = min(max(slope, LEAST_SLOPE), LARGEST_SLOPE)
    x, psnr = min(near, key=lambda p: abs(p[1] - wanted))
    return max(2, min(512, round(2 ** (x + min(max((wanted - psnr) / slope, -FARTHEST), FARTHEST)))))


def fit_if_smaller(values: Values, bits: int, options: Options, size: int, peak: float = 0.0) -> CodedNetwork | None:
    """As `fit_network`, but for the shortest description by default, and None if weights + payload will not be below `size` bytes.

    The fit ends early if it will probably not come below `size`.
    """
    goal = goal_for(options, "mdl")
    if goal.kind in ("rate", "psnr", "iou"):
        return fit_network(values, bits, options, peak)
    with limited_threads(threads_of(values, bits, options, goal)):
        fitted = fit_float(values, bits, options, goal, to_beat=size, peak=peak)
        weights, weight_bits = weights_of(fitted.model.architecture, options, goal)
        least = fitted.outcome.code_bits / 8 + least_bytes(fitted.model.architecture, weights)
        if fitted.outcome.hopeless or least > size:
            return None
        best = best_of(fitted, weights, weight_bits)
    return best.coded if best.total < size else None
