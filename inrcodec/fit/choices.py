"""What the encoder chooses for a fit by signal and options: the network's shape, its frequencies, learning rate, budget and loss."""

from __future__ import annotations

import math
from dataclasses import replace

from ..errors import FitError, InrcodecError
from ..kernels.architecture import MAX_VALUE_BITS, Activation, Architecture, Level
from ..options import Goal, Options, goal_of
from ..values import Values
from ..weights.network import MAX_GRID_AXIS, MAX_PARAMETERS
from .data import Targets, is_occupancy

# seconds of the first fit for efforts 1 to 5; each weight coding that is tried adds a share
EXACT_SECONDS = (20, 40, 60, 120, 1200)
OTHER_SECONDS = (3, 6, 12, 25, 250)
EXACT_STEPS, OTHER_STEPS, LONG_STEPS = 20000, 4000, 8000  # the last with cells and for a supernet
FULL_BATCH = {"cpu": 1 << 15, "cuda": 1 << 18}  # signals of more places are fitted in mini-batches
MINI_BATCH = {"cpu": 1 << 13, "cuda": 1 << 16}  # places
BITLINEAR_LAYERS = 4  # of Han et al., for 128 × 128
MORE_OCTAVES = 2  # than it takes to tell neighbouring places apart: ternary networks then need fewer steps
GRID_UNITS = ((1 << 17, 16), (1 << 63, 24))  # hidden units beside a grid, by the number of places
FILTERS_OMEGA = 10.0  # times √units: pictures of 96 × 64 to 384 × 256 have 1 to 4 dB more than with frequencies of 5 to 96
SHORT_BITS = 8  # of a weight of networks in a network, and beside cells, where there are few weights
# Units for an occupancy field: so many for each place along the side of a cube of as many places, as its surface grows with that; at most.
# The shortest description needs fewer than a network that alone is to be nearly right.
OCCUPANCY_SHARE, OCCUPANCY_SHORT, OCCUPANCY_UNITS = 1.0, 0.44, 128
OCCUPANCY_SECONDS = 5  # times as long as other fits may take: only the places near the surface teach much
NEAR_SHARE = 0.8  # of a batch that is drawn from the places near the surface
SPARE_PARAMETERS = 1 << 16  # that a network with a grid keeps for its matrices


def goal_for(options: Options, otherwise: str) -> Goal:
    """The goal of a fit: what options say, else, with a supernet or a prior, "mdl", else `otherwise`, see `Options.until`."""
    return goal_of(options.until or ("mdl" if options.supernet or options.prior else otherwise))


def usual_goal(values: Values, bits: int) -> str:
    """The goal of a fit of profile `inr`, unless options say otherwise."""
    return "mdl" if is_occupancy(values, bits) else "exact"


def network_of(values: Values, bits: int, options: Options) -> tuple[str, str]:
    """(form, body) of the network for values, (axes…, channels): see `Options.network` and `Options.body`. Raises InrcodecError."""
    possible = bits <= MAX_VALUE_BITS
    of_values = possible and options.loss != "bce" and (options.loss == "likelihood" or not is_occupancy(values, bits))
    form = options.network or ("values" if of_values else "heads")
    if form != "values" and options.loss == "likelihood":
        raise InrcodecError(f"loss likelihood: it takes values of at most {MAX_VALUE_BITS} bits, and these have {bits}; take bce or mse")
    if form == "values" and not possible:
        raise InrcodecError(f"network values: it takes values of at most {MAX_VALUE_BITS} bits, and these have {bits}; take heads")
    gridded = form == "values" and not options.supernet and max(values.shape[:-1]) <= MAX_GRID_AXIS
    return form, options.body or ("grid" if gridded and options.activation != "sine" and not options.octaves else "mlp")


