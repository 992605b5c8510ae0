"""What an encoder can be told. The command line and the Python API share these names, meanings and defaults."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, get_args

from .weights import codings

Device = Literal["auto", "cpu", "cuda"]
NetworkName = Literal["heads", "siren", "bitlinear"]
Until = Literal["exact", "mdl"]

DEVICES = get_args(Device)
CODINGS = ("auto", *codings.NAMES)
NETWORKS = get_args(NetworkName)
UNTIL = get_args(Until)

# smallest and largest number of each option; 0 means: choose
LIMITS: dict[str, tuple[float, float]] = {
    "effort": (1, 9),
    "threads": (0, 1024),
    "bits": (0, 16),
    "seed": (0, 2**63 - 1),
    "hidden": (0, 8192),
    "layers": (0, 32),
    "omega": (0, 1e5),
    "learning_rate": (0, 1),
    "steps": (0, 10**9),
    "seconds": (0, 1e9),
    "batch": (0, 2**40),
}


@dataclass(frozen=True)
class Progress:
    """How far the work is; handed to `Options.progress` as it goes.

    Attributes:
        stage: what is being done, in a word or two: "fit", the weight coding that is being tried, "coding", "searching", "fitting"
            (networks of `hybrid` to a picture) or "decoding".
        step, seconds: done so far in this stage.
        fraction: of this stage's budget used, 0 to 1.
        bit_errors: of a fit: share of wrong bits in each bit-plane over all channels, the most significant first; else empty.
        psnr: of a fit: of the values that the likeliest bits make, in dB; infinite if they are right.
        payload_bytes: of a fit: what the coder would spend now.
        weights_bytes: of a fit: what the weights cost, as far as it is known (0: not yet).
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
        profile: "auto" takes what is smallest; a profile's name insists on it: "hybrid", "inr", "stored".
        effort: 1 (fast) to 9 (small): how long the encoder may look for a smaller file.
        device: where networks are fitted.
        threads: at most this many (0: as many as there are cores). What is coded with a given network is the same for
            any number; a fit sums in another order, so its network may differ.
        verify: decode what was written and compare.
        weights: coding of the network's weights; None is "uniform" if until is "exact", else "auto".
        bits: bits per weight for "uniform" and "lsq"; 0 chooses (16 and 4; "auto" tries 5 and 7, 3 and 5).
        seed: of everything random. The same seed, machine and threads give the same file where steps end the fit;
            a time budget that is nearer paces the learning rate by the clock.
        until: "exact" stops when every bit is right, "mdl" when weights + payload stop falling; None is "exact" for
            profile "inr" and "mdl" for "auto".
        network: "heads" (SIREN, one output per bit-plane), "siren" (the bit index as a coordinate) or "bitlinear"
            (positional encoding, GELU, ternary weights, a network per bit-plane).
        hidden, layers: units and hidden layers; 0 chooses by the size of the signal.
        omega: frequency of the first sine layer; 0 chooses.
        learning_rate: of Adam; 0 chooses.
        steps, seconds: budget of the fit; 0 takes the effort's. Fine-tuning adds 15 % for each coding tried.
        batch: places per step; 0 is all of them where they fit.
        progress: called now and then, from any thread, while networks are fitted, and while samples are coded or decoded.
        stop: asked now and then, from any thread. True ends a fit, and the best network so far is written; where there is nothing that
            could be kept, `Stopped` is raised.
    """

    profile: str = "auto"
    effort: int = 5
    device: Device = "auto"
    threads: int = 0
    verify: bool = True
    weights: str | None = None
    bits: int = 0
    seed: int = 0
    until: Until | None = None
    network: NetworkName = "heads"
    hidden: int = 0
    layers: int = 0
    omega: float = 0.0
    learning_rate: float = 0.0
    steps: int = 0
    seconds: float = 0.0
    batch: int = 0
    progress: Callable[[Progress], None] | None = None
    stop: Callable[[], bool] | None = None

    def __post_init__(self) -> None:
        choices: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
            ("device", self.device, DEVICES),
            ("weights", self.weights, (None, *CODINGS)),
            ("until", self.until, (None, *UNTIL)),
            ("network", self.network, NETWORKS),
        )
        for name, value, allowed in choices:
            if value not in allowed:
                raise ValueError(f"{name} is {value!r}; it can be {', '.join(map(str, allowed))}")
        for name, (least, most) in LIMITS.items():
            number = getattr(self, name)
            whole = not isinstance(getattr(type(self), name), float)
            if isinstance(number, bool) or not isinstance(number, Integral if whole else Real):
                raise ValueError(f"{name} is {number!r}; it must be a{' whole' if whole else ''} number")
            if not least <= float(number) <= most:  # NaN is not either
                raise ValueError(f"{name} is {number!r}; it can be {least} to {most}")
        if self.bits == 1:
            raise ValueError("bits is 1; it can be 2 to 16, or 0")
        for name in ("progress", "stop"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise ValueError(f"{name} must be a function or None")

    @property
    def fits_in_auto(self) -> bool:
        """Whether profile "auto" fits a network to what `hybrid` can't code.

        Not at efforts 1 to 3, which never import torch, unless a budget is given.
        """
        return self.effort > 3 or self.seconds > 0 or self.steps > 0

    @property
    def workers(self) -> int:
        return self.threads or os.cpu_count() or 1
