"""What studies of fits share: fits that are seen at every step, and numbers of several seeds."""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from inrcodec.fit import search, train
from inrcodec.fit.data import Targets
from inrcodec.fit.model import CoordinateNetwork
from inrcodec.options import Options, Progress, goal_of
from inrcodec.values import Values

DAY = 86400.0  # seconds, so that steps end a fit, and its result does not depend on the clock

Look = Callable[[CoordinateNetwork, Targets], Any]


@dataclass(frozen=True)
class Setup:
    """How large the fits of a study are.

    Attributes:
        side: of the square pictures, in pixels.
        hidden, layers: of the networks.
        rate: Adam's learning rate. It is constant, and all places are in each step.
        steps: at most.
        seeds: fits of each kind; their median is shown.
        device: "cpu" or "cuda".
    """

    side: int = 24
    hidden: int = 128
    layers: int = 3
    rate: float = 1e-3
    steps: int = 1000
    seeds: int = 3
    device: str = "cpu"

    def options(self, seed: int = 0, **given: Any) -> Options:
        """Options of a fit, of which `given` replaces some."""
        usual: dict[str, Any] = {
            "profile": "inr", "device": self.device, "hidden": self.hidden, "layers": self.layers, "learning_rate": self.rate,
            "steps": self.steps, "seconds": DAY, "seed": seed, "batch": self.side**2,
        }  # fmt: skip
        return Options(**(usual | given))


@dataclass
class Watched:
    """A fit, and what was seen of it at each step, before the step was taken.

    Attributes:
        fitted: the network and its outcome.
        steps: 0, 1, ….
        errors: share of wrong bits in each bit-plane, the most significant first, at each step.
        looks: what the function `look` gave at each step.
    """

    fitted: search.Fitted
    steps: list[int]
    errors: npt.NDArray[np.float64]
    looks: list[Any] = field(default_factory=list)

    def first(self, plane: int, most: float = 0.0) -> int | None:
        """The first step at which at most this share of a plane's bits was wrong; None: there was none."""
        return first_below(self.steps, self.errors[:, plane], most)


def first_below(steps: Sequence[int], errors: npt.NDArray[np.float64], most: float = 0.0) -> int | None:
    """The first step at which a share of errors, (steps,), was at most `most`; None: there was none."""
    found = np.flatnonzero(errors <= most)
    return steps[int(found[0])] if found.size else None


def fit(values: Values, bits: int, options: Options, until: str = "exact") -> search.Fitted:
    """A float network. values: (axes…, channels), below 2^bits."""
    return search.fit_float(values, bits, options, goal_of(until))


def watched(values: Values, bits: int, options: Options, until: str = "exact", look: Look | None = None) -> Watched:
    """A float network that is seen at every step. The batch must hold all places; look: called with the network at each of them."""
    seen: list[Progress] = []
    looks: list[Any] = []
    models: list[tuple[CoordinateNetwork, Targets]] = []

    def begin(model: CoordinateNetwork, source: Any, groups: Any, plan: train.Schedule, watch: train.Watch) -> train.Outcome:
        models.append((model, plan.objective.targets))
        return train.train(model, source, groups, plan, watch)

    def note(status: Progress) -> None:
        seen.append(status)
        if look:
            looks.append(look(*models[0]))

    options = replace(options, progress=note)
    with mock.patch.object(train, "REPORT_SECONDS", -1.0), mock.patch.object(search, "train", begin):
        fitted = fit(values, bits, options, until)
    seen.pop()  # the last report is of the state that was kept, which an earlier one has told
    return Watched(fitted, [s.step for s in seen], np.array([s.bit_errors for s in seen]), looks[: len(seen)])


def planes_of(samples: npt.NDArray[Any], depth: int) -> Values:
    """Samples of an unsigned type, (height, width) or (height, width, channels), as values of its `depth` most significant bits."""
    values = samples >> (8 * samples.dtype.itemsize - depth)
    return np.asarray(values if values.ndim == 3 else values[..., None], np.uint8 if depth <= 8 else np.uint16)


def middle(found: Sequence[float | None], form: str = "{:.0f}") -> str:
    """The median of some seeds' numbers, with the least and the most; None stands for a fit that did not reach its goal."""
    known = sorted(x for x in found if x is not None)
    if not known:
        return "not reached"
    lacking = f", {len(found) - len(known)} of {len(found)} not" if len(known) < len(found) else ""
    median, least, most = (form.format(x) for x in (statistics.median(known), known[0], known[-1]))
    return median + (f" ({least}–{most}{lacking})" if len(found) > 1 else "")


def with_machine(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Give a parser the options --device and --threads."""
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="for torch; with others, sums and so the results differ a little")
    return parser


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use so many threads."""
    with search.limited_threads(max(1, count)):
        yield


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's rank correlation; NaN if all of x or of y are equal."""
    ranks = [np.array([np.mean(np.flatnonzero(np.sort(v) == a)) for a in v]) for v in (np.asarray(x), np.asarray(y))]
    a, b = (r - r.mean() for r in ranks)
    scale = math.sqrt(float((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale else math.nan