def architecture_of(values: Values, bits: int, options: Options, goal: Goal) -> Architecture:
    """The shape of a network for values, (axes…, channels), below 2^bits.

    An exact fit gets about 4 parameters per bit of the signal, the shortest description one for 60 bits.
    Raises InrcodecError if the network cannot be written.
    """
    form, body = network_of(values, bits, options)
    if goal.kind == "iou" and bits != 1:
        raise InrcodecError(f"until iou={goal.value:g}: it is for values of one bit, and these have {bits}")
    if 0 < options.bit_places < bits:
        raise InrcodecError(f"bit_places {options.bit_places}: the samples have {bits} bits, and each needs a place")
    sizes, channels = values.shape[:-1], values.shape[-1]
    layers = options.layers or (BITLINEAR_LAYERS if form == "bitlinear" else 1 if body == "grid" else 3)
    a = Architecture(
        sizes,
        channels,
        bits,
        options.hidden or _units(values, bits, layers, form, body, goal),
        layers,
        form,  # type: ignore[arg-type]
        body if body in ("recurrent", "filters") else "mlp",  # type: ignore[arg-type]
        _activation(options, form, body, is_occupancy(values, bits)),
        options.octaves,
        max(options.bit_places, bits) if form == "siren" else 0,
        options.colour,
        scales=form == "values" and _likelihood(options, goal),
    )
    if form == "bitlinear":
        octaves = options.octaves or min(max(math.ceil(math.log2(max(*sizes, 2))), 1) + MORE_OCTAVES, 20)
        a = replace(a, octaves=octaves, normalized=True, biased=False)
    if body == "grid":
        a = replace(a, levels=_levels(a, goal))
    if options.supernet:
        depths, widths = options.configurations
        a = replace(a, hidden=widths[-1], layers=depths[-1], depths=depths, widths=widths)
    if a.parameters > MAX_PARAMETERS:
        raise FitError(f"a network of {a.parameters} parameters is too large: at most {MAX_PARAMETERS} can be written; take fewer units")
    return a


def _likelihood(options: Options, goal: Goal) -> bool:
    """Whether a fit of means minimizes the code length, and not the squared error."""
    return options.loss == "likelihood" or (not options.loss and not options.supernet and goal.kind in ("exact", "mdl"))


def _activation(options: Options, form: str, body: str, occupancy: bool) -> Activation:
    if options.activation:
        return options.activation
    if occupancy and form == "heads" and body in ("mlp", "recurrent"):
        return "gaussian"
    return "gelu" if form == "bitlinear" or body == "grid" else "sine"


def _units(values: Values, bits: int, layers: int, form: str, body: str, goal: Goal) -> int:
    """Hidden units by the size of the signal."""
    total, places = values.size * bits, values.size // values.shape[-1]
    if is_occupancy(values, bits) and form == "heads" and body != "grid" and goal.kind in ("mdl", "iou"):
        share = OCCUPANCY_SHARE if goal.kind == "iou" else OCCUPANCY_SHORT
        return min(max(8 * round(share * math.pow(places, 1 / 3) / 8), 8), OCCUPANCY_UNITS)
    if body == "grid":
        return next(units for limit, units in GRID_UNITS if places < limit)
    matrices = 1 if body == "recurrent" else max(1, layers - 1)
    if goal.kind == "exact" and form == "bitlinear":  # 6 ternary weights for each bit of a network's plane
        return min(max(32 * math.ceil(math.sqrt(6 * values.size / matrices) / 32), 64), 2048)
    if goal.kind == "exact":
        return min(max(64 * math.ceil(math.sqrt(4 * total / matrices) / 64), 64), 2048)
    return min(max(8 * round(math.sqrt(total / 60 / matrices) / 8), 8), 512)


def _levels(a: Architecture, goal: Goal) -> tuple[Level, ...]:
    """The levels of a grid: cells at every second place and farther apart; for an exact fit, also a direct level, with a
    cell at each place.

    Levels that would make the network too large are left out, the finest first. Raises InrcodecError if the direct one would.
    """
    coarsest = max(1, math.ceil(math.log2(max(*a.sizes, 2))) - 1)
    levels = [Level(spacing, 1) for spacing in range(1, coarsest + 1)]
    direct = (Level(0, a.channels, direct=True),) if goal.kind == "exact" and a.form == "values" else ()
    room = MAX_PARAMETERS - SPARE_PARAMETERS - sum(level.cells(a.sizes) * level.features for level in direct)
    if room < 0:
        raise FitError(
            f"too large for an exact network: it has more than {MAX_PARAMETERS - SPARE_PARAMETERS} values; --until mdl fits smaller ones"
        )
    while levels and sum(level.cells(a.sizes) for level in levels) > room:
        levels = levels[1:]
    return (*levels, *direct)


