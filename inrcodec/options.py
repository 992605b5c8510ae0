"""The options of the encoder. The command line and the Python API share their names, meanings and defaults."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from typing import Any, Literal, NamedTuple, get_args

from .limits import MAX_SAMPLES, Limits
from .weights import codings

Device = Literal["auto", "cpu", "cuda"]
NetworkName = Literal["", "heads", "siren", "bitlinear", "values"]
BodyName = Literal["", "mlp", "recurrent", "filters", "grid"]
ActivationName = Literal["", "sine", "gelu", "gaussian"]
Loss = Literal["", "bce", "likelihood", "mse"]
PriorName = Literal["", "meta", "modulations"]

DEVICES = get_args(Device)
CODING_NAMES = ("auto", *codings.NAMES)
NETWORKS, BODIES, ACTIVATIONS = (get_args(t) for t in (NetworkName, BodyName, ActivationName))
LOSSES, PRIORS = get_args(Loss), get_args(PriorName)
UNTIL = ("exact", "mdl", "rate", "psnr", "iou")
LEAST_TILE = 16  # rows and columns of a tile of a picture that may be asked for
MAX_SIZES = 16  # widths, and depths, of the networks in a network

# smallest and largest number of each option; where 0 is allowed (but for seed), it means that the encoder chooses
LIMITS: dict[str, tuple[float, float]] = {
    "effort": (1, 5),
    "threads": (0, 1024),
    "tile": (0, 1 << 20),
    "bits": (0, 16),
    "seed": (0, 2**63 - 1),
    "hidden": (0, 8192),
    "layers": (0, 32),
    "octaves": (0, 24),
    "bit_places": (0, 64),
    "omega": (0, 1e5),
    "learning_rate": (0, 1),
    "steps": (0, 10**9),
    "seconds": (0, 1e9),
    "batch": (0, 2**40),
    "max_samples": (1, 2**62),
    "max_memory": (0, 2**62),
}

# The options that only a fit looks at, by the stage of `Progress` that it reports. "fit" is one of profile `inr`; "fitting" is one of
# `hybrid`, to a picture with `tune`.
FIT_OPTIONS: dict[str, tuple[str, ...]] = {
    "fit": (
        "device", "weights", "bits", "lsq_gradient_scale", "seed", "until", "network", "body", "activation", "loss", "supernet", "prior",
        "colour", "payload", "hidden", "layers", "octaves", "bit_places", "omega", "learning_rate", "steps", "seconds", "batch",
    ),
    "fitting": ("tune", "device", "weights", "seed"),
}  # fmt: skip


class Goal(NamedTuple):
    """When a fit ends. kind: see `Options.until`; value: bits of weights per place for "rate", dB for "psnr", 0 … 1 for "iou", else 0."""

    kind: str
    value: float = 0.0


def goal_of(until: str) -> Goal:
    """The goal that a text stands for, see `Options.until`. Raises ValueError if it is none."""
    kind, _, number = until.partition("=") if isinstance(until, str) else ("", "", "")
    if kind in ("exact", "mdl") and until == kind:
        return Goal(kind)
    below = {"rate": 1000, "psnr": 1000, "iou": 1}.get(kind, 0)
    if re.fullmatch(r"\d+(\.\d*)?|\.\d+", number) and 0 < float(number) < below:
        return Goal(kind, float(number))
    raise ValueError(
        f"until is {until!r}; it can be 'exact', 'mdl', 'rate=0.3' (bits of weights per place), 'psnr=30' (dB) "
        "or 'iou=0.99' (for values of one bit, below 1)"
    )


def configurations_of(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(depths, widths) that a text such as "1,2,4x16,32" stands for, ascending. Raises ValueError."""
    sizes = r"[1-9]\d{0,3}(?:,[1-9]\d{0,3})*"
    match = re.fullmatch(f"({sizes})x({sizes})", text) if isinstance(text, str) else None
    found = [tuple(sorted({int(n) for n in part.split(",")})) for part in match.groups()] if match else []
    if not found or max(map(len, found)) > MAX_SIZES or found[0][-1] > LIMITS["layers"][1] or found[1][-1] > LIMITS["hidden"][1]:
        raise ValueError(f"supernet is {text!r}; it must be depths and widths, as '1,2,3,4x16,32,48,64', up to 32 layers of 8192 units")
    return found[0], found[1]


