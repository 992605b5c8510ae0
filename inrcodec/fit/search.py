"""Choosing and fitting a network, then the weight coding with the smallest weights + payload."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from ..errors import InrcodecError
from ..kernels.inr import Architecture, BoundError
from ..options import Options
from ..values import Values
from ..weights.network import MAX_PARAMETERS, CodedNetwork
from .codings import Coding, Ternary, wanted
from .data import Targets, targets
from .export import export, finish
from .model import BitPlaneNetwork
from .train import Budget, Outcome, Schedule, Watch, train

# seconds of the first fit by effort; each weight coding that is tried adds FINE_TUNE of it
EXACT_SECONDS = (20, 30, 45, 60, 120, 240, 600, 1800, 7200)
MDL_SECONDS = (3, 4, 5, 6, 12, 30, 90, 300, 1200)
EXACT_STEPS, MDL_STEPS = 20000, 4000
FINE_TUNE = 0.15
FINE_TUNE_RATE = 0.3  # of the learning rate of the fit
FULL_BATCH = {"cpu": 1 << 15, "cuda": 1 << 18}  # places; more go in mini-batches
MINI_BATCH = {"cpu": 1 << 13, "cuda": 1 << 16}
LEAST_BITS = 2.0  # per parameter, that a network will take at least


@dataclass(frozen=True)
class Result:
    """One weight coding of a fitted network. Sizes in bytes; wrong: bits that the integer network gets wrong."""

    coded: CodedNetwork
    label: str
    weights_bytes: int
    payload_bytes: int
    wrong: int
    steps: int

    @property
    def total(self) -> int:
        return self.weights_bytes + self.payload_bytes


@dataclass(frozen=True)
class Fitted:
    """A float network after training, with what it took and the seconds it was given."""

    model: BitPlaneNetwork
    outcome: Outcome
    targets: Targets
    rate: float
    seconds: float


def device_of(options: Options) -> torch.device:
    """The device to fit on. Raises InrcodecError if CUDA is asked for and not there."""
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InrcodecError("device cuda: no CUDA device is available to torch here; use --device cpu or auto")
    return torch.device("cuda" if options.device != "cpu" and torch.cuda.is_available() else "cpu")


def architecture_of(values: Values, bits: int, options: Options, until: str) -> Architecture:
    """The network for a signal: an exact fit wants about 4 parameters per bit, the shortest description far fewer."""
    axes, channels = len(values.shape) - 1, values.shape[-1]
    total = values.size * bits
    layers = options.layers or 3
    if options.hidden:
        hidden = options.hidden
    elif until == "exact":
        hidden = 64 * math.ceil(math.sqrt(4 * total / max(1, layers - 1)) / 64)
        hidden = min(max(hidden, 64), 2048)
        if options.network == "bitlinear":
            hidden = max(64, 32 * math.ceil(hidden / math.sqrt(bits) / 32))
    else:
        hidden = min(max(8 * round(math.sqrt(total / 60 / max(1, layers - 1)) / 8), 8), 512)
    longest = max(values.shape[:-1])
    if options.network == "bitlinear":
        octaves = min(max(math.ceil(math.log2(max(longest, 2))), 1), 20)
        return Architecture(axes, channels, bits, hidden, layers, "gelu", octaves, per_plane=True)
    return Architecture(axes, channels, bits, hidden, layers, "sine", bit_coordinate=options.network == "siren")


def omega_of(values: Values, options: Options, until: str) -> tuple[float, float]:
    """(frequency of the first sine layer, lowest frequency to spread it from or 0).

    An exact fit has to tell neighbouring places apart: omega grows with the longest axis. A small network has few units
    for everything from the coarsest to the finest shapes: they are spread.
    """
    longest = max(values.shape[:-1])
    if options.omega:
        return options.omega, 0.0
    if until == "exact":
        return max(30.0, min(1.0 * longest, 30000.0)), 0.0
    return max(30.0, min(longest / 4, 30000.0)), 5.0


def rate_of(a: Architecture, options: Options) -> float:
    """Adam's learning rate: wide networks want small steps."""
    if options.learning_rate:
        return options.learning_rate
    if a.bit_coordinate:
        return 1e-4
    return 2e-3 if a.activation == "gelu" else min(1e-2, 0.15 / a.hidden)


def batch_of(data: Targets, options: Options) -> int:
    """Places per step: all of them where they fit."""
    device = data.bits.device.type
    return options.batch or (data.places if data.places <= FULL_BATCH[device] else MINI_BATCH[device])


def least_bytes(a: Architecture) -> float:
    """What the weights of a network will take at least."""
    return a.parameters * LEAST_BITS / 8