def omega_of(a: Architecture, options: Options, goal: Goal) -> tuple[float, float]:
    """(frequency of sines of the inputs, the lowest frequency if its units are to be spread, else 0).

    An exact fit must tell neighbouring places apart, so omega grows with the longest axis. A network for the shortest description has few
    units for coarse and fine shapes, so their frequencies are spread.
    """
    longest = max(a.sizes)
    if options.omega:
        return options.omega, 0.0
    if a.octaves or a.levels:
        return 30.0, 0.0
    if goal.kind == "exact":
        return max(30.0, min(1.0 * longest, 30000.0)), 0.0
    if a.body == "filters":  # the frequencies of filters add up, and more units can tell more of them apart
        return FILTERS_OMEGA * math.sqrt(a.hidden), 0.0
    return max(30.0, min(longest / 4, 30000.0)), 5.0


def rate_of(a: Architecture, options: Options) -> float:
    """Adam's learning rate. Wide networks need small steps.

    Ternary weights need large ones, a share of their mean magnitude: they change only when they are rounded anew.
    """
    if options.learning_rate:
        return options.learning_rate
    if a.form == "bitlinear":
        return min(2e-2, 0.12 / math.sqrt(a.hidden))
    if a.form == "siren":
        return 1e-4
    if a.body == "filters":
        return 2e-3 if a.form == "values" else 1e-2
    if a.activation == "sine":
        return min(1e-2 if a.form == "heads" else 2e-3, 0.15 / a.hidden)
    return 1e-2 if a.levels else 2e-3


def batch_of(data: Targets, options: Options) -> int:
    """Places per step: all places of a small signal, else a mini-batch."""
    if len(data.near) and not options.batch:  # a surface wants steps more than places
        return min(MINI_BATCH[data.device.type] // 2, data.places)
    return batch_size(data.places, data.device.type, options)


def batch_size(places: int, device: str, options: Options) -> int:
    """As `batch_of`. device: "cpu" or "cuda"."""
    return min(options.batch, places) or (places if places <= FULL_BATCH[device] else MINI_BATCH[device])


def squared_of(form: str, options: Options, goal: Goal) -> bool:
    """Whether the fit minimizes a squared error."""
    return options.loss == "mse" or (form == "values" and not _likelihood(options, goal))


def near_of(a: Architecture, goal: Goal) -> float:
    """The share of a batch that is drawn from the places near the surface of an occupancy field; 0: all places are as likely.

    An exact fit ends when all places were seen to be right, and cells must be met everywhere to have their rate.
    """
    return NEAR_SHARE if a.bits == 1 and len(a.sizes) > 2 and a.form != "values" and not a.levels and goal.kind != "exact" else 0.0


def trains_exactly(a: Architecture, goal: Goal) -> bool:
    """Whether training is to go on until every bit is right: not if cells of the network are then set to what is wrong."""
    return goal.kind == "exact" and not any(level.direct for level in a.levels)


def seconds_of(a: Architecture, options: Options, goal: Goal) -> float:
    """The budget of the first fit in seconds: none if only steps are given, so that the clock changes nothing."""
    if options.steps and not options.seconds:
        return math.inf
    usual = (EXACT_SECONDS if trains_exactly(a, goal) else OTHER_SECONDS)[options.effort - 1]
    return options.seconds or usual * (OCCUPANCY_SECONDS if near_of(a, goal) else 1)


def steps_of(a: Architecture, options: Options, goal: Goal) -> int:
    """The budget of the first fit in steps."""
    usual = EXACT_STEPS if trains_exactly(a, goal) else LONG_STEPS if a.levels or a.widths else OTHER_STEPS
    return options.steps or (EXACT_STEPS if near_of(a, goal) else usual)


def weights_of(a: Architecture, options: Options, goal: Goal) -> tuple[str, int]:
    """(the weight coding, bits per weight or 0): see `Options.weights` and `Options.bits`."""
    weights = options.weights or _coding(a, goal)
    if weights in ("uniform", "lsq") and not options.bits and (a.widths or (a.levels and weights == "uniform")):
        return weights, SHORT_BITS
    return weights, options.bits


def _coding(a: Architecture, goal: Goal) -> str:
    if a.form == "bitlinear" and goal.kind != "mdl":  # it is trained with ternary weights, and any other coding would change them
        return "ternary"
    if a.levels:
        return "uniform"
    if a.widths:
        return "lsq"
    return "uniform" if goal.kind == "exact" else "auto"
