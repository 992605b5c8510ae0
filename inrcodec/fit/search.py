"""Chooses a network of profile `inr`, fits it, and takes the weight coding with the smallest weights + payload."""

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

# seconds of the first fit for efforts 1 to 9; each weight coding that is tried adds FINE_TUNE times as many
EXACT_SECONDS = (20, 30, 45, 60, 120, 240, 600, 1800, 7200)
MDL_SECONDS = (3, 4, 5, 6, 12, 30, 90, 300, 1200)
EXACT_STEPS, MDL_STEPS = 20000, 4000
FINE_TUNE = 0.15
FINE_TUNE_RATE = 0.3  # learning rate of fine-tuning, relative to that of the fit
FULL_BATCH = {"cpu": 1 << 15, "cuda": 1 << 18}  # signals of more places are fitted in mini-batches
MINI_BATCH = {"cpu": 1 << 13, "cuda": 1 << 16}  # places


@dataclass(frozen=True)
class Result:
    """A fitted network under one weight coding.

    Attributes:
        coded: the integer network.
        label: of the weight coding, as "lsq 4".
        weights_bytes, payload_bytes, wrong: see `export.finish`.
        steps: of fine-tuning.
    """

    coded: CodedNetwork
    label: str
    weights_bytes: int
    payload_bytes: int
    wrong: int
    steps: int

    @property
    def total(self) -> int:
        """Bytes of weights and payload."""
        return self.weights_bytes + self.payload_bytes


@dataclass(frozen=True)
class Fitted:
    """A float network after training.

    Attributes:
        model, targets: the network, and what it was fitted to.
        outcome: what the training achieved.
        rate: learning rate.
        seconds: the budget, not the time it took.
    """

    model: BitPlaneNetwork
    outcome: Outcome
    targets: Targets
    rate: float
    seconds: float


def device_of(options: Options) -> torch.device:
    """The device to fit on. Raises InrcodecError if options ask for CUDA and torch finds none."""
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InrcodecError("device cuda: no CUDA device is available to torch here; use --device cpu or auto")
    return torch.device("cuda" if options.device != "cpu" and torch.cuda.is_available() else "cpu")


def architecture_of(values: Values, bits: int, options: Options, until: str) -> Architecture:
    """The shape of a network for values, (axes…, channels), below 2^bits. until: "exact" or "mdl".

    An exact fit gets about 4 parameters per bit of the signal, the shortest description one for 60 bits.
    """
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
    """(frequency of the first sine layer, the lowest frequency if its units are to be spread, else 0). values: (axes…, channels).

    An exact fit must tell neighbouring places apart, so omega grows with the longest axis. A network for the shortest description has few
    units for coarse and fine shapes, so their frequencies are spread.
    """
    longest = max(values.shape[:-1])
    if options.omega:
        return options.omega, 0.0
    if until == "exact":
        return max(30.0, min(1.0 * longest, 30000.0)), 0.0
    return max(30.0, min(longest / 4, 30000.0)), 5.0


def rate_of(a: Architecture, options: Options) -> float:
    """Adam's learning rate. Wide networks need small steps."""
    if options.learning_rate:
        return options.learning_rate
    if a.bit_coordinate:
        return 1e-4
    return 2e-3 if a.activation == "gelu" else min(1e-2, 0.15 / a.hidden)


def batch_of(data: Targets, options: Options) -> int:
    """Places per step: all places of a small signal, else a mini-batch."""
    device = data.bits.device.type
    return options.batch or (data.places if data.places <= FULL_BATCH[device] else MINI_BATCH[device])


def least_bytes(a: Architecture, weights: str) -> float:
    """Bytes that the weights of a network take at least in the codings that `weights` asks for."""
    return a.parameters * min(coding.least_bits for coding in wanted(weights)) / 8


