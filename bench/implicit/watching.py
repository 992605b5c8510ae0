"""What studies of fits share: fits that are seen at every step, tables of several seeds, and curves as SVG in docs/."""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from inrcodec.fit import search, train
from inrcodec.fit.data import Targets
from inrcodec.fit.model import CoordinateNetwork
from inrcodec.options import Options, Progress, goal_of
from inrcodec.values import Values

DOCS = Path(__file__).parent.parent.parent / "docs"
DAY = 86400.0  # seconds, so that steps end a fit, and its result does not depend on the clock
POINTS = 48  # of a curve that are drawn
GREY = "#59636e"

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


@dataclass(frozen=True)
class Curve:
    """A line of a plot. shade: 0 to 1, of its colour; dashed: how it is drawn; marked: whether its points are."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    shade: float
    dashed: bool = False
    marked: bool = False


@dataclass(frozen=True)
class Panel:
    """One part of a plot. x, y: what the axes are; logarithmic: which of "x", "y" are so; ticks: of x, or all that suit."""

    title: str
    x: str
    y: str
    curves: Sequence[Curve]
    logarithmic: str = ""
    ticks: Sequence[float] = ()


def thinned(curve: Curve) -> tuple[list[float], list[float]]:
    """x and y of at most POINTS points of a curve."""
    index = np.unique(np.linspace(0, len(curve.x) - 1, POINTS).round().astype(int)) if len(curve.x) > POINTS else range(len(curve.x))
    return [float(curve.x[i]) for i in index], [float(curve.y[i]) for i in index]


def draw(name: str, title: str, panels: Sequence[Panel], folder: Path = DOCS) -> Path:
    """Write a plot, panels side by side, into folder/NAME.svg. The same numbers and version of matplotlib write the same bytes."""
    import matplotlib.pyplot as plt  # it is needed for nothing else

    from ..plots import SETTINGS

    plt.switch_backend("svg")
    settings: Any = {**SETTINGS, "font.size": 8.5, "axes.spines.top": False, "axes.spines.right": False}
    with plt.rc_context(settings):
        figure, axes = plt.subplots(1, len(panels), figsize=(8.6, 3.2), squeeze=False, layout="constrained")
        figure.suptitle(title, fontsize=10, fontweight="bold")
        for axis, panel in zip(axes[0], panels, strict=True):
            for curve in panel.curves:
                x, y = thinned(curve)
                style: dict[str, Any] = {"linestyle": "--" if curve.dashed else "-", "marker": "o" if curve.marked else "", "markersize": 3}
                axis.plot(x, y, color=plt.get_cmap("viridis")(0.92 * curve.shade), lw=1.2, label=curve.label, **style)
            if "x" in panel.logarithmic:
                axis.set_xscale("log")
            if "y" in panel.logarithmic:
                axis.set_yscale("log")
            if panel.ticks:
                axis.set_xticks(panel.ticks, [f"{t:g}" for t in panel.ticks])
                axis.set_xticks([], minor=True)
            axis.set(title=panel.title, xlabel=panel.x, ylabel=panel.y)
            axis.title.set_fontsize(8.5)
            axis.tick_params(colors=GREY)
            if panel is panels[0] or [c.label for c in panel.curves] != [c.label for c in panels[0].curves]:
                axis.legend(fontsize=6, frameon=False, ncols=2 if len(panel.curves) > 8 else 1)
        path = folder / f"{name}.svg"
        figure.savefig(path, format="svg", transparent=False, metadata={"Date": None, "Title": title})
        plt.close(figure)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
    return path


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
