"""Fits a network to one picture from a prior, of which the file will hold the difference.

Strümpler et al., "Implicit Neural Representations for Image Compression" (ECCV 2022): a few steps with learned rates, then Adam, with an L1
penalty on the difference; then the same with the difference rounded to n bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from ..kernels.architecture import Architecture
from ..kernels.inr import LARGEST_BIAS, Layer
from ..kernels.tables import TURN_BITS
from ..options import Options
from ..values import Values
from ..weights import adapted, prior
from ..weights.adapted import BIAS_UNIT, MAX_STEP, Adapted, Difference
from ..weights.network import CodedNetwork
from ..weights.prior import Prior
from .choices import OTHER_SECONDS, OTHER_STEPS, batch_of
from .codings.base import Bits, Grid, as_integers, round_through
from .data import Targets, targets
from .export import scale_of
from .frame import ORDER, FloatLayer, Frame, PriorHead, float_layers, frame_of
from .learned import Learned, adapted_weights
from .model import HIDDEN_OMEGA, CoordinateNetwork, Plain
from .objective import ValueObjective
from .train import Budget, Schedule, Watch, train

BITS = 7  # of a difference, unless options say otherwise
RATE = 2e-3  # Adam's learning rate
PENALTY = 1.2e-5  # nats that a difference of the mean size of its layer costs, for each place of the picture
BIAS_STEP = 64  # of a difference of biases, in units of 2^-16 turns
FIRST_PLACES = 1 << 13  # of a step with learned rates
TUNE, TUNE_RATE = 0.25, 0.1  # budget and learning rate with rounded differences, relative to that without


def float_network(architecture: Architecture, layers: Sequence[FloatLayer], frame: Frame) -> CoordinateNetwork:
    """The float network of a prior of whole pictures, with the signal's shape and head."""
    model = CoordinateNetwork(architecture, HIDDEN_OMEGA, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for i, layer in enumerate(layers):
            model.weights[i].copy_(torch.from_numpy(layer.weights).float()[None])
            model.biases[i].copy_(torch.from_numpy(layer.bias).float()[None])
    model.head = PriorHead(frame)
    return model


def take_first_steps(model: CoordinateNetwork, found: Prior, data: Targets, frame: Frame, generator: torch.Generator) -> None:
    """Change a float network by the steps whose rates were learned with the prior."""
    learned = Learned(model.architecture.hidden, model.architecture.layers, generator)
    order = list(ORDER)  # outputs in the order of coding ↔ channels; it is its own inverse
    flat = [*(w.detach()[0] for w in model.weights), *(b.detach()[0] for b in model.biases)]
    last = len(model.weights) - 1
    shapes = [p.shape for p in flat]
    rates = torch.split(torch.from_numpy(found.rates), [math.prod(s) for s in shapes], dim=1)
    with torch.no_grad():
        for i, (p, rate) in enumerate(zip(flat, rates, strict=True)):
            own = learned.weights[i] if i <= last else learned.biases[i - last - 1]
            is_last = i % (last + 1) == last
            own.copy_(p[order] if is_last else p)
            log = torch.log(rate).reshape(len(rate), *p.shape)
            learned.log_rates[i].copy_(log[:, order] if is_last else log)
    steps = []
    for _ in range(len(found.rates)):
        index = torch.randint(0, data.places, (min(FIRST_PLACES, data.places),), generator=generator).to(data.device)
        batch = data.batch(index)
        steps.append((batch.inputs[None].cpu(), frame.shares(batch.values)[None].cpu()))
    weights, biases = adapted_weights(learned, steps, second_order=False)
    with torch.no_grad():
        for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
            model.weights[i].copy_(w[:, order] if i == last else w)
            model.biases[i].copy_(b[:, order] if i == last else b)


class Rounded(Bits):
    """The weights of a prior plus a difference of n bits, whose step is a whole number of the prior's units.

    first: the float weights of the prior; units: what 1 of its integer weights stands for, of each layer.
    """

    name = "uniform"

    def __init__(self, model: CoordinateNetwork, first: list[torch.Tensor], units: list[float], bits: int) -> None:
        super().__init__(model, bits)
        self.first, self.units = first, units
        self.steps = [self._step(i) for i in range(len(first))]

    def difference(self, layer: int) -> torch.Tensor:
        """The float difference of a layer, (1, outputs, inputs)."""
        return self.weights(layer) - self.first[layer]

    def _step(self, layer: int) -> int:
        """The step of a layer in the prior's units."""
        most = float(self.difference(layer).detach().abs().max())
        wanted: int = math.ceil(most / self.largest / self.units[layer])
        return min(max(wanted, 1), MAX_STEP)

    def _levels(self, layer: int) -> torch.Tensor:
        return (self.difference(layer) / (self.units[layer] * self.steps[layer])).clamp(-self.largest, self.largest)

    def coded(self, layer: int) -> torch.Tensor:
        return self.first[layer] + round_through(self._levels(layer)) * (self.units[layer] * self.steps[layer])

    def coded_grid(self, layer: int) -> Grid:
        return Grid(as_integers(self._levels(layer)), self.units[layer] * self.steps[layer])


def penalty_of(model: CoordinateNetwork, first: list[torch.Tensor], places: int) -> Callable[[], torch.Tensor]:
    """The L1 penalty on the difference, in nats: a difference of the mean size in its layer costs PENALTY·places."""

    def penalty() -> torch.Tensor:
        total = torch.zeros((), device=first[0].device)
        for w, start in zip(model.weights, first, strict=True):
            size = (w - start).abs()
            total = total + PENALTY * places * size.sum() / size.detach().mean().clamp_min(1e-6)
        return total

    return penalty


def fit_difference(values: Values, bits: int, options: Options, peak: float, silence: float) -> Adapted:
    """Fit a network from the prior "meta". values: (height, width, 3), below 2^bits; peak, silence: see `profiles.Subject`.

    Raises BoundError if the fit diverged; InrcodecError if the device is not there.
    """
    from .search import device_of

    key, found = prior.named("meta")
    device, frame = device_of(options), frame_of(bits, peak, silence)
    a = replace(found.network.architecture, sizes=values.shape[:-1], bits=bits)
    generator = torch.Generator().manual_seed(options.seed)
    layers = float_layers(found, [HIDDEN_OMEGA] * a.layers)
    model = float_network(a, layers, frame)
    first = [w.detach().clone().to(device) for w in model.weights]
    data = targets(values, bits, device, peak=peak)
    take_first_steps(model, found, data, frame, generator)
    model.to(device)
    objective = ValueObjective(data, True, model.head)  # type: ignore[arg-type]
    seconds = options.seconds or (math.inf if options.steps else OTHER_SECONDS[options.effort - 1])
    steps = options.steps or OTHER_STEPS
    rate = options.learning_rate or RATE
    plan = Schedule(
        objective, Budget(steps, seconds, False), batch_of(data, options), generator, penalty=penalty_of(model, first, data.places)
    )
    groups = [{"params": [*model.weights, *model.biases, model.head.log_scales], "lr": rate}]
    train(model, Plain(model, generator), groups, plan, Watch(options.progress, options.stop))
    coding = Rounded(model, first, [layer.unit for layer in layers], options.bits or BITS)
    groups[0]["lr"] = TUNE_RATE * rate
    budget = Budget(max(20, int(steps * TUNE)), max(1.0, seconds * TUNE), False)
    train(model, coding, groups, replace(plan, budget=budget), Watch(options.progress, options.stop, f"uniform {coding.setting}"))
    return _integer(key, found, model, coding, frame)


def _integer(key: bytes, found: Prior, model: CoordinateNetwork, coding: Rounded, frame: Frame) -> Adapted:
    """The integer network."""
    a, own, head = model.architecture, found.network.layers[0], model.head
    assert isinstance(head, PriorHead)
    grids = [coding.grid(i).integers[0] for i in range(len(own))]
    biases = []
    for i, layer in enumerate(own[:-1]):
        wanted = model.biases[i].detach().double().cpu().numpy()[0] * (HIDDEN_OMEGA / (2 * math.pi) * 2.0**TURN_BITS)
        half = 1 << (TURN_BITS - 1)
        turned = (np.rint(wanted).astype(np.int64) - layer.bias + half) % (2 * half) - half
        biases.append(np.rint(turned / BIAS_STEP).astype(np.int64))
    content = Difference(grids, biases, [*coding.steps, *[BIAS_STEP] * (len(own) - 1)])
    last = last_layer(own[-1], model.biases[-1].detach().double().cpu().numpy()[0], head, frame)
    coded = CodedNetwork(found.network, "uniform", coding.setting, np.zeros(0, np.uint8), head.joint())
    return adapted.of(key, coded, content, last, a.sizes, a.bits)


def last_layer(own: Layer, bias: np.ndarray, head: PriorHead, frame: Frame) -> Layer:
    """The last layer of a file's network, but for its weights. own: the prior's; bias: of the float network, (3,)."""
    scaled = (bias * head.units[0].double().cpu().numpy() + head.offsets.double().cpu().numpy() / head.peak) * 2.0**24
    limit = (LARGEST_BIAS >> BIAS_UNIT) - 1
    peak = 1 << 45  # of a sum: what the largest weights can give
    multiplier, shift = scale_of(own.multiplier * 2.0**-own.shift * frame.gain, peak)
    return Layer(np.zeros((0, 0), np.int64), np.rint(scaled).astype(np.int64).clip(-limit, limit) << BIAS_UNIT, multiplier, shift)