def fit_float(values: Values, bits: int, options: Options, until: str, seconds: float, to_beat: float = math.inf) -> Fitted:
    """Train a float network, with ternary weights if it is "bitlinear".

    values: (axes…, channels), below 2^bits; until: "exact" or "mdl"; seconds: the budget; to_beat: a file size in bytes; training ends
    when the file will probably be larger.

    Raises:
        InrcodecError: the device is not there, the network is too large, or options.stop said so before the first step.
    """
    device = device_of(options)
    generator = torch.Generator().manual_seed(options.seed)
    a = architecture_of(values, bits, options, until)
    if a.parameters > MAX_PARAMETERS:
        raise InrcodecError(
            f"a network of {a.parameters} parameters is too large: at most {MAX_PARAMETERS} can be written; take fewer hidden units"
        )
    omega, lowest = omega_of(values, options, until)
    model = BitPlaneNetwork(a, omega, generator, lowest).to(device)
    # an exact fit needs fewer steps with plain bit-planes; a short description is 4 to 20 % shorter with Gray code
    data = targets(values, bits, device, gray=until == "mdl")
    source = Ternary(model) if options.network == "bitlinear" else model.plain
    steps = options.steps or (EXACT_STEPS if until == "exact" else MDL_STEPS)
    budget = Budget(
        steps, seconds, until == "exact", plateau=until == "mdl", bits_to_beat=8 * (to_beat - least_bytes(a, options.weights or "auto"))
    )
    rate = rate_of(a, options)
    groups: list[dict[str, object]] = [{"params": list(model.parameters()), "lr": rate}]
    schedule = Schedule(data, budget, batch_of(data, options), generator)
    outcome = train(model, source, groups, schedule, Watch(options.progress, options.stop))
    if outcome.stopped and outcome.steps == 0:
        raise InrcodecError("stopped before the fit had begun; nothing was written")
    return Fitted(model, outcome, data, rate, seconds)


def candidates(model: BitPlaneNetwork, options: Options, weights: str) -> Iterator[tuple[str, Callable[[BitPlaneNetwork], Coding]]]:
    """The weight codings to try, each as (label, what makes the coding of a model). weights: a name, or "auto" for all.

    Most codings are tried at several settings.
    """
    for coding in wanted(weights):
        yield from coding.makers(model, coding.settings(weights == "auto", options.bits), options.seed)


def code_all(fitted: Fitted, options: Options, weights: str, until: str) -> list[Result]:
    """Fine-tune and measure a fitted network under every weight coding that `weights` asks for.

    weights: a name, or "auto"; until: "exact" or "mdl". If options.stop says so, the results so far are returned, at least one.
    Raises InrcodecError if the fit diverged.
    """
    results: list[Result] = []
    outcome = fitted.outcome
    own_coding = fitted.model.architecture.per_plane and weights in (Ternary.name, "auto")
    for label, make in candidates(fitted.model, options, weights):
        stopped = bool(options.stop and options.stop())
        if stopped and results:
            break
        # fine-tuning changes the network, so each coding gets a copy
        model = copy.deepcopy(fitted.model)
        coding = make(model).to(model.weights[0].device)
        best = _measure(model, coding, label, fitted.targets, 0)
        already = own_coding and label == Ternary.name
        exact_enough = until == "exact" and best is not None and best.wrong == 0
        if not (stopped or already or exact_enough):
            steps = max(20, int(outcome.steps * FINE_TUNE))
            # a share of the seconds given, not of those used: else the result would depend on the clock even if steps end the fit
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
    until = options.until or "exact"
    seconds = options.seconds or (EXACT_SECONDS if until == "exact" else MDL_SECONDS)[options.effort - 1]
    weights = options.weights or ("uniform" if until == "exact" else "auto")
    with limited_threads(options.workers):
        fitted = fit_float(values, bits, options, until, seconds)
        return min(code_all(fitted, options, weights, until), key=lambda r: r.total).coded


def fit_if_smaller(values: Values, bits: int, options: Options, size: int) -> CodedNetwork | None:
    """As `fit_network`, but for the shortest description by default, and None if weights + payload will not be below `size` bytes.

    The fit ends early if it will probably not come below `size`.
    """
    until = options.until or "mdl"
    seconds = options.seconds or MDL_SECONDS[options.effort - 1]
    with limited_threads(options.workers):
        fitted = fit_float(values, bits, options, until, seconds, to_beat=size)
        least = fitted.outcome.code_bits / 8 + least_bytes(fitted.model.architecture, options.weights or "auto")
        if fitted.outcome.hopeless or least > size:
            return None
        best = min(code_all(fitted, options, options.weights or "auto", until), key=lambda r: r.total)
    return best.coded if best.total < size else None
