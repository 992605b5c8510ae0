"""The training loop of profile `inr`: Adam on an objective, in full batches or mini-batches."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch

from ..kernels.architecture import Architecture
from ..options import Progress
from .data import Batch, Targets
from .model import CoordinateNetwork, WeightSource
from .objective import Objective, cell_bits, cell_nats, psnr

REPORT_SECONDS = 0.2  # least time between two reports
AFTER_EXACT = 1 / 8  # when every bit is right, this share of the steps so far is added, so that most bits stay right when weights are coded
WARM_UP = 0.02  # of the budget: the learning rate rises in this time, where it also falls
PLATEAU = 1e-3  # training has reached a plateau if the code length fell by less than this share
PLATEAU_WINDOW = 1 / 6  # over the last part of the budget of this size
STEERED = 60.0  # by how much the logarithm of the weight of cells can move over a budget
FARTHEST = 12.0  # of that logarithm from 0
PROMPT = 2.0  # by how much it moves at once for all that is wanted
MEASURED_PLACES = 1 << 17  # by which a network is measured that is trained near a surface more than elsewhere
LEAST_STEERED, MOST_STEERED = 0.02, 0.06  # and in a step: cells need some steps to follow


@dataclass(frozen=True)
class Budget:
    """When a training run ends.

    Attributes:
        steps, seconds: at the latest.
        until_exact: whether it ends soon after every bit is right.
        falling: whether the learning rate falls over the budget like half a cosine.
        plateau: whether it ends when the code length has stopped falling.
        bits_to_beat: the run ends when the code length will probably not come below this.
    """

    steps: int
    seconds: float
    until_exact: bool
    falling: bool = True
    plateau: bool = False
    bits_to_beat: float = math.inf


@dataclass(frozen=True)
class Schedule:
    """What is minimized, how long, and in which order.

    Attributes:
        budget: when it ends.
        batch: places per step; generator: of the order.
        steering: what the cells have to meet.
        confirm: whether the integer network has every bit right too; asked when the float network has. With it, a run until exact ends at
            the first step for which it is true: its weights are those that will be written.
        small_first: how much more small networks in a network count at first, see `balance`.
        penalty: nats that the network costs now, beside its cells; differentiable.
        near: share of a batch that is drawn from the places near a surface; 0: all places are as likely.
    """

    objective: Objective
    budget: Budget
    batch: int
    generator: torch.Generator
    steering: Steering | None = None
    confirm: Callable[[], bool] | None = None
    small_first: float = 0.0
    penalty: Callable[[], torch.Tensor] | None = None
    near: float = 0.0


def balance(a: Architecture, small_first: float, fraction: float) -> list[float]:
    """What the loss of each network in a network counts for, in the order of `Architecture.configurations`.

    At first they count for 1 / size^small_first, where the size is layers × units: the small ones find what suits them, and the larger ones
    build on that. The power falls as `fraction`, the share of the budget that is used, rises; at the end all count the same.
    """
    sizes = [layers * hidden for layers, hidden in a.configurations]
    return [(sizes[0] / size) ** (small_first * (1 - fraction)) for size in sizes]


class Steering:
    """Weighs the code length of cells against the error, so that they meet a rate or a PSNR.

    kind: "rate" or "psnr"; wanted: bits of all cells, or dB. The next run can go on with it, with another target.
    """

    def __init__(self, kind: str, wanted: float) -> None:
        self.kind, self.wanted, self.log_weight, self.off = kind, wanted, 0.0, 0.0

    @property
    def weight(self) -> float:
        """What the code length of cells counts for."""
        return math.exp(self.log_weight + PROMPT * self.off)

    def jump(self, octaves: float) -> None:
        """Move the weight by so many factors of 2, within FARTHEST."""
        self.log_weight, self.off = min(max(self.log_weight + octaves * math.log(2), -FARTHEST), FARTHEST), 0.0

    @property
    def helpless(self) -> bool:
        """Whether the weight can go no farther: the network cannot meet what is wanted."""
        return abs(self.log_weight) >= FARTHEST

    def learn(self, cell_bits: float, psnr: float, moved: float = 0.0) -> None:
        """Move the weight. cell_bits: of all cells now; psnr: of the network now, in dB; moved: share of the budget that the step took."""
        off = cell_bits / self.wanted - 1 if self.kind == "rate" else (psnr - self.wanted) / 3
        self.off = min(max(off, -1.0), 1.0)  # is felt at once, so that the weight does not swing
        most = min(max(STEERED * moved, LEAST_STEERED), MOST_STEERED)
        self.log_weight = min(max(self.log_weight + most * self.off, -FARTHEST), FARTHEST)


@dataclass(frozen=True)
class Watch:
    """The caller's functions for a run.

    Attributes:
        report, stop: see `Options.progress` and `Options.stop`.
        stage, weights_bytes: fields of each report, see `Progress`.
    """

    report: Callable[[Progress], None] | None = None
    stop: Callable[[], bool] | None = None
    stage: str = "fit"
    weights_bytes: int = 0


@dataclass
class Outcome:
    """What a run achieved.

    Attributes:
        steps, seconds: how long it ran.
        exact_step, exact_seconds: when every bit was right for the first time; None: never.
        code_bits: the code length of the bits under the weights that were kept.
        bit_errors, psnr: see `Progress`; under the weights that were kept.
        exact: whether every bit is right under the weights that were kept (only with until_exact).
        stopped: whether the caller ended it.
        hopeless: whether it ended because of `Budget.bits_to_beat`.
        history: (share of the budget used, code length in bits) after each pass through the data.
    """

    steps: int = 0
    seconds: float = 0.0
    exact_step: int | None = None
    exact_seconds: float | None = None
    code_bits: float = math.inf
    bit_errors: tuple[float, ...] = ()
    psnr: float = 0.0
    exact: bool = False
    stopped: bool = False
    hopeless: bool = False
    history: list[tuple[float, float]] = field(default_factory=list)


class Meter:
    """Code length and errors over one pass through the data. Errors are computed only when asked for.

    If places near a surface are drawn more often than others, the two are strata: what they say counts by how many there are of each, so
    that sums over fewer places than there are still have no bias.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.places = 0
        self.nats = 0.0
        self.cells = 0.0  # nats of the cells at the last batch
        self.sampled = False  # whether the batches have strata
        # the outputs of each batch, what they should have said, and how often each of its places counts
        self.read: list[tuple[torch.Tensor, Batch, float]] = []

    def add(self, outputs: torch.Tensor, batch: Batch, nats: float | None, cells: float) -> None:
        """Add a batch. outputs: see `CoordinateNetwork.forward`; nats: code length of the batch, None: not known; cells: of all cells."""
        t = self.objective.targets
        strata = [(slice(None), 1.0)]
        if batch.near:
            self.sampled, each = True, batch.places / t.places
            rest = max(batch.places - batch.near, 1)
            strata = [(slice(batch.near), each * len(t.near) / batch.near), (slice(batch.near, None), each * len(t.far) / rest)]
        for places, weight in strata:
            part = batch.part(places)
            if nats is None or batch.near:
                self.nats += weight * float(self.objective.nats(outputs[places], part))
            self.read.append((self.objective.kept(outputs[places]), part, weight))
        self.nats += nats if nats is not None and not batch.near else 0.0
        self.places += batch.places
        self.cells = cells

    @property
    def full(self) -> bool:
        """Whether the batches have as many places as the data, or as many as a sample needs."""
        places = self.objective.targets.places
        return self.places >= (min(places, MEASURED_PLACES) if self.sampled else places)

    @property
    def code_bits(self) -> float:
        """The code length of all values and of the cells, in bits; projected if the pass is not over."""
        return (self.nats * self.objective.targets.places / max(self.places, 1) + self.cells) / math.log(2)

    @property
    def payload_bits(self) -> float:
        """`code_bits` without the cells."""
        return self.code_bits - self.cells / math.log(2)

    @property
    def exact(self) -> bool:
        """Whether the pass is over and every likeliest bit was right."""
        return self.full and not self.sampled and all(bool(self.objective.right(x, batch).all()) for x, batch, _ in self.read)

    @property
    def bit_errors(self) -> tuple[float, ...]:
        """Share of wrong bits in each bit-plane over all channels, the most significant first."""
        wrong = sum((~self.objective.right(outputs, batch)).sum((0, 1)) * weight for outputs, batch, weight in self.read)
        return tuple((torch.as_tensor(wrong).double() / (max(self.places, 1) * self.objective.targets.channels)).tolist())

    @property
    def psnr(self) -> float:
        """PSNR of the values that the network alone gives, in dB; infinite if all are right."""
        square = 0.0
        for outputs, batch, weight in self.read:
            square += weight * float((self.objective.predicted(outputs) - batch.values).double().square().sum())
        return psnr(square / max(self.places * self.objective.targets.channels, 1), self.objective.targets.peak)