@dataclass(frozen=True)
class Progress:
    """How far the work is; `Options.progress` is called with it.

    Attributes:
        stage: what is being done: "fit" or the label of a weight coding, as "lsq 4" (profile `inr`); "fitting" (context networks of
            `hybrid` to a picture); "coding", "decoding" or "rendering".
        step: steps, rows, frames or tiles done in this stage.
        seconds: since the stage began.
        fraction: share of this stage's work or budget that is done, 0 to 1.
        bit_errors: share of wrong bits in each bit-plane over all channels, the most significant first. Empty if `inr` fits nothing.
        psnr: PSNR of the values that the likeliest bits make, in dB; infinite if all are right, or if `inr` fits nothing.
        payload_bytes: bytes that the network's bits would cost now; 0 if `inr` fits nothing.
        weights_bytes: bytes that the weights cost; 0: not yet known.
    """

    stage: str
    step: int
    seconds: float
    fraction: float
    bit_errors: tuple[float, ...]
    psnr: float
    payload_bytes: float
    weights_bytes: int = 0


@dataclass(frozen=True)
class Options:
    """How to encode.

    Attributes:
        profile: "auto" takes the profile with the smallest file; "hybrid", "inr" and "stored" take that profile.
        effort: 1 (fast) to 5 (small): how much the encoder, and in `hybrid` the decoder too, may compute for a smaller file. For sounds,
            2 and 3 are the same.
        tune: whether `hybrid` fits its context networks to a picture of at least 20,000 pixels, at efforts 4 and 5. That takes minutes and
            gains some 0.1 %. It needs torch.
        device: where networks are fitted; "auto" is CUDA if it is there, else the CPU.
        threads: at most this many (0: as many as there are cores). Files without a fit of profile `inr` are the same for any number.
            A fit of `inr` adds up its sums in another order with other threads, so its network may differ.
        tile: rows and columns of the tiles of pictures that `hybrid` codes, 16 or more; 0 chooses: about a megapixel. Regions of small
            tiles are fast to decode, but each tile begins to learn anew, so the file is larger.
        preview: whether the file is to hold a preview of a picture: an eighth of its rows and columns, lossy, at most 1 % of the file. It
            is left out, with a `Notice`, where it would show too little. The samples come back exactly all the same.
        compact: whether the file of a small signal may take the compact form, which has no framed sections and 4 bytes of the digest.
        verify: whether to decode the result and compare it with the signal.
        weights: coding of fitted weights; None is "ternary" for "bitlinear", but for until "mdl", "lsq" for a supernet, "uniform" for `inr`
            with until "exact", a rate or a PSNR and where there are cells, else "auto".
        bits: bits per weight for "uniform" and "lsq"; 0 chooses: 16 and 4; 8 for both with a rate or PSNR and for a supernet, and for
            "uniform" where there are cells; with weights "auto", 5 and 7, and 3 and 5, are tried.
        lsq_gradient_scale: whether "lsq" scales the gradient of a layer's step by 1/√(weights · largest integer), as it was published. Adam
            divides gradients by their size, so it changes little.
        seed: of everything random. With one thread, the same seed gives the same file on the same machine if steps end the fit. With
            more threads torch may sum in another order; if seconds end it, the file also depends on the clock.
        until: "exact" fits until every bit is right, "mdl" until weights + payload stop falling; "rate=0.3" as well as 0.3 bits of weights
            per place allow, "psnr=30" until the network alone has 30 dB; "iou=0.99", for values of one bit, takes the least weights with
            which the ones of the network alone have this intersection over union. "" is "exact" for profile "inr", but "mdl" for an
            occupancy field (a volume of one bit and at least three axes), for "auto" and a supernet.
        network: what the network predicts. "values": the mean of each value. "heads": the bits, one output each. "siren": the bits, the
            index of the bit being one more coordinate. "bitlinear": the bits, a network for each index, with positional encoding, GELU,
            layer normalization and ternary weights. "" is "values", or "heads" where values have more than 24
            bits, for an occupancy field, and with loss "bce".
        body: what is between coordinates and outputs. "mlp"; "recurrent": the same matrix for all layers; "filters": a multiplicative
            filter network; "grid": cells of several resolutions, and a small mlp. "" is "grid" for "values", but "mlp" for bits, for a
            supernet, and with octaves or activation "sine".
        activation: of hidden layers: "sine", "gelu" or "gaussian"; "" is "gelu" with a grid and for "bitlinear", "gaussian" for an
            occupancy field, else "sine".
        loss: what the fit minimizes: "bce" (bits), "likelihood" (code length of values) or "mse" (squared error); "" is "bce" for bits,
            "likelihood" for values, but "mse" for values with until rate or psnr, and for those of a supernet.
        supernet: depths and widths of networks that are trained together, one inside the other, as "1,2,3,4x16,32,48,64"; "": one network.
        prior: the network of the package from which that of the file is made, for RGB pictures. "meta": the file holds the
            difference of the weights (`bits` each, 7 by default). "modulations": it holds a short vector for each patch of 32 × 32 pixels
            (`bits` for an element, 5 by default; weights "uniform" or "sinr"). "": there is none. The shape of the network is the prior's.
        colour: whether the index of the channel is one more coordinate.
        payload: whether the samples are coded too. False makes a lossy file, which holds the network alone.
        lossy: for `Tensors`: whether floats of two axes or more are coded by `weights` with `bits` bits each, 8 if none are given.
        hidden, layers: units of a hidden layer, and number of hidden layers; 0 chooses: units by the size of the signal, for an
            occupancy field at most 128, and more for until "iou" than for "mdl"; 3 layers, 4 for "bitlinear", 1 with a grid.
        octaves: sines and cosines of each coordinate that are inputs too (positional encoding); 0: none, for "bitlinear" by the size.
        bit_places: for "siren": places on the axis of the bit; more than the bits of a value, and the bits below them can be asked for.
        omega: frequency of the first sine layer; 0 chooses by the size of the signal.
        learning_rate: of Adam; 0 chooses by the width of the network.
        steps, seconds: budget of the fit, which ends at the first of the two; 0 chooses: steps by `until`, seconds by effort, five times as
            many for an occupancy field, or without limit if steps are given. Fine-tuning adds 15 % for each weight coding that is tried,
            40 % with cells, for a supernet and for an occupancy field, up to 80 % where cells must meet a rate or PSNR, and up to 100 %
            where a network without cells is to be exact. For a rate or PSNR, up to four networks without cells are fitted.
        batch: places per step; 0 is all places of a small signal, else a mini-batch.
        progress: called now and then, from any thread, while networks are fitted, and while samples are coded or decoded.
        stop: asked now and then, from any thread. When it returns True, a fit ends, and the file is written with the best network so far.
            If nothing is fitted, `Stopped` is raised.
        max_samples, max_memory: what a file that is decoded may ask for; see `inrcodec.limits.Limits`.

    Raises:
        ValueError: an option has a value that it cannot have.
    """

    profile: str = "auto"
    effort: int = 4
    tune: bool = False
    device: Device = "auto"
    threads: int = 0
    tile: int = 0
    preview: bool = False
    compact: bool = True
    verify: bool = True
    weights: str | None = None
    bits: int = 0
    lsq_gradient_scale: bool = False
    seed: int = 0
    until: str = ""
    network: NetworkName = ""
    body: BodyName = ""
    activation: ActivationName = ""
    loss: Loss = ""
    supernet: str = ""
    prior: PriorName = ""
    colour: bool = False
    payload: bool = True
    lossy: bool = False
    hidden: int = 0
    layers: int = 0
    octaves: int = 0
    bit_places: int = 0
    omega: float = 0.0
    learning_rate: float = 0.0
    steps: int = 0
    seconds: float = 0.0
    batch: int = 0
    progress: Callable[[Progress], None] | None = None
    stop: Callable[[], bool] | None = None
    max_samples: int = MAX_SAMPLES
    max_memory: int = 0

    def __post_init__(self) -> None:
        choices: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
            ("device", self.device, DEVICES),
            ("weights", self.weights, (None, *CODING_NAMES)),
            ("network", self.network, NETWORKS),
            ("body", self.body, BODIES),
            ("activation", self.activation, ACTIVATIONS),
            ("loss", self.loss, LOSSES),
            ("prior", self.prior, PRIORS),
        )
        yes_or_no = [field.name for field in fields(self) if isinstance(field.default, bool)]
        for name, value, allowed in (*choices, *((name, getattr(self, name), (True, False)) for name in yes_or_no)):
            if value not in allowed:
                raise ValueError(f"{name} is {value!r}; it can be {', '.join(repr(x) for x in allowed)}")
        goal_of(self.until or "exact")
        if self.supernet:
            configurations_of(self.supernet)
        self._check_network()
        for name, (least, most) in LIMITS.items():
            number = getattr(self, name)
            whole = not isinstance(getattr(type(self), name), float)
            if isinstance(number, bool) or not isinstance(number, Integral if whole else Real):
                raise ValueError(f"{name} is {number!r}; it must be a{' whole' if whole else ''} number")
            exact: Any = number  # no float, which the largest seed is not
            if not least <= exact <= most:  # refuses NaN too
                raise ValueError(f"{name} is {number!r}; it can be {least} to {most}")
        if self.bits == 1:
            raise ValueError("bits is 1; it can be 2 to 16, or 0")
        if 0 < self.tile < LEAST_TILE:
            raise ValueError(f"tile is {self.tile}; it can be {LEAST_TILE} or more, or 0")
        if self.preview and not self.payload:
            raise ValueError("preview is of samples, which payload=False leaves out")
        for name in ("progress", "stop"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise ValueError(f"{name} must be a function or None")

    def _check_network(self) -> None:
        """Raise ValueError if options for the network contradict each other."""
        values = self.network in ("", "values")
        faults = (
            (self.body == "grid" and self.network == "bitlinear", "a grid cannot be given to network bitlinear"),
            (self.body == "filters" and self.network == "bitlinear", "network bitlinear has no body filters"),
            (self.body == "filters" and self.activation not in ("", "sine"), "body filters has sines; activation cannot be chosen"),
            (self.loss == "likelihood" and not values, "loss likelihood is for network values"),
            (self.loss == "bce" and self.network == "values", "loss bce is for networks that predict bits"),
            (bool(self.supernet) and self.body not in ("", "mlp"), "a supernet has body mlp"),
            (bool(self.supernet) and self.network == "bitlinear", "a supernet cannot have network bitlinear"),
            (bool(self.supernet) and self.weights in ("sinr", "auto"), "a supernet's weights are uniform, lsq or ternary"),
            (
                bool(self.supernet) and goal_of(self.until or "mdl").kind in ("rate", "psnr"),
                "a supernet has the sizes that it lists: no rate, no psnr",
            ),
            (bool(self.supernet) and (self.hidden or self.layers), "a supernet has the sizes that it lists: no hidden, no layers"),
            (
                bool(self.prior)
                and any((self.network, self.body, self.activation, self.hidden, self.layers, self.octaves, self.omega, self.colour)),
                "a prior has its own network: its form, body, activation and size cannot be chosen",
            ),
            (bool(self.prior) and bool(self.supernet), "a prior has no supernet"),
            (bool(self.prior) and self.loss not in ("", "mse"), "a network from a prior is fitted by its squared error (loss mse)"),
            (
                bool(self.prior) and goal_of(self.until or "mdl").kind != "mdl",
                "a prior has its own size: no until exact, rate, psnr or iou; bits and steps can be chosen",
            ),
            (self.prior == "meta" and self.weights not in (None, "uniform"), "prior meta takes weights uniform"),
            (
                self.prior == "modulations" and self.weights not in (None, "uniform", "sinr"),
                "prior modulations takes weights uniform or sinr",
            ),
            (self.bit_places > 0 and self.network != "siren", "bit_places is for network siren"),
            (self.colour and self.network == "bitlinear", "colour cannot be a coordinate of network bitlinear"),
        )
        for fault, text in faults:
            if fault:
                raise ValueError(text)

    @property
    def configurations(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(depths, widths) of the networks in a supernet."""
        return configurations_of(self.supernet)

    @property
    def fits_in_auto(self) -> bool:
        """Whether profile "auto" fits a network of `inr` to a signal that `hybrid` cannot code.

        At efforts 1 and 2 it does only if a budget is given, so that they do not import torch.
        """
        return self.effort > 2 or self.seconds > 0 or self.steps > 0

    def check_tensors(self, spell: Callable[[str], str] = str) -> None:
        """Raise ValueError if an option is given that is not for `Tensors`, or if what `lossy` needs is missing.

        spell: how an option's name is written.
        """
        wanted = {"effort", "threads", "compact", "verify", "progress", "stop", "lossy", "max_samples", "max_memory"}
        wanted |= {"weights", "bits", "seed"} if self.lossy else set()
        given = [spell(f.name) for f in fields(self) if f.name not in wanted and getattr(self, f.name) != f.default]
        if given:
            if self.lossy:
                raise ValueError(f"{', '.join(given)}: not for tensors, of which nothing is fitted")
            only = f" without {spell('lossy')}" if {spell(n) for n in ("weights", "bits", "seed")} & set(given) else ""
            raise ValueError(f"{', '.join(given)}: not for tensors{only}, which are coded exactly")
        if self.lossy and self.weights == "ternary" and self.bits:
            raise ValueError(f"{spell('bits')}: ternary weights have no number of bits to choose")
        if self.lossy and self.weights in (None, "auto"):
            raise ValueError(f"{spell('lossy')} needs {spell('weights')}: {', '.join(codings.NAMES)}; a smaller file is a worse network")

    def watched(self) -> tuple[Options, set[str]]:
        """These options for an encoder, and the set to which the stages that it reports are added, for `unused`."""
        stages: set[str] = set()

        def note(status: Progress) -> None:
            stages.add(status.stage)
            if self.progress:
                self.progress(status)

        return replace(self, progress=note), stages

    def unused(self, stages: Collection[str], activation: str = "", spell: Callable[[str], str] = str) -> str | None:
        """What to say of options for fits that are not at their defaults and changed nothing; None if there are none.

        stages: what was reported while encoding; activation: of the network in the file, "" if there is none; spell: how an option's name
        is written.
        """
        looked_at = {name for stage in stages for name in FIT_OPTIONS.get(stage, ())}
        own_weights = self.network == "bitlinear" and self.weights is None and self.until != "mdl"
        if self.weights in ("ternary", "sinr") or own_weights:  # they have no number of bits to choose
            looked_at.discard("bits")
        if not any(stage.startswith("lsq") for stage in stages):
            looked_at.discard("lsq_gradient_scale")
        if self.prior == "modulations":  # each step takes some pixels of each patch
            looked_at.discard("batch")
        if activation not in ("", "sine"):  # omega is the frequency of sines
            looked_at.discard("omega")
        every = dict.fromkeys(name for known in FIT_OPTIONS.values() for name in known)
        names = [name for name in every if getattr(self, name) != getattr(type(self), name) and name not in looked_at]
        if not names:
            return None
        if "fit" in stages:
            why = "the network that was fitted has no use for it"
        elif set(names) <= set(FIT_OPTIONS["fitting"]):
            why = "no network was fitted; profile inr fits one, and tune does to photographs of 20,000 pixels or more, at efforts 4 and 5"
        else:
            why = "no network of profile inr was fitted"
        return f"without effect: {', '.join(map(spell, names))} ({why})"

    @property
    def limits(self) -> Limits:
        """What a file that is decoded may ask for."""
        return Limits(self.max_samples, self.max_memory)

    @property
    def workers(self) -> int:
        """Threads to use, at least 1."""
        return self.threads or os.cpu_count() or 1


def check_names(given: Collection[str], more: Collection[str] = ()) -> None:
    """Raise TypeError if there is a name among those given that is no option of an encoder. more: what the caller takes besides."""
    able = {*(field.name for field in fields(Options)), *more} - {"max_samples", "max_memory"}
    if unknown := sorted(set(given) - able):
        raise TypeError(f"{', '.join(unknown)}: there is no such option of .linr files; there are {', '.join(sorted(able))}")


def check_has_samples(given: Mapping[str, Any], reader: str) -> None:
    """Raise ValueError if options ask for a file without samples. reader: the library that could not read it."""
    if not given.get("payload", True):
        raise ValueError(f"payload=False makes a file without samples, which {reader} cannot read; inrcodec.encode makes such files")