def fit_float(values: Values, bits: int, options: Options, until: str, seconds: float, to_beat: float = math.inf) -> Fitted:
    """Train a float network (with ternary weights in the loop for "bitlinear")."""
    device = device_of(options)
    generator = torch.Generator().manual_seed(options.seed)
    a = architecture_of(values, bits, options, until)
    if a.parameters > MAX_PARAMETERS:
        raise InrcodecError(
            f"a network of {a.parameters} parameters is too large: at most {MAX_PARAMETERS} can be written; take fewer hidden units"
        )
    omega, lowest = omega_of(values, options, until)
    model = BitPlaneNetwork(a, omega, generator, lowest).to(device)
    # an exact fit memorizes plain planes in fewer steps; a short description gains 4 to 20 % with Gray code
    data = targets(values, bits, device, gray=until == "mdl")
    source = Ternary(model) if options.network == "bitlinear" else model.plain
    steps = options.steps or (EXACT_STEPS if until == "exact" else MDL_STEPS)
    budget = Budget(steps, seconds, until == "exact", plateau=until == "mdl", bits_to_beat=8 * (to_beat - least_bytes(a)))
    rate = rate_of(a, options)
    groups: list[dict[str, object]] = [{"params": list(model.parameters()), "lr": rate}]
    schedule = Schedule(data, budget, batch_of(data, options), generator)
    outcome = train(model, source, groups, schedule, Watch(options.progress, options.stop))
    if outcome.stopped and outcome.steps == 0:
        raise InrcodecError("stopped before the fit had begun; nothing was written")
    return Fitted(model, outcome, data, rate, seconds)


def candidates(model: BitPlaneNetwork, options: Options, weights: str) -> Iterator[tuple[str, Callable[[BitPlaneNetwork], Coding]]]:
    """(label, maker of the coding) of all that `weights` asks for; "auto" asks for every coding at several settings."""
    for coding in wanted(weights):
        yield from coding.makers(model, coding.settings(weights == "auto", options.bits), options.seed)


def code_all(fitted: Fitted, options: Options, weights: str, until: str) -> list[Result]:
    """Fine-tune and measure every candidate coding of a fitted network. Interrupted, it keeps what it has so far."""
    results: list[Result] = []
    outcome = fitted.outcome
    own_coding = fitted.model.architecture.per_plane and weights in ("ternary", "auto")
    for label, make in candidates(fitted.model, options, weights):
        stopped = bool(options.stop and options.stop())
        if stopped and results:
            break
        # a pursuit holds tensors of its own; the network is copied so that candidates do not build on each other
        model = copy.deepcopy(fitted.model)
        coding = make(model).to(model.weights[0].device)
        best = _measure(model, coding, label, fitted.targets, 0)
        already = own_coding and label == "ternary"
        exact_enough = until == "exact" and best is not None and best.wrong == 0
        if not (stopped or already or exact_enough):
            steps = max(20, int(outcome.steps * FINE_TUNE))
            # a share of the time that was given, not of the time it took: a clock must not pace what steps are to end
            budget = Budget(steps, max(1.0, fitted.seconds * FINE_TUNE), until_exact=False)
            generator = torch.Generator().manual_seed(options.seed)
            schedule = Schedule(fitted.targets, budget, batch_of(fitted.targets, options), generator)
            watch = Watch(options.progress, options.stop, label, best.weights_bytes if best else 0)
            tuned = train(model, coding, coding.groups(FINE_TUNE_RATE * fitted.rate), schedule, watch)
            after = _measure(model, coding, label, fitted.targets, tuned.steps)
            best = min((r for r in (best, after) if r), key=lambda r: r.total, default=None)
        if best is not None:
            results.append(best)
    if not results:
        raise InrcodecError("the fit diverged: its weights are too large for exact evaluation; try a smaller learning rate or omega")
    return results


def _measure(model: BitPlaneNetwork, coding: Coding, label: str, data: Targets, steps: int) -> Result | None:
    try:
        coded, weights_bytes, payload_bytes, wrong = finish(export(model, coding), data)
    except BoundError:
        return None
    return Result(coded, label, weights_bytes, payload_bytes, wrong, steps)


@contextmanager
def limited_threads(n: int) -> Iterator[None]:
    """Let torch use n threads, and leave the caller's setting as it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def fit_network(values: Values, bits: int, options: Options) -> CodedNetwork:
    """Fit a network to values of shape (axes…, channels), below 2^bits ≥ 2, as the options say.

    Raises:
        InrcodecError: no such device, or the fit diverged.
    """
    until = options.until or "exact"
    seconds = options.seconds or (EXACT_SECONDS if until == "exact" else MDL_SECONDS)[options.effort - 1]
    weights = options.weights or ("uniform" if until == "exact" else "auto")
    with limited_threads(options.workers):
        fitted = fit_float(values, bits, options, until, seconds)
        return min(code_all(fitted, options, weights, until), key=lambda r: r.total).coded


def fit_if_smaller(values: Values, bits: int, options: Options, size: int) -> CodedNetwork | None:
    """The same with the shortest description as the aim; None as soon as it is clear that `size` bytes won't be beaten."""
    until = options.until or "mdl"
    seconds = options.seconds or MDL_SECONDS[options.effort - 1]
    with limited_threads(options.workers):
        fitted = fit_float(values, bits, options, until, seconds, to_beat=size)
        least = fitted.outcome.code_bits / 8 + least_bytes(fitted.model.architecture)
        if fitted.outcome.hopeless or least > size:
            return None
        best = min(code_all(fitted, options, options.weights or "auto", until), key=lambda r: r.total)
    return best.coded if best.total < size else None