def batches(targets: Targets, size: int, generator: torch.Generator, near: float = 0.0) -> Iterator[tuple[torch.Tensor | None, int]]:
    """Endless batches: the places of each, (n,) int64, and how many of them, the first, are near a surface. None stands for all places.

    Every pass through the data has a new random order. near: share that is drawn from the places near a surface; 0: from all.
    """
    while size >= targets.places:
        yield None, 0
    if near and len(targets.near) and len(targets.far):
        count = min(max(round(size * near), 1), size - 1)
        both = (_drawn(part, n, generator) for part, n in ((targets.near, count), (targets.far, size - count)))
        for first, others in zip(*both, strict=False):
            yield torch.cat([first, others]).to(targets.device), count
    while True:
        order = torch.randperm(targets.places, generator=generator).to(targets.device)
        for start in range(0, targets.places, size):
            yield order[start : start + size], 0


def _drawn(places: torch.Tensor, size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Endless draws of so many of these places: one order after the other, and what is left of one before the next."""
    left = places[:0]
    while True:
        while len(left) < size:
            left = torch.cat([left, places[torch.randperm(len(places), generator=generator)]])
        yield left[:size]
        left = left[size:]


def train(
    model: CoordinateNetwork,
    source: WeightSource,
    parameters: list[dict[str, object]],
    plan: Schedule,
    watch: Watch,
) -> Outcome:
    """Train `parameters` in place, and leave the best state found in them.

    source: gives the weights of `model` and depends on `parameters`, which are groups as Adam takes them, each with its "lr". The best
    state is one with every bit right, if the budget has until_exact; then the one with the shortest code.
    """
    objective, budget = plan.objective, plan.budget
    targets, levels = objective.targets, model.architecture.levels
    tensors = [p for group in parameters for p in group["params"]]  # type: ignore[attr-defined]
    optimizer = torch.optim.Adam(parameters)
    rates = [group["lr"] for group in optimizer.param_groups]
    outcome, meter = Outcome(), Meter(objective)
    best: list[torch.Tensor] | None = None
    best_meter = meter
    started = last_report = time.perf_counter()
    last_step, steered = budget.steps, 0.0
    supply = batches(targets, plan.batch, plan.generator, plan.near)

    while True:
        outcome.seconds = time.perf_counter() - started
        # 0 at the first step, whatever the clock says: else the result would depend on it even if steps end the fit
        fraction = min(1.0, max(outcome.steps / budget.steps, outcome.seconds / budget.seconds)) if outcome.steps else 0.0
        index, near = next(supply)
        batch = targets.batch(index, levels, near)
        *smaller, outputs = model.every(batch.inputs, source, batch.corners)
        cells = cell_nats([source.cells(i) for i, level in enumerate(levels) if not level.direct])
        if plan.penalty:
            cells = cells + plan.penalty()
        loss = objective.loss(outputs, batch)
        with torch.no_grad():
            meter.add(outputs.detach(), batch, None if objective.squared else loss.item(), cells.item())
        if meter.full:
            exact = budget.until_exact and meter.exact and (plan.confirm is None or plan.confirm())
            # a full batch measures the current weights; with mini-batches, the weights changed during the pass that was measured
            shorter = objective.squared or meter.code_bits < outcome.code_bits  # a squared error is taken as it is at the end
            if best is None or (exact, shorter) >= (outcome.exact, True):
                best, best_meter = [t.detach().clone() for t in tensors], meter
                outcome.exact, outcome.code_bits = exact, meter.code_bits
            if exact and outcome.exact_step is None:
                outcome.exact_step, outcome.exact_seconds = outcome.steps, outcome.seconds
                after = 0 if plan.confirm else max(4, int(outcome.steps * AFTER_EXACT))
                last_step = min(last_step, outcome.steps + after)
            outcome.history.append((fraction, meter.code_bits))
        if watch.report and (outcome.steps == 0 or (meter.full and time.perf_counter() - last_report > REPORT_SECONDS)):
            last_report = time.perf_counter()
            watch.report(_status(watch, outcome, fraction, meter))
        outcome.stopped = bool(watch.stop and watch.stop())
        outcome.hopeless = _projected(outcome.history) > budget.bits_to_beat
        done = outcome.steps >= last_step or outcome.seconds >= budget.seconds
        if done or outcome.stopped or outcome.hopeless or (budget.plateau and _plateau(outcome.history)):
            break
        if meter.full:
            meter = Meter(objective)
        optimizer.zero_grad(set_to_none=True)
        share = batch.places / targets.places
        if smaller:
            *shares, whole = balance(model.architecture, plan.small_first, fraction)
            loss = whole * loss
            for other, part in zip(smaller, shares, strict=True):
                loss = loss + part * objective.loss(other, batch)
        if plan.steering:
            plan.steering.learn(cell_bits(model), objective.psnr_of(outputs.detach(), batch), fraction - steered)
            steered = fraction
            cells = cells * plan.steering.weight
        torch.autograd.backward((loss + share * cells) / (batch.places * targets.channels * targets.depth))
        scale = 1.0 if not budget.falling else 0.5 * (1 + math.cos(math.pi * fraction)) * min(1.0, (fraction + 1e-3) / WARM_UP)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * scale
        optimizer.step()
        outcome.steps += 1

    if best is None:  # stopped within the first pass
        best_meter = meter
        outcome.code_bits = meter.code_bits
    else:
        with torch.no_grad():
            for tensor, kept in zip(tensors, best, strict=True):
                tensor.copy_(kept)
    outcome.bit_errors, outcome.psnr = best_meter.bit_errors, best_meter.psnr
    if watch.report:
        watch.report(_status(watch, outcome, 1.0, best_meter))
    return outcome


def _status(watch: Watch, outcome: Outcome, fraction: float, meter: Meter) -> Progress:
    # once the bytes of the weights are known, the cells are among them
    bits = meter.payload_bits if watch.weights_bytes else meter.code_bits
    return Progress(watch.stage, outcome.steps, outcome.seconds, fraction, meter.bit_errors, meter.psnr, bits / 8, watch.weights_bytes)


def _before(history: list[tuple[float, float]], fraction: float) -> float:
    """The shortest code length up to this share of the budget. history: see Outcome."""
    return min((bits for at, bits in history if at <= fraction), default=math.inf)


def _plateau(history: list[tuple[float, float]]) -> bool:
    """Whether the code length has fallen by less than PLATEAU over the last PLATEAU_WINDOW of the budget."""
    if not history or history[-1][0] < 2 * PLATEAU_WINDOW:
        return False
    now = history[-1][0]
    return _before(history, now) > _before(history, now - PLATEAU_WINDOW) * (1 - PLATEAU)


def _projected(history: list[tuple[float, float]]) -> float:
    """An estimate from below of the code length at the end of the budget: it is taken to fall on as fast as of late.

    In practice it falls ever slower. Before a fifth of the budget is used, the estimate is −inf.
    """
    if not history or history[-1][0] < 0.2:
        return -math.inf
    now = history[-1][0]
    rate = (_before(history, 0.6 * now) - _before(history, now)) / (0.4 * now)
    return _before(history, now) - rate * (1 - now)
